//! Definitions as they are published: as large as the statements, not as the services.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Definitions;
use crate::engine::config::{Dvipa, Service, Terms};

#[cfg(test)]
mod tests;

/// Services that one member can publish: 64 ports on each of 1,024 DVIPAs.
const MAX_SERVICES: usize = 65_536;

/// What is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Published {
    dvipas: Vec<Dvipa>,
    /// Each once.
    terms: Vec<Arc<Terms>>,
    services: Vec<Run>,
}

/// Services that follow one another and share DVIPA and terms.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    dvipa: IpAddr,
    /// First and last port of each range.
    ports: Vec<(u16, u16)>,
    /// Which terms.
    terms: usize,
}

impl From<Definitions> for Published {
    fn from(definitions: Definitions) -> Self {
        let mut published = Self {
            dvipas: definitions.dvipas,
            terms: Vec::new(),
            services: Vec::new(),
        };
        let mut known: HashMap<Arc<Terms>, usize> = HashMap::new();
        let mut last: Option<(Arc<Terms>, usize)> = None;
        for Service { dvipa, port, terms } in definitions.services {
            let index = match &last {
                Some((last, index)) if Arc::ptr_eq(last, &terms) => *index,
                Some(_) | None => *known.entry(Arc::clone(&terms)).or_insert_with(|| {
                    published.terms.push(Arc::clone(&terms));
                    published.terms.len() - 1
                }),
            };
            last = Some((terms, index));
            published.push(dvipa, port, index);
        }
        published
    }
}

impl Published {
    fn push(&mut self, dvipa: IpAddr, port: u16, terms: usize) {
        let run = self.services.last_mut();
        let Some(run) = run.filter(|run| (run.dvipa, run.terms) == (dvipa, terms)) else {
            return self.services.push(Run {
                dvipa,
                ports: vec![(port, port)],
                terms,
            });
        };
        match run.ports.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            Some(_) | None => run.ports.push((port, port)),
        }
    }
}

/// Why something published is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("expected at most {MAX_SERVICES} services, found more")]
    TooMany,
    #[error("expected terms that are there, found number {0}")]
    NoTerms(usize),
    #[error("expected ports from 1 up, found {first}-{last}")]
    NoPorts { first: u16, last: u16 },
}

impl TryFrom<Published> for Definitions {
    type Error = Unusable;

    fn try_from(published: Published) -> Result<Self, Unusable> {
        let mut services = Vec::new();
        for Run {
            dvipa,
            ports,
            terms,
        } in published.services
        {
            let terms = published.terms.get(terms).ok_or(Unusable::NoTerms(terms))?;
            for (first, last) in ports {
                if first == 0 || last < first {
                    return Err(Unusable::NoPorts { first, last });
                }
                if services.len() + usize::from(last - first) >= MAX_SERVICES {
                    return Err(Unusable::TooMany);
                }
                services.extend((first..=last).map(|port| Service {
                    dvipa,
                    port,
                    terms: Arc::clone(terms),
                }));
            }
        }
        Ok(Self {
            dvipas: published.dvipas,
            services,
        })
    }
}
