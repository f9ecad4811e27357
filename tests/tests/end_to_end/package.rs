//! The Debian package, installed, upgraded and removed by dpkg.

use std::fs;
use std::net::SocketAddr;

use tests::lab::{PORT, VIPA};
use tests::machine::Machine;
use tests::process::Process;
use tests::tcp::{Load, Server, greetings};
use tests::{program, unit};

use crate::{DUAL_STACK, built, turn};

/// Connections that live through the upgrade.
const LIVING: u32 = 100;

/// What stands for systemd, whose commands the package's scripts give.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> /root/systemctl.log
case "$1" in
reload) exec distributor reload --name TCPIP ;;
stop)
    kill "$(cat /root/daemon.pid)"
    while [ -e /run/distributor/TCPIP.sock ]; do sleep 0.1; done
    ;;
esac
"#;

#[test]
fn the_package_is_installed_upgraded_without_a_loss_and_removed() {
    let _turn = turn();
    let package = program::package().expect("a package");
    let lab = built(1, 1);
    let stack = lab.stack("TCPIP");
    let mut machine = Machine::without_program(stack.host()).expect("a machine");
    let root = machine.root();
    let in_root = |path: &str| unit::below(&root, path);
    let systemctl = in_root("/usr/local/bin/systemctl");
    fs::write(&systemctl, SYSTEMCTL).expect("a script");
    let dpkg = |machine: &Machine, command: &str| {
        let said = machine
            .shell(&format!("dpkg --force-depends {command}"))
            .expect("dpkg");
        assert!(said.is_success, "{command}: {}", said.text);
    };
    let asked = || -> Vec<String> {
        let log = fs::read_to_string(in_root("/root/systemctl.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    };
    machine
        .shell("chmod +x /usr/local/bin/systemctl && mkdir -p /run/systemd/system")
        .expect("a system with systemd");

    let install = format!("--install {}", package.display());
    dpkg(&machine, &install);
    assert_eq!(asked(), ["daemon-reload"], "nothing runs yet");
    for path in [
        "/usr/share/man/man1/distributor-netstat.1.gz",
        "/usr/share/bash-completion/completions/distributor",
        "/usr/share/doc/distributor/docs/operations.md",
    ] {
        assert!(in_root(path).is_file(), "{path}");
    }
    let group = machine.shell("getent group distributor").expect("getent");
    assert!(group.is_success, "the group of those who may read reports");

    let init = machine
        .shell(&format!(
            "distributor init group --vipa {VIPA}/24 --port {PORT} \
             --stack TCPIP={} --interface eth0 --xcf-interface xcf0 && cp -r group/TCPIP/etc /",
            stack.xcf_address()
        ))
        .expect("init");
    assert!(init.is_success, "{}", init.text);
    machine
        .systemctl(&["start", "distributor@TCPIP"])
        .expect("a daemon");
    let daemon: &Process = machine.daemon("distributor@TCPIP").expect("a daemon");
    let id = daemon.id();
    fs::write(in_root("/root/daemon.pid"), id.to_string()).expect("a file");
    let _server = Server::start(stack, "TCPIP", DUAL_STACK).expect("a server");
    let service = SocketAddr::new(VIPA.into(), PORT);
    greetings(lab.client(), service, 10).expect("connections");
    let living = Load::start(lab.client(), service, LIVING).expect("living connections");

    let program = |id: u32| fs::read_link(format!("/proc/{id}/exe")).expect("a program");
    assert!(
        program(id).ends_with("usr/bin/distributor"),
        "{:?}",
        program(id)
    );
    dpkg(&machine, &install);
    assert_eq!(asked()[1..], ["daemon-reload", "reload distributor@*"]);
    assert!(
        program(id).ends_with("usr/bin/distributor"),
        "it is the old one's file: {:?}",
        program(id)
    );
    greetings(lab.client(), service, 10).expect("connections afterwards");
    living.wait_for_round().expect("a round");
    assert_eq!(living.stop().expect("the end"), []);

    dpkg(&machine, "--remove distributor");
    assert_eq!(asked()[3..], ["stop distributor@*", "daemon-reload"]);
    assert!(!in_root("/usr/bin/distributor").exists());
    assert!(
        in_root("/etc/distributor/TCPIP.profile").is_file(),
        "it is the user's"
    );
    let addresses = machine.shell("ip -brief address").expect("addresses").text;
    assert!(!addresses.contains(&VIPA.to_string()), "{addresses}");
}
