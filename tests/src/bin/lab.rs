//! `lab`: networks of stacks and clients to try things in.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tests::cgroup::Cgroup;
use tests::claim::{self, Found, State};
use tests::lab::{Lab, Layout};
use tests::namespace::Namespace;
use tests::program;
use tests::tcp;

/// Builds networks of stacks and clients on this machine, to try things in.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Builds a lab and leaves it there.
    Up {
        /// Number of stacks: TCPIP, TCPIP2 …
        #[arg(long, default_value_t = 3)]
        stacks: u8,
        /// Number of clients: CLIENT, CLIENT2 …
        #[arg(long, default_value_t = 1)]
        clients: u8,
        /// Its name; random without one.
        #[arg(long)]
        name: Option<String>,
    },
    /// Removes a lab, and all that runs in it.
    Down {
        /// Its name; the only lab of this machine without one.
        name: Option<String>,
    },
    /// Runs a command on a stack, a client or a switch of a lab.
    Exec {
        /// The lab's name; the only lab of this machine without one.
        #[arg(long)]
        name: Option<String>,
        /// Where to run it, such as `TCPIP2` or `CLIENT`.
        member: String,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Lists the labs of this machine.
    List,
    /// Greets every client that connects, for tests that need a server with a process of its own.
    #[command(hide = true)]
    Serve {
        /// What it greets with.
        name: String,
        /// Where it listens.
        address: SocketAddr,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Up {
            stacks,
            clients,
            name,
        } => up(&Layout {
            name: name.as_deref(),
            stacks,
            clients,
        }),
        Verb::Down { name } => {
            let name = chosen(name)?.name;
            claim::remove(&name)?;
            println!("removed {name}");
            Ok(())
        }
        Verb::Exec {
            name,
            member,
            command,
        } => exec(&chosen(name)?, &member, &command),
        Verb::List => {
            for lab in claim::list()? {
                println!(
                    "{:12} {:8} {}",
                    lab.name,
                    said(lab.state),
                    lab.members.join(" ")
                );
            }
            Ok(())
        }
        Verb::Serve { name, address } => tcp::serve(&name, address),
    }
}

fn up(layout: &Layout<'_>) -> Result<()> {
    let lab = Lab::build(layout)?;
    println!(
        "{:10} {:15} {:15} network namespace",
        "", "client LAN", "DYNAMICXCF"
    );
    for stack in lab.stacks() {
        line(
            stack.name(),
            stack.lan_address(),
            Some(stack.xcf_address()),
            stack.namespace(),
        );
    }
    for client in lab.clients() {
        line(
            client.name(),
            client.lan_address(),
            None,
            client.namespace(),
        );
    }
    let name = lab.name().to_owned();
    let cgroup = lab
        .stack("TCPIP")
        .cgroup()
        .map(|cgroup| cgroup.path().to_owned());
    if let Some(cgroup) = cgroup {
        println!(
            "\ncgroups: {} and so on, for --load-cgroup",
            cgroup.display()
        );
    }
    println!(
        "\nover IPv6, {} is {}, and so on",
        lab.client().lan_address(),
        lab.client().lan_address6()
    );
    lab.keep()?;
    println!("\nlab exec --name {name} CLIENT ping -c 1 10.1.1.1\nlab down {name}");
    Ok(())
}

fn line(name: &str, lan: Ipv4Addr, xcf: Option<Ipv4Addr>, namespace: &Namespace) {
    let xcf = xcf.map_or_else(String::new, |address| address.to_string());
    println!(
        "{name:10} {:15} {xcf:15} {}",
        lan.to_string(),
        namespace.name()
    );
}

fn exec(lab: &Found, member: &str, command: &[String]) -> Result<()> {
    let member = member.to_lowercase();
    if !lab.members.contains(&member) {
        bail!(
            "`{}` has no `{member}`, but {}",
            lab.name,
            lab.members.join(", ")
        );
    }
    let namespace = Namespace::named(format!("{}-{member}", lab.name));
    let (program, arguments) = command.split_first().context("no command")?;
    let cgroup = Cgroup::of_lab(&lab.name).map(|lab| lab.within(&member));
    // A client has none.
    if let Some(cgroup) = cgroup.filter(|cgroup| cgroup.path().exists()) {
        cgroup.take(std::process::id())?;
    }
    let distributor = program::distributor()?;
    let programs = distributor.parent().into_iter().map(Path::to_path_buf);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(programs.chain(env::split_paths(&path)))?;
    let mut exec = namespace.command(program);
    exec.args(arguments)
        .env("PATH", path)
        .env("DISTRIBUTOR_RUN_DIR", claim::run_directory(&lab.name));
    // Replaces this process, so that terminal and exit code are the command's own.
    Err(exec.exec()).context("cannot start `nsenter`")
}

/// The lab of this name, or the only one.
fn chosen(name: Option<String>) -> Result<Found> {
    let mut labs = claim::list()?;
    if let Some(name) = name {
        let position = labs.iter().position(|lab| {
            lab.name == name || lab.name.strip_prefix("sd-") == Some(name.as_str())
        });
        return Ok(labs.swap_remove(position.with_context(|| format!("there is no lab `{name}`"))?));
    }
    let names: Vec<_> = labs.iter().map(|lab| lab.name.as_str()).collect();
    match names.as_slice() {
        [] => bail!("there is no lab: run `lab up`"),
        [_] => Ok(labs.swap_remove(0)),
        several => bail!("which lab? There are {}", several.join(", ")),
    }
}

fn said(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Kept => "kept",
        State::Stale => "stale",
    }
}
