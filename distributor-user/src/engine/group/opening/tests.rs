use std::net::SocketAddr;

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn identity(instance: u64) -> Identity {
    Identity {
        instance,
        name: "TCPIP2".to_owned(),
        xcf: IpAddr::from([172, 1, 1, 2]).into(),
        port: 4911,
        addresses: Vec::new(),
    }
}

fn path(source: u32) -> Endpoints {
    Endpoints {
        local: IpAddr::from([172, 1, 1, 1]),
        peer: SocketAddr::new(IpAddr::from(source.to_be_bytes()), 4911),
    }
}

#[test]
fn hellos_are_waited_for_a_while() {
    let mut opening = Opening::default();
    opening.ask(7, ms(0));
    opening.ask(8, ms(100));
    assert!(opening.is_asked(7, ms(999)) && !opening.is_asked(9, ms(0)));
    assert!(!opening.is_asked(7, ms(1_000)) && opening.is_asked(8, ms(1_000)));
    opening.forget_hello(8);
    assert!(!opening.is_asked(8, ms(200)));
    for id in 100..1_000 {
        opening.ask(id, ms(200));
    }
    assert_eq!(opening.hellos.len(), HELLOS_MAX);
}

#[test]
fn who_asks_again_gets_the_same_offer() {
    let mut opening = Opening::default();
    let first = opening
        .offer(7, 100, identity(1), path(1), ms(0))
        .expect("an offer")
        .ids;
    let again = opening
        .offer(7, 101, identity(1), path(1), ms(10))
        .expect("an offer")
        .ids;
    let other = opening
        .offer(8, 102, identity(1), path(1), ms(20))
        .expect("an offer")
        .ids;
    assert_eq!(
        [first, again, other].map(|ids| (ids.local, ids.remote)),
        [(100, 7), (100, 7), (102, 8)]
    );
    assert!(opening.is_offered(first, ms(999)) && !opening.is_offered(first, ms(1_000)));
    assert_eq!(
        opening.take_offer(first).map(|offer| offer.ids),
        Some(first)
    );
    assert!(
        opening.take_offer(first).is_none(),
        "an offer is taken up once"
    );
    opening.withdraw_offers(1);
    assert!(!opening.is_offered(other, ms(30)));
}

#[test]
fn offers_are_bounded_in_number_and_rate() {
    let mut opening = Opening::default();
    let mut offer = |id: u64, source: u32, now: Duration| {
        opening
            .offer(id, id, identity(id), path(source), now)
            .map(|_| ())
    };
    let to_one = (1..=50).filter(|id| offer(*id, 1, ms(0)).is_ok()).count();
    assert_eq!(to_one, 10);
    let to_all = (51..=999).filter(|id| offer(*id, u32::try_from(*id).unwrap_or(0), ms(0)).is_ok());
    assert_eq!(to_all.count(), 90);
    assert_eq!(offer(1_000, 60, ms(0)), Err(DropReason::Rate));
    assert_eq!(offer(1_001, 60, ms(5)), Ok(()));
    assert_eq!(opening.offers.len(), OFFERS_MAX);
}
