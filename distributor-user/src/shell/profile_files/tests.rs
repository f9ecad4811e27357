use super::*;

use crate::engine::profile::{Loaded, Severity, load};

fn check(path: &Path, include_dirs: &[&Path]) -> Loaded {
    let dirs = include_dirs.iter().map(|dir| dir.to_path_buf()).collect();
    let mut files = ProfileFiles::new(dirs);
    let text = files.open(path).expect("a readable profile");
    load(text, &mut files)
}

#[test]
fn the_examples_are_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/profiles");
    for (name, dvipas, services) in [
        ("tcpip.profile", 1, 1),
        ("tcpip2.profile", 1, 1),
        ("tcpip3.profile", 0, 0),
    ] {
        let loaded = check(&examples.join(name), &[]);
        let all: Vec<String> = loaded.findings().map(|found| found.message).collect();
        assert_eq!(all, Vec::<String>::new(), "{name}");
        let config = loaded.config.expect("no error, so a configuration");
        assert_eq!(
            (config.dvipas.len(), config.services.len()),
            (dvipas, services),
            "{name}"
        );
        assert!(config.dynamic_xcf.is_some(), "{name}");
    }
}

#[test]
fn members_are_found_whatever_their_case() {
    let cases: [(&str, &str); 6] = [
        ("TCPIP.PROFILES/COMMON", "INCLUDE tcpip.profiles(common)"),
        (
            "tcpip.profiles/common.txt",
            "INCLUDE 'TCPIP.PROFILES(COMMON)'",
        ),
        (
            "tcpip/profiles/common.profile",
            "INCLUDE TCPIP.PROFILES(COMMON)",
        ),
        ("TCPIP.PROFILES(COMMON)", "INCLUDE TCPIP.PROFILES(COMMON)"),
        ("TCPIP.COMMON", "INCLUDE tcpip.common"),
        ("tcpip/common", "INCLUDE TCPIP.COMMON"),
    ];
    for (file, include) in cases {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let members = dir.path().join("members");
        let member = members.join(file);
        fs::create_dir_all(member.parent().expect("a parent")).expect("directories");
        fs::write(&member, "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 1").expect("a member");
        let profile = dir.path().join("profile");
        fs::write(&profile, include).expect("a profile");
        let loaded = check(&profile, &[&members]);
        let all: Vec<String> = loaded.findings().map(|found| found.message).collect();
        assert!(loaded.config.is_some(), "{file} {include}: {all:?}");
    }
}

#[test]
fn a_path_is_relative_to_the_including_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("site")).expect("a directory");
    fs::write(dir.path().join("profile"), "INCLUDE \"site/first file\"").expect("a profile");
    fs::write(dir.path().join("site/first file"), "INCLUDE ./second").expect("a member");
    let second = "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 99";
    fs::write(dir.path().join("site/second"), second).expect("a member");
    let loaded = check(&dir.path().join("profile"), &[]);
    let found: Vec<_> = loaded.findings().collect();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].file.ends_with("site/./second"),
        "{}",
        found[0].file
    );
    assert_eq!((found[0].line, found[0].column), (1, 45));
}

#[test]
fn what_cannot_be_included_is_explained() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let members = dir.path().join("members");
    fs::create_dir_all(members.join("a.b")).expect("directories");
    for name in ["c.txt", "c.profile"] {
        fs::write(members.join("a.b").join(name), "").expect("a member");
    }
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let cases: [(&str, &str); 8] = [
        ("INCLUDE ./missing", "there is no file"),
        ("INCLUDE missing", "there is no"),
        ("INCLUDE .", "found the directory"),
        ("INCLUDE ./fifo", "it is no regular file"),
        ("INCLUDE a.b(c)", "several files match"),
        ("INCLUDE a.b(d)", "there is no `a.b(d)` in"),
        ("INCLUDE a.b(d", "expected a path or `dataset(member)`"),
        (
            "INCLUDE ./profile",
            "expected a file that does not include itself",
        ),
    ];
    for (include, expected) in cases {
        let profile = dir.path().join("profile");
        fs::write(&profile, include).expect("a profile");
        let loaded = check(&profile, &[&members]);
        let found: Vec<_> = loaded.findings().collect();
        assert_eq!(found.len(), 1, "{include}: {found:?}");
        assert!(
            found[0].message.contains(expected),
            "{include}: {}",
            found[0].message
        );
        assert_eq!((found[0].line, found[0].column), (1, 9), "{include}");
        assert!(found[0].help.is_some(), "{include}");
        assert!(loaded.config.is_none(), "{include}");
    }
}

#[test]
fn what_is_no_profile_is_explained() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = ProfileFiles::default();
    let missing = files
        .open(&dir.path().join("missing"))
        .expect_err("nothing is there");
    assert!(missing.message.contains("there is no file"), "{missing}");
    let directory = files.open(dir.path()).expect_err("a directory is there");
    assert!(
        directory.message.contains("found the directory"),
        "{directory}"
    );
    let endless = check(Path::new("/dev/zero"), &[]);
    assert_eq!(endless.count(Severity::Error), 1);
    let found = endless.findings().next().expect("one finding");
    assert!(
        found.message.contains("found a larger file"),
        "{}",
        found.message
    );
}
