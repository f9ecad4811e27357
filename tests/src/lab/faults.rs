//! What goes wrong in a lab, and comes back: links, and whole stacks.
//!
//! A stack that is powered off is gone as a machine is: its daemon, its network
//! namespace with every address, neighbour and socket, its pins, and what it
//! kept in `/run`. Its files on disk stay: the profile, the group's key.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};

use super::{Lab, configure, link};
use crate::host::{LAN_INTERFACE, XCF_INTERFACE};
use crate::namespace::Namespace;
use crate::neighbour;
use crate::program;
use crate::switch::Switch;

/// One of a lab's two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The client LAN.
    Lan,
    /// The DYNAMICXCF network.
    Xcf,
}

impl Network {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Lan, Self::Xcf];
}

/// How a link fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The cable is out: the stack sees that its carrier is gone.
    Unplugged,
    /// Frames vanish in both directions, and every carrier stays.
    Silent,
}

impl Lab {
    /// Cuts the links of `stack` to `networks`, in this order.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn cut(&self, stack: &str, networks: &[Network], fault: Fault) -> Result<()> {
        self.set_links(stack, networks, fault, true)
    }

    /// Heals what [`Self::cut`] has cut, in this order.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn heal(&self, stack: &str, networks: &[Network], fault: Fault) -> Result<()> {
        self.set_links(stack, networks, fault, false)
    }

    /// Loses the SYNs that come for `stack` by `network`, and nothing else; or ends that.
    ///
    /// # Errors
    ///
    /// The stack has no such interface, or the kernel refuses.
    pub fn lose_syns(&self, stack: &str, network: Network, is_losing: bool) -> Result<()> {
        let interface = match network {
            Network::Lan => LAN_INTERFACE,
            Network::Xcf => XCF_INTERFACE,
        };
        let mac = neighbour::mac_of(self.stack(stack).host(), interface)?;
        self.switch(network).set_losing_syns(mac, is_losing)
    }

    /// Powers `stack` off. The caller has dropped the servers that this process runs on it.
    ///
    /// # Errors
    ///
    /// Something of the stack cannot be removed.
    pub fn power_off(&self, stack: &str) -> Result<()> {
        let stack = self.stack(stack);
        stack.kill_if_running()?;
        for process in stack.namespace().processes()? {
            // Only a process that has just ended refuses.
            let _ = kill(process, Signal::SIGKILL);
        }
        stack.namespace().remove()?;
        for network in Network::ALL {
            self.switch(network).forget(stack.port())?;
        }
        match fs::remove_dir_all(stack.pins().join(stack.name())) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("cannot remove the stack's pins");
            }
            Ok(()) | Err(_) => {}
        }
        // No file is there if no daemon ever ran.
        for entry in fs::read_dir(stack.run_directory()).into_iter().flatten() {
            let path = entry?.path();
            if path.file_stem().is_some_and(|stem| stem == stack.name()) {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove `{}`", path.display()))?;
            }
        }
        Ok(())
    }

    /// Builds what [`Self::power_off`] has removed, under the same names and with new Ethernet
    /// addresses; its daemon is not started yet.
    ///
    /// # Errors
    ///
    /// The machine refuses.
    pub fn power_on(&self, stack: &str) -> Result<()> {
        let stack = self.stack(stack);
        Namespace::create_all([stack.namespace()])?;
        let links = [
            link(stack, LAN_INTERFACE, self.lan.namespace()),
            link(stack, XCF_INTERFACE, self.xcf.namespace()),
        ];
        program::ip(&mut Command::new("ip"), links)?;
        for network in Network::ALL {
            self.switch(network).add(&[stack.port().to_owned()])?;
        }
        configure(stack, Some(stack.xcf_address()))
    }

    fn set_links(
        &self,
        stack: &str,
        networks: &[Network],
        fault: Fault,
        is_cut: bool,
    ) -> Result<()> {
        let port = self.stack(stack).port();
        networks.iter().try_for_each(|network| {
            let switch = self.switch(*network);
            match fault {
                Fault::Unplugged => switch.set_connected(port, !is_cut),
                Fault::Silent => switch.set_deaf(port, is_cut),
            }
        })
    }

    fn switch(&self, network: Network) -> &Switch {
        match network {
            Network::Lan => &self.lan,
            Network::Xcf => &self.xcf,
        }
    }
}
