//! One machine of a lab: a network namespace with its links.
//!
//! A host knows nothing of the distributor; a client is no more than this.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::lab::in_ipv6;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::program;
use crate::switch::compute_checksums;

/// The interface on the client LAN, in every stack and client.
pub const LAN_INTERFACE: &str = "eth0";

/// The interface on the DYNAMICXCF network, in every stack.
pub const XCF_INTERFACE: &str = "xcf0";

/// A stack or a client of a lab.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    port: String,
    namespace: Namespace,
    directory: PathBuf,
    lan_address: Ipv4Addr,
    /// Of a stack: what is started there.
    cgroup: Option<Cgroup>,
}

impl Host {
    pub(crate) fn new(
        name: String,
        namespace: Namespace,
        directory: PathBuf,
        lan_address: Ipv4Addr,
        cgroup: Option<Cgroup>,
    ) -> Self {
        Self {
            port: name.to_lowercase(),
            name,
            namespace,
            directory,
            lan_address,
            cgroup,
        }
    }

    /// Its name, such as `TCPIP2` or `CLIENT`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the switches call its ports.
    #[must_use]
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The directory for its files.
    #[must_use]
    pub fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Its address on the client LAN.
    #[must_use]
    pub fn lan_address(&self) -> Ipv4Addr {
        self.lan_address
    }

    /// Its IPv6 address there.
    #[must_use]
    pub fn lan_address6(&self) -> Ipv6Addr {
        in_ipv6(self.lan_address)
    }

    /// Its cgroup, if it is a stack.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Starts a program, in its cgroup if it has one; what it writes goes to `NAME.log` in its directory.
    ///
    /// It is moved to the cgroup while it already runs, for that takes the kernel a while: what it starts
    /// in its first moments stays outside.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn start(&self, name: &str, command: &mut Command) -> Result<Process> {
        let log = self.directory.join(format!("{name}.log"));
        let process = Process::start(format!("{name} on {}", self.name), log, command)?;
        if let Some(cgroup) = &self.cgroup {
            cgroup.take(process.id())?;
        }
        Ok(process)
    }

    /// Index and Ethernet address of one of its interfaces.
    ///
    /// # Errors
    ///
    /// There is no such interface.
    pub fn link(&self, interface: &str) -> Result<(u32, [u8; 6])> {
        let mut command = self.namespace.command("ip");
        let text = program::output(command.args(["-json", "link", "show", interface]))?;
        let links: Value = serde_json::from_str(&text)?;
        let index = links[0]["ifindex"].as_u64().context("no index")?;
        let address = links[0]["address"].as_str().context("no address")?;
        let mut mac = [0; 6];
        for (byte, digits) in mac.iter_mut().zip(address.split(':')) {
            *byte = u8::from_str_radix(digits, 16)?;
        }
        Ok((u32::try_from(index)?, mac))
    }

    /// One of the kernel's TCP counters of this host, such as `OutRsts`.
    ///
    /// # Errors
    ///
    /// There is no such counter.
    pub fn tcp_counter(&self, name: &str) -> Result<u64> {
        // `/proc/net` would be the namespace of this process's main thread.
        let table = self
            .namespace
            .run(|| Ok(fs::read_to_string("/proc/thread-self/net/snmp")?))?;
        let mut rows = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let names = rows.next().unwrap_or_default().split(' ');
        let values = rows.next().unwrap_or_default().split(' ');
        names
            .zip(values)
            .find_map(|(this, value)| (this == name).then(|| value.parse().ok())?)
            .with_context(|| format!("the kernel has no TCP counter `{name}`"))
    }

    /// Gives the host its addresses and routes. Its links are there already.
    ///
    /// `links` are its interfaces with the IPv4 address of each, which tells the IPv6 one.
    pub(crate) fn configure(&self, links: &[(&str, Ipv4Addr)], routes: &[String]) -> Result<()> {
        // A host that is rebuilt keeps its files.
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make `{}`", self.directory.display()))?;
        self.namespace.run(|| {
            // What a careful administrator sets: a daemon must be able to work with it.
            set("ipv4/conf/all/rp_filter", "1")?;
            // No two hosts of a lab have the same address, and nobody wants to wait to be sure.
            links.iter().try_for_each(|(interface, ..)| {
                set(&format!("ipv6/conf/{interface}/accept_dad"), "0")
            })
        })?;
        let mut batch = vec!["link set lo up".to_owned()];
        for (interface, address) in links {
            let ipv6 = in_ipv6(*address);
            batch.push(format!("address add {address}/24 dev {interface}"));
            batch.push(format!("address add {ipv6}/64 dev {interface} nodad"));
            batch.push(format!("link set {interface} up"));
        }
        batch.extend(routes.iter().map(|route| format!("route add {route}")));
        self.namespace.ip(batch)?;
        links
            .iter()
            .try_for_each(|(interface, ..)| compute_checksums(&self.namespace, interface))
    }
}

/// Changes a setting of the calling thread's namespace.
fn set(name: &str, value: &str) -> Result<()> {
    fs::write(format!("/proc/sys/net/{name}"), value)
        .with_context(|| format!("cannot set `net/{name}` to {value}"))
}
