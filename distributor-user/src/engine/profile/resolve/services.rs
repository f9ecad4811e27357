//! The services that VIPADISTRIBUTE statements add up to, one per DVIPA × port.
//!
//! Nothing here reports; a refusal says what is wrong, its caller where.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::{Destinations, DistMethod, Service};

/// Targets of one service, as on z/OS.
pub(super) const MAX_TARGETS: usize = 32;
/// Services of one profile: 64 ports on each of 1,024 DVIPAs.
const MAX_SERVICES: usize = 65_536;

/// Services in the order in which they were added first.
#[derive(Default)]
pub(super) struct Services {
    list: Vec<Option<Service>>,
    index: BTreeMap<(Ipv4Addr, u16), usize>,
}

/// Why a service cannot be added to or taken from.
pub(super) struct Refusal {
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    pub(super) help: &'static str,
}

impl Refusal {
    fn new(message: String, help: &'static str) -> Self {
        Self { message, help }
    }
}

impl Services {
    /// VIPADISTRIBUTE DEFINE: a new service, or more targets of one that is there.
    pub(super) fn add(
        &mut self,
        dvipa: Ipv4Addr,
        port: u16,
        new: &Destinations,
    ) -> Result<(), Refusal> {
        let count = self.index.len();
        let Some(service) = self.service(dvipa, port) else {
            if count == MAX_SERVICES {
                return Err(Refusal::new(
                    format!("expected at most {MAX_SERVICES} ports of DVIPAs, found more"),
                    "move some of them to another group of stacks",
                ));
            }
            self.index.insert((dvipa, port), self.list.len());
            self.list.push(Some(Service {
                dvipa: dvipa.into(),
                port,
                method: DistMethod::RoundRobin,
                destinations: new.clone(),
            }));
            return Ok(());
        };
        match (&mut service.destinations, new) {
            (Destinations::All, Destinations::All) => Ok(()),
            (Destinations::List(list), Destinations::List(more)) => {
                let new: Vec<IpAddr> = more
                    .iter()
                    .copied()
                    .filter(|address| !list.contains(address))
                    .collect();
                if list.len() + new.len() > MAX_TARGETS {
                    return Err(Refusal::new(
                        format!(
                            "expected at most {MAX_TARGETS} targets of `{dvipa}` port {port}, \
                             found more"
                        ),
                        "remove some; an earlier VIPADISTRIBUTE of the same port has targets too",
                    ));
                }
                list.extend(new);
                Ok(())
            }
            (Destinations::All, Destinations::List(_))
            | (Destinations::List(_), Destinations::All) => Err(Refusal::new(
                format!(
                    "expected either `ALL` or a list of targets for `{dvipa}` port {port}, found \
                     both"
                ),
                "an earlier VIPADISTRIBUTE of the same port says otherwise: take it back by \
                 VIPADISTRIBUTE DELETE first",
            )),
        }
    }

    /// VIPADISTRIBUTE DELETE: targets of a service, or with the last of them the service.
    pub(super) fn take_back(
        &mut self,
        dvipa: Ipv4Addr,
        port: u16,
        gone: &Destinations,
    ) -> Result<(), Refusal> {
        let no_such_target = |target: &dyn std::fmt::Display| {
            Refusal::new(
                format!("expected a target that `{dvipa}` port {port} has, found `{target}`"),
                "repeat the DESTIP of the VIPADISTRIBUTE that is taken back",
            )
        };
        let Some(service) = self.service(dvipa, port) else {
            return Err(Refusal::new(
                format!("expected a port that is distributed before, found {port} of `{dvipa}`"),
                "VIPADISTRIBUTE DELETE takes back an earlier VIPADISTRIBUTE of this profile; \
                 remove it",
            ));
        };
        let is_empty = match (&mut service.destinations, gone) {
            (Destinations::All, Destinations::All) => true,
            (Destinations::All, Destinations::List(gone)) => {
                return gone
                    .first()
                    .map_or(Ok(()), |first| Err(no_such_target(first)));
            }
            (Destinations::List(_), Destinations::All) => return Err(no_such_target(&"ALL")),
            (Destinations::List(list), Destinations::List(gone)) => {
                if let Some(unknown) = gone.iter().find(|address| !list.contains(address)) {
                    return Err(no_such_target(unknown));
                }
                list.retain(|address| !gone.contains(address));
                list.is_empty()
            }
        };
        if let (true, Some(at)) = (is_empty, self.index.remove(&(dvipa, port))) {
            self.list[at] = None;
        }
        Ok(())
    }

    /// VIPADELETE: everything that is distributed of a DVIPA.
    pub(super) fn remove(&mut self, dvipa: Ipv4Addr) {
        let ports: Vec<u16> = self
            .index
            .range((dvipa, 0)..=(dvipa, u16::MAX))
            .map(|((_, port), _)| *port)
            .collect();
        for port in ports {
            if let Some(at) = self.index.remove(&(dvipa, port)) {
                self.list[at] = None;
            }
        }
    }

    pub(super) fn into_list(self) -> Vec<Service> {
        self.list.into_iter().flatten().collect()
    }

    fn service(&mut self, dvipa: Ipv4Addr, port: u16) -> Option<&mut Service> {
        let at = *self.index.get(&(dvipa, port))?;
        self.list[at].as_mut()
    }
}
