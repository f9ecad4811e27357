//! PORT and PORTRANGE as the kernel's programs read them.
//!
//! Of several entries for one port the most particular that fits a program
//! decides: a whole job name goes before the beginning of one, a longer
//! beginning before a shorter, and `*` comes last. Nothing in here knows which
//! programs there are.

mod layout;
mod message;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use distributor_common::ports::{
    Job, MAPPED, MAX_RULES, MAX_RULES_OF_PORT, PORT_BLOCKS, PORTS_PER_BLOCK, PortEntry, Rule, place,
};

use super::config::{Config, PortOptions, PortProtocol, PortShare, PortUser};

pub use layout::layout;
pub use message::{PortMessage, Program, Refusal};

/// The job name of z/OS for whatever is no batch job or started task: here, every program.
const ANY_PROGRAM: &str = "OMVS";

/// The rules of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRules {
    /// The rules, those of one port one behind the other.
    pub rules: Vec<Rule>,
    /// By protocol and port: where the rules begin, and whether the port is shared. Empty without any.
    entries: Vec<PortEntry>,
}

/// Why rules cannot be put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortRulesError {
    /// One port has too many entries.
    #[error(
        "expected at most {MAX_RULES_OF_PORT} entries of PORT for one port, found more for {0}"
    )]
    OfPort(u16),
    /// There are too many altogether.
    #[error("expected at most {MAX_RULES} different entries of PORT and PORTRANGE, found more")]
    Altogether,
}

impl PortRules {
    /// The rules that a configuration says.
    ///
    /// # Errors
    ///
    /// They are more than the kernel's programs have room for.
    pub fn of(config: &Config) -> Result<Self, PortRulesError> {
        let mut compiler = Compiler::default();
        for (port, said) in by_port(config) {
            compiler.port(port, &said)?;
        }
        for range in &config.port_ranges {
            let said = [Said::new(&range.user, None, &range.options)];
            for port in range.first..=range.last {
                compiler.port((range.protocol, port), &said)?;
            }
        }
        Ok(compiler.done)
    }

    /// Whether nothing is said of any port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is said of a port.
    #[must_use]
    pub fn entry(&self, protocol: PortProtocol, port: u16) -> PortEntry {
        let entry = self.entries.get(index(protocol, port));
        entry.copied().unwrap_or_default()
    }

    /// What the ports of an element of the map lead to, its rules beginning at index `base`.
    #[must_use]
    pub fn block(&self, block: u32, base: u16) -> [PortEntry; PORTS_PER_BLOCK] {
        let first = block as usize * PORTS_PER_BLOCK;
        std::array::from_fn(|at| {
            let entry = self.entries.get(first + at).copied().unwrap_or_default();
            match entry.rule().and_then(|rule| u16::try_from(rule).ok()) {
                None => entry,
                Some(rule) => PortEntry::at(base + rule, entry.is_shared()),
            }
        })
    }

    /// The TCP ports that several servers share.
    pub fn shared(&self) -> impl Iterator<Item = u16> {
        let tcp = self.entries.iter().zip(0..=u16::MAX);
        tcp.filter(|(entry, _)| entry.is_shared())
            .map(|(_, port)| port)
    }

    /// Whether servers are bound to an IPv4 address, and to an IPv6 address, that they do not name.
    #[must_use]
    pub fn binds(&self) -> (bool, bool) {
        let has = |flag| self.rules.iter().any(|rule| rule.has(flag));
        let binds6 = |rule: &Rule| rule.has(Rule::BIND6) && !rule.has(Rule::BIND4);
        (has(Rule::BIND4), self.rules.iter().any(binds6))
    }

    /// The job names that are admitted to a port, as the profile writes them.
    #[must_use]
    pub fn admitted(config: &Config, protocol: PortProtocol, port: u16) -> Vec<String> {
        let ports = config.ports.iter();
        let ports = ports.filter(|entry| (entry.protocol, entry.port) == (protocol, port));
        let ranges = config.port_ranges.iter().filter(|range| {
            range.protocol == protocol && (range.first..=range.last).contains(&port)
        });
        ports
            .map(|entry| &entry.user)
            .chain(ranges.map(|range| &range.user))
            .map(|user| user.word().to_owned())
            .collect()
    }
}

/// The TCP ports whose servers share them by weight: those of `SHAREPORTWLM`.
#[must_use]
pub fn by_weight(config: &Config) -> Vec<RangeInclusive<u16>> {
    let is_weighted = |options: &PortOptions| options.share == PortShare::ShareportWlm;
    let ports = config.ports.iter();
    let ports =
        ports.filter(|entry| entry.protocol == PortProtocol::Tcp && is_weighted(&entry.options));
    let ranges = config.port_ranges.iter();
    let ranges =
        ranges.filter(|range| range.protocol == PortProtocol::Tcp && is_weighted(&range.options));
    let ports = ports.map(|entry| entry.port..=entry.port);
    ports
        .chain(ranges.map(|range| range.first..=range.last))
        .collect()
}

/// What one entry of the profile says.
#[derive(Clone, Copy)]
struct Said<'a> {
    user: &'a PortUser,
    bind: Option<IpAddr>,
    is_shared: bool,
}

impl<'a> Said<'a> {
    fn new(user: &'a PortUser, bind: Option<IpAddr>, options: &PortOptions) -> Self {
        let is_shared = options.share != PortShare::No;
        Self {
            user,
            bind,
            is_shared,
        }
    }

    /// Sorts the most particular job name first.
    fn rank(&self) -> (bool, Reverse<usize>) {
        match self.user {
            PortUser::Job(name) if !is_any(name) => {
                let beginning = name.strip_suffix('*');
                (
                    beginning.is_some(),
                    Reverse(beginning.unwrap_or(name).len()),
                )
            }
            PortUser::Job(_) | PortUser::Authorised | PortUser::Nobody => (true, Reverse(0)),
        }
    }

    fn rule(&self) -> Rule {
        let mut rule = Rule::default();
        match self.user {
            PortUser::Nobody => rule.flags |= Rule::NOBODY | Rule::ANYBODY,
            // Nothing on Linux is authorised in the sense of z/OS, and who may log in is the FTP
            // server's business.
            PortUser::Authorised => rule.flags |= Rule::ANYBODY,
            PortUser::Job(name) if is_any(name) => rule.flags |= Rule::ANYBODY,
            // The language has no longer names.
            PortUser::Job(name) => rule.job = Job::of(name).unwrap_or_default(),
        }
        match self.bind {
            None => {}
            Some(IpAddr::V4(address)) => {
                rule.flags |= Rule::BIND4 | Rule::BIND6;
                rule.bind4 = u32::from_ne_bytes(address.octets());
                rule.bind6 = [0, 0, MAPPED, rule.bind4];
            }
            Some(IpAddr::V6(address)) => {
                rule.flags |= Rule::BIND6;
                let octets = address.octets();
                let mut words = octets.chunks_exact(4);
                rule.bind6 = std::array::from_fn(|_| {
                    let word = words.next().and_then(|word| word.first_chunk().copied());
                    u32::from_ne_bytes(word.unwrap_or_default())
                });
            }
        }
        rule
    }
}

fn is_any(name: &str) -> bool {
    name == "*" || name == ANY_PROGRAM
}

/// The entries of PORT by port, in the order of the profile.
fn by_port(config: &Config) -> Vec<((PortProtocol, u16), Vec<Said<'_>>)> {
    let mut by_port: HashMap<_, Vec<Said<'_>>> = HashMap::new();
    for entry in &config.ports {
        let said = Said::new(&entry.user, entry.bind, &entry.options);
        let port = (entry.protocol, entry.port);
        by_port.entry(port).or_default().push(said);
    }
    let mut by_port: Vec<_> = by_port.into_iter().collect();
    by_port.sort_by_key(|(port, _)| *port);
    by_port
}

#[derive(Default)]
struct Compiler {
    done: PortRules,
    /// Where each sequence of rules begins: a range has the same for all of its ports.
    known: HashMap<Vec<Rule>, u16>,
}

impl Compiler {
    fn port(
        &mut self,
        (protocol, port): (PortProtocol, u16),
        said: &[Said<'_>],
    ) -> Result<(), PortRulesError> {
        if said.len() > MAX_RULES_OF_PORT as usize {
            return Err(PortRulesError::OfPort(port));
        }
        let mut said = said.to_vec();
        // Stable: of two that say the same the first holds.
        said.sort_by_key(Said::rank);
        // z/OS: the first listener's entry decides for all of its port.
        let is_shared = said.iter().any(|one| one.is_shared) && protocol == PortProtocol::Tcp;
        let mut rules: Vec<Rule> = said.iter().map(Said::rule).collect();
        let last = rules.len() - 1;
        for (at, rule) in rules.iter_mut().enumerate() {
            if is_shared {
                rule.flags |= Rule::SHARED;
            }
            if at < last {
                rule.flags |= Rule::HAS_NEXT;
            }
        }
        let rule = self.place(rules)?;
        if self.done.entries.is_empty() {
            let ports = PORT_BLOCKS as usize * PORTS_PER_BLOCK;
            self.done.entries = vec![PortEntry::default(); ports];
        }
        self.done.entries[index(protocol, port)] = PortEntry::at(rule, is_shared);
        Ok(())
    }

    fn place(&mut self, rules: Vec<Rule>) -> Result<u16, PortRulesError> {
        if let Some(known) = self.known.get(&rules) {
            return Ok(*known);
        }
        let first = self.done.rules.len();
        if first + rules.len() > MAX_RULES as usize {
            return Err(PortRulesError::Altogether);
        }
        let first = u16::try_from(first).map_err(|_too_large| PortRulesError::Altogether)?;
        self.done.rules.extend(&rules);
        self.known.insert(rules, first);
        Ok(first)
    }
}

fn index(protocol: PortProtocol, port: u16) -> usize {
    let (block, at) = place(protocol == PortProtocol::Udp, port);
    block as usize * PORTS_PER_BLOCK + at
}
