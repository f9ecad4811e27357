//! A path that takes only small packets, behind a VIPA.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use distributor_common::host::frame::{Frame, checksum, icmp_error};
use distributor_common::wire::icmp::UNREACHABLE;
use distributor_common::wire::tcp::ACK;
use tests::host::{Host, LAN_INTERFACE};
use tests::lab::{Lab, PORT, VIPA};
use tests::program;
use tests::tap::{EVERYTHING, Tap};
use tests::tcp::{Conversation, Server};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, started, turn};

/// Code of "fragmentation needed" (RFC 792).
const FRAGMENTATION_NEEDED: u8 = 4;
/// What [`icmp_error`] says that the path takes.
const SMALL_MTU: usize = 1400;
const ETHERNET: usize = 14;
/// Of Ethernet, IPv4 and ICMP; behind them, the quoted packet.
const QUOTED: usize = ETHERNET + 20 + 8;
/// An IPv4 header and eight bytes of TCP.
const QUOTED_LEN: usize = 28;

/// More than the largest packet of either path.
static BYTES: [u8; 20_000] = [7; 20_000];

#[test]
fn a_target_learns_of_a_path_with_a_small_mtu() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2", "TCPIP3"]);
    let _servers =
        ["TCPIP2", "TCPIP3"].map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let owner = lab.stack("TCPIP");
    owner
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    let tap = Tap::open(lab.client().namespace(), LAN_INTERFACE, EVERYTHING).expect("a tap");
    let mut conversation = lab
        .client()
        .namespace()
        .run(|| Ok(Conversation::open(SERVICE)?))
        .expect("a connection");
    conversation.start_echo().expect("an echo");
    conversation.echo(&BYTES).expect("the same bytes");
    let before = answers(&tap, &conversation).expect("frames");
    let longest = before.iter().map(Vec::len).max();
    assert!(longest > Some(ETHERNET + SMALL_MTU), "{longest:?}");

    // As a router between would about the segment that comes next; what has been acknowledged, the
    // target's kernel takes for an attack.
    let answer = following(before.last().expect("an answer"));
    let error = fragmentation_needed(&answer, mac(owner), mac(lab.client()));
    tap.send(&error).expect("an error");
    let target = conversation.server().to_owned();
    let learnt = || Ok(route(&lab, &target)?.contains(&format!("mtu {SMALL_MTU}")));
    wait::until(
        "the target to learn the MTU",
        Duration::from_secs(10),
        learnt,
    )
    .expect("a smaller MTU");
    conversation.echo(&BYTES).expect("the same bytes");
    let after = answers(&tap, &conversation).expect("frames");
    let longest = after.iter().map(Vec::len).max();
    assert_eq!(longest, Some(ETHERNET + SMALL_MTU));
    let counted = owner.counters().expect("counters")["error-sent-on"];
    assert_eq!(counted, 1);
}

/// The frames that came from the VIPA for a connection, until none comes for a while.
fn answers(tap: &Tap, conversation: &Conversation) -> Result<Vec<Vec<u8>>> {
    let ports = [PORT, conversation.client_port()?].map(u16::to_be_bytes);
    let mut answers = Vec::new();
    while let Some(frame) = tap.receive(Duration::from_millis(200))? {
        let is_of = frame.get(26..30) == Some(&VIPA.octets())
            && frame.get(34..38) == Some(ports.as_flattened());
        if is_of {
            answers.push(frame);
        }
    }
    ensure!(!answers.is_empty(), "no frame came from the VIPA");
    Ok(answers)
}

fn mac(host: &Host) -> [u8; 6] {
    host.link(LAN_INTERFACE).expect("an interface").1
}

/// The frame that comes after a segment: it begins where that ends.
fn following(segment: &[u8]) -> Vec<u8> {
    const SEQUENCE: usize = ETHERNET + 24;
    let word = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let headers = 20 + usize::from(segment[ETHERNET + 32] >> 4) * 4;
    let payload = u32::from(word(ETHERNET + 2)) - u32::try_from(headers).expect("two headers");
    let mut following = segment.to_vec();
    let sequence = following[SEQUENCE..][..4]
        .first_chunk()
        .expect("four bytes");
    let next = u32::from_be_bytes(*sequence).wrapping_add(payload);
    following[SEQUENCE..][..4].copy_from_slice(&next.to_be_bytes());
    following
}

/// The error of a router at the Ethernet address `router` about a frame, sent to `owner`.
fn fragmentation_needed(answer: &[u8], owner: [u8; 6], router: [u8; 6]) -> Vec<u8> {
    let frame = Frame::new(1, ACK);
    let mut error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &frame, 8);
    error[..6].copy_from_slice(&owner);
    error[6..12].copy_from_slice(&router);
    error[QUOTED..].copy_from_slice(&answer[ETHERNET..][..QUOTED_LEN]);
    error[36..38].fill(0);
    let sum = checksum(&error[34..]);
    error[36..38].copy_from_slice(&sum.to_be_bytes());
    error
}

/// The way that a stack would send from the VIPA to the client.
fn route(lab: &Lab, stack: &str) -> Result<String> {
    let client = lab.client().lan_address().to_string();
    let mut command = lab.stack(stack).namespace().command("ip");
    let arguments = ["route", "get", &client, "from", &VIPA.to_string()];
    program::output(command.args(arguments)).context("no route")
}
