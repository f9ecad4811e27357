//! Who answers for an address on the client LAN, and which client believes what.
//!
//! Answers are taken from the wire, never from a daemon: two owners are two
//! hosts that answer the same question. It is the last client of a lab that
//! asks: an answer freshens what the asker believes, so whose gaps are measured
//! must be another one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::host::{Host, LAN_INTERFACE};
use crate::lab::Lab;
use crate::program;
use crate::stack::Stack;
use crate::wait;

mod arp;
mod nd;
mod request;

use request::{Asker, Mac};

/// How long the answers to one question are listened for.
const PATIENCE: Duration = Duration::from_millis(10);

/// Pause between two questions of a [`Watch`].
const PAUSE: Duration = Duration::from_millis(20);

/// How long somebody may take to answer for an address.
const ANSWER: Duration = Duration::from_secs(15);

/// Lets `client` believe that `address` is at `stack`, whatever it is told, until
/// [released](release).
///
/// # Errors
///
/// The kernel refuses.
pub fn pin(client: &Host, address: impl Into<IpAddr>, stack: &Host) -> Result<()> {
    let address = address.into();
    let mac = written(mac_of(stack, LAN_INTERFACE)?);
    client.namespace().ip([format!(
        "neighbour replace {address} lladdr {mac} dev {LAN_INTERFACE} nud permanent"
    )])
}

/// Lets `client` forget what it believes of `address`.
///
/// # Errors
///
/// It believed nothing.
pub fn release(client: &Host, address: impl Into<IpAddr>) -> Result<()> {
    let address = address.into();
    client
        .namespace()
        .ip([format!("neighbour del {address} dev {LAN_INTERFACE}")])
}

/// Asks once who has `address`: the names of all stacks that say so within 10 ms.
///
/// # Errors
///
/// The client's interface is down.
pub fn holders(lab: &Lab, address: impl Into<IpAddr>) -> Result<BTreeSet<String>> {
    Question::new(lab, address.into())?.ask()
}

/// Waits until `stack`, and nobody else, answers for `address`.
///
/// # Errors
///
/// It does not in time.
pub fn wait_for_holder(lab: &Lab, address: impl Into<IpAddr>, stack: &str) -> Result<()> {
    let address = address.into();
    let question = Question::new(lab, address)?;
    let mut found = BTreeSet::new();
    let what = format!("{stack} alone to answer for `{address}`");
    wait::until(&what, ANSWER, || {
        found = question.ask()?;
        Ok(found.len() == 1 && found.contains(stack))
    })
    .with_context(|| format!("last answered {found:?}"))
}

/// The Ethernet address of a host's interface.
pub(crate) fn mac_of(host: &Host, interface: &str) -> Result<Mac> {
    let mut command = host.namespace().command("ip");
    command.args(["-json", "link", "show", "dev", interface]);
    let links: Value = serde_json::from_str(&program::output(&mut command)?)?;
    let text = links[0]["address"].as_str().context("no address")?;
    let mut mac = [0; 6];
    for (byte, digits) in mac.iter_mut().zip(text.split(':')) {
        *byte = u8::from_str_radix(digits, 16)?;
    }
    Ok(mac)
}

/// An Ethernet address as people write it.
fn written(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// What is asked again and again, and whose Ethernet addresses may answer.
#[derive(Debug)]
struct Question {
    asker: Asker,
    stacks: BTreeMap<Mac, String>,
}

impl Question {
    fn new(lab: &Lab, address: IpAddr) -> Result<Self> {
        let client = lab.clients().last().context("a lab without clients")?;
        let mac = mac_of(client, LAN_INTERFACE)?;
        let asker = Asker::new(client, mac, address)?;
        let mut stacks = BTreeMap::new();
        let is_there = |stack: &&Stack| stack.namespace().path().exists();
        for stack in lab.stacks().iter().filter(is_there) {
            stacks.insert(mac_of(stack, LAN_INTERFACE)?, stack.name().to_owned());
        }
        Ok(Self { asker, stacks })
    }

    fn ask(&self) -> Result<BTreeSet<String>> {
        let holders = self.asker.ask(PATIENCE)?;
        let name = |mac: Mac| {
            self.stacks
                .get(&mac)
                .cloned()
                .unwrap_or_else(|| written(mac))
        };
        Ok(holders.into_iter().map(name).collect())
    }
}

/// Asks who has an address as long as it lives.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Sighting>>>>,
}

/// Who answered one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was asked.
    pub at: Instant,
    /// Who answered, by name; an unknown Ethernet address stands for itself.
    pub holders: BTreeSet<String>,
}

impl Watch {
    /// Starts to ask. It knows the stacks that are there now.
    ///
    /// # Errors
    ///
    /// An interface is not there.
    pub fn start(lab: &Lab, address: impl Into<IpAddr>) -> Result<Self> {
        let question = Question::new(lab, address.into())?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut seen: Vec<Sighting> = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let at = Instant::now();
                let holders = question.ask()?;
                seen.push(Sighting { at, holders });
                thread::sleep(PAUSE);
            }
            Ok(seen)
        });
        Ok(Self {
            is_over,
            thread: Some(thread),
        })
    }

    /// Stops, and returns who answered each question.
    ///
    /// # Errors
    ///
    /// A question could not be asked.
    pub fn stop(mut self) -> Result<Vec<Sighting>> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("stopped twice")?;
        match thread.join() {
            Ok(seen) => seen,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The sightings of more than one holder in two consecutive questions: between two owners that
/// follow each other, one question may be answered by both.
#[must_use]
pub fn rivals(seen: &[Sighting]) -> Vec<&Sighting> {
    let pairs = seen.windows(2);
    pairs
        .filter(|pair| pair.iter().all(|sighting| sighting.holders.len() > 1))
        .map(|pair| &pair[0])
        .collect()
}
