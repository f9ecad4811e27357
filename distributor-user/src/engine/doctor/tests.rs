use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;
use crate::engine::config::Config;
use crate::engine::group::drops::DropReason;
use crate::engine::links::{Link, LinkAddress};
use crate::engine::report::{
    DaemonRow, Explain, ExplainedService, ExplainedTarget, Group, GroupAddressRow, GroupRow,
    InterfaceRow, MemberRow, Stats, Sysplex, SysplexDvipa, SysplexStack, Vipadcfg, configuration,
};
use crate::engine::sysctls::Setting;

const DVIPA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 3, 10));
const PORT: u16 = 8443;
const LAB: [&str; 2] = [
    include_str!("../../../../tests/misconfig/running.toml"),
    include_str!("../../../../tests/misconfig/stopped.toml"),
];

fn nic(index: u32, name: &str, address: &str) -> Nic {
    Nic {
        link: Link {
            index,
            name: name.to_owned(),
            mac: (name != "lo").then_some([2, 0, 0, 0, 0, u8::try_from(index).expect("a byte")]),
            mtu: 1_500,
            is_up: true,
            is_loopback: name == "lo",
            kind: None,
            addresses: vec![LinkAddress {
                address: address.parse().expect("an address"),
                prefix_len: 24,
                is_ours: false,
                is_fleeting: false,
            }],
        },
        has_carrier: true,
        master: None,
        lower: None,
        xdp: (name != "lo").then(|| Xdp {
            program: "distribute".to_owned(),
            is_native: true,
        }),
        has_lro: false,
    }
}

fn stack(name: &str, rank: Option<u8>, distribution: &str) -> SysplexStack {
    SysplexStack {
        stack: name.to_owned(),
        status: "ACTIVE".to_owned(),
        is_owner: rank == Some(255),
        rank,
        distribution: distribution.to_owned(),
        dynamic_xcf: None,
        waits_for: None,
    }
}

fn target(name: &str, address: [u8; 4]) -> ExplainedTarget {
    ExplainedTarget {
        dest_xcf: address.into(),
        target: name.to_owned(),
        ready: 1,
        path: "link".to_owned(),
        idle_because: None,
        raw_weight: None,
        weight: None,
        share_permille: 1_000,
        reasons: Vec::new(),
    }
}

fn member(name: &str) -> MemberRow {
    MemberRow {
        stack: name.to_owned(),
        dynamic_xcf: None,
        ipv6_xcf: None,
        status: "MEMBER".to_owned(),
        paths_up: Some(2),
        paths: Some(2),
        owns: Vec::new(),
    }
}

/// A target, on which nothing is wrong.
fn healthy() -> (Said, Host) {
    let daemon = DaemonRow {
        profile: "/etc/distributor/TWO.profile".to_owned(),
        xcf_interface: "xcf0".to_owned(),
        interfaces: vec!["eth0".to_owned()],
        group_port: 4_911,
        group_addresses: vec![GroupAddressRow {
            interface: "eth0".to_owned(),
            address: [10, 1, 1, 2].into(),
            prefix_len: 24,
        }],
        ..DaemonRow::default()
    };
    let interface = |name: &str| InterfaceRow {
        name: name.to_owned(),
        mode: "native".to_owned(),
    };
    let said = Said {
        name: "TWO".to_owned(),
        config: configuration(&Config::default(), daemon),
        vipadcfg: Vipadcfg::default(),
        sysplex: Sysplex {
            dvipas: vec![SysplexDvipa {
                dvipa: DVIPA,
                prefix_len: Some(24),
                interface: None,
                origin: String::new(),
                stacks: vec![stack("ONE", Some(255), "DIST"), stack("TWO", None, "DEST")],
            }],
        },
        group: Group {
            rows: vec![member("TWO"), member("ONE")],
        },
        explain: Explain {
            services: vec![ExplainedService {
                dvipa: DVIPA,
                port: PORT,
                method: "ROUNDROBIN".to_owned(),
                owner: Some("ONE".to_owned()),
                is_in_force: false,
                targets: vec![target("TWO", [172, 1, 1, 2])],
            }],
        },
        stats: Stats {
            interfaces: vec![interface("eth0"), interface("xcf0")],
            ..Stats::default()
        },
        later: Vec::new(),
        profile_errors: None,
    };
    let mut lo = nic(1, "lo", "127.0.0.1");
    lo.link.addresses.push(LinkAddress {
        address: DVIPA,
        prefix_len: 32,
        is_ours: true,
        is_fleeting: false,
    });
    let settings = [
        (Setting::ArpIgnore, 1),
        (Setting::ArpAnnounce, 2),
        (Setting::RpFilter, 2),
        (Setting::AcceptLocal, 1),
    ];
    let settings = ["eth0", "xcf0"]
        .into_iter()
        .flat_map(|name| settings.map(|(setting, value)| ((name.to_owned(), setting), value)));
    let for_all = settings
        .clone()
        .map(|((_, setting), _)| (("all".to_owned(), setting), 0));
    let host = Host {
        nics: vec![lo, nic(2, "eth0", "10.1.1.2"), nic(3, "xcf0", "172.1.1.2")],
        settings: settings.clone().chain(for_all).collect(),
        listeners: vec![Listener {
            local: "0.0.0.0:8443".parse().expect("an address"),
            is_v6_only: false,
            interface: None,
            process: Some("nginx[812]".to_owned()),
        }],
        ..Host::default()
    };
    (said, host)
}

fn found(said: Said, host: Host) -> Vec<Finding> {
    examine(&Facts {
        host,
        daemon: Daemon::Running(Box::new(said)),
    })
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

type Break = fn(&mut Said, &mut Host);

/// What no lab shows, each with the finding.
const CASES: &[(&str, Break)] = &[
    ("interface-gone", |_, host| {
        host.nics.retain(|nic| nic.link.name != "eth0");
    }),
    ("xdp-missing", |_, host| host.nics[1].xdp = None),
    ("xdp-foreign", |_, host| {
        let xdp = host.nics[2].xdp.as_mut().expect("a program");
        xdp.program = "katran".to_owned();
    }),
    ("xdp-generic", |_, host| {
        host.nics[1].xdp.as_mut().expect("a program").is_native = false;
    }),
    ("lro", |_, host| host.nics[1].has_lro = true),
    // Not every kernel has VLANs to make a lab of.
    ("vlan", |_, host| host.nics.push(vlan("10.1.3.2"))),
    ("address-missing", |_, host| {
        host.nics[0]
            .link
            .addresses
            .retain(|own| own.address != DVIPA);
    }),
    ("listener-interface", |_, host| {
        host.listeners[0].interface = Some("eth0".to_owned());
    }),
    ("group-version", |said, _| {
        said.group.rows.pop();
        refuse(said, DropReason::Version);
    }),
    ("name-taken", |said, _| {
        said.group.rows.pop();
        refuse(said, DropReason::NotAdmitted);
    }),
    ("no-target", |said, _| idle(said, "unreachable")),
    ("unreachable", |said, _| {
        another(said);
        idle(said, "unreachable");
    }),
    ("unresponsive", |said, _| {
        another(said);
        idle(said, "unresponsive");
    }),
    ("no-weight", |said, _| {
        another(said);
        idle(said, "no-capacity");
    }),
];

/// A VLAN on an interface of the packet path.
fn vlan(address: &str) -> Nic {
    let mut vlan = nic(4, "eth0.7", address);
    vlan.link.kind = Some("vlan".to_owned());
    vlan.lower = Some("eth0".to_owned());
    vlan.xdp = None;
    vlan
}

fn refuse(said: &mut Said, reason: DropReason) {
    let row = |count| GroupRow {
        reason: reason.name().to_owned(),
        count,
        meaning: reason.help().to_owned(),
    };
    said.stats.group.push(row(7));
    said.later.push(row(8));
}

fn another(said: &mut Said) {
    let targets = &mut said.explain.services[0].targets;
    targets.push(target("THREE", [172, 1, 1, 3]));
}

fn idle(said: &mut Said, reason: &str) {
    said.explain.services[0].targets[0].idle_because = Some(reason.to_owned());
}

#[test]
fn only_what_the_kernel_takes_away_is_given_back_unasked() {
    let [ipv4, ipv6] = ["10.1.1.2", "fd00:10:1:1::2"].map(|address| {
        let (mut said, mut host) = healthy();
        let own = &mut said.config.daemon.group_addresses[0];
        own.address = address.parse().expect("an address");
        host.nics[1].link.addresses.clear();
        let findings = found(said, host);
        assert_eq!(ids(&findings), ["group-address"]);
        findings[0].fix.as_ref().map(Fix::line)
    });
    assert_eq!(ipv4, None);
    let line = "ip address add fd00:10:1:1::2/24 dev eth0";
    assert_eq!(ipv6.as_deref(), Some(line));
}

#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    let (said, host) = healthy();
    assert_eq!(found(said, host), []);
    // A drop that was once, of members that are all there.
    let (mut said, host) = healthy();
    refuse(&mut said, DropReason::ForeignKey);
    assert_eq!(found(said, host), []);
    // And one that is over, whoever is missing now.
    let (mut said, host) = healthy();
    refuse(&mut said, DropReason::ForeignKey);
    said.later[0].count = 7;
    said.group.rows.pop();
    assert_eq!(found(said, host), []);
    let (said, mut host) = healthy();
    host.nics.push(vlan("10.9.9.1"));
    assert_eq!(found(said, host), []);
    // A driver without native XDP is no fault of anybody.
    let (mut said, mut host) = healthy();
    said.stats.interfaces[0].mode = "generic".to_owned();
    host.nics[1].xdp.as_mut().expect("a program").is_native = false;
    assert_eq!(found(said, host), []);
}

#[test]
fn what_is_wrong_comes_first() {
    for (id, change) in CASES {
        let (mut said, mut host) = healthy();
        change(&mut said, &mut host);
        let findings = found(said, host);
        assert_eq!(ids(&findings).first(), Some(id), "{findings:#?}");
    }
}

#[test]
fn causes_come_before_what_follows() {
    let (mut said, mut host) = healthy();
    another(&mut said);
    idle(&mut said, "unresponsive");
    said.group.rows[1].status = "SILENT".to_owned();
    host.nics[2].link.is_up = false;
    host.settings
        .insert(("xcf0".to_owned(), Setting::RpFilter), 1);
    let findings = found(said, host);
    let expected = [
        "interface-down",
        "rp-filter",
        "member-silent",
        "unresponsive",
    ];
    assert_eq!(ids(&findings), expected);
    assert_eq!(
        findings[1].fix.as_ref().map(Fix::line).as_deref(),
        Some("echo 2 > /proc/sys/net/ipv4/conf/xcf0/rp_filter")
    );
}

#[test]
fn a_start_that_is_refused_is_told_from_a_crash_and_a_stop() {
    for (stopped, expected) in [
        (Stopped::default(), &["daemon-stopped"][..]),
        (
            Stopped {
                has_packet_path: true,
                ..Stopped::default()
            },
            &["daemon-died"],
        ),
        (
            Stopped {
                socket: Socket::LeftBehind,
                obstacles: vec![
                    Obstacle::Other("the kernel lacks something".to_owned()),
                    Obstacle::Key("no key".to_owned()),
                ],
                ..Stopped::default()
            },
            &["key-unusable", "start-refused", "daemon-died"],
        ),
        (
            Stopped {
                socket: Socket::Silent,
                has_packet_path: true,
                ..Stopped::default()
            },
            &["daemon-silent"],
        ),
    ] {
        let findings = examine(&Facts {
            host: Host::default(),
            daemon: Daemon::Stopped(stopped.clone()),
        });
        assert_eq!(ids(&findings), expected, "{stopped:?}");
    }
}

/// A ruleset of one base chain.
fn rules(hook: &str, policy: &str, rules: &[Value]) -> Value {
    let mut objects = vec![
        json!({"metainfo": {"json_schema_version": 1}}),
        json!({"table": {"family": "inet", "name": "f", "handle": 1}}),
        json!({"chain": {"family": "inet", "table": "f", "name": "c", "handle": 1,
            "type": "filter", "hook": hook, "prio": 0, "policy": policy}}),
    ];
    objects.extend((2..).zip(rules).map(|(handle, expressions)| {
        json!({"rule": {"family": "inet", "table": "f", "chain": "c", "handle": handle,
            "expr": expressions}})
    }));
    json!({"nftables": objects})
}

fn port(port: &Value) -> Value {
    json!({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
        "right": port}})
}

#[test]
fn only_what_is_sure_to_be_dropped_is_said() {
    let drop = json!({"drop": null});
    let accept = json!({"accept": null});
    let from = json!({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}},
        "right": "192.0.2.1"}});
    let new = |right: &str, op: &str| json!({"match": {"op": op, "left": {"ct": {"key": "state"}}, "right": right}});
    let limit = json!({"limit": {"rate": 10, "per": "second", "inv": true}});
    for (policy, chain, is_dropped) in [
        ("accept", vec![], false),
        ("drop", vec![], true),
        ("accept", vec![json!([port(&json!(8443)), drop])], true),
        ("accept", vec![json!([port(&json!(443)), drop])], false),
        (
            "accept",
            vec![json!([port(&json!({"range": [8000, 9000]})), {"counter": null}, drop])],
            true,
        ),
        (
            "accept",
            vec![json!([
                port(&json!({"set": [22, {"range": [8443, 8444]}]})),
                drop
            ])],
            true,
        ),
        ("accept", vec![json!([from, drop])], false),
        (
            "accept",
            vec![json!([port(&json!(8443)), limit, drop])],
            false,
        ),
        // Perhaps accepted, so not surely dropped.
        ("drop", vec![json!([from, accept])], false),
        ("drop", vec![json!([port(&json!(8443)), accept])], false),
        ("drop", vec![json!([port(&json!(22)), accept])], true),
        (
            "drop",
            vec![json!([new("established", "=="), accept])],
            true,
        ),
        (
            "accept",
            vec![json!([new("established", "!="), drop])],
            true,
        ),
        ("accept", vec![json!([new("invalid", "=="), drop])], false),
        (
            "accept",
            vec![json!([port(&json!(8443)), accept]), json!([drop])],
            false,
        ),
        (
            "accept",
            vec![
                json!([{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@m"}}]),
                json!([drop]),
            ],
            false,
        ),
    ] {
        let (said, mut host) = healthy();
        // The group is let through, to look at the service alone.
        let udp = json!([{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}},
            "right": "udp"}}, {"accept": null}]);
        let chain: Vec<Value> = [vec![udp], chain].concat();
        host.ruleset = Some(rules("input", policy, &chain));
        let expected: &[&str] = if is_dropped {
            &["firewall-service"]
        } else {
            &[]
        };
        assert_eq!(ids(&found(said, host)), expected, "{policy} {chain:?}");
    }
}

#[test]
fn each_version_of_ip_has_its_rules() {
    let drop = json!({"drop": null});
    let is =
        |left: Value, right: &str| json!({"match": {"op": "==", "left": left, "right": right}});
    let meta = |key: &str, right: &str| is(json!({"meta": {"key": key}}), right);
    let payload = |protocol: &str, field: &str, right: &str| {
        let left = json!({"payload": {"protocol": protocol, "field": field}});
        is(left, right)
    };
    let kind = "nd-neighbor-solicit";
    for (chain, expected) in [
        (
            json!([meta("nfproto", "ipv4"), meta("l4proto", "tcp"), drop]),
            &[][..],
        ),
        (
            json!([meta("nfproto", "ipv6"), meta("l4proto", "tcp"), drop]),
            &["firewall-service"],
        ),
        (json!([payload("ip", "daddr", "10.1.3.10"), drop]), &[]),
        (
            json!([payload("ip6", "daddr", "fd00:10:1:3::10"), drop]),
            &["firewall-service"],
        ),
        (
            json!([payload("ip6", "nexthdr", "tcp"), drop]),
            &["firewall-service"],
        ),
        (
            json!([meta("l4proto", "ipv6-icmp"), drop]),
            &["firewall-neighbours"; 2],
        ),
        (
            json!([payload("icmpv6", "type", kind), drop]),
            &["firewall-neighbours"],
        ),
        (
            json!([payload("icmpv6", "type", "echo-request"), drop]),
            &[],
        ),
        (json!([payload("icmp", "type", "echo-request"), drop]), &[]),
    ] {
        let (mut said, mut host) = healthy();
        let dvipa: IpAddr = "fd00:10:1:3::10".parse().expect("an address");
        said.sysplex.dvipas[0].dvipa = dvipa;
        said.explain.services[0].dvipa = dvipa;
        let hidden = host.nics[0].link.addresses.last_mut().expect("the DVIPA");
        (hidden.address, hidden.prefix_len) = (dvipa, 128);
        host.listeners[0].local = "[::]:8443".parse().expect("an address");
        host.ruleset = Some(rules("input", "accept", std::slice::from_ref(&chain)));
        assert_eq!(ids(&found(said, host)), expected, "{chain}");
    }
}

#[test]
fn whatever_the_rules_are_they_are_read_without_harm() {
    for text in [
        "{}",
        "[]",
        r#"{"nftables": [{"rule": {"expr": [1, {}, null]}}, {"chain": 7}]}"#,
    ] {
        let (said, mut host) = healthy();
        host.ruleset = serde_json::from_str(text).ok();
        assert_eq!(found(said, host), [], "{text}");
    }
    // Chains that call one another for ever.
    let mut ruleset = rules("input", "accept", &[json!([{"jump": {"target": "d"}}])]);
    let more = [
        json!({"chain": {"family": "inet", "table": "f", "name": "d"}}),
        json!({"rule": {"family": "inet", "table": "f", "chain": "d", "expr": [{"jump": {"target": "d"}}]}}),
    ];
    let objects = ruleset["nftables"].as_array_mut().expect("objects");
    objects.extend(more);
    let (said, mut host) = healthy();
    host.ruleset = Some(ruleset);
    assert_eq!(found(said, host), []);
}

#[test]
fn each_entry_of_the_table_is_shown_by_a_case_and_stands_there_once() {
    let known: BTreeSet<&str> = entries().map(|entry| entry.id).collect();
    assert_eq!(known.len(), entries().count(), "each once");
    let in_lab = LAB.iter().flat_map(|text| {
        let lines = text.lines();
        lines.filter_map(|line| line.strip_prefix("expect = \"")?.strip_suffix('"'))
    });
    let here = CASES.iter().map(|(id, _)| *id);
    // Of what a start is refused for, this says what the others do not.
    let shown: BTreeSet<&str> = in_lab
        .chain(here)
        .chain(["start-refused"])
        .filter(|id| !id.is_empty())
        .collect();
    assert_eq!(shown, known);
}

#[test]
fn what_is_printed_is_as_the_schema_says() {
    let (said, mut host) = healthy();
    host.nics[1].link.is_up = false;
    let mut diagnosis = Diagnosis {
        version: VERSION,
        stack: "TWO".to_owned(),
        is_running: true,
        not_seen: vec!["the firewall: no `nft`".to_owned()],
        findings: found(said, host),
    };
    let schema: Value = serde_json::from_str(&schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let document = serde_json::to_value(&diagnosis).expect("JSON");
    assert!(validator.is_valid(&document));
    for field in ["version", "stack", "is_running", "not_seen", "findings"] {
        let mut wrong = document.clone();
        wrong.as_object_mut().expect("an object").remove(field);
        assert!(!validator.is_valid(&wrong), "without {field}");
    }
    assert_eq!(
        text(&diagnosis),
        "1. `eth0` is down [interface-down]\n   cause:  Nothing arrives by it and nothing leaves.\n   \
         remedy: `ip link set eth0 up`\n   --fix:  ip link set eth0 up\nnot looked at: the firewall: \
         no `nft`\n"
    );
    diagnosis.findings.clear();
    diagnosis.not_seen.clear();
    assert_eq!(text(&diagnosis), "");
}
