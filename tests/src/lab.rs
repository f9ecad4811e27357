//! A lab: a client LAN and a separate DYNAMICXCF network, with stacks and clients on them.
//!
//! ```text
//!   CLIENT ─ eth0 ─┐
//!   CLIENT2 ─ eth0 ┤            ┌───────────────┐
//!                  ├─ lan ─ eth0│ TCPIP         │xcf0 ─┐
//!                  ├─ lan ─ eth0│ TCPIP2        │xcf0 ─┤ xcf
//!                  └─ lan ─ eth0│ TCPIP3        │xcf0 ─┘
//!                               └───────────────┘
//!   10.1.1.0/24                                     172.1.1.0/24
//!   fd00:10:1:1::/64                                fd00:172:1:1::/64
//! ```
//!
//! Every box, and either network's bridge, is a network namespace; no packet of
//! a lab ever leaves them. Dropping the lab removes all of it, and so does a
//! signal that ends the process; what a killed process leaves is removed when
//! the next lab starts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::cgroup::Cgroup;
use crate::claim::Claim;
use crate::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use crate::namespace::Namespace;
use crate::stack::Stack;
use crate::switch::Switch;
use crate::{profile, program};

mod addresses;
mod faults;
mod router;

use addresses::{lan_address, xcf_address};

pub use addresses::{DVIPA6, VIPA, VIPA6, in_ipv6};
pub use faults::{Fault, Network};
pub use router::{FAR_INTERFACE, FarNetwork, ROUTER};

/// The distributed port of the scenario.
pub const PORT: u16 = 8443;

/// How many hosts of a kind the networks have addresses for.
const MOST: u8 = 99;

/// What a lab consists of.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The lab's name; without one it is random.
    pub name: Option<&'a str>,
    /// Number of stacks: TCPIP, TCPIP2, TCPIP3 …
    pub stacks: u8,
    /// Number of clients: CLIENT, CLIENT2 …
    pub clients: u8,
}

impl Default for Layout<'_> {
    fn default() -> Self {
        Self {
            name: None,
            stacks: 3,
            clients: 1,
        }
    }
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    // In this order: the programs end before the networks go.
    stacks: Vec<Stack>,
    clients: Vec<Host>,
    lan: Switch,
    xcf: Switch,
    claim: Claim,
}

impl Lab {
    /// Builds a lab; its daemons are not started yet.
    ///
    /// # Errors
    ///
    /// The machine lacks something, which is named, or refuses. Nothing is left behind then.
    pub fn build(layout: &Layout<'_>) -> Result<Self> {
        ensure!(
            layout.stacks.max(layout.clients) <= MOST,
            "a lab has at most {MOST} stacks and {MOST} clients"
        );
        program::require(&[program::LAB_TOOLS])?;
        let object = program::lab_object()?;
        let claim = Claim::new(layout.name)?;
        let cgroup = claim.cgroup()?;
        let host = |name: String, lan_address, cgroup| {
            let directory = claim.directory().join(name.to_lowercase());
            let namespace = claim.namespace(&name.to_lowercase());
            Host::new(name, namespace, directory, lan_address, cgroup)
        };
        let stacks: Vec<_> = (1..=layout.stacks)
            .map(|number| {
                let name = numbered("TCPIP", number);
                let cgroup = cgroup.within(&name.to_lowercase());
                host(name, lan_address(number), Some(cgroup))
            })
            .collect();
        let clients: Vec<_> = (1..=layout.clients)
            .map(|number| host(numbered("CLIENT", number), lan_address(100 + number), None))
            .collect();
        let lan = claim.namespace("lan");
        let xcf = claim.namespace("xcf");

        let hosts = || stacks.iter().chain(&clients);
        Namespace::create_all(hosts().map(Host::namespace).chain([&lan, &xcf]))?;
        let links = hosts()
            .map(|host| link(host, LAN_INTERFACE, &lan))
            .chain(stacks.iter().map(|host| link(host, XCF_INTERFACE, &xcf)));
        program::ip(&mut Command::new("ip"), links)?;

        let mut cgroups = stacks.iter().filter_map(Host::cgroup);
        cgroups.try_for_each(Cgroup::create)?;
        std::fs::create_dir(claim.pins())
            .with_context(|| format!("cannot make `{}`", claim.pins().display()))?;
        let connect = |namespace: Namespace, hosts: Vec<&Host>, name: &str| {
            let ports: Vec<_> = hosts.iter().map(|host| host.port().to_owned()).collect();
            Switch::connect(namespace, &ports, &object, &claim.pins().join(name))
        };
        let configure = |host: &Host| {
            let index = stacks.iter().position(|stack| stack.name() == host.name());
            configure(host, index.map(xcf_address))
        };
        let (lan, xcf) = thread::scope(|scope| -> Result<_> {
            let lan = scope.spawn(|| connect(lan, hosts().collect(), "lan"));
            let xcf = scope.spawn(|| connect(xcf, stacks.iter().collect(), "xcf"));
            hosts().try_for_each(configure)?;
            Ok((joined(lan.join())?, joined(xcf.join())?))
        })?;
        let stacks = stacks
            .into_iter()
            .enumerate()
            .map(|(index, host)| Stack::new(host, xcf_address(index), &claim))
            .collect();
        Ok(Self {
            stacks,
            clients,
            lan,
            xcf,
            claim,
        })
    }

    /// Its name, `sd-…`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.claim.name()
    }

    /// The directory for files that belong to no host.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.claim.directory()
    }

    /// Its stacks, TCPIP first.
    #[must_use]
    pub fn stacks(&self) -> &[Stack] {
        &self.stacks
    }

    /// The stack `name`.
    #[must_use]
    pub fn stack(&self, name: &str) -> &Stack {
        let stack = self.stacks.iter().find(|stack| stack.name() == name);
        stack.expect("a lab's stacks are named TCPIP, TCPIP2, …")
    }

    /// Its clients, CLIENT first.
    #[must_use]
    pub fn clients(&self) -> &[Host] {
        &self.clients
    }

    /// The first client.
    #[must_use]
    pub fn client(&self) -> &Host {
        &self.clients[0]
    }

    /// The client LAN.
    #[must_use]
    pub fn lan(&self) -> &Switch {
        &self.lan
    }

    /// The DYNAMICXCF network.
    #[must_use]
    pub fn xcf(&self) -> &Switch {
        &self.xcf
    }

    /// Starts every daemon: TCPIP owns the VIPA and distributes it over `destinations`. Waits until
    /// the VIPA is wherever it should be.
    ///
    /// # Errors
    ///
    /// A daemon does not start, or the VIPA is not there in time.
    pub fn start(&self, destinations: &[&str]) -> Result<()> {
        let address = |name: &&str| self.stack(name).xcf_address();
        let addresses: Vec<_> = destinations.iter().map(address).collect();
        self.start_with(|stack| match stack.name() {
            "TCPIP" => profile::front_end(stack.xcf_address(), &addresses),
            _ => profile::target(stack.xcf_address()),
        })?;
        let targets = destinations.iter().map(|name| self.stack(name));
        std::iter::once(self.stack("TCPIP"))
            .chain(targets)
            .try_for_each(|stack| stack.wait_for_dvipa(VIPA.into()))
    }

    /// Starts every daemon at once, each with the profile that `profile` gives for it.
    ///
    /// # Errors
    ///
    /// A daemon does not start.
    pub fn start_with(&self, profile: impl Fn(&Stack) -> String) -> Result<()> {
        thread::scope(|scope| {
            let starts = self.stacks.iter().map(|stack| {
                let profile = profile(stack);
                scope.spawn(move || stack.start(&profile))
            });
            let starts: Vec<_> = starts.collect();
            starts
                .into_iter()
                .try_for_each(|start| joined(start.join()))
        })
    }

    /// Leaves the lab and its daemons there until somebody removes it by name.
    ///
    /// # Errors
    ///
    /// The lab's directory is gone.
    pub fn keep(self) -> Result<()> {
        self.stacks.iter().for_each(Stack::keep);
        self.claim.keep()
    }
}

/// `TCPIP`, `TCPIP2`, `TCPIP3` …
fn numbered(name: &str, number: u8) -> String {
    if number == 1 {
        name.to_owned()
    } else {
        format!("{name}{number}")
    }
}

/// Gives a host its addresses and routes; only a stack has DYNAMICXCF addresses.
fn configure(host: &Host, xcf_address: Option<Ipv4Addr>) -> Result<()> {
    let mut links = vec![(LAN_INTERFACE, host.lan_address())];
    let mut routes = vec![];
    match xcf_address {
        Some(address) => links.push((XCF_INTERFACE, address)),
        // As the users of the scenario do: the VIPAs are on this link.
        None => routes.extend(
            [VIPA.into(), VIPA6.into()].map(|vipa: IpAddr| format!("{vipa} dev {LAN_INTERFACE}")),
        ),
    }
    host.configure(&links, &routes)
}

/// The line for `ip` that links an interface of `host` to its port on a switch.
fn link(host: &Host, interface: &str, switch: &Namespace) -> String {
    format!(
        "link add {interface} netns {} type veth peer name {} netns {}",
        host.namespace().name(),
        host.port(),
        switch.name()
    )
}

fn joined<T>(result: thread::Result<Result<T>>) -> Result<T> {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
