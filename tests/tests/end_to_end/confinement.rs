//! What a running daemon has given up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tests::stack::Stack;
use tests::tcp::{Server, greetings};

use crate::{DUAL_STACK, SERVICE, built, turn};

/// New programs, one after the other: more than filters are added.
const TAKEOVERS: u8 = 10;

/// The numbers of capabilities (UAPI `linux/capability.h`).
const NUMBERS: [(&str, u32); 9] = [
    ("CAP_CHOWN", 0),
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_NET_BIND_SERVICE", 10),
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_NICE", 23),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// The set that the documentation names.
fn documented() -> u64 {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/confinement.md");
    let page = fs::read_to_string(page).expect("a page");
    let names = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("| `CAP_")?;
        let (name, _) = rest.split_once('`')?;
        Some(format!("CAP_{name}"))
    });
    let numbers = BTreeMap::from(NUMBERS);
    names.fold(0, |set, name| set | 1 << numbers[name.as_str()])
}

/// The set that this process may have at most; in a container even root lacks some.
fn allowed() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("CapPrm:"));
    u64::from_str_radix(set.expect("a set").trim(), 16).expect("a number")
}

/// Every thread of the stack's daemon has what the documentation names, and is filtered.
fn is_confined(stack: &Stack) {
    let set = documented() & allowed();
    assert_ne!(set, 0);
    assert_ne!(set, allowed(), "there is nothing to give up");
    let expected = [
        ("CapInh", format!("{:016x}", 0)),
        ("CapPrm", format!("{set:016x}")),
        ("CapEff", format!("{set:016x}")),
        ("CapBnd", format!("{set:016x}")),
        ("CapAmb", format!("{:016x}", 0)),
        ("NoNewPrivs", "1".to_owned()),
        ("Seccomp", "2".to_owned()),
    ];
    let tasks = format!("/proc/{}/task", stack.daemon_id().expect("a daemon"));
    let mut threads = 0;
    for task in fs::read_dir(tasks).expect("threads") {
        let status = task.expect("a thread").path().join("status");
        // A thread may end while others are looked at.
        let Ok(status) = fs::read_to_string(status) else {
            continue;
        };
        threads += 1;
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        let fields: BTreeMap<&str, &str> = fields.map(|(key, value)| (key, value.trim())).collect();
        for (key, value) in &expected {
            assert_eq!(fields.get(key), Some(&value.as_str()), "{key}: {status}");
        }
    }
    assert!(threads > 1, "{threads}");
}

#[test]
fn every_thread_has_the_capabilities_that_are_documented() {
    let _turn = turn();
    let lab = built(2, 1);
    lab.stack("TCPIP").install(b"0").expect("a program");
    lab.start(&["TCPIP2"]).expect("daemons");
    let stacks = ["TCPIP", "TCPIP2"].map(|name| lab.stack(name));
    let _server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK);
    stacks[0]
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("a server");
    greetings(lab.client(), SERVICE, 4).expect("connections");
    stacks.into_iter().for_each(is_confined);

    // Each program that takes over in place inherits what its predecessors have given up, and there is no
    // end to that.
    for more in 0..TAKEOVERS {
        stacks[0].install(&[more]).expect("another program");
        let done = stacks[0].reload().expect("a reload");
        assert!(done.contains("has taken over"), "{done}");
    }
    is_confined(stacks[0]);
    stacks[0]
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("a server");
    greetings(lab.client(), SERVICE, 4).expect("connections");
}
