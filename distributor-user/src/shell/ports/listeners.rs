//! The listeners on shared ports: those that the kernel has, and those that get connections in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use anyhow::Context as _;
use distributor_common::ports::{ListenerKey, ShareKey, mapped, share};
use netlink_packet_sock_diag::inet::StateFlags;

use super::fetch;
use super::govern::{Governor, ShareWords, share_slots};
use crate::shell::sock_diag::{Entry, Scope, SockDiag};

/// `BPF_NOEXIST`: only where nothing is.
const ONLY_NEW: u64 = 1;

/// The listeners on these ports.
pub(super) async fn on(sock_diag: &mut SockDiag, ports: &BTreeSet<u16>) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let listening = sock_diag.dump(StateFlags::LISTEN, Scope::Everything, |entry| {
        if ports.contains(&entry.local.port()) {
            found.push(*entry);
        }
    });
    listening.await?;
    Ok(found)
}

/// The listeners on these ports that get no connections in turn, though they are not `aside`, by port.
pub(super) async fn compare(
    sock_diag: &mut SockDiag,
    governor: &Governor,
    ports: &BTreeSet<u16>,
    aside: &BTreeSet<u64>,
) -> anyhow::Result<BTreeMap<u16, Vec<Entry>>> {
    let listeners = on(sock_diag, ports).await.context("no dump of listeners")?;
    let mut known = aside.clone();
    for share in &governor.shares {
        let (_, words) = share.context("no list of shares")?;
        known.extend(
            words[share::FIRST_COOKIE..][..share_slots() as usize]
                .iter()
                .copied(),
        );
    }
    let mut missing: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for listener in listeners {
        if !known.contains(&listener.cookie) {
            let of_port = missing.entry(listener.local.port()).or_default();
            of_port.push(listener);
        }
    }
    Ok(missing)
}

/// Has listeners get no connections any more; from then on they are like those that were there before
/// the programs.
pub(super) fn set_aside(governor: &mut Governor, cookies: &BTreeSet<u64>) -> anyhow::Result<()> {
    let shares: Result<Vec<_>, _> = governor.shares.iter().collect();
    for (words, mut state) in shares.context("no list of shares")? {
        let mut is_changed = false;
        for slot in 0..share_slots() {
            let cookie = &mut state[share::FIRST_COOKIE + slot as usize];
            if !cookies.contains(cookie) {
                continue;
            }
            *cookie = 0;
            is_changed = true;
            let key = ListenerKey {
                share: ShareKey::of(words),
                slot,
            };
            // From here on it has no turn. One that has ended is not there.
            let _ = governor.listeners.remove(&key.words());
            state[share::LIVE] &= !(1 << slot);
        }
        if is_changed {
            // Connections that are handed out at this moment may be counted as none.
            let kept = governor.shares.insert(words, state, 0);
            kept.context("no change of a share")?;
        }
    }
    Ok(())
}

/// Lets a listener that was there before the programs take part.
pub(super) fn take_in(governor: &mut Governor, listener: &Entry) -> io::Result<()> {
    let socket = fetch::socket(listener)?;
    let shared = ShareKey {
        address: match listener.local.ip() {
            address if address.is_unspecified() => [0; 4],
            IpAddr::V4(address) => mapped(u32::from_ne_bytes(address.octets())),
            IpAddr::V6(address) => words(address.octets()),
        },
        port: listener.local.port().into(),
    };
    let other = |error| io::Error::other(error);
    let mut state: ShareWords = governor
        .shares
        .get(&shared.words(), 0)
        .unwrap_or([0; size_of::<ShareWords>() / 8]);
    for slot in 0..share_slots() {
        let key = ListenerKey {
            share: shared,
            slot,
        }
        .words();
        if governor
            .listeners
            .insert(key, socket.as_raw_fd(), ONLY_NEW)
            .is_ok()
        {
            let at = slot as usize;
            state[share::FIRST_COOKIE + at] = listener.cookie;
            state[share::LIVE] |= 1 << slot;
            // Connections that are handed out at this moment may be counted as none.
            return governor
                .shares
                .insert(shared.words(), state, 0)
                .map_err(other);
        }
    }
    Err(io::Error::other(format!(
        "there are more than {} listeners",
        share_slots()
    )))
}

pub(super) fn words(octets: [u8; 16]) -> [u32; 4] {
    let mut words = octets.chunks_exact(4);
    std::array::from_fn(|_| {
        let word = words.next().and_then(|word| word.first_chunk().copied());
        u32::from_ne_bytes(word.unwrap_or_default())
    })
}
