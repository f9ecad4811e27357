//! How long the packet path needs for a packet.
//!
//! Measured by `BPF_PROG_TEST_RUN` on one CPU with hot caches, in every case
//! through a program that first makes the packet new; that program's own time
//! is part of all numbers. What is compared is measured in turn, a run each, so
//! that a machine that is slow for a while is slow for all.

use std::path::Path as FilePath;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, MapData, ProgramArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use distributor_common::host::frame::Frame;
use distributor_common::wire::tcp::{ACK, SYN};
use distributor_user::engine::forwarding::{Forwarding, Path, ServiceKey, ServiceTargets};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions};

use super::{Case, Measurement};
use crate::{program, sandbox};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "packet",
    about: "the packet path on one packet, beside the least that a program can cost",
    run,
};

const TARGET: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(172, 1, 1, 2));
const SERVICE: ServiceKey = ServiceKey {
    dvipa: std::net::IpAddr::V4(crate::lab::VIPA),
    port: crate::lab::PORT,
};
const FRAME_LEN: usize = 64;
/// Room for four times the flows of any case, so that none is displaced.
const FLOW_CAPACITY: u32 = 1 << 20;
/// Packets of a run. New flows stay below a quarter of the table.
const PACKETS: u32 = 200_000;

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

/// The map `SCRIPT` of the lab's object: Ethernet addresses in two words, time to live with
/// checksum, destination address, destination port, number of flows less one, packets so far.
type Script = [u64; 7];

/// One thing to measure.
struct Subject {
    name: &'static str,
    program: Program,
    frame: Frame,
    flows: u64,
    action: u32,
    /// What it is compared with, and what the ratio may be.
    limit: Option<(usize, f64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Empty,
    Bare,
    Distribute,
}

/// Place of the empty program in [`subjects`].
const EMPTY: usize = 0;
/// Place of the bare forwarder in [`subjects`].
const BARE: usize = 1;

fn subjects() -> [Subject; 8] {
    let segment = Frame {
        tcp_options: 2, // fills the frame to 62 bytes; padding makes it 64
        ..Frame::new(0, ACK)
    };
    let subject = |name, flows, limit| Subject {
        name,
        program: Program::Distribute,
        frame: segment,
        flows,
        action: XDP_TX,
        limit: Some((BARE, limit)),
    };
    let foreign = Frame {
        dvipa: [10, 1, 3, 11],
        ..segment
    };
    [
        Subject {
            program: Program::Empty,
            action: XDP_PASS,
            limit: None,
            ..subject("empty program", 1, 0.0)
        },
        Subject {
            program: Program::Bare,
            limit: None,
            ..subject("bare forwarder", 1, 0.0)
        },
        subject("established, 1 flow", 1, 2.2),
        // No requirement, only alarms: caches decide about these.
        subject("established, 1,024 flows", 1 << 10, 3.0),
        subject("established, 16,384 flows", 1 << 14, 8.0),
        Subject {
            frame: Frame {
                flags: SYN,
                ..segment
            },
            ..subject("new flow, stored", 1 << 32, 20.0)
        },
        Subject {
            frame: foreign,
            action: XDP_PASS,
            limit: Some((EMPTY, 1.4)),
            ..subject("not a VIPA, 1 flow", 1, 0.0)
        },
        Subject {
            frame: foreign,
            action: XDP_PASS,
            limit: Some((EMPTY, 1.4)),
            ..subject("not a VIPA, 1 M flows", 1 << 20, 0.0)
        },
    ]
}

fn run(repeat: u32) -> Result<Vec<Case>> {
    let object = program::lab_object()?;
    let medians = sandbox::run(|pin_dir| measure(&object, pin_dir, repeat.max(7)))?;
    let subjects = subjects();
    let compared = subjects.iter().zip(&medians).filter_map(|(subject, ns)| {
        let (reference, limit) = subject.limit?;
        let name = subjects[reference].name;
        Some(Case::new(
            subject.name,
            *ns,
            name,
            medians[reference],
            limit,
        ))
    });
    Ok(compared.collect())
}

/// Measures every subject `repeat` times, in turn, and returns the medians.
fn measure(object: &FilePath, pin_dir: &FilePath, repeat: u32) -> Result<Vec<f64>> {
    let mut harness = Harness::open(object, pin_dir)?;
    let subjects = subjects();
    let mut runs = vec![Vec::new(); subjects.len()];
    for _ in 0..repeat {
        for (subject, runs) in subjects.iter().zip(&mut runs) {
            let ns = harness.run(subject);
            runs.push(ns.with_context(|| format!("cannot measure `{}`", subject.name))?);
        }
    }
    Ok(runs.into_iter().map(median).collect())
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

struct Harness {
    dataplane: Dataplane,
    lab: Ebpf,
    script: Array<MapData, Script>,
    measured: ProgramArray<MapData>,
}

impl Harness {
    fn open(object: &FilePath, pin_dir: &FilePath) -> Result<Self> {
        let mut dataplane = Dataplane::open(&DataplaneOptions {
            pin_dir: pin_dir.to_owned(),
            interfaces: Vec::new(),
            flow_capacity: FLOW_CAPACITY,
            seeds: None,
        })?;
        let lo = Path::Link {
            ifindex: 1, // where the kernel says test-run packets come from
            source_mac: [2; 6],
            next_hop_mac: [4; 6],
        };
        let service = ServiceTargets {
            rows: vec![TARGET],
            ring: vec![0],
        };
        dataplane.apply(&Forwarding {
            targets: [(TARGET, lo)].into(),
            services: [(SERVICE, service)].into(),
        })?;

        let mut lab = EbpfLoader::new().load_file(object)?;
        for name in ["restore", "empty", "bare"] {
            program_of(&mut lab, name)?.load()?;
        }
        let mut take = |name| {
            lab.take_map(name)
                .with_context(|| format!("no map `{name}`"))
        };
        let script = Array::try_from(take("SCRIPT")?)?;
        let measured = ProgramArray::try_from(take("MEASURED")?)?;
        Ok(Self {
            dataplane,
            lab,
            script,
            measured,
        })
    }

    /// Nanoseconds for one packet of `subject`.
    fn run(&mut self, subject: &Subject) -> Result<f64> {
        let program = match subject.program {
            Program::Empty => program_of(&mut self.lab, "empty")?,
            Program::Bare => program_of(&mut self.lab, "bare")?,
            Program::Distribute => self.dataplane.program()?,
        };
        let program = program.fd()?.try_clone()?;
        self.measured.set(0, &program, 0)?;
        let is_known = subject.program == Program::Distribute && subject.frame.flags == ACK;
        if is_known && subject.action == XDP_TX {
            let flows = u32::try_from(subject.flows)?;
            for flags in [SYN, ACK] {
                let frame = Frame {
                    flags,
                    ..subject.frame
                };
                self.repeat(&frame, subject, flows)?;
            }
            let stored = self.dataplane.flows().count();
            ensure!(stored as u64 == subject.flows, "{stored} flows are stored");
        } else {
            // Warms what there is to warm.
            self.repeat(&subject.frame, subject, 1000)?;
        }
        let ns = self.repeat(&subject.frame, subject, PACKETS)?;
        let _ = self.dataplane.forget_target(TARGET);
        Ok(ns)
    }

    /// Runs `packets` packets, beginning with the first flow.
    fn repeat(&mut self, frame: &Frame, subject: &Subject, packets: u32) -> Result<f64> {
        let mut bytes = frame.bytes();
        bytes.resize(FRAME_LEN, 0);
        let word = |at: usize, len: usize| {
            let mut word = [0; 8];
            word[..len].copy_from_slice(&bytes[at..at + len]);
            u64::from_ne_bytes(word)
        };
        let script = [
            word(0, 8),
            word(8, 4),
            word(22, 4),
            word(30, 4),
            word(36, 2),
            subject.flows - 1,
            0,
        ];
        self.script.set(0, script, 0)?;
        let mut output = [0; FRAME_LEN];
        let result = program_of(&mut self.lab, "restore")?.test_run(TestRunOptions {
            data_in: Some(&bytes),
            data_out: Some(&mut output),
            repeat: packets,
            ..TestRunOptions::default()
        })?;
        ensure!(
            result.return_value == subject.action,
            "expected action {}, found {}",
            subject.action,
            result.return_value
        );
        Ok(result.duration.as_secs_f64() * 1e9)
    }
}

fn program_of<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = object.program_mut(name);
    let program = program.with_context(|| format!("the lab's object has no program `{name}`"))?;
    Ok(program.try_into()?)
}
