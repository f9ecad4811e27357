//! What the daemon itself knows to be wrong: the group, owners, targets.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::facts::Said;
use super::finding::Finding;
use crate::engine::group::drops::DropReason;
use crate::engine::report::{ExplainedService, ExplainedTarget, SysplexDvipa};

pub(super) fn examine(said: &Said, findings: &mut Vec<Finding>) {
    if let Some(first) = &said.profile_errors {
        let path = &said.config.daemon.profile;
        let what = format!("`{path}` has errors now: {first}");
        findings.push(
            Finding::new("profile-next", what)
                .remedy(format!("`distributor check {path}` explains every error")),
        );
    }
    if group(said, findings) {
        return;
    }
    for dvipa in &said.sysplex.dvipas {
        owner(said, dvipa, findings);
    }
    for service in &said.explain.services {
        targets(said, service, findings);
    }
}

/// Looks at the members; says whether this stack has left them, so that nothing else is of interest.
fn group(said: &Said, findings: &mut Vec<Finding>) -> bool {
    let own = said.group.rows.iter().find(|row| row.stack == said.name);
    if own.is_some_and(|row| row.status == "BY ORDER") {
        let what = format!("{} was told to leave the group", said.name);
        let remedy = format!("`distributor vary joingroup --name {}`", said.name);
        findings.push(Finding::new("left-by-order", what).remedy(remedy));
        return true;
    }
    let is_incomplete = is_incomplete(said);
    for (reason, id, what) in [
        (
            DropReason::ForeignKey,
            "group-key",
            "datagrams have just arrived that are sealed with a key that is not ours",
        ),
        (
            DropReason::Version,
            "group-version",
            "datagrams have just arrived of a version that this release does not speak",
        ),
        (
            DropReason::NotAdmitted,
            "name-taken",
            "a stack was not admitted, because its name or its DYNAMICXCF address is taken",
        ),
    ] {
        if said.refused(reason) > 0 && is_incomplete {
            findings.push(Finding::new(id, what));
        }
    }
    for (address, service) in absent(said) {
        let what = format!(
            "{service} is to be distributed to {address}, and no such stack is in the group"
        );
        findings.push(Finding::new("target-absent", what));
    }
    for row in &said.group.rows {
        let name = &row.stack;
        match row.status.as_str() {
            "SILENT" | "DEAD" => {
                let what = format!("{name} is not heard (`{}`)", row.status);
                findings.push(Finding::new("member-silent", what));
            }
            "MEMBER" => {
                if let (Some(up), Some(all)) = (row.paths_up, row.paths)
                    && up < all
                {
                    let what = format!("{up} of {all} paths to {name} work");
                    findings.push(Finding::new("path-down", what));
                }
            }
            _ => {}
        }
    }
    false
}

/// Whether somebody may be missing in the group. If not, what is wrong with datagrams is of no harm.
#[must_use]
pub fn is_incomplete(said: &Said) -> bool {
    let rows = &said.group.rows;
    let is_dead = rows.iter().any(|row| row.status == "DEAD");
    rows.len() == 1 || is_dead || !absent(said).is_empty()
}

/// The addresses in DESTIP that no stack of the group has, each with a service.
fn absent(said: &Said) -> Vec<(IpAddr, String)> {
    let mut absent = Vec::new();
    let mut seen = BTreeSet::new();
    for service in &said.vipadcfg.services {
        if service.encapsulation.is_some() {
            continue;
        }
        for destination in &service.destinations {
            let is_own = destination.target.as_deref() == Some(said.name.as_str());
            let is_known = destination.target.is_some() || is_own;
            if !is_known && seen.insert(destination.dest_xcf) {
                absent.push((destination.dest_xcf, service.dvipa.to_string()));
            }
        }
    }
    absent
}

fn owner(said: &Said, dvipa: &SysplexDvipa, findings: &mut Vec<Finding>) {
    let address = dvipa.dvipa;
    let own = dvipa.stacks.iter().find(|stack| stack.stack == said.name);
    if own.is_some_and(|own| own.status == "DEACTIVATED") {
        let what = format!("{address} was deactivated on {}", said.name);
        let remedy = format!(
            "`distributor vary reactivate {address} --name {}`",
            said.name
        );
        findings.push(Finding::new("deactivated", what).remedy(remedy));
    }
    if dvipa
        .stacks
        .iter()
        .any(|stack| stack.is_owner || stack.status == "MOVING")
    {
        return;
    }
    let entitled: Vec<String> = dvipa
        .stacks
        .iter()
        .filter(|stack| stack.rank.is_some())
        .map(|stack| match &stack.waits_for {
            Some(reason) => format!("{} waits for {reason}", stack.stack),
            None => format!("{} is {}", stack.stack, stack.status),
        })
        .collect();
    let mut finding = Finding::new("no-owner", format!("nobody owns {address}"));
    let mut stacks = dvipa.stacks.iter();
    if let Some(stack) = stacks.find(|stack| stack.status == "DEACTIVATED") {
        let name = &stack.stack;
        finding = finding.remedy(format!(
            "on {name}: `distributor vary reactivate {address} --name {name}`"
        ));
    }
    findings.push(if entitled.is_empty() {
        finding.cause("no stack that defines it or backs it up is in the group")
    } else {
        finding.cause(entitled.join("; "))
    });
}

fn targets(said: &Said, service: &ExplainedService, findings: &mut Vec<Finding>) {
    let shown = format!("{}:{}", service.dvipa, service.port);
    if service.owner.is_none() {
        // Nobody's service: what its targets do is of no interest yet.
        return;
    }
    let gets_some = |target: &ExplainedTarget| target.idle_because.is_none();
    if !service.targets.iter().any(gets_some) {
        let reasons: Vec<String> = service
            .targets
            .iter()
            .filter_map(|target| {
                let reason = target.idle_because.as_ref()?;
                Some(format!("{}: {reason}", target.target))
            })
            .collect();
        let finding = Finding::new(
            "no-target",
            format!("no target of {shown} gets connections"),
        );
        findings.push(if reasons.is_empty() {
            finding
        } else {
            finding.cause(reasons.join("; "))
        });
    }
    for target in &service.targets {
        let Some(reason) = target.idle_because.as_deref() else {
            continue;
        };
        let name = &target.target;
        let (id, what) = match reason {
            "quiesced" => ("quiesced", "is quiesced"),
            "unreachable" => ("unreachable", "cannot be reached"),
            "unresponsive" => ("unresponsive", "listens, and takes no connections"),
            "no-weight" | "no-capacity" => ("no-weight", "weighs nothing"),
            "no-listener" if is_named(said, service, target.dest_xcf) => {
                ("no-listener", "has no listener")
            }
            _ => continue,
        };
        findings.push(Finding::new(id, format!("{name} {what} for {shown}")));
    }
}

/// Whether DESTIP names the target, so that a server is expected there; with ALL it may run anywhere.
fn is_named(said: &Said, service: &ExplainedService, target: IpAddr) -> bool {
    let mut written =
        said.vipadcfg.services.iter().filter(|written| {
            written.dvipa == service.dvipa && written.ports.contains(&service.port)
        });
    match written.next() {
        Some(written) => {
            let mut named = written.destinations.iter();
            named.any(|named| named.dest_xcf == target)
        }
        // Another stack's profile says it.
        None => true,
    }
}
