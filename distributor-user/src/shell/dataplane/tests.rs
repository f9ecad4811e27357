//! On a real kernel, each test in a network namespace and with a bpffs of its own; needs root.

use std::net::Ipv4Addr;
use std::path::Path as FilePath;
use std::time::{Duration, Instant};
use std::{panic, thread};

use aya::programs::{TestRun, TestRunOptions};
use distributor_common::abi::MAX_RING_ENTRIES;
use distributor_common::{Event, Verdict};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::engine::forwarding::{
    Choice, DvipaForwarding, Ends, FlowKey, FlowState, Forwarding, Path, ServiceTargets,
};
use crate::shell::testing::ip;

mod affinities;
mod budget;
mod ipv6;
mod syns;
mod tunnels;

const VIPA: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 3, 10));
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const BPFFS: &str = "/sys/fs/bpf";

fn target(number: u8) -> IpAddr {
    Ipv4Addr::new(172, 1, 1, number).into()
}

/// Runs a test on a thread of its own, in new network and mount namespaces with `lo` and a veth
/// pair up, and passes it a directory on a bpffs that ends with the test.
fn in_sandbox(test: impl FnOnce(&FilePath) + Send + 'static) {
    let thread = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root");
        // Where bpffs is mounted there is a mount to be made private; in a plain chroot, `/` is none.
        mount::<str, str, str, str>(None, BPFFS, None, MsFlags::MS_PRIVATE, None)
            .expect("a bpffs is mounted");
        let flags = MsFlags::empty();
        mount::<str, str, str, str>(Some("bpf"), BPFFS, Some("bpf"), flags, None).expect("a bpffs");
        ip("link set lo up");
        ip("link add eth0 type veth peer name peer0");
        // Without IPv6 addresses nobody sends anything that a test would count.
        for interface in ["eth0", "peer0"] {
            ip(&format!("link set {interface} addrgenmode none up"));
        }
        test(&FilePath::new(BPFFS).join("stacks/TCPIP"));
        nix::mount::umount(BPFFS).expect("nothing uses the bpffs any more");
    });
    if let Err(cause) = thread.join() {
        panic::resume_unwind(cause);
    }
}

/// From one stack's address behind a router to another's.
fn ends(source: u8, destination: u8) -> Ends {
    let address = |number| Ipv4Addr::new(10, 9, number, 1).into();
    Ends {
        source: address(source),
        destination: address(destination),
    }
}

fn eth0() -> Interface {
    let name = "eth0".to_owned();
    let ifindex = nix::net::if_::if_nametoindex(name.as_str()).expect("eth0 is there");
    Interface { name, ifindex }
}

fn options(pin_dir: &FilePath) -> DataplaneOptions {
    DataplaneOptions {
        pin_dir: pin_dir.to_owned(),
        interfaces: vec![eth0()],
        flow_capacity: 1000,
        seeds: None,
    }
}

/// Two targets, in this order, reached over `lo`: where test-run packets come from.
fn forwarding() -> Forwarding {
    let path = |last| Path::Link {
        ifindex: 1,
        source_mac: [2, 0, 0, 0, 0, 1],
        next_hop_mac: [2, 0, 0, 0, 0, last],
    };
    Forwarding {
        targets: [
            (target(1), Path::Local),
            (target(2), path(2)),
            (target(3), path(3)),
        ]
        .into(),
        services: [(
            ServiceKey {
                dvipa: VIPA,
                port: 8443,
            },
            ServiceTargets {
                rows: [target(2), target(3)].into(),
                ring: [0, 1].into(),
                choice: Choice::Turn,
                affinity: None,
            },
        )]
        .into(),
        dvipas: [(
            VIPA,
            DvipaForwarding {
                owner: Some(target(1)),
                claimant: None,
                offers: [target(2), target(3)].into(),
                epoch: 7,
                has_successor: true,
            },
        )]
        .into(),
        kept: [ServiceKey {
            dvipa: VIPA,
            port: 8443,
        }]
        .into(),
        senders: [
            ([2, 0, 0, 0, 0, 2], target(2).into()),
            ([2, 0, 0, 1, 0, 2], target(2).into()),
        ]
        .into(),
        tunnels: [
            (ends(2, 1), target(2).into()),
            (ends(3, 1), target(3).into()),
        ]
        .into(),
    }
}

/// A TCP segment from 10.1.1.100.
fn frame(client_port: u16, flags: u8) -> Vec<u8> {
    frame_of(100, client_port, flags)
}

/// A TCP segment from a client, by the last byte of its address.
fn frame_of(client: u8, client_port: u16, flags: u8) -> Vec<u8> {
    let mut frame = vec![0; 54];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&40_u16.to_be_bytes());
    frame[22] = 64;
    frame[23] = 6;
    frame[26..30].copy_from_slice(&[10, 1, 1, client]);
    frame[30..34].copy_from_slice(&[10, 1, 3, 10]);
    frame[34..36].copy_from_slice(&client_port.to_be_bytes());
    frame[36..38].copy_from_slice(&8443_u16.to_be_bytes());
    frame[46] = 0x50;
    frame[47] = flags;
    frame
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Runs the program on a packet and returns its action and the last byte of the new destination
/// address.
fn run(dataplane: &mut Dataplane, frame: &[u8]) -> (u32, u8) {
    let mut output = vec![0; frame.len()];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut output),
        ..TestRunOptions::default()
    };
    let program = dataplane.program().expect("the program is loaded");
    let result = program.test_run(options).expect("the kernel runs it");
    (result.return_value, output[5])
}

#[test]
fn takes_over_what_is_pinned() {
    in_sandbox(|pin_dir| {
        let mut first = Dataplane::open(&options(pin_dir)).expect("opens");
        assert!(!first.is_adopted());
        first.apply(&forwarding()).expect("applies");
        assert_eq!(run(&mut first, &frame(40_000, SYN)), (XDP_TX, 2));
        assert_eq!(run(&mut first, &frame(40_000, ACK)), (XDP_TX, 2));
        assert_eq!(run(&mut first, &frame(40_002, SYN)), (XDP_TX, 3));
        drop(first);

        let mut second = Dataplane::open(&options(pin_dir)).expect("opens again");
        assert!(second.is_adopted());
        let lookout = second.lookout().expect("the program has an id");
        assert!(lookout.is_intact().expect("the kernel tells"));
        assert_eq!(second.forwarding(), forwarding());
        second.apply(&forwarding()).expect("applies");
        let mut flows: Vec<_> = second.flows().collect();
        flows.sort_by_key(|flow| flow.key);
        let states: Vec<_> = flows.iter().map(|flow| (flow.target, flow.state)).collect();
        assert_eq!(
            states,
            [
                (target(2), FlowState::Established),
                (target(3), FlowState::HalfOpen)
            ]
        );
        let living = second.living_flows(VIPA);
        assert_eq!(living, 1, "the other is half-open");
        let traffic = second.traffic().expect("the counts are mapped");
        assert_eq!(run(&mut second, &frame(40_002, ACK)), (XDP_TX, 3));
        assert_eq!(run(&mut second, &frame(40_004, SYN)), (XDP_TX, 2));
        let service = ServiceKey {
            dvipa: VIPA,
            port: 8443,
        };
        let both: BTreeMap<(ServiceKey, IpAddr), u64> =
            [((service, target(2)), 2), ((service, target(3)), 1)].into();
        let elsewhere = std::thread::spawn(move || {
            let mut flows: Vec<_> = traffic.flows().collect();
            flows.sort_by_key(|flow| flow.key);
            let counted = (traffic.total_connections(), traffic.active_connections());
            (flows, counted)
        });
        let (seen, counted) = elsewhere.join().expect("a walk");
        let mut flows: Vec<_> = second.flows().collect();
        flows.sort_by_key(|flow| flow.key);
        assert_eq!((seen, counted), (flows, (both.clone(), both)));
        let counters = second.counters();
        assert_eq!(counters.received(), 5);
        assert_eq!(counters.event(Event::FlowStored), 3);
        assert_eq!(counters.verdict(Verdict::Transmitted), 5);

        assert_eq!(second.distributed_packets(), 5);
        assert_eq!(
            (second.forget_target(target(2)), second.flows().count()),
            (2, 1)
        );

        second.close_and_remove().expect("removes");
        assert!(!pin_dir.exists());
        assert!(!pin_dir.parent().expect("a parent").exists());
        assert_eq!(
            xdp::running(eth0().ifindex).expect("the kernel tells"),
            None
        );
    });
}

fn key(client_port: u16, dvipa: IpAddr) -> FlowKey {
    FlowKey {
        client: Ipv4Addr::new(10, 1, 1, 100).into(),
        client_port,
        dvipa,
        port: 8443,
    }
}

#[test]
fn learns_flows_from_targets_and_forgets_them() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        dataplane.apply(&forwarding()).expect("applies");
        assert_eq!(run(&mut dataplane, &frame(40_000, SYN)), (XDP_TX, 2));
        let reported = [40_000, 40_002, 40_004].map(|port| key(port, VIPA));
        let inserted = dataplane
            .insert_flows(target(3), &reported)
            .expect("inserts");
        assert_eq!(
            inserted,
            Inserted {
                new: 2,
                known: 1,
                full: 0
            }
        );
        for port in [40_000, 40_002, 40_004] {
            assert_eq!(run(&mut dataplane, &frame(port, ACK)), (XDP_TX, 3));
        }
        let other = key(40_000, Ipv4Addr::new(10, 1, 3, 11).into());
        dataplane
            .insert_flows(target(2), &[other])
            .expect("inserts");
        assert_eq!(dataplane.forget_dvipa(VIPA), 3);
        assert_eq!(dataplane.forget_dvipa(VIPA), 0);
        let left: Vec<_> = dataplane.flows().map(|flow| flow.key).collect();
        assert_eq!(left, [other]);
    });
}

#[test]
fn a_predecessors_last_sign_of_life_is_found() {
    in_sandbox(|pin_dir| {
        let first = Dataplane::open(&options(pin_dir)).expect("opens");
        assert_eq!(first.last_beat_age(), None);
        first.beat();
        let age = first.last_beat_age().expect("it has just beaten");
        assert!(age < Duration::from_secs(5), "{age:?}");
        drop(first);
        let second = Dataplane::open(&options(pin_dir)).expect("opens again");
        assert!(second.last_beat_age().expect("still there") >= age);
    });
}

#[test]
fn a_daemon_that_is_about_to_take_over_gives_signs_of_life_in_time_only() {
    const LIMIT: Duration = Duration::from_mins(1);
    in_sandbox(|pin_dir| {
        assert!(EarlyLife::begin(pin_dir, LIMIT).is_err(), "no pins");
        let first = Dataplane::open(&options(pin_dir)).expect("opens");
        let beaten = || first.settings[0].life.beat_ns.load();
        let begin = |limit| EarlyLife::begin(pin_dir, limit).expect("pins");
        first.set_grace(Duration::from_hours(1));
        drop(begin(LIMIT));
        assert_eq!(beaten(), 0, "nobody has lived");
        first.beat();
        let before = beaten();
        let life = begin(LIMIT);
        let at_once = beaten();
        assert!(at_once > before);
        // Until it is dropped, or the time is over.
        let is_given_again = |before| {
            let deadline = Instant::now() + Duration::from_secs(5);
            while beaten() == before && Instant::now() < deadline {
                thread::yield_now();
            }
            beaten() > before
        };
        assert!(is_given_again(at_once) && is_given_again(beaten()));
        drop(life);
        drop(begin(Duration::ZERO));
        thread::sleep(Duration::from_millis(200));
        let last = beaten();
        thread::sleep(Duration::from_millis(200));
        assert_eq!(beaten(), last);
        // It was fenced, or too long ago.
        let _life = begin(LIMIT);
        first.fence();
        first.set_grace(Duration::from_millis(1));
        thread::sleep(Duration::from_millis(200));
        assert_eq!(beaten(), 1);
    });
}

#[test]
fn without_room_for_its_ring_a_service_is_distributed_all_the_same() {
    /// Places of a ring as MAGLEV makes it.
    const LEN: u32 = 3203;
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        let mut many = forwarding();
        let first = many.services.values().next().expect("one").clone();
        // Each ring differs from the others in the place that leads to the second target.
        let service = |port: u16| ServiceTargets {
            ring: (0..LEN)
                .map(|place| u16::from(place == u32::from(port)))
                .collect(),
            choice: Choice::Hash,
            ..first.clone()
        };
        let rings = u16::try_from(MAX_RING_ENTRIES / LEN).expect("few");
        let key = |port| ServiceKey { dvipa: VIPA, port };
        let ports = 1..=rings + 8;
        many.services
            .extend(ports.clone().map(|port| (key(port), service(port))));
        dataplane.apply(&many).expect("applies");
        let done = dataplane.forwarding();
        let len = |port| done.services[&key(port)].ring.len();
        assert_eq!(len(1), LEN as usize);
        let short = ports.filter(|port| len(*port) == 2).count();
        // The ring of turns and that of the offers have their places, too.
        assert_eq!(short, 8);
        for service in done.services.values() {
            assert_eq!(service.active().count(), 2);
        }
    });
}

#[test]
fn a_silent_daemons_program_fences_itself() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        dataplane.apply(&forwarding()).expect("applies");
        assert_eq!(run(&mut dataplane, &frame(40_000, SYN)), (XDP_TX, 2));
        // No beat so far: the machine has run for longer than this.
        dataplane.set_grace(Duration::from_millis(1));
        assert_eq!(run(&mut dataplane, &frame(40_002, SYN)).0, XDP_DROP);
        assert_eq!(run(&mut dataplane, &frame(40_000, ACK)), (XDP_TX, 2));
        dataplane.set_grace(Duration::from_hours(1));
        dataplane.beat();
        assert_eq!(run(&mut dataplane, &frame(40_002, SYN)), (XDP_TX, 3));
        // Nobody could take its place.
        let mut alone = forwarding();
        for dvipa in alone.dvipas.values_mut() {
            dvipa.has_successor = false;
        }
        dataplane.apply(&alone).expect("applies");
        dataplane.set_grace(Duration::from_nanos(1));
        assert_eq!(run(&mut dataplane, &frame(40_004, SYN)), (XDP_TX, 2));
        let counters = dataplane.counters();
        assert_eq!(counters.verdict(Verdict::Silent), 1);
    });
}

#[test]
fn a_dvipa_changes_hands() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        let owned = forwarding();
        dataplane.apply(&owned).expect("applies");
        assert_eq!(run(&mut dataplane, &frame(40_000, SYN)), (XDP_TX, 2));
        // Another stack owns it now; what clients still send here goes there.
        let mut held = Forwarding {
            services: BTreeMap::new(),
            ..forwarding()
        };
        let dvipa = held.dvipas.get_mut(&VIPA).expect("listed");
        *dvipa = DvipaForwarding {
            owner: Some(target(3)),
            offers: [target(1), target(2)].into(),
            epoch: 8,
            ..dvipa.clone()
        };
        dataplane.apply(&held).expect("applies");
        assert_eq!(dataplane.forwarding(), held);
        assert_eq!(run(&mut dataplane, &frame(40_002, SYN)), (XDP_TX, 3));
        assert_eq!(run(&mut dataplane, &frame(40_002, ACK)), (XDP_TX, 3));
        assert_eq!(
            run(&mut dataplane, &frame(40_000, ACK)),
            (XDP_TX, 2),
            "its flow"
        );
        assert_eq!(dataplane.forget_dvipa(VIPA), 1);
        assert_eq!(run(&mut dataplane, &frame(40_000, ACK)), (XDP_TX, 3));
        // And back. Nothing is in the way after several sweeps either.
        dataplane.apply(&owned).expect("applies");
        for _ in 0..3 {
            dataplane.sweep().expect("sweeps");
        }
        assert_eq!(dataplane.forwarding(), owned);
        assert_eq!(run(&mut dataplane, &frame(40_004, SYN)), (XDP_TX, 2));
        // Nobody has anything of it any more.
        dataplane.apply(&Forwarding::default()).expect("applies");
        assert!(dataplane.forwarding().dvipas.is_empty());
        assert_eq!(run(&mut dataplane, &frame(40_006, SYN)).0, XDP_PASS);
    });
}

#[test]
fn the_programs_of_what_starts_here_are_attached_until_all_is_removed() {
    in_sandbox(|pin_dir| {
        let dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        let links: Vec<_> = origin::links(pin_dir).collect();
        let programs = || -> Vec<Option<u32>> {
            let running = links.iter().map(|link| bpf::pinned_link(link).ok());
            let attached = running.map(|link| link.filter(|link| link.is_attached()));
            attached.map(|link| Some(link?.program)).collect()
        };
        assert_eq!(programs(), [None, None, None]);
        drop(Origin::open(pin_dir).expect("attaches"));
        let first = programs();
        assert!(first.iter().all(Option::is_some), "{first:?}");
        drop(dataplane);

        // The next daemon's programs take their places.
        let dataplane = Dataplane::open(&options(pin_dir)).expect("opens again");
        let mut origin = Origin::open(pin_dir).expect("attaches");
        let second = programs();
        assert!(second.iter().all(Option::is_some), "{second:?}");
        assert!(
            first
                .iter()
                .zip(&second)
                .all(|(first, second)| first != second)
        );
        assert_eq!(origin.reattach().expect("the kernel tells"), [""; 0]);

        // What somebody takes away comes back.
        std::fs::remove_file(&links[1]).expect("a pin");
        assert_eq!(
            origin.reattach().expect("attaches"),
            [program::CHOOSE_SOURCE4]
        );
        assert_eq!(programs(), second);

        dataplane.close_and_remove().expect("removes");
        assert_eq!(programs(), [None, None, None]);
        assert!(!pin_dir.exists());
    });
}
