//! The command line.
//!
//! One module per verb. Exit codes: 0 done, 2 refused: bad input, or a machine
//! that cannot do it. What is refused changes nothing. `plan` ends with 1 where
//! something differs, as `diff` does.

mod apply;
mod check;
mod console;
mod doctor;
mod drain;
mod events;
mod explain;
mod history;
mod init;
mod keygen;
mod manual;
mod netstat;
mod obey;
mod plan;
mod reference;
mod reload;
mod run;
mod running;
mod scope;
mod symbol;
mod text;
mod top;
mod vary;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Where daemons keep their admin sockets and state.
const DEFAULT_RUN_DIR: &str = "/run/distributor";
/// Where daemons keep what outlives the machine's boot.
const DEFAULT_STATE_DIR: &str = "/var/lib/distributor";
/// Where daemons pin their maps and links.
const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/distributor";

/// Distributes the connections of a virtual IP address over Linux stacks, as z/OS does.
#[derive(Debug, Parser)]
#[command(name = "distributor", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Explains every error of profiles, and changes nothing.
    Check(check::Check),
    /// Writes the profiles, the key and the units of a new group.
    Init(init::Init),
    /// Makes a key for a group.
    Keygen(keygen::Keygen),
    /// Runs a stack: reads its profile, joins its group, distributes.
    Run(run::RunArguments),
    /// Reads the profile of a running stack again; a new program takes over in place.
    Reload(reload::Reload),
    /// Says in words what another profile would change; ends with 1 if anything differs.
    Plan(plan::Plan),
    /// Puts another profile in the place of a running stack's, perhaps until it is confirmed.
    Apply(apply::Apply),
    /// Confirms what was applied with `--confirm`.
    Confirm(apply::Confirm),
    /// Puts the configuration before in force again.
    Rollback(apply::Rollback),
    /// Shows what has happened at a running stack of late.
    Events(events::Events),
    /// Shows what was changed, when and by whom.
    History(history::History),
    /// Changes a running stack by the statements of a file, as VARY TCPIP,,OBEYFILE does.
    Obey(obey::Obey),
    /// Orders a running stack to give DVIPAs up or to take them, and to be a target or not, as VARY
    /// TCPIP,,SYSPLEX does.
    Vary(vary::Vary),
    /// Has no new connections sent to a target, a port or a server of it, and shows which are left there.
    Drain(drain::Drain),
    /// Shows a report of a running stack.
    Netstat(netstat::Netstat),
    /// Shows what a running stack knows of the group, as D TCPIP,,SYSPLEX does.
    Sysplex(netstat::Sysplex),
    /// Explains why each target of a service gets the share of new connections that it gets.
    Explain(explain::Explain),
    /// Says what is wrong on the way of a connection, why, and what to do about it.
    Doctor(doctor::Doctor),
    /// Shows a running stack on a terminal as it goes on: services, targets, stacks, rates, what changes.
    Top(top::Top),
    /// Takes operator commands as z/OS's console does, such as D TCPIP,,NETSTAT,VDPT,DETAIL.
    Console(console::Console),
    /// Writes man pages and shell completions.
    #[command(hide = true)]
    Manual(manual::Manual),
    /// Prints a page of the documentation that is made from the program's tables.
    #[command(hide = true)]
    Reference(reference::Reference),
}

/// Runs the verb that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    do_it(Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("distributor: {error:#}");
        ExitCode::from(2)
    })
}

/// Does what a command line says.
fn do_it(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Init(arguments) => init::run(&arguments),
        Verb::Keygen(arguments) => keygen::run(&arguments),
        Verb::Run(arguments) => run::run(arguments),
        Verb::Reload(arguments) => reload::run(&arguments),
        Verb::Plan(arguments) => plan::run(&arguments),
        Verb::Apply(arguments) => apply::run(&arguments),
        Verb::Confirm(arguments) => apply::confirm(&arguments),
        Verb::Rollback(arguments) => apply::roll_back(&arguments),
        Verb::Events(arguments) => events::run(&arguments),
        Verb::History(arguments) => history::run(&arguments),
        Verb::Obey(arguments) => obey::run(&arguments),
        Verb::Vary(arguments) => vary::run(&arguments),
        Verb::Drain(arguments) => drain::run(&arguments),
        Verb::Netstat(arguments) => netstat::run(&arguments),
        Verb::Sysplex(arguments) => netstat::run_sysplex(&arguments),
        Verb::Explain(arguments) => explain::run(&arguments),
        Verb::Doctor(arguments) => doctor::run(&arguments),
        Verb::Top(arguments) => top::run(&arguments),
        Verb::Console(arguments) => console::run(&arguments),
        Verb::Manual(arguments) => manual::run(&arguments, Arguments::command()),
        Verb::Reference(arguments) => reference::run(&arguments),
    }
}
