//! `bench`: every measurement, and whether it is within its limit.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use tests::bench::{Case, MEASUREMENTS, Measurement};

/// Measures, and fails if a measurement is not within its limit.
#[derive(Debug, Parser)]
#[command(name = "bench", version, after_help = names())]
struct Arguments {
    /// What to measure; everything if nothing is named.
    names: Vec<String>,
    /// Prints only the result, as JSON.
    #[arg(long)]
    json: bool,
    /// Repetitions of what is measured as a median.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

fn names() -> String {
    let lines = MEASUREMENTS
        .iter()
        .map(|one| format!("  {:12} {}", one.name, one.about));
    format!("Measurements:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(cases) if cases.iter().all(Case::is_within_limit) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for measurement in chosen(&arguments.names)? {
        if !arguments.json {
            println!("{}: {}", measurement.name, measurement.about);
        }
        let made = (measurement.run)(arguments.repeat)?;
        if !arguments.json {
            made.iter().for_each(show);
        }
        cases.extend(made);
    }
    if arguments.json {
        println!("{}", json!({ "cases": cases }));
    }
    Ok(cases)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Measurement>> {
    if names.is_empty() {
        return Ok(MEASUREMENTS.iter().collect());
    }
    let by_name = |name: &String| {
        let found = MEASUREMENTS
            .iter()
            .find(|measurement| measurement.name == name);
        found.with_context(|| format!("there is no measurement `{name}`; see `bench --help`"))
    };
    names.iter().map(by_name).collect()
}

fn show(case: &Case) {
    println!(
        "  {:44} {:>12.1} ns  {:5.2} × {} ({:.1} ns), at most {:.2}{}",
        case.name,
        case.ns,
        case.ratio,
        case.reference,
        case.reference_ns,
        case.limit,
        if case.is_within_limit() {
            ""
        } else {
            "  TOO MUCH"
        }
    );
}
