//! Reports over connections, made beside the loop.
//!
//! There may be millions. A walk owns copies and handles, and nothing of the
//! daemon: it may be dropped at any time. One is made after the other, because
//! each needs memory by the number of its rows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::Context as _;

use super::super::Daemon;
use crate::engine::forwarding::FlowKey;
use crate::engine::report::{self, Body, Filters, Room, Snapshot};
use crate::shell::connections;
use crate::shell::dataplane::{DataplaneError, Interface, Traffic};

/// What is made of the connections.
#[derive(Debug)]
pub(super) enum Table {
    Vdpt,
    Vcrt {
        /// The DVIPAs on this stack, for the connections that end here.
        dvipas: BTreeSet<IpAddr>,
        /// By which connections may leave.
        interfaces: Vec<Interface>,
    },
}

/// A report that is yet to be made.
#[derive(Debug)]
pub(super) struct Walk {
    table: Table,
    filters: Filters,
    room: Room,
    stack: Snapshot,
    traffic: Traffic,
}

impl Daemon {
    /// Takes what a report needs.
    pub(super) fn walk(
        &self,
        table: Table,
        filters: &Filters,
        room: Room,
    ) -> Result<Walk, DataplaneError> {
        Ok(Walk {
            table,
            filters: filters.clone(),
            room,
            stack: Snapshot::of(&self.stack),
            traffic: self.dataplane.traffic()?,
        })
    }
}

impl Walk {
    /// Makes the report.
    pub(super) async fn make(self) -> anyhow::Result<(Body, Room)> {
        let here = match &self.table {
            Table::Vdpt => Vec::new(),
            Table::Vcrt { dvipas, .. } => connections::list(dvipas).await?,
        };
        tokio::task::spawn_blocking(move || self.go(&here))
            .await
            .context("the connections were not read to their end")
    }

    fn go(self, here: &[FlowKey]) -> (Body, Room) {
        let Self {
            table,
            filters,
            mut room,
            stack,
            traffic,
        } = self;
        let body = match table {
            Table::Vdpt => {
                let (totals, active) = (traffic.total_connections(), traffic.active_connections());
                Body::Vdpt(report::vdpt(&stack, &totals, &active, &filters, &mut room))
            }
            Table::Vcrt { interfaces, .. } => {
                let name_of = |ifindex| {
                    let mut interfaces = interfaces.iter();
                    let interface = interfaces.find(|interface| interface.ifindex == ifindex)?;
                    Some(interface.name.clone())
                };
                let connections = report::Connections {
                    flows: traffic.flows(),
                    kept: traffic.kept_clients(),
                    terminated_here: here,
                };
                let vcrt = report::vcrt(&stack, connections, name_of, &filters, &mut room);
                Body::Vcrt(vcrt)
            }
        };
        (body, room)
    }
}
