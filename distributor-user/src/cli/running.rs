//! The running stack that a verb is for.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::DEFAULT_RUN_DIR;
use crate::shell::admin::{self, AdminError, Answer, Request};

/// Which stack a verb is for.
#[derive(Debug, Args)]
pub(super) struct StackArguments {
    /// The stack to ask; may be left out where only one runs.
    #[arg(long)]
    name: Option<String>,
    /// Where the daemon keeps its admin socket.
    #[arg(long, env = "DISTRIBUTOR_RUN_DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
}

impl StackArguments {
    /// Says whether a stack is named.
    pub(super) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// The name, if one is given.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the daemons keep their admin sockets.
    pub(super) fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Says whether a stack of this name seems to run here.
    pub(super) fn runs(&self, name: &str) -> bool {
        let mut stacks = admin::stacks(&self.run_dir).into_iter();
        stacks.any(|stack| stack == name)
    }

    /// The same stacks, but only the one of this name, if one is given.
    pub(super) fn or_named(&self, name: Option<&str>) -> Self {
        Self {
            name: name.map(ToOwned::to_owned).or_else(|| self.name.clone()),
            run_dir: self.run_dir.clone(),
        }
    }

    /// Finds the stack.
    pub(super) fn find(&self) -> anyhow::Result<RunningStack> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => only_stack(&self.run_dir)?,
        };
        let run_dir = self.run_dir.clone();
        Ok(RunningStack { name, run_dir })
    }
}

/// A stack that runs on this host, as far as is known.
#[derive(Debug)]
pub(super) struct RunningStack {
    pub(super) name: String,
    run_dir: PathBuf,
}

impl RunningStack {
    /// Asks the stack's daemon; a refusal is an error.
    pub(super) fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        let answer = self.try_ask(request)?;
        if let Answer::Refused(reason) = answer {
            bail!("`{}` refused, and nothing was changed: {reason}", self.name);
        }
        if let Answer::Unknown(reason) = answer {
            bail!("`{}` asked in vain: {reason}", self.name);
        }
        Ok(answer)
    }

    /// Has the stack's daemon do something; returns what it says that this was.
    pub(super) fn order(&self, request: &Request) -> anyhow::Result<String> {
        let answer = self.ask(request)?;
        if let Answer::Done(done) = answer {
            Ok(done)
        } else {
            Err(unexpected(&answer))
        }
    }

    /// Asks the stack's daemon.
    pub(super) fn try_ask(&self, request: &Request) -> Result<Answer, AdminError> {
        admin::ask(&self.run_dir, &self.name, request)
    }
}

/// The answer to another question than the one that was asked.
pub(super) fn unexpected(answer: &Answer) -> anyhow::Error {
    anyhow::anyhow!(
        "expected the answer of this program's version, found {answer:?}: is another version running?"
    )
}

fn only_stack(run_dir: &Path) -> anyhow::Result<String> {
    let mut stacks = admin::stacks(run_dir);
    match (stacks.pop(), stacks.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => bail!(
            "no stack runs here: expected an admin socket in `{}`; start `distributor run`",
            run_dir.display()
        ),
        (Some(last), false) => bail!(
            "several stacks run here ({}, {last}): say which with `--name`",
            stacks.join(", ")
        ),
    }
}
