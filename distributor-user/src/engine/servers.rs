//! Servers by their job names: whom an order of an operator is for.
//!
//! A job name is what PORT compares with: a command, a systemd unit, or a cgroup.
//! Nothing in here looks for processes.

use std::fmt;
use std::str::FromStr;

use distributor_common::ports::{Job, Name};
use serde::{Deserialize, Serialize};

/// Characters of a job name at most.
const LONGEST: usize = 8;

/// Cgroups whose names count: that of the process and those around it, as with PORT.
pub const CGROUPS: usize = 6;

/// A job name in capitals, or with an asterisk at its end the beginning of job names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobName([u8; LONGEST]);

/// What is no job name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a job name of 1 to 8 characters, such as `NGINX` or `WEB*`, found `{0}`")]
pub struct NoJobName(String);

impl JobName {
    fn text(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.0.split_at(end.unwrap_or(LONGEST)).0;
        str::from_utf8(text).unwrap_or_default()
    }

    /// Whether all that another job name says is among what this one says.
    #[must_use]
    pub fn covers(&self, other: &str) -> bool {
        match self.text().strip_suffix('*') {
            Some(beginning) => other.starts_with(beginning),
            None => other == self.text(),
        }
    }
}

/// Whether one of a process's names is the job's.
fn is(job: &Job, process: &Process) -> bool {
    let command = Name::of_command(&padded(&process.command));
    let cgroups = process.cgroups.iter().take(CGROUPS);
    let mut names = cgroups.map(|cgroup| Name::of_cgroup(&padded(cgroup)));
    job.is(command) != 0 || names.any(|name| job.is(name) != 0)
}

/// The beginning of a name, as the kernel's programs see it.
fn padded(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    // The last one is always a zero.
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

impl FromStr for JobName {
    type Err = NoJobName;

    fn from_str(text: &str) -> Result<Self, NoJobName> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let is_legal = |byte: u8| byte.is_ascii_graphic() && !b"*,=/.".contains(&byte);
        let mut bytes = [0; LONGEST];
        match bytes.get_mut(..text.len()) {
            Some(place) if !name.is_empty() && name.bytes().all(is_legal) => {
                place.copy_from_slice(text.as_bytes());
                bytes.make_ascii_uppercase();
                Ok(Self(bytes))
            }
            Some(_) | None => Err(NoJobName(text.to_owned())),
        }
    }
}

impl TryFrom<String> for JobName {
    type Error = NoJobName;

    fn try_from(text: String) -> Result<Self, NoJobName> {
        text.parse()
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.text().to_owned()
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The servers of a job, on one port or on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Server {
    /// The port; absent: whichever.
    pub port: Option<u16>,
    /// The job.
    pub job: JobName,
}

impl Server {
    /// Whether a socket on this port, which these processes have, is one of theirs.
    #[must_use]
    pub fn has(&self, port: u16, holders: &[Process]) -> bool {
        let Some(job) = Job::of(self.job.text()) else {
            return false;
        };
        self.concerns(port) && holders.iter().any(|process| is(&job, process))
    }

    /// Whether servers on this port may be theirs.
    #[must_use]
    pub fn concerns(&self, port: u16) -> bool {
        self.port.is_none_or(|named| named == port)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "port={port} job={}", self.job),
            None => write!(f, "job={}", self.job),
        }
    }
}

/// The names of a process that has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its command.
    pub command: String,
    /// Its cgroups, from the innermost out.
    pub cgroups: Vec<String>,
}

#[cfg(test)]
mod tests;
