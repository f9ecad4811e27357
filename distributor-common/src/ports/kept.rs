//! A client that keeps its listener: TIMEDAFFINITY, inside a target.
//!
//! Which listener it is is known by the socket's cookie: one that has taken the
//! slot of another that ended is not kept in its place. Who may keep a listener,
//! and for how long, is the daemon's business.

use super::turn::Listeners;
use super::{Share, ShareKey};
use crate::word::Word;

/// A client of an address and a port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// The client's address, in network byte order, IPv4 mapped into IPv6.
    pub client: [u32; 4],
    /// What it connects to: the DVIPA itself, whatever its listener is bound to.
    pub service: ShareKey,
}

const _: () = assert!(size_of::<ClientKey>() == 36);

impl ClientKey {
    /// From what lies in the map.
    #[must_use]
    pub const fn of([a, b, c, d, service @ ..]: [u32; 9]) -> Self {
        Self {
            client: [a, b, c, d],
            service: ShareKey::of(service),
        }
    }

    /// As it lies in the map.
    #[must_use]
    pub fn words(self) -> [u32; 9] {
        let mut words = [0; 9];
        let (client, service) = words.split_at_mut(self.client.len());
        client.copy_from_slice(&self.client);
        service.copy_from_slice(&self.service.words());
        words
    }
}

/// The listener that a client keeps.
#[repr(C)]
#[derive(Debug)]
pub struct KeptListener {
    /// Cookie of the socket.
    pub cookie: Word,
    /// Its slot in the share.
    pub slot: Word,
    /// When it last got a connection of the client, in nanoseconds.
    pub used_ns: Word,
}

const _: () = assert!(size_of::<KeptListener>() == 24);

impl KeptListener {
    /// The words of a new one.
    #[inline(always)]
    #[must_use]
    pub fn words(share: &Share, slot: u64, now_ns: u64) -> [u64; 3] {
        [share.cookie(slot), slot, now_ns]
    }
}

/// Gives a connection to the listener that its client keeps; returns its slot, if it still listens.
#[inline(always)]
pub fn give_kept<L: Listeners>(
    share: &Share,
    kept: &KeptListener,
    listeners: &mut L,
    now_ns: u64,
) -> Option<u64> {
    let slot = kept.slot.load();
    if share.cookie(slot) != kept.cookie.load() || !listeners.hold(slot) {
        return None;
    }
    if !listeners.give() {
        return None;
    }
    kept.used_ns.store(now_ns);
    Some(slot)
}
