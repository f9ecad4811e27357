//! `distributor check` as a user sees it: what it prints, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_distributor"))
        .arg("check")
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn example(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/profiles");
    examples.join(name).display().to_string()
}

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

#[test]
fn the_examples_are_clean() {
    let files = ["tcpip.profile", "tcpip2.profile", "tcpip3.profile"].map(example);
    let output = check(&[&files[0], &files[1], &files[2]]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for file in files {
        assert!(
            text.contains(&format!("{file}: no errors, no warnings, ")),
            "{text}"
        );
    }
    assert!(
        !text.contains('\u{1b}'),
        "colours are for terminals: {text}"
    );
}

#[test]
fn every_error_is_drawn_and_ends_with_2() {
    let directory = Directory::new();
    let file = directory.write(
        "profile",
        "IFCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 99\n",
    );
    let output = check(&[&file]);
    assert_eq!(output.status.code(), Some(2));
    let expected = format!(
        "\
error[EZZ0308I]: expected a statement, found `IFCONFIG`
 --> {file}:1:1
  |
1 | IFCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 99
  | ^^^^^^^^
  |
  = help: did you mean `IPCONFIG`?

error[EZZ0318I]: expected a cost metric from 0 to 14, found `99`
 --> {file}:1:45
  |
1 | IFCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 99
  |                                             ^^
  |
  = help: write a number from 0 to 14

{file}: 2 errors, no warnings, no notes
"
    );
    assert_eq!(stdout(&output), expected);
    assert!(output.stderr.is_empty());
}

#[test]
fn json_is_one_document() {
    let directory = Directory::new();
    let first = directory.write("first", "\nPORT 8443 WEB1\n  70000 TCP *\n");
    let second = directory.0.path().join("missing").display().to_string();
    let output = check(&["--format", "json", &first, &second]);
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = |file: &str,
                   place: [usize; 4],
                   severity: &str,
                   id: &str,
                   message: &str,
                   help: Value| {
        json!({
            "stack": if file == first { "FIRST" } else { "MISSING" }, "file": file, "line": place[0], "column": place[1],
            "end_line": place[2], "end_column": place[3],
            "severity": severity, "id": id, "message": message, "help": help,
        })
    };
    let expected = json!({"diagnostics": [
        finding(
            &first, [2, 6, 2, 15], "warning", "EZZ0312I",
            "expected a protocol, found none; understood as `8443 TCP WEB1`",
            json!("write `8443 TCP WEB1`; z/OS needs it in full"),
        ),
        finding(
            &first, [3, 3, 3, 8], "error", "EZZ0318I",
            "expected a port from 1 to 65535, found `70000`",
            json!("write a number from 1 to 65535"),
        ),
        finding(
            &second, [1, 1, 1, 1], "error", "SDL0203I",
            &format!("cannot read the profile: there is no file `{second}`"),
            json!("check the name, and the directory that it is relative to"),
        ),
    ]});
    assert_eq!(document, expected);
}

#[test]
fn notes_and_warnings_end_with_0() {
    let directory = Directory::new();
    let file = directory.write("profile", "HOME 10.1.1.1 L\nPORT 8443 WEB1\n");
    let output = check(&[&file]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).ends_with(&format!("{file}: no errors, 1 warning, 1 note\n")));
}

#[test]
fn members_are_looked_up_where_the_command_line_says() {
    let directory = Directory::new();
    let file = directory.write("profile", "INCLUDE TCPIP.PROFILES(XCF)");
    directory.write(
        "members/tcpip.profiles/xcf",
        "IPCONFIG DYNAMICXCF 172.1.1.1/24 1",
    );
    let members = directory.0.path().join("members").display().to_string();
    let without = check(&[&file]);
    assert_eq!(without.status.code(), Some(2));
    assert!(
        stdout(&without).contains("--include-dir"),
        "{}",
        stdout(&without)
    );
    let with = check(&["--include-dir", &members, &file]);
    assert_eq!(with.status.code(), Some(0), "{}", stdout(&with));
}

#[test]
fn it_is_said_where_the_address_would_come_from() {
    let directory = Directory::new();
    let file = directory.write(
        "profile",
        "IPCONFIG DYNAMICXCF 172.31.255.1 255.255.255.0 1",
    );
    let output = check(&["--xcf-interface", "no-such-interface", &file]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(
        text.contains("warning[SDL0251I]: there is no interface `no-such-interface`"),
        "{text}"
    );
    let local = directory.write("local", "IPCONFIG DYNAMICXCF 172.31.255.1 255.255.255.0 1");
    let text = stdout(&check(&["--interface", "no-such-interface", &local]));
    assert!(
        text.contains("warning[SDL0251I]: there is no interface `no-such-interface`"),
        "{text}"
    );
}

#[test]
fn without_a_file_there_is_nothing_to_check() {
    let output = check(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.is_empty());
}

#[test]
fn several_profiles_are_compared() {
    let directory = Directory::new();
    let front = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1/24 1\nVIPADYNAMIC\n\
                 VIPADEFINE /24 10.1.3.10\nENDVIPADYNAMIC\n";
    let first = directory.write("tcpip.profile", front);
    let second = directory.write("second", &front.replace("172.1.1.1", "172.1.1.2"));
    let named = format!("TCPIP2={second}");
    let output = check(&[&first, &named]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let expected = format!(
        "\
warning[SDL0303I]: expected one VIPADEFINE of `10.1.3.10`, found that of `TCPIP` too
 --> {second}:3:16
  |
3 | VIPADEFINE /24 10.1.3.10
  |                ^^^^^^^^^
  |
  = help: the stack that starts last takes the address: write `VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10` on one of them
"
    );
    assert!(text.contains(&expected), "{text}");
    let strict = check(&["--strict", &first, &named]);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(strict.stdout, output.stdout);
    let alone = check(&["--strict", &first]);
    assert_eq!(alone.status.code(), Some(0), "{}", stdout(&alone));

    let other = directory.write("b/tcpip.profile", &front.replace("172.1.1.1", "172.1.1.2"));
    let text = stdout(&check(&[&first, &other]));
    let expected = format!("found that of `{first}` too");
    assert!(text.contains(&expected), "names alike are paths: {text}");

    let broken = directory.write("broken", "IPCONFIG DYNAMICXCF 172.1.1.3");
    let output = check(&[&first, &second, &broken]);
    assert_eq!(output.status.code(), Some(2));
    let text = stdout(&output);
    assert!(!text.contains("found that of"), "{text}");
    assert!(
        text.ends_with("the stacks were not compared: mend the errors of each first\n"),
        "{text}"
    );
}

#[test]
fn symbols_have_the_values_of_the_command_line() {
    let directory = Directory::new();
    let file = directory.write(
        "profile",
        "IPCONFIG DYNAMICXCF 172.1.1.&SYSCLONE. 255.255.255.0 1 ; &NOTHING.\n",
    );
    let output = check(&["--symbol", "SYSCLONE=17", "--format", "json", &file]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains("SYSCLONE"), "{text}");
    let output = check(&["--symbol", "SYSNAME=SYS18", &file]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("note[SDL0206I]: `&SYSCLONE.` is read as `18`, the end of `&SYSNAME.`"),
        "{text}"
    );
    let output = check(&["--symbol", "SYSNAME", &file]);
    assert_eq!(output.status.code(), Some(2));
}
