//! `soak`: disturbs a lab at random for a while, and fails if that did any harm.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::soak::soak;

/// Disturbs a lab at random: daemons, owners, targets and profiles come and go, and no connection may
/// notice.
#[derive(Debug, Parser)]
#[command(name = "soak", version)]
struct Arguments {
    /// For how long.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Repeats the order of a run before; random without one.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints only the result, as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let say = |text: &str| {
        if !arguments.json {
            println!("{text}");
        }
    };
    say(&format!("seed {seed}"));
    let outcome = match soak(Duration::from_mins(arguments.minutes), seed, &say) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("soak: {error:#}");
            return ExitCode::from(2);
        }
    };
    if arguments.json {
        println!("{}", serde_json::json!(outcome));
    } else {
        say(&format!(
            "{} deeds, {} new connections, {} faults",
            outcome.deeds,
            outcome.connections,
            outcome.faults.len()
        ));
    }
    for fault in &outcome.faults {
        eprintln!("soak: {fault}");
    }
    if outcome.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
