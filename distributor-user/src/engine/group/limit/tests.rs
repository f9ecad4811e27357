use super::*;

const ALLOWANCE: Allowance = Allowance {
    interval: Duration::from_millis(100),
    burst: 3,
};

fn source(number: u32) -> IpAddr {
    IpAddr::from(number.to_be_bytes())
}

#[test]
fn allows_a_burst_and_then_the_rate() {
    let mut used = Use::default();
    let allowed = |used: &mut Use, from: u64, to: u64| {
        (from..to)
            .filter(|at| used.take(ALLOWANCE, Duration::from_millis(*at)))
            .count()
    };
    assert_eq!(allowed(&mut used, 5_000, 5_001), 1);
    assert_eq!(allowed(&mut used, 5_001, 6_000), 2 + 9);
    assert_eq!(allowed(&mut used, 20_000, 20_010), 3, "after a rest");
}

#[test]
fn sources_do_not_disturb_each_other_and_are_bounded() {
    let mut limit = PerSource::new(ALLOWANCE);
    let now = Duration::from_secs(9);
    for number in 0..256 {
        let taken = (0..9).filter(|_| limit.take(source(number), now)).count();
        assert_eq!(taken, 3, "source {number}");
    }
    let taken = (256..9_999)
        .filter(|number| limit.take(source(*number), now))
        .count();
    assert_eq!((taken, limit.sources.len()), (3, SOURCES_MAX));
    assert!(
        limit.take(source(256), now + Duration::from_secs(1)),
        "room is made for new ones"
    );
}
