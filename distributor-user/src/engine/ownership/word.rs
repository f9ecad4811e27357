//! What stacks say to each other about one DVIPA.

use serde::{Deserialize, Serialize};

use super::Epoch;

/// One word. Variants are only ever appended: the encoding numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// The sender means to own the DVIPA; to every member it can reach.
    Ask {
        /// From when on.
        epoch: Epoch,
        /// The sender's rank.
        rank: u8,
        /// The last owner that the sender knows of.
        known: Option<Epoch>,
        /// Whether that owner has given the DVIPA up.
        is_vacant: bool,
        /// Whether that owner lives and is going to be asked to hand over.
        is_handover: bool,
    },
    /// Answers `Ask`: the sender takes new connections from the claimant from now on.
    Promise {
        /// From the question.
        epoch: Epoch,
    },
    /// Answers `Ask`, `Inquire`, `HandOver` or `Own` with no.
    Refuse {
        /// From the question; absent if there was none in it.
        epoch: Option<Epoch>,
        /// Why.
        because: Refusal,
    },
    /// Asks the owner whether it would hand over.
    Inquire {
        /// Who asks.
        claim: Claim,
        /// The owner's epoch.
        known: Epoch,
    },
    /// Answers `Inquire` with yes.
    Willing,
    /// Asks the owner to hand over now: all others have promised.
    HandOver {
        /// From when on.
        epoch: Epoch,
        /// Who asks.
        claim: Claim,
    },
    /// Answers `HandOver`: the sender no longer owns the DVIPA, and relays what still comes.
    HandedOver {
        /// From the question.
        epoch: Epoch,
    },
    /// The sender owns the DVIPA; repeated until it is heeded.
    Own {
        /// From when on.
        epoch: Epoch,
        /// The sender's rank.
        rank: u8,
        /// Whether it would rather not: whoever can takes it over.
        is_vacating: bool,
    },
    /// The sender no longer owns the DVIPA, and nobody came for it; repeated until it is heeded.
    Vacant {
        /// Its last epoch.
        epoch: Epoch,
    },
    /// Answers `Own` and `Vacant`.
    Heed {
        /// From the message.
        epoch: Epoch,
    },
    /// The receiver is the last owner that the sender knows of. It may have forgotten that.
    Recall {
        /// The receiver's epoch.
        epoch: Epoch,
    },
}

/// By what right a stack asks for a DVIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its rank.
    pub rank: u8,
    /// Whether it has defined the DVIPA and not had it since: of two definers the later has it.
    pub is_fresh: bool,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// A later owner is known.
    Later {
        /// Its epoch.
        epoch: Epoch,
        /// Its rank, as far as it is known.
        rank: u8,
    },
    /// The owner lives, as the sender hears.
    OwnerLives,
    /// The sender, or a stack that it has promised to, has the better right.
    Outranked,
    /// Connections live, and the DVIPA moves when idle.
    Busy,
    /// The sender does not yield to that rank.
    Unwilling,
    /// The sender has accepted an owner before, whose name it has forgotten; it accepts none below.
    Below {
        /// That owner's counter.
        counter: u64,
    },
}
