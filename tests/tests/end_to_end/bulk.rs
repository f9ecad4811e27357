//! Large bodies, both ways, over both paths to a target.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::certificate::Certificate;
use tests::lab::{Lab, VIPA};
use tests::{https, program, wait};

use crate::{started, turn};

const BYTES: u64 = 100_000_000;

/// Segments that a body needs at least: what carried fewer frames did not carry the body.
const SEGMENTS: u64 = BYTES / 1_500;

#[test]
fn a_hundred_megabytes_arrive_intact_over_both_paths() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let target = lab.stack("TCPIP2");
    let server = https::Server::start(target, 1, "0.0.0.0:8443", &certificate).expect("nginx");
    lab.stack("TCPIP")
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("one server");

    let body = lab.client().directory().join("body");
    let mut random = io::Read::take(File::open("/dev/urandom").expect("randomness"), BYTES);
    let mut file = File::create(&body).expect("a file");
    io::copy(&mut random, &mut file).expect("a body");

    let sent = |switch: &tests::switch::Switch| switch.sent_by("tcpip").expect("a port");
    let before = (sent(lab.lan()), sent(lab.xcf()));
    there_and_back(&lab, &certificate, &server, &body);
    let after = (sent(lab.lan()), sent(lab.xcf()));
    assert!(
        after.1 - before.1 > SEGMENTS,
        "not over DYNAMICXCF: {before:?}, {after:?}"
    );
    assert!(
        after.0 - before.0 < SEGMENTS,
        "over the client LAN: {before:?}, {after:?}"
    );

    // Without the DYNAMICXCF network the owner sends packets back to where they came from. Its own
    // link stays up: only the target's silence tells.
    lab.xcf()
        .set_connected(target.port(), false)
        .expect("no cable");
    wait::until(
        "connections over the client LAN",
        Duration::from_secs(20),
        || {
            let answers = https::ask(lab.client(), &certificate, "https://10.1.3.10:8443/", 1, 1)?;
            Ok(answers.failures.is_empty())
        },
    )
    .expect("the other path");
    let before = sent(lab.lan());
    there_and_back(&lab, &certificate, &server, &body);
    assert!(
        sent(lab.lan()) - before > SEGMENTS,
        "not over the client LAN"
    );
}

fn there_and_back(lab: &Lab, certificate: &Certificate, server: &https::Server, body: &Path) {
    let url = "https://10.1.3.10:8443/files/body";
    https::upload(lab.client(), certificate, body, url).expect("an upload");
    let uploaded = server.files().join("body");
    let back = body.with_extension("back");
    https::download(lab.client(), certificate, url, &back).expect("a download");
    assert_eq!(sha256(&uploaded), sha256(body));
    assert_eq!(sha256(&back), sha256(body));
    fs::remove_file(uploaded).expect("an uploaded file");
    fs::remove_file(back).expect("a downloaded file");
}

fn sha256(path: &Path) -> String {
    let line = program::output(Command::new("sha256sum").arg(path)).expect("a checksum");
    line.split(' ')
        .next()
        .expect("one word at least")
        .to_owned()
}
