//! A network behind a router, which the lab has only where a test asks for it.
//!
//! ```text
//!   lan ─── 10.1.1.254 ROUTER 10.9.9.254 ─── far ─── 10.9.9.3, `far0` of TCPIP3
//! ```
//!
//! The router knows its two networks and nothing of DVIPAs or tunnels. Whoever
//! is not on the far network reaches it by the router.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result};

use super::Lab;
use crate::host::LAN_INTERFACE;
use crate::namespace::Namespace;
use crate::program;
use crate::switch::{Switch, compute_checksums};

/// The interface of a stack on the far network.
pub const FAR_INTERFACE: &str = "far0";

/// The router on the client LAN.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 254);

/// What the switches call the router's ports.
const PORT: &str = "router";

/// The far network, and the router before it.
#[derive(Debug)]
pub struct FarNetwork {
    namespace: Namespace,
    switch: Switch,
}

impl FarNetwork {
    /// The router's network namespace.
    #[must_use]
    pub fn router(&self) -> &Namespace {
        &self.namespace
    }

    /// The far network.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The address on the far network of the stack `name`.
    #[must_use]
    pub fn address(lab: &Lab, name: &str) -> Ipv4Addr {
        let [.., number] = lab.stack(name).xcf_address().octets();
        Ipv4Addr::new(10, 9, 9, number)
    }
}

impl Lab {
    /// Builds a network behind a router, with an interface of each of these stacks on it, which their
    /// daemons are told of. All others have a route to it.
    ///
    /// # Errors
    ///
    /// The machine refuses.
    pub fn add_far_network(&self, stacks: &[&str]) -> Result<FarNetwork> {
        let object = program::lab_object()?;
        let namespace = self.claim.namespace(PORT);
        let far = self.claim.namespace("far");
        Namespace::create_all([&namespace, &far])?;
        let link = |interface: &str, host: &Namespace, port: &str, switch: &Namespace| {
            format!(
                "link add {interface} netns {} type veth peer name {port} netns {}",
                host.name(),
                switch.name()
            )
        };
        let lines = stacks
            .iter()
            .map(|name| {
                let stack = self.stack(name);
                link(FAR_INTERFACE, stack.namespace(), stack.port(), &far)
            })
            .chain([
                link(LAN_INTERFACE, &namespace, PORT, self.lan.namespace()),
                link(FAR_INTERFACE, &namespace, PORT, &far),
            ]);
        program::ip(&mut Command::new("ip"), lines)?;
        self.lan.add(&[PORT.to_owned()])?;
        let ports: Vec<String> = stacks
            .iter()
            .map(|name| self.stack(name).port().to_owned())
            .chain([PORT.to_owned()])
            .collect();
        let switch = Switch::connect(far, &ports, &object, &self.claim.pins().join("far"))?;

        let configure = |namespace: &Namespace, links: &[(&str, Ipv4Addr)]| -> Result<()> {
            let mut lines = vec!["link set lo up".to_owned()];
            for (interface, address) in links {
                lines.push(format!("address add {address}/24 dev {interface}"));
                lines.push(format!("link set {interface} up"));
            }
            namespace.ip(lines)?;
            links
                .iter()
                .try_for_each(|(interface, _)| compute_checksums(namespace, interface))
        };
        configure(
            &namespace,
            &[
                (LAN_INTERFACE, ROUTER),
                (FAR_INTERFACE, Ipv4Addr::new(10, 9, 9, 254)),
            ],
        )?;
        namespace.run(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("no router without it")
        })?;
        for name in stacks {
            let stack = self.stack(name);
            configure(
                stack.namespace(),
                &[(FAR_INTERFACE, FarNetwork::address(self, name))],
            )?;
            stack.add_arguments(["--interface", FAR_INTERFACE]);
        }
        for host in self
            .stacks
            .iter()
            .filter(|host| !stacks.contains(&host.name()))
        {
            host.namespace()
                .ip([format!("route add 10.9.9.0/24 via {ROUTER}")])?;
        }
        Ok(FarNetwork { namespace, switch })
    }
}
