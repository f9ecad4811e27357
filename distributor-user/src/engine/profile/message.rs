//! The messages that findings are: each defined once, here.
//!
//! A finding says in its own words what is wrong at its place; the number beside
//! it is what an administrator searches for. It is that of z/OS where z/OS would
//! say the same, and else one of ours, `SDL…`. No finding is without.

pub(crate) mod own;

pub use own::OWN_MESSAGES;
pub(super) use own::*;

/// One message about a profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub id: &'static str,
    /// When it is given here.
    pub when: &'static str,
    /// What z/OS does then; absent from a message of ours.
    pub on_zos: Option<&'static str>,
    /// What would be right.
    pub remedy: &'static str,
}

macro_rules! messages {
    ($($id:ident: $when:literal, $on_zos:literal, $remedy:literal;)*) => {
        $(pub(crate) static $id: Message = Message {
            id: stringify!($id),
            when: $when,
            on_zos: Some($on_zos),
            remedy: $remedy,
        };)*

        /// Every message of z/OS, in the order of the numbers.
        pub static MESSAGES: &[&Message] = &[$(&$id),*];
    };
}

messages! {
    EZZ0147I: "`WHENLISTEN` and `WHENBIND` of `PORT UNRSV` contradict each other, or `WHENLISTEN` \
               is asked of UDP",
        "ignores the entry",
        "Write the same word in each `UNRSV TCP`, and none or `WHENBIND` in `UNRSV UDP`.";
    EZZ0165I: "`DESTIP ALL` with `DISTMETHOD HOTSTANDBY`",
        "rejects the statement",
        "Name each target: one `PREFERRED`, the others `BACKUP rank`.";
    EZZ0308I: "a word stands where a statement or keyword is expected and is none, or belongs to \
               another statement",
        "skips to the next statement; in VIPADYNAMIC, to its end",
        "Correct the word; the finding suggests the nearest one.";
    EZZ0312I: "something is missing: an argument, a keyword, the end of a block",
        "ignores the statement",
        "Write it; the finding shows the syntax.";
    EZZ0318I: "a value is out of its range, not of its kind, in the wrong place, or given twice",
        "ignores the entry or the statement",
        "Write what the finding expects.";
    EZZ0695I: "IPv6 addresses in the profile of a host on which IPv6 is off; `run` refuses to start",
        "starts without IPv6",
        "Turn it on (`sysctl net.ipv6.conf.all.disable_ipv6=0`), or remove what is IPv6.";
    EZZ0783I: "no `PORT` together with `TIER1 GRE` or `ENCAP`",
        "ignores the statement",
        "Name the ports behind the DVIPA.";
    EZZ0799I: "`WEIGHT` with another method than `WEIGHTEDACTIVE` or `MAGLEV`",
        "ignores the weight",
        "Remove it, or choose that method.";
    EZZ0826I: "a target of `HOTSTANDBY` is neither `PREFERRED` nor `BACKUP`",
        "ignores the statement",
        "Say which of the two it is.";
    EZZ0827I: "`HOTSTANDBY` has not exactly one `PREFERRED` and at least one `BACKUP` target",
        "ignores the statement",
        "Make one target `PREFERRED` and the others `BACKUP`.";
    EZZ0829I: "more than 31 `BACKUP` targets",
        "ignores the statement",
        "Remove some of them.";
    EZZ0830I: "a target of `HOTSTANDBY` is named twice",
        "ignores the statement",
        "Name each target once.";
    EZZ0831I: "a keyword of `HOTSTANDBY` with another method",
        "ignores the statement and the rest of VIPADYNAMIC",
        "Remove the keyword, or choose that method.";
    EZZ9654I: "an IPv6 DVIPA and its interface do not go together",
        "rejects the interface",
        "Write `VIPADEFINE interface address`, one address and one name for each statement.";
}

#[cfg(test)]
mod tests {
    use super::{MESSAGES, OWN_MESSAGES};

    #[test]
    fn the_messages_stand_in_the_order_of_their_numbers() {
        for messages in [MESSAGES, OWN_MESSAGES] {
            assert!(messages.is_sorted_by(|one, next| one.id < next.id));
            for message in messages {
                assert!(message.remedy.ends_with('.'), "{}", message.id);
                assert!(!message.when.ends_with('.'), "{}", message.id);
            }
        }
    }
}
