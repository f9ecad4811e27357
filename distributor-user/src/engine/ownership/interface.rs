//! What goes into the machine of ownership, and what comes out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Word;
use crate::engine::config::Moveable;
use crate::engine::message::Message;

/// What a stack has to do with a DVIPA by its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// 255 for `VIPADEFINE`, 1–254 for `VIPABACKUP`.
    pub rank: u8,
    /// Whether it may be the first to have it: a `VIPABACKUP` without `MOVEABLE` may not.
    pub creates: bool,
    /// When it gives the DVIPA to a stack of a higher rank.
    pub moveable: Moveable,
}

/// What the packet path that was adopted knows of the owner of a DVIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptedEpoch {
    /// Counter of the owner's epoch.
    pub counter: u64,
    /// Whether this stack owns it still: it did, and was not silent for longer than the others wait.
    pub is_own: bool,
}

/// The rank of a definer.
pub const DEFINER: u8 = 255;

/// Whether a stack wants a DVIPA in which it has a stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Willingness {
    /// Yes.
    #[default]
    Willing,
    /// Only while nobody else can have it: its clients cannot reach this stack.
    Reluctant,
    /// No: deactivated, or the stack is leaving.
    Unwilling,
}

/// What is known of a member's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It is heard.
    Alive,
    /// It is not heard, but its packet path goes on, or that is being found out.
    Doubtful,
    /// Neither it nor its packet path, or both for too long.
    Dead,
}

/// What happens to the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// All DVIPAs in which this stack has a stake; replaces what was said before.
    Stakes(BTreeMap<IpAddr, Stake>),
    /// Whether this stack wants a DVIPA has changed.
    Willingness(IpAddr, Willingness),
    /// A member's life has changed, or it has joined anew.
    Member(String, Liveness),
    /// A member has gone for good.
    Left(String),
    /// A member said something.
    Word {
        /// Its name.
        from: String,
        /// About which DVIPA.
        dvipa: IpAddr,
        /// What.
        word: Word,
    },
    /// Answers [`Output::Prepare`]: the flow table is complete.
    Prepared(IpAddr),
    /// Answers [`Output::CountConnections`].
    Connections(IpAddr, u64),
    /// This stack has done nothing for longer than the others wait for it.
    Overslept,
    /// The time that [`Ownership::next_timer`](super::Ownership::next_timer) named has come.
    Timer,
}

/// What the machine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tell a member, after everything that changed here is in force.
    Say {
        /// Its name.
        to: String,
        /// About which DVIPA.
        dvipa: IpAddr,
        /// What.
        word: Word,
    },
    /// Fill the flow table with what the targets have, while the owner goes on.
    Prepare(IpAddr),
    /// Count the connections of a DVIPA that this stack owns.
    CountConnections(IpAddr),
    /// The [`Holding`] of a DVIPA has changed.
    Changed(IpAddr),
    /// Tell the operator.
    Tell(Message),
}

/// Who has a DVIPA, as this stack knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding<'a> {
    /// The owner that was accepted last, dead or alive; absent if there was none, or it gave up.
    pub owner: Option<&'a str>,
    /// Who gave it up without a successor.
    pub vacated_by: Option<&'a str>,
    /// Who is about to own it.
    pub claimant: Option<&'a str>,
    /// Counter of the latest owner's epoch.
    pub epoch: u64,
    /// What this stack still waits for before it takes the DVIPA over.
    pub awaits: Option<Awaits>,
}

/// What a stack that is entitled to a DVIPA waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// The owner has connections, and the DVIPA moves when idle; or it has not answered.
    Owner,
    /// The flow table is not complete.
    Flows,
    /// Members have not promised yet.
    Members,
}
