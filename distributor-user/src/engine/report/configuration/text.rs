//! CONFIG as text.

use std::fmt::{self, Write as _};

use super::super::layout::{Column, Layout, Line, Style, grid, mask, number, yes};
use super::{Configuration, DaemonRow, GlobalRow, IpRow, MonitorRow};

/// The columns of the table: a line for each setting.
const TABLE: &[Column] = &[Column::table("", "Setting"), Column::table("", "Value")];

pub(in super::super) fn text(
    out: &mut String,
    configuration: &Configuration,
    style: Style,
) -> fmt::Result {
    if style.layout == Layout::Table {
        let value = serde_json::to_value(configuration);
        let value = value.expect("plain data always has a JSON form");
        let mut lines = Vec::new();
        flatten(&mut lines, "", &value);
        return grid(out, "", TABLE, &lines, Layout::Table);
    }
    writeln!(out, "IP Configuration Table:")?;
    ip(out, &configuration.ip)?;
    if let Some(ip6) = &configuration.ip6 {
        writeln!(out, "IPv6 Configuration Table:")?;
        ip(out, ip6)?;
    }
    global(out, &configuration.global)?;
    monitor(out, configuration.monitor)?;
    daemon(out, &configuration.daemon)
}

fn ip(out: &mut String, ip: &IpRow) -> fmt::Result {
    writeln!(
        out,
        "Forwarding: {:<6} TimeToLive: {:05}  RsmTimeOut:  {:05}",
        yes(ip.forwards),
        ip.time_to_live,
        ip.reassembly_timeout_s
    )?;
    writeln!(
        out,
        "MultiPath:  {:<6} PathMtuDsc: {:<6} SourceVipa:  {}",
        ip.multipath,
        yes(ip.discovers_path_mtu),
        yes(ip.has_source_vipa)
    )?;
    writeln!(out, "QDIOAccel:  {}", yes(ip.accelerates))?;
    if let Some(source) = &ip.tcp_stack_source_vipa {
        writeln!(out, "TcpStackSrcVipa: {source}")?;
    }
    writeln!(
        out,
        "SysplexRout: {:<5} DynamicXCF: {}",
        yes(ip.sysplex_routing),
        yes(ip.dynamic_xcf.is_some())
    )?;
    let Some(own) = &ip.dynamic_xcf else {
        return Ok(());
    };
    let line = format!(
        "  IpAddr: {:<16} SubNet: {:<16} Metric: {}",
        own.address,
        mask(own.address, own.prefix_len),
        number(own.cost_metric, 2)
    );
    writeln!(out, "{}", line.trim_end())?;
    if let Some(class) = own.security_class {
        writeln!(out, "  SecClass: {class:03}")?;
    }
    match &own.source_vipa_interface {
        Some(interface) => writeln!(out, "  SrcVipaInt: {interface}"),
        None => Ok(()),
    }
}

fn global(out: &mut String, global: &GlobalRow) -> fmt::Result {
    writeln!(out, "Global Configuration Information:")?;
    writeln!(
        out,
        "XCFGRPID: {:<8} IQDVLANID: {}",
        global
            .xcf_group_id
            .map_or_else(String::new, |id| format!("{id:02}")),
        global.iqd_vlan_id
    )?;
    let records = global
        .max_records
        .map_or_else(|| "*".to_owned(), |records| records.to_string());
    writeln!(
        out,
        "SysplexWLMPoll: {:03}  MaxRecs: {records}",
        global.wlm_poll_s
    )?;
    writeln!(
        out,
        "ExplicitBindPortRange: {:05}-{:05}   AdjustDVIPAMSS: {}",
        global.explicit_bind_first.unwrap_or_default(),
        global.explicit_bind_last.unwrap_or_default(),
        global.adjust_dvipa_mss
    )
}

fn monitor(out: &mut String, monitor: MonitorRow) -> fmt::Result {
    writeln!(out, "Sysplex Monitor:")?;
    writeln!(
        out,
        "  TimerSecs: {:04}  Recovery: {:<4} DelayJoin: {:<4} AutoRejoin: {}",
        monitor.timer_s,
        yes(monitor.recovers),
        yes(monitor.delays_join),
        yes(monitor.rejoins)
    )?;
    writeln!(
        out,
        "  MonIntf:   {:<5} DynRoute: {:<4} Join: {:<5} MonIpSec: {:<4} DelayJoinIpSec: {}",
        yes(monitor.watches_interfaces),
        yes(monitor.watches_routes),
        yes(monitor.joins),
        yes(monitor.watches_ipsec),
        yes(monitor.delays_join_ipsec)
    )
}

fn daemon(out: &mut String, daemon: &DaemonRow) -> fmt::Result {
    writeln!(out, "Distributor:")?;
    writeln!(out, "  Profile:    {}", daemon.profile)?;
    writeln!(out, "  XcfIntf:    {}", daemon.xcf_interface)?;
    writeln!(out, "  Interfaces: {}", daemon.interfaces.join(" "))?;
    for own in &daemon.group_addresses {
        writeln!(
            out,
            "  GroupAddr:  {}/{} on {}",
            own.address, own.prefix_len, own.interface
        )?;
    }
    writeln!(
        out,
        "  GroupPort:  {:05}  FlowCapacity: {}  StopDeadline: {}",
        daemon.group_port, daemon.flow_capacity, daemon.stop_deadline_s
    )
}

/// Writes each setting below its path.
fn flatten(lines: &mut Vec<Line>, path: &str, value: &serde_json::Value) {
    use serde_json::Value;
    let text = match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(lines, &path, value);
            }
            return;
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            for (position, value) in values.iter().enumerate() {
                flatten(lines, &format!("{path}.{position}"), value);
            }
            return;
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(plain).collect();
            values.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => plain(value),
    };
    lines.push(Line::from(vec![path.to_owned(), text]));
}

fn plain(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(is) => yes(*is).to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
