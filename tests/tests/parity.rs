//! The packet path in the kernel against the very same stages on the host.
//!
//! Both are fed the same frames, some as a client would send them, most damaged
//! in some way; after each, action, bytes and counters must be the same. The
//! tables change meanwhile. `PARITY_SEED` repeats a run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path as FilePath;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use aya::programs::{TestRun, TestRunOptions};
use distributor_common::abi::{self, map};
use distributor_common::counter::Totals;
use distributor_common::flow::{BUCKET_SLOTS, FlowKey, Stamp, State, Tag};
use distributor_common::host::HostTables;
use distributor_common::host::frame::Frame;
use distributor_common::packet::SlicePacket;
use distributor_common::wire::tcp::{ACK, FIN, RST, SYN};
use distributor_common::{Action, distribute};
use distributor_user::engine::forwarding::{Forwarding, Path, ServiceKey, ServiceTargets};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use socket2::{Domain, Socket, Type};
use tests::{program, sandbox};

const FRAMES: u32 = 100_000;
const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
/// So few that most new flows find a full bucket.
const BUCKETS: usize = 8;
/// `lo`: where the kernel says test-run packets come from.
const INGRESS: u32 = 1;
/// No such interface.
const NOWHERE: u32 = 99;
/// A client port that has a connection to this host itself.
const CONNECTED: u16 = 40_007;

const VIPAS: [[u8; 4]; 2] = [[10, 1, 3, 10], [10, 1, 3, 11]];
const SERVICES: [([u8; 4], u16); 3] = [(VIPAS[0], 8443), (VIPAS[0], 9443), (VIPAS[1], 8443)];
const TARGETS: u8 = 5;

fn target(slot: u8) -> IpAddr {
    Ipv4Addr::new(172, 1, 1, 1 + slot).into()
}

/// The two packet paths.
struct Pair {
    kernel: Dataplane,
    host: HostTables,
    forwarding: Forwarding,
    flows: Array<MapData, [u64; 2 * BUCKET_SLOTS]>,
    redirect: u32,
}

impl Pair {
    fn open(pin_dir: &FilePath) -> Result<Self> {
        let ip = |line: &str| program::output(Command::new("ip").args(line.split(' ')));
        ip("link set lo up")?;
        ip("link add eth0 type veth peer name peer0")?;
        ip("link set eth0 up")?;
        ip("link set peer0 up")?;
        let redirect = nix::net::if_::if_nametoindex("eth0")?;
        let options = DataplaneOptions {
            pin_dir: pin_dir.to_owned(),
            interfaces: Vec::new(),
            flow_capacity: u32::try_from(BUCKETS * BUCKET_SLOTS)?,
            seeds: Some(SEEDS),
        };
        let mut kernel = Dataplane::open(&options)?;
        stop_clock(pin_dir)?;
        let mut host = HostTables::new(BUCKETS, SEEDS);
        host.interfaces.insert(redirect);
        let mut forwarding = Forwarding::default();
        for (dvipa, port) in SERVICES {
            host.add_service(dvipa, port, &[]);
            let dvipa = Ipv4Addr::from(dvipa).into();
            let rows = (0..TARGETS).map(target).collect();
            let targets = ServiceTargets {
                rows,
                ring: [].into(),
            };
            forwarding
                .services
                .insert(ServiceKey { dvipa, port }, targets);
        }
        forwarding.targets = (0..TARGETS)
            .map(|slot| (target(slot), Path::Unreachable))
            .collect();
        kernel.apply(&forwarding)?;
        let flows = MapData::from_pin(pin_dir.join(map::FLOWS))?;
        Ok(Self {
            kernel,
            host,
            forwarding,
            flows: Array::try_from(Map::Array(flows))?,
            redirect,
        })
    }

    /// Changes a ring or a path on both sides.
    fn change(&mut self, random: &mut StdRng) -> Result<()> {
        if random.random_bool(0.5) {
            let service = random.random_range(0..SERVICES.len());
            let len = random.random_range(0..8);
            let ring: Vec<u16> = (0..len)
                .map(|_| random.random_range(0..u16::from(TARGETS)))
                .collect();
            let (dvipa, port) = SERVICES[service];
            let dvipa = Ipv4Addr::from(dvipa).into();
            let known = self
                .forwarding
                .services
                .get_mut(&ServiceKey { dvipa, port });
            known.context("a known service")?.ring = ring.clone().into();
            self.host.set_ring(u32::try_from(service)?, &ring);
        } else {
            let slot = random.random_range(0..TARGETS);
            let [source_mac, next_hop_mac] = random.random::<[[u8; 6]; 2]>();
            let ifindex = *[INGRESS, INGRESS, self.redirect, NOWHERE]
                .choose(random)
                .context("four")?;
            let (engine, packet) = match random.random_range(0..6) {
                0 => (Path::Local, abi::Path::Local),
                1 => (Path::Unreachable, abi::Path::Unreachable),
                _ => (
                    Path::Link {
                        ifindex,
                        source_mac,
                        next_hop_mac,
                    },
                    abi::Path::link(ifindex, source_mac, next_hop_mac),
                ),
            };
            self.forwarding.targets.insert(target(slot), engine);
            self.host.set_path(u16::from(slot), packet);
        }
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Makes a flow older on both sides, or whatever a stamp can say.
    fn age(&mut self, random: &mut StdRng) -> Result<()> {
        let slot = random.random_range(0..BUCKET_SLOTS);
        let stamp = Stamp::from_jiffies(random.random_range(4000..4096), 0);
        self.edit(random, slot, |tag| {
            if tag.state() == State::Free {
                tag
            } else {
                tag.with_stamp(stamp)
            }
        })
    }

    /// Takes the lock of a bucket on both sides, or gives it back, as if another CPU did.
    fn toggle_lock(&mut self, random: &mut StdRng) -> Result<()> {
        self.edit(random, 0, |tag| Tag(tag.0 ^ Tag::LOCK))
    }

    fn edit(&mut self, random: &mut StdRng, slot: usize, new: impl Fn(Tag) -> Tag) -> Result<()> {
        let bucket = random.random_range(0..BUCKETS);
        let index = u32::try_from(bucket)?;
        let mut words = self.flows.get(&index, 0)?;
        let word = &self.host.buckets()[bucket].slots[slot].tag;
        ensure!(
            word.load() == words[2 * slot + 1],
            "slot {slot} of bucket {bucket} differs"
        );
        let tag = new(Tag(word.load())).0;
        words[2 * slot + 1] = tag;
        word.store(tag);
        Ok(self.flows.set(index, words, 0)?)
    }

    /// Feeds both with a frame and compares.
    fn compare(&mut self, frame: &[u8]) -> Result<()> {
        let mut of_host = frame.to_vec();
        let verdict = distribute(&mut SlicePacket::new(&mut of_host, INGRESS), &self.host);
        let mut of_kernel = vec![0; frame.len()];
        let result = self.kernel.program()?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut of_kernel),
            ..TestRunOptions::default()
        })?;
        let expected = match verdict.action() {
            Action::Drop => 1,
            Action::Pass => 2,
            Action::Transmit => 3,
            Action::Redirect => 4,
        };
        let action = result.return_value;
        ensure!(
            action == expected,
            "kernel {action}, host {expected} ({verdict:?})"
        );
        ensure!(
            of_kernel == of_host,
            "kernel {of_kernel:02x?}\n  host {of_host:02x?}"
        );
        let of_host: Totals = [&self.host.counters()].into_iter().collect();
        let of_kernel = self.kernel.counters()?;
        let differences: Vec<_> = of_kernel
            .iter()
            .zip(of_host.iter())
            .filter(|(kernel, host)| kernel != host)
            .map(|((counter, kernel), (_, host))| (counter.name, kernel, host))
            .collect();
        ensure!(
            differences.is_empty(),
            "counter, kernel, host: {differences:?}"
        );
        Ok(())
    }

    /// New connections by service and row, of the kernel and of the host.
    fn connections(&self) -> Result<[Vec<Vec<u64>>; 2]> {
        let kernel = SERVICES.iter().map(|&(dvipa, port)| {
            let rows = self
                .kernel
                .total_connections(Ipv4Addr::from(dvipa).into(), port);
            rows.into_iter().map(|(_, count)| count).collect()
        });
        let host = (0..u32::try_from(SERVICES.len())?).map(|service| {
            // On the host, rows are places of the ring; what they have in common is the sum.
            self.host.connection_counts(service).to_vec()
        });
        Ok([kernel.collect(), host.collect()])
    }
}

/// Makes the kernel's program see the same moment for ever, as the host's stages do.
fn stop_clock(pin_dir: &FilePath) -> Result<()> {
    const WORDS: usize = size_of::<abi::Settings>() / 8;
    const SHIFT: usize = std::mem::offset_of!(abi::Settings, stamp_shift) / 8;
    let settings = MapData::from_pin(pin_dir.join(map::SETTINGS))?;
    let mut settings: Array<_, [u64; WORDS]> = Array::try_from(Map::Array(settings))?;
    let mut words = settings.get(&0, 0)?;
    words[SHIFT] = 63;
    Ok(settings.set(0, words, 0)?)
}

/// A connection from [`CONNECTED`] that ends on this host.
fn connect_here() -> Result<(Socket, TcpListener, std::net::TcpStream)> {
    let ip = |line: &str| program::output(Command::new("ip").args(line.split(' ')));
    ip("address add 10.1.3.10/32 dev lo")?;
    ip("address add 10.1.1.100/32 dev lo")?;
    let service: SocketAddr = "10.1.3.10:8443".parse()?;
    let listener = TcpListener::bind(service)?;
    let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    client.bind(&SocketAddr::new([10, 1, 1, 100].into(), CONNECTED).into())?;
    client.connect(&service.into())?;
    let (server, _) = listener.accept()?;
    Ok((client, listener, server))
}

/// A frame that a client could have sent.
fn plausible(random: &mut StdRng) -> Frame {
    let flags = *[
        SYN,
        SYN,
        ACK,
        ACK,
        ACK | 8,
        FIN | ACK,
        RST,
        RST | ACK,
        SYN | ACK,
        random.random(),
    ]
    .choose(random)
    .unwrap_or(&SYN);
    let frame = Frame::new(random.random_range(40_000..40_200), flags);
    let (dvipa, port) = *SERVICES.choose(random).unwrap_or(&SERVICES[0]);
    let rarely = |random: &mut StdRng, most: u16| {
        if random.random_bool(0.1) {
            random.random_range(0..=most)
        } else {
            0
        }
    };
    let small = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
    Frame {
        dvipa,
        port: if random.random_bool(0.02) {
            random.random()
        } else {
            port
        },
        ttl: if random.random_bool(0.05) {
            random.random_range(0..4)
        } else {
            random.random()
        },
        ip_options: small(rarely(random, 10)),
        tcp_options: small(rarely(random, 10)),
        fragment: if random.random_bool(0.02) {
            random.random()
        } else {
            0x4000
        },
        // Now and then more than fits into the first piece of a packet.
        payload: if random.random_bool(0.002) {
            5000
        } else {
            rarely(random, 1400)
        },
        ..frame
    }
}

/// The frame's bytes, damaged more often than not.
fn damaged(random: &mut StdRng, frame: Frame) -> Vec<u8> {
    let mut bytes = frame.bytes();
    if random.random_bool(0.4) {
        return bytes;
    }
    for _ in 0..random.random_range(0..4) {
        // Mostly in the headers, where it matters.
        let most = bytes.len().min(if random.random_bool(0.9) {
            60
        } else {
            bytes.len()
        });
        let at = random.random_range(0..most);
        if random.random_bool(0.5) {
            bytes[at] ^= 1 << random.random_range(0..8);
        } else {
            bytes[at] = random.random();
        }
    }
    if random.random_bool(0.2) {
        // The kernel takes no test packet that is shorter than an Ethernet header.
        bytes.truncate(random.random_range(14..=bytes.len()));
    } else if random.random_bool(0.1) {
        bytes.resize(bytes.len() + random.random_range(1..20), 0);
    }
    bytes
}

#[test]
fn kernel_and_host_agree() {
    let seed = std::env::var("PARITY_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("PARITY_SEED={seed}");
    let compare = |pin_dir: &FilePath| {
        let mut random = StdRng::seed_from_u64(seed);
        let mut pair = Pair::open(pin_dir)?;
        let _sockets = connect_here()?;
        pair.host
            .sockets
            .push(FlowKey::tcp([10, 1, 1, 100], CONNECTED, VIPAS[0], 8443));
        for number in 0..FRAMES {
            if random.random_bool(0.01) {
                pair.change(&mut random)?;
            }
            if random.random_bool(0.1) {
                pair.age(&mut random)?;
            }
            if random.random_bool(0.01) {
                pair.toggle_lock(&mut random)?;
            }
            let frame = plausible(&mut random);
            let bytes = damaged(&mut random, frame);
            pair.compare(&bytes)
                .with_context(|| format!("frame {number} {frame:?}\n sent {bytes:02x?}"))?;
        }
        let totals = pair.kernel.counters()?;
        let never: Vec<_> = totals.iter().filter(|(_, count)| *count == 0).collect();
        let [kernel, host] = pair.connections()?;
        let sums = |services: &[Vec<u64>]| -> Vec<u64> {
            services.iter().map(|rows| rows.iter().sum()).collect()
        };
        ensure!(
            sums(&kernel) == sums(&host),
            "connections: {kernel:?} {host:?}"
        );
        Ok(never
            .into_iter()
            .map(|(counter, _)| counter.name)
            .collect::<Vec<_>>())
    };
    let never = sandbox::run(compare).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(never, [""; 0], "these ways were not tried");
}
