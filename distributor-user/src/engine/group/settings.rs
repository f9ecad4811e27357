//! How a stack is set up for the group, and what cannot be.

use std::net::SocketAddr;
use std::time::Duration;

use super::{ADDRESSES_MAX, LocalAddress, NAME_MAX};
use crate::engine::xcf::XcfAddresses;

/// Beats that must be missing before a path is down, at least.
const BEATS_MIN: u32 = 5;

/// Who this stack is in the group, and how the group behaves.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// This stack's name.
    pub name: String,
    /// This stack's DYNAMICXCF addresses.
    pub xcf: XcfAddresses,
    /// UDP port of every member.
    pub port: u16,
    /// This stack's addresses on the group's networks.
    pub locals: Vec<LocalAddress>,
    /// Addresses where members are looked for, without end.
    pub seeds: Vec<SocketAddr>,
    /// Multicast addresses at which members are looked for on the DYNAMICXCF network, of each family of
    /// which this stack has an address there.
    pub multicast: Vec<SocketAddr>,
    /// How often a beat goes on every path.
    pub beat: Duration,
    /// How long a path is up without a beat that made the round trip.
    pub down_after: Duration,
    /// How long a stack is a member without a beat that made the round trip, on any path.
    pub gone_after: Duration,
}

impl GroupSettings {
    /// Checks that a stack can be in the group with these settings.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        Self::check_locals(&self.locals)?;
        let is_printable = self.name.chars().all(|c| c.is_ascii_graphic());
        if self.name.is_empty() || self.name.len() > NAME_MAX || !is_printable {
            return Err(SettingsError::Name(self.name.clone()));
        }
        let (beat, down_after) = (self.beat, self.down_after);
        if beat.is_zero() || down_after < beat * BEATS_MIN {
            return Err(SettingsError::Beat { beat, down_after });
        }
        let gone_after = self.gone_after;
        if gone_after < down_after {
            return Err(SettingsError::Gone {
                down_after,
                gone_after,
            });
        }
        Ok(())
    }

    /// Checks that a stack can be in the group with these addresses.
    ///
    /// # Errors
    ///
    /// There must be at least one, and not more than fit into the messages.
    pub fn check_locals(locals: &[LocalAddress]) -> Result<(), SettingsError> {
        match locals.len() {
            0 => Err(SettingsError::NoAddress),
            1..=ADDRESSES_MAX => Ok(()),
            more => Err(SettingsError::Addresses(more)),
        }
    }
}

/// Why a stack cannot be in a group as it is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The name does not fit into the messages.
    #[error("expected a stack name of 1 to {NAME_MAX} printable characters, found `{0}`")]
    Name(String),
    /// No address, so no network.
    #[error("expected at least one address on a network of the group, found none")]
    NoAddress,
    /// The addresses do not fit into the messages.
    #[error("expected at most {ADDRESSES_MAX} addresses, found {0}: name the interfaces to use")]
    Addresses(usize),
    /// A member would be gone whose paths are up.
    #[error(
        "expected a member to be gone after {down_after:?} or more, when all its paths are down; \
         found {gone_after:?}"
    )]
    Gone {
        /// How long a path is up without a beat.
        down_after: Duration,
        /// How long a stack is a member without one.
        gone_after: Duration,
    },
    /// A path would be down, or a restart a conflict, because of one beat that is late.
    #[error(
        "expected a path to be down after {BEATS_MIN} beats of {beat:?} or more, found {down_after:?}"
    )]
    Beat {
        /// How often a beat goes on every path.
        beat: Duration,
        /// How long a path is up without one.
        down_after: Duration,
    },
}
