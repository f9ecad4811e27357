//! The stacks of a running group, as one of them knows them.
//!
//! Nothing here is asked again: a stack says what the others have published, and
//! what of that has not arrived.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Comparison, Disagreement, Member};
use crate::engine::config::XcfNetwork;
use crate::engine::definitions::Definitions;
use crate::engine::profile::own::{HAS_LEFT, NOT_ARRIVED};
use crate::engine::profile::{Diagnostic, START};
use crate::engine::stack::Stack;
use crate::engine::xcf::XcfAddresses;

/// How much is known of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// Everything that it publishes.
    Whole,
    /// Its newest definitions are not here, or not all of them; there may be older ones.
    Arriving,
    /// It has left the group.
    Departed,
}

/// A stack of a running group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its DYNAMICXCF address; of two, the IPv4 one.
    pub dynamic_xcf: Option<IpAddr>,
    /// How much is known of it.
    pub knowledge: Knowledge,
    /// What it publishes; absent where nothing has arrived, and of a stack that has left.
    pub definitions: Option<Definitions>,
}

impl Running {
    /// Lists the stacks of the group that `stack` is in, itself first.
    #[must_use]
    pub fn of(stack: &Stack) -> Vec<Self> {
        let own = Self {
            name: stack.name().to_owned(),
            dynamic_xcf: stack.xcf().map(XcfAddresses::first),
            knowledge: Knowledge::Whole,
            definitions: Some(Definitions::of(stack.config())),
        };
        let others = stack.members().iter().map(|(name, member)| {
            let knowledge = match (member.left_at, member.edition) {
                (Some(_), _) => Knowledge::Departed,
                (None, Some(_)) if !member.is_arriving => Knowledge::Whole,
                (None, _) => Knowledge::Arriving,
            };
            let is_known = knowledge != Knowledge::Departed && member.edition.is_some();
            Self {
                name: name.clone(),
                dynamic_xcf: Some(member.xcf.first()),
                knowledge,
                definitions: is_known.then(|| member.definitions.clone()),
            }
        });
        [own].into_iter().chain(others).collect()
    }

    /// The stack as it is compared with others.
    #[must_use]
    pub fn member(&self) -> Member<'_> {
        Member {
            name: &self.name,
            definitions: self.definitions.as_ref(),
            knowledge: self.knowledge,
            dynamic_xcf: self.dynamic_xcf,
            places: None,
        }
    }
}

impl Comparison<'_> {
    /// Nothing is left out without a word.
    pub(super) fn knowledge(&mut self) {
        for (member, stack) in self.members.iter().enumerate() {
            let diagnostic = match (stack.knowledge, stack.definitions) {
                (
                    Knowledge::Whole,
                    Some(Definitions {
                        identity: Some(_), ..
                    }),
                ) => continue,
                (Knowledge::Whole, Some(_)) => Diagnostic::warning(
                    &NOT_ARRIVED,
                    START,
                    "expected all that profiles are compared by, found a stack whose release does \
                     not publish it",
                )
                .help(
                    "its SYSPLEXROUTING, its VIPAROUTE and its IPv6 are not compared: upgrade it, \
                     or check the profiles themselves",
                ),
                (Knowledge::Whole | Knowledge::Arriving, None) => Diagnostic::warning(
                    &NOT_ARRIVED,
                    START,
                    "expected the definitions of every stack, found that those of this one have \
                     not arrived",
                )
                .help("nothing is concluded from what it may define: check again in a moment"),
                (Knowledge::Arriving, Some(_)) => Diagnostic::warning(
                    &NOT_ARRIVED,
                    START,
                    "expected the newest definitions of every stack, found that those of this one \
                     have not arrived completely",
                )
                .help("those before are compared: check again in a moment"),
                (Knowledge::Departed, _) => Diagnostic::note(
                    &HAS_LEFT,
                    START,
                    "the stack has left the group, and is not compared",
                )
                .help("check its profile with those of the others"),
            };
            self.found.push(Disagreement { member, diagnostic });
        }
    }
}

/// Why a running stack cannot take a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected DYNAMICXCF {before} as before, found {after}: it is this stack's identity, by which its \
     connections are known"
)]
pub struct IdentityChanged {
    before: String,
    after: String,
}

impl IdentityChanged {
    /// What would be right.
    pub const REMEDY: &str = "stop the stack and start it again to change it";
}

/// Checks that a running stack keeps the addresses by which its connections are known.
///
/// # Errors
///
/// An address or its network is another one.
pub fn keeps_identity(
    before: impl Iterator<Item = XcfNetwork>,
    after: impl Iterator<Item = XcfNetwork>,
) -> Result<(), IdentityChanged> {
    let (before, after) = (spell(before), spell(after));
    if before == after {
        return Ok(());
    }
    let or = |spelt: String, nothing: &str| {
        if spelt.is_empty() {
            nothing.to_owned()
        } else {
            spelt
        }
    };
    Err(IdentityChanged {
        before: or(before, "nothing"),
        after: or(after, "none"),
    })
}

fn spell(networks: impl Iterator<Item = XcfNetwork>) -> String {
    let spelt = networks.map(|xcf| format!("`{}/{}`", xcf.address, xcf.prefix_len));
    spelt.collect::<Vec<_>>().join(" and ")
}
