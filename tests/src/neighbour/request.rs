//! Ordinary requests, as a host sends them that wants to reach an address.
//!
//! Never probes, which a stack that is about to take the address must see as a rival.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{arp, nd};
use crate::host::{Host, LAN_INTERFACE};
use crate::tap::{self, Tap};

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// Asks who has an address, on the client LAN.
#[derive(Debug)]
pub(super) struct Asker {
    tap: Tap,
    request: Vec<u8>,
    wanted: IpAddr,
}

impl Asker {
    /// `host` asks who has `wanted`, from its own address of the same family.
    pub(super) fn new(host: &Host, mac: Mac, wanted: IpAddr) -> Result<Self> {
        let (kind, request) = match wanted {
            IpAddr::V4(wanted) => (tap::ARP, arp::request(mac, host.lan_address(), wanted)),
            IpAddr::V6(wanted) => (tap::IPV6, nd::request(mac, host.lan_address6(), wanted)),
        };
        let tap = Tap::open(host.namespace(), LAN_INTERFACE, kind)?;
        Ok(Self {
            tap,
            request,
            wanted,
        })
    }

    /// Asks once: everybody who says within `patience` to have the address.
    pub(super) fn ask(&self, patience: Duration) -> io::Result<BTreeSet<Mac>> {
        let end = Instant::now() + patience;
        self.tap.send(&self.request)?;
        let mut holders = BTreeSet::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(holders);
            }
            let Some(frame) = self.tap.receive(left)? else {
                return Ok(holders);
            };
            holders.extend(match self.wanted {
                IpAddr::V4(wanted) => arp::sender(&frame, wanted),
                IpAddr::V6(wanted) => nd::sender(&frame, wanted),
            });
        }
    }
}
