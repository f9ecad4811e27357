//! Who owns which DVIPA, and which are distributed to this stack.
//!
//! Derived anew when a member comes, goes, or defines something else, and at no
//! other time: a stack may define a thousand addresses, and is asked for them at
//! every event.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ptr;

use super::Stack;
use crate::engine::definers::Definers;

/// What follows from the definitions of all present members.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) definers: Definers,
    /// DVIPAs that their owners distribute to this stack.
    targeted: BTreeSet<IpAddr>,
}

impl Stack {
    /// Derives everything from what the present members define, this stack included.
    pub(super) fn take_stock(&mut self) {
        let members = self.members.iter();
        let present = members
            .filter(|(_, member)| member.left_at.is_none())
            .map(|(name, member)| (name.as_str(), &member.definitions))
            .chain([(self.name.as_str(), &self.own)]);
        let definers = Definers::of(present.clone());
        let mut targeted = BTreeSet::new();
        for (name, definitions) in present {
            // The services of a statement share their terms.
            let mut last = None;
            for service in &definitions.services {
                let terms = ptr::from_ref(&*service.terms);
                if last == Some((service.dvipa, terms)) {
                    continue;
                }
                last = Some((service.dvipa, terms));
                let is_target = |own| service.terms.destinations.include(own);
                if definers.owner(service.dvipa) == Some(name)
                    && self.dynamic_xcf().is_some_and(is_target)
                {
                    targeted.insert(service.dvipa);
                }
            }
        }
        self.standing = Standing { definers, targeted };
    }

    /// Returns the name of the stack that owns `dvipa`.
    #[must_use]
    pub fn owner(&self, dvipa: IpAddr) -> Option<&str> {
        self.standing.definers.owner(dvipa)
    }

    /// Says whether the owner of `dvipa` distributes to this stack.
    #[must_use]
    pub fn is_target(&self, dvipa: IpAddr) -> bool {
        self.standing.targeted.contains(&dvipa)
    }
}
