//! Why a datagram or a message was not taken, and how often.
//!
//! Nothing that comes from the network is discarded without one of these.

/// Why a datagram or a message had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum DropReason {
    /// Too short, too long, or not a datagram of any group.
    Malformed,
    /// A protocol version that this release does not speak.
    Version,
    /// A kind of datagram or message that this release does not know.
    Kind,
    /// Sealed with a key that this stack does not hold.
    ForeignKey,
    /// Does not open under the key that it names: changed, or made without the key.
    Forged,
    /// This stack's own datagram, come back.
    Own,
    /// Of a session that is not open here: late, replayed, or of a peer that was given up.
    Session,
    /// Seen before, or older than the window: a replay, or the copy that came by another network.
    Repeated,
    /// A request to be admitted beyond the rate at which these are answered.
    Rate,
    /// A request to be admitted that did not come from an address it names.
    Source,
    /// A request to be admitted by a peer whose session is open and alive, or an answer to none.
    Unwanted,
    /// Fragments that never became a whole, or that contradict each other.
    Fragments,
    /// A message of a stack that is not admitted, because its name or address is taken.
    NotAdmitted,
    /// Not taken for now, because earlier facts still wait to be used; the sender repeats it.
    Paused,
    /// A gossip message for a stack that is not a member.
    NoMember,
}

impl DropReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Version,
        Self::Kind,
        Self::ForeignKey,
        Self::Forged,
        Self::Own,
        Self::Session,
        Self::Repeated,
        Self::Rate,
        Self::Source,
        Self::Unwanted,
        Self::Fragments,
        Self::NotAdmitted,
        Self::Paused,
        Self::NoMember,
    ];

    /// The name of the reason in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Kind => "kind",
            Self::ForeignKey => "foreign-key",
            Self::Forged => "forged",
            Self::Own => "own",
            Self::Session => "session",
            Self::Repeated => "repeated",
            Self::Rate => "rate",
            Self::Source => "source",
            Self::Unwanted => "unwanted",
            Self::Fragments => "fragments",
            Self::NotAdmitted => "not-admitted",
            Self::Paused => "paused",
            Self::NoMember => "no-member",
        }
    }
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
