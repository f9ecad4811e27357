//! What is wrong with the servers of this host.

use std::net::IpAddr;

use super::facts::{Host, Listener, Said};
use super::finding::Finding;

pub(super) fn examine(said: &Said, host: &Host, findings: &mut Vec<Finding>) {
    for service in &said.explain.services {
        let mut targets = service.targets.iter();
        let Some(own) = targets.find(|target| target.target == said.name) else {
            continue;
        };
        let at_port: Vec<&Listener> = host
            .listeners
            .iter()
            .filter(|listener| listener.local.port() == service.port)
            .collect();
        let bound = at_port
            .iter()
            .find(|listener| listener.takes(service.dvipa) && listener.interface.is_some());
        if let Some(listener) = bound {
            let interface = listener.interface.as_deref().unwrap_or_default();
            let what = format!(
                "{} listens on port {} by `{interface}` only",
                shown(listener),
                service.port
            );
            findings.push(Finding::new("listener-interface", what));
        }
        if own.ready > 0 {
            continue;
        }
        for listener in at_port {
            if listener.takes(service.dvipa) {
                continue;
            }
            let is_any = listener.local.ip().is_unspecified();
            let finding = if is_any && service.dvipa.is_ipv4() {
                let what = format!(
                    "{} listens on port {} for IPv6 only",
                    shown(listener),
                    service.port
                );
                Finding::new("listener-ipv6-only", what)
            } else {
                let what = format!(
                    "{} listens on {}, and not on {}",
                    shown(listener),
                    listener.local,
                    service.dvipa
                );
                Finding::new("listener-elsewhere", what).remedy(remedy(service.dvipa, service.port))
            };
            findings.push(finding);
        }
    }
}

fn remedy(dvipa: IpAddr, port: u16) -> String {
    format!(
        "have it listen on {dvipa}, on 0.0.0.0 or on `[::]`; or let the profile move it: `PORT {port} \
         TCP * BIND {dvipa}`"
    )
}

fn shown(listener: &Listener) -> &str {
    listener.process.as_deref().unwrap_or("a server")
}
