//! The orders in force: what an operator has said, and has not undone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::servers::{JobName, Server};

/// For what a stack is no target while it is quiesced, or weighs what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// `TARGET`: for everything.
    Target,
    /// `PORT=`: for services of this port, of every DVIPA.
    Port(u16),
    /// `JOBNAME=`, perhaps with `PORT=`: for what these servers take.
    Server(Server),
}

impl Scope {
    /// The job whose servers alone are meant.
    #[must_use]
    pub fn job(&self) -> Option<JobName> {
        match self {
            Self::Server(server) => Some(server.job),
            Self::Target | Self::Port(_) => None,
        }
    }

    /// Whether it is about services of this port.
    #[must_use]
    pub fn concerns(&self, port: u16) -> bool {
        match self {
            Self::Target => true,
            Self::Port(named) => *named == port,
            Self::Server(server) => server.concerns(port),
        }
    }

    /// As it is ordered.
    fn words(self) -> String {
        match self {
            Self::Target => "target".to_owned(),
            Self::Port(port) => format!("port={port}"),
            Self::Server(server) => server.to_string(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => f.write_str("this target"),
            Self::Port(port) => write!(f, "port {port} of this target"),
            Self::Server(Server { port: None, job }) => {
                write!(f, "job {job} of this target")
            }
            Self::Server(Server {
                port: Some(port),
                job,
            }) => write!(f, "job {job} on port {port} of this target"),
        }
    }
}

/// When a drain ends, whatever is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reset {
    scope: Scope,
    at: Duration,
}

/// The orders in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    pub(super) has_left: bool,
    pub(super) deactivated: BTreeSet<IpAddr>,
    is_quiesced: bool,
    quiesced_ports: BTreeSet<u16>,
    quiesced_servers: BTreeSet<Server>,
    weight: Option<u8>,
    weights_of_ports: BTreeMap<u16, u8>,
    /// When connections that are left are reset; of each scope once.
    resets: Vec<Reset>,
}

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut orders = Vec::new();
        if self.has_left {
            orders.push("leavegroup".to_owned());
        }
        orders.extend(
            self.deactivated
                .iter()
                .map(|dvipa| format!("deactivate {dvipa}")),
        );
        orders.extend(self.quiesced().map(|scope| format!("quiesce {scope}")));
        orders.extend(self.weight.map(|weight| format!("weight {weight} target")));
        orders.extend(
            self.weights_of_ports
                .iter()
                .map(|(port, weight)| format!("weight {weight} port={port}")),
        );
        f.write_str(&orders.join(", "))
    }
}

impl Orders {
    /// What they are to a daemon that begins so much later, at zero.
    #[must_use]
    pub fn after(mut self, passed: Duration) -> Self {
        for reset in &mut self.resets {
            reset.at = reset.at.saturating_sub(passed);
        }
        self
    }

    /// Whether this stack must not have a DVIPA.
    pub(super) fn forbid(&self, dvipa: IpAddr) -> bool {
        self.has_left || self.deactivated.contains(&dvipa)
    }

    /// Whether no new connections to a port must be sent to this stack, whichever its servers are.
    #[must_use]
    pub fn quiesce(&self, port: u16) -> bool {
        self.is_quiesced || self.quiesced_ports.contains(&port)
    }

    /// The servers that get no new connections.
    #[must_use]
    pub fn quiesced_servers(&self) -> &BTreeSet<Server> {
        &self.quiesced_servers
    }

    /// Whether servers of a job that PORT names get no new connections to a port.
    #[must_use]
    pub fn quiesce_job(&self, port: u16, job: &str) -> bool {
        let mut servers = self.quiesced_servers.iter();
        self.quiesce(port) || servers.any(|server| server.concerns(port) && server.job.covers(job))
    }

    /// All that is quiesced, as it was ordered.
    pub fn quiesced(&self) -> impl Iterator<Item = String> {
        let target = self.is_quiesced.then_some(Scope::Target).into_iter();
        let ports = self.quiesced_ports.iter().copied().map(Scope::Port);
        let servers = self.quiesced_servers.iter().copied().map(Scope::Server);
        target.chain(ports).chain(servers).map(Scope::words)
    }

    /// What this stack weighs as a target for a port, if it was told.
    pub(super) fn weight(&self, port: u16) -> Option<u8> {
        self.weights_of_ports.get(&port).copied().or(self.weight)
    }

    pub(super) fn set_weight(&mut self, scope: Scope, weight: Option<u8>) {
        match (scope, weight) {
            (Scope::Target, weight) => self.weight = weight,
            (Scope::Port(port), Some(weight)) => {
                self.weights_of_ports.insert(port, weight);
            }
            (Scope::Port(port), None) => {
                self.weights_of_ports.remove(&port);
            }
            // An owner weighs stacks, and knows no servers.
            (Scope::Server(_), _) => {}
        }
    }

    pub(super) fn has_quiesced(&self, scope: Scope) -> bool {
        match scope {
            Scope::Target => self.is_quiesced,
            Scope::Port(port) => self.quiesced_ports.contains(&port),
            Scope::Server(server) => self.quiesced_servers.contains(&server),
        }
    }

    /// Quiesces a scope, or resumes it; no drain of it ends any more in a reset.
    pub(super) fn set_quiesced(&mut self, scope: Scope, is_quiesced: bool) {
        self.resets.retain(|reset| reset.scope != scope);
        match scope {
            Scope::Target => self.is_quiesced = is_quiesced,
            Scope::Port(port) => set(&mut self.quiesced_ports, port, is_quiesced),
            Scope::Server(server) => set(&mut self.quiesced_servers, server, is_quiesced),
        }
    }

    /// Quiesces a scope for good; what is left then is reset.
    pub(super) fn drain(&mut self, scope: Scope, until: Option<Duration>) {
        self.set_quiesced(scope, true);
        self.resets.extend(until.map(|at| Reset { scope, at }));
    }

    /// When the next drain ends.
    pub(super) fn next_reset(&self) -> Option<Duration> {
        self.resets.iter().map(|reset| reset.at).min()
    }

    /// Takes what is to be reset by now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Scope> {
        let due = self.resets.extract_if(.., |reset| now >= reset.at);
        due.map(|reset| reset.scope).collect()
    }
}

fn set<T: Ord>(members: &mut BTreeSet<T>, member: T, is_one: bool) {
    if is_one {
        members.insert(member);
    } else {
        members.remove(&member);
    }
}
