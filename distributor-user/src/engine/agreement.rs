//! Whether the configurations of several stacks agree: what none of them shows alone.
//!
//! Nothing here reads a file or asks a stack. The configurations come from
//! profiles, with the places of their statements, or from a running group,
//! without. Everything found is a warning: z/OS starts such stacks too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::config::{Config, DistMethod, Dvipa, DvipaRole, Service, Terms};
use super::profile::{Diagnostic, Places, START, Span, network};

#[cfg(test)]
mod tests;

/// One stack of those that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its profile says.
    pub config: &'a Config,
    /// Where; absent for a running stack.
    pub places: Option<&'a Places>,
}

/// Something that does not agree, at one of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Index of the member whose profile should be looked at.
    pub member: usize,
    /// What is wrong; without places it points at the beginning of the profile.
    pub diagnostic: Diagnostic,
}

/// Compares the configurations of `members` with one another.
#[must_use]
pub fn compare(members: &[Member<'_>]) -> Vec<Disagreement> {
    let mut comparison = Comparison {
        members,
        found: Vec::new(),
    };
    comparison.identities();
    comparison.networks();
    comparison.targets();
    comparison.routes();
    comparison.dvipas();
    comparison.found
}

struct Comparison<'a> {
    members: &'a [Member<'a>],
    found: Vec<Disagreement>,
}

/// What a member says about a DVIPA.
#[derive(Clone, Copy)]
struct Statement<'a> {
    member: usize,
    dvipa: &'a Dvipa,
}

impl<'a> Comparison<'a> {
    fn warn(&mut self, member: usize, span: Span, message: String, help: impl Into<String>) {
        let diagnostic = Diagnostic::warning(span, message).help(help);
        self.found.push(Disagreement { member, diagnostic });
    }

    /// Where `find` says that something stands in the profile of `member`.
    fn place(&self, member: usize, find: impl Fn(&Places) -> Option<Span>) -> Span {
        self.members[member].places.and_then(find).unwrap_or(START)
    }

    fn identity_place(&self, member: usize) -> Span {
        self.place(member, |places| places.dynamic_xcf)
    }

    /// The DYNAMICXCF addresses, of both families, with the first member that has each.
    fn identities_of(&self) -> HashMap<IpAddr, usize> {
        let mut known = HashMap::new();
        for (member, address) in self.all_identities() {
            known.entry(address).or_insert(member);
        }
        known
    }

    fn all_identities(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        let members = self.members.iter().enumerate();
        members.flat_map(|(member, stack)| {
            let ipv4 = stack.config.dynamic_xcf.map(|xcf| xcf.address);
            let ipv6 = stack
                .config
                .ip6
                .as_ref()
                .and_then(|ip| ip.ipv6_xcf.as_ref());
            let ipv6 = ipv6.map(super::config::Ipv6Xcf::identity);
            ipv4.into_iter()
                .chain(ipv6)
                .map(move |address| (member, address))
        })
    }

    /// Each stack has a DYNAMICXCF address of its own.
    fn identities(&mut self) {
        let mut first: HashMap<IpAddr, usize> = HashMap::new();
        let identities: Vec<(usize, IpAddr)> = self.all_identities().collect();
        for (member, address) in identities {
            let Some(other) = first.get(&address) else {
                first.insert(address, member);
                continue;
            };
            let message = format!(
                "expected a DYNAMICXCF address of its own, found `{address}`, which is that of \
                 `{}` too",
                self.members[*other].name
            );
            let span = self.identity_place(member);
            self.warn(member, span, message, "give each stack another address");
        }
    }

    /// The DYNAMICXCF addresses are in one network.
    fn networks(&mut self) {
        let networks: Vec<(usize, String)> = self
            .members
            .iter()
            .enumerate()
            .filter_map(|(member, stack)| {
                let xcf = stack.config.dynamic_xcf?;
                Some((member, network(xcf.address, xcf.prefix_len)))
            })
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, network) in &networks {
            *votes.entry(network).or_default() += 1;
        }
        // Of equally many the one that is named first: most likely the others were copied.
        let usual = networks
            .iter()
            .rev()
            .max_by_key(|(_, network)| votes[network.as_str()]);
        let Some((example, usual)) = usual.cloned() else {
            return;
        };
        for (member, network) in networks {
            if network != usual {
                let message = format!(
                    "expected the DYNAMICXCF network of `{}`, {usual}, found {network}",
                    self.members[example].name
                );
                let span = self.identity_place(member);
                let help = "all stacks of a group are in one network: correct address or mask";
                self.warn(member, span, message, help);
            }
        }
    }

    /// Every DESTIP names a stack.
    fn targets(&mut self) {
        let identities = self.identities_of();
        let dvipas: HashSet<IpAddr> = self
            .members
            .iter()
            .flat_map(|stack| dvipas(stack.config))
            .map(|dvipa| dvipa.address)
            .collect();
        for member in 0..self.members.len() {
            for address in targets(self.members[member].config) {
                if identities.contains_key(&address) {
                    continue;
                }
                let what = if dvipas.contains(&address) {
                    "a DVIPA"
                } else {
                    "which is that of none"
                };
                let message = format!(
                    "expected the DYNAMICXCF address of one of these stacks, found `{address}`, \
                     {what}"
                );
                let span = self.place(member, |places| places.destinations.get(&address).copied());
                let help = self.known_as();
                self.warn(member, span, message, help);
            }
        }
    }

    fn routes(&mut self) {
        let identities = self.identities_of();
        for (member, stack) in self.members.iter().enumerate() {
            for route in &stack.config.routes {
                let address = route.dynamic_xcf;
                if !identities.contains_key(&address) {
                    let message = format!(
                        "expected the DYNAMICXCF address of one of these stacks, found \
                         `{address}`, which is that of none"
                    );
                    let span = self.place(member, |places| places.routes.get(&address).copied());
                    let help = self.known_as();
                    self.warn(member, span, message, help);
                }
            }
        }
    }

    /// The stacks by their DYNAMICXCF addresses, as help.
    fn known_as(&self) -> String {
        const MOST: usize = 8;
        let mut stacks: Vec<String> = self
            .all_identities()
            .take(MOST)
            .map(|(member, address)| format!("`{address}` ({})", self.members[member].name))
            .collect();
        if self.all_identities().nth(MOST).is_some() {
            stacks.push("…".to_owned());
        }
        if stacks.is_empty() {
            return "none of the stacks has `IPCONFIG DYNAMICXCF`".to_owned();
        }
        format!("the stacks are {}", stacks.join(", "))
    }

    fn dvipas(&mut self) {
        let mut stated: BTreeMap<IpAddr, Vec<Statement<'a>>> = BTreeMap::new();
        let members = self.members;
        for (member, stack) in members.iter().enumerate() {
            for dvipa in dvipas(stack.config) {
                let statement = Statement { member, dvipa };
                stated.entry(dvipa.address).or_default().push(statement);
            }
        }
        let identities = self.identities_of();
        let distributed = self.distributed();
        for (address, statements) in &stated {
            if let Some(&owner) = identities.get(address) {
                self.taken_by_a_stack(statements, owner);
            }
            self.definers(statements);
            self.creation(statements);
            self.ranks(statements);
            self.scope(statements);
            if distributed.contains(address) {
                self.routing(statements);
            }
        }
        self.weights();
    }

    fn dvipa_place(&self, statement: Statement<'_>) -> Span {
        let address = statement.dvipa.address;
        self.place(statement.member, |places| {
            places.dvipas.get(&address).copied()
        })
    }

    fn taken_by_a_stack(&mut self, statements: &[Statement<'_>], owner: usize) {
        let name = self.members[owner].name;
        for &statement in statements
            .iter()
            .filter(|statement| statement.member != owner)
        {
            let message = format!(
                "expected an address of its own as DVIPA, found the DYNAMICXCF address `{}` of \
                 `{name}`",
                statement.dvipa.address
            );
            let span = self.dvipa_place(statement);
            let help = "a DVIPA moves, the DYNAMICXCF address stays: write two addresses";
            self.warn(statement.member, span, message, help);
        }
    }

    /// One stack defines a DVIPA, the others back it up.
    fn definers(&mut self, statements: &[Statement<'_>]) {
        let mut definers = statements
            .iter()
            .filter(|statement| is_definition(statement.dvipa));
        let Some(first) = definers.next() else {
            return;
        };
        let name = self.members[first.member].name;
        for &statement in definers {
            let address = statement.dvipa.address;
            let message =
                format!("expected one VIPADEFINE of `{address}`, found that of `{name}` too");
            let span = self.dvipa_place(statement);
            let help = format!(
                "the stack that starts last takes the address: write `VIPABACKUP MOVEABLE \
                 IMMEDIATE 255.255.255.0 {address}` on one of them"
            );
            self.warn(statement.member, span, message, help);
        }
    }

    /// Somebody can create a DVIPA.
    fn creation(&mut self, statements: &[Statement<'_>]) {
        let creates = |statement: &Statement<'_>| match statement.dvipa.role {
            DvipaRole::Define { .. } => true,
            DvipaRole::Backup { moveable, .. } => moveable.is_some(),
        };
        if statements.iter().any(creates) {
            return;
        }
        for &statement in statements {
            let address = statement.dvipa.address;
            let message =
                format!("expected a stack that can create `{address}`, found only passive backups");
            let span = self.dvipa_place(statement);
            let help = format!(
                "write `VIPADEFINE 255.255.255.0 {address}` on one stack, or `VIPABACKUP MOVEABLE \
                 IMMEDIATE 255.255.255.0 {address}` here"
            );
            self.warn(statement.member, span, message, help);
        }
    }

    /// Backups have different ranks.
    fn ranks(&mut self, statements: &[Statement<'_>]) {
        let mut first: HashMap<u8, usize> = HashMap::new();
        for &statement in statements {
            let DvipaRole::Backup { rank, .. } = statement.dvipa.role else {
                continue;
            };
            let Some(&other) = first.get(&rank) else {
                first.insert(rank, statement.member);
                continue;
            };
            let message = format!(
                "expected a rank of its own for `{}`, found {rank}, which `{}` has too",
                statement.dvipa.address, self.members[other].name
            );
            let span = self.dvipa_place(statement);
            let help = "give each backup another rank: the highest takes over first, and of equal \
                        ones it is not said which";
            self.warn(statement.member, span, message, help);
        }
    }

    /// Tier and scope of a DVIPA are the same everywhere.
    fn scope(&mut self, statements: &[Statement<'_>]) {
        let scope = |statement: &Statement<'_>| {
            let options = statement.dvipa.options;
            (options.tier, options.is_cpc_scope)
        };
        let Some((first, others)) = statements.split_first() else {
            return;
        };
        let name = self.members[first.member].name;
        for &statement in others.iter().filter(|other| scope(other) != scope(first)) {
            let message = format!(
                "expected the tier and scope that `{}` has at `{name}`, found others",
                statement.dvipa.address
            );
            let span = self.dvipa_place(statement);
            let help = "write the same `TIER1`, `TIER2` and `CPCSCOPE` on every stack: z/OS drops \
                        the definitions of the one that starts later";
            self.warn(statement.member, span, message, help);
        }
    }

    /// Addresses that somebody distributes.
    fn distributed(&self) -> BTreeSet<IpAddr> {
        let configs = self.members.iter().map(|stack| stack.config);
        configs
            .flat_map(|config| {
                let services = services(config).map(|service| service.dvipa);
                services.chain(dynamic(config).map(|(dvipa, _)| dvipa))
            })
            .collect()
    }

    /// The definer of a distributed DVIPA has SYSPLEXROUTING. Its own VIPADISTRIBUTE without it
    /// shows in its own profile.
    fn routing(&mut self, statements: &[Statement<'_>]) {
        let definers = statements
            .iter()
            .filter(|statement| is_definition(statement.dvipa));
        for &statement in definers {
            let config = self.members[statement.member].config;
            let address = statement.dvipa.address;
            let distributes = services(config).any(|service| service.dvipa == address)
                || dynamic(config).any(|(dvipa, _)| dvipa == address);
            if config.sysplex_routing || distributes {
                continue;
            }
            let message = format!(
                "expected `IPCONFIG SYSPLEXROUTING` at the definer of `{address}`, which is \
                 distributed, found none"
            );
            let span = self.dvipa_place(statement);
            let help = "write `IPCONFIG SYSPLEXROUTING` in this profile";
            self.warn(statement.member, span, message, help);
        }
    }

    /// Targets of methods with weights of z/OS have SYSPLEXROUTING.
    fn weights(&mut self) {
        let identities = self.identities_of();
        let mut silent: BTreeMap<usize, IpAddr> = BTreeMap::new();
        for stack in self.members {
            for (dvipa, terms) in terms(stack.config) {
                let is_weighted = matches!(
                    terms.method,
                    DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. }
                );
                if !is_weighted {
                    continue;
                }
                for (address, member) in &identities {
                    let is_silent = !self.members[*member].config.sysplex_routing;
                    if is_silent && terms.destinations.include(*address) {
                        silent.entry(*member).or_insert(dvipa);
                    }
                }
            }
        }
        for (member, dvipa) in silent {
            let message = format!(
                "expected `IPCONFIG SYSPLEXROUTING` at a target of `{dvipa}`, whose method has \
                 weights, found none"
            );
            let span = self.identity_place(member);
            let help = "write `IPCONFIG SYSPLEXROUTING` in this profile, or distribute by \
                        `ROUNDROBIN`";
            self.warn(member, span, message, help);
        }
    }
}

fn is_definition(dvipa: &Dvipa) -> bool {
    matches!(dvipa.role, DvipaRole::Define { .. })
}

fn dvipas(config: &Config) -> impl Iterator<Item = &Dvipa> {
    let named = config.ipv6_dvipas.iter().map(|named| &named.dvipa);
    config.dvipas.iter().chain(named)
}

fn services(config: &Config) -> impl Iterator<Item = &Service> {
    config.services.iter().chain(&config.ipv6_services)
}

fn dynamic(config: &Config) -> impl Iterator<Item = (IpAddr, &Arc<Terms>)> {
    let dynamic = config.dynamic_services.iter();
    dynamic
        .chain(&config.ipv6_dynamic_services)
        .map(|service| (service.dvipa, &service.terms))
}

/// The terms of all services, those that follow one another and share them once.
fn terms(config: &Config) -> impl Iterator<Item = (IpAddr, &Arc<Terms>)> {
    let with_port = services(config).map(|service| (service.dvipa, &service.terms));
    let mut last: Option<&Arc<Terms>> = None;
    with_port.chain(dynamic(config)).filter(move |(_, terms)| {
        let is_new = last.is_none_or(|last| !Arc::ptr_eq(last, terms));
        last = Some(terms);
        is_new
    })
}

/// The listed targets that are stacks of the group, in the order of their addresses.
fn targets(config: &Config) -> BTreeSet<IpAddr> {
    let is_inside = |terms: &Terms| {
        let tier = terms.options.tier.as_ref();
        tier.is_none_or(|tier| tier.encapsulation.is_none())
    };
    terms(config)
        .filter(|(_, terms)| is_inside(terms))
        .flat_map(|(_, terms)| terms.destinations.addresses())
        .collect()
}
