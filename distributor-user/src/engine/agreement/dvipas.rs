//! DVIPAs that several stacks say something about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::super::config::{DistMethod, Dvipa, DvipaRole};
use super::super::profile::own::{
    NO_ROUTING, NOBODY_CREATES, NOT_ITS_OWN, OTHER_SCOPE, TIED_RANKS, TWO_DEFINERS,
};
use super::super::profile::{Diagnostic, Span};
use super::{Comparison, Member, dvipas, dynamic, services, terms};

/// What a member says about a DVIPA.
#[derive(Clone, Copy)]
struct Statement<'a> {
    member: usize,
    dvipa: &'a Dvipa,
}

impl<'a> Comparison<'a> {
    pub(super) fn dvipas(&mut self) {
        let mut stated: BTreeMap<IpAddr, Vec<Statement<'a>>> = BTreeMap::new();
        for (member, definitions) in self.definitions() {
            for dvipa in dvipas(definitions) {
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
            let found = Diagnostic::warning(&NOT_ITS_OWN, span, message).help(help);
            self.warn(statement.member, found);
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
                 IMMEDIATE {} {address}` on one of them",
                before(address)
            );
            let found = Diagnostic::warning(&TWO_DEFINERS, span, message).help(help);
            self.warn(statement.member, found);
        }
    }

    /// Somebody can create a DVIPA.
    fn creation(&mut self, statements: &[Statement<'_>]) {
        let creates = |statement: &Statement<'_>| match statement.dvipa.role {
            DvipaRole::Define { .. } => true,
            DvipaRole::Backup { moveable, .. } => moveable.is_some(),
        };
        if statements.iter().any(creates) || !self.is_whole() {
            return;
        }
        for &statement in statements {
            let address = statement.dvipa.address;
            let message =
                format!("expected a stack that can create `{address}`, found only passive backups");
            let span = self.dvipa_place(statement);
            let mask = before(address);
            let help = format!(
                "write `VIPADEFINE {mask} {address}` on one stack, or `VIPABACKUP MOVEABLE \
                 IMMEDIATE {mask} {address}` here"
            );
            let found = Diagnostic::warning(&NOBODY_CREATES, span, message).help(help);
            self.warn(statement.member, found);
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
            let found = Diagnostic::warning(&TIED_RANKS, span, message).help(help);
            self.warn(statement.member, found);
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
            let found = Diagnostic::warning(&OTHER_SCOPE, span, message).help(help);
            self.warn(statement.member, found);
        }
    }

    /// Addresses that somebody distributes.
    fn distributed(&self) -> BTreeSet<IpAddr> {
        self.definitions()
            .flat_map(|(_, definitions)| {
                let services = services(definitions).map(|service| service.dvipa);
                services.chain(dynamic(definitions).map(|(dvipa, _)| dvipa))
            })
            .collect()
    }

    /// The definer of a distributed DVIPA has SYSPLEXROUTING. Its own VIPADISTRIBUTE without it
    /// shows in its own profile, where that is here.
    fn routing(&mut self, statements: &[Statement<'_>]) {
        let definers = statements
            .iter()
            .filter(|statement| is_definition(statement.dvipa));
        for &statement in definers {
            let stack = self.members[statement.member];
            let address = statement.dvipa.address;
            let distributes = |definitions| {
                services(definitions).any(|service| service.dvipa == address)
                    || dynamic(definitions).any(|(dvipa, _)| dvipa == address)
            };
            let shows_itself = stack.places.is_some() && stack.definitions.is_some_and(distributes);
            if !is_silent(&stack) || shows_itself {
                continue;
            }
            let message = format!(
                "expected `IPCONFIG SYSPLEXROUTING` at the definer of `{address}`, which is \
                 distributed, found none"
            );
            let span = self.dvipa_place(statement);
            let help = "write `IPCONFIG SYSPLEXROUTING` in this profile";
            let found = Diagnostic::warning(&NO_ROUTING, span, message).help(help);
            self.warn(statement.member, found);
        }
    }

    /// Targets of methods with weights of z/OS have SYSPLEXROUTING.
    fn weights(&mut self) {
        let identities = self.identities_of();
        let mut silent: BTreeMap<usize, IpAddr> = BTreeMap::new();
        for (_, definitions) in self.definitions() {
            for (dvipa, terms) in terms(definitions) {
                let is_weighted = matches!(
                    terms.method,
                    DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. }
                );
                if !is_weighted {
                    continue;
                }
                for (address, member) in &identities {
                    if is_silent(&self.members[*member]) && terms.destinations.include(*address) {
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
            let found = Diagnostic::warning(&NO_ROUTING, span, message).help(help);
            self.warn(member, found);
        }
    }
}

/// What stands before an address in an example: a mask, or for IPv6 the name of an interface.
fn before(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "255.255.255.0",
        IpAddr::V6(_) => "DVIPA1",
    }
}

fn is_definition(dvipa: &Dvipa) -> bool {
    matches!(dvipa.role, DvipaRole::Define { .. })
}

/// Whether a stack is known to lack SYSPLEXROUTING.
fn is_silent(stack: &Member<'_>) -> bool {
    stack
        .identity()
        .is_some_and(|identity| !identity.sysplex_routing)
}
