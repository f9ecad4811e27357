use super::*;
use crate::engine::agreement::{Member as Compared, compare};
use crate::engine::config::DvipaRole;
use crate::engine::definitions::Definitions;
use crate::engine::profile::{self, Operand, ReadError, Reader, Style, Text};

/// Nothing is included.
struct Nothing;

impl Reader for Nothing {
    fn read(&mut self, operand: &Operand, _including: &str) -> Result<Text, ReadError> {
        unreachable!("{operand:?}")
    }
}

fn group(vipa: &[&str], stacks: &[&str]) -> Group {
    Group {
        vipa: vipa
            .iter()
            .map(|text| text.parse().expect("a network"))
            .collect(),
        port: vec![443, 8443],
        method: round_robin(),
        interface: Vec::new(),
        xcf_interface: None,
        stack: stacks
            .iter()
            .map(|text| text.parse().expect("a stack"))
            .collect(),
    }
}

#[test]
fn what_is_written_is_right_and_agrees() {
    for (vipa, stacks) in [
        (&["10.1.3.10/24"][..], &["ONE=172.1.1.1/24"][..]),
        (
            &["10.1.3.10/24", "10.1.3.11/28"],
            &["ONE=172.1.1.1", "TWO=172.1.1.2", "THREE=172.1.1.3"],
        ),
    ] {
        let group = group(vipa, stacks);
        let profiles = group.profiles().expect("profiles");
        let loaded: Vec<_> = profiles
            .iter()
            .map(|(name, text)| {
                let text = Text {
                    name: (*name).to_owned(),
                    identity: (*name).to_owned(),
                    bytes: text.clone().into_bytes(),
                };
                (*name, profile::load(text, &mut Nothing))
            })
            .collect();
        let mut definitions = Vec::new();
        for (number, (name, loaded)) in loaded.iter().enumerate() {
            let config = loaded.config.as_ref();
            let config = config.unwrap_or_else(|| panic!("{name}: {}", loaded.text(Style::Plain)));
            let roles: Vec<_> = config.dvipas.iter().map(|dvipa| dvipa.role).collect();
            assert_eq!(roles.len(), vipa.len(), "{name}");
            for role in roles {
                match role {
                    DvipaRole::Define { .. } => assert_eq!(number, 0),
                    DvipaRole::Backup { rank, .. } => assert_eq!(usize::from(rank), 255 - number),
                }
            }
            definitions.push(Definitions::of(config));
        }
        let members: Vec<_> = loaded
            .iter()
            .zip(&definitions)
            .map(|((name, loaded), definitions)| {
                Compared::of_profile(name, definitions, &loaded.places)
            })
            .collect();
        assert_eq!(compare(&members), [], "{vipa:?} {stacks:?}");
    }
}

#[test]
fn a_stack_may_only_serve_or_only_distribute() {
    let mut group = group(
        &["10.1.3.10/24"],
        &["FRONT=172.1.1.1/16", "ONE=172.1.1.2/16", "TWO=172.1.1.3/16"],
    );
    group.stack[0].serves = false;
    group.stack[1].takes_over = false;
    let profiles = group.profiles().expect("profiles");
    let [(_, front), (_, one), (_, two)] = &profiles[..] else {
        panic!("{profiles:?}")
    };
    assert_eq!(
        front,
        "; FRONT: owns the addresses whenever it is up.\n\n\
         IPCONFIG SYSPLEXROUTING\n    DYNAMICXCF 172.1.1.1 255.255.0.0 1\n\n\
         VIPADYNAMIC\n   VIPADEFINE MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10\n   \
         VIPADISTRIBUTE DEFINE DISTMETHOD ROUNDROBIN 10.1.3.10 PORT 443 8443\n      \
         DESTIP\n         172.1.1.2 ; ONE\n         172.1.1.3 ; TWO\nENDVIPADYNAMIC\n"
    );
    assert_eq!(
        one,
        "; ONE: runs servers.\n\nIPCONFIG SYSPLEXROUTING\n    DYNAMICXCF 172.1.1.2 255.255.0.0 1\n"
    );
    assert!(
        two.contains("VIPABACKUP 254 MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10"),
        "{two}"
    );
}

#[test]
fn a_stack_has_the_interfaces_of_its_group_unless_it_names_its_own() {
    let mut group = group(&["10.1.3.10/24"], &["ONE=172.1.1.1", "TWO=172.1.1.2"]);
    assert_eq!(group.options(&group.stack[0]), "");
    group.interface = vec!["eth0".to_owned(), "eth1".to_owned()];
    group.xcf_interface = Some("eth1".to_owned());
    group.stack[1].interface = vec!["bond0.7".to_owned()];
    assert_eq!(
        group.options(&group.stack[0]),
        "--interface eth0 --interface eth1 --xcf-interface eth1"
    );
    assert_eq!(
        group.options(&group.stack[1]),
        "--interface bond0.7 --xcf-interface eth1"
    );
    group.stack[1].xcf_interface = Some("xcf0".to_owned());
    assert_eq!(
        group.options(&group.stack[1]),
        "--interface bond0.7 --xcf-interface xcf0"
    );
}

#[test]
fn what_no_profile_can_say_is_refused() {
    type Change = fn(&mut Group);
    let one = || group(&["10.1.3.10/24"], &["ONE=172.1.1.1", "TWO=172.1.1.2"]);
    let cases: [(Change, &str); 10] = [
        (|group| group.vipa.clear(), "at least one VIPA"),
        (|group| group.port.clear(), "at least one port"),
        (|group| group.stack.clear(), "at least one stack"),
        (
            |group| group.vipa[0].prefix_len = None,
            "as in `10.1.3.10/24`",
        ),
        (
            |group| group.stack[1].name = "one".to_owned(),
            "found `one` again",
        ),
        (
            |group| {
                group
                    .stack
                    .iter_mut()
                    .for_each(|member| member.serves = false);
            },
            "that runs servers",
        ),
        (
            |group| group.interface.push("eth0 --grace".to_owned()),
            "found `eth0 --grace`",
        ),
        (
            |group| group.stack[1].xcf_interface = Some("a-name-of-16-let".to_owned()),
            "such as `eth0`",
        ),
        (
            |group| group.vipa.push("fd00::1/64".parse().expect("a network")),
            "of the family of fd00::1",
        ),
        (
            |group| {
                let more = (0..=u16::from(FIRST_RANK)).map(|number| Member {
                    name: format!("S{number}"),
                    ..group.stack[1].clone()
                });
                let more: Vec<_> = more.collect();
                group.stack.extend(more);
            },
            "at most 254 backups, found 256",
        ),
    ];
    for (change, reason) in cases {
        let mut group = one();
        change(&mut group);
        let error = group.profiles().expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    for text in [
        "10.1.3.10/33",
        "10.1.3/24",
        "fd00::/129",
        "/24",
        "10.1.3.10/",
    ] {
        let error = text.parse::<Network>().expect_err(text);
        assert!(error.contains("such as `10.1.3.10/24`"), "{error}");
    }
    assert!(
        "172.1.1.1"
            .parse::<Member>()
            .expect_err("no name")
            .contains("`TCPIP=172.1.1.1/24`")
    );
}
