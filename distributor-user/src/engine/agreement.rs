//! Whether the configurations of several stacks agree: what none of them shows alone.
//!
//! Nothing here reads a file or asks a stack. What is compared is what a stack
//! publishes: made from its profile, with the places of its statements, or told by
//! a running group, without. Nothing found refuses a profile: z/OS starts such
//! stacks too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::config::{Dvipa, Service, Terms, XcfNetwork};
use super::definitions::{Definitions, Identity};
use super::profile::own::{NO_STACK, OTHER_NETWORK, SAME_IDENTITY};
use super::profile::{Diagnostic, Places, START, Span, network};

mod dvipas;
mod running;
#[cfg(test)]
mod tests;

pub use running::{IdentityChanged, Knowledge, Running, keeps_identity};

/// One stack of those that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it publishes of its profile; absent where nobody knows.
    pub definitions: Option<&'a Definitions>,
    /// How much is known of it.
    pub knowledge: Knowledge,
    /// The DYNAMICXCF address by which the group knows it; absent for a profile.
    pub dynamic_xcf: Option<IpAddr>,
    /// Where it is said; absent for a running stack.
    pub places: Option<&'a Places>,
}

impl<'a> Member<'a> {
    /// A stack as its profile says.
    #[must_use]
    pub fn of_profile(name: &'a str, definitions: &'a Definitions, places: &'a Places) -> Self {
        Self {
            name,
            definitions: Some(definitions),
            knowledge: Knowledge::Whole,
            dynamic_xcf: None,
            places: Some(places),
        }
    }

    fn identity(&self) -> Option<&'a Identity> {
        self.definitions?.identity.as_ref()
    }

    /// Whether everything is known that the rules ask for.
    fn is_whole(&self) -> bool {
        self.knowledge == Knowledge::Whole && self.identity().is_some()
    }
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
///
/// Of a member of which not everything is known that is said, and nothing is concluded from what it
/// may yet say.
#[must_use]
pub fn compare(members: &[Member<'_>]) -> Vec<Disagreement> {
    let mut comparison = Comparison {
        members,
        found: Vec::new(),
    };
    comparison.knowledge();
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

impl<'a> Comparison<'a> {
    fn warn(&mut self, member: usize, diagnostic: Diagnostic) {
        self.found.push(Disagreement { member, diagnostic });
    }

    /// Where `find` says that something stands in the profile of `member`.
    fn place(&self, member: usize, find: impl Fn(&Places) -> Option<Span>) -> Span {
        self.members[member].places.and_then(find).unwrap_or(START)
    }

    fn identity_place(&self, member: usize) -> Span {
        self.place(member, Places::identity)
    }

    /// Whether everything is known of every member.
    fn is_whole(&self) -> bool {
        self.members.iter().all(Member::is_whole)
    }

    /// What is known of the members' definitions, by the members' indexes.
    fn definitions(&self) -> impl Iterator<Item = (usize, &'a Definitions)> + use<'a> {
        let members = self.members.iter().enumerate();
        members.filter_map(|(member, stack)| Some((member, stack.definitions?)))
    }

    /// The DYNAMICXCF addresses, of both families, with the first member that has each; one that is
    /// present goes before one that has left.
    fn identities_of(&self) -> HashMap<IpAddr, usize> {
        let has_left = |member: usize| self.members[member].knowledge == Knowledge::Departed;
        let mut known: HashMap<IpAddr, usize> = HashMap::new();
        for (member, address) in self.all_identities() {
            let first = known.entry(address).or_insert(member);
            if has_left(*first) && !has_left(member) {
                *first = member;
            }
        }
        known
    }

    fn all_identities(&self) -> impl Iterator<Item = (usize, IpAddr)> + use<'a> {
        let members = self.members.iter().enumerate();
        members.flat_map(|(member, stack)| {
            let identity = stack.identity();
            let told = stack.dynamic_xcf.filter(|_| identity.is_none());
            let published = identity.into_iter().flat_map(Identity::xcf_networks);
            let addresses = told.into_iter().chain(published.map(|xcf| xcf.address));
            addresses.map(move |address| (member, address))
        })
    }

    /// Says whose address it is, unless some stack of which not everything is known may have it.
    fn is_unknown(&self, identities: &HashMap<IpAddr, usize>, address: IpAddr) -> bool {
        !identities.contains_key(&address) && (address.is_ipv4() || self.is_whole())
    }

    /// Each stack has a DYNAMICXCF address of its own.
    fn identities(&mut self) {
        let mut first: HashMap<IpAddr, usize> = HashMap::new();
        let members = self.members;
        let is_present =
            |(member, _): &(usize, IpAddr)| members[*member].knowledge != Knowledge::Departed;
        for (member, address) in self.all_identities().filter(is_present) {
            let Some(other) = first.get(&address) else {
                first.insert(address, member);
                continue;
            };
            let message = format!(
                "expected a DYNAMICXCF address of its own, found `{address}`, which is that of \
                 `{}` too",
                members[*other].name
            );
            let span = self.identity_place(member);
            let found = Diagnostic::warning(&SAME_IDENTITY, span, message)
                .help("give each stack another address");
            self.warn(member, found);
        }
    }

    /// The DYNAMICXCF addresses of a family are in one network.
    fn networks(&mut self) {
        let networks = self.definitions().flat_map(|(member, definitions)| {
            let identity = definitions.identity.iter();
            let networks = identity.flat_map(Identity::xcf_networks);
            networks.map(move |xcf| (member, xcf))
        });
        let (ipv4, ipv6) = networks.partition(|(_, xcf)| xcf.address.is_ipv4());
        self.one_network(ipv4);
        self.one_network(ipv6);
    }

    fn one_network(&mut self, networks: Vec<(usize, XcfNetwork)>) {
        let networks: Vec<(usize, String)> = networks
            .into_iter()
            .map(|(member, xcf)| (member, network(xcf.address, xcf.prefix_len)))
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
                let found = Diagnostic::warning(&OTHER_NETWORK, span, message).help(help);
                self.warn(member, found);
            }
        }
    }

    /// Every DESTIP names a stack.
    fn targets(&mut self) {
        let identities = self.identities_of();
        let dvipas: HashSet<IpAddr> = self
            .definitions()
            .flat_map(|(_, definitions)| dvipas(definitions))
            .map(|dvipa| dvipa.address)
            .collect();
        for (member, definitions) in self.definitions() {
            for address in targets(definitions) {
                if !self.is_unknown(&identities, address) {
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
                let found = Diagnostic::warning(&NO_STACK, span, message).help(help);
                self.warn(member, found);
            }
        }
    }

    fn routes(&mut self) {
        let identities = self.identities_of();
        for (member, definitions) in self.definitions() {
            for route in &definitions.routes {
                let address = route.dynamic_xcf;
                if self.is_unknown(&identities, address) {
                    let message = format!(
                        "expected the DYNAMICXCF address of one of these stacks, found \
                         `{address}`, which is that of none"
                    );
                    let span = self.place(member, |places| places.routes.get(&address).copied());
                    let help = self.known_as();
                    let found = Diagnostic::warning(&NO_STACK, span, message).help(help);
                    self.warn(member, found);
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

fn dvipas(definitions: &Definitions) -> impl Iterator<Item = &Dvipa> {
    definitions.dvipas.iter()
}

fn services(definitions: &Definitions) -> impl Iterator<Item = &Service> {
    definitions.services.iter()
}

fn dynamic(definitions: &Definitions) -> impl Iterator<Item = (IpAddr, &Arc<Terms>)> {
    let dynamic = definitions.dynamic_services.iter();
    dynamic.map(|service| (service.dvipa, &service.terms))
}

/// The terms of all services, those that follow one another and share them once.
fn terms(definitions: &Definitions) -> impl Iterator<Item = (IpAddr, &Arc<Terms>)> {
    let with_port = services(definitions).map(|service| (service.dvipa, &service.terms));
    let mut last: Option<&Arc<Terms>> = None;
    with_port
        .chain(dynamic(definitions))
        .filter(move |(_, terms)| {
            let is_new = last.is_none_or(|last| !Arc::ptr_eq(last, terms));
            last = Some(terms);
            is_new
        })
}

/// The listed targets that are stacks of the group, in the order of their addresses.
fn targets(definitions: &Definitions) -> BTreeSet<IpAddr> {
    let is_inside = |terms: &Terms| {
        let tier = terms.options.tier.as_ref();
        tier.is_none_or(|tier| tier.encapsulation.is_none())
    };
    terms(definitions)
        .filter(|(_, terms)| is_inside(terms))
        .flat_map(|(_, terms)| terms.destinations.addresses())
        .collect()
}
