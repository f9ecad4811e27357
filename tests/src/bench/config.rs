//! What the largest configuration costs: to check it, to apply it, and to have it.
//!
//! A daemon that runs already is given 1,024 DVIPAs of 64 ports with 32 targets
//! each. It is done when the packet path distributes all of them: the profile is
//! read, the network was asked for every address, and the kernel has them.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Case, Cost, Measurement, Options};
use crate::lab::{Lab, Layout};
use crate::{process, profile, program};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "config",
    about: "1,024 DVIPAs of 64 ports with 32 targets: checked, applied, in memory",
    cases: Vec::new,
    run,
};

const DVIPAS: u32 = 1024;
const PORTS: u32 = 64;
const TARGETS: u32 = 32;
/// Checked and applied.
const MOST: Duration = Duration::from_secs(2);
/// Resident memory of the daemon afterwards.
const MOST_BYTES: u32 = 150_000_000;

fn run(_options: &Options) -> Result<Vec<Case>> {
    let lab = Lab::build(&Layout {
        name: None,
        stacks: 1,
        clients: 1,
    })?;
    let stack = lab.stack("TCPIP");
    let small = profile::target(stack.xcf_address());
    stack.start(&small)?;
    let large = large(&small);
    stack.write_profile(&large)?;

    let began = Instant::now();
    let mut check = Command::new(program::distributor()?);
    program::output(check.arg("check").arg(stack.profile()))?;
    let checked = began.elapsed();

    let began = Instant::now();
    stack.reload()?;
    let applied = began.elapsed();
    let rows = stack.vipadyn()?.len();
    ensure!(rows == DVIPAS as usize, "{rows} DVIPAs are there");
    let memory = process::resident_bytes(stack.daemon_id()?)?;
    stack.stop()?;

    let allowed = "what is allowed";
    let limit = MOST.as_secs_f64() * 1e9;
    let ns = |took: Duration| took.as_secs_f64() * 1e9;
    // Whole kilobytes of less than 4 TB.
    let bytes =
        |bytes: u64| Ok::<_, anyhow::Error>(f64::from(u32::try_from(bytes / 1024)?) * 1024.0);
    let costs = [
        ("profile checked", ns(checked), limit),
        ("profile checked and applied", ns(applied), limit),
        (
            "memory of the daemon, bytes",
            bytes(memory)?,
            f64::from(MOST_BYTES),
        ),
    ];
    let case = |(name, cost, limit)| Case::Cost(Cost::new(name, cost, allowed, limit, 1.0));
    Ok(costs.map(case).into())
}

fn large(small: &str) -> String {
    let mut text = format!("{small}VIPADYNAMIC\n");
    // Writing to a string does not fail.
    for dvipa in 0..DVIPAS {
        let address = format!("10.9.{}.{}", dvipa / 250, 1 + dvipa % 250);
        let _ = writeln!(text, "  VIPADEFINE 255.255.0.0 {address}");
        let _ = write!(
            text,
            "  VIPADISTRIBUTE DEFINE DISTMETHOD ROUNDROBIN {address} PORT"
        );
        for port in 0..PORTS {
            let _ = write!(text, " {}", 8000 + port);
        }
        text.push_str("\n    DESTIP");
        for target in 0..TARGETS {
            let _ = write!(text, " 172.1.1.{}", 101 + target);
        }
        text.push('\n');
    }
    text.push_str("ENDVIPADYNAMIC\n");
    text
}
