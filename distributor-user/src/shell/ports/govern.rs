//! The programs and maps in the kernel: loaded or taken over, filled, taken out again.
//!
//! Everything is pinned, so that a server which starts while the daemon does
//! not live is bound as one that starts before. A successor gives the links its
//! own programs, in one step each; what another version or another namespace
//! has left is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use aya::maps::{Array, HashMap, MapData, RingBuf, SockHash};
use aya::{Ebpf, EbpfLoader};
use distributor_common::ports::{
    ABI_VERSION, Layout, MAX_RULES, OrderWords, PORT_BLOCKS, PORTS_PER_BLOCK, PortEntry, Rule,
    Share, ShareKey, object, place,
};

use super::nonlocal::{self, Changed};
use super::reports::Reports;
use super::{PortsError, attach};
use crate::engine::ports::{PortRules, layout};
use crate::shell::dataplane::bpf;
use crate::shell::sock_diag::Entry;
use crate::shell::{namespace, objects};

/// The kernel's type information.
const TYPES: &str = "/sys/kernel/btf/vmlinux";

const PROGRAMS: [&str; 4] = [
    // The listeners are noted before connections are handed out, and servers are bound last.
    object::NOTE_LISTENER,
    object::HAND_OUT,
    object::GOVERN_BIND4,
    object::GOVERN_BIND6,
];

const MAPS: [&str; 10] = [
    object::EDITION,
    object::PORTS,
    object::RULES,
    object::SHARES,
    object::ORDERS,
    object::LISTENERS,
    object::TURNS,
    object::KEEPING,
    object::CLIENTS,
    object::PORT_REPORT,
];

/// A [`Share`] as it is copied from its map.
pub(super) type ShareWords = [u64; size_of::<Share>() / 8];

/// The programs that do what PORT and PORTRANGE say.
pub(super) struct Governor {
    /// Holds the programs.
    _object: Ebpf,
    edition: Array<MapData, [u64; 4]>,
    ports: Array<MapData, [u16; PORTS_PER_BLOCK]>,
    rules: Array<MapData, [u64; size_of::<Rule>() / 8]>,
    pub(super) shares: HashMap<MapData, [u32; 5], ShareWords>,
    pub(super) orders: HashMap<MapData, [u32; 5], OrderWords>,
    pub(super) listeners: SockHash<MapData, [u32; 6]>,
    keeping: HashMap<MapData, [u32; 5], u32>,
    reports: Option<Reports>,
    /// What lies in the map `PORTS`.
    blocks: Vec<[PortEntry; PORTS_PER_BLOCK]>,
    /// Cookies of listeners that were not known when they were last compared.
    missing: BTreeSet<u64>,
}

impl Governor {
    /// Takes over what is pinned in the directory, or starts anew, and attaches the programs.
    pub(super) fn open(pin_dir: &Path) -> Result<Self, PortsError> {
        let bytes = objects::built(objects::PORTS).ok_or(PortsError::NoObject)?;
        let cookie = namespace::cookie().map_err(PortsError::system(
            "ask for the namespace's cookie (Linux 5.14)",
        ))?;
        let edition = [ABI_VERSION, cookie];
        if !is_adoptable(pin_dir, edition) {
            remove(pin_dir)?;
        }
        let create = PortsError::system(format!("create `{}`", pin_dir.display()));
        fs::create_dir_all(pin_dir).map_err(create)?;
        let opened = Self::load(bytes, pin_dir, edition);
        if opened.is_err() && !is_adoptable(pin_dir, edition) {
            remove(pin_dir)?;
        }
        opened
    }

    fn load(bytes: &[u8], pin_dir: &Path, edition: [u64; 2]) -> Result<Self, PortsError> {
        let layout = kernel_layout();
        let [_, cookie] = edition;
        let mut loader = EbpfLoader::new();
        loader.override_global(object::NETNS_COOKIE, &cookie, true);
        loader.override_global(object::LAYOUT, &layout, true);
        for name in MAPS {
            loader.map_pin_path(name, pin_dir.join(name));
        }
        let mut ebpf = loader.load(bytes)?;
        let mut take = |name| ebpf.take_map(name).ok_or(PortsError::Incomplete(name));
        let ports: Array<_, _> = take(object::PORTS)?.try_into()?;
        let ring = RingBuf::try_from(take(object::PORT_REPORT)?)?;
        let mut governor = Self {
            edition: take(object::EDITION)?.try_into()?,
            blocks: read(&ports)?,
            ports,
            rules: take(object::RULES)?.try_into()?,
            shares: take(object::SHARES)?.try_into()?,
            orders: take(object::ORDERS)?.try_into()?,
            listeners: take(object::LISTENERS)?.try_into()?,
            keeping: take(object::KEEPING)?.try_into()?,
            reports: Some(
                Reports::new(ring).map_err(PortsError::system("wait for reports of ports"))?,
            ),
            missing: BTreeSet::new(),
            _object: {
                for name in PROGRAMS {
                    attach::establish(&mut ebpf, name, &pin_dir.join(format!("LINK_{name}")))?;
                }
                ebpf
            },
        };
        // Last, so that half a start is never taken over.
        let changed = governor.changed()?;
        governor.note(edition, changed)?;
        Ok(governor)
    }

    /// Which settings were changed for servers that are bound.
    fn changed(&self) -> Result<Changed, PortsError> {
        let [_, _, changed @ ..] = self.edition.get(&0, 0)?;
        Ok(changed.map(|word| word != 0))
    }

    fn note(&mut self, [version, cookie]: [u64; 2], changed: Changed) -> Result<(), PortsError> {
        let [first, second] = changed.map(u64::from);
        Ok(self.edition.set(0, [version, cookie, first, second], 0)?)
    }

    /// The reports, unless they are given up.
    pub(super) fn reports(&mut self) -> Option<&mut Reports> {
        self.reports.as_mut()
    }

    pub(super) fn forget_reports(&mut self) {
        self.reports = None;
    }

    /// Puts rules in force, port by port; a bind that comes meanwhile meets the old or the new ones.
    pub(super) fn write(&mut self, rules: &PortRules) -> Result<(), PortsError> {
        let [version, cookie, ..] = self.edition.get(&0, 0)?;
        let changed = nonlocal::adjust(rules.binds().into(), self.changed()?);
        self.note([version, cookie], changed)?;
        let base = if self.uses_upper_half() { 0 } else { MAX_RULES };
        for (rule, index) in rules.rules.iter().zip(base..) {
            self.rules.set(index, rule.words(), 0)?;
        }
        let base = u16::try_from(base).expect("rules are fewer than ports");
        for block in 0..PORT_BLOCKS {
            let mut entries = rules.block(block, base);
            let before = &self.blocks[block as usize];
            for (entry, before) in entries.iter_mut().zip(before) {
                *entry = entry.in_turn(entry.is_shared() && before.is_in_turn());
            }
            self.set_block(block, entries)?;
        }
        self.forget_shares()
    }

    /// Whether several servers share a TCP port.
    pub(super) fn is_shared(&self, port: u16) -> bool {
        let (block, at) = place(false, port);
        self.blocks[block as usize][at].is_shared()
    }

    /// The TCP ports that several servers share.
    pub(super) fn shared(&self) -> impl Iterator<Item = u16> {
        let tcp = self.blocks.iter().flatten().zip(0..=u16::MAX);
        tcp.filter(|(entry, _)| entry.is_shared())
            .map(|(_, port)| port)
    }

    /// Lets clients keep their listeners on exactly these addresses and ports, for so many seconds.
    pub(super) fn keep(&mut self, wanted: &BTreeMap<ShareKey, u32>) -> Result<(), PortsError> {
        let known: Result<Vec<_>, _> = self.keeping.keys().collect();
        for words in known? {
            if !wanted.contains_key(&ShareKey::of(words)) {
                self.keeping.remove(&words)?;
            }
        }
        for (key, seconds) in wanted {
            self.keeping.insert(key.words(), seconds, 0)?;
        }
        Ok(())
    }

    /// TCP ports that are shared, and whose listeners are left to the kernel.
    pub(super) fn out_of_turn(&self) -> impl Iterator<Item = u16> {
        let in_turn = |port: &u16| {
            let (block, at) = place(false, *port);
            self.blocks[block as usize][at].is_in_turn()
        };
        self.shared().filter(move |port| !in_turn(port))
    }

    /// Whether all of these were missing already when that was last asked.
    pub(super) fn was_missing(&mut self, listeners: &[Entry]) -> bool {
        let mut all = true;
        for listener in listeners {
            all &= !self.missing.insert(listener.cookie);
        }
        all
    }

    /// Hands connections to a port out in turn, or leaves them to the kernel.
    pub(super) fn put_in_turn(&mut self, port: u16, is_in_turn: bool) -> Result<(), PortsError> {
        let (block, at) = place(false, port);
        let mut entries = self.blocks[block as usize];
        entries[at] = entries[at].in_turn(is_in_turn && entries[at].is_shared());
        self.set_block(block, entries)
    }

    fn set_block(
        &mut self,
        block: u32,
        entries: [PortEntry; PORTS_PER_BLOCK],
    ) -> Result<(), PortsError> {
        let before = &mut self.blocks[block as usize];
        if *before != entries {
            self.ports.set(block, entries.map(PortEntry::word), 0)?;
            *before = entries;
        }
        Ok(())
    }

    fn uses_upper_half(&self) -> bool {
        let mut entries = self.blocks.iter().flatten();
        entries.any(|entry| entry.rule().is_some_and(|rule| rule >= MAX_RULES))
    }

    /// Removes the shares of ports that are no longer shared; their listeners go with themselves.
    fn forget_shares(&mut self) -> Result<(), PortsError> {
        let keys: Result<Vec<_>, _> = self.shares.keys().collect();
        for words in keys? {
            let port = u16::try_from(ShareKey::of(words).port).unwrap_or_default();
            if !self.is_shared(port) {
                self.drop_share(words)?;
            }
        }
        Ok(())
    }

    /// Removes the orders of ports that are not shared by weight any more.
    pub(super) fn forget_orders(
        &mut self,
        is_weighted: impl Fn(u16) -> bool,
    ) -> Result<(), PortsError> {
        let keys: Result<Vec<_>, _> = self.orders.keys().collect();
        for words in keys? {
            let port = u16::try_from(ShareKey::of(words).port).unwrap_or_default();
            if !is_weighted(port) {
                self.orders.remove(&words)?;
            }
        }
        Ok(())
    }

    fn drop_share(&mut self, words: [u32; 5]) -> Result<(), PortsError> {
        let share = ShareKey::of(words);
        for slot in 0..share_slots() {
            let key = distributor_common::ports::ListenerKey { share, slot };
            // Most have none.
            let _ = self.listeners.remove(&key.words());
        }
        // Most have none.
        let _ = self.orders.remove(&words);
        Ok(self.shares.remove(&words)?)
    }
}

/// Slots of a share, in the type of their keys.
pub(super) fn share_slots() -> u32 {
    u32::try_from(distributor_common::ports::MAX_SLOTS).expect("a small number")
}

/// Detaches the programs and removes every pin.
pub(super) fn remove(pin_dir: &Path) -> Result<(), PortsError> {
    let links = || PROGRAMS.iter().rev().map(|name| format!("LINK_{name}"));
    for name in links() {
        // What is gone is detached, and of the others the pin is removed in any case.
        let _ = bpf::detach_pinned_link(&pin_dir.join(name));
    }
    let maps = MAPS.iter().map(|name| (*name).to_owned());
    if let Some([_, cookie, first, second]) = edition(pin_dir)
        && namespace::cookie().is_ok_and(|own| own == cookie)
    {
        nonlocal::adjust([false; 2], [first, second].map(|word| word != 0));
    }
    for name in links().chain(maps) {
        let pin = pin_dir.join(name);
        ignore_absence(fs::remove_file(&pin))
            .map_err(PortsError::system(format!("remove `{}`", pin.display())))?;
    }
    ignore_absence(fs::remove_dir(pin_dir)).map_err(PortsError::system(format!(
        "remove `{}`",
        pin_dir.display()
    )))
}

pub(super) fn ignore_absence(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether all maps are there, of this version and for this namespace.
fn is_adoptable(pin_dir: &Path, wanted: [u64; 2]) -> bool {
    MAPS.iter().all(|name| pin_dir.join(name).exists())
        && edition(pin_dir).is_some_and(|[version, cookie, ..]| [version, cookie] == wanted)
}

/// What a daemon has noted of itself; its settings are of this namespace if the cookie is.
fn edition(pin_dir: &Path) -> Option<[u64; 4]> {
    let map = MapData::from_pin(pin_dir.join(object::EDITION)).ok()?;
    let map = aya::maps::Map::from_map_data(map).ok()?;
    let map: Array<_, [u64; 4]> = map.try_into().ok()?;
    map.get(&0, 0).ok()
}

fn read(
    ports: &Array<MapData, [u16; PORTS_PER_BLOCK]>,
) -> Result<Vec<[PortEntry; PORTS_PER_BLOCK]>, PortsError> {
    let blocks = (0..PORT_BLOCKS).map(|block| {
        let words = ports.get(&block, 0)?;
        Ok(words.map(PortEntry::of))
    });
    blocks.collect()
}

/// Where the kernel keeps what its helpers do not tell; all zero where it does not say.
fn kernel_layout() -> Layout {
    let found = fs::read(TYPES).ok().and_then(|types| layout(&types));
    if found.is_none() {
        tracing::warn!(
            "`{TYPES}` does not say where the kernel keeps the names of cgroups: job names are \
             compared with names of commands only"
        );
    }
    found.unwrap_or_default()
}
