//! What the programs report, in words.

use std::fs;
use std::io;
use std::net::IpAddr;

use aya::maps::{MapData, RingBuf};
use distributor_common::ports::PortReport;
use tokio::io::unix::AsyncFd;

use crate::engine::config::{Config, PortProtocol};
use crate::engine::ports::{PortMessage, PortRules, Program, Refusal};

/// The ring buffer of the programs.
pub(super) struct Reports(AsyncFd<RingBuf<MapData>>);

impl Reports {
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the ring buffer owns its descriptor, and nothing here replaces or closes it while
        // the reactor knows it.
        let ring = unsafe { AsyncFd::register(ring) }?;
        Ok(Self(ring))
    }

    /// Waits for reports and returns all that are there; waits for ever where none come.
    ///
    /// Safe to cancel: nothing is taken before the wait is over.
    pub(super) async fn next(reports: Option<&mut Self>) -> io::Result<Vec<PortReport>> {
        let Some(Self(ring)) = reports else {
            return std::future::pending().await;
        };
        loop {
            let mut reports = Vec::new();
            while let Some(bytes) = ring.get_mut().next() {
                reports.extend(PortReport::parse(&bytes));
            }
            if !reports.is_empty() {
                return Ok(reports);
            }
            ring.readable_mut().await?.clear_ready();
        }
    }
}

/// What a report says, by the configuration that is in force; `None` for what nobody needs to know.
pub(super) fn message(report: &PortReport, config: &Config) -> Option<PortMessage> {
    let protocol = match report.is_udp {
        0 => PortProtocol::Tcp,
        _ => PortProtocol::Udp,
    };
    let port = report.port;
    let program = Program {
        command: command(report),
        process: report.process,
        user: report.user,
    };
    let why = match report.what {
        PortReport::REFUSED_RESERVED => Refusal::Reserved,
        PortReport::REFUSED_JOB => Refusal::OtherJob(PortRules::admitted(config, protocol, port)),
        PortReport::REFUSED_V6ONLY => Refusal::V6Only(address(config, protocol, port)),
        PortReport::BOUND => {
            return Some(PortMessage::Moved {
                protocol: protocol.word(),
                port,
                program,
                address: address(config, protocol, port),
            });
        }
        _ => return None,
    };
    Some(PortMessage::Refused {
        protocol: protocol.word(),
        port,
        program,
        why,
    })
}

/// The name of the command that a report is about.
pub(super) fn command(report: &PortReport) -> String {
    let name = report.command.split(|byte| *byte == 0).next();
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// The user whose socket it is: the one whom the process acts for, while it lives.
pub(super) fn user(report: &PortReport) -> u32 {
    let status = fs::read_to_string(format!("/proc/{}/status", report.process));
    // Real, effective, saved, and for files, to which the kernel counts sockets
    // (proc_pid_status(5)).
    let acting = status.ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_whitespace().nth(3)?.parse().ok()
    });
    acting.unwrap_or(report.user)
}

/// What BIND says for a port, if all of its entries say the same.
fn address(config: &Config, protocol: PortProtocol, port: u16) -> Option<IpAddr> {
    let entries = config.ports.iter();
    let mut entries = entries.filter(|entry| (entry.protocol, entry.port) == (protocol, port));
    let first = entries.next()?.bind;
    entries.all(|entry| entry.bind == first).then_some(first)?
}
