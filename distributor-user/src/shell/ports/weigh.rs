//! Puts listeners that share a port by weight into their order.
//!
//! How much each of them could do is told; how it accepts is seen here, by its
//! queue and by what it was given. What that comes to is the engine's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Context as _;
use distributor_common::ports::{Order, OrderWords, ShareKey, share};
use tracing::debug;

use super::govern::{Governor, ShareWords};
use super::listeners;
use crate::engine::load::Load;
use crate::engine::responsiveness::{Counts, Gauge, Responsiveness};
use crate::engine::selection;
use crate::shell::servers::ListenerLoad;
use crate::shell::sock_diag::SockDiag;

/// What is known of listeners from one time to the next.
#[derive(Debug, Default)]
pub(super) struct Scales {
    /// By the socket's cookie.
    listeners: BTreeMap<u64, Known>,
    /// What was last written.
    orders: BTreeMap<[u32; 5], OrderWords>,
    began: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    gauge: Gauge,
    /// What it could do, as of when that last mattered.
    load: Load,
    /// How it accepts, likewise.
    shown: Responsiveness,
}

impl Scales {
    /// Takes what listeners could do, and puts those of each share into the order that follows from it.
    pub(super) async fn weigh(
        &mut self,
        sock_diag: &mut SockDiag,
        governor: &mut Governor,
        loads: &[ListenerLoad],
    ) -> anyhow::Result<()> {
        let ports: BTreeSet<u16> = loads.iter().map(|listener| listener.port).collect();
        let cookies: BTreeMap<u64, Load> = loads.iter().map(|one| (one.cookie, one.load)).collect();
        self.listeners
            .retain(|cookie, _| cookies.contains_key(cookie));
        let on_ports = if ports.is_empty() {
            Vec::new()
        } else {
            let dump = listeners::on(sock_diag, &ports);
            dump.await.context("no dump of listeners")?
        };
        let waiting: BTreeMap<u64, u32> = on_ports
            .iter()
            .map(|listener| (listener.cookie, listener.waiting))
            .collect();
        let shares: Result<Vec<_>, _> = governor.shares.iter().collect();
        for (key, words) in shares.context("no list of shares")? {
            let port = u16::try_from(ShareKey::of(key).port).unwrap_or_default();
            let order = if ports.contains(&port) {
                self.order(&words, &cookies, &waiting)
            } else {
                None
            };
            self.write(governor, key, order.as_ref())?;
        }
        Ok(())
    }

    /// The order of the listeners of one share; none where they get connections in plain turns.
    fn order(
        &mut self,
        words: &ShareWords,
        loads: &BTreeMap<u64, Load>,
        waiting: &BTreeMap<u64, u32>,
    ) -> Option<OrderWords> {
        let live = words[share::LIVE];
        let slots: Vec<u8> = (0..64).filter(|slot| live >> slot & 1 != 0).collect();
        let mut known = Vec::new();
        for slot in &slots {
            let at = usize::from(*slot);
            let cookie = words[share::FIRST_COOKIE + at];
            let given = words[share::FIRST_GIVEN + at];
            let counts = Counts {
                requests: given,
                established: given,
                waiting: *waiting.get(&cookie)?,
            };
            let load = loads.get(&cookie)?.by_itself();
            known.push(self.look(cookie, load, counts));
        }
        let (loads, acceptance): (Vec<Load>, Vec<u8>) = known.into_iter().unzip();
        let order = selection::order(&loads, &acceptance);
        let order = order.into_iter().map(|place| slots[usize::from(place)]);
        let order: Vec<u8> = order.collect();
        (!order.is_empty()).then(|| Order::words(live, &order))
    }

    /// Takes note of a listener; returns what counts of it.
    fn look(&mut self, cookie: u64, load: Load, counts: Counts) -> (Load, u8) {
        let now = self.began.get_or_insert_with(Instant::now).elapsed();
        let known = self.listeners.entry(cookie).or_insert_with(|| Known {
            gauge: Gauge::new(counts, now),
            load,
            shown: Responsiveness::default(),
        });
        if load.differs_from(known.load) {
            known.load = load;
        }
        let shown = known.gauge.take(counts, now);
        if shown.differs_from(known.shown) {
            known.shown = shown;
        }
        (known.load, known.shown.sef)
    }

    fn write(
        &mut self,
        governor: &mut Governor,
        key: [u32; 5],
        order: Option<&OrderWords>,
    ) -> anyhow::Result<()> {
        let Some(order) = order else {
            self.orders.remove(&key);
            // Most have none.
            let _ = governor.orders.remove(&key);
            return Ok(());
        };
        if self.orders.get(&key) != Some(order) {
            let [live, places, ..] = order;
            debug!(
                "TCP port {}: listeners {live:#x} get connections by {places} places",
                key[4]
            );
            let written = governor.orders.insert(key, order, 0);
            written.context("an order cannot be written")?;
            self.orders.insert(key, *order);
        }
        Ok(())
    }
}

const _: () = assert!(size_of::<ShareWords>() / 8 > share::FIRST_GIVEN);
