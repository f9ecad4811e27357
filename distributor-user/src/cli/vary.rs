//! `distributor vary`: what z/OS's `VARY TCPIP,,SYSPLEX` orders.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::running::StackArguments;
use super::scope::ScopeArguments;
use crate::engine::fact::Ask;
use crate::engine::selection::LARGEST_WEIGHT;
use crate::engine::stack::{self, Scope};
use crate::shell::admin::Request;

/// Arguments of `distributor vary`.
#[derive(Debug, Args)]
pub(super) struct Vary {
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Order {
    /// Gives every DVIPA to the backups, is no target any more, and keeps the configuration.
    LeaveGroup(StackOnly),
    /// Undoes `leavegroup`.
    JoinGroup(StackOnly),
    /// Gives a DVIPA to its backup, or stops to be its backup; the definition is kept.
    Deactivate(Dvipa),
    /// Undoes `deactivate`: the definer takes the DVIPA back.
    Reactivate(Dvipa),
    /// Has no new connections sent to a target, to a port or a server of it; those that it has go on.
    Quiesce(ScopeArguments),
    /// Undoes `quiesce`.
    Resume(ScopeArguments),
    /// Says what a target weighs, where the method is TARGCONTROLLED.
    Weight(Weight),
}

#[derive(Debug, Args)]
struct StackOnly {
    #[command(flatten)]
    stack: StackArguments,
}

#[derive(Debug, Args)]
struct Dvipa {
    /// The DVIPA; `DVIPA=` before it is allowed, as z/OS writes it.
    #[arg(value_name = "DVIPA", value_parser = dvipa)]
    dvipa: IpAddr,
    #[command(flatten)]
    stack: StackArguments,
}

#[derive(Debug, Args)]
struct Weight {
    /// From 0, for no new connections, to 64; `none` for what targets weigh that say nothing, 10.
    #[arg(value_name = "WEIGHT", value_parser = weight)]
    weight: Said,
    #[command(flatten)]
    of: ScopeArguments,
}

/// A weight, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said(Option<u8>);

fn weight(text: &str) -> Result<Said, String> {
    if text.eq_ignore_ascii_case("NONE") {
        return Ok(Said(None));
    }
    match text.parse() {
        Ok(weight @ ..=LARGEST_WEIGHT) => Ok(Said(Some(weight))),
        _ => Err(format!(
            "expected a weight from 0 to {LARGEST_WEIGHT}, or `none`, found `{text}`"
        )),
    }
}

fn dvipa(text: &str) -> Result<IpAddr, String> {
    let address = match text.split_at_checked("DVIPA=".len()) {
        Some((word, address)) if word.eq_ignore_ascii_case("DVIPA=") => address,
        _ => text,
    };
    address
        .parse()
        .map_err(|_error| format!("expected an address such as 10.1.3.10, found `{text}`"))
}

pub(super) fn run(arguments: &Vary) -> anyhow::Result<ExitCode> {
    let done = match &arguments.order {
        Order::LeaveGroup(on) => obey(&on.stack, stack::Vary::LeaveGroup)?,
        Order::JoinGroup(on) => obey(&on.stack, stack::Vary::JoinGroup)?,
        Order::Deactivate(on) => obey(&on.stack, stack::Vary::Deactivate(on.dvipa))?,
        Order::Reactivate(on) => obey(&on.stack, stack::Vary::Reactivate(on.dvipa))?,
        Order::Quiesce(of) => ask(of, Ask::Quiesce)?,
        Order::Resume(of) => ask(of, Ask::Resume)?,
        Order::Weight(Weight { weight, of }) => ask(of, |scope| Ask::Weigh(scope, weight.0))?,
    };
    println!("{done}");
    Ok(ExitCode::SUCCESS)
}

fn obey(stack: &StackArguments, order: stack::Vary) -> anyhow::Result<String> {
    stack.find()?.order(&Request::Vary(order))
}

fn ask(of: &ScopeArguments, ask: impl Fn(Scope) -> Ask) -> anyhow::Result<String> {
    let (scope, addressee) = of.find()?;
    addressee.order(ask(scope))
}

#[cfg(test)]
mod tests {
    use super::{Said, dvipa, weight};

    #[test]
    fn a_weight_is_0_to_64_or_none() {
        for (text, expected) in [
            ("0", Some(0)),
            ("64", Some(64)),
            ("none", None),
            ("NONE", None),
        ] {
            assert_eq!(weight(text), Ok(Said(expected)), "{text}");
        }
        for text in ["", "65", "-1", "1.5", "heavy"] {
            let error = weight(text).expect_err("no weight");
            assert!(error.contains("0 to 64"), "{error}");
        }
    }

    #[test]
    fn a_dvipa_is_written_alone_or_as_z_os_writes_it() {
        let address = "10.1.3.10".parse().expect("an address");
        for text in ["10.1.3.10", "DVIPA=10.1.3.10", "dvipa=10.1.3.10"] {
            assert_eq!(dvipa(text), Ok(address), "{text}");
        }
        for text in ["", "DVIPA=", "10.1.3", "DVIPB=10.1.3.10"] {
            assert!(dvipa(text).is_err(), "{text}");
        }
    }
}
