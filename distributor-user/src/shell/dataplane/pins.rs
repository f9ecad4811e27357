//! What is pinned for a stack, and whether it may be taken over.
//!
//! A pinned map is opened whatever its size and age, and a pinned link
//! outlives its namespace. So before anything is taken over, the shapes of all
//! maps, the version of their contents and the namespace that they serve are
//! compared. What does not agree is removed, never mended.

use std::fs;
use std::io;
use std::path::Path;

use aya::maps::{MapData, MapType};
use distributor_common::abi::{
    self, ABI_VERSION, Client, Counters, MAX_INTERFACES, MAX_RING_ENTRIES, MAX_ROWS, MAX_SENDERS,
    MAX_SERVICES, MAX_TARGETS, MAX_TUNNELS, MAX_VIPAS, NAME_BUCKETS, NameBucket, Service,
    ServiceKey, Settings, Syns, Tally, TunnelKey, Vipa,
};
use distributor_common::flow::{Bucket, Slot};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::attach::LINK_PIN;
use super::object::pinned_maps;
use super::shared::Shared;
use super::{DataplaneError, bpf, sections};

/// What is in the pin directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pins {
    /// Nothing.
    None,
    /// Maps that this program understands and that serve this namespace.
    Adoptable,
    /// Something else.
    Stale,
}

/// Creates the directory, finds out what is in it, and removes what is stale.
pub(super) fn prepare(pin_dir: &Path, cookie: u64) -> Result<Pins, DataplaneError> {
    create(pin_dir)?;
    let pins = examine(pin_dir, cookie)?;
    if pins == Pins::Stale {
        remove(pin_dir)?;
        create(pin_dir)?;
    }
    Ok(pins)
}

/// Finds out what is in the directory; changes nothing.
pub(super) fn examine(pin_dir: &Path, cookie: u64) -> Result<Pins, DataplaneError> {
    let mut names = pinned_maps();
    let links = links(pin_dir)?;
    if links.is_empty() && !names.any(|name| pin_dir.join(name).exists()) {
        return Ok(Pins::None);
    }
    let mut shapes = SHAPES.iter();
    if !shapes.all(|&(name, kind, key, value, entries)| {
        has_shape(pin_dir, name, kind, key, value, entries)
    }) || !have_shapes_of_their_own(pin_dir)?
    {
        return Ok(Pins::Stale);
    }
    let map = MapData::from_pin(pin_dir.join(abi::map::SETTINGS))
        .map_err(DataplaneError::map(abi::map::SETTINGS))?;
    let settings = Shared::<Settings>::map(&map, abi::map::SETTINGS)?;
    let found = settings[0].netns_cookie.load();
    if found != cookie && links.iter().any(|link| is_alive(link)) {
        return Err(DataplaneError::InUse {
            path: pin_dir.to_owned(),
            expected: cookie,
            found,
        });
    }
    if found == cookie && settings[0].abi_version.load() == ABI_VERSION {
        Ok(Pins::Adoptable)
    } else {
        Ok(Pins::Stale)
    }
}

/// Removes every pin of ours and the directory, and the directory above it if that is empty now.
pub(super) fn remove(pin_dir: &Path) -> Result<(), DataplaneError> {
    let maps = pinned_maps().map(|name| pin_dir.join(name));
    for pin in links(pin_dir)?.into_iter().chain(maps) {
        remove_file(&pin)?;
    }
    for directory in pin_dir.ancestors().take(2) {
        if fs::remove_dir(directory).is_err() {
            break; // others have pins in it, or it is where bpffs is mounted
        }
    }
    Ok(())
}

/// Pins of links, whatever interface they are for.
pub(super) fn links(pin_dir: &Path) -> Result<Vec<std::path::PathBuf>, DataplaneError> {
    let context = || format!("list `{}`", pin_dir.display());
    let entries = match fs::read_dir(pin_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DataplaneError::system(context()))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DataplaneError::system(context()))?;
        if entry.file_name().to_string_lossy().starts_with(LINK_PIN) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn is_alive(link: &Path) -> bool {
    matches!(bpf::pinned_link_ifindex(link), Ok(Some(_)))
}

/// Whether pins can be where `pin_dir` is, or will be.
#[must_use]
pub fn is_on_bpffs(pin_dir: &Path) -> bool {
    let existing = pin_dir.ancestors().find(|path| path.exists());
    existing
        .and_then(|path| statfs(path).ok())
        .is_some_and(|file_system| file_system.filesystem_type() == BPF_FS_MAGIC)
}

fn create(pin_dir: &Path) -> Result<(), DataplaneError> {
    if !is_on_bpffs(pin_dir) {
        return Err(DataplaneError::NoBpffs {
            path: pin_dir.to_owned(),
        });
    }
    fs::create_dir_all(pin_dir).map_err(|error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return DataplaneError::NoRights;
        }
        DataplaneError::system(format!("create `{}`", pin_dir.display()))(error)
    })
}

/// Removes a pin, if it is there.
pub(super) fn remove_file(pin: &Path) -> Result<(), DataplaneError> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(DataplaneError::system(format!(
            "remove `{}`",
            pin.display()
        ))),
    }
}

/// Name, type, size of a key, size of a value, number of entries.
type Shape = (&'static str, MapType, usize, usize, u32);

const SHAPES: &[Shape] = &[
    (
        abi::map::SETTINGS,
        MapType::Array,
        4,
        size_of::<Settings>(),
        1,
    ),
    (
        abi::map::NAMES,
        MapType::Array,
        4,
        size_of::<NameBucket>(),
        2 * NAME_BUCKETS,
    ),
    (
        abi::map::SERVICE_INDEX,
        MapType::Hash,
        size_of::<ServiceKey>(),
        4,
        2 * MAX_SERVICES,
    ),
    (
        abi::map::SERVICES,
        MapType::Array,
        4,
        size_of::<Service>(),
        MAX_SERVICES,
    ),
    (abi::map::RINGS, MapType::Array, 4, 8, MAX_RING_ENTRIES),
    (
        abi::map::VIPAS,
        MapType::Array,
        4,
        size_of::<Vipa>(),
        MAX_VIPAS,
    ),
    (abi::map::SENDERS, MapType::Hash, 8, 4, MAX_SENDERS),
    (
        abi::map::TUNNELS,
        MapType::Hash,
        size_of::<TunnelKey>(),
        4,
        MAX_TUNNELS,
    ),
    (
        abi::map::CONNECTIONS,
        MapType::Array,
        4,
        size_of::<Tally>(),
        MAX_SERVICES * MAX_ROWS,
    ),
    (
        abi::map::SYNS,
        MapType::Array,
        4,
        size_of::<Syns>(),
        MAX_TARGETS,
    ),
    (
        abi::map::KEPT,
        MapType::Hash,
        size_of::<ServiceKey>(),
        4,
        MAX_SERVICES,
    ),
    (
        abi::map::TRANSMIT,
        MapType::DevMapHash,
        4,
        8,
        MAX_INTERFACES,
    ),
    (abi::map::BUDGET, MapType::PerCpuArray, 4, 8, 1),
];

/// Whether there are counters for each CPU, a number of flows that a table can have, and a client for each.
fn have_shapes_of_their_own(pin_dir: &Path) -> Result<bool, DataplaneError> {
    let flows = MapData::from_pin(pin_dir.join(abi::map::FLOWS)).and_then(|map| map.info());
    let flows_len = flows.map_or(0, |flows| flows.value_size() as usize);
    if !flows_len.is_multiple_of(size_of::<Bucket>()) || !flows_len.is_power_of_two() {
        return Ok(false);
    }
    let has = |name, value, entries| has_shape(pin_dir, name, MapType::Array, 4, value, entries);
    let clients = u32::try_from(flows_len / size_of::<Slot>()).unwrap_or(u32::MAX);
    let counters_len = sections::cpus()? * size_of::<Counters>();
    Ok(has(abi::map::FLOWS, flows_len, 1)
        && has(abi::map::CLIENTS, size_of::<Client>(), clients)
        && has(abi::map::COUNTERS, counters_len, 1))
}

fn has_shape(
    pin_dir: &Path,
    name: &str,
    kind: MapType,
    key: usize,
    value: usize,
    entries: u32,
) -> bool {
    let Ok(shape) = MapData::from_pin(pin_dir.join(name)).and_then(|map| map.info()) else {
        return false;
    };
    shape.map_type().is_ok_and(|found| found == kind)
        && shape.key_size() as usize == key
        && shape.value_size() as usize == value
        && shape.max_entries() == entries
}
