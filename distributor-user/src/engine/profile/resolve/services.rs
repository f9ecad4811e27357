//! The services that VIPADISTRIBUTE statements add up to, one per DVIPA × port.
//!
//! Nothing here reports; a refusal says what is wrong, its caller where. The
//! ports of a statement share its terms as long as all of them had the same
//! before, so that a profile is as large in memory as it is on paper.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::super::super::config::{
    Config, Destination, Destinations, DistMethod, DynamicService, Service, Standby, Terms,
};
use super::super::message::{BOTH_KINDS, EZZ0827I, Message, NOT_THERE, TOO_MUCH};
use super::terms::{backup, preferred};

/// Targets of one service, as on z/OS.
pub(super) const MAX_TARGETS: usize = 32;
/// Services of one profile: 64 ports on each of 1,024 DVIPAs.
const MAX_SERVICES: usize = 65_536;
/// Stands for the port of a VIPADISTRIBUTE without PORT.
pub(super) const DYNAMIC: u16 = 0;

/// Services in the order in which they were added first.
#[derive(Default)]
pub(super) struct Services {
    list: Vec<Option<Service>>,
    index: BTreeMap<(IpAddr, u16), usize>,
}

/// Why a service cannot be added to or taken from.
pub(super) struct Refusal {
    /// What it is.
    pub(super) about: &'static Message,
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    pub(super) help: &'static str,
}

impl Refusal {
    fn new(about: &'static Message, message: String, help: &'static str) -> Self {
        Self {
            about,
            message,
            help,
        }
    }
}

/// One statement on its way through its ports, with what it made of the last terms it met.
pub(super) struct Change {
    stated: Arc<Terms>,
    last: Option<(Arc<Terms>, Option<Arc<Terms>>)>,
}

impl Change {
    pub(super) fn new(stated: Terms) -> Self {
        Self {
            stated: Arc::new(stated),
            last: None,
        }
    }

    /// What `make` makes of `old`, made once for ports in a row that share their terms.
    fn of(
        &mut self,
        old: &Arc<Terms>,
        make: impl FnOnce(&Terms, &Terms) -> Result<Option<Terms>, Refusal>,
    ) -> Result<Option<Arc<Terms>>, Refusal> {
        if let Some((from, to)) = &self.last
            && Arc::ptr_eq(from, old)
        {
            return Ok(to.clone());
        }
        let new = make(old, &self.stated)?.map(Arc::new);
        self.last = Some((Arc::clone(old), new.clone()));
        Ok(new)
    }
}

impl Services {
    /// Takes the services out of a running configuration.
    pub(super) fn of(config: &mut Config) -> Self {
        let dynamic = |service: DynamicService| Service {
            dvipa: service.dvipa,
            port: DYNAMIC,
            terms: service.terms,
        };
        let mut services = Self::default();
        let without = config.dynamic_services.drain(..).map(dynamic);
        for service in config.services.drain(..).chain(without) {
            services.push(service);
        }
        services
    }

    /// Puts the services into the configuration that they belong to.
    pub(super) fn put_into(self, config: &mut Config) {
        for service in self.list.into_iter().flatten() {
            if service.port == DYNAMIC {
                config.dynamic_services.push(DynamicService {
                    dvipa: service.dvipa,
                    terms: service.terms,
                });
            } else {
                config.services.push(service);
            }
        }
    }

    fn push(&mut self, service: Service) {
        self.index
            .insert((service.dvipa, service.port), self.list.len());
        self.list.push(Some(service));
    }

    /// VIPADISTRIBUTE DEFINE: a new service, or more targets and other options of one that is
    /// there.
    pub(super) fn add(
        &mut self,
        dvipa: IpAddr,
        port: u16,
        change: &mut Change,
    ) -> Result<(), Refusal> {
        let count = self.index.len();
        let Some(service) = self.service(dvipa, port) else {
            if count == MAX_SERVICES {
                return Err(Refusal::new(
                    &TOO_MUCH,
                    format!("expected at most {MAX_SERVICES} ports of DVIPAs, found more"),
                    "move some of them to another group of stacks",
                ));
            }
            let terms = Arc::clone(&change.stated);
            self.push(Service { dvipa, port, terms });
            return Ok(());
        };
        let name = named(dvipa, port);
        if let Some(terms) = change.of(&service.terms, |old, new| merged(old, new, &name))? {
            service.terms = terms;
        }
        Ok(())
    }

    /// VIPADISTRIBUTE DELETE: targets of a service, or with the last of them the service.
    pub(super) fn take_back(
        &mut self,
        dvipa: IpAddr,
        port: u16,
        change: &mut Change,
    ) -> Result<(), Refusal> {
        let Some(service) = self.service(dvipa, port) else {
            let found = match port {
                DYNAMIC => format!("`{dvipa}` without `PORT`"),
                port => format!("{port} of `{dvipa}`"),
            };
            return Err(Refusal::new(
                &NOT_THERE,
                format!("expected a port that is distributed before, found {found}"),
                "VIPADISTRIBUTE DELETE takes back an earlier VIPADISTRIBUTE of this profile; \
                 remove it",
            ));
        };
        let name = named(dvipa, port);
        match change.of(&service.terms, |old, gone| without(old, gone, &name))? {
            Some(terms) => service.terms = terms,
            None => {
                if let Some(at) = self.index.remove(&(dvipa, port)) {
                    self.list[at] = None;
                }
            }
        }
        Ok(())
    }

    /// VIPADELETE: everything that is distributed of a DVIPA.
    pub(super) fn remove(&mut self, dvipa: IpAddr) {
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

    fn service(&mut self, dvipa: IpAddr, port: u16) -> Option<&mut Service> {
        let at = *self.index.get(&(dvipa, port))?;
        self.list[at].as_mut()
    }
}

fn named(dvipa: IpAddr, port: u16) -> String {
    match port {
        DYNAMIC => format!("`{dvipa}` without `PORT`"),
        port => format!("`{dvipa}` port {port}"),
    }
}

/// A statement on top of an earlier one: its method and options hold, its targets are added.
fn merged(old: &Terms, new: &Terms, name: &str) -> Result<Option<Terms>, Refusal> {
    let destinations = match (&old.destinations, &new.destinations) {
        (Destinations::All, Destinations::All) => Destinations::All,
        (Destinations::List(list), Destinations::List(more)) => {
            let mut list: Vec<Destination> = list
                .iter()
                .map(|&target| Destination {
                    standby: kept_standby(target, new.method),
                    ..target
                })
                .collect();
            for &target in more {
                match list
                    .iter_mut()
                    .find(|known| known.address == target.address)
                {
                    Some(known) => *known = target,
                    None => list.push(target),
                }
            }
            if list.len() > MAX_TARGETS {
                return Err(Refusal::new(
                    &TOO_MUCH,
                    format!("expected at most {MAX_TARGETS} targets of {name}, found more"),
                    "remove some; an earlier VIPADISTRIBUTE of the same port has targets too",
                ));
            }
            let is_hot_standby = matches!(new.method, DistMethod::HotStandby { .. });
            if is_hot_standby && preferred(&list) != 1 {
                let (preferred, backups) = (preferred(&list), backup(&list));
                return Err(Refusal {
                    about: &EZZ0827I,
                    message: format!(
                        "expected one `PREFERRED` and at least one `BACKUP` for {name}, found \
                         {preferred} and {backups}"
                    ),
                    help: "an earlier VIPADISTRIBUTE of the same port has targets too: repeat \
                           those that change as well",
                });
            }
            Destinations::List(list)
        }
        (Destinations::All, Destinations::List(_)) | (Destinations::List(_), Destinations::All) => {
            return Err(Refusal::new(
                &BOTH_KINDS,
                format!("expected either `ALL` or a list of targets for {name}, found both"),
                "an earlier VIPADISTRIBUTE of the same port says otherwise: take it back by \
                 VIPADISTRIBUTE DELETE first",
            ));
        }
    };
    Ok(Some(Terms {
        destinations,
        ..new.clone()
    }))
}

/// What a target is to a method that it was not written for.
fn kept_standby(target: Destination, method: DistMethod) -> Option<Standby> {
    let backup = Standby::Backup {
        rank: Standby::DEFAULT_RANK,
    };
    matches!(method, DistMethod::HotStandby { .. }).then(|| target.standby.unwrap_or(backup))
}

/// What is left of an earlier statement; nothing if its last target is taken back.
fn without(old: &Terms, gone: &Terms, name: &str) -> Result<Option<Terms>, Refusal> {
    let no_such_target = |target: &dyn std::fmt::Display| {
        Refusal::new(
            &NOT_THERE,
            format!("expected a target that {name} has, found `{target}`"),
            "repeat the DESTIP of the VIPADISTRIBUTE that is taken back",
        )
    };
    match (&old.destinations, &gone.destinations) {
        (Destinations::All, Destinations::All) => Ok(None),
        (Destinations::All, Destinations::List(gone)) => match gone.first() {
            Some(first) => Err(no_such_target(&first.address)),
            None => Ok(Some(old.clone())),
        },
        (Destinations::List(_), Destinations::All) => Err(no_such_target(&"ALL")),
        (Destinations::List(list), Destinations::List(_)) => {
            let has = |address| list.iter().any(|target| target.address == address);
            let gone = &gone.destinations;
            if let Some(unknown) = gone.addresses().find(|&address| !has(address)) {
                return Err(no_such_target(&unknown));
            }
            let left: Vec<Destination> = list
                .iter()
                .filter(|target| !gone.include(target.address))
                .copied()
                .collect();
            Ok((!left.is_empty()).then(|| Terms {
                destinations: Destinations::List(left),
                ..old.clone()
            }))
        }
    }
}
