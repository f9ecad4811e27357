//! The messages for which z/OS has no number.

use super::Message;

macro_rules! own {
    ($($name:ident $id:literal: $when:literal, $remedy:literal;)*) => {
        $(pub(crate) static $name: Message = Message {
            id: $id,
            when: $when,
            on_zos: None,
            remedy: $remedy,
        };)*

        /// Every message of ours, in the order of the numbers.
        pub static OWN_MESSAGES: &[&Message] = &[$(&$name),*];
    };
}

own! {
    NO_TEXT "SDL0201I": "a file is no text in UTF-8, or larger than any profile",
        "Correct the name, or convert the file.";
    OTHER_ENCODING "SDL0202I": "some characters of a file are not UTF-8",
        "Convert the file, by `iconv`.";
    NO_FILE "SDL0203I": "there is no such file, it cannot be read, or what follows `INCLUDE` names \
                         none",
        "Correct the name, or say by `--include-dir` where members are.";
    INCLUDES_ITSELF "SDL0204I": "a file includes itself, or one that includes it",
        "Remove the `INCLUDE`.";
    TOO_MUCH "SDL0205I": "there are more words, files or statements of a kind than a stack takes",
        "Remove some, or move them to another group of stacks.";
    SYMBOL "SDL0206I": "a system symbol has no value from the command line, and that of this host is \
                        taken",
        "Write `--symbol NAME=VALUE` where another value is meant.";
    SEQUENCE_NUMBERS "SDL0207I": "lines have sequence numbers in columns 73–80",
        "Remove the columns; z/OS reads them too.";
    NO_COMMENT "SDL0208I": "a `;` stands behind a word without a blank",
        "Write a blank before a comment.";
    EMPTY "SDL0209I": "a profile has no statement",
        "Write one; a target needs `IPCONFIG DYNAMICXCF` alone.";
    NOT_SHOWN "SDL0210I": "there are more findings than anybody reads",
        "Mend the first ones, and check again.";

    NOT_SUPPORTED "SDL0221I": "what is written, or holds where nothing is written, is kept and not \
                               acted on yet, and z/OS would do something else",
        "See below what happens until it is acted on.";
    NOT_ACTED_ON "SDL0222I": "what is written, or holds where nothing is written, is kept and not \
                              acted on yet, which hardly matters",
        "See below what happens until it is acted on.";
    NO_EFFECT "SDL0223I": "a statement or keyword of z/OS has nothing to act on here",
        "See below what takes its place.";

    NO_XCF "SDL0231I": "a profile with DVIPAs lacks `IPCONFIG DYNAMICXCF`",
        "Write it: the address is what the group knows the stack by.";
    NO_ROUTING "SDL0232I": "a stack that distributes, defines what is distributed, or is a target of \
                            a method with weights lacks `IPCONFIG SYSPLEXROUTING`",
        "Write it in the profile of that stack.";
    NO_FORWARDING "SDL0233I": "a profile that distributes has `NODATAGRAMFWD`",
        "Remove it: with it z/OS would not distribute.";
    SAID_TWICE "SDL0234I": "what can be said once is said again: a DVIPA, a port, a target, a \
                            VIPAROUTE, a VIPARANGE, an entry of PORT, DYNAMICXCF",
        "Remove one of the two.";
    NOT_THERE "SDL0235I": "something is to be taken away that is not there",
        "Repeat what the earlier statement says, or remove this one.";
    NOT_DEFINED "SDL0236I": "a DVIPA is not defined before the place where it is used",
        "Write its VIPADEFINE or VIPABACKUP before.";
    NO_TARGET "SDL0237I": "a DESTIP cannot be the DYNAMICXCF address of a target",
        "Write the DYNAMICXCF address of a stack of the group.";
    OTHER_NETWORK "SDL0238I": "DYNAMICXCF addresses are not in one network",
        "Correct address or mask: all stacks of a group share one network.";
    NOBODY_CREATES "SDL0239I": "only backups without `MOVEABLE` have a DVIPA, which never create it",
        "Write a VIPADEFINE on one stack, or `MOVEABLE` and a mask.";
    STAYS "SDL0240I": "a running stack is to take what it cannot: another DYNAMICXCF address, or \
                       another role, tier or scope of a DVIPA",
        "Stop the stack and start it again, or delete the DVIPA first.";
    NOT_ITS_OWN "SDL0241I": "a DVIPA is also the DYNAMICXCF address of a stack",
        "Write two addresses: the one moves, the other stays.";
    BOTH_KINDS "SDL0242I": "VIPADISTRIBUTE statements of one DVIPA and port have both `ALL` and a \
                            list of targets",
        "Take the earlier one back by VIPADISTRIBUTE DELETE first.";
    RESERVED_TWICE "SDL0243I": "PORT and PORTRANGE reserve the same port",
        "Reserve it in one place; z/OS ignores the second one.";
    NOT_OF_UDP "SDL0244I": "a keyword of TCP ports stands behind a UDP port",
        "Remove the keyword.";
    BEYOND_LAST_PORT "SDL0245I": "a range of ports ends beyond 65535",
        "Write how many ports there are, at most up to 65535.";
    MISSES_PARTNER "SDL0246I": "a keyword has no effect without another one",
        "Write both, or neither.";

    ADDRESS_HERE "SDL0251I": "it is known where the DYNAMICXCF address would be on this machine, or \
                              why nowhere",
        "This matters only on the machine where the profile runs: name an interface there.";

    SAME_IDENTITY "SDL0301I": "two stacks have one DYNAMICXCF address",
        "Give each stack another address.";
    NO_STACK "SDL0302I": "a DESTIP or VIPAROUTE is the DYNAMICXCF address of none of the stacks",
        "Correct the address, or add the stack.";
    TWO_DEFINERS "SDL0303I": "two stacks define a DVIPA",
        "Write VIPABACKUP on one of them.";
    TIED_RANKS "SDL0304I": "two backups of a DVIPA have the same rank",
        "Give each backup another rank.";
    OTHER_SCOPE "SDL0305I": "tier or scope of a DVIPA are not the same on all stacks",
        "Write the same `TIER1`, `TIER2` and `CPCSCOPE` everywhere.";
    NOT_ARRIVED "SDL0306I": "what a running stack defines is not known, or not completely",
        "Check again in a moment; the profiles themselves can always be checked.";
    HAS_LEFT "SDL0307I": "a stack has left the running group, and is not compared",
        "Check its profile with those of the others.";
}
