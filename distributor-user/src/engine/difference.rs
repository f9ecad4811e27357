//! What differs between two configurations, in the order in which it takes effect.
//!
//! A pure comparison: nothing here knows a connection, and names of stacks are
//! spelled by the caller. Two configurations that are not equal always differ in
//! something that is said, and equal ones in nothing.

mod distribution;
mod dvipa;
mod ports;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use super::config::{Config, DynamicXcf, Ipv6Xcf, VipaRange, VipaRoute};
use super::forwarding::ServiceKey;

/// When a difference takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before anything else: who may use which port.
    First,
    /// All together, when the stack takes the configuration.
    AtOnce,
    /// When this stack has come to have the address.
    Claimed,
    /// When the last connection has ended.
    Drained,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// When that takes effect.
    pub when: When,
    /// What it is about.
    pub subject: Subject,
    /// In which way.
    pub change: Change,
    /// Whom it concerns.
    pub reach: Reach,
}

/// What a difference is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A statement of its own: its keyword, and which one of its kind.
    Statement(&'static str, String),
    /// A DVIPA of this stack.
    Dvipa(IpAddr),
    /// A service: VIPADISTRIBUTE with PORT.
    Service(ServiceKey),
    /// A target of a service, by its DYNAMICXCF address.
    Target(ServiceKey, IpAddr),
    /// A VIPADISTRIBUTE without PORT.
    Dynamic(IpAddr),
}

/// In which way it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new; what it says.
    Added(String),
    /// It is gone; what it said.
    Removed(String),
    /// Something of it is another.
    Changed {
        /// What.
        what: &'static str,
        /// What was said before; `none` for nothing.
        before: String,
        /// What is said now.
        after: String,
    },
    /// The same statements stand in another order.
    Reordered,
}

/// Whom a difference concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Connections that begin from then on; the others stay as they are.
    NewConnections,
    /// The same, and what there is of connections goes on to its end.
    Drains,
    /// Packets of all connections.
    AllConnections,
    /// Servers that bind or listen from then on.
    NewServers,
    /// Who owns or takes over the address.
    Ownership,
    /// This stack.
    Stack,
    /// Nobody: it is kept and shown.
    Shown,
}

/// Compares two configurations; `spell` says which stack an address is.
#[must_use]
pub fn between(
    before: &Config,
    after: &Config,
    spell: &dyn Fn(IpAddr) -> String,
) -> Vec<Difference> {
    // Named one by one, so that none can be forgotten.
    let Config {
        dynamic_xcf,
        sysplex_routing,
        ip,
        ip6,
        global,
        dvipas,
        interfaces,
        services,
        dynamic_services,
        routes,
        ranges,
        service_manager,
        ports,
        port_ranges,
        unreserved,
    } = before;
    let mut found = Found::default();
    found.list(
        ("PORT UNRSV", When::First, Reach::NewServers),
        (unreserved, &after.unreserved),
        ports::unreserved,
    );
    found.list(
        ("PORT", When::First, Reach::NewServers),
        (ports, &after.ports),
        ports::reservation,
    );
    found.list(
        ("PORTRANGE", When::First, Reach::NewServers),
        (port_ranges, &after.port_ranges),
        ports::range,
    );
    settings::compare(
        &mut found,
        ["IPCONFIG", "IPCONFIG6", "GLOBALCONFIG"],
        (ip, ip6.as_ref(), global),
        (&after.ip, after.ip6.as_ref(), &after.global),
    );
    found.value(
        ("IPCONFIG", "SYSPLEXROUTING", Reach::Shown),
        (sysplex_routing, &after.sysplex_routing),
        |is_there| if *is_there { "YES" } else { "NO" }.to_owned(),
    );
    found.value(
        ("IPCONFIG", "DYNAMICXCF", Reach::Stack),
        (dynamic_xcf, &after.dynamic_xcf),
        |own| own.map_or_else(nothing, dynamic_xcf_words),
    );
    let ipv6 = |config: &Config| config.ipv6_xcf().cloned();
    found.value(
        ("IPCONFIG6", "DYNAMICXCF", Reach::Stack),
        (&ipv6(before), &ipv6(after)),
        |own| own.as_ref().map_or_else(nothing, ipv6_xcf_words),
    );
    found.list(
        ("VIPARANGE", When::AtOnce, Reach::Shown),
        (ranges, &after.ranges),
        range_words,
    );
    found.value(
        ("VIPASMPARMS", "service manager", Reach::Shown),
        (service_manager, &after.service_manager),
        |manager| {
            manager.map_or_else(nothing, |manager| {
                let password = if manager.has_password { " SMPASS" } else { "" };
                format!(
                    "SMMCAST {} SMPORT {}{password}",
                    manager.multicast, manager.port
                )
            })
        },
    );
    found.list(
        ("VIPAROUTE", When::AtOnce, Reach::AllConnections),
        (routes, &after.routes),
        |route| route_words(route, spell),
    );
    dvipa::compare(
        &mut found,
        (dvipas, interfaces),
        (&after.dvipas, &after.interfaces),
    );
    distribution::compare(
        &mut found,
        (services, dynamic_services),
        (&after.services, &after.dynamic_services),
        spell,
    );
    let mut found = found.0;
    // Stable: what takes effect together stands in the order of the language.
    found.sort_by_key(|difference| difference.when);
    found
}

/// What is shown where nothing is written.
fn nothing() -> String {
    "none".to_owned()
}

fn dynamic_xcf_words(own: DynamicXcf) -> String {
    let DynamicXcf {
        address,
        prefix_len,
        cost_metric,
    } = own;
    format!("{address}/{prefix_len} metric {cost_metric}")
}

fn ipv6_xcf_words(own: &Ipv6Xcf) -> String {
    let prefix_len = own.network().prefix_len;
    let interface = own.interface_id.map(|id| format!(" INTFID {id}"));
    format!(
        "{}/{prefix_len}{}",
        own.address,
        interface.unwrap_or_default()
    )
}

fn route_words(route: &VipaRoute, spell: &dyn Fn(IpAddr) -> String) -> String {
    let VipaRoute {
        dynamic_xcf,
        target,
        encapsulation,
    } = route;
    format!(
        "to {} by {target} in {}",
        spell(*dynamic_xcf),
        encapsulation.keyword()
    )
}

fn range_words(range: &VipaRange) -> String {
    let VipaRange {
        network,
        prefix_len,
        moveable,
        interface,
        saf,
        used_by,
    } = range;
    let interface = interface.as_deref().unwrap_or("-");
    let saf = saf.as_deref().unwrap_or("-");
    format!(
        "{network}/{prefix_len} {moveable:?}, for {used_by:?}, interface {interface}, SAF {saf}"
    )
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found(Vec<Difference>);

impl Found {
    fn push(&mut self, when: When, subject: Subject, change: Change, reach: Reach) {
        self.0.push(Difference {
            when,
            subject,
            change,
            reach,
        });
    }

    /// Compares statements that have no key: each is there or not.
    fn list<T: PartialEq>(
        &mut self,
        (keyword, when, reach): (&'static str, When, Reach),
        (before, after): (&[T], &[T]),
        words: impl Fn(&T) -> String,
    ) {
        let mut added: Vec<&T> = after.iter().collect();
        let mut removed = Vec::new();
        for one in before {
            match added.iter().position(|other| *other == one) {
                Some(at) => drop(added.remove(at)),
                None => removed.push(one),
            }
        }
        if removed.is_empty() && added.is_empty() && before != after {
            let subject = Subject::Statement(keyword, String::new());
            self.push(when, subject, Change::Reordered, reach);
        }
        for one in removed {
            let subject = Subject::Statement(keyword, words(one));
            self.push(when, subject, Change::Removed(words(one)), reach);
        }
        for one in added {
            let subject = Subject::Statement(keyword, words(one));
            self.push(when, subject, Change::Added(words(one)), reach);
        }
    }

    /// Compares something that is there once.
    fn value<T: PartialEq>(
        &mut self,
        (keyword, what, reach): (&'static str, &'static str, Reach),
        (before, after): (&T, &T),
        words: impl Fn(&T) -> String,
    ) {
        if before != after {
            let subject = Subject::Statement(keyword, String::new());
            self.changed(
                When::AtOnce,
                subject,
                what,
                (words(before), words(after)),
                reach,
            );
        }
    }

    fn changed(
        &mut self,
        when: When,
        subject: Subject,
        what: &'static str,
        (before, after): (String, String),
        reach: Reach,
    ) {
        let change = Change::Changed {
            what,
            before,
            after,
        };
        self.push(when, subject, change, reach);
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(keyword, which) if which.is_empty() => f.write_str(keyword),
            Self::Statement(keyword, which) => write!(f, "{keyword} {which}"),
            Self::Dvipa(dvipa) => write!(f, "DVIPA {dvipa}"),
            Self::Service(ServiceKey { dvipa, port })
            | Self::Target(ServiceKey { dvipa, port }, _) => {
                write!(f, "{}", std::net::SocketAddr::from((*dvipa, *port)))
            }
            Self::Dynamic(dvipa) => write!(f, "{dvipa}, ports that servers choose"),
        }
    }
}
