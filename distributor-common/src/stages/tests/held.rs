//! What a stack does with packets for a DVIPA of another.

use super::*;

/// This stack is slot 3. The owner is slot 1 and reached by a link, as all others are; unknown flows
/// are offered to 2, 3 and 4, in this order.
pub(super) fn bench(roles: Roles) -> Bench {
    let mut bench = Bench::new(&[]);
    bench.tables = HostTables::new(256, SEEDS);
    introduce(&mut bench.tables);
    for slot in 0..16 {
        bench.tables.set_path(slot, link(slot, INGRESS));
    }
    bench.tables.set_path(3, Path::Local);
    bench.tables.set_vipa(VIPA, roles, &[2, 3, 4]);
    bench
}

pub(super) fn settled() -> Roles {
    Roles {
        owner: Some(1),
        place: Some(1),
        ..Roles::default()
    }
}

fn from(slot: u16, frame: Frame) -> Frame {
    Frame {
        source: member(slot),
        ..frame
    }
}

#[test]
fn a_new_connection_is_taken_from_the_owner_and_its_claimant_only() {
    let syn = Frame::new(40_000, SYN);
    let moving = Roles {
        claimant: Some(5),
        ..settled()
    };
    for (roles, sender, verdict) in [
        (settled(), 1, Verdict::Accepted),
        (settled(), 2, Verdict::Fenced),
        (settled(), 5, Verdict::Fenced),
        (moving, 1, Verdict::Accepted),
        (moving, 5, Verdict::Accepted),
        (moving, 2, Verdict::Fenced),
        (Roles::default(), 1, Verdict::Fenced),
    ] {
        let mut bench = bench(roles);
        bench.send(from(sender, syn).bytes(), verdict, &[]);
        // On any port: which are distributed is the owner's knowledge.
        bench.send(
            from(sender, Frame { port: 22, ..syn }).bytes(),
            verdict,
            &[],
        );
        assert_eq!(bench.flows().count(), 0);
        let taken = if verdict == Verdict::Accepted { 2 } else { 0 };
        assert_eq!(bench.tables.syn_counts(sender), [0, taken]);
    }
}

#[test]
fn what_a_client_sends_is_relayed_to_the_owner() {
    let mut bench = bench(settled());
    for flags in [SYN, ACK, FIN | ACK, RST, SYN | ACK] {
        let frame = Frame::new(40_000, flags);
        assert_eq!(bench.target(frame, &[Event::Relayed]), 1);
    }
    // Not as one of its targets.
    assert_eq!(bench.tables.syn_counts(1), [0, 0]);
    // A member to which nothing is offered is a client as well, but hands out no connections.
    assert_eq!(
        bench.target(from(7, Frame::new(40_000, ACK)), &[Event::Relayed]),
        1
    );
    assert_eq!(bench.flows().count(), 0);
}

#[test]
fn without_an_owner_nothing_is_relayed() {
    for is_known in [false, true] {
        let mut bench = bench(Roles {
            owner: is_known.then_some(1),
            ..settled()
        });
        bench.tables.set_path(1, Path::Unreachable);
        bench.send(Frame::new(40_000, SYN).bytes(), Verdict::NoOwner, &[]);
        bench.send(Frame::new(40_000, ACK).bytes(), Verdict::Astray, &[]);
    }
}

#[test]
fn a_connection_that_is_here_stays_here() {
    let mut bench = bench(settled());
    bench
        .tables
        .sockets
        .push(FlowKey::tcp([10, 1, 1, 100], 40_000, VIPA, 8443));
    for source in [crate::host::frame::CLIENT, member(1), member(2), member(7)] {
        for flags in [ACK, FIN | ACK, RST] {
            let frame = Frame {
                source,
                ..Frame::new(40_000, flags)
            };
            bench.send(frame.bytes(), Verdict::LocalSocket, &[]);
        }
    }
    // A new connection on the same port is the owner's to hand out.
    bench.target(Frame::new(40_000, SYN), &[Event::Relayed]);
}

#[test]
fn a_round_goes_from_the_first_target_to_the_last() {
    // This stack is the second of three: who asks it, where the round begins, who is asked next.
    // The owner may ask it first for a reason of its own; then the round begins afterwards.
    for (sender, first, next) in [
        (1, 0, Some(2)),
        (1, 1, Some(4)),
        (1, 2, Some(4)),
        (2, 0, Some(4)),
        (2, 1, Some(4)),
        (4, 1, Some(4)),
        (2, 2, None),
        (4, 2, None),
    ] {
        let mut bench = bench(settled());
        let frame = from(sender, Frame::new(port_of_round(first, 3), ACK));
        if let Some(next) = next {
            assert_eq!(bench.target(frame, &[Event::FlowHandedOn]), next);
        } else {
            bench.send(frame.bytes(), Verdict::Disowned, &[]);
        }
    }
}

#[test]
fn a_round_visits_every_target_once() {
    for len in 1..8_u16 {
        let offers: Vec<u16> = (2..2 + len).collect();
        for port in 40_000..40_050 {
            let mut sender = 1;
            let mut visited = Vec::new();
            let mut at = None;
            loop {
                // The owner's own offer, then each target's in its own tables.
                let mut tables = HostTables::new(1, SEEDS);
                introduce(&mut tables);
                for slot in 0..16 {
                    tables.set_path(slot, link(slot, INGRESS));
                }
                let place = at.and_then(|slot| offers.iter().position(|offer| *offer == slot));
                let roles = Roles {
                    owner: Some(1),
                    place: place.and_then(|place| u16::try_from(place).ok()),
                    is_owned: at.is_none(),
                    ..Roles::default()
                };
                tables.set_vipa(VIPA, roles, &offers);
                if at.is_none() {
                    tables.add_service(VIPA, 8443, &[]);
                }
                let frame = match at {
                    None => Frame::new(port, ACK),
                    Some(_) => from(sender, Frame::new(port, ACK)),
                };
                let mut bytes = frame.bytes();
                let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &tables);
                if verdict == Verdict::Disowned {
                    break;
                }
                assert_eq!(verdict, Verdict::Transmitted);
                sender = at.unwrap_or(1);
                at = Some(u16::from(bytes[5]));
                visited.extend(at);
            }
            let mut sorted = visited.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, offers, "{visited:?}");
        }
    }
}

#[test]
fn while_the_dvipa_moves_nobody_is_told_that_all_were_asked() {
    for roles in [
        Roles {
            claimant: Some(5),
            ..settled()
        },
        Roles {
            owner: None,
            ..settled()
        },
    ] {
        let mut bench = bench(roles);
        let frame = from(2, Frame::new(port_of_round(2, 3), ACK));
        bench.send(frame.bytes(), Verdict::Astray, &[]);
    }
}

#[test]
fn a_stack_that_is_not_in_the_list_does_not_know_who_is_next() {
    let roles = Roles {
        place: None,
        ..settled()
    };
    let mut bench = bench(roles);
    bench.tables.set_vipa(VIPA, roles, &[2, 4]);
    let ack = Frame::new(40_000, ACK);
    bench.send(from(2, ack).bytes(), Verdict::Astray, &[]);
    // The owner may have a flow that leads here and is no longer here.
    bench.target(from(1, ack), &[Event::FlowHandedOn]);
}

#[test]
fn without_a_list_nobody_is_asked() {
    let mut bench = bench(settled());
    bench.tables.set_vipa(VIPA, settled(), &[]);
    let ack = Frame::new(40_000, ACK);
    bench.send(from(1, ack).bytes(), Verdict::Disowned, &[]);
}

#[test]
fn a_target_that_cannot_be_reached_is_not_left_out() {
    let mut bench = bench(settled());
    bench.tables.set_path(4, Path::Unreachable);
    let frame = from(2, Frame::new(port_of_round(0, 3), ACK));
    bench.send(frame.bytes(), Verdict::Unreachable, &[Event::FlowHandedOn]);
}

#[test]
fn what_is_not_tcp_and_what_is_in_pieces_is_the_kernels() {
    let mut bench = bench(settled());
    let mut icmp = Frame::new(40_000, ACK).bytes();
    icmp[23] = 1;
    bench.send(icmp, Verdict::NotTcp, &[]);
    let fragment = Frame {
        fragment: 0x2000,
        ..Frame::new(40_000, ACK)
    };
    bench.send(fragment.bytes(), Verdict::NotDistributed, &[]);
}
