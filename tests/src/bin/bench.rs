//! `bench`: every measurement, and whether it is within its limit.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use tests::bench::{Case, MEASUREMENTS, Measurement, Options};

/// Measures, and fails if a measurement is not within its limit.
#[derive(Debug, Parser)]
#[command(name = "bench", version, after_help = names())]
struct Arguments {
    /// What to measure; everything if nothing is named.
    names: Vec<String>,
    /// Prints only the result, as JSON.
    #[arg(long)]
    json: bool,
    /// Repetitions, of which the median counts; of takeovers, the worst. Each measurement knows
    /// how many it is worth.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Only this case of the measurements; may be repeated.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
}

fn names() -> String {
    let mut lines = vec!["Measurements:".to_owned()];
    for one in MEASUREMENTS {
        lines.push(format!("  {:12} {}", one.name, one.about));
        let cases = (one.cases)().into_iter();
        lines.extend(cases.map(|case| format!("  {:12} --case {case}", "")));
    }
    lines.join("\n")
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
    let options = Options {
        repeat: arguments.repeat,
        cases: arguments.case.clone(),
    };
    let mut cases = Vec::new();
    for measurement in chosen(&arguments.names)? {
        if !options.cases.is_empty() && (measurement.cases)().is_empty() {
            continue;
        }
        if !arguments.json {
            println!("{}: {}", measurement.name, measurement.about);
        }
        let made = (measurement.run)(&options)?;
        if !arguments.json {
            for case in &made {
                println!("  {case}");
            }
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
