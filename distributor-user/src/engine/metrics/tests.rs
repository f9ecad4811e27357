use std::collections::BTreeSet;

use super::families::LABELS;
use super::*;
use crate::engine::golden;
use crate::engine::report::{Body, Report};

/// The sysplex of the reports' own tests.
fn scrape() -> Scrape {
    let body = |text: &str| {
        let report: Report = serde_json::from_str(text).expect("a report");
        report.body
    };
    macro_rules! report {
        ($file:literal, $kind:ident) => {
            match body(include_str!(concat!("../report/tests/golden/", $file))) {
                Body::$kind(body) => body,
                other => panic!("{other:?}"),
            }
        };
    }
    Scrape {
        stack: "TCPIPA".to_owned(),
        started_ms: 1_785_522_492_500,
        daemon: report!("config.json", Config).daemon,
        stats: report!("stats.json", Stats),
        vdpt: report!("vdpt.json", Vdpt),
        sysplex: report!("sysplex.json", Sysplex),
        group: report!("group.json", Group),
    }
}

/// The whole name of a family's samples.
fn full_name(family: &Family) -> String {
    let suffix = match family.kind {
        Kind::Counter => "_total",
        Kind::Gauge => "",
        Kind::Info => "_info",
    };
    format!("{PREFIX}_{}{suffix}", family.name)
}

#[test]
fn the_text_is_as_it_was() {
    let text = render(scrape());
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let text = text.replace(version, "version=\"…\"");
    golden::compare_all([("src/engine/metrics/tests/golden.txt".to_owned(), text)]);
}

#[test]
fn each_sample_is_of_the_family_before_it_and_there_once() {
    let text = render(scrape());
    let (samples, end) = text.split_at(text.len() - "# EOF\n".len());
    assert_eq!(end, "# EOF\n");
    let mut names = FAMILIES.iter().map(full_name);
    let mut name = String::new();
    let mut seen = BTreeSet::new();
    for line in samples.lines() {
        if line.starts_with("# HELP") {
            // Some have no samples.
            name = names
                .find(|name| {
                    let family = name.trim_end_matches("_total").trim_end_matches("_info");
                    line.split(' ').nth(2) == Some(family)
                })
                .unwrap_or_else(|| panic!("{line}"));
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let labels = series
            .strip_prefix(&name)
            .unwrap_or_else(|| panic!("{line}"));
        assert!(labels.starts_with("{stack=\"TCPIPA\""), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series), "twice: {line}");
    }
    assert!(seen.len() > FAMILIES.len(), "{text}");
}

#[test]
fn each_label_is_explained_and_each_sample_has_those_of_its_family() {
    let explained: BTreeSet<&str> = LABELS.iter().map(|(name, _)| *name).collect();
    let mut used = BTreeSet::from(["stack"]);
    let scrape = scrape();
    for family in FAMILIES {
        used.extend(family.labels);
        for sample in (family.samples)(&scrape) {
            assert_eq!(sample.labels.len(), family.labels.len(), "{}", family.name);
        }
    }
    assert_eq!(explained, used);
}

#[test]
fn the_examples_ask_for_families_that_there_are() {
    let names: BTreeSet<String> = FAMILIES.iter().map(full_name).collect();
    for example in [
        include_str!("../../../../examples/prometheus/alerts.yaml"),
        include_str!("../../../../examples/grafana/distributor.json"),
    ] {
        let letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let asked: BTreeSet<&str> = example
            .split(|character| !letter(character))
            .filter(|word| word.starts_with("distributor_"))
            .collect();
        assert!(!asked.is_empty());
        for name in asked {
            assert!(names.contains(name), "{name}");
        }
    }
}
