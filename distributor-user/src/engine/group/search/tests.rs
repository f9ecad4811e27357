use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], number))
}

/// The times within ten seconds at which `address` is asked.
fn asked(search: &mut Search, address: SocketAddr, from: u64, to: u64) -> Vec<u64> {
    (from..to)
        .filter(|at| search.due(ms(*at), |_| false).contains(&address))
        .collect()
}

#[test]
fn a_seed_is_asked_without_end_but_seldom() {
    let mut search = Search::new([address(1)]);
    assert_eq!(
        asked(&mut search, address(1), 0, 6_000),
        [
            0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_200, 1_600, 2_400, 3_400,
            4_400, 5_400
        ]
    );
    assert_eq!(search.deadline(), Some(ms(6_400)));
    assert_eq!(search.due(ms(1_000_000), |_| false), [address(1)]);
}

#[test]
fn where_a_member_is_nobody_is_asked() {
    let mut search = Search::new([address(1), address(2)]);
    assert_eq!(search.due(ms(0), |at| *at == address(1)), [address(2)]);
    assert_eq!(asked(&mut search, address(1), 1, 1_200), [1_000, 1_100]);
    search.ask_anew(address(1), ms(9_000), ms(1_150));
    assert_eq!(
        asked(&mut search, address(1), 1_150, 1_500),
        [1_150, 1_250, 1_350, 1_450]
    );
}

#[test]
fn a_passing_address_is_forgotten() {
    let mut search = Search::default();
    search.ask_until(address(1), ms(500), ms(10));
    assert_eq!(asked(&mut search, address(1), 0, 400), [10, 110, 210, 310]);
    search.ask_until(address(1), ms(1_000), ms(400));
    assert_eq!(
        asked(&mut search, address(1), 400, 5_000),
        [410, 510, 610, 710, 810, 910]
    );
    assert_eq!(search.deadline(), None);
    for number in 0..9_999 {
        search.ask_until(address(number), ms(60_000), ms(5_000));
    }
    assert_eq!(search.targets.len(), PASSING_MAX);
}
