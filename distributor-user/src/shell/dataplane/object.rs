//! The eBPF object, and why a kernel would not take it.

use std::io;
use std::path::Path;

use aya::maps::MapType;
use aya::programs::{ProgramError, ProgramType, Xdp};
use aya::sys::{BpfHelper, SyscallError, is_helper_supported, is_map_supported};
use aya::{Ebpf, EbpfError, EbpfLoader};
use distributor_common::abi::{map, program};

use super::sections::{self, Sections};
use super::{DataplaneError, SLOTS};
use crate::shell::objects;

/// Maps that live as long as the stack, not as long as the daemon, besides those of
/// [`sections`].
const PINNED_MAPS: [&str; 13] = [
    map::CLIENTS,
    map::NAMES,
    map::SERVICE_INDEX,
    map::SERVICES,
    map::RINGS,
    map::VIPAS,
    map::SENDERS,
    map::TUNNELS,
    map::CONNECTIONS,
    map::SYNS,
    map::KEPT,
    map::TRANSMIT,
    map::BUDGET,
];

/// Names of all maps that are pinned.
pub(super) fn pinned_maps() -> impl Iterator<Item = &'static str> {
    PINNED_MAPS.into_iter().chain(sections::MAPS)
}

/// The objects whose programs share these maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The packet path.
    Path,
    /// What connections that start here need.
    Origin,
}

impl Kind {
    fn built(self) -> Result<&'static [u8], DataplaneError> {
        let object = match self {
            Self::Path => objects::DISTRIBUTOR,
            Self::Origin => objects::ORIGIN,
        };
        objects::built(object).ok_or(DataplaneError::NoObject)
    }
}

/// Loads an object with its maps in `pin_dir`: those that are pinned there, new ones otherwise.
/// Without `buckets`, the flow table must be there.
pub(super) fn load(
    kind: Kind,
    pin_dir: &Path,
    buckets: Option<u32>,
) -> Result<Ebpf, DataplaneError> {
    let object = kind.built()?;
    let sections = Sections::open(pin_dir, buckets)?;
    let mut loader = EbpfLoader::new();
    if let Some(buckets) = buckets {
        loader.map_max_entries(map::CLIENTS, buckets * SLOTS);
    }
    sections.announce(&mut loader);
    for name in PINNED_MAPS {
        loader.map_pin_path(name, pin_dir.join(name));
    }
    let object = loader.load(object).map_err(|error| {
        explain(is_not_permitted(&error)).unwrap_or(DataplaneError::Object(error))
    })?;
    sections.replace(&object)?;
    Ok(object)
}

/// Loads an object with maps of its own, as small as they can be, which end with it.
pub(super) fn load_apart(kind: Kind) -> Result<Ebpf, DataplaneError> {
    EbpfLoader::new()
        .load(kind.built()?)
        .map_err(|error| explain(is_not_permitted(&error)).unwrap_or(DataplaneError::Object(error)))
}

/// Takes a program out of the object, loaded into the kernel.
pub(super) fn load_program<'a>(
    object: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Xdp, DataplaneError> {
    let xdp: &mut Xdp = object
        .program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(DataplaneError::Mismatch { name })?;
    xdp.load().map_err(|source| refused(name, source))?;
    Ok(xdp)
}

/// Says why the kernel has not taken a program.
pub(super) fn refused(program: &'static str, source: ProgramError) -> DataplaneError {
    explain(is_not_permitted(&source)).unwrap_or(DataplaneError::Load { program, source })
}

/// The program of that name, which is loaded.
pub(super) fn program_mut<'a>(
    object: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Xdp, DataplaneError> {
    object
        .program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(DataplaneError::Mismatch { name })
}

/// The two programs of the object.
pub(super) const PROGRAMS: [&str; 2] = [program::DISTRIBUTE, program::READ_CLOCKS];

/// Looks for what the kernel lacks, in words that say more than its error code.
fn explain(not_permitted: bool) -> Option<DataplaneError> {
    if not_permitted {
        return Some(DataplaneError::NoRights);
    }
    let maps = [
        (MapType::DevMapHash, "device maps with hashed keys", "5.4"),
        (MapType::PerCpuArray, "per-CPU arrays", "4.6"),
    ];
    let helpers = [
        (
            BpfHelper::BPF_FUNC_jiffies64,
            "the helper `bpf_jiffies64`",
            "5.6",
        ),
        (
            BpfHelper::BPF_FUNC_skc_lookup_tcp,
            "the helper `bpf_skc_lookup_tcp`",
            "5.2",
        ),
        (
            BpfHelper::BPF_FUNC_xdp_get_buff_len,
            "the helper `bpf_xdp_get_buff_len`",
            "5.18",
        ),
    ];
    let no_map = maps
        .into_iter()
        .find(|&(kind, ..)| matches!(is_map_supported(kind), Ok(false)))
        .map(|(_, feature, since)| DataplaneError::NoFeature { feature, since });
    no_map.or_else(|| {
        helpers
            .into_iter()
            .find(|&(helper, ..)| {
                matches!(is_helper_supported(ProgramType::Xdp, helper), Ok(false))
            })
            .map(|(_, feature, since)| DataplaneError::NoFeature { feature, since })
    })
}

/// Whether some cause of `error` is that the kernel does not let this process.
pub(super) fn is_not_permitted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if os_error(error) == Some(libc::EPERM) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The error code of one error in a chain; aya's errors show some of their causes only as fields.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.raw_os_error();
    }
    if let Some(error) = error.downcast_ref::<SyscallError>() {
        return error.io_error.raw_os_error();
    }
    if let Some(ProgramError::LoadError { io_error, .. }) = error.downcast_ref::<ProgramError>() {
        return io_error.raw_os_error();
    }
    if let Some(EbpfError::MapError(aya::maps::MapError::CreateError { io_error, .. })) =
        error.downcast_ref::<EbpfError>()
    {
        return io_error.raw_os_error();
    }
    None
}
