//! What has changed from one look to the next.

use std::net::SocketAddr;

use super::model::{Glance, find, owner};
use crate::engine::report::VdptRow;

/// What has changed between two glances, in words.
pub(super) fn changes(before: &Glance, now: &Glance) -> Vec<String> {
    let mut changes = Vec::new();
    for dvipa in &now.sysplex.dvipas {
        let dvipa = dvipa.dvipa;
        match (owner(before, dvipa), owner(now, dvipa)) {
            (was, is) if was == is => {}
            (Some(was), None) => changes.push(format!("{dvipa}: nobody owns it (was {was})")),
            (None, Some(is)) => changes.push(format!("{dvipa}: {is} owns it")),
            (Some(was), Some(is)) => {
                changes.push(format!("{dvipa}: {is} owns it (was {was})"));
            }
            (None, None) => {}
        }
    }
    for row in &now.group.rows {
        let mut known = before.group.rows.iter();
        match known.find(|known| known.stack == row.stack) {
            None => changes.push(format!("{}: {}", row.stack, row.status)),
            Some(known) if known.status != row.status => {
                let (name, was, is) = (&row.stack, &known.status, &row.status);
                changes.push(format!("{name}: {is} (was {was})"));
            }
            Some(_) => {}
        }
    }
    let is_gone = |row: &&VdptRow| row.is_active && find(&now.vdpt, row).is_none();
    for row in before.vdpt.rows.iter().filter(is_gone) {
        let service = SocketAddr::new(row.dvipa, row.port);
        changes.push(format!("{service}: {} gets none: gone", row.target));
    }
    for row in &now.vdpt.rows {
        let was_active = find(&before.vdpt, row).map(|row| row.is_active);
        let service = SocketAddr::new(row.dvipa, row.port);
        let target = &row.target;
        match (was_active, row.is_active) {
            (Some(false) | None, true) => {
                changes.push(format!("{service}: {target} gets connections"));
            }
            (Some(true), false) => {
                let reason = row.idle_because.as_deref().unwrap_or("idle");
                changes.push(format!("{service}: {target} gets none: {reason}"));
            }
            (Some(true), true) | (Some(false) | None, false) => {}
        }
    }
    changes
}
