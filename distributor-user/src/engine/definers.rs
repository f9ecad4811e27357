//! Ownership: which stack of the group has a DVIPA.
//!
//! The same pure function on every member, over what every member published.
//! Nothing in here looks at a clock or at who asks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::DvipaRole;
use super::definitions::Definitions;

/// Who defines which DVIPA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definers(BTreeMap<IpAddr, Vec<String>>);

impl Definers {
    /// Takes what each living member published, by stack name.
    pub fn of<'a>(members: impl IntoIterator<Item = (&'a str, &'a Definitions)>) -> Self {
        let mut definers: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
        for (name, definitions) in members {
            for dvipa in &definitions.dvipas {
                if matches!(dvipa.role, DvipaRole::Define { .. }) {
                    definers
                        .entry(dvipa.address)
                        .or_default()
                        .push(name.to_owned());
                }
            }
        }
        for names in definers.values_mut() {
            names.sort_unstable();
        }
        Self(definers)
    }

    /// Says which stack owns `dvipa`: its definer.
    ///
    /// When several stacks define the same address, the first by name owns it and the others are
    /// its [rivals](Self::rivals). A backup does not own: takeover is not decided here yet.
    #[must_use]
    pub fn owner(&self, dvipa: IpAddr) -> Option<&str> {
        self.names(dvipa).next()
    }

    /// Lists the definers of `dvipa` that do not own it, because another one does.
    pub fn rivals(&self, dvipa: IpAddr) -> impl Iterator<Item = &str> {
        self.names(dvipa).skip(1)
    }

    /// Lists every DVIPA that somebody defines.
    pub fn dvipas(&self) -> impl Iterator<Item = IpAddr> {
        self.0.keys().copied()
    }

    fn names(&self, dvipa: IpAddr) -> impl Iterator<Item = &str> {
        self.0.get(&dvipa).into_iter().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Dvipa, Moveable};

    fn with(role: DvipaRole) -> Definitions {
        let dvipa = Dvipa::new("10.1.3.10".parse().expect("address"), Some(24), role);
        Definitions {
            dvipas: vec![dvipa],
            ..Definitions::default()
        }
    }

    #[test]
    fn the_definer_owns_and_a_backup_does_not() {
        let define = with(DvipaRole::Define {
            moveable: Moveable::Immediate,
        });
        let backup = with(DvipaRole::Backup {
            rank: 254,
            moveable: Some(Moveable::Immediate),
        });
        let dvipa = "10.1.3.10".parse().expect("address");
        for (members, expected) in [
            (vec![("A", &backup), ("B", &define)], Some("B")),
            (vec![("A", &backup)], None),
            (vec![("A", &define), ("B", &define)], Some("A")),
        ] {
            assert_eq!(Definers::of(members).owner(dvipa), expected);
        }
        let both = Definers::of([("B", &define), ("A", &define)]);
        assert_eq!(both.owner(dvipa), Some("A"));
        assert_eq!(both.rivals(dvipa).collect::<Vec<_>>(), ["B"]);
    }
}
