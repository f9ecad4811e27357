//! Renders reports in z/OS's layouts.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{Body, Report};
use crate::engine::config::{Destinations, DistMethod, Dvipa, DvipaRole, Moveable, Service};

/// Renders a report as text; every line ends with a line feed.
#[must_use]
pub fn render(report: &Report) -> String {
    let version = concat!("DISTRIBUTOR NETSTAT V", env!("CARGO_PKG_VERSION"));
    let mut text = format!(
        "{version:<33}TCPIP Name: {:<16}{}\n",
        report.stack, report.time
    );
    // Writing to a String cannot fail.
    let _ = match &report.body {
        Body::Vipadcfg { dvipas, services } => vipadcfg(&mut text, dvipas, services),
        Body::Vipadyn { rows } => vipadyn(&mut text, rows),
        Body::Vdpt { rows } => vdpt(&mut text, rows),
        Body::Vcrt { rows } => vcrt(&mut text, rows),
        Body::Stats {
            interfaces,
            counters,
            group,
        } => stats(&mut text, interfaces, counters, group),
    };
    text
}

fn vipadcfg(out: &mut String, dvipas: &[Dvipa], services: &[Service]) -> std::fmt::Result {
    writeln!(out, "Dynamic VIPA Information:")?;
    let is_backup = |dvipa: &&Dvipa| matches!(dvipa.role, DvipaRole::Backup { .. });
    let (backups, definitions): (Vec<&Dvipa>, Vec<&Dvipa>) = dvipas.iter().partition(is_backup);
    for (title, list) in [("VIPA Backup", backups), ("VIPA Define", definitions)] {
        if !list.is_empty() {
            writeln!(out, "  {title}:")?;
        }
        for dvipa in list {
            match dvipa.prefix_len {
                Some(bits) => writeln!(out, "    IpAddr/PrefixLen: {}/{bits}", dvipa.address)?,
                None => writeln!(out, "    IpAddr/PrefixLen: {}", dvipa.address)?,
            }
            match dvipa.role {
                DvipaRole::Define { moveable } => {
                    writeln!(
                        out,
                        "      Moveable: {:<11} SrvMgr: No",
                        spell(Some(moveable))
                    )?;
                }
                DvipaRole::Backup { rank, moveable } => {
                    let moveable = spell(moveable);
                    writeln!(
                        out,
                        "      Rank: {rank:06}   Moveable: {moveable:<11} SrvMgr:"
                    )?;
                }
            }
        }
    }
    if !services.is_empty() {
        writeln!(out, "  VIPA Distribute:")?;
    }
    for service in services {
        let destinations: Vec<String> = match &service.terms.destinations {
            Destinations::All => vec!["ALL".to_owned()],
            Destinations::List(list) => list
                .iter()
                .map(|target| target.address.to_string())
                .collect(),
        };
        for destination in destinations {
            writeln!(out, "    Dest:      {}..{}", service.dvipa, service.port)?;
            writeln!(out, "      DestXCF: {destination}")?;
            writeln!(
                out,
                "      DistMethod: {}",
                method_word(service.terms.method)
            )?;
            writeln!(out, "      SysPt:   No   TimAff: No    Flg:")?;
        }
    }
    Ok(())
}

fn spell(moveable: Option<Moveable>) -> &'static str {
    match moveable {
        Some(Moveable::Immediate) => "Immediate",
        Some(Moveable::WhenIdle) => "WhenIdle",
        None => "",
    }
}

fn method_word(method: DistMethod) -> &'static str {
    match method {
        DistMethod::BaseWlm { .. } => "BaseWLM",
        DistMethod::RoundRobin => "RoundRobin",
        DistMethod::ServerWlm { .. } => "ServerWLM",
        DistMethod::WeightedActive => "WeightedActive",
        DistMethod::HotStandby { .. } => "HotStandby",
        DistMethod::TargControlled => "TargControlled",
    }
}

fn vipadyn(out: &mut String, rows: &[super::VipadynRow]) -> std::fmt::Result {
    writeln!(out, "Dynamic VIPA:")?;
    writeln!(
        out,
        "  {:<15} {:<15} {:<9} {:<15} {:<9} Owner",
        "IP Address", "AddressMask", "Status", "Origination", "DistStat"
    )?;
    writeln!(
        out,
        "  {:<15} {:<15} {:<9} {:<15} {:<9} -----",
        "----------", "-----------", "------", "-----------", "--------"
    )?;
    for row in rows {
        let mask = row
            .prefix_len
            .map_or_else(String::new, |bits| mask(row.dvipa, bits));
        let line = format!(
            "  {:<15} {mask:<15} {:<9} {:<15} {:<9} {}",
            row.dvipa,
            row.status,
            row.origin,
            row.distribution,
            row.owner.as_deref().unwrap_or_default()
        );
        writeln!(out, "{}", line.trim_end())?;
        if let Some(activated) = &row.activated {
            writeln!(out, "    ActTime: {activated}")?;
        }
    }
    Ok(())
}

fn mask(address: IpAddr, bits: u8) -> String {
    match address {
        IpAddr::V4(_) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(bits.min(32)))
                .unwrap_or(0);
            std::net::Ipv4Addr::from_bits(mask).to_string()
        }
        IpAddr::V6(_) => format!("/{bits}"),
    }
}

fn vdpt(out: &mut String, rows: &[super::VdptRow]) -> std::fmt::Result {
    writeln!(out, "Dynamic VIPA Destination Port Table:")?;
    writeln!(
        out,
        "Dest IPaddr     DPort DestXCF Addr    Rdy TotalConn  WLM  TSR Flg Target"
    )?;
    writeln!(
        out,
        "-----------     ----- ------------    --- ---------  ---  --- --- ------"
    )?;
    for row in rows {
        let number = |value: Option<u16>, width: usize| {
            value.map_or_else(|| "-".repeat(width), |value| format!("{value:0width$}"))
        };
        writeln!(
            out,
            "{:<15} {:05} {:<15} {:03} {:010} {:<4} {:<3} {:<3} {}",
            row.dvipa,
            row.port,
            row.dest_xcf,
            row.ready,
            row.total_connections % 10_000_000_000,
            number(row.wlm, 2),
            number(row.tsr, 3),
            format!(
                "{}{}",
                method_letter(&row.method),
                if row.is_active { "" } else { "I" }
            ),
            row.target
        )?;
    }
    Ok(())
}

fn method_letter(method: &str) -> &'static str {
    match method {
        "ROUNDROBIN" => "R",
        _ => "",
    }
}

fn vcrt(out: &mut String, rows: &[super::VcrtRow]) -> std::fmt::Result {
    writeln!(out, "Dynamic VIPA Connection Routing Table:")?;
    writeln!(
        out,
        "Dest IPaddr     DPort Src IPaddr      SPort DestXCF Addr    State           Target"
    )?;
    writeln!(
        out,
        "-----------     ----- ----------      ----- ------------    -----           ------"
    )?;
    for row in rows {
        let line = format!(
            "{:<15} {:05} {:<15} {:05} {:<15} {:<15} {}",
            row.dvipa,
            row.port,
            row.client,
            row.client_port,
            row.dest_xcf,
            row.state,
            row.target.as_deref().unwrap_or_default()
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn stats(
    out: &mut String,
    interfaces: &[super::InterfaceRow],
    counters: &[super::CounterRow],
    group: &[super::GroupRow],
) -> std::fmt::Result {
    writeln!(out, "Packet Path Statistics:")?;
    for interface in interfaces {
        writeln!(
            out,
            "  Interface: {:<15} Mode: {}",
            interface.name, interface.mode
        )?;
    }
    for counter in counters {
        writeln!(
            out,
            "  {:<20} {:>14}  {}",
            counter.name, counter.packets, counter.meaning
        )?;
    }
    writeln!(out, "Group Statistics, without effect or not sent:")?;
    for row in group {
        writeln!(out, "  {:<20} {:>14}", row.reason, row.count)?;
    }
    Ok(())
}
