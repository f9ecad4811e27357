//! Why a datagram or a message was not taken, and how often.
//!
//! Nothing that comes from the network is discarded without one of these.

macro_rules! reasons {
    ($(#[doc = $doc:literal] $reason:ident $name:literal;)*) => {
        /// Why a datagram or a message had no effect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum DropReason {
            $(#[doc = $doc] $reason,)*
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$reason),*];

            /// The name of the reason in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }

            /// One sentence for the operator.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$reason => $doc.trim_ascii(),)*
                }
            }
        }
    };
}

reasons! {
    /// Too short, too long, or not a datagram of any group.
    Malformed "malformed";
    /// A protocol version that this release does not speak.
    Version "version";
    /// A kind of datagram or message that this release does not know.
    Kind "kind";
    /// Sealed with a key that this stack does not hold.
    ForeignKey "foreign-key";
    /// Does not open under the key that it names: changed, or made without the key.
    Forged "forged";
    /// This stack's own datagram, come back.
    Own "own";
    /// Of a session that is not open here: late, replayed, or of a peer that was given up.
    Session "session";
    /// Seen before, or older than the window: a replay, or the copy that came by another network.
    Repeated "repeated";
    /// A request to be admitted beyond the rate at which these are answered.
    Rate "rate";
    /// A request to be admitted that did not come from an address it names.
    Source "source";
    /// A request to be admitted by a peer whose session is open and alive, or an answer to none.
    Unwanted "unwanted";
    /// Fragments that never became a whole, or that contradict each other.
    Fragments "fragments";
    /// A message of a stack that is not admitted, because its name or address is taken.
    NotAdmitted "not-admitted";
    /// Not taken for now, because earlier facts still wait to be used; the sender repeats it.
    Paused "paused";
    /// A gossip message for a stack that is not a member.
    NoMember "no-member";
}

/// Name of the counter of datagrams that the kernel did not send.
pub const UNSENT: &str = "unsent";
const UNSENT_HELP: &str = "Refused by the kernel, on one path of possibly several: a link that is \
                           down, an address that is not there.";

/// Every counter of the group's traffic with one sentence for the operator, in the order of displays.
pub fn counters() -> impl Iterator<Item = (&'static str, &'static str)> {
    let reasons = DropReason::ALL.into_iter();
    reasons
        .map(|reason| (reason.name(), reason.help()))
        .chain([(UNSENT, UNSENT_HELP)])
}

/// How often each reason applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// Counts one more.
    pub(super) fn count(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }

    /// How often `reason` applied.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .into_iter()
            .map(|reason| (reason, self.of(reason)))
    }
}
