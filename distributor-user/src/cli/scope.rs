//! What an order is for: words as in `target`, `port=8443 job=WEB1` or `port=8443,target=TCPIP2`.

use anyhow::Context as _;
use clap::Args;

use super::running::{RunningStack, StackArguments};
use crate::engine::fact::Ask;
use crate::engine::servers::Server;
use crate::engine::stack::Scope;
use crate::shell::admin::{Answer, Request};

/// What an order is for, and who is asked.
#[derive(Debug, Args)]
pub(super) struct ScopeArguments {
    /// `target` for everything, `port=8443` for the services of one port, `job=WEB1` for the servers of one
    /// job, or several of these; `target=TCPIP2` has another member do it.
    #[arg(value_name = "SCOPE", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    stack: StackArguments,
}

impl ScopeArguments {
    /// Finds out what is meant, and whom to ask.
    pub(super) fn find(&self) -> anyhow::Result<(Scope, Addressee)> {
        let Named { target, scope } = parse(&self.words).map_err(anyhow::Error::msg)?;
        Ok((scope, Addressee::find(&self.stack, target.as_deref())?))
    }
}

/// What the words name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    target: Option<String>,
    scope: Scope,
}

fn parse(words: &[String]) -> Result<Named, String> {
    let (mut target, mut port, mut job) = (None, None, None);
    let mut is_all = false;
    let words = words.iter().flat_map(|word| word.split(','));
    for word in words.filter(|word| !word.is_empty()) {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key.to_ascii_uppercase(), Some(value)),
            None => (word.to_ascii_uppercase(), None),
        };
        let is_new = match (key.as_str(), value) {
            ("TARGET", None) => !std::mem::replace(&mut is_all, true),
            ("TARGET", Some(name)) => {
                let name = super::run::stack_name(name)?;
                target.replace(name).is_none()
            }
            ("PORT", Some(text)) => port.replace(self::port(text)?).is_none(),
            ("JOB" | "JOBNAME", Some(name)) => {
                let name = name.parse().map_err(|error| format!("{error}"))?;
                job.replace(name).is_none()
            }
            _ => {
                return Err(format!(
                    "expected `target`, `target=NAME`, `port=8443` or `job=WEB1`, found `{word}`"
                ));
            }
        };
        if !is_new {
            return Err(format!("expected each word once, found `{word}` again"));
        }
    }
    let scope = match (port, job) {
        (None, None) => Scope::Target,
        (Some(port), None) => Scope::Port(port),
        (port, Some(job)) => Scope::Server(Server { port, job }),
    };
    if is_all && scope != Scope::Target {
        return Err("expected `target`, which is everything, without a port or a job".to_owned());
    }
    if !is_all && target.is_none() && scope == Scope::Target {
        return Err("expected `target` or what of it is meant, found nothing".to_owned());
    }
    Ok(Named { target, scope })
}

/// A port's number.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        Ok(0) | Err(_) => Err(format!(
            "expected a port from 1 to 65535 such as `port=8443`, found `{text}`"
        )),
    }
}

/// Who is asked: the stack that runs here, or through it another member of its group.
#[derive(Debug)]
pub(super) struct Addressee {
    here: RunningStack,
    member: Option<String>,
}

impl Addressee {
    /// The stack of this name, if it runs here, else the member of this name; without one, the stack
    /// that runs here.
    pub(super) fn find(stack: &StackArguments, name: Option<&str>) -> anyhow::Result<Self> {
        let own = name.filter(|name| !stack.is_named() && stack.runs(name));
        let here = stack.or_named(own).find();
        let here = match name.filter(|_| own.is_none()) {
            None => here?,
            Some(name) => here.with_context(|| {
                format!("`{name}` does not run here, and no stack here could ask it")
            })?,
        };
        let member = name.filter(|name| *name != here.name);
        let member = member.map(ToOwned::to_owned);
        Ok(Self { here, member })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.member.as_deref().unwrap_or(&self.here.name)
    }

    /// Has it do something; returns what it says that this was.
    pub(super) fn order(&self, ask: Ask) -> anyhow::Result<String> {
        let answer = self.ask(ask)?;
        if let Answer::Done(done) = answer {
            Ok(done)
        } else {
            Err(super::running::unexpected(&answer))
        }
    }

    /// Asks it; a refusal is an error.
    pub(super) fn ask(&self, ask: Ask) -> anyhow::Result<Answer> {
        self.here.ask(&match &self.member {
            Some(member) => Request::Of {
                member: member.clone(),
                ask,
            },
            None => Request::of_own(ask),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<Named, String> {
        let words: Vec<String> = text.split(' ').map(ToOwned::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn a_scope_is_the_target_a_port_or_a_job() {
        let server = |port, job: &str| {
            Scope::Server(Server {
                port,
                job: job.parse().expect("a job name"),
            })
        };
        for (text, target, scope) in [
            ("target", None, Scope::Target),
            ("TARGET", None, Scope::Target),
            ("target=TCPIP2", Some("TCPIP2"), Scope::Target),
            ("port=8443", None, Scope::Port(8443)),
            ("PORT=1", None, Scope::Port(1)),
            ("port=65535", None, Scope::Port(65_535)),
            ("job=web1", None, server(None, "WEB1")),
            ("JOBNAME=WEB*", None, server(None, "WEB*")),
            ("port=8443 job=WEB1", None, server(Some(8443), "WEB1")),
            ("PORT=8443,JOBNAME=WEB1", None, server(Some(8443), "WEB1")),
            (
                "job=WEB1 target=TCPIP2 port=80",
                Some("TCPIP2"),
                server(Some(80), "WEB1"),
            ),
        ] {
            let target = target.map(ToOwned::to_owned);
            assert_eq!(named(text), Ok(Named { target, scope }), "{text}");
        }
        for (text, expected) in [
            ("port", "found `port`"),
            ("port=", "from 1 to 65535"),
            ("port=0", "from 1 to 65535"),
            ("port=65536", "from 1 to 65535"),
            ("8443", "`port=8443`"),
            ("targets", "`target`"),
            ("target=../x", "1 to 16 letters"),
            ("target port=80", "without a port"),
            ("port=80 port=81", "again"),
            ("job=ninechars", "1 to 8 characters"),
            ("asid=1", "found `asid=1`"),
            ("", "found nothing"),
            (",", "found nothing"),
        ] {
            let error = named(text).expect_err("no scope");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
