//! What each row of a service was handed, and what it has where that decides who gets the next.
//!
//! There are 32 MB of tallies, and a mapped array is memory of the daemon whether
//! it is touched or not. So they are mapped where they decide, and for the time of
//! a report.
//!
//! Packets count what is handed out, the daemon what has ended. It counts an end
//! when it removes a flow; flows also make room for others without a word, and
//! some are never stored. So every second the flow table is counted, and what
//! differs is put right.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use aya::maps::{Array, IterableMap as _, MapData};
use distributor_common::abi::{Choice, MAX_ROWS, Ring, Tally, map};

use super::super::DataplaneError;
use super::super::flows::Course;
use super::super::names::Known;
use super::super::shared::Shared;
use super::{Services, rows_of};
use crate::engine::forwarding::ServiceKey;

/// A tally as the kernel copies it: what was handed out, and what has ended.
type Copied = [u64; 2];

const _: () = assert!(size_of::<Copied>() == size_of::<Tally>());

/// The tallies of all services, row by row.
pub(in super::super) struct Tallies {
    array: Array<MapData, Copied>,
    memory: OnceLock<Shared<Tally>>,
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tallies")
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Tallies {
    /// Takes the map, and maps nothing yet.
    pub(in super::super) fn new(array: Array<MapData, Copied>) -> Self {
        Self {
            array,
            memory: OnceLock::new(),
        }
    }

    /// Maps the tallies for as long as this lives.
    pub(super) fn keep_mapped(&self) -> Result<(), DataplaneError> {
        if self.memory.get().is_none() {
            let mapped = self.mapped()?;
            self.memory.get_or_init(|| mapped);
        }
        Ok(())
    }

    /// The tallies, mapped for as long as what is returned lives.
    pub(super) fn mapped(&self) -> Result<Shared<Tally>, DataplaneError> {
        match self.memory.get() {
            Some(memory) => Ok(memory.clone()),
            None => Shared::map(self.array.map(), map::CONNECTIONS),
        }
    }

    /// A row's tally, if they are kept mapped.
    fn row(&self, index: u32, row: usize) -> Option<&Tally> {
        self.memory.get()?.get(place(index, row))
    }

    /// Begins to count a row anew.
    pub(super) fn reset(&mut self, index: u32, row: usize) -> Result<(), DataplaneError> {
        let place = u32::try_from(place(index, row)).expect("fewer than 2^32 rows");
        let reset = self.array.set(place, Copied::default(), 0);
        reset.map_err(DataplaneError::map(map::CONNECTIONS))
    }
}

/// Where the connections of a row of a service are counted.
pub(super) fn place(index: u32, row: usize) -> usize {
    (index * MAX_ROWS) as usize + row
}

/// A row's tally at one moment.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Reading {
    service: ServiceKey,
    /// Where the row's tally is.
    index: u32,
    row: usize,
    /// Slot of the target.
    slot: u16,
    handed: u64,
    ended: u64,
}

impl Services {
    /// Reads the tallies that decide anything.
    pub(in super::super) fn tallies(&self) -> Vec<Reading> {
        let services = self.indices.iter();
        let active = services.filter(|(_, index)| self.goes_by_tally(**index));
        let readings = active.flat_map(|(key, &index)| {
            let rows = rows_of(&self.values[index as usize]).into_iter();
            rows.enumerate().filter_map(move |(row, slot)| {
                let tally = self.tallies.row(index, row)?;
                Some(Reading {
                    service: *key,
                    index,
                    row,
                    slot: slot?,
                    handed: tally.handed.load(),
                    ended: tally.ended.load(),
                })
            })
        });
        readings.collect()
    }

    /// Puts the tallies right by what the flow table has. `before` was read before that was counted.
    pub(in super::super) fn correct(
        &self,
        before: Vec<Reading>,
        counts: &BTreeMap<Course, u64>,
        names: &Known,
    ) {
        let mut found: BTreeMap<(ServiceKey, u16), u64> = BTreeMap::new();
        if !before.is_empty() {
            let by_service = counts.iter();
            let by_service = by_service.filter_map(|(course, flows)| {
                Some(((course.service(names)?, course.target()), *flows))
            });
            found.extend(by_service);
        }
        for reading in before {
            let flows = found.get(&(reading.service, reading.slot));
            if let Some(tally) = self.tallies.row(reading.index, reading.row) {
                correct(tally, reading, flows.copied().unwrap_or_default());
            }
        }
    }

    /// Takes note of so many connections that the flow table has no longer.
    pub(in super::super) fn note_ended(&self, service: ServiceKey, slot: u16, flows: u64) {
        if let Some(tally) = self.tally_of(service, slot) {
            tally.ended.fetch_add(flows);
        }
    }

    /// Takes note of so many connections that the flow table has and that were not handed out here.
    pub(in super::super) fn note_adopted(&self, service: ServiceKey, slot: u16, flows: u64) {
        if let Some(tally) = self.tally_of(service, slot) {
            tally.ended.fetch_add(flows.wrapping_neg());
        }
    }

    /// The tally of a target, if it decides anything.
    fn tally_of(&self, service: ServiceKey, slot: u16) -> Option<&Tally> {
        let index = *self.indices.get(&service)?;
        if !self.goes_by_tally(index) {
            return None;
        }
        let rows = rows_of(&self.values[index as usize]);
        let row = rows.iter().position(|row| *row == Some(slot))?;
        self.tallies.row(index, row)
    }

    fn goes_by_tally(&self, index: u32) -> bool {
        Ring::from_word(self.values[index as usize].ring.load()).choice == Choice::Active
    }
}

/// Makes a tally agree with the flows that were counted after `before` was read.
///
/// Connections that were handed out meanwhile may be among the flows or not. So what is known is a
/// range, and the tally is changed only as far as it lies outside.
fn correct(tally: &Tally, before: Reading, flows: u64) {
    let meanwhile = tally.handed.load().wrapping_sub(before.handed);
    let active = before.handed.wrapping_sub(before.ended);
    let excess = active.wrapping_sub(flows).cast_signed();
    let meanwhile = meanwhile.cast_signed();
    let wrong = if excess < -meanwhile {
        excess + meanwhile
    } else {
        excess.max(0)
    };
    tally.ended.fetch_add(wrong.cast_unsigned());
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Corrects a tally of `handed` and `ended` by `flows`, with so many handed out in between, and
    /// returns how many connections it says there are then.
    fn corrected(handed: u64, ended: u64, meanwhile: u64, flows: u64) -> i64 {
        let tally = Tally::default();
        tally.handed.store(handed + meanwhile);
        tally.ended.store(ended);
        let service = ServiceKey {
            dvipa: Ipv4Addr::LOCALHOST.into(),
            port: 1,
        };
        let before = Reading {
            service,
            index: 0,
            row: 0,
            slot: 0,
            handed,
            ended,
        };
        correct(&tally, before, flows);
        (tally.handed.load().wrapping_sub(tally.ended.load())).cast_signed()
    }

    #[test]
    fn a_quiet_tally_agrees_with_the_table() {
        for (handed, ended, flows) in [
            (100, 90, 10),
            // Some have made room for others, or were never stored.
            (100, 50, 10),
            // Some were handed out by another owner.
            (0, 0, 10),
            (5, u64::MAX - 4, 3),
            // More were noted than had been handed out.
            (10, 12, 0),
        ] {
            let found = corrected(handed, ended, 0, flows);
            assert_eq!(found, flows.cast_signed(), "{handed} {ended} {flows}");
        }
    }

    #[test]
    fn what_is_handed_out_meanwhile_is_no_error() {
        for (flows, expected) in [
            // Of five new ones, all, some or none were counted.
            (15, 15),
            (12, 15),
            (10, 15),
            // Two are too few, or too many, whatever was counted.
            (8, 13),
            (17, 17),
        ] {
            assert_eq!(corrected(100, 90, 5, flows), expected, "{flows}");
        }
    }
}
