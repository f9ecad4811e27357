//! The scenario: a front end, a target with two HTTPS servers, a target with one.
//!
//! Distribution is over stacks, not over servers: the one server of TCPIP3
//! answers as many connections as the two of TCPIP2 together.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::certificate::Certificate;
use crate::host::Host;
use crate::https::{self, Answers, Server};
use crate::lab::{Lab, Layout, PORT, VIPA};
use crate::program;

pub mod moves;

use moves::Moves;

/// What the profiles have in common.
const MEMBER: &str = include_str!("../../examples/profiles/distribute.member");

/// The profile of each stack, as the examples have it.
fn profile(stack: &str) -> &'static str {
    match stack {
        FRONT_END => include_str!("../../examples/profiles/tcpip.profile"),
        "TCPIP2" => include_str!("../../examples/profiles/tcpip2.profile"),
        _ => include_str!("../../examples/profiles/tcpip3.profile"),
    }
}

/// The stack that owns the VIPA.
pub const FRONT_END: &str = "TCPIP";

/// The stack that takes the VIPA over.
pub const BACKUP: &str = "TCPIP2";

/// Clients at work at the same time: more would only wait for the machine's processors.
const AT_ONCE: u32 = 4;

/// The scenario, up and running.
#[derive(Debug)]
pub struct Scenario {
    // In this order: the servers end before their networks go.
    servers: Vec<Server>,
    certificate: Certificate,
    lab: Lab,
}

impl Scenario {
    /// Builds the lab, starts daemons and servers, and waits until the front end knows them all.
    ///
    /// # Errors
    ///
    /// The machine lacks something, which is named, or something does not start.
    pub fn start(name: Option<&str>) -> Result<Self> {
        program::require(&[program::LAB_TOOLS, program::HTTPS_TOOLS])?;
        let lab = Lab::build(&Layout {
            name,
            stacks: 3,
            // The second only watches who answers for the VIPA.
            clients: 2,
        })?;
        let certificate = Certificate::create(VIPA.into(), &lab.directory())?;
        for stack in lab.stacks() {
            // The front end and its backup include it.
            fs::write(stack.directory().join("distribute.member"), MEMBER)?;
        }
        lab.start_with(|stack| profile(stack.name()).to_owned())?;
        for stack in lab.stacks() {
            stack.wait_for_dvipa(VIPA.into())?;
        }
        let (two, three) = (lab.stack("TCPIP2"), lab.stack("TCPIP3"));
        // They know a port and nothing else: their stacks' profiles have them share it, on the VIPA.
        let listen = PORT.to_string();
        let servers = vec![
            Server::start(two, 1, &listen, &certificate)?,
            Server::start(two, 2, &listen, &certificate)?,
            Server::start(three, 1, &listen, &certificate)?,
        ];
        lab.stack(FRONT_END)
            .wait_for_ready(&[("TCPIP2", 2), ("TCPIP3", 1)])?;
        Ok(Self {
            servers,
            certificate,
            lab,
        })
    }

    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The certificate that clients verify.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What clients ask for.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{VIPA}:{PORT}/")
    }

    /// Makes `connections` connections from the client, and compares who answered with what the
    /// front end says that it distributed.
    ///
    /// # Errors
    ///
    /// No connection could be tried, or the front end does not answer.
    pub fn connect(&self, connections: u32) -> Result<Outcome> {
        self.connect_from(self.lab.client(), connections)
    }

    /// The same from another host, which may be a stack.
    ///
    /// # Errors
    ///
    /// No connection could be tried, or the front end does not answer.
    pub fn connect_from(&self, host: &Host, connections: u32) -> Result<Outcome> {
        let before = self.totals()?;
        let answers = https::ask(host, &self.certificate, &self.url(), connections, AT_ONCE)?;
        let mut distributed = self.totals()?;
        for (stack, total) in &mut distributed {
            *total -= before.get(stack).copied().unwrap_or_default();
        }
        distributed.retain(|_, total| *total > 0);
        Ok(Outcome {
            connections,
            answers,
            distributed,
        })
    }

    /// Opens `connections` connections that stay open as long as they are held.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub fn hold(&self, connections: u32) -> Result<Vec<TcpStream>> {
        let to = SocketAddr::from((VIPA, PORT));
        self.lab.client().namespace().run(|| {
            (0..connections)
                .map(|_| TcpStream::connect_timeout(&to, Duration::from_secs(10)))
                .collect::<Result<_, _>>()
                .context("cannot connect")
        })
    }

    /// Leaves everything there until somebody removes the lab by name.
    ///
    /// # Errors
    ///
    /// The lab's directory is gone.
    pub fn keep(mut self) -> Result<()> {
        self.servers
            .iter_mut()
            .for_each(|server| server.process().keep());
        self.lab.keep()
    }

    fn totals(&self) -> Result<BTreeMap<String, u64>> {
        let rows = self.lab.stack(FRONT_END).vdpt()?;
        Ok(rows
            .into_iter()
            .map(|row| (row.target, row.total_connections))
            .collect())
    }
}

/// What became of the connections.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How many were tried.
    pub connections: u32,
    /// Who answered them.
    pub answers: Answers,
    /// By how much `TotalConn` in VDPT grew meanwhile, by stack.
    pub distributed: BTreeMap<String, u64>,
}

impl Outcome {
    /// What is not as it should be, in a sentence each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let failed = self.answers.failures.len();
        if let Some(first) = self.answers.failures.first() {
            complaints.push(format!(
                "{failed} connections failed, the first so: {first}"
            ));
        }
        let answered: BTreeMap<_, _> = self
            .answers
            .by_stack()
            .into_iter()
            .map(|(stack, n)| (stack, u64::from(n)))
            .collect();
        if failed == 0 && answered != self.distributed {
            complaints.push(format!(
                "the servers answered {answered:?}, but TotalConn in VDPT grew by {:?}",
                self.distributed
            ));
        }
        let (most, fewest) = (answered.values().max(), answered.values().min());
        if let (Some(most), Some(fewest)) = (most, fewest)
            && (most - fewest > 1 || answered.len() != 2)
        {
            complaints.push(format!("round robin over two stacks is not {answered:?}"));
        }
        complaints
    }

    /// The outcome as a program reads it.
    #[must_use]
    pub fn summary(&self, moves: Moves) -> Summary {
        let by_server = self.answers.by_server.iter();
        Summary {
            connections: self.connections,
            failed: self.answers.failures.len(),
            by_stack: self.answers.by_stack(),
            by_server: by_server
                .map(|(answer, n)| (answer.to_string(), *n))
                .collect(),
            moves,
        }
    }
}

/// What `demo --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    connections: u32,
    failed: usize,
    by_stack: BTreeMap<String, u32>,
    by_server: BTreeMap<String, u32>,
    #[serde(flatten)]
    moves: Moves,
}
