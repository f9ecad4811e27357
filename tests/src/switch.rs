//! The two networks of a lab, each a bridge in a namespace of its own.
//!
//! A stack's interfaces lead to a switch by virtual Ethernet links. Such a link
//! delivers what an XDP program sends into it only if its other end runs an XDP
//! program too: so every port of a switch runs `pass`, which changes nothing,
//! loses nothing but the SYNs that a test wants lost, and counts what came in. The kernel counts what went out.
//!
//! A port fails in either of two ways. Without its cable, the host sees the loss
//! of its carrier. Deaf, it sees nothing at all: the bridge discards whatever
//! comes from it and goes to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use aya::maps::{HashMap, MapData, PerCpuArray};
use aya::programs::links::FdLink;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

use crate::namespace::Namespace;
use crate::tap::{self, Tap};
use crate::{program, wait};

/// The bridge inside a switch's namespace.
const BRIDGE: &str = "bridge";

/// What `bridge` calls the states of a port, `BR_STATE_DISABLED` and `BR_STATE_FORWARDING`.
const DEAF: &str = "disabled";
const FORWARDING: &str = "forwarding";

/// How long the kernel may take to remove a port whose other end went with its namespace.
const REMOVAL: Duration = Duration::from_secs(20);

/// One network: a bridge with a port for every host on it, named as the host's namespace.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    /// Where the links of the ports' programs are pinned.
    pins: PathBuf,
    connected: Mutex<Connected>,
}

/// What changes when a host goes and comes back.
#[derive(Debug)]
struct Connected {
    /// Index of each port's interface.
    ports: BTreeMap<String, u32>,
    /// The loaded programs; their counters are read through it.
    programs: Ebpf,
}

impl Switch {
    /// Connects `ports`, interfaces that are in `namespace` already, and pins their programs in
    /// the directory `pins`.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or `object` is not the built object of the lab's programs.
    pub(crate) fn connect(
        namespace: Namespace,
        ports: &[String],
        object: &Path,
        pins: &Path,
    ) -> Result<Self> {
        namespace.ip([
            format!("link add {BRIDGE} type bridge"),
            format!("link set {BRIDGE} up"),
        ])?;
        fs::create_dir(pins).with_context(|| format!("cannot make `{}`", pins.display()))?;
        let mut programs = EbpfLoader::new()
            .load_file(object)
            .with_context(|| format!("cannot load `{}`", object.display()))?;
        pass(&mut programs)?
            .load()
            .context("the kernel does not accept the lab's program `pass`")?;
        let switch = Self {
            namespace,
            pins: pins.to_owned(),
            connected: Mutex::new(Connected {
                ports: BTreeMap::new(),
                programs,
            }),
        };
        switch.add(ports)?;
        Ok(switch)
    }

    /// Connects `ports`, interfaces that are in the switch's namespace already.
    pub(crate) fn add(&self, ports: &[String]) -> Result<()> {
        for port in ports {
            compute_checksums(&self.namespace, port)?;
        }
        let up = |port| format!("link set {port} master {BRIDGE} up");
        self.namespace.ip(ports.iter().map(up))?;
        let connected = &mut *self.connected();
        let programs = &mut connected.programs;
        let indices = self.namespace.run(|| attach(programs, ports, &self.pins))?;
        connected.ports.extend(indices);
        Ok(())
    }

    /// Forgets the port of a host whose namespace was removed, and waits until the kernel has
    /// removed it too.
    pub(crate) fn forget(&self, port: &str) -> Result<()> {
        self.connected().ports.remove(port);
        wait::until(&format!("port `{port}` to disappear"), REMOVAL, || {
            let table = self.table()?;
            Ok(sent_frames(&table, port).is_none())
        })?;
        fs::remove_file(self.pins.join(port))
            .with_context(|| format!("cannot remove the pin of port `{port}`"))
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Frames that the host at `port` has sent, as its port's program counted them.
    ///
    /// # Errors
    ///
    /// There is no such port, or the counter cannot be read.
    pub fn sent_by(&self, port: &str) -> Result<u64> {
        self.counted("PACKETS", port)
    }

    /// Of these: TCP over IPv4.
    ///
    /// # Errors
    ///
    /// There is no such port, or the counter cannot be read.
    pub fn tcp_sent_by(&self, port: &str) -> Result<u64> {
        self.counted("TCP_PACKETS", port)
    }

    fn counted(&self, map: &str, port: &str) -> Result<u64> {
        let connected = self.connected();
        let index = connected
            .ports
            .get(port)
            .with_context(|| format!("no port `{port}`"))?;
        let found = connected.programs.map(map);
        let map = found.with_context(|| format!("the lab's object has no map `{map}`"))?;
        let packets: PerCpuArray<&MapData, u64> = PerCpuArray::try_from(map)?;
        Ok(packets.get(index, 0)?.iter().sum())
    }

    /// Frames that the switch has delivered to the host at `port`, as the kernel counted them.
    ///
    /// # Errors
    ///
    /// There is no such port.
    pub fn delivered_to(&self, port: &str) -> Result<u64> {
        sent_frames(&self.table()?, port).with_context(|| format!("no port `{port}`"))
    }

    /// Takes the cable of `port` out, or puts it in again.
    ///
    /// # Errors
    ///
    /// There is no such port.
    pub fn set_connected(&self, port: &str, is_connected: bool) -> Result<()> {
        let state = if is_connected { "up" } else { "down" };
        program::output(
            self.namespace
                .command("ip")
                .args(["link", "set", port, state]),
        )?;
        Ok(())
    }

    /// Lets every frame from and to `port` vanish though its carrier is there, or ends that.
    ///
    /// # Errors
    ///
    /// There is no such port, or it has no cable.
    pub fn set_deaf(&self, port: &str, is_deaf: bool) -> Result<()> {
        let state = if is_deaf { DEAF } else { FORWARDING };
        // `ip link set type bridge_slave` accepts a state and ignores it.
        let mut command = self.namespace.command("bridge");
        program::output(command.args(["link", "set", "dev", port, "state", state]))?;
        Ok(())
    }

    /// Loses every SYN that is sent to a host's Ethernet address, and nothing else; or ends that.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_losing_syns(&self, mac: [u8; 6], is_losing: bool) -> Result<()> {
        let mut connected = self.connected();
        let found = connected.programs.map_mut("LOST_SYNS");
        let map = found.context("the lab's object has no map `LOST_SYNS`")?;
        let mut lost: HashMap<&mut MapData, u64, u32> = HashMap::try_from(map)?;
        if is_losing {
            lost.insert(key_of(mac), 1, 0)?;
        } else {
            lost.remove(&key_of(mac))?;
        }
        Ok(())
    }

    /// A tap on the switch itself: what is sent there goes to the hosts as from any other.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn tap(&self) -> Result<Tap> {
        Tap::open(&self.namespace, BRIDGE, tap::EVERYTHING)
    }

    /// The kernel's table of interfaces with their counters.
    fn table(&self) -> Result<String> {
        self.namespace
            .run(|| Ok(fs::read_to_string("/proc/thread-self/net/dev")?))
    }

    fn connected(&self) -> MutexGuard<'_, Connected> {
        // What a panic leaves undone is only missing.
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass(programs: &mut Ebpf) -> Result<&mut Xdp> {
    let pass = programs
        .program_mut("pass")
        .context("the lab's object has no program `pass`")?;
    Ok(pass.try_into()?)
}

/// Attaches `pass` to every port, and pins the links, so that a kept lab goes on without its maker.
/// The caller is in the switch's namespace.
fn attach(programs: &mut Ebpf, ports: &[String], pins: &Path) -> Result<BTreeMap<String, u32>> {
    let pass = pass(programs)?;
    let mut indices = BTreeMap::new();
    for port in ports {
        let link = pass
            .attach(port, XdpMode::Driver)
            .with_context(|| format!("cannot attach `pass` to port `{port}`"))?;
        let link = FdLink::try_from(pass.take_link(link)?)?;
        link.pin(pins.join(port))
            .with_context(|| format!("cannot pin the link of `{port}`"))?;
        indices.insert(port.clone(), nix::net::if_::if_nametoindex(port.as_str())?);
    }
    Ok(indices)
}

/// Turns off what a virtual Ethernet link only pretends to do in hardware: native XDP loses the
/// note that a checksum is still to be computed, and the receiver drops the packet.
pub(crate) fn compute_checksums(namespace: &Namespace, interface: &str) -> Result<()> {
    let mut command: Command = namespace.command("ethtool");
    program::output(command.args(["-K", interface, "tx", "off"]))?;
    Ok(())
}

/// Frames sent, from the kernel's table of interfaces.
fn sent_frames(table: &str, interface: &str) -> Option<u64> {
    const SENT_FRAMES: usize = 9;
    table.lines().find_map(|line| {
        let (name, counters) = line.split_once(':')?;
        (name.trim() == interface)
            .then(|| counters.split_whitespace().nth(SENT_FRAMES))??
            .parse()
            .ok()
    })
}

/// What the lab's program calls an Ethernet address.
fn key_of(mac: [u8; 6]) -> u64 {
    let mut key = [0; 8];
    key[..6].copy_from_slice(&mac);
    u64::from_ne_bytes(key)
}

#[cfg(test)]
mod tests;
