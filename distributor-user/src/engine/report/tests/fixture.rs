//! A sysplex in the middle of its work, seen from its front end.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::*;
use crate::engine::config::Config;
use crate::engine::events::Events;
use crate::engine::fact::{Fact, ReadyRow, ServerRow};
use crate::engine::forwarding::{ClientKey, Flow, FlowKey, FlowState, KeptClient, ServiceKey};
use crate::engine::group::drops;
use crate::engine::history::{History, How, New, User};
use crate::engine::links::{Link, LinkAddress};
use crate::engine::load::{Account, Load, Server, Stall, StallCause};
use crate::engine::message::Message;
use crate::engine::ownership::LISTEN_AS_BACKUP;
use crate::engine::profile::{self, Operand, ReadError, Reader, Text};
use crate::engine::responsiveness::Responsiveness;
use crate::engine::stack::{
    Adopted, Event, Hop, NextHopKey, OpenRoute, Route, Stack, StackOptions, Vary,
};

/// The definer of everything that the language knows.
pub(super) const TCPIPA: &str = "\
GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 60 RECOVERY DELAYJOIN AUTOREJOIN
             SYSPLEXWLMPOLL 10 XCFGRPID 11 EXPLICITBINDPORTRANGE 7000 1024
IPCONFIG DATAGRAMFWD SYSPLEXROUTING SOURCEVIPA
         DYNAMICXCF 10.1.7.11 255.255.255.0 1
IPCONFIG6 DYNAMICXCF fd00:0:0:7::11/64
PORT
   20 TCP FTPD1 NOAUTOLOG
   8080 TCP WEB* SHAREPORTWLM
   5000 TCP LEGACY BIND 10.1.8.12
  10000 TCP * SHAREPORT
    514 UDP SYSLOGD
  UNRSV TCP A*
  UNRSV TCP * SAF GENERIC
PORTRANGE 6000 100 TCP RESERVED
VIPADYNAMIC
  VIPARANGE DEFINE MOVEABLE NONDISRUPTIVE 255.255.255.192 10.1.8.192
  VIPADEFINE MOVE IMMED 255.255.255.0 10.1.8.10 10.1.8.12
  VIPADEFINE MOVE IMMED DVIPA6 2001:db8:1::1
  VIPABACKUP 100 10.1.8.11
  VIPABACKUP 50 MOVEABLE IMMEDIATE 255.255.255.0 10.1.8.13
  VIPADISTRIBUTE DEFINE DISTM SERVERWLM TIMEDAFF 30
     10.1.8.10 PORT 8080
     DESTIP ALL
  VIPADISTRIBUTE DISTM WEIGHTEDA OPTLOCAL 2 10.1.8.12 PORT 5000-5001
     DESTIP 10.1.7.11 WEIGHT 10
            10.1.7.12 WEIGHT 20
  VIPADISTRIBUTE DISTM HOTSTANDBY AUTOSWITCHBACK HEALTHSWITCH 10.1.8.10 PORT 10000
     DESTIP 10.1.7.11 PREFERRED
            10.1.7.12 BACKUP 100
            10.1.7.13 BACKUP 50
  VIPADISTRIBUTE DISTM ROUNDROBIN DVIPA6 PORT 443
     DESTIP ALL
  VIPASMPARMS SMMCAST 224.0.1.20 SMPORT 1637 SMPASS SECRET
  VIPAROUTE 10.1.7.12 10.9.9.12 IPIP
  VIPAROUTE 10.1.7.13 10.1.1.13
ENDVIPADYNAMIC
";

/// A target that knows nothing of the others.
pub(super) const TCPIPD: &str = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 10.1.7.14 255.255.255.0 1\n";

/// When a DVIPA became active.
pub(super) const ACTIVATED: &str = "07/31/2026 18:28:12";

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

struct NoMembers;

impl Reader for NoMembers {
    fn read(&mut self, _: &Operand, _: &str) -> Result<Text, ReadError> {
        unreachable!("nothing is included")
    }
}

pub(super) fn config(profile: &str) -> Config {
    let text = Text {
        name: "profile".to_owned(),
        identity: "profile".to_owned(),
        bytes: profile.as_bytes().to_vec(),
    };
    let loaded = profile::load(text, &mut NoMembers);
    let errors: Vec<String> = loaded
        .findings()
        .map(|found| format!("{}: {}", found.line, found.message))
        .collect();
    loaded.config.unwrap_or_else(|| panic!("{errors:?}"))
}

pub(super) fn stack(name: &str, profile: &str) -> Stack {
    let options = StackOptions {
        name: name.to_owned(),
        config: config(profile),
        addresses: BTreeSet::from([ip("10.1.1.11")]),
        xcf_ifindex: 3,
        client_ifindexes: BTreeSet::new(),
        grace: Duration::from_secs(5),
        slow_start: Duration::from_secs(16),
        first_revision: 1,
        listened: Duration::ZERO,
        contested: BTreeSet::new(),
    };
    let mut stack = Stack::new(options, Adopted::default(), Duration::ZERO);
    stack.start(Duration::ZERO);
    stack.handle(Event::Timer, LISTEN_AS_BACKUP);
    stack
}

pub(super) fn ready(dvipa: &str, port: u16, listeners: u16) -> ReadyRow {
    ReadyRow {
        dvipa: ip(dvipa),
        port,
        listeners,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    }
}

/// TCPIPA with TCPIPB, which is a target, and TCPIPC, which listens and cannot be reached.
pub(super) fn owner() -> Stack {
    let mut stack = stack("TCPIPA", TCPIPA);
    let mut handle = |event| drop(stack.handle(event, Duration::ZERO));
    for (name, xcf, is_up, rows) in [
        (
            "TCPIPB",
            "10.1.7.12",
            true,
            vec![
                ready("10.1.8.10", 8080, 2),
                ready("10.1.8.10", 10000, 1),
                ready("10.1.8.12", 5000, 1),
            ],
        ),
        (
            "TCPIPC",
            "10.1.7.13",
            false,
            vec![ready("10.1.8.10", 8080, 1)],
        ),
    ] {
        let path = NextHopKey {
            ifindex: 3,
            destination: ip(xcf),
        };
        let name = || name.to_owned();
        handle(Event::Joined {
            name: name(),
            xcf: ip(xcf).into(),
        });
        handle(Event::Path {
            name: name(),
            path,
            is_up,
        });
        let hop = Some(Hop {
            source_mac: [2; 6],
            next_hop_mac: [4; 6],
            is_direct: true,
        });
        handle(Event::NextHop { path, hop });
        let fact = Fact::Readiness {
            revision: 1,
            ready: rows,
        };
        handle(Event::Fact { from: name(), fact });
    }
    let hop = Hop {
        source_mac: [2; 6],
        next_hop_mac: [6; 6],
        is_direct: false,
    };
    let open = OpenRoute {
        ifindex: 2,
        hop,
        gateway: Some(ip("10.1.1.254")),
        source: ip("10.1.1.11"),
        mtu: 1500,
    };
    for (destination, route) in [("10.9.9.12", Route::Open(open)), ("10.1.1.13", Route::None)] {
        let destination = ip(destination);
        handle(Event::Route { destination, route });
    }
    let server = |used, within| {
        let mut load = Load {
            capacity: 2_000,
            used,
            stall: Some(Stall {
                cause: StallCause::Processor,
                permille: 100,
            }),
            within: Some(within),
            before: Some(900),
            free: 0,
        };
        load.free = load.smoothed();
        let account = Account::Cgroup;
        Server { account, load }
    };
    handle(Event::Fact {
        from: "TCPIPB".to_owned(),
        fact: Fact::Servers {
            parts_left: 0,
            rows: vec![ServerRow {
                dvipa: ip("10.1.8.10"),
                port: 8080,
                servers: vec![server(500, 4_000), server(1_200, 600)],
            }],
        },
    });
    let key = ServiceKey {
        dvipa: ip("10.1.8.10"),
        port: 8080,
    };
    handle(Event::Servers([(key, vec![server(0, 1_800)])].into()));
    handle(Event::Listeners(vec![
        ready("10.1.8.10", 8080, 1),
        ready("10.1.8.10", 10000, 1),
        ready("10.1.8.12", 5000, 3),
    ]));
    stack
}

pub(super) fn key(port: u16, client: &str, client_port: u16) -> FlowKey {
    FlowKey {
        client: ip(client),
        client_port,
        dvipa: ip("10.1.8.10"),
        port,
    }
}

pub(super) fn flows() -> Vec<Flow> {
    [
        (
            key(8080, "192.0.2.7", 51022),
            "10.1.7.12",
            FlowState::Established,
        ),
        (
            key(8080, "192.0.2.7", 51020),
            "10.1.7.11",
            FlowState::Ending,
        ),
        (
            key(10000, "198.51.100.254", 40000),
            "10.1.7.99",
            FlowState::HalfOpen,
        ),
    ]
    .into_iter()
    .map(|(key, target, state)| Flow {
        key,
        target: ip(target),
        state,
    })
    .collect()
}

fn totals(numbers: &[(u16, &str, u64)]) -> Totals {
    let total = |(port, target, count): &(u16, &str, u64)| {
        let dvipa = ip("10.1.8.10");
        ((ServiceKey { dvipa, port: *port }, ip(target)), *count)
    };
    numbers.iter().map(total).collect()
}

pub(super) fn links() -> Vec<Link> {
    let link = |index, name: &str, addresses: &[(&str, u8, bool)]| Link {
        index,
        name: name.to_owned(),
        mac: None,
        mtu: 1500,
        is_up: true,
        is_loopback: name == "lo",
        kind: None,
        addresses: addresses
            .iter()
            .map(|(address, prefix_len, is_ours)| LinkAddress {
                address: ip(address),
                prefix_len: *prefix_len,
                is_ours: *is_ours,
                is_fleeting: false,
            })
            .collect(),
    };
    vec![
        link(1, "lo", &[("127.0.0.1", 8, false), ("::1", 128, false)]),
        link(
            2,
            "eth0",
            &[
                ("10.1.8.1", 24, false),
                ("2001:db8:1::11", 64, false),
                ("10.1.8.10", 32, true),
                ("10.1.8.12", 32, true),
            ],
        ),
        link(3, "xcf0", &[("10.1.7.11", 24, true)]),
    ]
}

/// One with connections, and one whose timer runs.
fn kept_clients() -> Vec<KeptClient> {
    let kept = |client, left_s| KeptClient {
        key: ClientKey::from(&key(8080, client, 0)),
        target: ip("10.1.7.11"),
        left_s,
    };
    vec![kept("192.0.2.7", None), kept("192.0.2.77", Some(17))]
}

fn stats(room: &mut Room) -> Stats {
    let counters = [
        ("received", 1_234_567, "Packets that came in."),
        ("transmitted", 1_000_000, "Sent to a target."),
    ];
    let counters = counters.map(|(name, packets, meaning)| CounterRow {
        name: name.to_owned(),
        packets,
        meaning: meaning.to_owned(),
    });
    let group = drops::counters().take(3).map(|(reason, meaning)| GroupRow {
        reason: reason.to_owned(),
        count: 7,
        meaning: meaning.to_owned(),
    });
    Stats {
        interfaces: vec![InterfaceRow {
            name: "eth0".to_owned(),
            mode: "native".to_owned(),
        }],
        counters: counters.into_iter().filter(|_| room.admit()).collect(),
        group: group.filter(|_| room.admit()).collect(),
    }
}

fn daemon() -> DaemonRow {
    DaemonRow {
        profile: "/etc/distributor/TCPIPA.profile".to_owned(),
        xcf_interface: "xcf0".to_owned(),
        interfaces: vec!["eth0".to_owned()],
        group_port: 4911,
        group_addresses: [("eth0", "10.1.1.1", 24), ("xcf0", "10.1.7.11", 24)]
            .map(|(interface, address, prefix_len)| GroupAddressRow {
                interface: interface.to_owned(),
                address: ip(address),
                prefix_len,
            })
            .to_vec(),
        flow_capacity: 1_048_576,
        stop_deadline_s: 30,
    }
}

/// What another profile would change: of the front end much, of another nothing.
fn planned(stack: &Stack, room: &mut Room) -> Plan {
    let mut other = TCPIPA.to_owned();
    for (before, after) in [
        ("SYSPLEXWLMPOLL 10", "SYSPLEXWLMPOLL 30"),
        ("8080 TCP WEB*", "8080 TCP WEB1"),
        ("10.9.9.12 IPIP", "10.9.9.12"),
        ("SERVERWLM TIMEDAFF 30", "ROUNDROBIN TIMEDAFF 60"),
        ("10.1.7.13 BACKUP 50", "10.1.7.14 BACKUP 50"),
        ("WEIGHT 20", "WEIGHT 30"),
        ("VIPABACKUP 100 10.1.8.11", "VIPABACKUP 90 10.1.8.11"),
        ("255.255.255.0 10.1.8.13", "255.255.255.0 10.1.8.14"),
        (
            "  VIPADISTRIBUTE DISTM ROUNDROBIN DVIPA6 PORT 443\n     DESTIP ALL\n",
            "",
        ),
    ] {
        assert!(other.contains(before), "{before}");
        other = other.replace(before, after);
    }
    let is_owner = stack.name() == "TCPIPA";
    let after = if is_owner {
        config(&other)
    } else {
        stack.config().clone()
    };
    let active = totals(&[(8080, "10.1.7.11", 3), (10_000, "10.1.7.13", 37)]);
    let changes = Outlook::of(stack).plan((stack.config(), &after), Some(&active), room);
    Plan {
        source: "/root/new.profile".to_owned(),
        remarks: if is_owner {
            "note[SDL0001I]: a remark\n\n"
        } else {
            ""
        }
        .to_owned(),
        changes,
    }
}

/// A history with a change that waits to be confirmed.
fn had() -> History {
    let mut history = History::default();
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let new = |how, config, changes: &[&str]| New {
        how,
        by: None,
        source: None,
        changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        config,
        profile: None,
        within: None,
    };
    let profile = config(TCPIPA);
    let mut other = profile.clone();
    other.services.pop();
    let start = New {
        source: Some("/etc/distributor/TCPIPA.profile".to_owned()),
        ..new(How::Start, profile.clone(), &[])
    };
    history.record(start, at("2026-07-31T10:00:00Z"));
    let applied = New {
        by: Some(User {
            uid: 0,
            name: Some("root".to_owned()),
        }),
        source: Some("/root/new.profile".to_owned()),
        ..new(
            How::Apply,
            other,
            &["10.1.8.12:5001 is not distributed any more"],
        )
    };
    history.record(applied.clone(), at("2026-07-31T11:00:00Z"));
    let back = New {
        by: Some(User {
            uid: 1_000,
            name: None,
        }),
        ..new(
            How::Rollback(1),
            profile.clone(),
            &["10.1.8.12:5001: new service"],
        )
    };
    history.record(back, at("2026-07-31T12:00:00Z"));
    let on_trial = New {
        profile: Some(profile),
        within: Some(Duration::from_mins(5)),
        ..applied
    };
    history.record(on_trial, at("2026-07-31T17:10:00Z"));
    history
}

/// What has happened at the front end.
fn happened() -> Events {
    let mut events = Events::default();
    let (dvipa, port, target) = (ip("10.1.8.10"), 8080, "TCPIPB".to_owned());
    let messages = [
        Message::Activated { dvipa },
        Message::ServerStarted {
            dvipa,
            port,
            target: target.clone(),
        },
        Message::Left { name: target },
        Message::Varied(Vary::Deactivate(dvipa)),
    ];
    for (second, message) in (0..).zip(messages) {
        let at = Timestamp::from_millisecond(1_785_522_492_250 + 1_000 * second);
        events.note(message, at.expect("a time"));
    }
    events
}

/// Asks a stack as the daemon does.
pub(super) fn ask(stack: &Stack, query: &Query) -> Report {
    let filters = &query.filters;
    let mut room = Room::new(filters.limit, stack.config().global.max_records);
    let is_owner = stack.name() == "TCPIPA";
    let activated = |dvipa| (dvipa == ip("10.1.8.10")).then(|| ACTIVATED.to_owned());
    let body = match query.report {
        ReportName::Vipadcfg => Body::Vipadcfg(vipadcfg(stack, filters, &mut room)),
        ReportName::Vipadyn => {
            Body::Vipadyn(vipadyn(stack, activated, query.part, filters, &mut room))
        }
        ReportName::Vdpt => {
            let handed = totals(&[(8080, "10.1.7.11", 12), (8080, "10.1.7.12", 4_294_967_296)]);
            let active = totals(&[(8080, "10.1.7.11", 3)]);
            Body::Vdpt(vdpt(
                &Snapshot::of(stack),
                &handed,
                &active,
                filters,
                &mut room,
            ))
        }
        ReportName::Vcrt => {
            let flows = if is_owner { flows() } else { Vec::new() };
            let here = if is_owner {
                vec![key(8080, "192.0.2.7", 51020), key(8080, "192.0.2.7", 51024)]
            } else {
                Vec::new()
            };
            let name_of = |ifindex| {
                let name = match ifindex {
                    2 => "eth0",
                    3 => "xcf0",
                    _ => return None,
                };
                Some(name.to_owned())
            };
            let kept = if is_owner { kept_clients() } else { Vec::new() };
            let connections = Connections {
                flows: flows.into_iter(),
                kept: kept.into_iter(),
                terminated_here: &here,
            };
            let stack = &Snapshot::of(stack);
            Body::Vcrt(vcrt(stack, connections, name_of, filters, &mut room))
        }
        ReportName::Config => {
            room.admit();
            Body::Config(Box::new(configuration(stack.config(), daemon())))
        }
        ReportName::Portlist => Body::Portlist(portlist(stack, filters, &mut room)),
        ReportName::Home => {
            let links = if is_owner { links() } else { Vec::new() };
            Body::Home(home(stack, &links, filters, &mut room))
        }
        ReportName::Stats if is_owner => Body::Stats(stats(&mut room)),
        ReportName::Stats => Body::Stats(Stats::default()),
        ReportName::Sysplex => Body::Sysplex(sysplex(stack, filters, &mut room)),
        ReportName::Group => Body::Group(group(stack, &mut room)),
        ReportName::Explain => Body::Explain(Unexplained::of(stack, filters, &mut room).explain()),
        ReportName::Plan => Body::Plan(planned(stack, &mut room)),
        ReportName::History if is_owner => Body::History(past(&had(), &TimeZone::UTC, &mut room)),
        ReportName::History => Body::History(Past::default()),
        ReportName::Events if is_owner => {
            Body::Events(latest(&happened(), &TimeZone::UTC, &mut room))
        }
        ReportName::Events => Body::Events(Latest::default()),
    };
    let time = "2026-07-31T19:12:08+02:00".to_owned();
    Report {
        frame: Frame::new(stack.name(), time, room),
        body,
    }
}

/// The same report of a sysplex that uses IPv6.
pub(super) fn with_ipv6(report: &Report) -> Report {
    let json = serde_json::to_string(report).expect("JSON");
    let json = json
        .replace("\"10.1.8.", "\"2001:db8:1:8::")
        .replace("\"10.1.7.", "\"fd00:0:0:7::")
        .replace("\"192.0.2.7", "\"2001:db8:ffff:ffff:ffff:ffff:ffff:7");
    serde_json::from_str(&json).expect("a report")
}
