//! Bad input gets a clear error and exit code 2, and changes nothing.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::host::LAN_INTERFACE;
use tests::lab::{Lab, VIPA, VIPA6};
use tests::profile::{self, Dvipa, Role};
use tests::snapshot::Snapshot;
use tests::stack::Stack;
use tests::{program, wait};

use crate::{built, started, turn};

/// Who owns nothing and may do nothing.
const NOBODY: u32 = 65_534;

/// How long a refusal may take.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let _turn = turn();
    let lab = built(2, 1);
    let stack = lab.stack("TCPIP");
    let good = profile::front_end(stack.xcf_address(), &[lab.stack("TCPIP2").xcf_address()]);
    let bad = Bad {
        lab: &lab,
        stack,
        good: &good,
        complaints: RefCell::default(),
    };

    bad.profile();
    bad.interface();
    bad.key_with_open_permissions();
    bad.no_key();
    bad.not_root();
    bad.no_bpffs();
    bad.taken_address();
    bad.name_in_use();
    // Every complaint at once, as the daemon itself does with a profile.
    let complaints = bad.complaints.into_inner();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn a_key_of_another_group_is_named_and_joins_nothing() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let front_end = lab.stack("TCPIP");
    front_end.stop().expect("a clean stop");
    let distributor = program::distributor().expect("a program");
    // The lab's key is made again, so this stack starts with another one than its target.
    let other = Command::new(distributor)
        .args(["keygen", "--force"])
        .arg(front_end.key())
        .output();
    assert!(other.expect("another key").status.success());
    front_end.restart().expect("a daemon");
    wait::until("a word about the key", SOON, || {
        Ok(front_end
            .output()
            .contains("172.1.1.2 are sealed with a key that is not ours"))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {}", front_end.output()));
    assert_eq!(
        front_end.vdpt().expect("VDPT"),
        [],
        "a target of another group"
    );
}

struct Bad<'a> {
    lab: &'a Lab,
    stack: &'a Stack,
    good: &'a str,
    complaints: RefCell<Vec<String>>,
}

impl Bad<'_> {
    fn profile(&self) {
        // A slip of the scenario: the address is in two pieces.
        let broken = self.good.replace("10.1.3.10 PORT", "10.1 .3.10 PORT");
        fs::write(self.stack.profile(), broken).expect("a profile");
        let run = self.stack.run_command().expect("a command");
        self.refuses(run, &["10.1", "profile:5:"]);
    }

    fn interface(&self) {
        let run = self.with("--interface", "eth9");
        self.refuses(run, &["eth9"]);
        let run = self.with("--xcf-interface", "xcf9");
        self.refuses(run, &["xcf9"]);
    }

    fn key_with_open_permissions(&self) {
        let key = self.stack.directory().join("open-key");
        fs::copy(self.stack.key(), &key).expect("a copied key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("a mode");
        let run = self.with("--key", &key);
        self.refuses(run, &["open-key", "0600"]);
    }

    fn no_key(&self) {
        let run = self.with("--key", self.stack.directory().join("nowhere"));
        self.refuses(run, &["nowhere"]);
    }

    fn not_root(&self) {
        // Where anybody may execute it, wherever the workspace is.
        let copy = self.lab.directory().join("distributor");
        fs::copy(program::distributor().expect("a program"), &copy).expect("a copied program");
        let key = self.stack.directory().join("anybody's-key");
        fs::copy(self.stack.key(), &key).expect("a copied key");
        chown(&key, Some(NOBODY), Some(NOBODY)).expect("nobody's key");
        let run = self.with("--key", &key);
        let starter = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ];
        let run = self.through(&run, &starter, &copy);
        self.refuses(run, &["root"]);
    }

    fn no_bpffs(&self) {
        let run = self.stack.run_command().expect("a command");
        // Of everything that is mounted only `/sys` is made private: in a plain chroot, `/` is no mount.
        let script = format!(
            "mount --make-private /sys && umount {} && exec \"$@\"",
            program::BPFFS
        );
        let distributor = program::distributor().expect("a program");
        let starter = [
            "unshare",
            "--mount",
            "--propagation",
            "unchanged",
            "sh",
            "-c",
            &script,
            "sh",
        ];
        let run = self.through(&run, &starter, &distributor);
        self.refuses(run, &["bpffs", "mount -t bpf"]);
    }

    /// Waits until frames pass between the stack and the client: a bridge forwards them only from when
    /// the kernel has taken note of its ports, and it may be busy with another lab's.
    fn wait_for_client(&self) {
        let discard = SocketAddr::from((self.lab.client().lan_address(), 9));
        let is_reached = || {
            let connect = || {
                let patience = Duration::from_millis(200);
                Ok(TcpStream::connect_timeout(&discard, patience).map_err(|error| error.kind()))
            };
            let connected = self.stack.namespace().run(connect)?;
            Ok(matches!(connected, Err(ErrorKind::ConnectionRefused)))
        };
        wait::until("the client to refuse a connection", SOON, is_reached).expect("a network");
    }

    fn taken_address(&self) {
        self.wait_for_client();
        let target = self.lab.stack("TCPIP2").xcf_address();
        let dvipa = Dvipa {
            role: Role::Define,
            moveable: None,
            destinations: &[target],
        };
        let profile = dvipa.dual_profile(self.stack.xcf_address());
        fs::write(self.stack.profile(), profile).expect("a profile");
        let client = self.lab.client().namespace();
        for (vipa, options) in [(IpAddr::from(VIPA), ""), (VIPA6.into(), "nodad")] {
            let address = format!("{vipa} dev {LAN_INTERFACE}");
            client
                .ip([format!("address add {address} {options}")])
                .expect("somebody else's address");
            let run = self.stack.run_command().expect("a command");
            self.refuses(run, &[&format!("VIPA {vipa} is taken"), LAN_INTERFACE]);
            client
                .ip([format!("address del {address}")])
                .expect("nobody's address");
        }
    }

    fn name_in_use(&self) {
        let other = self.lab.stack("TCPIP2");
        other
            .start(&profile::target(other.xcf_address()))
            .expect("a daemon");
        let run = self.with("--name", "TCPIP2");
        self.refuses(run, &["TCPIP2", "already running"]);
        other.stop().expect("a clean stop");
    }

    /// The good command with another value for `option`.
    fn with(&self, option: &str, value: impl AsRef<OsStr>) -> Command {
        fs::write(self.stack.profile(), self.good).expect("a profile");
        let good = self.stack.run_command().expect("a command");
        let mut command = Command::new(good.get_program());
        let mut is_value = false;
        for argument in good.get_args() {
            command.arg(if is_value { value.as_ref() } else { argument });
            is_value = argument == option;
        }
        command
    }

    /// The command, started by another one inside the namespace, with another program file.
    fn through(&self, run: &Command, starter: &[&str], distributor: &Path) -> Command {
        let mut command = self.stack.namespace().command(starter[0]);
        command.args(&starter[1..]).arg(distributor);
        command.args(run.get_args().skip_while(|argument| *argument != "run"));
        command
    }

    /// Runs `command`, which must fail with exit code 2, say all of `said`, and change nothing.
    fn refuses(&self, mut command: Command, said: &[&str]) {
        let before = Snapshot::of(self.stack).expect("a snapshot");
        let mut process = self
            .stack
            .host()
            .start("refused", &mut command)
            .expect("a process");
        let status = process.wait(SOON);
        let output = process.output();
        process.kill().expect("an end");
        fs::remove_file(process.log()).expect("a log");
        let mut complaints = Vec::new();
        match status {
            Ok(status) if status.code() == Some(2) => {}
            Ok(status) => complaints.push(status.to_string()),
            Err(error) => complaints.push(format!("{error:#}")),
        }
        let unsaid = said.iter().filter(|word| !output.contains(**word));
        complaints.extend(unsaid.map(|word| format!("expected `{word}`")));
        let after = Snapshot::of(self.stack).expect("a snapshot");
        complaints.extend(before.differences(&after));
        if !complaints.is_empty() {
            let complaints = complaints.join("\n  ");
            self.complaints
                .borrow_mut()
                .push(format!("{said:?}:\n  {complaints}\n{output}"));
        }
    }
}
