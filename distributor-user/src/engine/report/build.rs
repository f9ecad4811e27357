//! Builds reports from the engine's state and the data plane's tables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Body, VcrtRow, VdptRow, VipadynRow};
use crate::engine::config::{Config, DvipaRole};
use crate::engine::forwarding::{Flow, FlowKey, FlowState, ServiceKey};
use crate::engine::stack::{Placement, Stack};

/// Connections per service and target.
pub type Totals = BTreeMap<(ServiceKey, IpAddr), u64>;

/// Builds VIPADCFG.
#[must_use]
pub fn vipadcfg(config: &Config) -> Body {
    Body::Vipadcfg {
        dvipas: config.dvipas.clone(),
        services: config.services.clone(),
    }
}

/// Builds VIPADYN; `activated` gives the time at which a DVIPA became active here.
#[must_use]
pub fn vipadyn(stack: &Stack, activated: impl Fn(IpAddr) -> Option<String>) -> Body {
    let placements = &stack.applied().placements;
    let mut rows = Vec::new();
    for dvipa in &stack.config().dvipas {
        let placement = placements.get(&dvipa.address);
        let origin = match dvipa.role {
            DvipaRole::Define { .. } => "VIPADefine",
            DvipaRole::Backup { .. } => "VIPABackup",
        };
        let status = match placement {
            Some(Placement::Owned) => "Active",
            Some(Placement::Hidden) | None => "Backup",
        };
        rows.push(row(
            stack,
            dvipa.address,
            dvipa.prefix_len,
            origin,
            status,
            &activated,
        ));
    }
    for (address, placement) in placements {
        if stack
            .config()
            .dvipas
            .iter()
            .any(|dvipa| dvipa.address == *address)
        {
            continue;
        }
        let prefix_len = stack
            .members()
            .values()
            .flat_map(|member| &member.definitions.dvipas)
            .filter(|dvipa| dvipa.address == *address)
            .find_map(|dvipa| dvipa.prefix_len);
        let status = match placement {
            Placement::Hidden if stack.is_unwanted(*address) => "Quiescing",
            Placement::Owned | Placement::Hidden => "Active",
        };
        rows.push(row(
            stack, *address, prefix_len, "VIPADist", status, &activated,
        ));
    }
    Body::Vipadyn { rows }
}

fn row(
    stack: &Stack,
    dvipa: IpAddr,
    prefix_len: Option<u8>,
    origin: &str,
    status: &str,
    activated: impl Fn(IpAddr) -> Option<String>,
) -> VipadynRow {
    let owner = stack.owner(dvipa).map(ToOwned::to_owned);
    let is_distributor = owner.as_deref() == Some(stack.name())
        && stack
            .applied()
            .forwarding
            .services
            .keys()
            .any(|key| key.dvipa == dvipa);
    let distribution = match (is_distributor, stack.is_target(dvipa)) {
        (true, true) => "Dist/Dest",
        (true, false) => "Dist",
        (false, true) => "Dest",
        (false, false) => "",
    };
    VipadynRow {
        dvipa,
        prefix_len,
        status: status.to_owned(),
        origin: origin.to_owned(),
        distribution: distribution.to_owned(),
        owner,
        activated: if status == "Active" {
            activated(dvipa)
        } else {
            None
        },
    }
}

/// Builds VDPT: the targets that are up and have joined, this stack included.
#[must_use]
pub fn vdpt(stack: &Stack, totals: &Totals, active: &Totals) -> Body {
    let mut rows = Vec::new();
    for (key, service) in &stack.applied().forwarding.services {
        for (row, target) in (0..).zip(&service.rows) {
            let Some((name, ready)) = stack.target(*target, *key) else {
                continue;
            };
            let count = |counts: &Totals| counts.get(&(*key, *target)).copied().unwrap_or(0);
            rows.push(VdptRow {
                dvipa: key.dvipa,
                port: key.port,
                dest_xcf: *target,
                target: name.to_owned(),
                ready,
                is_active: service.ring.contains(&row),
                total_connections: count(totals),
                active_connections: count(active),
                wlm: None,
                tsr: None,
                method: stack.method(*key).keyword().to_owned(),
            });
        }
    }
    Body::Vdpt { rows }
}

/// Builds VCRT: what is routed through this stack, and what ends here.
#[must_use]
pub fn vcrt(stack: &Stack, flows: &[Flow], terminated_here: &[FlowKey]) -> Body {
    let name_of = |target: IpAddr| stack.name_of(target).map(ToOwned::to_owned);
    let row = |key: &FlowKey, dest_xcf: IpAddr, state: &str| VcrtRow {
        dvipa: key.dvipa,
        port: key.port,
        client: key.client,
        client_port: key.client_port,
        dest_xcf,
        target: name_of(dest_xcf),
        state: state.to_owned(),
    };
    let mut rows: Vec<VcrtRow> = flows
        .iter()
        .map(|flow| {
            let state = match flow.state {
                FlowState::HalfOpen => "half-open",
                FlowState::Established => "established",
                FlowState::Ending => "ending",
            };
            row(&flow.key, flow.target, state)
        })
        .collect();
    if let Some(own) = stack.dynamic_xcf() {
        let routed: std::collections::HashSet<&FlowKey> =
            flows.iter().map(|flow| &flow.key).collect();
        let here = terminated_here.iter().filter(|key| !routed.contains(key));
        rows.extend(here.map(|key| row(key, own, "terminated-here")));
    }
    rows.sort_by_key(|row| (row.dvipa, row.port, row.client, row.client_port));
    Body::Vcrt { rows }
}
