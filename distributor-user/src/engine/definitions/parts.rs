//! Definitions in parts, because gossip carries no value of any length.
//!
//! All parts of an edition have its revision and say how many they are. A reader
//! takes an edition when all of it is there, and never a mixture of two.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Definitions, Identity};
use crate::engine::config::{Distribution, Dvipa, DynamicService, VipaRoute};

/// Key of the first part in the group's slow state; the others have a number behind it.
pub const DEFINITIONS_KEY: &str = "definitions";

/// About how long the JSON of a part may be: half of what one message of gossip carries.
const PART_MAX: usize = 30_000;

/// One part of an edition.
///
/// Fields are only ever added, and what a release does not know is ignored: the release before stays
/// in the group during an upgrade.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    revision: u64,
    parts: usize,
    dvipas: Vec<Dvipa>,
    distributions: Vec<Distribution>,
    /// Apart from the others: a release that knows only those cannot act on these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ipv6_dvipas: Vec<Dvipa>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ipv6_distributions: Vec<Distribution>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deactivated: Vec<Dvipa>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dynamic: Vec<DynamicService>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    routes: Vec<VipaRoute>,
    /// In the first part only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
}

/// A part's head, where the rest is of no interest.
#[derive(Debug, Deserialize)]
struct Head {
    revision: u64,
    parts: usize,
}

fn key(part: usize) -> String {
    if part == 0 {
        DEFINITIONS_KEY.to_owned()
    } else {
        format!("{DEFINITIONS_KEY}/{part}")
    }
}

impl Definitions {
    /// Writes them as key-values of the group's slow state. `revision` differs from that of every
    /// edition before.
    #[must_use]
    pub fn to_parts(&self, revision: u64) -> Vec<(String, String)> {
        let mut parts = Parts::new(self.identity.clone());
        for dvipa in &self.dvipas {
            let part = parts.room_for(dvipa);
            match dvipa.address {
                IpAddr::V4(_) => part.dvipas.push(*dvipa),
                IpAddr::V6(_) => part.ipv6_dvipas.push(*dvipa),
            }
        }
        for dvipa in &self.deactivated {
            parts.room_for(dvipa).deactivated.push(*dvipa);
        }
        for distribution in Distribution::group(&self.services) {
            let part = parts.room_for(&distribution);
            match distribution.dvipa {
                IpAddr::V4(_) => part.distributions.push(distribution),
                IpAddr::V6(_) => part.ipv6_distributions.push(distribution),
            }
        }
        for service in &self.dynamic_services {
            parts.room_for(service).dynamic.push(service.clone());
        }
        for route in &self.routes {
            parts.room_for(route).routes.push(*route);
        }
        let count = parts.parts.len();
        let parts = parts.parts.into_iter().enumerate().map(|(number, part)| {
            let part = Part {
                revision,
                parts: count,
                ..part
            };
            (key(number), json(&part))
        });
        parts.collect()
    }

    /// Reads the edition in `values`, unless it is the one called `known` or not all there.
    ///
    /// # Errors
    ///
    /// A part is not what a member of this version writes.
    pub fn from_parts(
        values: &BTreeMap<String, String>,
        known: Option<u64>,
    ) -> Result<Option<(u64, Self)>, serde_json::Error> {
        let Some(first) = values.get(DEFINITIONS_KEY) else {
            return Ok(None);
        };
        let Head { revision, parts } = serde_json::from_str(first)?;
        if known == Some(revision) {
            return Ok(None);
        }
        let mut definitions = Self::default();
        for number in 0..parts {
            let Some(text) = values.get(&key(number)) else {
                return Ok(None);
            };
            let part: Part = serde_json::from_str(text)?;
            if part.revision != revision {
                return Ok(None);
            }
            let dvipas = part.dvipas.into_iter().chain(part.ipv6_dvipas);
            definitions.dvipas.extend(dvipas);
            definitions.deactivated.extend(part.deactivated);
            let of_ipv6 = Distribution::services(part.ipv6_distributions);
            let of_both = Distribution::services(part.distributions).chain(of_ipv6);
            definitions.services.extend(of_both);
            definitions.dynamic_services.extend(part.dynamic);
            definitions.routes.extend(part.routes);
            definitions.identity = definitions.identity.or(part.identity);
        }
        Ok(Some((revision, definitions)))
    }

    /// Says whether `values` announce another edition than the one called `known`: one that is not
    /// all there yet, or cannot be read.
    #[must_use]
    pub fn are_arriving(values: &BTreeMap<String, String>, known: Option<u64>) -> bool {
        let Some(first) = values.get(DEFINITIONS_KEY) else {
            return false;
        };
        serde_json::from_str::<Head>(first).map_or(true, |head| Some(head.revision) != known)
    }
}

/// The form in which a daemon tells its command line.
impl From<Definitions> for BTreeMap<String, String> {
    fn from(definitions: Definitions) -> Self {
        definitions.to_parts(0).into_iter().collect()
    }
}

impl TryFrom<BTreeMap<String, String>> for Definitions {
    type Error = PartsError;

    fn try_from(values: BTreeMap<String, String>) -> Result<Self, PartsError> {
        let read = Self::from_parts(&values, None)?;
        read.map_or(Err(PartsError::Incomplete), |(_, definitions)| {
            Ok(definitions)
        })
    }
}

/// Why parts are not an edition.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// One is not what a member of this version writes.
    #[error("expected the parts of definitions")]
    Unreadable(#[from] serde_json::Error),
    /// One is missing.
    #[error("expected all parts of an edition, found some")]
    Incomplete,
}

/// Parts while they are filled.
struct Parts {
    parts: Vec<Part>,
    /// Length of the last.
    length: usize,
}

impl Parts {
    fn new(identity: Option<Identity>) -> Self {
        let first = Part {
            identity,
            ..Part::default()
        };
        Self {
            parts: vec![first],
            length: 0,
        }
    }

    /// Returns the part that has room for `item`: the last, or a new one.
    fn room_for(&mut self, item: &impl Serialize) -> &mut Part {
        let more = json(item).len();
        if self.length > 0 && self.length + more > PART_MAX {
            self.parts.push(Part::default());
            self.length = 0;
        }
        self.length += more;
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always has a JSON form")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::config::{
        Destinations, DistMethod, DvipaRole, DynamicXcf, Moveable, RouteEncapsulation, Service,
    };

    fn many(dvipas: u8) -> Definitions {
        let dynamic_xcf = DynamicXcf {
            address: IpAddr::from([10, 1, 3, 1]),
            prefix_len: 24,
            cost_metric: 1,
        };
        let mut definitions = Definitions {
            identity: Some(Identity {
                dynamic_xcf: Some(dynamic_xcf),
                ipv6_xcf: None,
                sysplex_routing: true,
            }),
            ..Definitions::default()
        };
        let ipv4 = (0..dvipas).map(|host| IpAddr::from([10, 1, 3, host]));
        let ipv6 = (0..dvipas).map(|host| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host.into()]));
        for address in ipv4.chain(ipv6) {
            let role = DvipaRole::Define {
                moveable: Moveable::Immediate,
            };
            let dvipa = Dvipa::new(address, Some(24), role);
            definitions.dvipas.push(dvipa);
            definitions.deactivated.push(dvipa);
            let targets = Destinations::list((1..=32).map(|host| IpAddr::from([172, 1, 1, host])));
            let first = Service::new(address, 8000, DistMethod::RoundRobin, targets);
            definitions.services.extend((0..64).map(|port| Service {
                port: 8000 + port,
                ..first.clone()
            }));
            definitions.dynamic_services.push(DynamicService {
                dvipa: address,
                terms: Arc::clone(&first.terms),
            });
            definitions.routes.push(VipaRoute {
                dynamic_xcf: address,
                target: address,
                encapsulation: RouteEncapsulation::Ipip,
            });
        }
        definitions
    }

    #[test]
    fn an_edition_survives_its_parts() {
        for (dvipas, several) in [(0, false), (1, false), (200, true)] {
            let definitions = many(dvipas);
            let parts = definitions.to_parts(7);
            assert_eq!(parts.len() > 1, several);
            for (key, value) in &parts {
                assert!(value.len() < 2 * PART_MAX, "{key}: {}", value.len());
            }
            let values: BTreeMap<_, _> = parts.into_iter().collect();
            let read = Definitions::from_parts(&values, Some(6)).expect("an edition");
            assert_eq!(read, Some((7, definitions)));
            assert_eq!(
                Definitions::from_parts(&values, Some(7)).expect("known"),
                None
            );
        }
    }

    #[test]
    fn other_releases_are_understood() {
        let dvipa = r#"{"address":"10.1.3.1","prefix_len":null,"role":{"Backup":{"rank":9,"moveable":null}}}"#;
        for (more, identity) in [
            ("", None),
            (r#","a_later_field":[1]"#, None),
            (
                r#","identity":{"dynamic_xcf":null,"ipv6_xcf":null,"sysplex_routing":true,"later":1}"#,
                Some(true),
            ),
        ] {
            let text = format!(
                r#"{{"revision":3,"parts":1,"dvipas":[{dvipa}],"distributions":[]{more}}}"#
            );
            let values = [(DEFINITIONS_KEY.to_owned(), text)].into();
            let read = Definitions::from_parts(&values, None).expect("an edition");
            let (_, definitions) = read.expect("all of it");
            assert_eq!(definitions.dvipas.len(), 1);
            let routing = definitions
                .identity
                .map(|identity| identity.sysplex_routing);
            assert_eq!(routing, identity);
        }
    }

    #[test]
    fn half_an_edition_is_none() {
        let mut values: BTreeMap<_, _> = many(200).to_parts(7).into_iter().collect();
        let before: BTreeMap<_, _> = many(200).to_parts(6).into_iter().collect();
        let part = values.insert(key(1), before[&key(1)].clone());
        assert_eq!(Definitions::from_parts(&values, None).expect("parts"), None);
        assert!(Definitions::are_arriving(&values, Some(6)));
        assert!(!Definitions::are_arriving(&values, Some(7)));
        assert!(!Definitions::are_arriving(&BTreeMap::new(), None));
        values.remove(&key(1));
        assert_eq!(Definitions::from_parts(&values, None).expect("parts"), None);
        values.extend(part.map(|part| (key(1), part)));
        assert!(
            Definitions::from_parts(&values, None)
                .expect("parts")
                .is_some()
        );
        values.insert(key(2), "nonsense".to_owned());
        Definitions::from_parts(&values, None).expect_err("nonsense");
    }
}
