use super::*;

const BEAT: Duration = Duration::from_millis(200);
const DOWN_AFTER: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn local(text: &str, prefix_len: u8) -> LocalAddress {
    LocalAddress {
        ifname: "eth0".to_owned(),
        ifindex: 2,
        address: address(text),
        prefix_len,
        is_xcf: false,
    }
}

fn identity(addresses: &[&str]) -> Identity {
    Identity {
        instance: 1,
        name: "TCPIP2".to_owned(),
        xcf: address("172.1.1.2").into(),
        port: 4911,
        addresses: addresses.iter().map(|text| (address(text), 24)).collect(),
    }
}

fn endpoints(local: &str, peer: &str) -> Endpoints {
    Endpoints {
        local: address(local),
        peer: SocketAddr::new(address(peer), 4911),
    }
}

#[test]
fn there_is_a_path_where_both_are_on_one_network() {
    let locals = [
        local("172.1.1.1", 24),
        local("10.1.1.1", 16),
        local("fd00::1", 64),
    ];
    let cases: [(&[&str], &[Endpoints]); 5] = [
        (&["172.1.1.2"], &[endpoints("172.1.1.1", "172.1.1.2")]),
        (
            &["172.1.1.2", "10.1.7.2"],
            &[
                endpoints("172.1.1.1", "172.1.1.2"),
                endpoints("10.1.1.1", "10.1.7.2"),
            ],
        ),
        (&["172.1.2.2", "10.2.1.2"], &[]),
        (
            &["fd00::9", "fd00:1::9"],
            &[endpoints("fd00::1", "fd00::9")],
        ),
        (&["10.1.1.1"], &[]),
    ];
    for (addresses, expected) in cases {
        let identity = identity(addresses);
        let first = endpoints("192.0.2.1", "192.0.2.2");
        let paths = Paths::new(&locals, &identity, first, (BEAT, DOWN_AFTER), ms(0));
        assert_eq!(
            paths.usable(ms(0)),
            if expected.is_empty() { &[] } else { expected }
        );
    }
}

#[test]
fn a_path_is_up_while_our_own_beats_come_back() {
    let locals = [local("172.1.1.1", 24)];
    let path = endpoints("172.1.1.1", "172.1.1.2");
    let mut paths = Paths::new(
        &locals,
        &identity(&["172.1.1.2"]),
        path,
        (BEAT, DOWN_AFTER),
        ms(0),
    );
    let is_up = |paths: &Paths| paths.up().count() == 1;

    // Hearing the member proves nothing yet, but it waits for an answer.
    assert!(paths.beaten(path, 7, None, ms(100)) && !is_up(&paths));
    assert_eq!(
        paths.beat(path, ms(101)),
        Some(Frame::Beat {
            time_ms: 101,
            echo_ms: Some(7)
        })
    );
    // A reading of our clock that cannot be is none.
    assert!(!paths.beaten(path, 8, Some(9_000), ms(150)) && !is_up(&paths));
    // The round trip: the member may not know yet that the path works.
    assert!(paths.beaten(path, 9, Some(101), ms(200)) && is_up(&paths));
    assert_eq!(paths.deadline(ms(0)), Some(ms(1_101)));
    // What was held back proves no more than when it was sent.
    assert!(!paths.beaten(path, 9, Some(101), ms(1_000)));
    paths.expire(ms(1_100), ms(0));
    assert!(is_up(&paths));
    paths.expire(ms(1_101), ms(0));
    assert!(!is_up(&paths));
    assert!(!paths.beaten(path, 10, Some(101), ms(1_200)) && !is_up(&paths));
    // It comes back.
    assert!(paths.beaten(path, 11, Some(1_150), ms(1_300)) && is_up(&paths));
    assert_eq!(paths.proven_at(), Some(ms(1_150)));
}

#[test]
fn messages_go_where_they_may_arrive() {
    let locals = [local("172.1.1.1", 24), local("10.1.1.1", 16)];
    let [xcf, lan] = [("172.1.1.1", "172.1.1.2"), ("10.1.1.1", "10.1.1.2")]
        .map(|(local, peer)| endpoints(local, peer));
    let identity = identity(&["172.1.1.2", "10.1.1.2"]);
    let mut paths = Paths::new(&locals, &identity, xcf, (BEAT, DOWN_AFTER), ms(0));
    assert_eq!(paths.usable(ms(999)), [xcf, lan], "new ones may work");
    assert_eq!(
        paths.usable(ms(1_000)),
        [xcf, lan],
        "none does, so all are tried"
    );
    paths.beaten(lan, 1, Some(900), ms(1_001));
    assert_eq!(paths.usable(ms(1_002)), [lan]);
    paths.expire(ms(1_900), ms(0));
    assert_eq!(paths.usable(ms(1_900)), [xcf, lan]);
}

#[test]
fn paths_follow_the_addresses() {
    let mut locals = vec![local("172.1.1.1", 24), local("10.1.1.1", 16)];
    let [xcf, lan] = [("172.1.1.1", "172.1.1.2"), ("10.1.1.1", "10.1.1.2")]
        .map(|(local, peer)| endpoints(local, peer));
    let mut identity = identity(&["172.1.1.2", "10.1.1.2"]);
    let mut paths = Paths::new(&locals, &identity, xcf, (BEAT, DOWN_AFTER), ms(0));
    paths.beaten(lan, 1, Some(5), ms(10));
    assert_eq!(paths.up().collect::<Vec<_>>(), [lan]);
    locals.pop();
    paths.rearrange(&locals, &identity, ms(20));
    assert_eq!((paths.usable(ms(20)), paths.up().count()), (vec![xcf], 0));
    identity.addresses.remove(0);
    paths.rearrange(&locals, &identity, ms(30));
    assert!(paths.usable(ms(30)).is_empty());
    for number in 0..=255 {
        paths.add(endpoints("172.1.1.1", &format!("10.1.1.{number}")), ms(40));
    }
    assert_eq!(paths.all.len(), PATHS_MAX);
}

/// The path that is not proven by a beat which the other brings lags, and for a while after it has
/// caught up.
#[test]
fn a_path_that_misses_what_another_brings_lags() {
    let locals = [local("172.1.1.1", 24), local("10.1.1.1", 24)];
    let identity = identity(&["172.1.1.2", "10.1.1.2"]);
    let xcf = endpoints("172.1.1.1", "172.1.1.2");
    let lan = endpoints("10.1.1.1", "10.1.1.2");
    let mut paths = Paths::new(&locals, &identity, xcf, (BEAT, DOWN_AFTER), ms(0));
    let beat = |paths: &mut Paths, path, sent: u64, now: u64| {
        paths.beaten(path, sent, Some(sent), ms(now));
        paths.expire(ms(now), ms(0));
    };
    let lagging = |paths: &Paths| paths.lagging().collect::<Vec<_>>();
    for sent in [2_000, 2_200] {
        beat(&mut paths, xcf, sent, sent + 10);
        beat(&mut paths, lan, sent, sent + 20);
        assert_eq!(lagging(&paths), [], "copies of one beat may be apart");
    }
    beat(&mut paths, lan, 2_400, 2_410);
    assert_eq!(paths.deadline(ms(0)), Some(ms(2_490)));
    paths.expire(ms(2_489), ms(0));
    assert_eq!(lagging(&paths), []);
    paths.expire(ms(2_490), ms(0));
    assert_eq!(lagging(&paths), [xcf]);
    assert_eq!(paths.up().count(), 2, "it is not down");
    beat(&mut paths, lan, 2_600, 2_610);
    beat(&mut paths, xcf, 2_600, 2_620);
    assert_eq!(lagging(&paths), [xcf], "one beat proves little");
    for sent in [2_800, 3_000, 3_200, 3_400] {
        beat(&mut paths, lan, sent, sent + 10);
        beat(&mut paths, xcf, sent, sent + 10);
    }
    paths.expire(ms(3_609), ms(0));
    assert_eq!(lagging(&paths), [xcf]);
    paths.expire(ms(3_610), ms(0));
    assert_eq!(lagging(&paths), []);
}
