//! Who has no key moves nothing, whatever is on the wire.
//!
//! The attacker reads along at one stack and sends into both networks, in the
//! name of any host. What a client believes of an address is beyond what the
//! distributor can see to, so the client's belief is pinned.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tests::host::{LAN_INTERFACE, XCF_INTERFACE};
use tests::lab::{Fault, Lab, Network, VIPA};
use tests::neighbour::{self, Watch};
use tests::profile::{Dvipa, Moveable, Role};
use tests::stack::Stack;
use tests::tap::{EVERYTHING, Tap};
use tests::tcp::{Load, Server};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

/// The ports of the group's messages and of its probes.
const PORTS: [u16; 2] = [4911, 4912];

/// How long the attacker reads along in quiet times.
const QUIET: Duration = Duration::from_secs(1);
/// How long the owner's daemon is silent meanwhile: others probe it, and it is not given up.
const SILENCE: Duration = Duration::from_millis(700);
/// Most frames that are kept.
const FRAMES_MAX: usize = 600;
/// Ten times as long as a takeover may take.
const TAKEOVER: Duration = Duration::from_secs(5);

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const PAYLOAD: usize = ETHERNET + IP + UDP;

#[test]
fn an_attacker_on_both_networks_moves_nothing() {
    let _turn = turn();
    let lab = with_backups();
    let _servers = TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let (owner, backup) = (lab.stack("TCPIP"), lab.stack("TCPIP2"));
    let ready = TARGETS.map(|name| (name, 1));
    owner.wait_for_ready(&ready).expect("two servers");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP").expect("an owner");
    let load = Load::start(lab.client(), SERVICE, 100).expect("living connections");
    let recorded = record(backup, owner);
    for (network, frames) in &recorded {
        for port in PORTS {
            let to_or_from = |frame: &&Vec<u8>| ports(frame).contains(&port);
            let count = frames.iter().filter(to_or_from).count();
            assert!(
                count > 0,
                "nothing of port {port} was recorded on {network}"
            );
        }
    }
    wait_until_heard(backup);

    neighbour::pin(lab.client(), VIPA, owner).expect("an entry");
    let before = moves(&lab);
    let watch = Watch::start(&lab, VIPA).expect("a watch");
    let taps = taps(&lab);
    let mut random = StdRng::seed_from_u64(7);
    for (network, frames) in &recorded {
        for frame in frames {
            for changed in changes(frame, &mut random) {
                // What is too long for the wire after a change is no attack.
                let _ = taps[network].send(&changed);
            }
        }
    }
    for _ in 0..5 {
        for operation in [1, 2] {
            let claim = forged_arp(VIPA, operation);
            taps[LAN_INTERFACE].send(&claim).expect("a forged claim");
        }
        thread::sleep(Duration::from_millis(50));
    }
    load.wait_for_round().expect("a round");
    let counted = dropped(owner);
    for reason in ["forged", "version", "malformed"] {
        assert!(counted[reason] > 0, "{reason}: {counted:?}");
    }
    assert!(counted["repeated"] + counted["session"] > 0, "{counted:?}");
    assert_eq!(moves(&lab), before);
    for sighting in watch.stop().expect("sightings") {
        let mut stacks = sighting
            .holders
            .iter()
            .filter(|name| name.starts_with("TCPIP"));
        assert!(stacks.all(|name| name == "TCPIP"), "{sighting:?}");
    }

    // Nor does it keep a dead owner alive: its answers are said again, and so are its beats.
    neighbour::release(lab.client(), VIPA).expect("an entry");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (network, frames) in &recorded {
                    for frame in frames {
                        let _ = taps[network].send(&without_checksum(frame.clone()));
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let cut = Instant::now();
        let taken_over = lab
            .cut("TCPIP", &Network::ALL, Fault::Silent)
            .and_then(|()| neighbour::wait_for_holder(&lab, VIPA, "TCPIP2"));
        is_over.store(true, Ordering::Relaxed);
        taken_over.expect("a takeover");
        assert!(cut.elapsed() < TAKEOVER, "{:?}", cut.elapsed());
    });
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
}

/// A definer and two backups, which are its targets.
fn with_backups() -> Lab {
    let lab = built(3, 2);
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| {
        let role = match stack.name() {
            "TCPIP" => Role::Define,
            "TCPIP2" => Role::Backup(200),
            _ => Role::Backup(100),
        };
        let dvipa = Dvipa {
            role,
            moveable: Some(Moveable::Immediate),
            destinations: &destinations,
        };
        dvipa.profile(stack.xcf_address())
    })
    .expect("daemons");
    lab
}

fn taps(lab: &Lab) -> BTreeMap<&'static str, Tap> {
    let lan = lab.lan().tap().expect("a tap");
    let xcf = lab.xcf().tap().expect("a tap");
    [(LAN_INTERFACE, lan), (XCF_INTERFACE, xcf)].into()
}

/// What the group says on each network, as `at` sees it; probes of `silent` and its answers too.
fn record(at: &Stack, silent: &Stack) -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let networks = [LAN_INTERFACE, XCF_INTERFACE];
    let end = Instant::now() + QUIET + 2 * SILENCE;
    thread::scope(|scope| {
        let readers = networks.map(|network| {
            let tap = Tap::open(at.namespace(), network, EVERYTHING).expect("a tap");
            scope.spawn(move || {
                let mut frames: BTreeMap<bool, Vec<Vec<u8>>> = BTreeMap::new();
                while Instant::now() < end {
                    let frame = tap.receive(Duration::from_millis(50)).expect("frames");
                    let frame = frame.filter(|frame| is_of_group(frame));
                    if let Some(frame) = frame {
                        // Of probes there are few.
                        let kept = frames.entry(ports(&frame).contains(&PORTS[1])).or_default();
                        if kept.len() < FRAMES_MAX {
                            kept.push(frame);
                        }
                    }
                }
                (network, frames.into_values().flatten().collect())
            })
        });
        thread::sleep(QUIET);
        silent.suspend().expect("a suspended daemon");
        thread::sleep(SILENCE);
        silent.resume().expect("a daemon");
        readers
            .map(|reader| reader.join().expect("a reader"))
            .into_iter()
            .collect()
    })
}

/// UDP over IPv4 without options, to or from a port of the group.
fn is_of_group(frame: &[u8]) -> bool {
    let is_udp = frame.len() > PAYLOAD
        && frame[12..14] == [0x08, 0x00]
        && frame[ETHERNET] == 0x45
        && frame[ETHERNET + 9] == 17;
    is_udp && ports(frame).iter().any(|port| PORTS.contains(port))
}

fn ports(frame: &[u8]) -> [u16; 2] {
    let at = ETHERNET + IP;
    [at, at + 2].map(|at| u16::from_be_bytes([frame[at], frame[at + 1]]))
}

/// The frame itself, cut short, with a changed byte, of other versions, and with a later age.
fn changes(frame: &[u8], random: &mut StdRng) -> Vec<Vec<u8>> {
    let payload = frame.len() - PAYLOAD;
    let mut changed = vec![frame.to_vec(); 6];
    let left = random.random_range(0..payload);
    changed[1].truncate(PAYLOAD + left);
    set_length(&mut changed[1]);
    let at = PAYLOAD + random.random_range(0..payload);
    changed[2][at] ^= 1 << random.random_range(0..8);
    // A message's version is its third byte, a probe's the fifth.
    let version = PAYLOAD
        + if ports(frame).contains(&PORTS[1]) {
            4
        } else {
            2
        };
    for (copy, other) in [(3, 0), (4, 2)] {
        if version < frame.len() {
            changed[copy][version] = other;
        }
    }
    // The last but eight bytes of a probe's answer say for how long the daemon is silent.
    let end = frame.len();
    if payload >= 16 {
        changed[5][end - 16..end - 8].copy_from_slice(&u64::to_be_bytes(1 << 40));
    }
    changed.into_iter().map(without_checksum).collect()
}

/// Without a checksum of UDP: the host that sent the frame may have left it to its interface.
fn without_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame[ETHERNET + IP + 6..PAYLOAD].fill(0);
    frame
}

/// Says in IP and UDP how long the frame is now.
fn set_length(frame: &mut [u8]) {
    let len = |headers: usize| {
        let len = u16::try_from(frame.len() - headers).expect("a short frame");
        len.to_be_bytes()
    };
    let (ip, udp) = (len(ETHERNET), len(ETHERNET + IP));
    frame[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&ip);
    frame[ETHERNET + IP + 4..ETHERNET + IP + 6].copy_from_slice(&udp);
    frame[ETHERNET + 10..ETHERNET + 12].fill(0);
    let words = frame[ETHERNET..ETHERNET + IP].chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from(sum & 0xffff).expect("16 bits");
    frame[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&checksum.to_be_bytes());
}

/// Says to everybody that `address` is at an Ethernet address that nobody has.
fn forged_arp(address: Ipv4Addr, operation: u8) -> Vec<u8> {
    let mac = [0x02, 0xbd, 0, 0, 0, 1];
    let mut frame = [0xff; 6].to_vec();
    frame.extend(mac);
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0xff; 6]);
    frame.extend(address.octets());
    frame
}

/// Waits until `stack` hears every other one again.
fn wait_until_heard(stack: &Stack) {
    let heard = || {
        let report = stack.order(&["sysplex", "group", "--format", "json"])?;
        let report: serde_json::Value = serde_json::from_str(&report)?;
        let rows = report["rows"].as_array().expect("members");
        Ok(rows.len() == 3 && rows.iter().all(|row| row["status"] == "MEMBER"))
    };
    wait::until("all members to be heard", Duration::from_secs(10), heard).expect("members");
}

/// Every message so far that says that a DVIPA has moved, by stack.
fn moves(lab: &Lab) -> BTreeMap<&str, Vec<String>> {
    let says_so = |line: &&str| ["EZZ830", "EZD1214I"].iter().any(|id| line.contains(id));
    let moves = |stack: &Stack| -> Vec<String> {
        let output = stack.output();
        output.lines().filter(says_so).map(str::to_owned).collect()
    };
    lab.stacks()
        .iter()
        .map(|stack| (stack.name(), moves(stack)))
        .collect()
}

/// What a stack has not taken from the network, by reason.
fn dropped(stack: &Stack) -> BTreeMap<String, u64> {
    let report = stack.netstat_json("stats").expect("a report");
    let rows = report["group"].as_array().expect("reasons");
    rows.iter()
        .map(|row| {
            let reason = row["reason"].as_str().expect("a reason").to_owned();
            (reason, row["count"].as_u64().expect("a count"))
        })
        .collect()
}
