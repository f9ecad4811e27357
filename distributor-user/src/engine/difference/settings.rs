//! IPCONFIG, IPCONFIG6 and GLOBALCONFIG: every field by its keyword.
//!
//! Fields are compared in their serialised form, so that one that is added to the
//! language is compared too; a test looks that each has its keyword.

use serde::Serialize;
use serde_json::Value;

use super::{Change, Found, Reach, Subject, When, nothing};
use crate::engine::config::{GlobalSettings, IpSettings};

/// The keyword of a field, and whom it concerns.
const KEYWORDS: &[(&str, &str, Reach)] = &[
    ("forwards", "DATAGRAMFWD", Reach::Shown),
    ("forwards_multipath", "FWDMULTIPATH PERPACKET", Reach::Shown),
    ("multipath", "MULTIPATH", Reach::Shown),
    ("has_source_vipa", "SOURCEVIPA", Reach::Shown),
    ("tcp_stack_source_vipa", "TCPSTACKSOURCEVIPA", Reach::Shown),
    ("discovers_path_mtu", "PATHMTUDISCOVERY", Reach::Shown),
    ("accelerates", "QDIOACCELERATOR", Reach::Shown),
    ("accelerator_priority", "QDIOPRIORITY", Reach::Shown),
    ("layout", "FORMAT", Reach::Shown),
    ("time_to_live", "TTL", Reach::Shown),
    ("reassembly_timeout_s", "REASSEMBLYTIMEOUT", Reach::Shown),
    ("xcf.security_class", "SECCLASS", Reach::Shown),
    ("xcf.smcd", "SMCD", Reach::Shown),
    (
        "xcf.source_vipa_interface",
        "SOURCEVIPAINTERFACE",
        Reach::Shown,
    ),
    ("monitor.timer_s", "SYSPLEXMONITOR TIMERSECS", Reach::Shown),
    ("monitor.recovers", "SYSPLEXMONITOR RECOVERY", Reach::Shown),
    (
        "monitor.delays_join",
        "SYSPLEXMONITOR DELAYJOIN",
        Reach::Shown,
    ),
    ("monitor.rejoins", "SYSPLEXMONITOR AUTOREJOIN", Reach::Shown),
    (
        "monitor.watches_interfaces",
        "SYSPLEXMONITOR MONINTERFACE",
        Reach::Shown,
    ),
    (
        "monitor.watches_routes",
        "SYSPLEXMONITOR DYNROUTE",
        Reach::Shown,
    ),
    ("monitor.joins", "SYSPLEXMONITOR JOIN", Reach::Shown),
    (
        "monitor.delays_join_ipsec",
        "SYSPLEXMONITOR DELAYJOINIPSEC",
        Reach::Shown,
    ),
    (
        "monitor.watches_ipsec",
        "SYSPLEXMONITOR MONIPSEC",
        Reach::Shown,
    ),
    ("wlm_poll_s", "SYSPLEXWLMPOLL", Reach::Stack),
    ("xcf_group_id", "XCFGRPID", Reach::Shown),
    ("iqd_vlan_id", "IQDVLANID", Reach::Shown),
    ("explicit_bind_ports", "EXPLICITBINDPORTRANGE", Reach::Shown),
    ("adjust_mss", "ADJUSTDVIPAMSS", Reach::Shown),
    ("max_records", "MAXRECS", Reach::Stack),
    ("has_statistics", "TCPIPSTATISTICS", Reach::Shown),
    ("ecsa_limit", "ECSALIMIT", Reach::Shown),
    ("pool_limit", "POOLLIMIT", Reach::Shown),
];

/// The field that is compared elsewhere: the stack's identity.
const ELSEWHERE: &str = "ipv6_xcf";

/// IPCONFIG, IPCONFIG6 and GLOBALCONFIG.
type Settings<'a> = (&'a IpSettings, Option<&'a IpSettings>, &'a GlobalSettings);

pub(super) fn compare(
    found: &mut Found,
    statements: [&'static str; 3],
    before: Settings<'_>,
    after: Settings<'_>,
) {
    let [ipconfig, ipconfig6, globalconfig] = statements;
    fields(found, ipconfig, before.0, after.0);
    let unwritten = IpSettings::default();
    let change = match (before.1, after.1) {
        (None, Some(_)) => Some(Change::Added(String::new())),
        (Some(_), None) => Some(Change::Removed(String::new())),
        (None, None) | (Some(_), Some(_)) => None,
    };
    if let Some(change) = change {
        let subject = Subject::Statement(ipconfig6, String::new());
        found.push(When::AtOnce, subject, change, Reach::Shown);
    }
    let or_unwritten = |settings| Option::unwrap_or(settings, &unwritten);
    fields(
        found,
        ipconfig6,
        or_unwritten(before.1),
        or_unwritten(after.1),
    );
    fields(found, globalconfig, before.2, after.2);
}

fn fields<T: Serialize>(found: &mut Found, statement: &'static str, before: &T, after: &T) {
    let (before, after) = (flat(before), flat(after));
    for ((path, before), (_, after)) in before.into_iter().zip(after) {
        if before != after {
            let (_, keyword, reach) = KEYWORDS
                .iter()
                .find(|(field, ..)| *field == path)
                .copied()
                .unwrap_or(("", "a setting", Reach::Shown));
            let subject = Subject::Statement(statement, String::new());
            found.changed(When::AtOnce, subject, keyword, (before, after), reach);
        }
    }
}

/// Each field by its path with its value, always the same ones in the same order.
fn flat<T: Serialize>(settings: &T) -> Vec<(String, String)> {
    let value = serde_json::to_value(settings).expect("plain data always has a JSON form");
    let mut flat = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        if path == ELSEWHERE {
            continue;
        }
        if let Value::Object(fields) = value {
            let below = |name: &str| match path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            open.extend(
                fields
                    .into_iter()
                    .map(|(name, value)| (below(&name), value)),
            );
        } else {
            flat.push((path, words(&value)));
        }
    }
    flat
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => nothing(),
        Value::Bool(true) => "YES".to_owned(),
        Value::Bool(false) => "NO".to_owned(),
        Value::String(text) => text.to_uppercase(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join("-"),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_keyword() {
        let ip = flat(&IpSettings::default());
        let global = flat(&GlobalSettings::default());
        let mut known: Vec<&str> = KEYWORDS.iter().map(|(field, ..)| *field).collect();
        for (path, _) in ip.iter().chain(&global) {
            let at = known.iter().position(|field| field == path);
            known.remove(at.unwrap_or_else(|| panic!("`{path}` has no keyword")));
        }
        assert_eq!(known, Vec::<&str>::new(), "these are no fields");
    }
}
