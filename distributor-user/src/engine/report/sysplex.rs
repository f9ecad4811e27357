//! What `SYSPLEX` shows of the whole group: who has, backs up or serves each DVIPA, and who is a
//! member.
//!
//! Any stack shows it, as far as it hears the others; nothing is asked of them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, grid, with_prefix};
use super::vipadyn::waits_for;
use crate::engine::config::{Dvipa, DvipaRole};
use crate::engine::ownership::{DEFINER, Liveness};
use crate::engine::stack::{Member, Stack};
use crate::engine::xcf::XcfAddresses;

/// Every DVIPA of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sysplex {
    /// One for each DVIPA, in the order of addresses.
    pub dvipas: Vec<SysplexDvipa>,
}

/// One DVIPA of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SysplexDvipa {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Length of its mask in bits; null where no statement says.
    pub prefix_len: Option<u8>,
    /// The name by which this stack's profile has an IPv6 DVIPA; null for IPv4, and where another
    /// profile has it.
    pub interface: Option<String>,
    /// The statement by which the stack that reports has it; empty if its profile does not have it.
    #[schemars(extend("enum" = ["VIPADEFINE", "VIPABACKUP", ""]))]
    pub origin: String,
    /// One for each stack that defines it, backs it up, or is a target of it; the owner first, then
    /// by rank.
    pub stacks: Vec<SysplexStack>,
}

/// What a stack is to a DVIPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SysplexStack {
    /// Its name.
    pub stack: String,
    /// `ACTIVE`: it owns the DVIPA, or is a target. `BACKUP`: it would take it over. `MOVING`: it is
    /// about to own it. `QUIESCING`: nothing wants it there any more, and its last connections go on.
    /// `DEACTIVATED`: by the operator. `SILENT`: it is not heard. QUIESCING is shown by the stack
    /// itself.
    #[schemars(extend("enum" = ["ACTIVE", "BACKUP", "MOVING", "QUIESCING", "DEACTIVATED", "SILENT"]))]
    pub status: String,
    /// Whether it is the owner.
    pub is_owner: bool,
    /// 255 for its definer, 1–254 for a backup, null for what is only a target.
    pub rank: Option<u8>,
    /// Whether it distributes the DVIPA (DIST), is a target of it (DEST), both, or neither (empty).
    #[schemars(extend("enum" = ["DIST", "DEST", "BOTH", ""]))]
    pub distribution: String,
    /// Its DYNAMICXCF address of the DVIPA's family, or the other if it has none of that.
    pub dynamic_xcf: Option<IpAddr>,
    /// What it still waits for before it takes over what it is entitled to; shown by the stack itself.
    pub waits_for: Option<String>,
}

/// The members of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// One for each stack, the one that reports first.
    pub rows: Vec<MemberRow>,
}

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRow {
    /// Its name.
    pub stack: String,
    /// Its DYNAMICXCF address; of two, the IPv4 one.
    pub dynamic_xcf: Option<IpAddr>,
    /// Its IPv6 DYNAMICXCF address beside one of IPv4; null without both.
    pub ipv6_xcf: Option<Ipv6Addr>,
    /// `MEMBER`: it is heard. `SILENT`: it is not, but its packet path answers, or is being asked.
    /// `DEAD`: neither. `LEFT`: it said goodbye, or was given up. `BY ORDER`: the operator had the
    /// stack that reports leave; it still hears the others.
    #[schemars(extend("enum" = ["MEMBER", "SILENT", "DEAD", "LEFT", "BY ORDER"]))]
    pub status: String,
    /// Paths to it that work; null for the stack itself.
    pub paths_up: Option<u64>,
    /// Paths to it that are known; null for the stack itself.
    pub paths: Option<u64>,
    /// DVIPAs that it owns, as the stack that reports knows.
    pub owns: Vec<IpAddr>,
}

/// What the layouts call the fields of a stack of a DVIPA.
pub(super) const STACKS: &[Column] = &[
    Column::short("stack", "TCPNAME", 16).long("TCPNAME"),
    Column::short("status", "STATUS", 11).long("STATUS"),
    Column::short("rank", "RANK", 4).long("RANK"),
    Column::short("distribution", "DIST", 4).long("DIST"),
    Column::short("dynamic_xcf", "XCF ADDRESS", 15).long("XCF ADDRESS"),
    Column::short("waits_for", "WAITS FOR", 9).long("WAITS FOR"),
];

/// What the layouts call the fields of a DVIPA.
pub(super) const DVIPAS: &[Column] = &[
    Column::only_long("interface", "INTFNAME"),
    Column::only_long("dvipa", "IPADDR/PREFIXLEN"),
    Column::only_long("origin", "ORIGIN"),
];

/// What the layouts call the fields of a member.
pub(super) const MEMBERS: &[Column] = &[
    Column::short("stack", "TCPNAME", 16).long("TCPNAME"),
    Column::short("dynamic_xcf", "XCF ADDRESS", 15).long("XCF ADDRESS"),
    Column::table("ipv6_xcf", "IPV6 XCF ADDRESS").long("IPV6 XCF ADDRESS"),
    Column::short("status", "STATUS", 8).long("STATUS"),
    Column::short("paths_up", "PATHS", 7).long("PATHS"),
    Column::short("owns", "OWNS", 4).long("OWNS"),
];

/// Builds the view of all DVIPAs.
#[must_use]
pub fn sysplex(stack: &Stack, filters: &Filters, room: &mut Room) -> Sysplex {
    let mut stakes: BTreeMap<IpAddr, Vec<(&str, &Dvipa)>> = BTreeMap::new();
    for dvipa in &stack.config().dvipas {
        let stakes = stakes.entry(dvipa.address).or_default();
        stakes.push((stack.name(), dvipa));
    }
    for (name, member) in present(stack) {
        let definitions = &member.definitions;
        for dvipa in definitions.dvipas.iter().chain(&definitions.deactivated) {
            let stakes = stakes.entry(dvipa.address).or_default();
            stakes.push((name, dvipa));
        }
    }
    for dvipa in stack.applied().placements.keys() {
        stakes.entry(*dvipa).or_default();
    }
    let mut dvipas = Vec::new();
    for (dvipa, stakes) in stakes {
        if filters.match_endpoints(&[(dvipa, None)]) && room.admit() {
            dvipas.push(one(stack, dvipa, &stakes));
        }
    }
    Sysplex { dvipas }
}

fn present(stack: &Stack) -> impl Iterator<Item = (&str, &Member)> {
    let members = stack.members().iter();
    let present = members.filter(|(_, member)| member.left_at.is_none());
    present.map(|(name, member)| (name.as_str(), member))
}

fn one(stack: &Stack, dvipa: IpAddr, stakes: &[(&str, &Dvipa)]) -> SysplexDvipa {
    let rank = |name: &str| {
        let stake = stakes.iter().find(|(holder, _)| *holder == name);
        stake.map(|(_, dvipa)| match dvipa.role {
            DvipaRole::Define { .. } => DEFINER,
            DvipaRole::Backup { rank, .. } => rank,
        })
    };
    let own = (stack.name(), stack.xcf(), Liveness::Alive);
    let others = present(stack).map(|(name, member)| (name, Some(member.xcf), member.liveness));
    let holding = stack.holding(dvipa);
    let mut stacks: Vec<SysplexStack> = Vec::new();
    for (name, xcf, liveness) in std::iter::once(own).chain(others) {
        let is_owner = holding.owner == Some(name);
        let is_target = xcf.is_some_and(|xcf| stack.is_distributed_to(dvipa, xcf));
        let rank = rank(name);
        if !is_owner && !is_target && rank.is_none() {
            continue;
        }
        let is_own = name == stack.name();
        let status = match () {
            () if liveness != Liveness::Alive => "SILENT",
            () if is_deactivated(stack, name, dvipa) && rank.is_some() => "DEACTIVATED",
            () if is_own && stack.is_quiescing(dvipa) => "QUIESCING",
            () if is_owner => "ACTIVE",
            () if holding.claimant == Some(name) => "MOVING",
            () if rank.is_some() => "BACKUP",
            () => "ACTIVE",
        };
        let is_distributor = is_owner && stack.is_distributed(dvipa);
        let distribution = match (is_distributor, is_target) {
            (true, true) => "BOTH",
            (true, false) => "DIST",
            (false, true) => "DEST",
            (false, false) => "",
        };
        stacks.push(SysplexStack {
            stack: name.to_owned(),
            status: status.to_owned(),
            is_owner,
            rank,
            distribution: distribution.to_owned(),
            dynamic_xcf: xcf.map(|xcf| xcf.about(dvipa)),
            waits_for: is_own
                .then(|| waits_for(stack, dvipa, holding.owner))
                .flatten(),
        });
    }
    stacks.sort_by(|one, other| {
        let order = |stack: &SysplexStack| (!stack.is_owner, std::cmp::Reverse(stack.rank));
        (order(one), &one.stack).cmp(&(order(other), &other.stack))
    });
    let mut own = stack.config().dvipas.iter();
    let origin = own.find(|own| own.address == dvipa).map(|own| own.role);
    SysplexDvipa {
        dvipa,
        prefix_len: stakes.iter().find_map(|(_, dvipa)| dvipa.prefix_len),
        interface: stack.config().interface_of(dvipa).map(ToOwned::to_owned),
        origin: match origin {
            Some(DvipaRole::Define { .. }) => "VIPADEFINE",
            Some(DvipaRole::Backup { .. }) => "VIPABACKUP",
            None => "",
        }
        .to_owned(),
        stacks,
    }
}

/// Says whether the operator has deactivated a DVIPA on a stack.
fn is_deactivated(stack: &Stack, name: &str, dvipa: IpAddr) -> bool {
    match stack.members().get(name) {
        None => stack.is_deactivated(dvipa),
        Some(member) => {
            let mut deactivated = member.definitions.deactivated.iter();
            deactivated.any(|deactivated| deactivated.address == dvipa)
        }
    }
}

/// Builds the list of members.
#[must_use]
pub fn group(stack: &Stack, room: &mut Room) -> Group {
    let mut owned: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
    for dvipa in stack.known_dvipas() {
        if let Some(owner) = stack.owner(dvipa) {
            owned.entry(owner).or_default().push(dvipa);
        }
    }
    let mut owns = |name: &str| owned.remove(name).unwrap_or_default();
    let status = if stack.has_left_group() {
        "BY ORDER"
    } else {
        "MEMBER"
    };
    let mut rows = vec![MemberRow {
        stack: stack.name().to_owned(),
        dynamic_xcf: stack.xcf().map(XcfAddresses::first),
        ipv6_xcf: stack.xcf().and_then(second),
        status: status.to_owned(),
        paths_up: None,
        paths: None,
        owns: owns(stack.name()),
    }];
    for (name, member) in stack.members() {
        let status = match member.liveness {
            _ if member.left_at.is_some() => "LEFT",
            Liveness::Alive => "MEMBER",
            Liveness::Doubtful => "SILENT",
            Liveness::Dead => "DEAD",
        };
        let up = member.paths.values().filter(|is_up| **is_up);
        rows.push(MemberRow {
            stack: name.clone(),
            dynamic_xcf: Some(member.xcf.first()),
            ipv6_xcf: second(member.xcf),
            status: status.to_owned(),
            paths_up: Some(up.count() as u64),
            paths: Some(member.paths.len() as u64),
            owns: owns(name),
        });
    }
    rows.retain(|_| room.admit());
    Group { rows }
}

pub(super) fn text(out: &mut String, sysplex: &Sysplex, style: Style) -> fmt::Result {
    for dvipa in &sysplex.dvipas {
        let address = with_prefix(dvipa.dvipa, dvipa.prefix_len);
        match &dvipa.interface {
            Some(interface) => writeln!(out, "INTFNAME: {interface}\nIPADDR: {address}")?,
            None => writeln!(out, "IPADDR/PREFIXLEN: {address}")?,
        }
        if !dvipa.origin.is_empty() {
            writeln!(out, "  ORIGIN: {}", dvipa.origin)?;
        }
        let cells = dvipa.stacks.iter().map(|stack| {
            // z/OS shows the rank of those that wait.
            let rank = stack
                .rank
                .filter(|rank| !stack.is_owner || *rank != DEFINER);
            vec![
                stack.stack.clone(),
                stack.status.clone(),
                rank.map_or_else(String::new, |rank| rank.to_string()),
                stack.distribution.clone(),
                address_of(stack.dynamic_xcf),
                stack.waits_for.clone().unwrap_or_default(),
            ]
        });
        lay_out(out, STACKS, cells, style)?;
    }
    Ok(())
}

pub(super) fn group_text(out: &mut String, group: &Group, style: Style) -> fmt::Result {
    let cells = group.rows.iter().map(|row| {
        let paths = row.paths_up.zip(row.paths);
        let owns: Vec<String> = row.owns.iter().map(ToString::to_string).collect();
        vec![
            row.stack.clone(),
            address_of(row.dynamic_xcf),
            address_of(row.ipv6_xcf),
            row.status.clone(),
            paths.map_or_else(|| "---".to_owned(), |(up, all)| format!("{up} OF {all}")),
            owns.join(", "),
        ]
    });
    lay_out(out, MEMBERS, cells, style)
}

/// A line for each record, or in LONG a block.
fn lay_out(
    out: &mut String,
    columns: &[Column],
    cells: impl Iterator<Item = Vec<String>>,
    style: Style,
) -> fmt::Result {
    if style.layout != Layout::Long {
        let lines: Vec<Line> = cells.map(Line::from).collect();
        return grid(out, "  ", columns, &lines, style.layout);
    }
    for record in cells {
        for (number, (column, value)) in columns.iter().zip(&record).enumerate() {
            if !value.is_empty() {
                let indent = if number == 0 { "  " } else { "    " };
                writeln!(out, "{indent}{}: {value}", column.label)?;
            }
        }
    }
    Ok(())
}

/// The address that is beside the first one.
fn second(xcf: XcfAddresses) -> Option<Ipv6Addr> {
    xcf.ipv4().and_then(|_| xcf.ipv6())
}

fn address_of(dynamic_xcf: Option<impl fmt::Display>) -> String {
    dynamic_xcf.map_or_else(String::new, |address| address.to_string())
}
