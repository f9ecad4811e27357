//! The maps whose address is in the programs, because every packet needs them.
//!
//! Each is one value, and a section of the objects. aya makes a map of every
//! section, as large as the section is, and writes zeros into it even if it is
//! pinned. So what aya has made is not used: before a program is loaded, the
//! descriptors that its instructions name are made to stand for the pinned maps.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use aya::maps::{Map, MapData};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use distributor_common::abi::{Counters, Settings, map, section};
use distributor_common::flow::{Bucket, slot_shift};

use super::{DataplaneError, bpf};

/// A map and the section of the objects that stands for it.
struct Section {
    map: &'static str,
    name: &'static str,
    kernel_name: &'static CStr,
}

const SETTINGS: Section = Section {
    map: map::SETTINGS,
    name: section::SETTINGS,
    kernel_name: c"SETTINGS",
};
const FLOWS: Section = Section {
    map: map::FLOWS,
    name: section::FLOWS,
    kernel_name: c"FLOWS",
};
const COUNTERS: Section = Section {
    map: map::COUNTERS,
    name: section::COUNTERS,
    kernel_name: c"COUNTERS",
};

/// Names of the maps.
pub(super) const MAPS: [&str; 3] = [SETTINGS.map, FLOWS.map, COUNTERS.map];

/// The maps, pinned.
pub(super) struct Sections {
    maps: [(&'static Section, OwnedFd); 3],
    slot_shift: u64,
    cpu_mask: u64,
}

impl Sections {
    /// Opens the maps that are pinned in the directory, and makes those that are not. Without
    /// `buckets`, the flow table must be there.
    pub(super) fn open(pin_dir: &Path, buckets: Option<u32>) -> Result<Self, DataplaneError> {
        let cpus = cpus()?;
        let pinned = match MapData::from_pin(pin_dir.join(FLOWS.map)) {
            Ok(map) => Some(map.info().map_err(DataplaneError::map(FLOWS.map))?),
            Err(error) if buckets.is_none() => return Err(DataplaneError::map(FLOWS.map)(error)),
            Err(_) => None,
        };
        let flows_len = match (pinned, buckets) {
            (Some(pinned), _) => pinned.value_size() as usize,
            (None, buckets) => buckets.unwrap_or(1) as usize * size_of::<Bucket>(),
        };
        let open = |section, len| -> Result<_, DataplaneError> {
            let section: &'static Section = section;
            let path = pin_dir.join(section.map);
            let map = if path.exists() {
                bpf::open_pin(&path)
            } else {
                bpf::create_value(section.kernel_name, len).and_then(|map| {
                    bpf::pin(&path, map.as_fd())?;
                    Ok(map)
                })
            };
            let context = || format!("make the map `{}` of {} KiB", section.map, len >> 10);
            Ok((section, map.map_err(DataplaneError::system(context()))?))
        };
        Ok(Self {
            maps: [
                open(&SETTINGS, size_of::<Settings>())?,
                open(&FLOWS, flows_len)?,
                open(&COUNTERS, cpus * size_of::<Counters>())?,
            ],
            slot_shift: slot_shift(flows_len / size_of::<Bucket>()),
            cpu_mask: cpus as u64 - 1,
        })
    }

    /// Tells the programs how long the maps are.
    pub(super) fn announce<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.override_global(section::SLOT_SHIFT, &self.slot_shift, true);
        loader.override_global(section::CPU_MASK, &self.cpu_mask, true);
    }

    /// Puts the maps in the place of those that aya has made. No program may be loaded before.
    pub(super) fn replace(self, object: &Ebpf) -> Result<(), DataplaneError> {
        for (section, map) in self.maps {
            let Some(Map::Array(made)) = object.map(section.name) else {
                return Err(DataplaneError::Mismatch { name: section.map });
            };
            bpf::stand_for(made.fd().as_fd(), &map).map_err(DataplaneError::system(format!(
                "put the map `{}` in its place",
                section.map
            )))?;
        }
        Ok(())
    }
}

/// How many CPUs there can be, rounded up to a power of two.
pub(super) fn cpus() -> Result<usize, DataplaneError> {
    let cpus = nr_cpus().map_err(|(context, error)| DataplaneError::system(context)(error))?;
    Ok(cpus.next_power_of_two())
}
