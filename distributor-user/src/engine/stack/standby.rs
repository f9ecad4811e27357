//! Which target of a HOTSTANDBY service gets the new connections.

use std::net::IpAddr;

use super::{Effect, Stack};
use crate::engine::config::{DistMethod, Terms};
use crate::engine::forwarding::{Forwarding, ServiceKey, ServiceTargets};
use crate::engine::message::Message;

impl Stack {
    /// The target that gets all new connections of a service so far, if that is how they are handed
    /// out.
    pub(super) fn active(&self, key: &ServiceKey, terms: &Terms) -> Option<IpAddr> {
        if !matches!(terms.method, DistMethod::HotStandby { .. }) {
            return None;
        }
        let service = self.applied.forwarding.services.get(key)?;
        service.next()
    }

    /// Tells the operator where new connections go from now on, and went before.
    pub(super) fn tell_switches(&self, next: &Forwarding, effects: &mut Vec<Effect>) {
        for (key, after) in &next.services {
            let before = self.applied.forwarding.services.get(key);
            if let (Some(from), Some(to)) = (before.and_then(ServiceTargets::next), after.next())
                && from != to
                && self.is_hot_standby(key)
            {
                let name = |target| match self.name_of(target) {
                    Some(name) => name.to_owned(),
                    None => target.to_string(),
                };
                effects.push(Effect::Tell(Message::Switched {
                    dvipa: key.dvipa,
                    port: key.port,
                    from: name(from),
                    to: name(to),
                }));
            }
        }
    }

    fn is_hot_standby(&self, key: &ServiceKey) -> bool {
        let mut services = self.own_distribution(key.dvipa).iter();
        services.any(|service| {
            service.port == key.port
                && matches!(service.terms.method, DistMethod::HotStandby { .. })
        })
    }
}
