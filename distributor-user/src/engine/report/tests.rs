mod fixture;

use std::time::Duration;

use serde_json::Value;

use self::fixture::{ACTIVATED, TCPIPA, TCPIPD, ask, config, flows, ip, owner, stack, with_ipv6};
use super::schema::document;
use super::*;
use crate::engine::fact::Fact;
use crate::engine::golden;
use crate::engine::ownership::{DEFINER, Epoch, Word};
use crate::engine::servers::Server;
use crate::engine::stack::{Event, Scope, Vary};

const fn style(layout: Layout) -> Style {
    Style {
        layout,
        has_detail: false,
        is_console: false,
    }
}

/// The text below the first line, which has the version.
fn body(report: &Report, style: Style) -> String {
    let text = render(report, style);
    let (_, body) = text.split_once('\n').expect("a first line");
    body.to_owned()
}

/// Every report of the front end, of a target without anything, and of an IPv6 sysplex.
fn reports() -> Vec<(String, Report)> {
    let (owner, idle) = (owner(), stack("TCPIPD", TCPIPD));
    let mut reports = Vec::new();
    for name in ReportName::ALL {
        let report = ask(&owner, &name.into());
        let word = name.word();
        if matches!(
            name,
            ReportName::Vipadyn | ReportName::Vdpt | ReportName::Vcrt
        ) {
            reports.push((format!("{word}.ipv6"), with_ipv6(&report)));
        }
        reports.push((word.to_owned(), report));
        reports.push((format!("{word}.empty"), ask(&idle, &name.into())));
    }
    reports
}

#[test]
fn each_layout_of_each_report_is_as_it_was() {
    let mut files = Vec::new();
    for (name, report) in reports() {
        let path = |kind: &str| format!("src/engine/report/tests/golden/{name}.{kind}");
        let layouts = [
            ("table", Layout::Table),
            ("short", Layout::Short),
            ("long", Layout::Long),
        ];
        for (kind, layout) in layouts {
            files.push((path(kind), body(&report, style(layout))));
        }
        let has_detail = ReportName::ALL
            .iter()
            .any(|report| report.word() == name && report.has_detail());
        if has_detail {
            let style = Style {
                has_detail: true,
                ..style(Layout::Long)
            };
            files.push((path("detail"), body(&report, style)));
        }
        let json = serde_json::to_string_pretty(&report).expect("JSON");
        files.push((path("json"), json + "\n"));
    }
    golden::compare_all(files);
}

#[test]
fn every_report_is_as_its_schema_says() {
    for (name, report) in reports() {
        let json = serde_json::to_value(&report).expect("JSON");
        let word = json["report"].as_str().expect("a name").to_owned();
        let report = ReportName::ALL.into_iter().find(|one| one.word() == word);
        let schema = document(report.expect("a report"));
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");

        // And it does not say yes to everything.
        for field in ["version", "report", "stack", "time", "shown", "total"] {
            let mut wrong = json.clone();
            wrong.as_object_mut().expect("an object").remove(field);
            assert!(!validator.is_valid(&wrong), "{name} without {field}");
        }
        for list in json.as_object().expect("an object").keys() {
            let mut wrong = json.clone();
            let Some(first) = wrong[list].as_array_mut().and_then(|list| list.first_mut()) else {
                continue;
            };
            *first = Value::Object(serde_json::Map::new());
            assert!(!validator.is_valid(&wrong), "{name} {list}");
        }
    }
}

#[test]
fn every_column_has_a_field_that_is_explained() {
    assert_eq!(page::columns_without_field(), Vec::<String>::new());
}

#[test]
fn nothing_is_lost_on_the_way_over_the_admin_socket() {
    for (name, report) in reports() {
        let json = serde_json::to_string(&report).expect("JSON");
        let back: Report = serde_json::from_str(&json).expect("the same from JSON");
        assert_eq!(back, report, "{name}");
    }
}

#[test]
fn the_frame_is_that_of_a_shell_or_of_the_console() {
    let query = Query {
        filters: Filters {
            limit: Limit::Records(2),
            ..Filters::default()
        },
        ..ReportName::Vdpt.into()
    };
    let report = ask(&owner(), &query);
    let shell = render(&report, style(Layout::Short));
    let (head, rest) = shell.split_once('\n').expect("a first line");
    assert_eq!(
        head.find("TCPIP Name: TCPIPA          19:12:08"),
        Some(33),
        "{head:?}"
    );
    assert!(rest.ends_with("\n2 OF 11 RECORDS DISPLAYED\n"), "{rest}");
    let console = Style {
        is_console: true,
        ..style(Layout::Short)
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        render(&report, console),
        format!(
            "\
EZD0101I NETSTAT DISTRIBUTOR V{version} TCPIPA
DYNAMIC VIPA DESTINATION PORT TABLE:
DEST IPADDR     DPORT DESTXCF ADDR    RDY TOTALCONN  WLM  TSR FLG TARGET
-----------     ----- ------------    --- ---------  ---  --- --- ------
10.1.8.10       08080 10.1.7.11       001 0000000012 09   100 S   TCPIPA
10.1.8.10       08080 10.1.7.12       002 4294967296 06   100 S   TCPIPB
2 OF 11 RECORDS DISPLAYED
END OF THE REPORT
"
        )
    );
    let full = render(
        &ask(&owner(), &ReportName::Vdpt.into()),
        style(Layout::Short),
    );
    assert!(!full.contains("RECORDS DISPLAYED"), "{full}");
}

#[test]
fn filters_leave_what_they_name() {
    let owner = owner();
    let networks = |text: &str| Filters {
        addresses: vec![text.parse().expect("a network")],
        ..Filters::default()
    };
    let ports = |ports: &[u16]| Filters {
        ports: ports.to_vec(),
        ..Filters::default()
    };
    let endpoint = |text: &str| Filters {
        endpoints: vec![text.parse().expect("an endpoint")],
        ..Filters::default()
    };
    let interface = |name: &str| Filters {
        interfaces: vec![name.to_owned()],
        ..Filters::default()
    };
    for (report, filters, expected) in [
        (ReportName::Vdpt, Filters::default(), 11),
        (ReportName::Vdpt, networks("10.1.8.12"), 4),
        (ReportName::Vdpt, networks("10.1.7.13"), 2),
        (ReportName::Vdpt, networks("fd00:0:0:7::/64"), 1),
        (ReportName::Vdpt, networks("0.0.0.0/0"), 10),
        (ReportName::Vdpt, networks("10.1.9.0/255.255.255.0"), 0),
        (ReportName::Vdpt, ports(&[8080, 5000]), 5),
        (ReportName::Vdpt, endpoint("10.1.8.12+5001"), 2),
        (ReportName::Vcrt, Filters::default(), 6),
        (ReportName::Vcrt, networks("192.0.2.77"), 1),
        (ReportName::Vcrt, ports(&[8080]), 5),
        (ReportName::Vcrt, ports(&[51022]), 1),
        (ReportName::Vcrt, endpoint("192.0.2.7+51024"), 1),
        (ReportName::Vcrt, networks("198.51.100.0/24"), 1),
        (ReportName::Vipadcfg, networks("10.1.8.10"), 3),
        (ReportName::Vipadcfg, networks("2001:db8::/32"), 2),
        (ReportName::Portlist, ports(&[6050]), 1),
        (ReportName::Portlist, ports(&[6100]), 0),
        (ReportName::Home, interface("ETH0"), 4),
        (ReportName::Home, networks("127.0.0.0/8"), 1),
    ] {
        let query = Query {
            filters: filters.clone(),
            ..report.into()
        };
        let frame = ask(&owner, &query).frame;
        assert_eq!(
            (frame.shown, frame.total),
            (expected, expected),
            "{report:?} {filters:?}"
        );
    }
    let totals = [Some(Part::Dvipa), Some(Part::Viparoute), None].map(|part| {
        let query = Query {
            part,
            ..ReportName::Vipadyn.into()
        };
        ask(&owner, &query).frame.total
    });
    assert_eq!(totals, [5, 2, 7]);
}

#[test]
fn a_limit_is_counted_and_kept() {
    let owner = owner();
    for (limit, shown) in [
        (Limit::None, 6),
        (Limit::Maxrecs, 6),
        (Limit::Records(3), 3),
        (Limit::Records(1), 1),
    ] {
        let filters = Filters {
            limit,
            ..Filters::default()
        };
        let query = Query {
            filters,
            ..ReportName::Vcrt.into()
        };
        let report = ask(&owner, &query);
        assert_eq!((report.frame.shown, report.frame.total), (shown, 6));
        let Body::Vcrt(vcrt) = report.body else {
            panic!("VCRT")
        };
        assert_eq!(vcrt.rows.len() as u64, shown);
        assert_eq!(vcrt.rows[0].client_port, 0, "the first in order");
    }
    let mut small = Room::new(Limit::Maxrecs, Some(1));
    assert_eq!((small.admit(), small.admit()), (true, false));
}

#[test]
fn pages_are_the_report_in_pieces() {
    let owner = owner();
    let words =
        |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    for layout in [Layout::Table, Layout::Short, Layout::Long] {
        let whole = render(&ask(&owner, &ReportName::Vcrt.into()), style(layout));
        for size in [1, 2, 3, 5, 6, 7] {
            let mut query = Query::from(ReportName::Vcrt);
            query.filters.limit = Limit::Records(size);
            let (mut pages, mut text, mut left) = (Pages::new(style(layout)), String::new(), 6);
            loop {
                let report = ask(&owner, &query);
                let Body::Vcrt(vcrt) = &report.body else {
                    panic!("VCRT")
                };
                assert_eq!(report.frame.total, left);
                left -= report.frame.shown;
                text += &pages.render(&report.frame, vcrt);
                if left == 0 {
                    break;
                }
                if left == 1 {
                    // Where nobody goes on, it is said what is left out.
                    assert_eq!(pages.end(), "5 OF 6 RECORDS DISPLAYED\n");
                }
                query.filters.after = vcrt.last();
            }
            text += &pages.end();
            assert_eq!(words(&text), words(&whole), "{layout:?} by {size}");
        }
    }
}

/// The line of VIPADYN that is about an address.
fn status(stack: &crate::engine::stack::Stack, address: &str) -> Option<[String; 3]> {
    let Body::Vipadyn(vipadyn) = ask(stack, &ReportName::Vipadyn.into()).body else {
        panic!("VIPADYN")
    };
    let mut rows = vipadyn.rows.into_iter();
    let row = rows.find(|row| row.dvipa == ip(address))?;
    Some([row.status, row.origin, row.distribution])
}

#[test]
fn a_withdrawn_dvipa_is_quiescing_while_its_connections_live() {
    let mut stack = owner();
    let now = Duration::from_secs(1);
    let words = |words: [&str; 3]| Some(words.map(ToOwned::to_owned));
    assert_eq!(
        status(&stack, "10.1.8.10"),
        words(["Active", "VIPADefine", "Dist/Dest"])
    );
    stack.handle(Event::FlowSnapshot(flows()), now);
    let bare = TCPIPA.split("VIPADYNAMIC").next().expect("the beginning");
    let config = config(bare);
    stack.handle(Event::Reconfigured(Box::new(config)), now);
    // Nobody comes for it.
    stack.handle(Event::Timer, now * 2);
    assert!(stack.is_quiescing(ip("10.1.8.10")));
    assert_eq!(status(&stack, "10.1.8.10"), words(["Quiescing", "", ""]));
}

#[test]
fn a_target_shows_what_it_holds_and_whose_it_is() {
    let mut stack = stack("TCPIPD", TCPIPD);
    let definitions = crate::engine::definitions::Definitions::of(&config(TCPIPA));
    let name = || "TCPIPA".to_owned();
    let joined = Event::Joined {
        name: name(),
        xcf: ip("10.1.7.11").into(),
    };
    stack.handle(joined, Duration::ZERO);
    let state = Event::State {
        name: name(),
        values: definitions.to_parts(1).into_iter().collect(),
    };
    stack.handle(state, Duration::ZERO);
    let own = |dvipa| {
        let epoch = Epoch {
            counter: 1,
            stack: name(),
        };
        let (rank, is_vacating) = (DEFINER, false);
        (
            ip(dvipa),
            Word::Own {
                epoch,
                rank,
                is_vacating,
            },
        )
    };
    let words = ["10.1.8.10", "10.1.8.12"].map(own).to_vec();
    let fact = Fact::Ownership { words };
    stack.handle(Event::Fact { from: name(), fact }, Duration::ZERO);
    let words = ["Active", "VIPADist", "Dest"].map(ToOwned::to_owned);
    assert_eq!(status(&stack, "10.1.8.10"), Some(words));
    assert_eq!(status(&stack, "10.1.8.12"), None, "it is no target of this");
    let Body::Vipadyn(vipadyn) = ask(&stack, &ReportName::Vipadyn.into()).body else {
        panic!("VIPADYN")
    };
    let row = &vipadyn.rows[0];
    assert_eq!(
        (
            row.owner.as_deref(),
            row.prefix_len,
            row.activated.as_deref()
        ),
        (Some("TCPIPA"), Some(24), Some(ACTIVATED))
    );
}

#[test]
fn detail_shows_what_a_target_gets_that_has_come_back() {
    let mut stack = owner();
    let shown = |stack: &crate::engine::stack::Stack| {
        let report = ask(stack, &ReportName::Vdpt.into());
        let style = Style {
            has_detail: true,
            ..style(Layout::Long)
        };
        let text = body(&report, style);
        let lines = text.lines().filter(|line| line.contains("SlowStart"));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert!(shown(&stack).is_empty());
    for (revision, rows) in [(2, vec![]), (3, vec![fixture::ready("10.1.8.10", 8080, 1)])] {
        let (from, ready) = ("TCPIPB".to_owned(), rows);
        let fact = Fact::Readiness { revision, ready };
        stack.handle(Event::Fact { from, fact }, Duration::from_mins(1));
    }
    assert_eq!(shown(&stack), ["SlowStart: 006"]);
    stack.handle(Event::Timer, Duration::from_secs(64));
    assert_eq!(shown(&stack), ["SlowStart: 025"]);
}

#[test]
fn what_is_quiesced_is_listed_and_marked() {
    let mut stack = owner();
    let server = Server {
        port: None,
        job: "LEG*".parse().expect("a job name"),
    };
    for scope in [Scope::Port(10_000), Scope::Server(server)] {
        stack.handle(Event::Vary(Vary::Quiesce(scope)), Duration::ZERO);
    }
    let Body::Portlist(portlist) = ask(&stack, &ReportName::Portlist.into()).body else {
        panic!("PORTLIST")
    };
    let marked = portlist.rows.iter().filter(|row| row.flags.ends_with('Q'));
    let marked: Vec<_> = marked.map(|row| (row.port, &*row.user)).collect();
    assert_eq!(marked, [(Some(5_000), "LEGACY"), (Some(10_000), "*")]);
    let vipadcfg = ask(&stack, &ReportName::Vipadcfg.into());
    let text = body(&vipadcfg, style(Layout::Long));
    let quiesced = text.split("Quiesced:").nth(1).expect("a section");
    let lines: Vec<_> = quiesced.lines().map(str::trim).collect();
    assert_eq!(
        lines[..3],
        ["", "Scope:    port=10000", "Scope:    job=LEG*"]
    );
}
