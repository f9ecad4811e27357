//! What z/OS users count on: the rules whose violation they would notice first.

use super::*;
use crate::engine::responsiveness::Responsiveness;
use crate::engine::selection::{Row, Warmth, ring};

fn in_block(statements: &str) -> Loaded {
    load_text(&format!(
        "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1\nVIPADYNAMIC\n\
         VIPADEFINE 255.255.255.0 10.1.8.1\n{statements}\nENDVIPADYNAMIC\n"
    ))
}

#[test]
fn a_comment_begins_after_a_blank() {
    let glued = in_block("VIPADELETE 10.1.8.1;x");
    assert!(told(&glued)[0].starts_with("4:12 error [SDL0208I] expected a blank before `;`"));
    let config = in_block("VIPADELETE 10.1.8.1 ;x").config;
    assert_eq!(config.map(|config| config.dvipas.len()), Some(0));
}

#[test]
fn an_address_is_defined_twice_only_with_a_vipadelete_between() {
    let again = "VIPADEFINE 255.255.255.0 10.1.8.1";
    assert!(in_block(again).config.is_none());
    let loaded = in_block(&format!("VIPADELETE 10.1.8.1 {again}"));
    assert_eq!(loaded.config.map(|config| config.dvipas.len()), Some(1));
}

#[test]
fn nothing_of_a_block_with_an_error_is_applied_and_all_of_it_is_checked() {
    let loaded = in_block(
        "VIPADEFINE 255.255.255.0 10.1.8.2\nVIPADEFINE 255.255.255.0 10.1.8.300\n\
         VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.8.1 PORT 0 DESTIP ALL",
    );
    let heads: Vec<String> = told(&loaded)
        .into_iter()
        .map(|line| line.chars().take(10).collect())
        .collect();
    assert_eq!(heads, ["5:26 error", "6:47 error"]);
    assert!(loaded.config.is_none());
}

#[test]
fn weights_are_ignored_with_a_warning_and_standby_lists_are_strict() {
    let distribute = |method: &str, targets: &str| {
        in_block(&format!(
            "VIPADISTRIBUTE DISTM {method} 10.1.8.1 PORT 80 DESTIP {targets}"
        ))
    };
    let ids = |loaded: &Loaded| -> Vec<(&str, &str)> {
        let findings = loaded.diagnostics.iter();
        findings
            .filter(|found| found.severity != Severity::Note)
            .map(|found| (found.severity.name(), found.id))
            .collect()
    };
    let weighted = distribute("ROUNDROBIN", "172.1.1.2 WEIGHT 20");
    assert_eq!(ids(&weighted), [("warning", "EZZ0799I")]);
    assert_eq!(weighted.config.map(|config| config.services.len()), Some(1));
    let all = distribute("HOTSTANDBY", "ALL");
    assert_eq!(ids(&all), [("error", "EZZ0165I")]);
    let backups: Vec<String> = (2..34)
        .map(|host| format!("172.1.1.{host} BACKUP"))
        .collect();
    let many = distribute(
        "HOTSTANDBY",
        &format!("172.1.1.1 PREFERRED {}", backups.join(" ")),
    );
    assert_eq!(ids(&many)[0], ("error", "EZZ0829I"));
    assert!(many.config.is_none());
}

#[test]
fn options_of_port_keep_their_order() {
    let right = [
        "NOAUTOLOG",
        "DELAYACKS",
        "SHAREPORT",
        "BIND 10.1.8.1",
        "SAF X",
        "NOSMC",
    ];
    for (at, _) in right.iter().enumerate().skip(1) {
        let mut wrong = right;
        wrong.swap(at - 1, at);
        for (options, errors) in [(right, 0), (wrong, 1)] {
            let loaded = load_text(&format!("PORT 80 TCP WEB1 {}", options.join(" ")));
            assert_eq!(loaded.count(Severity::Error), errors, "{options:?}");
        }
    }
}

#[test]
fn round_robin_counts_stacks_and_not_listeners() {
    let loaded =
        in_block("VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.8.1 PORT 80 DESTIP 172.1.1.2 172.1.1.3");
    let config = loaded.config.expect("a right profile");
    let terms = &config.services[0].terms;
    let row = |target| Row {
        target,
        is_eligible: true,
        load: None,
        responsiveness: Responsiveness::default(),
        tcsr: 100,
        weight: None,
        warmth: Warmth::FULL,
    };
    let rows: Vec<Row> = terms.destinations.addresses().map(row).collect();
    // Two listeners at the first and one at the second make both eligible, and nothing more.
    assert_eq!(ring(terms, &rows, None), [0, 1]);
}
