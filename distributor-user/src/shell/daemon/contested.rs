//! DVIPAs for which somebody else answers.
//!
//! That is a member that has taken them over, and says so as soon as it has been
//! found; or a host that has nothing to do with the group, and then this stack
//! must not have them. The network is asked while the group is being joined, and
//! until it has answered this stack wants none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Daemon;
use super::network::Network;
use crate::engine::config::{Config, DvipaRole};
use crate::engine::stack::Event;
use crate::shell::claim::{self, Mac, Port};

/// How long the members have to say that the address is theirs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The Ethernet address of who answers for a DVIPA, and the interface where it does.
pub(super) type Taken = BTreeMap<IpAddr, (Mac, String)>;

/// The addresses to ask for at one port of this stack.
#[derive(Debug)]
struct Question {
    link: String,
    port: Port,
    addresses: BTreeSet<IpAddr>,
}

/// Who else has the DVIPAs that a stack is going to own.
#[derive(Debug)]
pub(super) struct Inquiry {
    questions: Vec<Question>,
    /// Ethernet addresses of this stack.
    own: BTreeSet<[u8; 6]>,
}

impl Inquiry {
    /// Asks for what the profile defines, except what is `known` to be here or a member's.
    pub(super) fn of(config: &Config, known: &BTreeSet<IpAddr>, network: &Network) -> Self {
        let mut questions: BTreeMap<(u32, [u8; 6]), Question> = BTreeMap::new();
        for dvipa in &config.dvipas {
            let is_definer = matches!(dvipa.role, DvipaRole::Define { .. });
            if is_definer
                && !known.contains(&dvipa.address)
                && let Some((link, port)) = network.owner_port(dvipa.address)
            {
                let (ifindex, mac) = (port.ifindex, port.mac);
                let question = questions.entry((ifindex, mac)).or_insert_with(|| Question {
                    link: link.name.clone(),
                    port: Port { ifindex, mac },
                    addresses: BTreeSet::new(),
                });
                question.addresses.insert(dvipa.address);
            }
        }
        Self {
            questions: questions.into_values().collect(),
            own: network.macs(),
        }
    }

    /// The DVIPAs that are asked for.
    pub(super) fn dvipas(&self) -> impl Iterator<Item = IpAddr> {
        let addresses = self
            .questions
            .iter()
            .flat_map(|question| &question.addresses);
        addresses.copied()
    }

    /// Asks, and returns who has what.
    pub(super) async fn ask(self) -> anyhow::Result<Taken> {
        let mut asked = JoinSet::new();
        for Question {
            link,
            port,
            addresses,
        } in self.questions
        {
            let own = self.own.clone();
            asked.spawn(async move {
                let others = claim::probe(port, &addresses, &own, claim::PROBE)
                    .await
                    .with_context(|| format!("cannot ask on `{link}` who has the VIPAs"))?;
                let taken = others.into_iter().filter_map(|(address, macs)| {
                    let other = *macs.first()?;
                    Some((address, (other, link.clone())))
                });
                anyhow::Ok(taken.collect::<Taken>())
            });
        }
        let mut taken = Taken::new();
        while let Some(answer) = asked.join_next().await {
            taken.extend(answer.context("a question was not asked to its end")??);
        }
        Ok(taken)
    }

    /// Asks beside the caller; the answer comes once.
    pub(super) fn begin(self) -> mpsc::Receiver<anyhow::Result<Taken>> {
        let (answers, received) = mpsc::channel(1);
        tokio::spawn(async move {
            // The daemon may have ended meanwhile.
            let _ = answers.send(self.ask().await).await;
        });
        received
    }
}

/// Who answers for what.
#[derive(Debug, Default)]
pub(super) struct Contested {
    /// From when the members have time to say that it is theirs.
    since: Option<Instant>,
    dvipas: Taken,
    failure: Option<anyhow::Error>,
}

impl Daemon {
    /// The DVIPAs that are here, or that a stack of the group owns.
    pub(super) fn known_dvipas(&self) -> BTreeSet<IpAddr> {
        let defined = self.stack.config().dvipas.iter().map(|dvipa| dvipa.address);
        let owned = defined.filter(|dvipa| self.stack.owner(*dvipa).is_some());
        self.placements.keys().copied().chain(owned).collect()
    }

    /// Takes what the network has answered at the start.
    pub(super) async fn take_answer(&mut self, taken: anyhow::Result<Taken>) {
        match taken {
            Ok(taken) => {
                let contested = taken.keys().copied().collect();
                self.contested = Contested {
                    since: Some(Instant::now()),
                    dvipas: taken,
                    failure: None,
                };
                self.handle(Event::Contested(contested)).await;
            }
            Err(failure) => self.contested.failure = Some(failure),
        }
    }

    /// Says why this stack must not go on, if a DVIPA of its own belongs to nobody of the group.
    pub(super) fn contested(&mut self) -> Option<anyhow::Error> {
        if let Some(failure) = self.contested.failure.take() {
            return Some(failure);
        }
        let stack = &self.stack;
        self.contested
            .dvipas
            .retain(|dvipa, _| stack.owner(*dvipa).is_none());
        if self.contested.since?.elapsed() < PATIENCE {
            return None;
        }
        let (dvipa, (other, link)) = self.contested.dvipas.first_key_value()?;
        Some(anyhow!(
            "VIPA {dvipa} is taken: {other} answers for it on `{link}`, and no stack of the group \
             owns it; if that is a stack of the group, give it the group's key"
        ))
    }
}
