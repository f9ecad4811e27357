//! HOME: the addresses of this stack, and what each is.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, grid, mask, with_prefix};
use crate::engine::links::Link;
use crate::engine::stack::{Placement, Stack};

/// The addresses of this stack's network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Home {
    /// One for each address, by interface.
    pub rows: Vec<HomeRow>,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HomeRow {
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix on the interface, in bits.
    pub prefix_len: u8,
    /// The interface.
    pub interface: String,
    /// What it is here: a DVIPA that this stack owns (`active`), a DVIPA that it holds as a target,
    /// for which it answers nobody (`hidden`), its identity in the group (`dynamicxcf`), or any
    /// other address of an interface.
    #[schemars(extend("enum" = ["active", "hidden", "dynamicxcf", "loopback", "interface"]))]
    pub kind: String,
    /// Name of the stack that owns the DVIPA; null for other addresses, and while none does.
    pub owner: Option<String>,
    /// Whether the distributor added the address, and takes it away again.
    pub is_ours: bool,
}

/// What the layouts call the fields of a row.
pub(super) const COLUMNS: &[Column] = &[
    Column::short("address", "Address", 16).long("Address"),
    Column::short("interface", "Link", 16).long("IntfName"),
    Column::short("is_ours", "Flg", 3).long("Flags"),
    Column::table("prefix_len", "AddressMask").long("Address"),
    Column::short("kind", "Type", 16).long("Type"),
    Column::short("owner", "Owner", 16).long("Owner"),
];

/// Builds HOME from the interfaces of the stack.
#[must_use]
pub fn home(stack: &Stack, links: &[Link], filters: &Filters, room: &mut Room) -> Home {
    let mut rows = Vec::new();
    for link in links {
        for own in &link.addresses {
            let is_wanted = filters.match_endpoints(&[(own.address, None)])
                && filters.match_interface(&link.name);
            if !is_wanted || !room.admit() {
                continue;
            }
            let placement = stack.applied().placements.get(&own.address);
            let kind = match placement {
                Some(Placement::Owned) => "active",
                Some(Placement::Hidden) => "hidden",
                None if stack.has_address(own.address) => "dynamicxcf",
                None if link.is_loopback => "loopback",
                None => "interface",
            };
            let owner = placement.and_then(|_| stack.owner(own.address));
            rows.push(HomeRow {
                address: own.address,
                prefix_len: own.prefix_len,
                interface: link.name.clone(),
                kind: kind.to_owned(),
                owner: owner.map(ToOwned::to_owned),
                is_ours: own.is_ours,
            });
        }
    }
    Home { rows }
}

pub(super) fn text(out: &mut String, home: &Home, style: Style) -> fmt::Result {
    writeln!(out, "Home address list:")?;
    if style.layout == Layout::Long {
        return home.rows.iter().try_for_each(|row| long(out, row));
    }
    let lines: Vec<Line> = home
        .rows
        .iter()
        .map(|row| {
            Line::from(vec![
                row.address.to_string(),
                row.interface.clone(),
                flag(row).to_owned(),
                mask(row.address, Some(row.prefix_len)),
                word(&row.kind).to_owned(),
                row.owner.clone().unwrap_or_default(),
            ])
        })
        .collect();
    grid(out, "", COLUMNS, &lines, style.layout)
}

fn long(out: &mut String, row: &HomeRow) -> fmt::Result {
    let address = with_prefix(row.address, Some(row.prefix_len));
    writeln!(out, "IntfName:   {}", row.interface)?;
    writeln!(out, "  Address:  {address}")?;
    writeln!(out, "    Type:   {}", word(&row.kind))?;
    let flags = format!("    Flags:  {}", if row.is_ours { "Internal" } else { "" });
    writeln!(out, "{}", flags.trim_end())?;
    match &row.owner {
        Some(owner) => writeln!(out, "    Owner:  {owner}"),
        None => Ok(()),
    }
}

fn flag(row: &HomeRow) -> &'static str {
    if row.is_ours { "I" } else { "" }
}

fn word(kind: &str) -> &str {
    match kind {
        "active" => "DVIPA Active",
        "hidden" => "DVIPA Hidden",
        "dynamicxcf" => "DynamicXCF",
        "loopback" => "Loopback",
        "interface" => "Interface",
        other => other,
    }
}
