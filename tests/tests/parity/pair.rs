//! The two packet paths, with the same in their tables.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use aya::maps::{Array, Map, MapData};
use aya::programs::{TestRun, TestRunOptions};
use distributor_common::abi::{self, Roles, map};
use distributor_common::counter::Totals;
use distributor_common::flow::BUCKET_SLOTS;
use distributor_common::host::HostTables;
use distributor_common::host::frame::{self, Frame};
use distributor_common::packet::SlicePacket;
use distributor_common::probe;
use distributor_common::stages::{offer, origin};
use distributor_common::wire::tcp::ACK;
use distributor_common::wire::{ethernet, ipv4, ipv6, udp};
use distributor_common::{Action, Verdict, distribute};
use distributor_user::engine::forwarding::{
    Choice, Ends, Forwarding, Path, ServiceKey, ServiceTargets,
};
use distributor_user::engine::group::key::{ChoiceKey, ProbeKey};
use distributor_user::shell::dataplane::{Dataplane, DataplaneOptions, Origin};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use socket2::{Domain, Socket, Type};
use tests::program;

use crate::frames::CLIENT6;
use crate::{
    CONNECTED, INGRESS, NOWHERE, PROBE_KEYS, PROBE_PORT, SERVICES, STACKS, TARGETS, VIPAS,
    addresses, far_end, member, own_slot, target,
};

/// Odd, as the flow hash needs them: from these both sides derive those of the digest.
const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];
/// So few that most new flows find a full bucket.
pub(crate) const BUCKETS: usize = 8;
/// Lengths of test packets that the kernel takes for a program that sees them on the way out: with a
/// whole IP header, of either version, and in one page.
pub(crate) const OWN: Range<usize> = ethernet::LEN + 40..3000;
/// Bytes in front of a test packet that the kernel leaves to a program (`XDP_PACKET_HEADROOM` less its own).
const ROOM: usize = 200;
/// Bytes by which a packet may grow.
const GROWTH: usize = 64;
const CHOICE_KEY: [u64; 2] = [5, 6];

/// What a program on an interface's way out answers (UAPI `linux/pkt_cls.h`).
const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;

/// The two packet paths.
pub(crate) struct Pair {
    pub(crate) kernel: Dataplane,
    origin: Origin,
    /// Held, because the listeners and the connections are in the host's tables.
    _sockets: Vec<Sockets>,
    pub(crate) host: HostTables,
    pub(crate) forwarding: Forwarding,
    pub(crate) roles: [Roles; VIPAS.len()],
    pub(crate) flows: Array<MapData, [u64; 2 * BUCKET_SLOTS * BUCKETS]>,
    settings: Array<MapData, [u64; SETTINGS_WORDS]>,
    pub(crate) redirect: u32,
    /// Some that lead to targets.
    pub(crate) next_hops: Vec<[u8; 6]>,
    is_silent: bool,
}

const SETTINGS_WORDS: usize = size_of::<abi::Settings>() / 8;
const BEAT: usize = std::mem::offset_of!(abi::Settings, life.beat_ns) / 8;
const STAMP_SHIFT: usize = std::mem::offset_of!(abi::Settings, stamp_shift) / 8;

impl Pair {
    pub(crate) fn open(pin_dir: &FilePath) -> Result<Self> {
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
        kernel.set_probe_keys(addresses(0), PROBE_PORT, &keys);
        let [first, second] = [0, STACKS.into()].map(|slot| probe::identity(target(slot)));
        host.life()
            .set_probe(first, second, PROBE_PORT, &PROBE_KEYS);
        kernel.set_grace(Duration::from_nanos(1));
        host.life().grace_ns.store(1);
        let forwarding = introduce(&mut host);
        kernel.apply(&forwarding)?;
        let flows = MapData::from_pin(pin_dir.join(map::FLOWS))?;
        let settings = MapData::from_pin(pin_dir.join(map::SETTINGS))?;
        // Before the program is there that would see them.
        let clients: [IpAddr; 2] = [Ipv4Addr::new(10, 1, 1, 100).into(), CLIENT6.into()];
        let sockets = vec![
            connect_here(clients[0], &VIPAS[..3])?,
            connect_here(clients[1], &VIPAS[3..])?,
        ];
        for (client, dvipa) in clients.into_iter().zip([VIPAS[0], VIPAS[3]]) {
            let key = host.flow_key(client, CONNECTED, dvipa, 8443);
            host.sockets.extend(key);
        }
        let listeners = [0, 2, 3, 4].map(|vipa| (VIPAS[vipa], 8443));
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
    pub(crate) fn set_silence(&mut self, is_silent: bool) -> Result<()> {
        let beat_ns = if is_silent { 0 } else { u64::MAX };
        self.is_silent = is_silent;
        self.host.life().beat_ns.store(beat_ns);
        self.edit_settings(BEAT, beat_ns)
    }

    /// Feeds both with a frame, compares, and returns the verdict.
    pub(crate) fn compare(&mut self, frame: &[u8]) -> Result<Verdict> {
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
            // Each has its own clock, and the age is hashed; of IPv6, the checksum covers both.
            let is_ipv6 = frame[ethernet::TYPE..][..2] == ethernet::IPV6.0.to_ne_bytes();
            let ip = if is_ipv6 { ipv6::LEN } else { ipv4::MIN_LEN };
            let datagram = ethernet::LEN + ip;
            for bytes in [&mut of_host, &mut of_kernel] {
                bytes[datagram + udp::CHECKSUM..][..2].fill(0);
                bytes[datagram + udp::LEN + 24..][..16].fill(0);
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
    pub(crate) fn compare_own(&mut self, frame: &[u8]) -> Result<()> {
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
    pub(crate) fn spend_budget(&mut self) -> Result<()> {
        self.set_vipa(2, Some(1), None, &[2, 0, 3], false)?;
        let frame = Frame {
            source: member(1),
            dvipa: [10, 1, 3, 12],
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
    pub(crate) fn source(&self, random: &mut StdRng) -> [u8; 6] {
        match random.random_range(0..10) {
            0..4 => member(random.random_range(1..=STACKS)),
            4 => self.next_hops.choose(random).copied().unwrap_or_default(),
            _ => frame::CLIENT,
        }
    }

    /// New connections by service and row, of the kernel and of the host.
    pub(crate) fn connections(&self) -> Result<[Vec<Vec<u64>>; 2]> {
        let counted = self
            .kernel
            .traffic()
            .expect("the counts are mapped")
            .total_connections();
        let kernel = SERVICES.iter().map(|&(dvipa, port)| {
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

/// Puts all that never changes into the host's tables, and says it to the kernel's.
fn introduce(host: &mut HostTables) -> Forwarding {
    let mut forwarding = Forwarding::default();
    for stack in 1..STACKS {
        let slot = u16::from(stack);
        forwarding.senders.insert(member(stack), addresses(stack));
        host.add_member(member(stack), Some(slot), Some(slot + u16::from(STACKS)));
        let ends = [far_end(stack), far_end(0)];
        host.add_tunnel(ends, slot);
        let [source, destination] = ends.map(|end| Ipv4Addr::from(end).into());
        let ends = Ends {
            source,
            destination,
        };
        forwarding.tunnels.insert(ends, target(slot).into());
    }
    for (dvipa, port) in SERVICES {
        host.add_service(dvipa, port, &[]);
        // So a row has the number of its target's slot.
        let rows = (0..TARGETS.into()).map(target).collect();
        let targets = ServiceTargets {
            rows,
            ring: [].into(),
            choice: Choice::Turn,
            affinity: None,
        };
        let key = ServiceKey { dvipa, port };
        forwarding.services.insert(key, targets);
    }
    for slot in 0..TARGETS.into() {
        forwarding.targets.insert(target(slot), Path::Unreachable);
        host.set_identity(slot, target(slot));
    }
    for dvipa in VIPAS {
        let slot = own_slot(dvipa);
        forwarding.targets.insert(target(slot), Path::Local);
        host.set_path(slot, abi::Path::Local);
    }
    forwarding
}

/// The client, both listeners, and the server's end of the connection.
type Sockets = (Socket, [TcpListener; 2], TcpStream);

/// A connection from [`CONNECTED`] that ends on this host, at the first DVIPA, its listener, and one of the
/// last, which has no services.
fn connect_here(client: IpAddr, dvipas: &[IpAddr]) -> Result<Sockets> {
    let [dvipa, other] = [dvipas.first(), dvipas.last()].map(|dvipa| *dvipa.expect("some"));
    for address in [dvipa, other, client] {
        // What has yet to be found to be nobody else's cannot be bound.
        let rest = if address.is_ipv4() {
            "32 dev lo"
        } else {
            "128 dev lo nodad"
        };
        let line = format!("address add {address}/{rest}");
        program::output(Command::new("ip").args(line.split(' ')))?;
    }
    let listener = TcpListener::bind((dvipa, 8443))?;
    let unserved = TcpListener::bind((other, 8443))?;
    let domain = Domain::for_address(SocketAddr::new(client, CONNECTED));
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, CONNECTED).into())?;
    socket.connect(&SocketAddr::new(dvipa, 8443).into())?;
    let (server, _) = listener.accept()?;
    Ok((socket, [listener, unserved], server))
}
