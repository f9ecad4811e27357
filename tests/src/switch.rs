//! The two networks of a lab, each a bridge in a namespace of its own.
//!
//! A stack's interfaces lead to a switch by virtual Ethernet links. Such a link
//! delivers what an XDP program sends into it only if its other end runs an XDP
//! program too: so every port of a switch runs `pass`, which changes nothing
//! and counts what came in. The kernel counts what went out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use aya::maps::{MapData, PerCpuArray};
use aya::programs::links::FdLink;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

use crate::namespace::Namespace;
use crate::program;

/// The bridge inside a switch's namespace.
const BRIDGE: &str = "bridge";

/// One network: a bridge with a port for every host on it, named as the host's namespace.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
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
        let bridge = [
            format!("link add {BRIDGE} type bridge"),
            format!("link set {BRIDGE} up"),
        ];
        let ports_up = ports
            .iter()
            .map(|port| format!("link set {port} master {BRIDGE} up"));
        namespace.ip(bridge.into_iter().chain(ports_up))?;

        fs::create_dir(pins).with_context(|| format!("cannot make `{}`", pins.display()))?;
        let mut programs = EbpfLoader::new()
            .load_file(object)
            .with_context(|| format!("cannot load `{}`", object.display()))?;
        let ports = namespace.run(|| attach(&mut programs, ports, pins))?;
        Ok(Self {
            namespace,
            ports,
            programs,
        })
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
        let index = self
            .ports
            .get(port)
            .with_context(|| format!("no port `{port}`"))?;
        let found = self.programs.map(map);
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
        let table = self
            .namespace
            .run(|| Ok(fs::read_to_string("/proc/thread-self/net/dev")?))?;
        sent_frames(&table, port).with_context(|| format!("no port `{port}`"))
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
}

/// Attaches `pass` to every port, and pins the links, so that a kept lab goes on without its maker.
/// The caller is in the switch's namespace.
fn attach(programs: &mut Ebpf, ports: &[String], pins: &Path) -> Result<BTreeMap<String, u32>> {
    let pass: &mut Xdp = programs
        .program_mut("pass")
        .context("the lab's object has no program `pass`")?
        .try_into()?;
    pass.load()
        .context("the kernel does not accept the lab's program `pass`")?;
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
