//! What the daemons need, from look to look.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::process;

/// How often a look is worth it.
const EVERY: Duration = Duration::from_secs(2);

/// Looks after which a daemon has all that it needs.
const WARM: usize = 10;

/// How much more a daemon may need in the end: what an allocator keeps varies by 4 MB, and a method
/// that goes by what targets have maps 32 MB when it is first used.
const GROWTH_BYTES: u64 = 36 << 20;

/// Resident memory of every daemon that there was, in bytes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    looks: BTreeMap<(String, u32), Vec<u64>>,
    last: Option<Instant>,
}

impl Memory {
    /// Looks at all daemons that run, now and then.
    pub(super) fn look(&mut self, lab: &Lab) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        for stack in lab.stacks() {
            let Ok(id) = stack.daemon_id() else {
                continue;
            };
            // It may have ended since.
            if let Ok(bytes) = process::resident_bytes(id) {
                let looks = self.looks.entry((stack.name().to_owned(), id));
                looks.or_default().push(bytes);
            }
        }
    }

    /// Which daemons have grown.
    pub(super) fn growths(&self) -> Vec<String> {
        let growth = |((stack, id), looks): (&(String, u32), &Vec<u64>)| {
            let warm = looks.get(WARM..)?;
            let third = warm.len() / 3;
            let (first, last) = (warm.get(..third)?, warm.get(warm.len() - third..)?);
            // Peaks go and come.
            let (before, after) = (first.iter().min()?, last.iter().min()?);
            (*after > before + GROWTH_BYTES).then(|| {
                format!("the daemon {id} of {stack} has grown from {before} to {after} bytes")
            })
        };
        self.looks.iter().filter_map(growth).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growths(looks: impl IntoIterator<Item = u64>) -> usize {
        let looks = looks.into_iter().map(|megabytes| megabytes << 20).collect();
        let memory = Memory {
            looks: [(("TCPIP".to_owned(), 1), looks)].into(),
            last: None,
        };
        memory.growths().len()
    }

    #[test]
    fn only_what_grows_after_it_is_warm_has_grown() {
        assert_eq!(growths([]), 0);
        assert_eq!(growths(0..100), 1, "by a megabyte each time");
        assert_eq!(growths((0..40).map(|look| look.min(10))), 0);
        let peaks = (0..40).map(|look| if look % 4 == 3 { 90 } else { 30 });
        assert_eq!(growths(peaks), 0);
    }
}
