//! Ownership: which stack of the group has a DVIPA.
//!
//! The same pure function on every member, over what every member published.
//! Nothing in here looks at a clock or at who asks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::DvipaRole;
use super::definitions::Definitions;

/// Says which stack owns `dvipa`: its definer.
///
/// `members` holds what each living member published, by stack name. When several stacks define
/// the same address, the first by name owns it and the others are reported by [`rivals`]. A backup
/// does not own: takeover is not decided here yet.
#[must_use]
pub fn owner<'a>(dvipa: IpAddr, members: &BTreeMap<&'a str, &Definitions>) -> Option<&'a str> {
    definers(dvipa, members).next()
}

/// Lists the definers of `dvipa` that do not own it, because another one does.
pub fn rivals<'a>(
    dvipa: IpAddr,
    members: &BTreeMap<&'a str, &Definitions>,
) -> impl Iterator<Item = &'a str> {
    definers(dvipa, members).skip(1)
}

fn definers<'a>(
    dvipa: IpAddr,
    members: &BTreeMap<&'a str, &Definitions>,
) -> impl Iterator<Item = &'a str> {
    members
        .iter()
        .filter(move |(_, definitions)| {
            definitions.dvipas.iter().any(|candidate| {
                candidate.address == dvipa && matches!(candidate.role, DvipaRole::Define { .. })
            })
        })
        .map(|(name, _)| *name)
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
            let members: BTreeMap<_, _> = members.into_iter().collect();
            assert_eq!(owner(dvipa, &members), expected);
        }
        let both = BTreeMap::from([("A", &define), ("B", &define)]);
        assert_eq!(rivals(dvipa, &both).collect::<Vec<_>>(), ["B"]);
    }
}
