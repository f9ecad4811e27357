//! The systemd unit, and what the daemon tells its supervisor.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{profile, program, wait};

use crate::{built, turn};

/// How long any word of the daemon may take.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_unit_passes_systemds_own_verifier() {
    let unit =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/systemd/distributor@.service");
    let text = fs::read_to_string(unit).expect("the unit");
    let directory = tempfile::tempdir().expect("a directory");
    let verify = |text: &str| {
        let distributor = program::distributor().expect("a program");
        let text = text.replace("/usr/bin/distributor", &distributor.display().to_string());
        let unit = directory.path().join("distributor@.service");
        fs::write(&unit, text).expect("a file");
        // An instance of the template, as `systemctl start` would have it.
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(directory.path().join("distributor@TCPIP.service"))
            .output()
            .expect("`systemd-analyze`, of the package `systemd`");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success() && said.is_empty(), said)
    };
    let (is_right, said) = verify(&text);
    assert!(is_right, "{said}");
    // The check can fail.
    for (right, wrong) in [
        ("Type=notify", "Type=nonsense"),
        ("WatchdogSec=30", "WatchdogSecs=30"),
    ] {
        assert!(text.contains(right));
        let (is_right, said) = verify(&text.replace(right, wrong));
        assert!(
            !is_right && said.contains("distributor@"),
            "{wrong}: {said}"
        );
    }
}

#[test]
fn the_daemon_tells_its_supervisor_how_it_is() {
    let _turn = turn();
    let lab = built(1, 1);
    let stack = lab.stack("TCPIP");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let said = |word: &str| {
        let mut seen = Vec::new();
        wait::until(&format!("the daemon to say `{word}`"), SOON, || {
            let mut bytes = [0; 4096];
            if let Ok(length) = socket.recv(&mut bytes) {
                seen.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
            Ok(seen
                .iter()
                .any(|text| text.lines().any(|line| line == word)))
        })
        .unwrap_or_else(|error| panic!("{error:#}: {seen:?}"));
    };

    let profile = profile::front_end(stack.xcf_address(), &[stack.xcf_address()]);
    stack.write_profile(&profile).expect("a file");
    let mut command = stack.run_command().expect("a command");
    command.env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", "2000000");
    let mut daemon = stack
        .host()
        .start("daemon", &mut command)
        .expect("a daemon");
    said("READY=1");
    said("WATCHDOG=1");
    stack.reload().expect("a reload");
    said("RELOADING=1");
    said("READY=1");
    daemon.signal(Signal::SIGHUP).expect("a signal");
    said("RELOADING=1");
    said("READY=1");
    daemon.signal(Signal::SIGTERM).expect("a signal");
    said("STOPPING=1");
    assert!(daemon.stop(SOON).expect("an end").success());
}
