//! The packet path in the kernel against the very same stages on the host.
//!
//! Both are fed the same frames, some as a client would send them, most damaged
//! in some way; after each, action, bytes and counters must be the same. The
//! tables change meanwhile. Some of the frames start on the host itself.
//! `PARITY_SEED` repeats a run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use aya::programs::{TestRun, TestRunOptions};
use distributor_common::abi::{self, Roles, map};
use distributor_common::counter::Totals;
use distributor_common::flow::{BUCKET_SLOTS, FlowKey, Stamp, State, Tag};
use distributor_common::host::HostTables;
use distributor_common::host::frame::{self, Frame};
use distributor_common::packet::SlicePacket;
use distributor_common::probe::{self, Kind};
use distributor_common::stages::{offer, origin};
use distributor_common::wire::tcp::{ACK, FIN, RST, SYN};
use distributor_common::wire::{ethernet, ipv4};
use distributor_common::{Action, Verdict, distribute};
use distributor_user::engine::config::RouteEncapsulation;
use distributor_user::engine::forwarding::{
    Affinity, Choice, DvipaForwarding, Ends, Forwarding, Path, ServiceKey, ServiceTargets, Tunnel,
};
use distributor_user::engine::group::key::{ChoiceKey, ProbeKey};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions, Origin};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use socket2::{Domain, Socket, Type};
use tests::{program, sandbox};

const FRAMES: u32 = 150_000;
const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
/// So few that most new flows find a full bucket.
const BUCKETS: usize = 8;
/// `lo`: where the kernel says test-run packets come from.
const INGRESS: u32 = 1;
/// Lengths of test packets that the kernel takes for a program that sees them on the way out: with a
/// whole IP header, of either version, and in one page.
const OWN: Range<usize> = ethernet::LEN + 40..3000;
/// Bytes in front of a test packet that the kernel leaves to a program (`XDP_PACKET_HEADROOM` less its own).
const ROOM: usize = 200;
/// Bytes by which a packet may grow.
const GROWTH: usize = 64;
/// No such interface.
const NOWHERE: u32 = 99;
/// A client port that has a connection to this host itself.
const CONNECTED: u16 = 40_007;

/// What a program on an interface's way out answers (UAPI `linux/pkt_cls.h`).
const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;

/// The last one has no services.
const VIPAS: [[u8; 4]; 3] = [[10, 1, 3, 10], [10, 1, 3, 11], [10, 1, 3, 12]];
const SERVICES: [([u8; 4], u16); 3] = [(VIPAS[0], 8443), (VIPAS[0], 9443), (VIPAS[1], 8443)];
/// The stack in slot 0 is this one.
const TARGETS: u8 = 6;
const PROBE_KEYS: [[u64; 2]; 2] = [[1, 2], [3, 4]];
const PROBE_PORT: u16 = 4912;
const CHOICE_KEY: [u64; 2] = [5, 6];
const ENCAPSULATIONS: [(RouteEncapsulation, abi::Encapsulation); 2] = [
    (RouteEncapsulation::Gre, abi::Encapsulation::Gre),
    (RouteEncapsulation::Ipip, abi::Encapsulation::Ipip),
];
const CHOICES: [abi::Choice; 3] = [abi::Choice::Turn, abi::Choice::Hash, abi::Choice::Active];

fn target(slot: u8) -> IpAddr {
    Ipv4Addr::new(172, 1, 1, 1 + slot).into()
}

/// The Ethernet address that the member in a slot sends from.
fn member(slot: u8) -> [u8; 6] {
    [2, 0, 0, 9, 0, slot]
}

/// The address to which the member in a slot sends packets inside others, or from which.
fn far_end(slot: u8) -> [u8; 4] {
    [10, 9, slot, 1]
}

/// The two packet paths.
struct Pair {
    kernel: Dataplane,
    origin: Origin,
    /// Held, because the listener and the connection are in the host's tables.
    _sockets: Sockets,
    host: HostTables,
    forwarding: Forwarding,
    roles: [Roles; VIPAS.len()],
    flows: Array<MapData, [u64; 2 * BUCKET_SLOTS * BUCKETS]>,
    settings: Array<MapData, [u64; SETTINGS_WORDS]>,
    redirect: u32,
    /// Some that lead to targets.
    next_hops: Vec<[u8; 6]>,
    is_silent: bool,
}

const SETTINGS_WORDS: usize = size_of::<abi::Settings>() / 8;
const BEAT: usize = std::mem::offset_of!(abi::Settings, life.beat_ns) / 8;
const STAMP_SHIFT: usize = std::mem::offset_of!(abi::Settings, stamp_shift) / 8;

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
        let mut host = HostTables::new(BUCKETS, SEEDS);
        host.interfaces.insert(redirect);
        host.set_now_ns(1 << 62);
        kernel.set_choice_key(ChoiceKey::from_words(CHOICE_KEY));
        host.choice_key = CHOICE_KEY;
        let keys = PROBE_KEYS.map(ProbeKey::from_words);
        kernel.set_probe_keys(target(0).into(), PROBE_PORT, &keys);
        let identity = probe::identity(target(0));
        host.life()
            .set_probe(identity, [0, 0], PROBE_PORT, &PROBE_KEYS);
        kernel.set_grace(Duration::from_nanos(1));
        host.life().grace_ns.store(1);
        let mut forwarding = Forwarding::default();
        for slot in 1..TARGETS {
            forwarding.senders.insert(member(slot), target(slot).into());
            host.add_sender(member(slot), slot.into());
            let ends = [far_end(slot), far_end(0)];
            host.add_tunnel(ends, slot.into());
            let [source, destination] = ends.map(|end| Ipv4Addr::from(end).into());
            let ends = Ends {
                source,
                destination,
            };
            forwarding.tunnels.insert(ends, target(slot).into());
        }
        for (dvipa, port) in SERVICES {
            host.add_service(dvipa, port, &[]);
            let dvipa = Ipv4Addr::from(dvipa).into();
            let rows = (0..TARGETS).map(target).collect();
            let targets = ServiceTargets {
                rows,
                ring: [].into(),
                choice: Choice::Turn,
                affinity: None,
            };
            forwarding
                .services
                .insert(ServiceKey { dvipa, port }, targets);
        }
        forwarding.targets = (0..TARGETS)
            .map(|slot| (target(slot), Path::Unreachable))
            .collect();
        forwarding.targets.insert(target(0), Path::Local);
        for slot in 0..TARGETS {
            host.set_identity(slot.into(), [172, 1, 1, 1 + slot]);
        }
        host.set_path(0, abi::Path::Local);
        kernel.apply(&forwarding)?;
        let flows = MapData::from_pin(pin_dir.join(map::FLOWS))?;
        let settings = MapData::from_pin(pin_dir.join(map::SETTINGS))?;
        // Before the program is there that would see them.
        let sockets = connect_here()?;
        host.sockets
            .push(FlowKey::tcp([10, 1, 1, 100], CONNECTED, VIPAS[0], 8443));
        let listeners = [VIPAS[0], VIPAS[2]].map(|dvipa| (dvipa.into(), 8443));
        host.listeners.extend(listeners);
        let mut pair = Self {
            origin: Origin::open(pin_dir)?,
            _sockets: sockets,
            kernel,
            host,
            forwarding,
            roles: [Roles::default(); VIPAS.len()],
            flows: Array::try_from(Map::Array(flows))?,
            settings: Array::try_from(Map::Array(settings))?,
            redirect,
            next_hops: Vec::new(),
            is_silent: false,
        };
        // The kernel's program sees the same moment for ever, as the host's stages do.
        pair.edit_settings(STAMP_SHIFT, 63)?;
        pair.set_silence(false)?;
        Ok(pair)
    }

    fn edit_settings(&mut self, word: usize, value: u64) -> Result<()> {
        let mut words = self.settings.get(&0, 0)?;
        words[word] = value;
        Ok(self.settings.set(0, words, 0)?)
    }

    /// Makes the daemon silent on both sides, or gives it a beat that no clock will reach.
    fn set_silence(&mut self, is_silent: bool) -> Result<()> {
        let beat_ns = if is_silent { 0 } else { u64::MAX };
        self.is_silent = is_silent;
        self.host.life().beat_ns.store(beat_ns);
        self.edit_settings(BEAT, beat_ns)
    }

    /// Changes who is who for a DVIPA on both sides.
    fn change_vipa(&mut self, random: &mut StdRng) -> Result<()> {
        let vipa = random.random_range(0..VIPAS.len());
        let party = |random: &mut StdRng, likely: f64| {
            random
                .random_bool(likely)
                .then(|| random.random_range(0..u16::from(TARGETS)))
        };
        let mut offers: Vec<u16> = (0..u16::from(TARGETS)).collect();
        offers.shuffle(random);
        offers.truncate(random.random_range(0..=usize::from(TARGETS)));
        let owner = if random.random_bool(0.5) {
            Some(0)
        } else {
            party(random, 0.8)
        };
        let claimant = party(random, 0.2);
        self.set_vipa(vipa, owner, claimant, &offers, random.random_bool(0.5))
    }

    fn set_vipa(
        &mut self,
        vipa: usize,
        owner: Option<u16>,
        claimant: Option<u16>,
        offers: &[u16],
        has_successor: bool,
    ) -> Result<()> {
        let before = self.roles[vipa];
        let place = offers.iter().position(|slot| *slot == 0);
        let roles = Roles {
            owner,
            claimant,
            former: if before.owner == owner {
                before.former
            } else {
                before.owner.or(before.former)
            },
            place: place.map(u16::try_from).transpose()?,
            is_owned: owner == Some(0),
            has_successor,
            is_distributed: SERVICES.iter().any(|(dvipa, _)| *dvipa == VIPAS[vipa]),
            ..Roles::default()
        };
        self.roles[vipa] = roles;
        self.host.set_vipa(VIPAS[vipa], roles, offers);
        let address = |slot: u16| target(u8::try_from(slot).unwrap_or(u8::MAX));
        let forwarding = DvipaForwarding {
            owner: owner.map(address),
            claimant: claimant.map(address),
            offers: offers.iter().copied().map(address).collect(),
            epoch: 1,
            has_successor,
        };
        let dvipa = Ipv4Addr::from(VIPAS[vipa]).into();
        self.forwarding.dvipas.insert(dvipa, forwarding);
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Keeps connections to a service here that start here, or no longer, on both sides.
    fn toggle_kept(&mut self, random: &mut StdRng) -> Result<()> {
        let (dvipa, port) = *SERVICES.choose(random).context("some")?;
        let key = ServiceKey {
            dvipa: Ipv4Addr::from(dvipa).into(),
            port,
        };
        if self.forwarding.kept.remove(&key) {
            self.host.kept.remove(&(dvipa.into(), port));
        } else {
            self.forwarding.kept.insert(key);
            self.host.kept.insert((dvipa.into(), port), (0, 0));
        }
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Lets clients of a service keep some of its targets, or none, on both sides.
    fn change_affinity(&mut self, random: &mut StdRng) -> Result<()> {
        let service = random.random_range(0..SERVICES.len());
        let mut ready: Vec<u16> = (0..u16::from(TARGETS)).collect();
        ready.retain(|_| random.random_bool(0.7));
        let seconds = if random.random_bool(0.5) { 5 } else { 0 };
        let (dvipa, port) = SERVICES[service];
        let dvipa = Ipv4Addr::from(dvipa).into();
        let known = self
            .forwarding
            .services
            .get_mut(&ServiceKey { dvipa, port });
        known.context("a known service")?.affinity = (seconds > 0).then(|| Affinity {
            seconds,
            ready: ready.clone().into(),
        });
        let service = u32::try_from(service)?;
        self.host.set_affinity(service, seconds, &ready);
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Changes a ring, a path, a DVIPA, what is kept, or what clients keep, on both sides.
    fn change(&mut self, random: &mut StdRng) -> Result<()> {
        if random.random_bool(0.3) {
            return self.change_vipa(random);
        }
        if random.random_bool(0.2) {
            return self.toggle_kept(random);
        }
        if random.random_bool(0.2) {
            return self.change_affinity(random);
        }
        if random.random_bool(0.5) {
            let service = random.random_range(0..SERVICES.len());
            let choice = *CHOICES.choose(random).context("some")?;
            let mut ring: Vec<u16> = (0..random.random_range(0..8))
                .map(|_| random.random_range(0..u16::from(TARGETS)))
                .collect();
            if choice == abi::Choice::Active {
                ring.sort_unstable();
                ring.dedup();
                ring.shuffle(random);
            }
            let weights: Vec<u8> = ring.iter().map(|_| random.random_range(1..=99)).collect();
            let (dvipa, port) = SERVICES[service];
            let dvipa = Ipv4Addr::from(dvipa).into();
            let known = self
                .forwarding
                .services
                .get_mut(&ServiceKey { dvipa, port });
            let known = known.context("a known service")?;
            known.ring = ring.clone().into();
            let service = u32::try_from(service)?;
            self.host.set_ring(service, &ring);
            self.host.set_choice(service, choice);
            known.choice = match choice {
                abi::Choice::Turn => Choice::Turn,
                abi::Choice::Hash => Choice::Hash,
                abi::Choice::Active => {
                    self.host.set_weights(service, &weights);
                    let weights = weights.into();
                    Choice::Active { weights }
                }
            };
        } else {
            let slot = random.random_range(1..TARGETS);
            let [source_mac, next_hop_mac] = random.random::<[[u8; 6]; 2]>();
            let ifindex = *[INGRESS, INGRESS, self.redirect, NOWHERE]
                .choose(random)
                .context("four")?;
            let (engine, packet) = match random.random_range(0..8) {
                0 => (Path::Local, abi::Path::Local),
                1 => (Path::Unreachable, abi::Path::Unreachable),
                2..5 => tunnel(random, slot, ifindex, [source_mac, next_hop_mac]),
                _ => (
                    Path::Link {
                        ifindex,
                        source_mac,
                        next_hop_mac,
                    },
                    abi::Path::link(ifindex, source_mac, next_hop_mac),
                ),
            };
            self.next_hops.push(next_hop_mac);
            self.forwarding.targets.insert(target(slot), engine);
            self.host.set_path(u16::from(slot), packet);
        }
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Makes a flow older on both sides, or whatever a stamp can say; and marks or removes what a client
    /// keeps, as the daemon does.
    fn age(&mut self, random: &mut StdRng) -> Result<()> {
        let slot = random.random_range(0..BUCKET_SLOTS);
        let stamp = Stamp::from_jiffies(random.random_range(1952..2048), 0);
        let state = *[State::HalfOpen, State::Established, State::Ending]
            .choose(random)
            .context("three")?;
        let is_removed = random.random_bool(0.3);
        self.edit(random, slot, |tag| {
            let is_affinity = (16..32).contains(&tag.ports().trailing_zeros());
            if tag.state() == State::Free {
                tag
            } else if !is_affinity {
                tag.with_stamp(stamp)
            } else if is_removed {
                tag.freed()
            } else {
                tag.with_state(state).with_stamp(stamp)
            }
        })
    }

    /// Takes the lock of a bucket on both sides, or gives it back, as if another CPU did.
    fn toggle_lock(&mut self, random: &mut StdRng) -> Result<()> {
        self.edit(random, 0, |tag| Tag(tag.0 ^ Tag::LOCK))
    }

    fn edit(&mut self, random: &mut StdRng, slot: usize, new: impl Fn(Tag) -> Tag) -> Result<()> {
        let bucket = random.random_range(0..BUCKETS);
        let mut words = self.flows.get(&0, 0)?;
        let place = 2 * (BUCKET_SLOTS * bucket + slot) + 1;
        let word = &self.host.buckets()[bucket].slots[slot].tag;
        ensure!(
            word.load() == words[place],
            "slot {slot} of bucket {bucket} differs"
        );
        let tag = new(Tag(word.load())).0;
        words[place] = tag;
        word.store(tag);
        Ok(self.flows.set(0, words, 0)?)
    }

    /// Feeds both with a frame, compares, and returns the verdict.
    fn compare(&mut self, frame: &[u8]) -> Result<Verdict> {
        let mut memory = [&[0; ROOM], frame].concat();
        let mut packet = SlicePacket::behind(ROOM, &mut memory, INGRESS);
        let verdict = distribute(&mut packet, &self.host);
        let mut of_host = packet.bytes().to_vec();
        let mut of_kernel = vec![0; frame.len() + GROWTH];
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
        of_kernel.truncate(result.data_size_out as usize);
        let action = result.return_value;
        ensure!(
            action == expected,
            "kernel {action}, host {expected} ({verdict:?})"
        );
        if verdict == Verdict::ProbeAnswered && self.is_silent {
            // Each has its own clock, and the age is hashed.
            for bytes in [&mut of_host, &mut of_kernel] {
                bytes[66..82].fill(0);
            }
        }
        ensure!(
            of_kernel == of_host,
            "kernel {of_kernel:02x?}\n  host {of_host:02x?}"
        );
        self.compare_counters()?;
        Ok(verdict)
    }

    /// Feeds both with a frame that starts on the host, and compares.
    fn compare_own(&mut self, frame: &[u8]) -> Result<()> {
        let mut memory = [&[0; ROOM], frame].concat();
        let mut packet = SlicePacket::behind(ROOM, &mut memory, 0);
        self.host.starts_here = true;
        // The helper notes the interface, and whether it is there shows later.
        let interfaces = self.host.interfaces.clone();
        self.host.interfaces.extend([INGRESS, NOWHERE]);
        let verdict = origin::send(&mut packet, &self.host);
        let of_host = packet.bytes();
        self.host.interfaces = interfaces;
        self.host.starts_here = false;
        let mut of_kernel = vec![0; frame.len() + GROWTH];
        let result = self.origin.send_own()?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut of_kernel),
            ..TestRunOptions::default()
        })?;
        let expected = match verdict.map(Verdict::action) {
            None | Some(Action::Pass) => TC_ACT_UNSPEC,
            Some(Action::Drop) => TC_ACT_SHOT,
            Some(Action::Transmit | Action::Redirect) => TC_ACT_REDIRECT,
        };
        of_kernel.truncate(result.data_size_out as usize);
        let action = result.return_value.cast_signed();
        ensure!(
            action == expected,
            "own: kernel {action}, host {expected} ({verdict:?})"
        );
        ensure!(
            of_kernel == of_host,
            "own: kernel {of_kernel:02x?}\n  host {of_host:02x?}"
        );
        self.compare_counters()
    }

    fn compare_counters(&self) -> Result<()> {
        let of_host: Totals = [&self.host.counters()].into_iter().collect();
        let of_kernel = self.kernel.counters();
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

    /// Offers what is unknown until there is no budget left, on both sides at the same segment.
    fn spend_budget(&mut self) -> Result<()> {
        self.set_vipa(2, Some(1), None, &[2, 0, 3], false)?;
        let frame = Frame {
            source: member(1),
            dvipa: VIPAS[2],
            ..Frame::new(40_000, ACK)
        };
        for _ in 0..=offer::BUDGET {
            if self.compare(&frame.bytes())? == Verdict::OfferLimit {
                return Ok(());
            }
        }
        anyhow::bail!("the budget has no end")
    }

    /// A frame from the client, a member, or where packets are sent to.
    fn source(&self, random: &mut StdRng) -> [u8; 6] {
        match random.random_range(0..10) {
            0..4 => member(random.random_range(1..=TARGETS)),
            4 => self.next_hops.choose(random).copied().unwrap_or_default(),
            _ => frame::CLIENT,
        }
    }

    /// New connections by service and row, of the kernel and of the host.
    fn connections(&self) -> Result<[Vec<Vec<u64>>; 2]> {
        let counted = self
            .kernel
            .traffic()
            .expect("the counts are mapped")
            .total_connections();
        let kernel = SERVICES.iter().map(|&(dvipa, port)| {
            let dvipa = Ipv4Addr::from(dvipa).into();
            let rows = counted.iter();
            rows.filter(|((key, _), _)| *key == ServiceKey { dvipa, port })
                .map(|(_, count)| *count)
                .collect()
        });
        let host = (0..u32::try_from(SERVICES.len())?)
            .map(|service| self.host.connection_counts(service)[..usize::from(TARGETS)].to_vec());
        Ok([kernel.collect(), host.collect()])
    }
}

/// A path to the stack in a slot that is behind a router.
fn tunnel(
    random: &mut StdRng,
    slot: u8,
    ifindex: u32,
    [source_mac, next_hop_mac]: [[u8; 6]; 2],
) -> (Path, abi::Path) {
    let (kind, encapsulation) = *ENCAPSULATIONS.choose(random).unwrap_or(&ENCAPSULATIONS[0]);
    let mtu = *[1500, 1400, 576, 9000].choose(random).unwrap_or(&1500);
    let ends = [far_end(0), far_end(slot)];
    let [source, destination] = ends.map(|end| Ipv4Addr::from(end).into());
    let engine = Path::Tunnel {
        ifindex,
        source_mac,
        next_hop_mac,
        tunnel: Tunnel {
            encapsulation: kind,
            ends: Ends {
                source,
                destination,
            },
            mtu,
        },
    };
    let addresses = abi::Path::addresses(source_mac, next_hop_mac);
    let tunnel = abi::Tunnel::ipv4(encapsulation, ends, mtu, ifindex, addresses);
    (engine, abi::Path::Tunnel(tunnel))
}

/// What is in a frame, inside another packet: most often as a member in some slot sends it.
fn carried(random: &mut StdRng, frame: &[u8]) -> Vec<u8> {
    let slot = random.random_range(1..=TARGETS);
    let mut ends = [far_end(slot), far_end(0)];
    if random.random_bool(0.05) {
        ends.reverse();
    }
    let (_, encapsulation) = *ENCAPSULATIONS.choose(random).unwrap_or(&ENCAPSULATIONS[0]);
    let mut bytes = frame::carried(encapsulation, ends, frame);
    if random.random_bool(0.1) {
        // What routers have said of congestion, whatever the sender understands.
        bytes[ethernet::LEN + ipv4::TOS] = random.random_range(0..4);
    }
    bytes
}

/// The client, both listeners, and the server's end of the connection.
type Sockets = (Socket, [TcpListener; 2], TcpStream);

/// A connection from [`CONNECTED`] that ends on this host, its listener, and one of the DVIPA that has
/// no services.
fn connect_here() -> Result<Sockets> {
    let ip = |line: &str| program::output(Command::new("ip").args(line.split(' ')));
    ip("address add 10.1.3.10/32 dev lo")?;
    ip("address add 10.1.3.12/32 dev lo")?;
    ip("address add 10.1.1.100/32 dev lo")?;
    let service: SocketAddr = "10.1.3.10:8443".parse()?;
    let listener = TcpListener::bind(service)?;
    let other = TcpListener::bind("10.1.3.12:8443")?;
    let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    client.bind(&SocketAddr::new([10, 1, 1, 100].into(), CONNECTED).into())?;
    client.connect(&service.into())?;
    let (server, _) = listener.accept()?;
    Ok((client, [listener, other], server))
}

/// A frame that a client could have sent.
fn plausible(random: &mut StdRng, source: [u8; 6]) -> Frame {
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
    let mut frame = Frame::new(random.random_range(40_000..40_200), flags);
    if random.random_bool(0.1) {
        let own = [172, 1, 1, random.random_range(1..=TARGETS)];
        frame.client = *[own, own, VIPAS[0], [127, 0, 0, 1]]
            .choose(random)
            .unwrap_or(&own);
    }
    let (dvipa, port) = if random.random_bool(0.25) {
        (VIPAS[2], 8443)
    } else {
        *SERVICES.choose(random).unwrap_or(&SERVICES[0])
    };
    let rarely = |random: &mut StdRng, most: u16| {
        if random.random_bool(0.1) {
            random.random_range(0..=most)
        } else {
            0
        }
    };
    let small = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
    Frame {
        source,
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

/// A question or an ARP request, for whomever.
fn about_life(random: &mut StdRng) -> Vec<u8> {
    if random.random_bool(0.5) {
        return frame::arp_request(*VIPAS.choose(random).unwrap_or(&VIPAS[0]));
    }
    let asked = *[[10, 1, 1, 1], VIPAS[0]]
        .choose(random)
        .unwrap_or(&VIPAS[0]);
    let key = *[PROBE_KEYS[0], PROBE_KEYS[1], [5, 6]]
        .choose(random)
        .unwrap_or(&PROBE_KEYS[0]);
    let stack = probe::identity(target(u8::from(random.random_bool(0.2))));
    let words = probe::message(Kind::Question, random.random(), 0, stack, key);
    let port = if random.random_bool(0.1) {
        53
    } else {
        PROBE_PORT
    };
    frame::probe(asked, port, &words)
}

/// An ICMP message, most often an error, about what answers a frame.
fn about_flow(random: &mut StdRng, frame: &Frame) -> Result<Vec<u8>> {
    let kinds = [3, 3, 3, 11, 12, 4, 5, 8];
    let kind = *kinds.choose(random).context("some")?;
    let quoted = *[8, 8, 20, 7].choose(random).context("some")?;
    Ok(frame::icmp_error(kind, 4, frame, quoted))
}

/// The frame, damaged more often than not.
fn damaged(random: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    if random.random_bool(0.4) {
        return bytes;
    }
    for _ in 0..random.random_range(0..4) {
        // Mostly in the headers, where it matters.
        let most = bytes.len().min(if random.random_bool(0.9) {
            80
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
        // Each CPU has a budget of its own.
        let mut one = CpuSet::new();
        one.set(0)?;
        sched_setaffinity(Pid::from_raw(0), &one)?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut pair = Pair::open(pin_dir)?;
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
            if random.random_bool(0.01) {
                let is_silent = random.random_bool(0.3);
                pair.set_silence(is_silent)?;
            }
            let whole = if random.random_bool(0.05) {
                about_life(&mut random)
            } else {
                let source = pair.source(&mut random);
                let frame = plausible(&mut random, source);
                if random.random_bool(0.1) {
                    about_flow(&mut random, &frame)?
                } else {
                    frame.bytes()
                }
            };
            let whole = if random.random_bool(0.2) {
                carried(&mut random, &whole)
            } else {
                whole
            };
            let bytes = damaged(&mut random, whole);
            let compared = if random.random_bool(0.2) && OWN.contains(&bytes.len()) {
                pair.compare_own(&bytes)
            } else {
                pair.compare(&bytes).map(drop)
            };
            compared.with_context(|| format!("frame {number}, sent {bytes:02x?}"))?;
        }
        pair.spend_budget()?;
        let totals = pair.kernel.counters();
        let never: Vec<_> = totals.iter().filter(|(_, count)| *count == 0).collect();
        let [kernel, host] = pair.connections()?;
        ensure!(kernel == host, "connections: {kernel:?} {host:?}");
        Ok(never
            .into_iter()
            .map(|(counter, _)| counter.name)
            .collect::<Vec<_>>())
    };
    let mut never = sandbox::run(compare).unwrap_or_else(|error| panic!("{error:#}"));
    // So rare that some seeds have none; the stages' own tests have each of its cases.
    never.retain(|name| *name != "congested");
    // No DVIPA of IPv6 is among these yet; and the kernel leaves room in front of every test packet.
    let impossible = ["silent-nd", "header-chain", "no-room"];
    assert_eq!(never, impossible, "these ways were not tried");
}
