//! Transcripts in the documentation: what is typed where, and what is said to it.
//!
//! ````text
//! ```console
//! front# distributor netstat vdpt --name FRONT
//! …
//! 10.1.1.50  …  FRONT  …
//! client$ curl http://10.1.1.50:8080/
//! front
//! ```
//! ````
//!
//! A line with a prompt is typed at that host; the lines up to the next one are
//! the answer. `…` stands for any text, and on a line by itself for any lines.
//! Commands without an answer must succeed and are not asked what they print.

use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Result, bail, ensure};

/// The mark of a block that is played.
const FENCE: &str = "```console";

/// What stands for text that is not told.
const ELLIPSIS: &str = "…";

/// How long an answer may take to become what it should be: a reader types more slowly.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pause before a question is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// One command, and what is said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line of the page, from 1.
    pub line: usize,
    /// The host of the prompt.
    pub host: String,
    /// What is typed.
    pub command: String,
    /// Lines of the answer.
    pub answer: Vec<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}# {}", self.line, self.host, self.command)
    }
}

/// What a host has said to a command.
#[derive(Clone, Debug)]
pub struct Said {
    /// Both of its outputs.
    pub text: String,
    /// Whether its exit code was 0.
    pub is_success: bool,
}

/// Reads the steps of a page.
///
/// # Errors
///
/// A block does not begin with a prompt, or does not end.
pub fn parse(page: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut begun = None;
    for (number, line) in (1..).zip(page.lines()) {
        if begun.is_none() {
            begun = (line.trim() == FENCE).then_some(steps.len());
        } else if line.trim() == "```" {
            begun = None;
        } else if let Some((host, command)) = prompt(line.trim_start()) {
            steps.push(Step {
                line: number,
                host: host.to_owned(),
                command: command.to_owned(),
                answer: Vec::new(),
            });
        } else if begun == Some(steps.len()) {
            bail!("line {number}: expected a prompt such as `front# `, found `{line}`");
        } else if let Some(step) = steps.last_mut() {
            step.answer.push(line.trim_end().to_owned());
        }
    }
    ensure!(begun.is_none(), "the last `{FENCE}` has no end");
    Ok(steps)
}

/// Host and command of a line that is typed.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let (host, command) = line.split_once("# ").or_else(|| line.split_once("$ "))?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!host.is_empty() && host.bytes().all(is_name)).then_some((host, command))
}

/// Plays the steps in their order. A command whose answer is not yet what it should be is given again.
///
/// # Errors
///
/// `run` failed; a command failed that should only do something, or its answer was another one to the
/// end: the step is named, with what was said.
pub fn play(steps: &[Step], mut run: impl FnMut(&Step) -> Result<Said>) -> Result<()> {
    for step in steps {
        let began = Instant::now();
        loop {
            let said = run(step)?;
            if step.answer.is_empty() {
                ensure!(said.is_success, "{step}: it failed: {}", said.text);
                break;
            }
            if fits(&step.answer, &said.text) {
                break;
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{step}: expected\n{}\nfound\n{}",
                step.answer.join("\n"),
                said.text
            );
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Whether `text` is what the lines of an answer say. How many blanks are between words does not
/// count, nor do empty lines at the end.
#[must_use]
pub fn fits(answer: &[String], text: &str) -> bool {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let answer: Vec<_> = answer.iter().map(|line| words(line)).collect();
    let lines: Vec<_> = text.trim_end().lines().map(words).collect();
    let end = answer.iter().rposition(|line| !line.is_empty());
    lines_fit(&answer[..end.map_or(0, |end| end + 1)], &lines)
}

fn lines_fit(answer: &[String], lines: &[String]) -> bool {
    let Some((first, rest)) = answer.split_first() else {
        return lines.is_empty();
    };
    if first == ELLIPSIS {
        return (0..=lines.len()).any(|skipped| lines_fit(rest, &lines[skipped..]));
    }
    lines
        .split_first()
        .is_some_and(|(line, others)| line_fits(first, line) && lines_fit(rest, others))
}

/// Whether a line fits, in which each [`ELLIPSIS`] stands for any text.
fn line_fits(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once(ELLIPSIS) else {
        return pattern == line;
    };
    line.strip_prefix(head).is_some_and(|rest| {
        let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        starts.into_iter().any(|at| line_fits(tail, &rest[at..]))
    })
}

#[cfg(test)]
mod tests;
