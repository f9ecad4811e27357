//! Definitions are published small, and come back as they were.

use serde_json::{Value, json};

use super::*;
use crate::engine::config::{Destinations, DistMethod};

fn terms(hosts: u8) -> Arc<Terms> {
    let targets = (1..=hosts).map(|host| IpAddr::from([172, 1, 1, host]));
    let destinations = Destinations::list(targets);
    Service::new(vipa(1), 1, DistMethod::RoundRobin, destinations).terms
}

fn vipa(host: u16) -> IpAddr {
    let [high, low] = host.to_be_bytes();
    IpAddr::from([10, 9, high, low])
}

fn service(dvipa: u16, port: u16, terms: &Arc<Terms>) -> Service {
    Service {
        dvipa: vipa(dvipa),
        port,
        terms: Arc::clone(terms),
    }
}

fn published(services: Vec<Service>) -> String {
    let definitions = Definitions {
        dvipas: Vec::new(),
        services,
    };
    let text = serde_json::to_string(&definitions).expect("JSON");
    let read: Definitions = serde_json::from_str(&text).expect("definitions");
    assert_eq!(read, definitions);
    text
}

#[test]
fn ports_in_a_row_are_ranges_and_equal_terms_stand_once() {
    let (two, three) = (terms(2), terms(3));
    let text = published(vec![
        service(1, 80, &two),
        service(1, 81, &two),
        service(1, 65535, &two),
        service(1, 82, &three),
        // Equal, but not the same.
        service(2, 80, &terms(2)),
        service(1, 83, &two),
    ]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["terms"].as_array().map(Vec::len), Some(2));
    let run = |dvipa: &str, ports: Value, terms: usize| json!({"dvipa": dvipa, "ports": ports, "terms": terms});
    assert_eq!(
        document["services"],
        json!([
            run("10.9.0.1", json!([[80, 81], [65535, 65535]]), 0),
            run("10.9.0.1", json!([[82, 82]]), 1),
            run("10.9.0.2", json!([[80, 80]]), 0),
            run("10.9.0.1", json!([[83, 83]]), 0),
        ])
    );
}

#[test]
fn the_largest_configuration_is_published_in_little_space() {
    let services = (0..1024).flat_map(|dvipa| {
        let terms = terms(32);
        (8001..=8064).map(move |port| service(dvipa, port, &terms))
    });
    let text = published(services.collect());
    assert!(text.len() < 100_000, "{} bytes", text.len());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of = |ports: Value, index: usize| {
        let document = json!({
            "dvipas": [],
            "terms": [*terms(1)],
            "services": [{"dvipa": "10.9.0.1", "ports": ports, "terms": index}],
        });
        let read: Result<Definitions, _> = serde_json::from_value(document);
        read.map(|definitions| definitions.services.len())
            .map_err(|error| error.to_string())
    };
    let all = json!([[1, 65535], [1, 1]]);
    assert_eq!(of(all, 0), Ok(65_536));
    for (ports, index, expected) in [
        (json!([[0, 1]]), 0, Unusable::NoPorts { first: 0, last: 1 }),
        (json!([[2, 1]]), 0, Unusable::NoPorts { first: 2, last: 1 }),
        (json!([[1, 1]]), 7, Unusable::NoTerms(7)),
        (json!([[1, 65535], [1, 2]]), 0, Unusable::TooMany),
    ] {
        assert_eq!(of(ports, index), Err(expected.to_string()));
    }
}
