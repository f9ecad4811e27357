//! What a stack, or a server, could still do: its capacity, and how much of it is free.
//!
//! Capacity counts in thousandths of a processor, whatever the machine calls
//! one. Each stack measures its own, and tells all others.
//!
//! ```text
//! unused = capacity − used                   at most what the stack itself has left, for a server
//! usable = unused × (1 − stalled)            what nobody gets at once is not free
//! free   = (3 × usable + free before) / 4    as z/OS smooths
//! ```
//!
//! *Stalled* is the share of the interval in which somebody who had work had to
//! wait for it: pressure stall information (kernel, Documentation/accounting/psi.rst).
//! Where the kernel does not tell, nothing is taken off.

mod meter;

use serde::{Deserialize, Serialize};

pub use meter::{Meter, Reading, Stalls};

/// All of something, in thousandths.
const WHOLE: u32 = 1_000;

/// What a stack or a server can do, and what of it nobody uses; in thousandths of a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Load {
    /// All that there is.
    pub capacity: u32,
    /// What was used of it in the last interval.
    pub used: u32,
    /// What work waited for most, if the kernel tells.
    pub stall: Option<Stall>,
    /// Of a server: what its stack has left.
    pub within: Option<u32>,
    /// What was free before.
    pub before: Option<u32>,
    /// What is free, smoothed; at most the capacity.
    pub free: u32,
}

/// How long work had to wait, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stall {
    /// For what.
    pub cause: StallCause,
    /// Share of the interval, in thousandths.
    pub permille: u16,
}

/// What work can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StallCause {
    /// A processor: somebody waited for one.
    Processor,
    /// Memory: nobody went on.
    Memory,
    /// The next period of its limit.
    Limit,
}

impl StallCause {
    /// What is waited for, in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Memory => "memory",
            Self::Limit => "limit",
        }
    }
}

impl Load {
    /// A smaller part of the capacity than one in this many is no reason to distribute otherwise.
    const MATTERS: u32 = 16;

    /// Whether the difference is worth acting on.
    #[must_use]
    pub fn differs_from(self, before: Self) -> bool {
        self.capacity != before.capacity
            || self.free.abs_diff(before.free) >= (self.capacity / Self::MATTERS).max(1)
    }

    /// The same of a server as if its stack had everything left: that tells servers of one stack apart,
    /// which what the stack has left does not.
    #[must_use]
    pub fn by_itself(self) -> Self {
        if self.within.is_none() {
            return self;
        }
        let by_itself = Self {
            within: None,
            ..self
        };
        Self {
            free: by_itself.smoothed(),
            ..by_itself
        }
    }

    /// What was not used in the last interval, and could have been.
    #[must_use]
    pub fn unused(self) -> u32 {
        let unused = self.capacity.saturating_sub(self.used);
        self.within.map_or(unused, |within| unused.min(within))
    }

    /// What of that is there at once.
    #[must_use]
    pub fn usable(self) -> u32 {
        let stalled = self.stall.map_or(0, |stall| u32::from(stall.permille));
        let going = WHOLE.saturating_sub(stalled);
        let usable = u64::from(self.unused()) * u64::from(going) / u64::from(WHOLE);
        u32::try_from(usable).unwrap_or(u32::MAX)
    }

    /// The same, smoothed by what was free before.
    #[must_use]
    pub fn smoothed(self) -> u32 {
        let usable = self.usable();
        let Some(before) = self.before else {
            return usable;
        };
        let sum = 3 * u64::from(usable) + u64::from(before);
        u32::try_from(sum / 4).unwrap_or(usable)
    }

    /// What several servers could do on the average.
    #[must_use]
    pub fn average(loads: &[Self]) -> Option<Self> {
        let mean = |of: fn(&Self) -> u32| {
            let sum: u64 = loads.iter().map(|load| u64::from(of(load))).sum();
            let mean = sum.checked_div(loads.len() as u64)?;
            u32::try_from(mean).ok()
        };
        Some(Self {
            capacity: mean(|load| load.capacity)?,
            used: mean(|load| load.used)?,
            free: mean(|load| load.free)?,
            ..Self::default()
        })
    }
}

/// A server of one port: by what it is measured, and what it could still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// By what it is measured.
    pub account: Account,
    /// What it could still do.
    pub load: Load,
}

/// What a server is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Account {
    /// A cgroup that it has for itself: a unit, a container.
    Cgroup,
    /// The processes that have its listening socket.
    Processes,
}

impl Account {
    /// What it is, in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Processes => "processes",
        }
    }
}

/// What the servers of one port could do on the average; absent without any.
#[must_use]
pub fn of_servers(servers: &[Server]) -> Option<Load> {
    let loads: Vec<Load> = servers.iter().map(|server| server.load).collect();
    Load::average(&loads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_one_stack_are_told_apart_though_it_has_nothing_left() {
        let server = |used, before| Load {
            capacity: 400,
            used,
            within: Some(0),
            before: Some(before),
            ..Load::default()
        };
        let free = |load: Load| load.by_itself().free;
        assert_eq!([free(server(400, 0)), free(server(0, 0))], [0, 300]);
        let alone = Load {
            within: None,
            free: 7,
            ..server(0, 0)
        };
        assert_eq!(alone.by_itself(), alone);
    }

    #[test]
    fn a_sixteenth_of_the_capacity_matters() {
        let load = |capacity, free| Load {
            capacity,
            free,
            ..Load::default()
        };
        for (one, other, expected) in [
            (load(1_600, 800), load(1_600, 800), false),
            (load(1_600, 899), load(1_600, 800), false),
            (load(1_600, 900), load(1_600, 800), true),
            (load(1_600, 700), load(1_600, 800), true),
            (load(800, 800), load(1_600, 800), true),
            (load(1, 0), load(1, 1), true),
        ] {
            assert_eq!(one.differs_from(other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_waits_is_not_free() {
        let stall = |permille| {
            let cause = StallCause::Processor;
            Some(Stall { cause, permille })
        };
        for (used, stalled, within, expected) in [
            (500, None, None, 1_500),
            (500, stall(0), None, 1_500),
            (500, stall(100), None, 1_350),
            (500, stall(1_000), None, 0),
            // The whole machine has less than this server.
            (500, stall(500), Some(400), 200),
            (500, None, Some(9_000), 1_500),
            (9_000, stall(10), None, 0),
        ] {
            let load = Load {
                capacity: 2_000,
                used,
                stall: stalled,
                within,
                ..Load::default()
            };
            assert_eq!(load.usable(), expected, "{load:?}");
        }
    }

    #[test]
    fn servers_of_a_port_count_on_the_average() {
        let server = |capacity, free| Server {
            account: Account::Processes,
            load: Load {
                capacity,
                free,
                ..Load::default()
            },
        };
        assert_eq!(of_servers(&[]), None);
        let average = of_servers(&[server(2_000, 1_000), server(1_000, 0), server(1_000, 200)]);
        let average = average.map(|load| (load.capacity, load.free));
        assert_eq!(average, Some((1_333, 400)));
    }
}
