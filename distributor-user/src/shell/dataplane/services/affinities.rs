//! Which services let their clients keep their targets, and which targets can be kept.

use distributor_common::abi::{Affinity, MAX_ROWS};

use super::{Services, rows_of};
use crate::engine::forwarding::{self, ServiceKey};

impl Services {
    /// Says whether clients of a service keep their targets; `rows` are the slots that were asked for,
    /// `numbering` those of the rows.
    pub(super) fn set_affinity(
        &self,
        index: u32,
        numbering: &[Option<u16>; MAX_ROWS as usize],
        rows: &[u16],
        affinity: Option<&forwarding::Affinity>,
    ) {
        let word = affinity.map_or(0, |affinity| {
            let ready = affinity.ready.iter();
            let ready = ready.filter_map(|row| rows.get(usize::from(*row)));
            let rows = ready.filter_map(|slot| {
                let mut numbered = numbering.iter();
                numbered.position(|taken| *taken == Some(*slot))
            });
            let affinity = Affinity {
                seconds: affinity.seconds,
                ready: rows.fold(0, |bits, row| bits | 1 << row),
            };
            affinity.word()
        });
        self.values[index as usize].affinity.store(word);
    }

    /// Whether clients of a service keep their targets, as the map says it.
    pub(in super::super) fn affinity(&self, key: ServiceKey) -> Affinity {
        let service = self.value(key);
        service.map_or_else(Affinity::default, |service| {
            Affinity::from_word(service.affinity.load())
        })
    }

    /// Slots of the targets of a service that can be kept, in the order of its rows.
    pub(in super::super) fn keepable(&self, key: ServiceKey) -> impl Iterator<Item = u16> {
        let affinity = self.affinity(key);
        let rows = self.value(key).map(rows_of).into_iter().flatten();
        let rows = (0..).zip(rows);
        rows.filter_map(move |(row, slot)| slot.filter(|_| affinity.is_ready(row)))
    }

    /// The services whose clients keep their targets.
    pub(in super::super) fn affine(&self) -> impl Iterator<Item = ServiceKey> {
        let keys = self.indices.keys().copied();
        keys.filter(|key| self.affinity(*key).is_on())
    }
}
