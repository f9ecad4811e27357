use super::*;
use crate::engine::profile::{self, Operand, ReadError, Reader, Text};
use distributor_common::ports::{Layout, Name, layout as field};

struct NoMembers;

impl Reader for NoMembers {
    fn read(&mut self, _: &Operand, _: &str) -> Result<Text, ReadError> {
        unreachable!("nothing is included")
    }
}

fn config(statements: &str) -> Config {
    let text = Text {
        name: "profile".to_owned(),
        identity: "profile".to_owned(),
        bytes: statements.as_bytes().to_vec(),
    };
    let loaded = profile::load(text, &mut NoMembers);
    loaded.config.expect("a right profile")
}

fn rules(statements: &str) -> PortRules {
    PortRules::of(&config(statements)).expect("not too many")
}

/// The rules of a port, in the order in which they are asked.
fn of_port(rules: &PortRules, protocol: PortProtocol, port: u16) -> Vec<Rule> {
    let Some(mut at) = rules.entry(protocol, port).rule() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    loop {
        let rule = rules.rules[at as usize];
        found.push(rule);
        if !rule.has(Rule::HAS_NEXT) {
            return found;
        }
        at += 1;
    }
}

fn name(text: &str) -> Name {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Name::of_command(&bytes)
}

#[test]
fn without_reservations_nothing_is_said() {
    let rules = rules("IPCONFIG SYSPLEXROUTING");
    assert!(rules.is_empty());
    assert_eq!(rules.shared().count(), 0);
    assert_eq!(rules.entry(PortProtocol::Udp, 65_535), PortEntry::default());
    assert_eq!(rules.block(0, 0), [PortEntry::default(); PORTS_PER_BLOCK]);
}

#[test]
fn the_most_particular_entry_is_asked_first() {
    let rules = rules(
        "PORT 80 TCP * BIND 10.0.0.4 80 TCP W* BIND 10.0.0.3 80 TCP WEB* BIND 10.0.0.2 80 TCP WEB BIND 10.0.0.1",
    );
    let rules = of_port(&rules, PortProtocol::Tcp, 80);
    let last = |rule: &Rule| rule.bind4.to_ne_bytes()[3];
    assert_eq!(rules.iter().map(last).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(rules[0].job.is(name("web")), 1);
    assert_eq!(rules[1].job.is(name("webs")), 1);
    assert_eq!(rules[1].job.is(name("wob")), 0);
    let anybody = rules.iter().map(|rule| rule.has(Rule::ANYBODY));
    assert_eq!(anybody.collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn what_an_entry_says_becomes_flags() {
    let rules = rules(
        "PORT 1 TCP RESERVED 2 TCP OMVS 3 TCP * SHAREPORT 4 TCP * SHAREPORTWLM BIND 10.1.3.10 \
         5 UDP * BIND 2001:db8::1 PORTRANGE 100 3 TCP AUTHPORT",
    );
    for (protocol, port, flags) in [
        (PortProtocol::Tcp, 1, Rule::NOBODY | Rule::ANYBODY),
        (PortProtocol::Tcp, 2, Rule::ANYBODY),
        (PortProtocol::Tcp, 3, Rule::ANYBODY | Rule::SHARED),
        (
            PortProtocol::Tcp,
            4,
            Rule::ANYBODY | Rule::SHARED | Rule::BIND4 | Rule::BIND6,
        ),
        (PortProtocol::Udp, 5, Rule::ANYBODY | Rule::BIND6),
        (PortProtocol::Tcp, 102, Rule::ANYBODY),
    ] {
        let found = of_port(&rules, protocol, port);
        assert_eq!(found.len(), 1, "{port}");
        assert_eq!(found[0].flags, flags, "{port}");
    }
    assert_eq!(of_port(&rules, PortProtocol::Tcp, 5), []);
    assert_eq!(of_port(&rules, PortProtocol::Tcp, 103), []);
    assert_eq!(rules.shared().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(rules.binds(), (true, true));
    let bound = of_port(&rules, PortProtocol::Tcp, 4)[0];
    assert_eq!(bound.bind4.to_ne_bytes(), [10, 1, 3, 10]);
    assert_eq!(bound.bind6, [0, 0, MAPPED, bound.bind4]);
    // Ports that say the same lead to the same rule, wherever that is in the map.
    let last = rules.entry(PortProtocol::Tcp, 102).rule();
    assert_eq!(rules.entry(PortProtocol::Tcp, 2).rule(), last);
    let moved = rules.block(0, 1_000)[2].rule();
    assert_eq!(moved, last.map(|rule| rule + 1_000));
}

#[test]
fn all_entries_of_a_port_share_it_if_one_does() {
    let rules = rules("PORT 80 TCP A 80 TCP B SHAREPORT");
    let shared = of_port(&rules, PortProtocol::Tcp, 80);
    assert!(
        shared.iter().all(|rule| rule.has(Rule::SHARED)),
        "{shared:?}"
    );
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let said = |entries: &[String]| PortRules::of(&config(&format!("PORT {}", entries.join("\n"))));
    let jobs = |count| (0..count).map(|job| format!("80 TCP J{job}"));
    let of_port = |count| said(&jobs(count).collect::<Vec<_>>());
    assert!(of_port(MAX_RULES_OF_PORT).is_ok());
    assert_eq!(
        of_port(MAX_RULES_OF_PORT + 1),
        Err(PortRulesError::OfPort(80))
    );
    let ports = |count| (1..=count).map(|port| format!("{port} TCP J{port}"));
    let altogether = |count| said(&ports(count).collect::<Vec<_>>());
    assert!(altogether(MAX_RULES).is_ok());
    assert_eq!(altogether(MAX_RULES + 1), Err(PortRulesError::Altogether));
}

#[test]
fn whoever_is_admitted_is_named() {
    let config = config("PORT 80 TCP A 80 TCP WEB* 80 UDP C PORTRANGE 90 2 TCP D");
    for (protocol, port, expected) in [
        (PortProtocol::Tcp, 80, &["A", "WEB*"][..]),
        (PortProtocol::Udp, 80, &["C"]),
        (PortProtocol::Tcp, 91, &["D"]),
        (PortProtocol::Tcp, 92, &[]),
    ] {
        assert_eq!(PortRules::admitted(&config, protocol, port), expected);
    }
}

/// A structure: its name, and of each member the name, the type, and its place in bits with its width in
/// bits above.
type Structure<'a> = (&'a str, &'a [(&'a str, u32, u32)]);

/// Type information with these structures.
fn btf(structures: &[Structure<'_>]) -> Vec<u8> {
    let (mut types, mut strings) = (Vec::new(), vec![0]);
    let mut string = |text: &str| {
        if text.is_empty() {
            return 0;
        }
        let at = u32::try_from(strings.len()).expect("a short text");
        strings.extend(text.as_bytes());
        strings.push(0);
        at
    };
    for (name, members) in structures {
        let count = u32::try_from(members.len()).expect("few members");
        types.extend([string(name), 1 << 31 | 4 << 24 | count, 0]);
        for (name, of, place) in *members {
            types.extend([string(name), *of, *place]);
        }
    }
    let bytes =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let types = bytes(&types);
    let lengths = [types.len(), strings.len()].map(|len| u32::try_from(len).expect("short"));
    let header = [24, 0, lengths[0], lengths[0], lengths[1]];
    let mut file = 0xeb9f_u16.to_ne_bytes().to_vec();
    file.extend([1, 0]);
    file.extend(bytes(&header));
    file.extend(types);
    file.extend(strings);
    file
}

#[test]
fn the_layout_is_what_the_kernel_says() {
    let structures: [Structure<'_>; 6] = [
        // The second member's own are inside, nameless.
        ("task_struct", &[("pid", 9, 0), ("", 6, 640)]),
        ("css_set", &[("dfl_cgrp", 9, 64)]),
        ("cgroup", &[("kn", 9, 128)]),
        ("kernfs_node", &[("__parent", 9, 192), ("name", 9, 256)]),
        ("sock_common", &[("skc_ipv6only", 9, (1 << 24) + 157)]),
        ("", &[("cgroups", 9, 64)]),
    ];
    let found = layout(&btf(&structures)).expect("all of it");
    let mut expected = Layout::default();
    expected[field::TASK_CGROUPS] = 88;
    expected[field::SET_CGROUP] = 8;
    expected[field::CGROUP_NODE] = 16;
    expected[field::NODE_NAME] = 32;
    expected[field::NODE_PARENT] = 24;
    expected[field::SOCKET_V6ONLY_BYTE] = 19;
    expected[field::SOCKET_V6ONLY_MASK] = 1 << 5;
    assert_eq!(found, expected);
    // Without one of them, or with something else, nothing is known.
    for missing in 0..structures.len() {
        let mut fewer = structures.to_vec();
        fewer[missing].1 = &[];
        assert_eq!(layout(&btf(&fewer)), None, "{missing}");
    }
    let whole = btf(&structures);
    for end in 0..whole.len() - 1 {
        assert_eq!(layout(&whole[..end]), None, "cut at {end}");
    }
}

#[test]
fn the_layout_of_this_kernel_is_found() {
    let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        eprintln!("this kernel has no type information: nothing to look at");
        return;
    };
    let layout = layout(&types).expect("what every kernel with BTF has");
    assert!(layout[field::SOCKET_V6ONLY_MASK].is_power_of_two());
}

#[test]
fn the_operator_reads_who_was_refused_and_why() {
    let program = Program {
        command: "nginx".to_owned(),
        process: 77,
        user: 33,
    };
    let refused = |why| PortMessage::Refused {
        protocol: "TCP",
        port: 8443,
        program: program.clone(),
        why,
    };
    let vipa = Some(IpAddr::from([10, 1, 3, 10]));
    for (message, expected) in [
        (
            refused(Refusal::Reserved),
            "TCP port 8443 is refused to `nginx` (process 77, user 33): the profile has it RESERVED",
        ),
        (
            refused(Refusal::OtherJob(vec!["WEB*".to_owned(), "API".to_owned()])),
            "TCP port 8443 is refused to `nginx` (process 77, user 33): the profile has it for WEB*, \
             API",
        ),
        (
            refused(Refusal::V6Only(vipa)),
            "TCP port 8443 is refused to `nginx` (process 77, user 33): its socket takes IPv6 only, \
             and BIND says 10.1.3.10; let it listen on 0.0.0.0, or on [::] for IPv4 too",
        ),
        (
            PortMessage::OtherUser {
                port: 8443,
                program: program.clone(),
                user: 0,
            },
            "TCP port 8443: `nginx` (process 77, user 33) cannot share it with the listeners of user \
             0: the kernel lets only sockets of one user share a port",
        ),
    ] {
        assert_eq!(message.to_string(), expected);
    }
}
