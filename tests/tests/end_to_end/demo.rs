//! The demo says what it promises, in the form that programs read.

use std::process::Command;

use serde_json::Value;
use tests::program;

use crate::turn;

/// Gaps may be ten times as long as promised for an owner that is gone.
const GAP_MS: u64 = 5_000;

#[test]
fn the_demo_loses_nothing_and_says_so() {
    let _turn = turn();
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    let text = program::output(command.args(["--json", "--connections", "20"])).expect("a demo");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["connections"], 20, "{summary}");
    assert_eq!(summary["failed"], 0, "{summary}");
    for stack in ["TCPIP2", "TCPIP3"] {
        assert_eq!(summary["by_stack"][stack], 10, "{summary}");
    }
    for what in ["takeover", "takeback"] {
        assert_eq!(summary[what]["lost"], 0, "{summary}");
        let gap = summary[what]["gap_ms"].as_u64();
        assert!(gap.is_some_and(|gap| gap <= GAP_MS), "{summary}");
    }
}
