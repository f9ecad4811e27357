//! Probes by ICMP echo (RFC 792), on one raw socket.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval, timeout_at};

use super::{INTERVAL, Outcome, PATIENCE, Probe};

/// Types of message.
const REQUEST: u8 = 8;
const REPLY: u8 = 0;

/// Length of the message: type, code, checksum, identifier, and the probe's number.
const LEN: usize = 12;

/// What tells these requests from others: replies that come to a raw socket may be anybody's.
const IDENTIFIER: u16 = 0x5d0e;

pub(super) async fn ask_all(to: IpAddr, is_over: &AtomicBool) -> Result<Vec<Probe>> {
    ensure!(to.is_ipv4(), "expected an IPv4 address, found `{to}`");
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))
        .context("cannot open a raw socket")?;
    socket.set_nonblocking(true)?;
    // All that matters: datagrams to and from an address. The port is ignored.
    let socket = UdpSocket::from_std(socket.into())?;
    let to = SocketAddr::new(to, 0);
    let mut packet = [0; 256];
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut probes: Vec<Probe> = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        tokio::select! {
            _ = ticks.tick() => {
                let number = u32::try_from(probes.len())?;
                let outcome = match socket.try_send_to(&request(number), to) {
                    Ok(_) => Outcome::Silent,
                    // Such as no answer for the address: the probe has failed, not the probing.
                    Err(error) => Outcome::Failed(error),
                };
                probes.push(Probe { at: Instant::now(), outcome });
            }
            len = socket.recv(&mut packet) => answer(&mut probes, &packet[..len?]),
        }
    }
    let end = tokio::time::Instant::now() + PATIENCE;
    while let Ok(len) = timeout_at(end, socket.recv(&mut packet)).await {
        answer(&mut probes, &packet[..len?]);
    }
    Ok(probes)
}

/// Notes the answer to a probe, unless it is late.
fn answer(probes: &mut [Probe], packet: &[u8]) {
    let Some(probe) = number(packet).and_then(|number| probes.get_mut(number)) else {
        return;
    };
    let after = probe.at.elapsed();
    if after <= PATIENCE {
        probe.outcome = Outcome::Answered {
            server: String::new(),
            after,
        };
    }
}

fn request(number: u32) -> [u8; LEN] {
    let mut message = [0; LEN];
    message[0] = REQUEST;
    message[4..6].copy_from_slice(&IDENTIFIER.to_be_bytes());
    message[8..].copy_from_slice(&number.to_be_bytes());
    let words = message.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16));
    message[2..4].copy_from_slice(&checksum.to_be_bytes()[2..]);
    message
}

/// The number of the probe that `packet`, with its IPv4 header, answers.
fn number(packet: &[u8]) -> Option<usize> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let message = packet.get(header..header + LEN)?;
    let identifier = u16::from_be_bytes([message[4], message[5]]);
    if message[0] != REPLY || identifier != IDENTIFIER {
        return None;
    }
    let number = u32::from_be_bytes([message[8], message[9], message[10], message[11]]);
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::{IDENTIFIER, REPLY, number, request};

    #[test]
    fn a_request_bears_its_number_and_sums_up_to_all_ones() {
        for number in [0, 1, 65_535, 65_536, u32::MAX] {
            let message = request(number);
            let words = message.chunks(2);
            let mut sum: u32 = words
                .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
                .sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            assert_eq!(sum, 0xffff, "{number}");
        }
    }

    #[test]
    fn only_a_reply_of_ours_answers_a_probe() {
        let packet = |kind: u8, identifier: u16, len: usize| {
            let mut packet = vec![0x45];
            packet.resize(20, 0);
            packet.extend(request(7));
            packet[20] = kind;
            packet[24..26].copy_from_slice(&identifier.to_be_bytes());
            packet.truncate(len);
            packet
        };
        for (packet, expected) in [
            (packet(REPLY, IDENTIFIER, 32), Some(7)),
            (packet(8, IDENTIFIER, 32), None),
            (packet(REPLY, 1, 32), None),
            (packet(REPLY, IDENTIFIER, 31), None),
            (vec![], None),
        ] {
            assert_eq!(number(&packet), expected, "{packet:?}");
        }
    }
}
