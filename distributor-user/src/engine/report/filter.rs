//! Which records of a report are wanted, and how many.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::forwarding::FlowKey;

/// The filters that NETSTAT knows; of one kind any may match, of several kinds all must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filters {
    /// `IPADDR`: networks, one of which has an address of the record.
    pub addresses: Vec<Network>,
    /// `PORT`: one of them is a port of the record.
    pub ports: Vec<u16>,
    /// `IPPORT`: one of them is an address with its port in the record.
    pub endpoints: Vec<Endpoint>,
    /// `INTFNAME`: names of interfaces, one of which is the record's.
    pub interfaces: Vec<String>,
    /// How many records at most.
    pub limit: Limit,
    /// Only connections behind this one, in the order of VCRT: its next page.
    pub after: Option<FlowKey>,
}

/// A kind of filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// See [`Filters::addresses`].
    IpAddr,
    /// See [`Filters::ports`].
    Port,
    /// See [`Filters::endpoints`].
    IpPort,
    /// See [`Filters::interfaces`].
    IntfName,
}

impl FilterKind {
    /// The word of NETSTAT.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::IpAddr => "IPADDR",
            Self::Port => "PORT",
            Self::IpPort => "IPPORT",
            Self::IntfName => "INTFNAME",
        }
    }

    /// The option of the command line.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::IpAddr => "-I, --ipaddr ADDR[/MASK]",
            Self::Port => "-P, --port PORT",
            Self::IpPort => "-B, --ipport ADDR+PORT",
            Self::IntfName => "-K, --intfname NAME",
        }
    }
}

/// How many records at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// All of them.
    #[default]
    None,
    /// As many as `GLOBALCONFIG MAXRECS` says.
    Maxrecs,
    /// So many.
    Records(u32),
}

/// One address, or those of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    address: IpAddr,
    prefix_len: u8,
}

/// An address with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    address: IpAddr,
    port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(place: SocketAddr) -> Self {
        Self {
            address: place.ip(),
            port: place.port(),
        }
    }
}

/// Why a filter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not an address or a network.
    #[error("expected an address, perhaps with `/bits` or `/mask`, found `{0}`")]
    Network(String),
    /// Not an address with a port.
    #[error("expected `address+port`, found `{0}`")]
    Endpoint(String),
    /// Not a limit.
    #[error("expected a number of records from 1 to 65535, or `*`, found `{0}`")]
    Limit(String),
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.prefix_len);
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError::Network(text.to_owned());
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok().ok_or_else(wrong)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = match mask {
            None => whole,
            Some(mask) => bits_of(mask)
                .filter(|bits| *bits <= whole)
                .ok_or_else(wrong)?,
        };
        Ok(Self {
            address,
            prefix_len,
        })
    }
}

/// Reads `24` or `255.255.255.0`.
fn bits_of(mask: &str) -> Option<u8> {
    if let Ok(bits) = mask.parse() {
        return Some(bits);
    }
    let mask = mask.parse::<Ipv4Addr>().ok()?.to_bits();
    let is_contiguous = mask.count_ones() == mask.leading_ones();
    is_contiguous.then(|| u8::try_from(mask.leading_ones()).ok())?
}

impl FromStr for Endpoint {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let parsed = text.split_once('+').and_then(|(address, port)| {
            Some(Self {
                address: address.parse().ok()?,
                port: port.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| FilterError::Endpoint(text.to_owned()))
    }
}

impl FromStr for Limit {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        match text.parse() {
            _ if text == "*" => Ok(Self::None),
            Ok(records @ 1..=65_535) => Ok(Self::Records(records)),
            Ok(_) | Err(_) => Err(FilterError::Limit(text.to_owned())),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix_len)
    }
}

impl Filters {
    /// The kinds that are used.
    pub fn kinds(&self) -> impl Iterator<Item = FilterKind> {
        [
            (FilterKind::IpAddr, self.addresses.is_empty()),
            (FilterKind::Port, self.ports.is_empty()),
            (FilterKind::IpPort, self.endpoints.is_empty()),
            (FilterKind::IntfName, self.interfaces.is_empty()),
        ]
        .into_iter()
        .filter_map(|(kind, is_unused)| (!is_unused).then_some(kind))
    }

    /// Says whether a record with these addresses, each perhaps with its port, is wanted.
    #[must_use]
    pub fn match_endpoints(&self, endpoints: &[(IpAddr, Option<u16>)]) -> bool {
        let any = |matches: &dyn Fn(IpAddr, Option<u16>) -> bool| {
            endpoints
                .iter()
                .any(|(address, port)| matches(*address, *port))
        };
        let has_address = |address, _| {
            let mut networks = self.addresses.iter();
            networks.any(|network| network.contains(address))
        };
        let has_port = |_, port: Option<u16>| port.is_some_and(|port| self.ports.contains(&port));
        let is_endpoint = |address, port: Option<u16>| {
            port.is_some_and(|port| self.endpoints.contains(&Endpoint { address, port }))
        };
        (self.addresses.is_empty() || any(&has_address))
            && (self.ports.is_empty() || any(&has_port))
            && (self.endpoints.is_empty() || any(&is_endpoint))
    }

    /// Says whether a record of these ports is wanted.
    #[must_use]
    pub fn match_ports(&self, first: u16, last: u16) -> bool {
        let mut ports = self.ports.iter();
        self.ports.is_empty() || ports.any(|port| (first..=last).contains(port))
    }

    /// Says whether a record of this interface is wanted.
    #[must_use]
    pub fn match_interface(&self, interface: &str) -> bool {
        let mut names = self.interfaces.iter();
        self.interfaces.is_empty() || names.any(|name| name.eq_ignore_ascii_case(interface))
    }
}

/// Counts the records of a report, and says which still have room in it.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    left: u64,
    /// Records that were let in.
    pub(super) shown: u64,
    /// Records that there are.
    pub(super) total: u64,
}

impl Room {
    /// Room for what `limit` allows; `maxrecs` is what the profile says, absent for all.
    #[must_use]
    pub fn new(limit: Limit, maxrecs: Option<u16>) -> Self {
        let left = match limit {
            Limit::None => u64::MAX,
            Limit::Maxrecs => maxrecs.map_or(u64::MAX, u64::from),
            Limit::Records(records) => u64::from(records),
        };
        Self {
            left,
            shown: 0,
            total: 0,
        }
    }

    /// Counts one record, and says whether it has room.
    pub fn admit(&mut self) -> bool {
        self.admit_of(1) == 1
    }

    /// Counts records, and says how many of them have room.
    pub(super) fn admit_of(&mut self, records: usize) -> usize {
        let admitted = usize::try_from(self.left).map_or(records, |left| left.min(records));
        self.total += records as u64;
        self.shown += admitted as u64;
        self.left -= admitted as u64;
        admitted
    }
}
