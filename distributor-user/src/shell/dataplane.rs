//! The packet path of this stack: its programs, its maps and the interfaces it runs on.
//!
//! What packets should do is decided by the engine, which says it as a
//! [`Forwarding`](crate::engine::forwarding::Forwarding); how that lies in maps is known here and nowhere else. The
//! packet path does not live in this process: everything is pinned, and packets
//! flow on when a [`Dataplane`] is dropped or its process dies. The next
//! [`Dataplane::open`] takes over what is there. Only
//! [`Dataplane::close_and_remove`] takes anything away.
//!
//! All calls block, none for longer than a few system calls or a walk over the
//! flow table. A `Dataplane` belongs to the network namespace of the thread
//! that opened it; call it from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::maps::xdp::DevMapHash;
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use aya::programs::Xdp;
use distributor_common::abi::{
    ABI_VERSION, Counters, NameTable, Settings, Syns, map, program, section,
};
use distributor_common::counter::Totals;
use distributor_common::flow::{BUCKET_SLOTS, Bucket};
use distributor_common::hash;
use distributor_common::word::Word;

use super::namespace;
use crate::engine::forwarding::{ServiceKey, ServiceTargets};

pub use self::attach::Interface;
pub use self::attach::xdp_program;
pub use self::attached::Lookout;
pub use self::error::DataplaneError;
pub use self::life::EarlyLife;
pub use self::origin::Origin;
pub use self::pins::is_on_bpffs;
pub use self::reported::Inserted;
pub use self::traffic::Traffic;
pub use self::xdp::AttachMode;

use self::affinities::Affinities;
use self::attach::Attachment;
use self::clock::StampUnit;
use self::flows::Flows;
use self::kept::Kept;
use self::names::Names;
use self::pins::Pins;
use self::senders::Senders;
use self::services::{Index, Services, Tallies};
use self::shared::Shared;
use self::targets::Slots;
use self::tunnels::Tunnels;

mod adopted;
mod affinities;
mod attach;
mod attached;
pub(super) mod bpf;
mod clock;
mod error;
mod flows;
mod forwarding;
mod kept;
mod life;
mod names;
mod object;
mod origin;
mod pins;
mod reported;
mod sections;
mod senders;
mod services;
mod shared;
mod syns;
mod targets;
mod traffic;
mod tunnels;
mod xdp;

/// Slots of a bucket, in the type of capacities.
const SLOTS: u32 = 8;
const _: () = assert!(SLOTS as usize == BUCKET_SLOTS);

/// Where and how to open the packet path.
#[derive(Clone, Debug)]
pub struct DataplaneOptions {
    /// Directory for the pins, on bpffs, of this stack alone.
    pub pin_dir: PathBuf,
    /// Interfaces on which packets for DVIPAs arrive.
    pub interfaces: Vec<Interface>,
    /// Number of flows that the table has room for; rounded up to a power of two, and kept as it is
    /// when maps are taken over.
    pub flow_capacity: u32,
    /// Seeds of the flow hash, which are made odd; random when absent, and kept as they are when maps
    /// are taken over.
    pub seeds: Option<[u64; 2]>,
}

/// The packet path of this stack.
pub struct Dataplane {
    pin_dir: PathBuf,
    /// On the heap, for the sake of futures that hold a data plane.
    object: Box<Ebpf>,
    settings: Shared<Settings>,
    transmit: DevMapHash<MapData>,
    counters: Shared<Counters>,
    services: Services,
    /// What was last asked for each service, as far as it was done.
    served: BTreeMap<ServiceKey, ServiceTargets>,
    /// What was last asked for each DVIPA, as far as it was done.
    standing: BTreeMap<IpAddr, forwarding::Asked>,
    senders: Senders,
    tunnels: Tunnels,
    kept: Kept,
    names: Names,
    slots: Slots,
    /// SYNs by the slot of the other stack.
    syns: Shared<Syns>,
    flows: Flows,
    affinities: Affinities,
    unit: StampUnit,
    attachments: Vec<Attachment>,
    is_adopted: bool,
}

impl fmt::Debug for Dataplane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dataplane")
            .field("pin_dir", &self.pin_dir)
            .field("attachments", &self.attachments)
            .field("is_adopted", &self.is_adopted)
            .finish_non_exhaustive()
    }
}

impl Dataplane {
    /// Takes over the packet path that is pinned in the directory, or starts a new one, and attaches
    /// it to the interfaces.
    ///
    /// What is pinned is taken over, flows and all, when its contents are of this program's version
    /// and serve this network namespace. A link whose interface is not in the options is removed.
    ///
    /// # Errors
    ///
    /// See [`DataplaneError`]. What this call has pinned is removed again; what it found is left.
    pub fn open(options: &DataplaneOptions) -> Result<Self, DataplaneError> {
        let cookie = own_cookie()?;
        let pins = pins::prepare(&options.pin_dir, cookie)?;
        if pins == Pins::Stale {
            tracing::warn!(
                pins = %options.pin_dir.display(),
                "what was pinned is of another version or namespace: starting anew"
            );
        }
        let result = Self::open_maps(options, cookie, pins == Pins::Adoptable)
            .and_then(|dataplane| dataplane.attach_all(&options.interfaces));
        if result.is_err() && pins != Pins::Adoptable {
            pins::remove(&options.pin_dir)?;
        }
        result
    }

    /// Whether [`Dataplane::open`] would take over what is pinned in the directory.
    ///
    /// # Errors
    ///
    /// It serves another network namespace, or cannot be read.
    pub fn is_adoptable(pin_dir: &Path) -> Result<bool, DataplaneError> {
        Ok(pins::examine(pin_dir, own_cookie()?)? == Pins::Adoptable)
    }

    /// Loads the programs without a trace, and checks that what is pinned could be taken over.
    ///
    /// # Errors
    ///
    /// As [`Dataplane::open`], and [`DataplaneError::Incompatible`].
    pub fn rehearse(pin_dir: &Path) -> Result<(), DataplaneError> {
        if pins::examine(pin_dir, own_cookie()?)? == Pins::Stale {
            return Err(DataplaneError::Incompatible {
                path: pin_dir.to_owned(),
            });
        }
        let mut object = object::load_apart(object::Kind::Path)?;
        for name in object::PROGRAMS {
            object::load_program(&mut object, name)?;
        }
        Origin::rehearse()
    }

    fn open_maps(
        options: &DataplaneOptions,
        cookie: u64,
        is_adopted: bool,
    ) -> Result<Self, DataplaneError> {
        let buckets = options.flow_capacity.div_ceil(SLOTS).next_power_of_two();
        let mut object = object::load(object::Kind::Path, &options.pin_dir, Some(buckets))?;
        for name in object::PROGRAMS {
            object::load_program(&mut object, name)?;
        }
        let rate = clock::rate(object::program_mut(&mut object, program::READ_CLOCKS)?).map_err(
            |source| DataplaneError::Load {
                program: program::READ_CLOCKS,
                source,
            },
        )?;

        let settings: Shared<Settings> = share(&mut object, section::SETTINGS)?;
        let flows: Shared<Bucket> = share(&mut object, section::FLOWS)?;
        if !is_adopted {
            initialise(&settings[0], options.seeds, cookie, rate);
        }
        let unit = StampUnit {
            rate,
            shift: settings[0].stamp_shift.load(),
        };
        let names = Names::recover(settings.clone(), share(&mut object, map::NAMES)?);
        let flows = Flows::new(
            flows,
            share(&mut object, map::CLIENTS)?,
            names.clone(),
            &settings[0],
        );
        let index = typed(&mut object, map::SERVICE_INDEX, HashMap::try_from)?;
        let services = Services::recover(
            Index::new(index, map::SERVICE_INDEX, names.clone()),
            share(&mut object, map::SERVICES)?,
            share(&mut object, map::VIPAS)?,
            share(&mut object, map::RINGS)?,
            Tallies::new(typed(&mut object, map::CONNECTIONS, Array::try_from)?),
        )?;
        let kept = typed(&mut object, map::KEPT, HashMap::try_from)?;
        Ok(Self {
            kept: Kept::recover(Index::new(kept, map::KEPT, names.clone()))?,
            pin_dir: options.pin_dir.clone(),
            slots: Slots::recover(&settings[0].targets),
            syns: share(&mut object, map::SYNS)?,
            transmit: typed(&mut object, map::TRANSMIT, DevMapHash::try_from)?,
            counters: share(&mut object, section::COUNTERS)?,
            services,
            served: BTreeMap::new(),
            standing: BTreeMap::new(),
            senders: Senders::recover(typed(&mut object, map::SENDERS, HashMap::try_from)?)?,
            tunnels: Tunnels::recover(typed(&mut object, map::TUNNELS, HashMap::try_from)?)?,
            flows: if is_adopted { flows.adopted() } else { flows },
            names,
            affinities: Affinities::new(is_adopted),
            settings,
            unit,
            attachments: Vec::new(),
            is_adopted,
            object: Box::new(object),
        })
    }

    fn attach_all(mut self, interfaces: &[Interface]) -> Result<Self, DataplaneError> {
        for interface in interfaces {
            self.attach(interface)?;
        }
        let kept: BTreeSet<_> = interfaces
            .iter()
            .map(|interface| attach::pin(&self.pin_dir, interface.ifindex))
            .chain(origin::links(&self.pin_dir))
            .collect();
        for link in pins::links(&self.pin_dir)? {
            if !kept.contains(&link) {
                std::fs::remove_file(&link).map_err(DataplaneError::system(format!(
                    "remove `{}`",
                    link.display()
                )))?;
            }
        }
        Ok(self)
    }

    /// Whether maps and flows of an earlier process were taken over.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.is_adopted
    }

    /// Interfaces that the packet path was attached to, and how.
    pub fn interfaces(&self) -> impl Iterator<Item = (&Interface, AttachMode)> {
        self.attachments
            .iter()
            .map(|attachment| (&attachment.interface, attachment.mode))
    }

    fn address(&self, slot: u16) -> Option<IpAddr> {
        targets::address_of(self.settings[0].targets.get(usize::from(slot))?)
    }

    /// All counters, summed over the CPUs.
    #[must_use]
    pub fn counters(&self) -> Totals {
        let cpus = self.counters.iter();
        let values: Vec<_> = cpus.map(|cpu| cpu.0.each_ref().map(Word::load)).collect();
        values.iter().collect()
    }

    /// The program itself, for tests and measurements by `BPF_PROG_TEST_RUN`.
    ///
    /// # Errors
    ///
    /// Never, once the data plane is open.
    pub fn program(&mut self) -> Result<&mut Xdp, DataplaneError> {
        object::program_mut(&mut self.object, program::DISTRIBUTE)
    }

    fn program_id(&mut self) -> Result<u32, DataplaneError> {
        let program = self.program()?;
        let about = program.info().map_err(|source| DataplaneError::Load {
            program: program::DISTRIBUTE,
            source,
        })?;
        Ok(about.id())
    }

    /// Detaches the packet path from all interfaces and removes everything that is pinned.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn close_and_remove(mut self) -> Result<(), DataplaneError> {
        origin::remove(&self.pin_dir)?;
        for attachment in self.attachments.drain(..) {
            attachment.remove()?;
        }
        pins::remove(&self.pin_dir)
    }
}

/// Writes what never changes; the version last, so that half a start is never taken over.
fn initialise(settings: &Settings, seeds: Option<[u64; 2]>, cookie: u64, rate: u64) {
    let seeds = seeds.unwrap_or_else(rand::random);
    settings.netns_cookie.store(cookie);
    for (word, seed) in settings.seeds.iter().zip(seeds) {
        word.store(seed | 1);
    }
    let words = settings.ipv6.digest_seeds.iter();
    for (word, seed) in words.zip(hash::digest_seeds(seeds)) {
        word.store(seed);
    }
    let names = NameTable::new(rand::random(), 0);
    settings.ipv6.names.store(names.word());
    settings
        .stamp_shift
        .store(StampUnit::nearest_to_second(rate).shift);
    settings.abi_version.store(ABI_VERSION);
}

fn take(object: &mut Ebpf, name: &'static str) -> Result<Map, DataplaneError> {
    object
        .take_map(name)
        .ok_or(DataplaneError::Mismatch { name })
}

fn share<T: shared::Words>(
    object: &mut Ebpf,
    name: &'static str,
) -> Result<Shared<T>, DataplaneError> {
    let Map::Array(array) = take(object, name)? else {
        return Err(DataplaneError::Mismatch { name });
    };
    Shared::map(&array, name)
}

fn typed<T>(
    object: &mut Ebpf,
    name: &'static str,
    convert: impl FnOnce(Map) -> Result<T, MapError>,
) -> Result<T, DataplaneError> {
    convert(take(object, name)?).map_err(DataplaneError::map(name))
}

/// Asks which network namespace this is.
fn own_cookie() -> Result<u64, DataplaneError> {
    namespace::cookie().map_err(DataplaneError::system(
        "ask for the namespace's cookie (Linux 5.14)",
    ))
}

#[cfg(test)]
mod tests;
