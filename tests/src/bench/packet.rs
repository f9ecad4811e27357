//! How long the packet path needs for a packet.
//!
//! Measured by `BPF_PROG_TEST_RUN` on one CPU with hot caches, in every case
//! through a program that first makes the packet new; that program's own time
//! is part of all numbers. What is compared is measured in turn, a few milliseconds
//! each: a machine that is slow for a while, as shared ones are, is slow for both. Of
//! many such pairs the one with the median ratio counts.

use std::path::Path as FilePath;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, MapData, ProgramArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use distributor_common::host::frame::Frame;
use distributor_common::wire::tcp::{ACK, SYN};
use distributor_user::engine::forwarding::{Choice, Forwarding, Path, ServiceKey, ServiceTargets};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions};

use super::{Case, Cost, Measurement, Options};
use crate::{program, sandbox};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "packet",
    about: "the packet path on one packet, beside the least that a program can cost",
    cases: Vec::new,
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
/// Runs of either side in a pair. The kernel rounds a run to a nanosecond; their mean is finer.
const ALTERNATIONS: u32 = 5;
/// Pairs of which the median counts, at least.
const PAIRS: u32 = 15;

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

/// The map `SCRIPT` of the lab's object: a frame, the number of flows less one, packets so far.
type Script = [u64; FRAME_LEN / 8 + 2];

/// A program, and the packets that it is given.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    program: Program,
    frame: Frame,
    flows: u64,
    action: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Empty,
    Bare,
    Distribute,
}

/// Two subjects, and what the ratio of the one to the other may be.
struct Comparison {
    subject: Subject,
    reference: Subject,
    limit: f64,
}

fn comparisons() -> [Comparison; 6] {
    let segment = Frame {
        tcp_options: 2, // fills the frame to 62 bytes; padding makes it 64
        ..Frame::new(0, ACK)
    };
    let known = |name, flows| Subject {
        name,
        program: Program::Distribute,
        frame: segment,
        flows,
        action: XDP_TX,
    };
    let foreign = |name, flows| Subject {
        frame: Frame {
            dvipa: [10, 1, 3, 11],
            ..segment
        },
        action: XDP_PASS,
        ..known(name, flows)
    };
    let new = |name| Subject {
        frame: Frame {
            flags: SYN,
            ..segment
        },
        ..known(name, 1 << 32)
    };
    let bare = Subject {
        program: Program::Bare,
        ..known("bare forwarder", 1)
    };
    let empty = Subject {
        program: Program::Empty,
        action: XDP_PASS,
        ..known("empty program", 1)
    };
    let compare = |subject, reference, limit| Comparison {
        subject,
        reference,
        limit,
    };
    [
        compare(known("established, 1 flow", 1), bare, 2.2),
        // No requirement, only alarms: caches decide about these three.
        compare(known("established, 1,024 flows", 1 << 10), bare, 3.0),
        compare(known("established, 16,384 flows", 1 << 14), bare, 8.0),
        compare(new("new flow, stored"), bare, 20.0),
        compare(foreign("not a VIPA, 1 flow", 1), empty, 1.4),
        compare(foreign("not a VIPA, 1 M flows", 1 << 20), empty, 1.4),
    ]
}

fn run(options: &Options) -> Result<Vec<Case>> {
    let pairs = options.repeat.unwrap_or_default().max(PAIRS);
    let object = program::lab_object()?;
    sandbox::run(|pin_dir| {
        let mut harness = Harness::open(&object, pin_dir)?;
        let cases = comparisons().into_iter().map(|comparison| {
            let cost = harness.compare(&comparison, pairs);
            cost.map(Case::Cost)
                .with_context(|| format!("cannot measure `{}`", comparison.subject.name))
        });
        cases.collect()
    })
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
            rows: [TARGET].into(),
            ring: [0].into(),
            choice: Choice::Turn,
            affinity: None,
        };
        dataplane.apply(&Forwarding {
            targets: [(TARGET, lo)].into(),
            services: [(SERVICE, service)].into(),
            ..Forwarding::default()
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

    /// Measures subject and reference in turn, and returns the pair with the median ratio.
    fn compare(&mut self, comparison: &Comparison, pairs: u32) -> Result<Cost> {
        let Comparison {
            subject,
            reference,
            limit,
        } = comparison;
        let pairs = (0..pairs).map(|_| {
            let mut pair = [0.0; 2];
            for _ in 0..ALTERNATIONS {
                pair[0] += self.run(subject)?;
                pair[1] += self.run(reference)?;
            }
            let [ns, reference_ns] = pair.map(|sum| sum / f64::from(ALTERNATIONS));
            let name = reference.name;
            Ok(Cost::new(subject.name, ns, name, reference_ns, *limit))
        });
        let mut cases = pairs.collect::<Result<Vec<_>>>()?;
        cases.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
        Ok(cases.swap_remove(cases.len() / 2))
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
        if subject.program == Program::Distribute && subject.action == XDP_TX {
            let _ = self.dataplane.forget_target(TARGET);
        }
        Ok(ns)
    }

    /// Runs `packets` packets, beginning with the first flow.
    fn repeat(&mut self, frame: &Frame, subject: &Subject, packets: u32) -> Result<f64> {
        let mut bytes = frame.bytes();
        bytes.resize(FRAME_LEN, 0);
        let mut script: Script = [0; FRAME_LEN / 8 + 2];
        for (word, bytes) in script.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into()?);
        }
        script[FRAME_LEN / 8] = subject.flows - 1;
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
