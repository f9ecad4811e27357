//! Epochs: the order in which stacks have come to own a DVIPA.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One stack's time as the owner of a DVIPA; of two, the later by this order counts.
///
/// It is no clock reading: a claimant goes above the highest that any reachable member knows, and
/// two that do so at once are told apart by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Grows by at least one from owner to owner.
    pub counter: u64,
    /// Name of the stack that owns.
    pub stack: String,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.counter, self.stack)
    }
}
