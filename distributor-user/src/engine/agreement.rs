//! Whether the configurations of several stacks agree: what none of them shows alone.
//!
//! Nothing here reads a file or asks a stack. The configurations come from
//! profiles, with the places of their statements, or from a running group,
//! without. Everything found is a warning: z/OS starts such stacks too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::config::{Config, Dvipa, Service, Terms};
use super::profile::{Diagnostic, Places, START, Span, network};

mod dvipas;
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

impl Comparison<'_> {
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
