//! Definitions in parts, because gossip carries no value of any length.
//!
//! All parts of an edition have its revision and say how many they are. A reader
//! takes an edition when all of it is there, and never a mixture of two.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Definitions;
use crate::engine::config::{Dvipa, Service, Terms};

/// Key of the first part in the group's slow state; the others have a number behind it.
pub const DEFINITIONS_KEY: &str = "definitions";

/// About how long the JSON of a part may be: half of what one message of gossip carries.
const PART_MAX: usize = 30_000;

/// One part of an edition.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    revision: u64,
    parts: usize,
    dvipas: Vec<Dvipa>,
    distributions: Vec<Distribution>,
}

/// A part's head, where the rest is of no interest.
#[derive(Debug, Deserialize)]
struct Head {
    revision: u64,
    parts: usize,
}

/// Services of one DVIPA on the same terms.
#[derive(Debug, Serialize, Deserialize)]
struct Distribution {
    dvipa: IpAddr,
    ports: Vec<u16>,
    #[serde(flatten)]
    terms: Arc<Terms>,
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
        let mut parts = vec![Part::default()];
        let mut length = 0;
        for dvipa in &self.dvipas {
            make_room(&mut parts, &mut length, dvipa)
                .dvipas
                .push(*dvipa);
        }
        for distribution in distributions(&self.services) {
            make_room(&mut parts, &mut length, &distribution)
                .distributions
                .push(distribution);
        }
        let count = parts.len();
        let parts = parts.into_iter().enumerate().map(|(number, part)| {
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
            definitions.dvipas.extend(part.dvipas);
            for Distribution {
                dvipa,
                ports,
                terms,
            } in part.distributions
            {
                definitions
                    .services
                    .extend(ports.into_iter().map(|port| Service {
                        dvipa,
                        port,
                        terms: Arc::clone(&terms),
                    }));
            }
        }
        Ok(Some((revision, definitions)))
    }
}

/// Groups consecutive services of one DVIPA that share their terms.
fn distributions(services: &[Service]) -> Vec<Distribution> {
    let mut distributions: Vec<Distribution> = Vec::new();
    for service in services {
        match distributions.last_mut() {
            Some(last) if last.dvipa == service.dvipa && last.terms == service.terms => {
                last.ports.push(service.port);
            }
            _ => distributions.push(Distribution {
                dvipa: service.dvipa,
                ports: vec![service.port],
                terms: Arc::clone(&service.terms),
            }),
        }
    }
    distributions
}

/// Returns the part that has room for `item`: the last, or a new one.
fn make_room<'a>(
    parts: &'a mut Vec<Part>,
    length: &mut usize,
    item: &impl Serialize,
) -> &'a mut Part {
    let more = json(item).len();
    if *length > 0 && *length + more > PART_MAX {
        parts.push(Part::default());
        *length = 0;
    }
    *length += more;
    let last = parts.len() - 1;
    &mut parts[last]
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Destinations, DistMethod, DvipaRole, Moveable};

    fn many(dvipas: u8) -> Definitions {
        let address = |host: u8| IpAddr::from([10, 1, 3, host]);
        let mut definitions = Definitions::default();
        for host in 0..dvipas {
            let role = DvipaRole::Define {
                moveable: Moveable::Immediate,
            };
            let dvipa = Dvipa::new(address(host), Some(24), role);
            definitions.dvipas.push(dvipa);
            let targets = Destinations::list((1..=32).map(|host| IpAddr::from([172, 1, 1, host])));
            let first = Service::new(address(host), 8000, DistMethod::RoundRobin, targets);
            definitions.services.extend((0..64).map(|port| Service {
                port: 8000 + port,
                ..first.clone()
            }));
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
    fn half_an_edition_is_none() {
        let mut values: BTreeMap<_, _> = many(200).to_parts(7).into_iter().collect();
        let before: BTreeMap<_, _> = many(200).to_parts(6).into_iter().collect();
        let part = values.insert(key(1), before[&key(1)].clone());
        assert_eq!(Definitions::from_parts(&values, None).expect("parts"), None);
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
