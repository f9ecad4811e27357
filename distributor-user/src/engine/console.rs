//! What an operator types at z/OS's console, as words of the command line.
//!
//! ```text
//!  D TCPIP,TCPIP2,NETSTAT,VDPT,DETAIL ──▶ netstat vdpt DETAIL --console --name TCPIP2
//!  V TCPIP,,SYSPLEX,QUIESCE,TARGET    ──▶ vary quiesce target
//! ```
//!
//! Nothing here knows what a report shows or an order does: after the words are
//! known, whatever goes wrong is told as on the command line. Capitals in the
//! tables are the shortest abbreviation, as in the profile language.

use thiserror::Error;

#[cfg(test)]
mod tests;

/// Title of what only shows something.
pub const DISPLAY: &str = "DISPLAY";

/// A command of the console, in the words of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What the command line would be, without the program's name.
    pub words: Vec<String>,
    /// Which stack is meant; absent where the command leaves it out.
    pub stack: Option<String>,
    /// What z/OS calls it where it says that it was done.
    pub title: &'static str,
}

/// Why something is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConsoleError {
    /// Another word was expected.
    #[error("expected {expected}, found `{found}`")]
    Unexpected {
        /// What may stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// The command ends too early.
    #[error("expected {expected} after `{after}`, found nothing")]
    Incomplete {
        /// What is missing.
        expected: String,
        /// What it should follow.
        after: String,
    },
    /// z/OS has it, and this system does not.
    #[error("`{word}` has nothing to do here: {because}")]
    Foreign {
        /// The word.
        word: &'static str,
        /// Why, and what to do instead.
        because: &'static str,
    },
}

/// The words that may stand at one place; capitals are the shortest abbreviation.
type Choice<T> = &'static [(&'static str, T)];

#[derive(Clone, Copy)]
enum Verb {
    Display,
    Vary,
}

const VERBS: Choice<Verb> = &[("Display", Verb::Display), ("Vary", Verb::Vary)];

#[derive(Clone, Copy)]
enum Shown {
    Netstat,
    Sysplex,
}

const SHOWN: Choice<Shown> = &[("Netstat", Shown::Netstat), ("SYSplex", Shown::Sysplex)];

/// What D TCPIP,,SYSPLEX shows: the report, or why there is none.
const SYSPLEX: Choice<Result<&str, &str>> = &[
    ("VIPADyn", Ok("vipadyn")),
    ("GROUP", Ok("group")),
    (
        "PORTS",
        Err(
            "nothing assigns ports for the whole sysplex; `NETSTAT,PORTLIST` shows those that are \
             reserved",
        ),
    ),
];

#[derive(Clone, Copy)]
enum Varied {
    Sysplex,
    Obey,
    Check,
    Foreign(&'static str, &'static str),
}

const TRACE: &str = "packets are traced by the tools of Linux, such as tcpdump";

const VARIED: Choice<Varied> = &[
    ("SYSplex", Varied::Sysplex),
    ("OBEYFILE", Varied::Obey),
    ("SYNTAXCHECK", Varied::Check),
    ("DATTRACE", Varied::Foreign("DATTRACE", TRACE)),
    ("PKTTRACE", Varied::Foreign("PKTTRACE", TRACE)),
    ("OSAENTA", Varied::Foreign("OSAENTA", TRACE)),
    (
        "DROP",
        Varied::Foreign(
            "DROP",
            "`distributor drain --deadline` ends the connections of a target, `ss -K` single ones",
        ),
    ),
    (
        "EXPORTPROF",
        Varied::Foreign("EXPORTPROF", "`NETSTAT,VIPADCFG` shows what is in force"),
    ),
    (
        "PURGECACHE",
        Varied::Foreign("PURGECACHE", "`ip neighbour flush` forgets neighbours"),
    ),
    (
        "SMCAT",
        Varied::Foreign("SMCAT", "connections are TCP on every link"),
    ),
    (
        "START",
        Varied::Foreign("START", "`ip link set … up` starts an interface"),
    ),
    (
        "STOP",
        Varied::Foreign("STOP", "`ip link set … down` stops an interface"),
    ),
];

#[derive(Clone, Copy)]
enum Order {
    Group(&'static str),
    Dvipa(&'static str),
    Scope(&'static str),
}

const ORDERS: Choice<Order> = &[
    ("LEAVEgroup", Order::Group("leavegroup")),
    ("JOINgroup", Order::Group("joingroup")),
    ("DEACTivate", Order::Dvipa("deactivate")),
    ("REACTivate", Order::Dvipa("reactivate")),
    ("QUIesce", Order::Scope("quiesce")),
    ("RESUME", Order::Scope("resume")),
];

/// What QUIESCE and RESUME may be for, and how the command line calls it.
const SCOPES: Choice<Option<&str>> = &[
    ("TARGET", Some("target")),
    ("POrt", Some("port")),
    ("JOBNAME", Some("job")),
    ("ASID", None),
];

/// Reads one command.
///
/// # Errors
///
/// Says what was expected where.
pub fn parse(text: &str) -> Result<Command, ConsoleError> {
    let text = text.trim();
    let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let kind = choose(VERBS, verb, "")?;
    let mut words = Words::of(rest.trim(), verb);
    words.expect("TCPIP")?;
    let stack = words.next("the name of a stack, or none, and `,`")?;
    let stack = (!stack.is_empty()).then(|| stack.to_owned());
    let mut command = match kind {
        Verb::Display => display(&mut words)?,
        Verb::Vary => vary(&mut words)?,
    };
    // A profile is checked without asking anybody.
    if let Some(name) = stack.as_ref().filter(|_| command.verb() != "check") {
        command.words.extend(["--name".to_owned(), name.clone()]);
    }
    Ok(Command { stack, ..command })
}

fn display(words: &mut Words<'_>) -> Result<Command, ConsoleError> {
    let (verb, report) = match words.choose(SHOWN)? {
        Shown::Netstat => ("netstat", words.next("a report such as VDPT")?.to_owned()),
        Shown::Sysplex => match words.choose(SYSPLEX)? {
            Ok(report) => ("sysplex", report.to_owned()),
            Err(because) => {
                return Err(ConsoleError::Foreign {
                    word: "PORTS",
                    because,
                });
            }
        },
    };
    let mut line = vec![verb.to_owned(), report];
    line.extend(words.rest().map(ToOwned::to_owned));
    line.push("--console".to_owned());
    Ok(Command::of(line, DISPLAY))
}

fn vary(words: &mut Words<'_>) -> Result<Command, ConsoleError> {
    match words.choose(VARIED)? {
        Varied::Sysplex => order(words),
        Varied::Obey => Ok(Command::of(
            vec!["obey".to_owned(), dataset(words)?],
            "VARY OBEY",
        )),
        Varied::Check => Ok(Command::of(
            vec!["check".to_owned(), dataset(words)?],
            "VARY SYNTAXCHECK",
        )),
        Varied::Foreign(word, because) => Err(ConsoleError::Foreign { word, because }),
    }
}

fn order(words: &mut Words<'_>) -> Result<Command, ConsoleError> {
    let mut line = vec!["vary".to_owned()];
    match words.choose(ORDERS)? {
        Order::Group(order) => line.push(order.to_owned()),
        Order::Dvipa(order) => {
            let dvipa = words.value("DVIPA")?;
            line.extend([order.to_owned(), dvipa.to_owned()]);
        }
        Order::Scope(order) => {
            line.push(order.to_owned());
            line.push(scope(words)?);
            while !words.is_empty() {
                line.push(scope(words)?);
            }
        }
    }
    words.end()?;
    Ok(Command::of(line, "VARY SYSPLEX"))
}

/// One of the words that say what QUIESCE or RESUME is for.
fn scope(words: &mut Words<'_>) -> Result<String, ConsoleError> {
    let word = words.next(&names(SCOPES))?;
    let (key, value) = word
        .split_once('=')
        .map_or((word, None), |(key, value)| (key, Some(value)));
    let Some(name) = choose(SCOPES, key, "")? else {
        return Err(ConsoleError::Foreign {
            word: "ASID",
            because: "servers of one name are told apart by their unit or cgroup, as JOBNAME",
        });
    };
    Ok(match value {
        Some(value) => format!("{name}={value}"),
        None => name.to_owned(),
    })
}

/// The file that DSN names; a data set may be quoted.
fn dataset(words: &mut Words<'_>) -> Result<String, ConsoleError> {
    let name = words.value("DSN")?.trim_matches('\'');
    words.end()?;
    Ok(name.to_owned())
}

impl Command {
    /// The verb of the command line.
    #[must_use]
    pub fn verb(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn of(words: Vec<String>, title: &'static str) -> Self {
        Self {
            words,
            stack: None,
            title,
        }
    }
}

/// What is left of the operands, which commas part.
struct Words<'a> {
    left: Option<&'a str>,
    /// The last one that was taken.
    last: &'a str,
}

impl<'a> Words<'a> {
    fn of(text: &'a str, verb: &'a str) -> Self {
        Self {
            left: (!text.is_empty()).then_some(text),
            last: verb,
        }
    }

    fn is_empty(&self) -> bool {
        self.left.is_none()
    }

    fn next(&mut self, expected: &str) -> Result<&'a str, ConsoleError> {
        let Some(left) = self.left else {
            return Err(ConsoleError::Incomplete {
                expected: expected.to_owned(),
                after: self.last.to_owned(),
            });
        };
        let (word, rest) = match left.split_once(',') {
            Some((word, rest)) => (word, Some(rest)),
            None => (left, None),
        };
        self.left = rest;
        self.last = word.trim();
        Ok(self.last)
    }

    fn rest(&mut self) -> impl Iterator<Item = &'a str> + use<'a> {
        let left = self.left.take();
        left.into_iter()
            .flat_map(|left| left.split(',').map(str::trim))
    }

    fn choose<T: Copy>(&mut self, choice: Choice<T>) -> Result<T, ConsoleError> {
        let after = self.last;
        let word = self.next(&names(choice))?;
        choose(choice, word, after)
    }

    fn expect(&mut self, expected: &'static str) -> Result<(), ConsoleError> {
        let found = self.next(&format!("`{expected}`"))?;
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(ConsoleError::Unexpected {
            expected: format!("`{expected}`"),
            found: found.to_owned(),
        })
    }

    /// What stands behind `key=`.
    fn value(&mut self, key: &str) -> Result<&'a str, ConsoleError> {
        let expected = format!("`{key}=…`");
        let found = self.next(&expected)?;
        match found.split_once('=') {
            Some((word, value)) if word.eq_ignore_ascii_case(key) && !value.is_empty() => Ok(value),
            _ => Err(ConsoleError::Unexpected {
                expected,
                found: found.to_owned(),
            }),
        }
    }

    fn end(&mut self) -> Result<(), ConsoleError> {
        match self.rest().next() {
            None => Ok(()),
            Some(found) => Err(ConsoleError::Unexpected {
                expected: format!("nothing behind `{}`", self.last),
                found: found.to_owned(),
            }),
        }
    }
}

/// The value of the word that is meant; `after` is what it follows.
fn choose<T: Copy>(choice: Choice<T>, word: &str, after: &str) -> Result<T, ConsoleError> {
    let is_meant = |(name, _): &&(&str, T)| {
        let shortest = name
            .find(|letter: char| letter.is_ascii_lowercase())
            .unwrap_or(name.len());
        word.len() >= shortest
            && name
                .get(..word.len())
                .is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    if let Some((_, value)) = choice.iter().find(is_meant) {
        return Ok(*value);
    }
    if word.is_empty() && !after.is_empty() {
        return Err(ConsoleError::Incomplete {
            expected: names(choice),
            after: after.to_owned(),
        });
    }
    Err(ConsoleError::Unexpected {
        expected: names(choice),
        found: word.to_owned(),
    })
}

/// The words of a choice, as a sentence has them.
fn names<T>(choice: Choice<T>) -> String {
    let names: Vec<String> = choice
        .iter()
        .map(|(name, _)| format!("`{}`", name.to_uppercase()))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}
