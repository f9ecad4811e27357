//! How long the packet path needs for a packet.
//!
//! Measured by `BPF_PROG_TEST_RUN` on one CPU, in every case through a program
//! that first makes the packet new and takes the next flow. That program's own
//! time, and a test run's, is measured around a program that does nothing, and
//! subtracted; it gives a packet that was put into another one its length back, by a
//! call of the kernel that it makes for every packet of IPv4. Every case has a reference beside it: a bare look-up, or insert, in
//! the kernel's own LRU hash. Case, reference and nothing are measured in turn, a
//! few milliseconds each: a machine that is slow for a while, as shared ones are,
//! is slow for all three. Of many such rounds the one with the median ratio counts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path as FilePath;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, MapData, ProgramArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use distributor_common::abi::Family;
use distributor_common::wire::tcp::{ACK, SYN};
use distributor_user::engine::config::RouteEncapsulation;
use distributor_user::engine::forwarding::{
    Choice, Ends, FlowState, Forwarding, Path, ServiceKey, ServiceTargets, Tunnel,
};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions};

use self::cases::{Comparison, ENDLESS, Program, Subject, XDP_TX, comparisons, flood, subject};
use super::{Case, Cost, Measurement, Options};
use crate::{program, sandbox};

mod cases;

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "packet",
    about: "the packet path on one packet, beside a look-up in the kernel's LRU hash",
    cases: Vec::new,
    run,
};

const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 1, 1, 2));
const DVIPAS: [IpAddr; 2] = [IpAddr::V4(crate::lab::VIPA), IpAddr::V6(crate::lab::VIPA6)];
/// Length of the longest frame, and of those of IPv4; a tunnel's outer header comes before that.
const FRAME_LEN: usize = 88;
const IPV4_LEN: usize = 64;
/// Places in either table for each flow of a case. In the kernel's that is enough for it to forget none;
/// in ours, nine in a thousand find a full bucket.
const PLACES: u64 = 2;
/// How many flows the tables are for where that does not matter, or where there is no end to them.
const MANY: u64 = 1 << 20;
/// A small table, for a flood.
const FLOODED_CAPACITY: u64 = 1 << 17;
/// Established flows for it: eight of ten places. Some find a full bucket.
const FLOODED_FLOWS: u64 = 105_521;
/// Packets of a run.
const PACKETS: u32 = 1 << 17;
/// Runs of each in a round. The kernel rounds a run to a nanosecond; their mean is finer.
const ALTERNATIONS: u32 = 5;
/// Rounds of which the median counts, at least.
const ROUNDS: u32 = 9;

/// The lab's programs that are measured with or against.
const PROGRAMS: [&str; 7] = [
    "restore",
    "restore_ipv6",
    "empty",
    "find",
    "find_ipv6",
    "store",
    "store_ipv6",
];

/// The map `SCRIPT` of the lab's object: a frame, the number of flows less one, packets so far.
type Script = [u64; FRAME_LEN / 8 + 2];

fn run(options: &Options) -> Result<Vec<Case>> {
    let rounds = options.repeat.unwrap_or_default().max(ROUNDS);
    let object = program::lab_object()?;
    let costs = comparisons().into_iter().map(|comparison| {
        let cost = sandbox::run(|pin_dir| {
            let flows = comparison.table_flows();
            let mut harness = Harness::open(&object, pin_dir, flows * PLACES, flows)?;
            harness.distribute(comparison.encapsulation)?;
            harness.compare(&comparison, rounds)
        });
        cost.with_context(|| format!("cannot measure `{}`", comparison.subject.name))
    });
    let mut costs = costs.collect::<Result<Vec<_>>>()?;
    costs.push(sandbox::run(|pin_dir| {
        let mut harness = Harness::open(&object, pin_dir, FLOODED_CAPACITY, MANY)?;
        harness.distribute(None)?;
        harness.flood(rounds)
    })?);
    Ok(costs.into_iter().map(Case::Cost).collect())
}

struct Harness {
    dataplane: Dataplane,
    lab: Ebpf,
    script: Array<MapData, Script>,
    measured: ProgramArray<MapData>,
    /// Packets so far: each run goes on where the last one ended.
    packets: u64,
}

impl Harness {
    /// With so many places in the flow table, and a kernel's table for so many flows.
    fn open(object: &FilePath, pin_dir: &FilePath, places: u64, lru_flows: u64) -> Result<Self> {
        let dataplane = Dataplane::open(&DataplaneOptions {
            pin_dir: pin_dir.to_owned(),
            interfaces: Vec::new(),
            flow_capacity: u32::try_from(places)?,
            seeds: None,
        })?;
        let mut lab = EbpfLoader::new()
            .map_max_entries("LRU", u32::try_from(lru_flows * PLACES)?)
            .map_max_entries("LRU_IPV6", u32::try_from(lru_flows * PLACES)?)
            .load_file(object)?;
        for name in PROGRAMS {
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
            packets: 0,
        })
    }

    /// Distributes both DVIPAs to one target, on the link on which packets come.
    fn distribute(&mut self, encapsulation: Option<RouteEncapsulation>) -> Result<()> {
        /// Where the kernel says test-run packets come from.
        const IFINDEX: u32 = 1;
        let (source_mac, next_hop_mac) = ([2; 6], [4; 6]);
        let link = Path::Link {
            ifindex: IFINDEX,
            source_mac,
            next_hop_mac,
        };
        let path = encapsulation.map_or(link, |encapsulation| Path::Tunnel {
            ifindex: IFINDEX,
            source_mac,
            next_hop_mac,
            tunnel: Tunnel {
                encapsulation,
                ends: Ends {
                    source: [10, 1, 1, 1].into(),
                    destination: [10, 9, 1, 2].into(),
                },
                mtu: 1500,
            },
        });
        let services = DVIPAS.map(|dvipa| {
            let targets = ServiceTargets {
                rows: [TARGET].into(),
                ring: [0].into(),
                choice: Choice::Turn,
                affinity: None,
            };
            let port = crate::lab::PORT;
            (ServiceKey { dvipa, port }, targets)
        });
        Ok(self.dataplane.apply(&Forwarding {
            targets: [(TARGET, path)].into(),
            services: services.into(),
            ..Forwarding::default()
        })?)
    }

    /// Measures subject, reference and nothing in turn, and returns the round with the median ratio.
    fn compare(&mut self, comparison: &Comparison, rounds: u32) -> Result<Cost> {
        self.learn(&comparison.subject)?;
        self.learn(&comparison.reference)?;
        let cost = self.measure(comparison, rounds, true)?;
        let _ = self.dataplane.forget_target(TARGET);
        Ok(cost)
    }

    /// The same with a table that is nearly full of established flows, of which none may be lost.
    fn flood(&mut self, rounds: u32) -> Result<Cost> {
        for flags in [SYN, ACK] {
            let filling = subject("filling", Program::Distribute, flags, ENDLESS);
            self.packets = ENDLESS / 2;
            self.take_up(&filling)?;
            self.repeat(&filling, u32::try_from(FLOODED_FLOWS)?)?;
        }
        let established = |harness: &Self| {
            let flows = harness.dataplane.flows();
            flows
                .filter(|flow| flow.state == FlowState::Established)
                .count()
        };
        // Some have found a full bucket and are in no table.
        let before = established(self);
        ensure!(
            before as u64 > FLOODED_FLOWS * 9 / 10,
            "{before} flows are stored"
        );
        self.packets = 0;
        let cost = self.measure(&flood(), rounds, false)?;
        let lost = before - established(self);
        ensure!(lost == 0, "{lost} of {before} established flows are lost");
        Ok(cost)
    }

    fn measure(
        &mut self,
        comparison: &Comparison,
        rounds: u32,
        is_forgotten: bool,
    ) -> Result<Cost> {
        let Comparison {
            subject,
            reference,
            limit,
            ..
        } = comparison;
        let nothing = Subject {
            program: Program::Empty,
            action: XDP_TX,
            ..*subject
        };
        let rounds = (0..rounds).map(|_| {
            let mut round = [0.0; 3];
            for _ in 0..ALTERNATIONS {
                for (sum, subject) in round.iter_mut().zip([subject, reference, &nothing]) {
                    *sum += self.run(subject)?;
                    let is_new = subject.program == Program::Distribute && !subject.is_known;
                    if is_forgotten && is_new && subject.action == XDP_TX {
                        let _ = self.dataplane.forget_target(TARGET);
                    }
                }
            }
            let [ns, reference_ns, nothing] = round.map(|sum| sum / f64::from(ALTERNATIONS));
            let (ns, reference_ns) = (ns - nothing, reference_ns - nothing);
            Ok(Cost::new(
                subject.name,
                ns,
                reference.name,
                reference_ns,
                *limit,
            ))
        });
        let mut costs = rounds.collect::<Result<Vec<_>>>()?;
        costs.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
        Ok(costs.swap_remove(costs.len() / 2))
    }

    /// Puts all flows of a subject into its table.
    fn learn(&mut self, subject: &Subject) -> Result<()> {
        if !subject.is_known {
            return Ok(());
        }
        let flows = u32::try_from(subject.flows)?;
        let teachers: &[(Program, u8)] = match subject.program {
            Program::Distribute => &[(Program::Distribute, SYN), (Program::Distribute, ACK)],
            Program::Find => &[(Program::Store, ACK)],
            Program::Empty | Program::Store => &[],
        };
        for (program, flags) in teachers {
            let teacher = cases::subject(subject.name, *program, *flags, subject.flows);
            let teacher = match subject.family {
                Family::Ipv4 => teacher,
                Family::Ipv6 => teacher.ipv6(*flags),
            };
            self.take_up(&teacher)?;
            self.repeat(&teacher, flows)?;
        }
        if subject.program == Program::Distribute {
            let stored = self.dataplane.flows().count() as u64;
            let wanted = subject.flows - subject.flows / 50;
            ensure!(stored >= wanted, "{stored} flows are stored");
        }
        Ok(())
    }

    /// Nanoseconds for one packet of `subject`, with everything around it.
    fn run(&mut self, subject: &Subject) -> Result<f64> {
        self.take_up(subject)?;
        self.repeat(subject, PACKETS)
    }

    /// Has `restore` call the subject's program.
    fn take_up(&mut self, subject: &Subject) -> Result<()> {
        let program = match subject.program {
            Program::Empty => program_of(&mut self.lab, "empty")?,
            Program::Find => program_of(&mut self.lab, subject.lab_program("find", "find_ipv6"))?,
            Program::Store => {
                program_of(&mut self.lab, subject.lab_program("store", "store_ipv6"))?
            }
            Program::Distribute => self.dataplane.program()?,
        };
        let program = program.fd()?.try_clone()?;
        Ok(self.measured.set(0, &program, 0)?)
    }

    /// Runs `packets` packets, and returns the nanoseconds that one took.
    fn repeat(&mut self, subject: &Subject, packets: u32) -> Result<f64> {
        let mut script: Script = [0; FRAME_LEN / 8 + 2];
        for (word, bytes) in script.iter_mut().zip(subject.bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into()?);
        }
        script[FRAME_LEN / 8] = subject.flows - 1;
        script[FRAME_LEN / 8 + 1] = self.packets;
        self.packets += u64::from(packets);
        self.script.set(0, script, 0)?;
        let mut output = [0; 2 * FRAME_LEN];
        let restore = subject.lab_program("restore", "restore_ipv6");
        let result = program_of(&mut self.lab, restore)?.test_run(TestRunOptions {
            data_in: Some(subject.frame()),
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
