//! `demo`: the scenario, shown.
//!
//! Real servers, real clients, no other network than the lab's own. It ends
//! with an error if a single connection failed, if the front end says something
//! else than the servers, or if a download did not live through the death and
//! the return of the front end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use tests::scenario::moves::{DOWNLOADS, Move, Moves};
use tests::scenario::{BACKUP, FRONT_END, Outcome, Scenario};
use tests::wait;

/// Connections that stay open while the connection routing table is shown.
const HELD: u32 = 4;

/// How long the front end may take to show them.
const SHOWN: Duration = Duration::from_secs(5);

/// Plays the scenario: one address, two target stacks with three HTTPS servers, 400 connections.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// Number of connections.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Prints only who answered, as JSON.
    #[arg(long)]
    json: bool,
    /// Leaves the lab there, to play with.
    #[arg(long)]
    keep: bool,
    /// Name of the lab; random without one.
    #[arg(long)]
    name: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in complaints {
                eprintln!("demo: {complaint}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Plays the scenario, and returns what went wrong.
fn run(arguments: &Arguments) -> Result<Vec<String>> {
    let say = |text: &str| {
        if !arguments.json {
            println!("{text}");
        }
    };
    say("Building the lab: CLIENT, TCPIP (front end), TCPIP2 (two nginx), TCPIP3 (one nginx) …");
    let scenario = Scenario::start(arguments.name.as_deref())?;
    say(&format!(
        "{} connections to {} with curl, the certificate verified each time …\n",
        arguments.connections,
        scenario.url()
    ));
    let start = Instant::now();
    let outcome = scenario.connect(arguments.connections)?;
    if !arguments.json {
        show(&scenario, &outcome, start.elapsed())?;
    }
    let moves = move_address(&scenario, arguments.json)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&outcome.summary(moves))?);
    }
    if arguments.keep {
        say(&what_to_try(&scenario));
        scenario.keep()?;
    } else {
        say("The lab goes now. With `--keep` it stays, and the demo says what to try in it.");
    }
    let mut complaints = outcome.complaints();
    let lost = moves.takeover.lost + moves.takeback.lost;
    if lost > 0 {
        complaints.push(format!(
            "{lost} of {DOWNLOADS} downloads were lost: {moves:?}"
        ));
    }
    Ok(complaints)
}

/// Has the front end die and come back while downloads go on.
fn move_address(scenario: &Scenario, is_quiet: bool) -> Result<Moves> {
    let say = |text: &str| {
        if !is_quiet {
            println!("{text}");
        }
    };
    let group = |stack: &str| -> Result<()> {
        if !is_quiet {
            let text = scenario.lab().stack(stack).order(&["sysplex", "vipadyn"])?;
            println!("$ distributor sysplex vipadyn --name {stack}\n{text}");
        }
        Ok(())
    };
    say(&format!(
        "{DOWNLOADS} downloads begin, and {FRONT_END} is powered off with everything that it knew …\n"
    ));
    let mut moving = scenario.take_over()?;
    group(BACKUP)?;
    say(&format!(
        "{BACKUP} has the address now, and {} of {DOWNLOADS} downloads go on. {FRONT_END} is powered on \
         again …\n",
        moving.under_way()?
    ));
    moving.take_back()?;
    group(FRONT_END)?;
    say(&format!(
        "{FRONT_END} has the address again. The downloads go on to their ends …\n"
    ));
    let moves = moving.end()?;
    let tell = |what: &str, Move { lost, gap_ms }: Move| {
        say(&format!(
            "  {what}   {lost} of {DOWNLOADS} downloads lost, new connections unanswered for {gap_ms} ms"
        ));
    };
    tell("takeover", moves.takeover);
    tell("takeback", moves.takeback);
    say(
        "\nWhat happened: the backup missed five beats of the front end, found that its packet path did
not answer either, asked the others, and took the address over; it asked the targets which
connections they have, so that it knew where each belongs. The front end learnt them in the
same way before it took the address back.
",
    );
    Ok(moves)
}

fn show(scenario: &Scenario, outcome: &Outcome, took: Duration) -> Result<()> {
    let failed = outcome.answers.failures.len();
    println!("  answered by   connections");
    for (stack, connections) in outcome.answers.by_stack() {
        println!(
            "  {stack:12} {connections:6}   {}",
            percent(connections, outcome.connections)
        );
        for (answer, connections) in &outcome.answers.by_server {
            if answer.stack == stack {
                let share = percent(*connections, outcome.connections);
                println!("    server {} {connections:8}   {share}", answer.server);
            }
        }
    }
    println!(
        "  failed       {failed:6}   in {:.1} s\n",
        took.as_secs_f32()
    );

    let front_end = scenario.lab().stack(FRONT_END);
    println!(
        "$ distributor netstat vdpt\n{}",
        front_end.netstat_text("vdpt")?
    );
    let held = scenario.hold(HELD).context("no connection to show")?;
    wait::until("VCRT to show what is open", SHOWN, || {
        Ok(front_end.vcrt()?.len() >= held.len())
    })?;
    println!(
        "$ distributor netstat vcrt | grep -v ending        (with {HELD} connections held open)"
    );
    let table = front_end.netstat_text("vcrt")?;
    // Ended ones stay in the table as long as their servers' kernels know them.
    for line in table.lines().filter(|line| !line.contains(" ending ")) {
        println!("{line}");
    }
    println!();
    println!(
        "What happened: the client knows one address, 10.1.3.10, and TCPIP answers for it. TCPIP's
XDP program gave each new connection to the next stack in turn and sent its packets
on, unchanged, over the DYNAMICXCF network; nginx answered the client directly. Turns
are taken by stacks, not by servers: TCPIP3's one server got as many connections as
TCPIP2's two together.
"
    );
    Ok(())
}

fn what_to_try(scenario: &Scenario) -> String {
    let lab = scenario.lab().name();
    let files = scenario.lab().directory();
    format!(
        "The lab `{lab}` stays. Try, as root:
  cargo xtask lab exec CLIENT curl --cacert {authority} {url}
  cargo xtask lab exec TCPIP distributor netstat vdpt --name TCPIP
  kill $(cat {files}/tcpip2/nginx-1.pid)       # one server less: TCPIP2 still gets half
  kill $(cat {files}/tcpip3/nginx-1.pid)       # none on TCPIP3: TCPIP2 gets everything
  cargo xtask lab exec TCPIP distributor vary deactivate {vipa} --name TCPIP    # TCPIP2 has it
  cargo xtask lab exec TCPIP distributor vary reactivate {vipa} --name TCPIP    # TCPIP takes it back
  kill -KILL $(cat {files}/tcpip/daemon.pid)   # the daemon dies: its packets flow on, and after
                                               # two seconds TCPIP2 takes over
  cargo xtask lab down",
        authority = scenario.certificate().authority.display(),
        url = scenario.url(),
        vipa = tests::lab::VIPA,
        files = files.display(),
    )
}

fn percent(part: u32, of: u32) -> String {
    format!("{:5.1} %", f64::from(part) * 100.0 / f64::from(of))
}
