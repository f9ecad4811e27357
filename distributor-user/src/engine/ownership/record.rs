//! What a stack knows of one DVIPA.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Claim, Epoch, Stake, Willingness};

/// Everything about one DVIPA.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// What the profile says of it.
    pub(super) stake: Option<Stake>,
    pub(super) willingness: Willingness,
    /// Whether it was defined here and has not been owned since.
    pub(super) is_fresh: bool,
    /// The latest owner that was accepted; never an earlier one again.
    pub(super) accepted: Option<Accepted>,
    /// To whom it is promised.
    pub(super) promise: Option<Promise>,
    pub(super) role: Role,
    /// When to try again what was refused.
    pub(super) retry_at: Option<Duration>,
    /// How often in a row a member has said that the owner lives, of whom this stack knows better.
    pub(super) contradictions: u32,
    /// The counter of the owner that an earlier daemon of this stack had accepted: none below it is
    /// accepted.
    pub(super) floor: u64,
    /// The highest counter that was heard of.
    pub(super) highest: u64,
    /// What is repeated until every member has heeded it.
    pub(super) announcement: Option<Announcement>,
    /// When an owner that must go gives up waiting for somebody to come.
    pub(super) vacate_at: Option<Duration>,
    /// Who waits for the connections to be counted.
    pub(super) asker: Option<Asker>,
}

/// An owner that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) epoch: Epoch,
    pub(super) rank: u8,
    pub(super) is_vacating: bool,
    pub(super) is_vacant: bool,
}

/// A promise to take new connections from a claimant.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) epoch: Epoch,
    pub(super) rank: u8,
    pub(super) until: Duration,
}

/// Something to be repeated until it is heeded.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    pub(super) unheeded: BTreeSet<String>,
    pub(super) repeat_at: Duration,
}

/// A member that asked for the DVIPA while it may be busy.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) name: String,
    pub(super) claim: Claim,
    /// Absent: it only inquired.
    pub(super) epoch: Option<Epoch>,
}

/// What this stack is to the DVIPA at the moment.
#[derive(Clone, Debug, Default)]
pub(super) enum Role {
    /// Nothing, or a backup that has no reason to claim.
    #[default]
    Bystander,
    /// Asks the owner whether it would hand over.
    Inquiring { repeat_at: Duration },
    /// The owner would; the flow table is being filled.
    Preparing,
    /// Asks every member.
    Asking(Asking),
    /// All have promised; the owner is asked to hand over.
    Requesting {
        epoch: Epoch,
        repeat_at: Duration,
        until: Duration,
    },
    /// Owns it.
    Active,
}

/// A question to every member.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) epoch: Epoch,
    pub(super) is_handover: bool,
    pub(super) pending: BTreeSet<String>,
    pub(super) repeat_at: Duration,
    /// When to go on without those that do not answer.
    pub(super) until: Duration,
}

impl Role {
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }
}

impl Record {
    /// The owner that was accepted last, unless it has given the DVIPA up.
    pub(super) fn holder(&self) -> Option<&Accepted> {
        self.accepted
            .as_ref()
            .filter(|accepted| !accepted.is_vacant)
    }

    pub(super) fn is_active(&self) -> bool {
        self.role.is_active()
    }

    pub(super) fn rank(&self) -> u8 {
        self.stake.as_ref().map_or(0, |stake| stake.rank)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let role = match &self.role {
            Role::Inquiring { repeat_at } => Some(*repeat_at),
            Role::Asking(asking) => Some(asking.repeat_at.min(asking.until)),
            Role::Requesting {
                repeat_at, until, ..
            } => Some((*repeat_at).min(*until)),
            Role::Bystander | Role::Preparing | Role::Active => None,
        };
        let announcement = self.announcement.as_ref();
        [
            role,
            announcement.map(|announcement| announcement.repeat_at),
            self.promise.as_ref().map(|promise| promise.until),
            self.vacate_at,
            self.retry_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
