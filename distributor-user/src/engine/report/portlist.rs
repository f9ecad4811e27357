//! PORTLIST: who may use which port, as PORT and PORTRANGE say.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, grid, number};
use crate::engine::config::{
    AcknowledgeMode, Enforced, PortOptions, PortProtocol, PortShare, PortUser, SmcMode,
};
use crate::engine::stack::Stack;

/// The reservations of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Portlist {
    /// One for each entry of PORT and PORTRANGE: unreserved ports first, then by port.
    pub rows: Vec<PortRow>,
}

/// One reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortRow {
    /// The port, or the first of a range; null for UNRSV, the ports that nobody has reserved.
    pub port: Option<u16>,
    /// The last port of a range; null for a single port and for UNRSV.
    pub last_port: Option<u16>,
    /// The transport protocol.
    #[schemars(extend("enum" = ["TCP", "UDP"]))]
    pub protocol: String,
    /// Who may use it: a job name, perhaps ending in `*`; `*` is anybody, RESERVED nobody.
    pub user: String,
    /// One letter for each option; see below.
    pub flags: String,
    /// The address that a server which binds all addresses is bound to instead; null without BIND.
    pub bind: Option<IpAddr>,
    /// The SAF resource; null without one.
    pub saf: Option<String>,
}

/// What the layouts call the fields of a row.
pub(super) const COLUMNS: &[Column] = &[
    Column::short("port", "Port#", 5),
    Column::short("protocol", "Prot", 4),
    Column::short("user", "User", 8),
    Column::short("flags", "Flags", 8),
    Column::short("last_port", "Range", 11),
    Column::short("bind", "IP Address", 16),
    Column::short("saf", "SAF Name", 8),
];

/// The columns of LONG, where the address stands below.
const LONG: &[Column] = &[
    COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3], COLUMNS[4], COLUMNS[6],
];

/// The letters below `Flags`, in this order.
pub(super) const FLAGS: &[(char, &str)] = &[
    ('D', "DELAYACKS"),
    ('A', "AUTOLOG may restart the job: not NOAUTOLOG"),
    ('S', "SHAREPORT"),
    ('W', "SHAREPORTWLM"),
    ('B', "BIND"),
    ('R', "PORTRANGE"),
    ('F', "SAF"),
    ('I', "WHENBIND"),
    ('L', "WHENLISTEN"),
    ('N', "NOSMC"),
    ('X', "DENY"),
    ('U', "AUTHPORT"),
    (
        'Q',
        "by order of the operator no new connection is sent there: to this target, to the port, or to the job",
    ),
];

/// Builds PORTLIST.
#[must_use]
pub fn portlist(stack: &Stack, filters: &Filters, room: &mut Room) -> Portlist {
    let config = stack.config();
    let is_quiesced = |protocol, port, user: &PortUser| {
        let is_open = protocol == PortProtocol::Tcp && *user != PortUser::Nobody;
        is_open && stack.has_quiesced_job(port, user.word())
    };
    let unreserved = config.unreserved.iter().map(|entry| PortRow {
        port: None,
        last_port: None,
        protocol: entry.protocol.word().to_owned(),
        user: entry.user.clone(),
        flags: letters(&[
            ('F', entry.saf.is_some()),
            ('I', entry.when == Enforced::Bind),
            ('L', entry.when == Enforced::Listen),
            ('X', entry.is_denied),
        ]),
        bind: None,
        saf: entry.saf.clone(),
    });
    let single = config.ports.iter().map(|entry| PortRow {
        port: Some(entry.port),
        last_port: None,
        protocol: entry.protocol.word().to_owned(),
        user: entry.user.word().to_owned(),
        flags: flags(
            entry.protocol,
            &entry.user,
            &entry.options,
            &[
                ('B', entry.bind.is_some()),
                ('Q', is_quiesced(entry.protocol, entry.port, &entry.user)),
            ],
        ),
        bind: entry.bind,
        saf: entry.options.saf.clone(),
    });
    let ranges = config.port_ranges.iter().map(|entry| PortRow {
        port: Some(entry.first),
        last_port: Some(entry.last),
        protocol: entry.protocol.word().to_owned(),
        user: entry.user.word().to_owned(),
        flags: flags(entry.protocol, &entry.user, &entry.options, &[('R', true)]),
        bind: None,
        saf: entry.options.saf.clone(),
    });
    let mut rows: Vec<PortRow> = unreserved.chain(single).chain(ranges).collect();
    // Stable: entries of one port keep the order of the profile.
    rows.sort_by_key(|row| row.port);
    rows.retain(|row| {
        let is_wanted = match row.port {
            Some(first) => filters.match_ports(first, row.last_port.unwrap_or(first)),
            None => filters.ports.is_empty(),
        };
        is_wanted && room.admit()
    });
    Portlist { rows }
}

fn flags(
    protocol: PortProtocol,
    user: &PortUser,
    options: &PortOptions,
    more: &[(char, bool)],
) -> String {
    let is_job = matches!(user, PortUser::Job(_));
    let is_delayed = options.acknowledge == AcknowledgeMode::Delayed;
    let own = [
        ('D', is_job && is_delayed && protocol == PortProtocol::Tcp),
        ('A', is_job && !options.has_no_autolog),
        ('S', options.share == PortShare::Shareport),
        ('W', options.share == PortShare::ShareportWlm),
        ('F', options.saf.is_some()),
        ('N', options.smc == SmcMode::No),
        ('U', *user == PortUser::Authorised),
    ];
    letters(&[&own, more].concat())
}

fn letters(set: &[(char, bool)]) -> String {
    let letters = FLAGS.iter().map(|(letter, _)| *letter);
    letters
        .filter(|letter| set.contains(&(*letter, true)))
        .collect()
}

pub(super) fn text(out: &mut String, portlist: &Portlist, style: Style) -> fmt::Result {
    if style.layout != Layout::Long {
        let lines: Vec<Line> = portlist.rows.iter().map(|row| cells(row).into()).collect();
        return grid(out, "", COLUMNS, &lines, style.layout);
    }
    let lines: Vec<Line> = portlist
        .rows
        .iter()
        .map(|row| {
            let mut cells = cells(row);
            cells.remove(5);
            let bind = row.bind.map(|bind| format!("  BindSpecific: {bind}"));
            Line {
                cells,
                below: bind.into_iter().collect(),
            }
        })
        .collect();
    grid(out, "", LONG, &lines, Layout::Short)
}

fn cells(row: &PortRow) -> Vec<String> {
    let range = row.port.zip(row.last_port);
    vec![
        row.port
            .map_or_else(|| "UNRSV".to_owned(), |port| number(Some(port), 5)),
        row.protocol.clone(),
        row.user.clone(),
        row.flags.clone(),
        range.map_or_else(String::new, |(first, last)| format!("{first:05}-{last:05}")),
        row.bind.map_or_else(String::new, |bind| bind.to_string()),
        row.saf.clone().unwrap_or_default(),
    ]
}
