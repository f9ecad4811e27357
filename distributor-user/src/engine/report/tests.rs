use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::engine::config::{
    Config, Destinations, DistMethod, DvipaRole, DynamicXcf, Moveable, Service,
};
use crate::engine::definitions::Definitions;
use crate::engine::fact::{Fact, ReadyRow};
use crate::engine::forwarding::{Flow, FlowKey, FlowState, ServiceKey};
use crate::engine::stack::{Adopted, Event, Hop, NextHopKey, Stack, StackOptions};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn config() -> Config {
    let define = DvipaRole::Define {
        moveable: Moveable::Immediate,
    };
    let backup = DvipaRole::Backup {
        rank: 100,
        moveable: None,
    };
    let service =
        |destinations| Service::new(ip("10.1.3.10"), 8443, DistMethod::RoundRobin, destinations);
    Config {
        dynamic_xcf: Some(DynamicXcf {
            address: ip("172.1.1.1"),
            prefix_len: 24,
            cost_metric: 3,
        }),
        dvipas: vec![
            Dvipa::new(ip("10.1.3.10"), Some(24), define),
            Dvipa::new(ip("10.1.3.11"), None, backup),
        ],
        services: vec![service(Destinations::list([
            ip("172.1.1.1"),
            ip("172.1.1.2"),
        ]))],
        ..Config::default()
    }
}

/// TCPIP, owner and target, with TCPIP2 as the other target; one listener here, two there.
fn stack() -> Stack {
    let options = StackOptions {
        name: "TCPIP".to_owned(),
        config: config(),
        xcf_ifindex: 3,
        first_revision: 1,
    };
    let now = Duration::ZERO;
    let mut stack = Stack::new(options, Adopted::default(), now);
    let name = || "TCPIP2".to_owned();
    let row = |listeners| ReadyRow {
        dvipa: ip("10.1.3.10"),
        port: 8443,
        listeners,
    };
    let path = NextHopKey {
        ifindex: 3,
        destination: ip("172.1.1.2"),
    };
    let hop = Some(Hop {
        source_mac: [2; 6],
        next_hop_mac: [4; 6],
    });
    stack.start(now);
    for event in [
        Event::Joined {
            name: name(),
            dynamic_xcf: ip("172.1.1.2"),
        },
        Event::Path {
            name: name(),
            path,
            is_up: true,
        },
        Event::NextHop { path, hop },
        Event::Fact {
            from: name(),
            fact: Fact::Readiness {
                revision: 1,
                ready: vec![row(2)],
            },
        },
        Event::Listeners(vec![row(1)]),
    ] {
        stack.handle(event, now);
    }
    stack
}

fn flow(port: u16, target: &str, state: FlowState) -> Flow {
    let key = FlowKey {
        client: ip("192.0.2.7"),
        client_port: port,
        dvipa: ip("10.1.3.10"),
        port: 8443,
    };
    Flow {
        key,
        target: ip(target),
        state,
    }
}

fn show(body: Body) -> String {
    let report = Report {
        stack: "TCPIP".to_owned(),
        time: "12:19:18".to_owned(),
        body,
    };
    let json = serde_json::to_string(&report).expect("JSON");
    let back: Report = serde_json::from_str(&json).expect("the same from JSON");
    assert_eq!(
        back, report,
        "nothing is lost on the way over the admin socket"
    );
    let text = render(&report);
    let (head, rest) = text.split_once('\n').expect("a first line");
    assert_eq!(
        head.find("TCPIP Name: TCPIP           12:19:18"),
        Some(33),
        "{head:?}"
    );
    rest.to_owned()
}

#[test]
fn vipadcfg_lists_the_statements() {
    assert_eq!(
        show(vipadcfg(&config())),
        "\
Dynamic VIPA Information:
  VIPA Backup:
    IpAddr/PrefixLen: 10.1.3.11
      Rank: 000100   Moveable:             SrvMgr:
  VIPA Define:
    IpAddr/PrefixLen: 10.1.3.10/24
      Moveable: Immediate   SrvMgr: No
  VIPA Distribute:
    Dest:      10.1.3.10..8443
      DestXCF: 172.1.1.1
      DistMethod: RoundRobin
      SysPt:   No   TimAff: No    Flg:
    Dest:      10.1.3.10..8443
      DestXCF: 172.1.1.2
      DistMethod: RoundRobin
      SysPt:   No   TimAff: No    Flg:
"
    );
}

#[test]
fn vipadyn_says_what_each_dvipa_is_here() {
    let activated =
        |dvipa: IpAddr| (dvipa == ip("10.1.3.10")).then(|| "07/31/2026 18:28:12".to_owned());
    assert_eq!(
        show(vipadyn(&stack(), activated)),
        "\
Dynamic VIPA:
  IP Address      AddressMask     Status    Origination     DistStat  Owner
  ----------      -----------     ------    -----------     --------  -----
  10.1.3.10       255.255.255.0   Active    VIPADefine      Dist/Dest TCPIP
    ActTime: 07/31/2026 18:28:12
  10.1.3.11                       Backup    VIPABackup
"
    );
}

#[test]
fn a_target_shows_what_it_holds_and_whose_it_is() {
    let target = Config {
        dvipas: Vec::new(),
        services: Vec::new(),
        ..config()
    };
    let xcf = DynamicXcf {
        address: ip("172.1.1.2"),
        prefix_len: 24,
        cost_metric: 3,
    };
    let options = StackOptions {
        name: "TCPIP2".to_owned(),
        config: Config {
            dynamic_xcf: Some(xcf),
            ..target
        },
        xcf_ifindex: 3,
        first_revision: 1,
    };
    let mut stack = Stack::new(options, Adopted::default(), Duration::ZERO);
    let definitions = serde_json::to_string(&Definitions::of(&config())).expect("JSON");
    let values = BTreeMap::from([("definitions".to_owned(), definitions)]);
    let name = || "TCPIP".to_owned();
    stack.handle(
        Event::Joined {
            name: name(),
            dynamic_xcf: ip("172.1.1.1"),
        },
        Duration::ZERO,
    );
    stack.handle(
        Event::State {
            name: name(),
            values,
        },
        Duration::ZERO,
    );
    let Body::Vipadyn { rows } = vipadyn(&stack, |_| None) else {
        panic!("VIPADYN")
    };
    let [row] = rows.as_slice() else {
        panic!("one row, found {rows:?}")
    };
    assert_eq!(
        (
            row.status.as_str(),
            row.origin.as_str(),
            row.distribution.as_str()
        ),
        ("Active", "VIPADist", "Dest")
    );
    assert_eq!(
        (row.owner.as_deref(), row.prefix_len),
        (Some("TCPIP"), Some(24))
    );
}

#[test]
fn vdpt_counts_per_target_and_shows_dashes_for_what_is_not_measured() {
    let key = ServiceKey {
        dvipa: ip("10.1.3.10"),
        port: 8443,
    };
    let totals = Totals::from([((key, ip("172.1.1.1")), 12), ((key, ip("172.1.1.2")), 13)]);
    assert_eq!(
        show(vdpt(&stack(), &totals, &Totals::new())),
        "\
Dynamic VIPA Destination Port Table:
Dest IPaddr     DPort DestXCF Addr    Rdy TotalConn  WLM  TSR Flg Target
-----------     ----- ------------    --- ---------  ---  --- --- ------
10.1.3.10       08443 172.1.1.1       001 0000000012 --   --- R   TCPIP
10.1.3.10       08443 172.1.1.2       002 0000000013 --   --- R   TCPIP2
"
    );
}

#[test]
fn vcrt_lists_what_is_routed_and_what_ends_here_once_each() {
    let flows = [
        flow(51022, "172.1.1.2", FlowState::Established),
        flow(51020, "172.1.1.1", FlowState::Ending),
    ];
    let here = [
        flows[1].key,
        flow(51024, "172.1.1.1", FlowState::Established).key,
    ];
    assert_eq!(
        show(vcrt(&stack(), &flows, &here)),
        "\
Dynamic VIPA Connection Routing Table:
Dest IPaddr     DPort Src IPaddr      SPort DestXCF Addr    State           Target
-----------     ----- ----------      ----- ------------    -----           ------
10.1.3.10       08443 192.0.2.7       51020 172.1.1.1       ending          TCPIP
10.1.3.10       08443 192.0.2.7       51022 172.1.1.2       established     TCPIP2
10.1.3.10       08443 192.0.2.7       51024 172.1.1.1       terminated-here TCPIP
"
    );
}

#[test]
fn stats_name_every_counter_with_its_meaning() {
    let interfaces = vec![InterfaceRow {
        name: "eth0".to_owned(),
        mode: "native".to_owned(),
    }];
    let counters = vec![CounterRow {
        name: "received".to_owned(),
        packets: 42,
        meaning: "Packets that came in.".to_owned(),
    }];
    let group = vec![GroupRow {
        reason: "forged".to_owned(),
        count: 7,
    }];
    assert_eq!(
        show(Body::Stats {
            interfaces,
            counters,
            group
        }),
        "\
Packet Path Statistics:
  Interface: eth0            Mode: native
  received                         42  Packets that came in.
Group Statistics, without effect or not sent:
  forged                            7
"
    );
}
