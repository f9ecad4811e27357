use super::{
    Installation, Repository, Security, Sizes, differences, installation, reason, security, sizes,
};
use crate::setup::need::{Package, Pin};

const SIMULATED: &str = "\
Reading package lists...
Building dependency tree...
The following NEW packages will be installed:
  libmnl0 iproute2
Inst libmnl0 (1.0.4-3 Debian:12.15/oldstable [amd64])
Inst iproute2 [5.10.0-4] (6.1.0-3 Debian:12.15/oldstable, Debian-Security:12/stable [amd64]) []
Conf libmnl0 (1.0.4-3 Debian:12.15/oldstable [amd64])
Conf iproute2 (6.1.0-3 Debian:12.15/oldstable [amd64])
";

fn installs(packages: &[(&str, &str)]) -> Installation {
    let packages = packages
        .iter()
        .map(|&(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    Installation {
        packages,
        sizes: Sizes::default(),
    }
}

#[test]
fn a_simulation_says_what_would_be_installed() {
    assert_eq!(
        installation(SIMULATED),
        installs(&[("libmnl0", "1.0.4-3"), ("iproute2", "6.1.0-3")])
    );
    assert_eq!(
        installation("0 upgraded, 0 newly installed\n"),
        Installation::default()
    );
    assert_eq!(
        installation("Inst \nInst broken\n"),
        Installation::default()
    );
}

#[test]
fn sizes_are_given_in_apts_words() {
    let unknown = Sizes::default();
    let cases = [
        (
            "Need to get 135 MB of archives.\n\
             After this operation, 604 MB of additional disk space will be used.\n\
             'http://mirror.example/pool/c/curl.deb' curl.deb 315000 SHA256:00\n",
            ("135 MB", "604 MB on disk"),
        ),
        (
            "Need to get 0 B/2283 kB of archives.\n\
             After this operation, 120 kB disk space will be freed.\n",
            ("0 B/2283 kB", unknown.disk.as_str()),
        ),
        ("", (unknown.download.as_str(), unknown.disk.as_str())),
    ];
    for (text, (download, disk)) in cases {
        let expected = Sizes {
            download: download.to_owned(),
            disk: disk.to_owned(),
        };
        assert_eq!(sizes(text), expected, "{text:?}");
    }
}

#[test]
fn a_refusal_is_told_in_one_line() {
    let cases = [
        (
            "E: Unable to locate package x\n",
            "apt: Unable to locate package x",
        ),
        (
            "W: old lists\nE: Packages need to be removed but remove is disabled.\nE: second\n",
            "apt: Packages need to be removed but remove is disabled.; second",
        ),
        ("", "apt refused"),
    ];
    for (text, expected) in cases {
        assert_eq!(reason(text), expected);
    }
}

#[test]
fn another_version_than_the_one_tried_is_told() {
    let tried = [
        Package {
            name: "iproute2",
            tried: "6.1.0-3",
            pin: Pin::Newest,
        },
        Package {
            name: "libmnl0",
            tried: "1.0.4-2",
            pin: Pin::Exact,
        },
        Package {
            name: "curl",
            tried: "7.88.1-10",
            pin: Pin::Newest,
        },
    ];
    let told = differences(&tried, &installation(SIMULATED));
    assert_eq!(
        told,
        ["note: libmnl0 1.0.4-3 is on offer, 1.0.4-2 was tried"]
    );
}

#[test]
fn security_suite_is_derived_from_the_machines_own_mirror() {
    const BOOKWORM: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    let at = |source: &str| Security::At(source.to_owned());
    let cases = [
        (
            "Debian|bookworm|http://mirror.example/debian/\n",
            BOOKWORM,
            at("http://mirror.example/debian-security bookworm-security"),
        ),
        (
            "Other|nodistro|https://deb.example/x/\nDebian|bookworm|https://a.example/pub/debian\n",
            BOOKWORM,
            at("https://a.example/pub/debian-security bookworm-security"),
        ),
        (
            "Debian|bookworm|http://mirror.example/debian/\n\
             Debian|bookworm-security|http://mirror.example/debian-security/\n",
            BOOKWORM,
            Security::Known,
        ),
        // A snapshot's address ends with a date: nothing can be derived.
        (
            "Debian|bookworm|http://snapshot.example/debian/20250520T000000Z/\n",
            BOOKWORM,
            Security::Unknown,
        ),
        // Another release's source.
        (
            "Debian|trixie|http://mirror.example/debian/\n",
            BOOKWORM,
            Security::Unknown,
        ),
        (
            "Ubuntu|noble|http://mirror.example/ubuntu/\n",
            "VERSION_CODENAME=noble\n",
            Security::Unknown,
        ),
        ("", "ID=debian\n", Security::Unknown),
    ];
    for (targets, release, expected) in cases {
        assert_eq!(
            security(&Repository::all(targets), release),
            expected,
            "{targets:?}"
        );
    }
}

#[test]
fn a_line_with_other_fields_is_no_repository() {
    assert_eq!(
        Repository::all("Debian|bookworm\nDebian|bookworm|http://a/|more\n\n"),
        []
    );
}
