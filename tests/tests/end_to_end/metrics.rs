//! Scrapes of a running stack.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tests::lab::{PORT, VIPA};
use tests::stack::Stack;
use tests::tcp::{Server, greetings};

use crate::{DUAL_STACK, SERVICE, built, turn};

const ENDPOINT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9481);
/// An address that no stack has.
const ELSEWHERE: &str = "192.0.2.1:9481";
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 20;

/// Sends a request on the stack's host; returns the head and the body of the answer.
fn http(stack: &Stack, request: &str) -> Result<(String, String)> {
    stack.namespace().run(|| {
        let mut stream = TcpStream::connect_timeout(&ENDPOINT, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{request} HTTP/1.1\r\nHost: stack\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
        Ok((head.to_owned(), body.to_owned()))
    })
}

#[test]
fn a_scrape_shows_what_the_reports_show() {
    let _turn = turn();
    let lab = built(2, 1);
    let owner = lab.stack("TCPIP");
    let endpoint = ENDPOINT.to_string();
    owner.add_arguments(["--metrics", &endpoint]);
    // An address that is not there keeps no stack from its work.
    lab.stack("TCPIP2").add_arguments(["--metrics", ELSEWHERE]);
    lab.start(&["TCPIP2"]).expect("daemons");
    let _server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK);
    owner.wait_for_ready(&[("TCPIP2", 1)]).expect("a server");
    greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");

    // Who connects and says nothing keeps nobody from being answered.
    let connect = || Ok(TcpStream::connect_timeout(&ENDPOINT, PATIENCE)?);
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| owner.namespace().run(connect).expect("a connection"))
        .collect();
    let (head, body) = http(owner, "GET /metrics").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    let target = lab.stack("TCPIP2").xcf_address();
    let service = format!("stack=\"TCPIP\",dvipa=\"{VIPA}\"");
    let of_target = format!("{service},port=\"{PORT}\",target=\"TCPIP2\",address=\"{target}\"");
    for line in [
        format!("distributor_connections_total{{{of_target}}} {CONNECTIONS}"),
        format!("distributor_target_listeners{{{of_target}}} 1"),
        format!("distributor_target_active{{{of_target}}} 1"),
        format!("distributor_dvipa_owner{{{service},owner=\"TCPIP\"}} 1"),
        "distributor_member_status{stack=\"TCPIP\",member=\"TCPIP2\",status=\"MEMBER\"} 1"
            .to_owned(),
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
    // What it counts is what STATS counts: packets may have come in between.
    let stats = owner.netstat_json("stats").expect("STATS");
    let counters = stats["counters"].as_array().expect("counters");
    let received = counters.iter().find(|row| row["name"] == "received");
    let later = received.expect("a counter")["packets"]
        .as_u64()
        .expect("a number");
    let name = "distributor_received_packets_total{stack=\"TCPIP\"} ";
    let scraped = body.lines().find_map(|line| line.strip_prefix(name));
    let scraped: u64 = scraped.expect("a sample").parse().expect("a number");
    assert!((1..=later).contains(&scraped), "{scraped} {later}");
    drop(silent);

    let (head, _) = http(owner, "POST /metrics").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    let (head, body) = http(owner, "GET /").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(body.contains("/metrics"), "{body}");

    let elsewhere = lab.stack("TCPIP2");
    let answer = http(elsewhere, "GET /metrics");
    assert!(answer.is_err(), "{answer:?}");
    let said = elsewhere.output();
    assert!(
        said.contains(&format!("metrics cannot be offered on {ELSEWHERE}")),
        "{said}"
    );
    // The next daemon listens where the one before did.
    owner.stop().expect("a clean stop");
    owner.restart().expect("a daemon");
    let (head, _) = http(owner, "GET /metrics").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}
