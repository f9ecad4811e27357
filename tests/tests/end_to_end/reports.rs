//! Every report of a running stack, in every layout.

use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::lab::{PORT, VIPA};
use tests::tcp::{Server, greetings};
use tests::{program, wait};

use crate::{DUAL_STACK, SERVICE, started, turn};

/// Every report, and something that must be in its table on the owner.
const REPORTS: [(&str, &str); 8] = [
    ("vipadcfg", "VIPA Distribute:"),
    ("vipadyn", "Active"),
    ("vdpt", "RoundRobin"),
    ("vcrt", "Connection Routing Table"),
    ("config", "ip.dynamic_xcf.address"),
    ("portlist", "Port#"),
    ("home", "DVIPA Active"),
    ("stats", "received"),
];

#[test]
fn a_running_stack_shows_every_report_in_every_layout() {
    let _turn = turn();
    let targets = ["TCPIP2"];
    let lab = started(2, 1, &targets);
    let _server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK);
    let (owner, target) = (lab.stack("TCPIP"), lab.stack("TCPIP2"));
    owner.wait_for_ready(&[("TCPIP2", 1)]).expect("a server");
    greetings(lab.client(), SERVICE, 20).expect("connections");

    for (report, word) in REPORTS {
        for (options, expected) in [
            (&[][..], word),
            (&["--format", "short"], "TCPIP Name: TCPIP"),
            (&["--format", "long", "--detail"], "TCPIP Name: TCPIP"),
            (&["--console"], "END OF THE REPORT"),
        ] {
            let text = owner.netstat(report, options).expect(report);
            assert!(text.contains(expected), "{report} {options:?}: {text}");
        }
        let json = owner.netstat_json(report).expect(report);
        assert_eq!(
            (&json["version"], &json["report"]),
            (&1.into(), &report.into())
        );
        assert_eq!(json["shown"], json["total"], "{json}");
    }

    let vdpt = owner.netstat_json("vdpt").expect("VDPT");
    assert_eq!(vdpt["rows"][0]["total_connections"], 20, "{vdpt}");
    let few = owner.netstat("stats", &["max=3"]).expect("STATS");
    assert!(few.contains("\n3 OF "), "{few}");
    let port = (PORT + 1).to_string();
    let nothing = owner.netstat("vdpt", &["-P", &port, "-M", "json"]);
    let nothing: Value = serde_json::from_str(&nothing.expect("VDPT")).expect("JSON");
    assert_eq!(nothing["total"], 0, "{nothing}");

    let kind_of = |home: &Value, address: IpAddr| {
        let rows = home["rows"].as_array().expect("rows").iter();
        let mut rows = rows.filter(|row| row["address"] == address.to_string());
        rows.next().map(|row| row["kind"].clone())
    };
    let home = owner.netstat_json("home").expect("HOME");
    assert_eq!(kind_of(&home, VIPA.into()), Some("active".into()), "{home}");
    let home = target.netstat_json("home").expect("HOME");
    assert_eq!(kind_of(&home, VIPA.into()), Some("hidden".into()), "{home}");
}

#[test]
fn a_watched_report_is_shown_until_nobody_reads() {
    let _turn = turn();
    let lab = started(1, 1, &["TCPIP"]);
    let mut command = Command::new(program::distributor().expect("the program"));
    command.args(["netstat", "vdpt", "--watch=1", "--format", "json"]);
    command.args(["--name", "TCPIP", "--run-dir"]);
    command.arg(lab.stack("TCPIP").run_directory());
    let mut watch = command.stdout(Stdio::piped()).spawn().expect("a command");
    let mut lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    let mut time = || -> String {
        let line = lines.next().expect("a report").expect("text");
        let report: Value = serde_json::from_str(&line).expect("JSON");
        report["time"].as_str().expect("a time").to_owned()
    };
    let (first, second) = (time(), time());
    assert_ne!(first, second);
    drop(lines);
    wait::until("the watch to end", Duration::from_secs(20), || {
        Ok(watch.try_wait()?.is_some())
    })
    .expect("an end");
}
