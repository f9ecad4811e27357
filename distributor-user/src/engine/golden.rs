//! Committed files that tests compare with, and rewrite when they are told to.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// Set to anything, the tests write what they would compare.
const REWRITE: &str = "REWRITE";

/// Compares texts with committed files, by their paths from this package's directory.
///
/// With the environment variable `REWRITE` the files are written instead.
pub(crate) fn compare_all(files: impl IntoIterator<Item = (String, String)>) {
    let mut differences = String::new();
    for (path, text) in files {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        if env::var_os(REWRITE).is_some() {
            let directory = file.parent().expect("a directory");
            fs::create_dir_all(directory).expect("the directory can be made");
            fs::write(&file, text).expect("the file can be written");
            continue;
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        if committed != text {
            let _ = writeln!(differences, "{path} {}", difference(&committed, &text));
        }
    }
    assert!(
        differences.is_empty(),
        "{differences}If what the program says is right, write the files anew: \
         {REWRITE}=1 cargo test --package distributor-user --lib"
    );
}

/// Says where two texts begin to differ.
fn difference(committed: &str, text: &str) -> String {
    let mut committed = committed.lines();
    let mut number = 0;
    for line in text.lines() {
        number += 1;
        let other = committed.next();
        if other != Some(line) {
            return format!(
                "line {number}: expected `{}`, found `{line}`",
                other.unwrap_or_default()
            );
        }
    }
    match committed.next() {
        Some(line) => format!("line {}: expected `{line}`, found the end", number + 1),
        None => "differs in its last line feed".to_owned(),
    }
}

#[test]
fn a_difference_is_said_by_its_line() {
    for (committed, text, expected) in [
        ("a\nb\n", "a\nc\n", "line 2: expected `b`, found `c`"),
        ("a\n", "a\nc\n", "line 2: expected ``, found `c`"),
        ("a\nb\n", "a\n", "line 2: expected `b`, found the end"),
        ("a\n", "a", "differs in its last line feed"),
    ] {
        assert_eq!(difference(committed, text), expected);
    }
}
