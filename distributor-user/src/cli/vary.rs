//! `distributor vary`: what z/OS's `VARY TCPIP,,SYSPLEX` orders.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::running::StackArguments;
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
    /// Has no new connections sent to this stack; those that it has go on.
    Quiesce(Target),
    /// Undoes `quiesce`.
    Resume(Target),
    /// Says what this stack weighs as a target, where the method is TARGCONTROLLED.
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
struct Target {
    /// `target` for everything, or `port=8443` for the services of one port.
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: Scope,
    #[command(flatten)]
    stack: StackArguments,
}

#[derive(Debug, Args)]
struct Weight {
    /// From 0, for no new connections, to 64; `none` for what targets weigh that say nothing, 10.
    #[arg(value_name = "WEIGHT", value_parser = weight)]
    weight: Said,
    #[command(flatten)]
    of: Target,
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

fn scope(text: &str) -> Result<Scope, String> {
    if text.eq_ignore_ascii_case("TARGET") {
        return Ok(Scope::Target);
    }
    let port = match text.split_once('=') {
        Some((word, port)) if word.eq_ignore_ascii_case("PORT") => port.parse().ok(),
        _ => None,
    };
    match port {
        Some(port @ 1..) => Ok(Scope::Port(port)),
        Some(0) | None => Err(format!(
            "expected `target`, or a port from 1 to 65535 such as `port=8443`, found `{text}`"
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
    let (order, stack) = match &arguments.order {
        Order::LeaveGroup(on) => (stack::Vary::LeaveGroup, &on.stack),
        Order::JoinGroup(on) => (stack::Vary::JoinGroup, &on.stack),
        Order::Deactivate(on) => (stack::Vary::Deactivate(on.dvipa), &on.stack),
        Order::Reactivate(on) => (stack::Vary::Reactivate(on.dvipa), &on.stack),
        Order::Quiesce(on) => (stack::Vary::Quiesce(on.scope), &on.stack),
        Order::Resume(on) => (stack::Vary::Resume(on.scope), &on.stack),
        Order::Weight(Weight { weight, of }) => (stack::Vary::Weigh(of.scope, weight.0), &of.stack),
    };
    let stack = stack.find()?;
    println!("{}", stack.order(&Request::Vary(order))?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::{Said, Scope, dvipa, scope, weight};

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
    fn a_scope_is_the_target_or_a_port() {
        for (text, expected) in [
            ("target", Scope::Target),
            ("TARGET", Scope::Target),
            ("port=8443", Scope::Port(8443)),
            ("PORT=1", Scope::Port(1)),
            ("port=65535", Scope::Port(65_535)),
        ] {
            assert_eq!(scope(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "port",
            "port=",
            "port=0",
            "port=65536",
            "8443",
            "targets",
        ] {
            let error = scope(text).expect_err("no scope");
            assert!(error.contains("port=8443"), "{error}");
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
