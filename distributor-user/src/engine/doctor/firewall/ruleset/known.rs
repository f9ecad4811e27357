//! What is known of a packet, against what a rule names.

use std::net::IpAddr;

use serde_json::Value;

use crate::engine::links::contains;

/// Ports below are those of servers with privileges (`net.ipv4.ip_unprivileged_port_start`).
const FIRST_EPHEMERAL: u64 = 1_024;

/// Whether something matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    Perhaps,
}

/// Something of a packet that is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    Number(u16),
    /// The port of a client, which is none of those that only servers have.
    Ephemeral,
    Address(IpAddr),
    /// A protocol above IP.
    Protocol(Protocol),
    Word(&'static str),
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    Tcp,
    Udp,
    Icmpv6,
}

impl Protocol {
    /// What it is called in rules: by `nft` itself, and in `/etc/protocols`.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Tcp => &["tcp"],
            Self::Udp => &["udp"],
            Self::Icmpv6 => &["icmpv6", "ipv6-icmp"],
        }
    }

    /// Its number, which `nft` writes where it knows no name.
    fn number(self) -> u64 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmpv6 => 58,
        }
    }
}

impl Known {
    /// A port; that of a client if it is not known.
    pub(super) fn port(port: Option<u16>) -> Self {
        port.map_or(Self::Ephemeral, Self::Number)
    }

    /// Whether it is what a rule names, or within it.
    pub(super) fn is(self, value: &Value) -> Match {
        let found = match self {
            Self::Number(number) => {
                let number = u64::from(number);
                if let Some(range) = value.get("range") {
                    let [first, last] = [0, 1].map(|at| range[at].as_u64());
                    first
                        .zip(last)
                        .map(|(first, last)| (first..=last).contains(&number))
                } else {
                    value.as_u64().map(|other| other == number)
                }
            }
            Self::Ephemeral => {
                let last = value.get("range").map_or(value, |range| &range[1]);
                let is_reserved = last.as_u64().is_some_and(|last| last < FIRST_EPHEMERAL);
                is_reserved.then_some(false)
            }
            Self::Address(address) => {
                if let Some(prefix) = value.get("prefix") {
                    let network = word(prefix, "addr").parse::<IpAddr>().ok();
                    let bits = prefix["len"]
                        .as_u64()
                        .and_then(|bits| u8::try_from(bits).ok());
                    let network = network.zip(bits);
                    network.map(|(network, bits)| contains(network, bits, address))
                } else if let Some(range) = value.get("range") {
                    let [first, last] =
                        [0, 1].map(|at| range[at].as_str().and_then(|text| text.parse().ok()));
                    first
                        .zip(last)
                        .map(|(first, last): (IpAddr, IpAddr)| (first..=last).contains(&address))
                } else {
                    let other = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                    other.map(|other| other == address)
                }
            }
            Self::Protocol(protocol) => {
                let by_name = value
                    .as_str()
                    .map(|other| protocol.names().contains(&other));
                by_name.or_else(|| value.as_u64().map(|other| other == protocol.number()))
            }
            Self::Word(word) => value.as_str().map(|other| other == word),
        };
        match found {
            Some(true) => Match::Yes,
            Some(false) => Match::No,
            None => Match::Perhaps,
        }
    }
}

/// A text of an object; empty if there is none.
pub(super) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
