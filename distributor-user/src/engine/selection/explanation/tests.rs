use std::net::IpAddr;

use super::super::ring;
use super::*;
use crate::engine::config::{Destinations, DistOptions};
use crate::engine::load::{Account, Stall, StallCause, of_servers};
use crate::engine::responsiveness::Responsiveness;

fn target(host: u8) -> IpAddr {
    IpAddr::from([172, 1, 1, host])
}

fn terms(method: DistMethod) -> Terms {
    Terms {
        method,
        destinations: Destinations::list([1, 2, 3].map(target)),
        options: DistOptions::default(),
    }
}

fn row(host: u8, load: Option<Load>) -> Row {
    Row {
        target: target(host),
        is_eligible: true,
        load,
        responsiveness: Responsiveness::default(),
        tcsr: 100,
        weight: None,
        warmth: Warmth::FULL,
    }
}

fn free(free: u32) -> Load {
    Load {
        capacity: 1_000,
        used: 1_000 - free,
        free,
        ..Load::default()
    }
}

/// Explains rows without servers of their own, each step in a line.
fn lines(terms: &Terms, rows: &[Row]) -> Vec<Vec<String>> {
    let ring = ring(terms, rows, None);
    let explained = explain(terms, rows, &[], &ring);
    let line = |reason: &Reason| format!("{}: {}", reason.step, reason.arithmetic);
    explained
        .iter()
        .map(|explained| explained.reasons.iter().map(line).collect())
        .collect()
}

#[test]
fn every_step_of_basewlm_is_written_out() {
    let busy = Load {
        capacity: 2_000,
        used: 1_200,
        stall: Some(Stall {
            cause: StallCause::Processor,
            permille: 125,
        }),
        within: None,
        before: Some(300),
        free: 600,
    };
    assert_eq!(busy.free, busy.smoothed());
    let mut rows = [
        row(1, Some(busy)),
        row(2, Some(free(300))),
        row(3, Some(free(100))),
    ];
    rows[0].responsiveness.sef = 50;
    let lines = lines(&terms(DistMethod::BASE_WLM), &rows);
    assert_eq!(
        lines[0],
        [
            "unused: capacity 2.000 - used 1.200 = 0.800 processors",
            "usable: 0.800 x (100 % - 12.5 % waiting for processor) = 0.700",
            "free: (3 x 0.700 + 0.300 before) / 4 = 0.600",
            "raw: 64 x 0.600 / 1.000 (what all have free) = 38",
            "scaled: 38 / 4 = 9, because a weight is above 16",
            "TSR: TCSR 100 of the best target's 100 x CER 100 of 100 x SEF 50 = 50 %",
            "weight: x 50 % = 5",
            "share: 5 of 10 turns = 50.0 %",
        ]
    );
    assert_eq!(
        lines[2],
        [
            "unused: capacity 1.000 - used 0.900 = 0.100 processors",
            "usable: 0.100: the kernel does not tell how long work waits",
            "free: 0.100, the first time",
            "raw: 64 x 0.100 / 1.000 (what all have free) = 6",
            "scaled: 6 / 4 = 1, because a weight is above 16",
            "TSR: TCSR 100 of the best target's 100 x CER 100 of 100 x SEF 100 = 100 %",
            "share: 1 of 10 turns = 10.0 %",
        ]
    );
}

#[test]
fn servers_are_explained_one_by_one() {
    let method = DistMethod::ServerWlm {
        cross_cost: crate::engine::config::Processors {
            cp: 1,
            zaap: 1,
            ziip: 1,
        },
        importance: 0,
    };
    let server = |account, used, within| {
        let mut load = Load {
            capacity: 1_000,
            used,
            within: Some(within),
            ..Load::default()
        };
        load.free = load.smoothed();
        Server { account, load }
    };
    let two = [
        server(Account::Cgroup, 200, 5_000),
        server(Account::Processes, 0, 400),
    ];
    let one = [server(Account::Cgroup, 400, 600)];
    let mut rows = [
        row(1, of_servers(&two)),
        row(2, of_servers(&one)),
        row(3, None),
    ];
    rows[2].is_eligible = false;
    let terms = terms(method);
    let ring = ring(&terms, &rows, None);
    let explained = explain(&terms, &rows, &[&two, &one, &[]], &ring);
    let steps: Vec<&str> = explained[0]
        .reasons
        .iter()
        .map(|reason| reason.arithmetic.as_str())
        .collect();
    assert_eq!(
        steps[..7],
        [
            "server 1 (cgroup): capacity 1.000 - used 0.200, at most 5.000 that its stack has \
             free, = 0.800 processors",
            "server 1 (cgroup): 0.800: the kernel does not tell how long work waits",
            "server 1 (cgroup): 0.800, the first time",
            "server 2 (processes): capacity 1.000 - used 0.000, at most 0.400 that its stack has \
             free, = 0.400 processors",
            "server 2 (processes): 0.400: the kernel does not tell how long work waits",
            "server 2 (processes): 0.400, the first time",
            "0.600 of 2 servers",
        ]
    );
    let shares: Vec<u16> = explained.iter().map(|one| one.share_permille).collect();
    assert_eq!(shares, [500, 500, 0]);
    assert_eq!(explained[2].reasons, []);
}

#[test]
fn methods_without_measured_weights_are_explained_too() {
    let active = terms(DistMethod::WeightedActive);
    let all = [row(1, None), row(2, None), row(3, None)];
    assert_eq!(
        lines(&active, &all)[1],
        [
            "raw: WEIGHT 10 of the profile",
            "TSR: TCSR 100 of the best target's 100 x CER 100 of 100 x SEF 100 = 100 %",
            "share: 10 of 30 of the weights, in active connections = 33.3 %",
        ]
    );
    let mut dead = all;
    dead[1].responsiveness.sef = 0;
    assert_eq!(
        lines(&active, &dead)[1],
        [
            "raw: WEIGHT 10 of the profile",
            "TSR: TCSR 100 of the best target's 100 x CER 100 of 100 x SEF 0 = 0 %",
            "weight: 0: below 10 % a target gets nothing while another has more",
            "share: 0 of 20 of the weights, in active connections = 0.0 %",
        ]
    );
    assert_eq!(
        lines(&terms(DistMethod::RoundRobin), &all)[2],
        ["share: 1 of 3 turns = 33.3 %"]
    );
    let mut controlled = all;
    controlled[0].weight = Some(64);
    assert_eq!(
        lines(&terms(DistMethod::TargControlled), &controlled)[..2],
        [
            [
                "raw: 64, as its operator says",
                "scaled: 64 / 4 = 16, because a weight is above 16",
                "share: 8 of 10 turns = 80.0 %"
            ],
            [
                "raw: 10: its operator says nothing",
                "scaled: 10 / 4 = 2, because a weight is above 16",
                "share: 1 of 10 turns = 10.0 %"
            ],
        ]
    );
    assert_eq!(
        lines(&terms(DistMethod::BASE_WLM), &all)[0],
        [
            "free: this target has not said what it could do",
            "raw: not all targets have said what they could do: they take turns",
            "TSR: TCSR 100 of the best target's 100 x CER 100 of 100 x SEF 100 = 100 %",
            "share: 1 of 3 turns = 33.3 %",
        ]
    );
}
