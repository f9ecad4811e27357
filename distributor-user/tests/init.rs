//! `distributor init` as a user sees it: what it writes, what it leaves alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A group of three, by the command line.
const GROUP: [&str; 10] = [
    "--vipa=10.1.3.10/24",
    "--vipa=10.1.3.11/24",
    "--port=8443",
    "--port=443",
    "--stack=TCPIP=172.1.1.1/24",
    "--stack=TCPIP2=172.1.1.2/24",
    "--stack=TCPIP3=172.1.1.3/24",
    "--interface=eth0",
    "--xcf-interface=xcf0",
    "--method=BASEWLM",
];

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn group(&self) -> PathBuf {
        self.0.path().join("group")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.group().join(name)
    }

    fn init(&self, arguments: &[&str]) -> Output {
        let group = self.group();
        distributor(&[&["init", text(&group)], arguments].concat())
    }

    /// Every file with its bytes and mode.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut found = Vec::new();
        let mut directories = vec![self.group()];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = fs::read_dir(directory) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let mode = path.metadata().expect("metadata").permissions().mode() & 0o7777;
                found.push((path.clone(), fs::read(&path).expect("a file"), mode));
            }
        }
        found.sort();
        found
    }
}

fn distributor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_distributor"))
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn what_is_written_is_complete_and_right() {
    let directory = Directory::new();
    let output = directory.init(&GROUP);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "nothing to warn of"
    );
    let profiles = ["TCPIP", "TCPIP2", "TCPIP3"]
        .map(|name| directory.file(&format!("{name}/etc/distributor/{name}.profile")));
    let paths: Vec<&str> = profiles.iter().map(|path| text(path)).collect();
    let check = distributor(&[&["check", "--strict"], &paths[..]].concat());
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));

    let key = fs::read(directory.file("group.key")).expect("a key");
    for name in ["TCPIP", "TCPIP2", "TCPIP3"] {
        let of_stack = |path: &str| directory.file(&format!("{name}/etc/{path}"));
        let copy = of_stack("distributor/group.key");
        assert_eq!(fs::read(copy).expect("a copy"), key);
        let options = of_stack(&format!("distributor/{name}.options"));
        assert_eq!(
            fs::read_to_string(options).expect("options"),
            "OPTIONS=--interface eth0 --xcf-interface xcf0\n"
        );
        let unit = of_stack("systemd/system/distributor@.service");
        let unit = fs::read_to_string(unit).expect("a unit");
        for path in ["%i.profile", "%i.options", "group.key"] {
            assert!(unit.contains(&format!("/etc/distributor/{path}")), "{unit}");
        }
    }
    for (path, _, mode) in directory.files() {
        let is_secret = path.ends_with("group.key");
        let expected = if is_secret { 0o600 } else { 0o644 };
        // The caller's umask may allow less.
        assert_eq!(mode & expected, mode, "{}", path.display());
        assert!(!is_secret || mode == expected, "{}", path.display());
    }
}

#[test]
fn the_example_says_a_whole_group() {
    let directory = Directory::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/group.toml");
    let output = directory.init(&["--group", text(&example)]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let profile = |name: &str| {
        let path = directory.file(&format!("{name}/etc/distributor/{name}.profile"));
        fs::read_to_string(path).expect("a profile")
    };
    assert!(profile("TCPIP").contains("VIPADEFINE"));
    assert!(
        !profile("TCPIP").contains("172.1.1.1 ;"),
        "it serves nothing"
    );
    assert!(profile("TCPIP2").contains("VIPABACKUP 254"));
    assert!(!profile("TCPIP3").contains("VIPADYNAMIC"));
}

#[test]
fn what_is_there_is_kept_unless_asked_and_the_key_always() {
    let directory = Directory::new();
    assert!(directory.init(&GROUP).status.success());
    let before = directory.files();

    let again = directory.init(&GROUP);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!(directory.files(), before);
    assert!(!said(&again).contains("wrote "), "{}", said(&again));

    let more = [&GROUP[..], &["--port=9443", "--stack=TCPIP4=172.1.1.4"]].concat();
    let refused = directory.init(&more);
    assert_eq!(refused.status.code(), Some(2));
    let reason = said(&refused);
    for part in [
        "TCPIP.profile, ",
        "TCPIP2.profile",
        "`--replace`",
        "nothing was written",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(directory.files(), before);

    let replaced = directory.init(&[&more[..], &["--replace"]].concat());
    assert_eq!(replaced.status.code(), Some(0), "{}", said(&replaced));
    let after = directory.files();
    assert_eq!(after.len(), before.len() + 4, "a fourth stack");
    let keys = after
        .iter()
        .filter(|(path, ..)| path.ends_with("group.key"));
    for (path, bytes, mode) in keys {
        assert_eq!(
            (bytes, *mode),
            (&before.last().expect("a key").1, 0o600),
            "{}",
            path.display()
        );
    }
    let outcome = said(&replaced);
    for part in [
        "kept ",
        "replaced ",
        "wrote ",
        "TCPIP4/etc/distributor/group.key",
    ] {
        assert!(outcome.contains(part), "{outcome}");
    }
}

#[test]
fn a_key_of_another_group_or_one_that_others_read_stops_it() {
    let directory = Directory::new();
    assert!(directory.init(&GROUP).status.success());
    let copy = directory.file("TCPIP2/etc/distributor/group.key");
    let set_mode = |mode| {
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let refused = |reason: &str| {
        let before = directory.files();
        let output = directory.init(&[&GROUP[..], &["--replace"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(reason), "{}", said(&output));
        assert_eq!(directory.files(), before);
    };
    set_mode(0o640);
    refused("expected mode 0600");
    set_mode(0o600);
    fs::write(&copy, "another").expect("a file");
    refused("found another");
    // The group's key is gone: a new one would part the stacks that have copies from new ones.
    fs::remove_file(directory.file("group.key")).expect("a key");
    refused("found another");
}

#[test]
fn what_cannot_be_a_group_is_refused_with_what_is_right() {
    let file = |text: &str| {
        let directory = Directory::new();
        let path = directory.0.path().join("group.toml");
        fs::write(&path, text).expect("a file");
        let output = directory.init(&["--group", self::text(&path)]);
        (output, directory)
    };
    for (text, reason) in [
        ("vipa = []", "missing field `port`"),
        (
            "vipa = [\"10.1.3.10/24\"]\nport = [8443]\nstack = []",
            "at least one stack",
        ),
        (
            "vipa = [\"10.1.3.10/24\"]\nport = [8443]\nprot = 1\nstack = []",
            "unknown field `prot`",
        ),
        (
            "vipa = [\"10.1.3/24\"]\nport = [8443]\nstack = []",
            "such as `10.1.3.10/24`",
        ),
        (
            "vipa = [\"10.1.3.10/24\"]\nport = [8443]\nmethod = \"ROUNDROBBIN\"\n[[stack]]\nname = \
             \"A\"\nxcf = \"172.1.1.1\"",
            "ROUNDROBIN",
        ),
        (
            "vipa = [\"10.1.3.10/24\"]\nport = [8443]\n[[stack]]\nname = \"../A\"\nxcf = \"172.1.1.1\"",
            "1 to 16 letters",
        ),
    ] {
        let (output, directory) = file(text);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            said(&output).contains(reason),
            "{reason}: {}",
            said(&output)
        );
        assert!(!directory.group().exists(), "{text}");
    }
}
