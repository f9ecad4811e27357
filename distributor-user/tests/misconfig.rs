//! The corpus of profiles that are wrong: `distributor check` names the cause, first in its list, and
//! nothing where nothing is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

const CORPUS: &str = include_str!("../../tests/misconfig/profiles.toml");

/// The file, which explains its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    base: BTreeMap<String, String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    stack: Option<String>,
    replace: Option<[String; 2]>,
    expect: String,
    says: Option<String>,
}

#[test]
fn the_cause_is_named_first() {
    let corpus: Corpus = toml::from_str(CORPUS).expect("a corpus");
    let mut complaints = Vec::new();
    for case in &corpus.case {
        let findings = check(&corpus.base, case);
        let first = findings.first();
        let id = first.map_or("", |found| found["id"].as_str().expect("a number"));
        let message = first.map_or("", |found| found["message"].as_str().expect("a message"));
        let is_of_stack =
            first.is_none_or(|found| found["stack"].as_str() == case.stack.as_deref());
        let says = case.says.as_deref().unwrap_or_default();
        if id != case.expect || !message.contains(says) || !is_of_stack {
            complaints.push(format!("{}: {findings:#?}", case.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What is found in the profiles of a case, notes apart.
fn check(base: &BTreeMap<String, String>, case: &Case) -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = base.iter().map(|(name, text)| {
        let mut text = text.clone();
        if let Some([old, new]) = &case.replace
            && case.stack.as_ref() == Some(name)
        {
            assert!(text.contains(old), "{}: no `{old}` in {text}", case.name);
            text = text.replacen(old, new, 1);
        }
        let file = directory.path().join(format!("{name}.profile"));
        fs::write(&file, text).expect("a file");
        file
    });
    let files: Vec<_> = files.collect();
    let output = Command::new(env!("CARGO_BIN_EXE_distributor"))
        .args(["check", "--format", "json"])
        .args(&files)
        .output()
        .expect("the program runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = document["diagnostics"].as_array().expect("findings");
    let severe = findings.iter().filter(|found| found["severity"] != "note");
    severe.cloned().collect()
}
