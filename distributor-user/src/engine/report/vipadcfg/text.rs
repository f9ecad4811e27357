//! VIPADCFG as text.

use std::fmt::{self, Write as _};

use super::super::layout::{
    Column, Layout, Line, Style, beside, grid, mask, number, with_prefix, yes,
};
use super::super::vdpt::{method_word, standby_word};
use super::{
    BACKUPS, DEFINITIONS, DestinationRow, DvipaRow, QUIESCED, RANGES, ROUTES, RangeRow,
    SERVICE_MANAGER, SERVICES, ServiceManagerRow, ServiceRow, Vipadcfg,
};

/// A service without PORT has no port to show.
const NO_PORT: &str = "n/a";

pub(in super::super) fn text(out: &mut String, vipadcfg: &Vipadcfg, style: Style) -> fmt::Result {
    if *vipadcfg == Vipadcfg::default() {
        return Ok(());
    }
    writeln!(out, "Dynamic VIPA Information:")?;
    let is_backup = |row: &DvipaRow| row.role == "backup";
    let (backups, definitions): (Vec<_>, Vec<_>) =
        vipadcfg.dvipas.iter().cloned().partition(is_backup);
    let expanded = expand(&vipadcfg.services);
    let mut sections = Sections { out, style };
    sections.write("VIPA Backup", BACKUPS, &backups, dvipa_cells, dvipa_long)?;
    let cells = |row: &DvipaRow| {
        let mut cells = dvipa_cells(row);
        cells.remove(1);
        cells
    };
    sections.write("VIPA Define", DEFINITIONS, &definitions, cells, dvipa_long)?;
    sections.write(
        "VIPA Range",
        RANGES,
        &vipadcfg.ranges,
        range_cells,
        range_long,
    )?;
    sections.write(
        "VIPA Distribute",
        SERVICES,
        &expanded,
        service_cells,
        |out, row| service_long(out, row, style),
    )?;
    let manager = vipadcfg.service_manager.as_slice();
    sections.write(
        "VIPA Service Manager",
        SERVICE_MANAGER,
        manager,
        |row| {
            let port = number(Some(row.port), 5);
            vec![
                row.multicast.to_string(),
                port,
                yes(row.has_password).to_owned(),
            ]
        },
        |out, row| manager_long(out, *row),
    )?;
    sections.write(
        "VIPA Route",
        ROUTES,
        &vipadcfg.routes,
        |row| {
            let target = row.target.clone().unwrap_or_default();
            vec![
                row.dest_xcf.to_string(),
                row.target_address.to_string(),
                row.encapsulation.clone(),
                target,
            ]
        },
        |out, row| {
            let target = beside(&row.dest_xcf.to_string(), row.target.as_deref());
            writeln!(out, "    DestXCF:  {target}")?;
            writeln!(out, "      TargetIp: {}", row.target_address)?;
            writeln!(out, "      Encap:    {}", row.encapsulation)
        },
    )?;
    sections.write(
        "Quiesced",
        QUIESCED,
        &vipadcfg.quiesced,
        |row| vec![row.scope.clone()],
        |out, row| writeln!(out, "    Scope:    {}", row.scope),
    )
}

/// Writes sections, each only if there is something in it.
struct Sections<'a> {
    out: &'a mut String,
    style: Style,
}

impl Sections<'_> {
    fn write<T>(
        &mut self,
        title: &str,
        columns: &[Column],
        rows: &[T],
        cells: impl Fn(&T) -> Vec<String>,
        long: impl Fn(&mut String, &T) -> fmt::Result,
    ) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "  {title}:")?;
        if self.style.layout == Layout::Long {
            return rows.iter().try_for_each(|row| long(self.out, row));
        }
        let lines: Vec<Line> = rows.iter().map(|row| cells(row).into()).collect();
        grid(self.out, "    ", columns, &lines, self.style.layout)
    }
}

fn dvipa_cells(row: &DvipaRow) -> Vec<String> {
    vec![
        row.dvipa.to_string(),
        number(row.rank, 6),
        mask(row.dvipa, row.prefix_len),
        row.moveable.clone().unwrap_or_default(),
        service_managed(row).to_owned(),
        dvipa_flags(row),
        row.interface.clone().unwrap_or_default(),
    ]
}

fn dvipa_long(out: &mut String, row: &DvipaRow) -> fmt::Result {
    match &row.interface {
        Some(interface) => {
            writeln!(out, "    IntfName: {interface}")?;
            writeln!(
                out,
                "      IpAddr: {}",
                with_prefix(row.dvipa, row.prefix_len)
            )?;
        }
        None => writeln!(
            out,
            "    IpAddr/PrefixLen: {}",
            with_prefix(row.dvipa, row.prefix_len)
        )?,
    }
    let rank = row
        .rank
        .map_or_else(String::new, |rank| format!("Rank: {rank:06}   "));
    let flags = dvipa_flags(row);
    let flags = if flags.is_empty() {
        flags
    } else {
        format!("  Flg: {flags}")
    };
    let line = format!(
        "      {rank}Moveable: {:<11} SrvMgr: {}{flags}",
        row.moveable.as_deref().unwrap_or_default(),
        service_managed(row)
    );
    writeln!(out, "{}", line.trim_end())
}

/// A passive backup takes SERVICEMGR from the definition that it backs up.
fn service_managed(row: &DvipaRow) -> &'static str {
    match (row.dvipa.is_ipv6(), row.moveable.is_some()) {
        (true, _) => "n/a",
        (false, true) => yes(row.is_service_managed),
        (false, false) => "",
    }
}

fn dvipa_flags(row: &DvipaRow) -> String {
    let scope = if row.is_cpc_scope { "C" } else { "" };
    let tier = row.tier.map_or_else(String::new, |tier| tier.to_string());
    format!("{scope}{tier}")
}

fn range_cells(row: &RangeRow) -> Vec<String> {
    vec![
        row.network.to_string(),
        mask(row.network, Some(row.prefix_len)),
        row.moveable.clone(),
        row.used_by.clone().unwrap_or_default(),
        row.saf.clone().unwrap_or_default(),
        row.interface.clone().unwrap_or_default(),
    ]
}

fn range_long(out: &mut String, row: &RangeRow) -> fmt::Result {
    if let Some(interface) = &row.interface {
        writeln!(out, "    IntfName: {interface}")?;
    }
    let network = with_prefix(row.network, Some(row.prefix_len));
    writeln!(out, "    IpAddr/PrefixLen: {network}")?;
    let mut line = format!("      Moveable: {:<11}", row.moveable);
    for (label, value) in [("Flg", &row.used_by), ("SAF Name", &row.saf)] {
        if let Some(value) = value {
            let _ = write!(line, " {label}: {value} ");
        }
    }
    writeln!(out, "{}", line.trim_end())
}

/// One port and target of a service; no target stands for all.
struct Expanded<'a> {
    service: &'a ServiceRow,
    port: Option<u16>,
    destination: Option<&'a DestinationRow>,
}

fn expand(services: &[ServiceRow]) -> Vec<Expanded<'_>> {
    let mut expanded = Vec::new();
    for service in services {
        let ports: Vec<Option<u16>> = if service.ports.is_empty() {
            vec![None]
        } else {
            service.ports.iter().copied().map(Some).collect()
        };
        for port in ports {
            let row = |destination| Expanded {
                service,
                port,
                destination,
            };
            if service.is_for_all {
                expanded.push(row(None));
            }
            expanded.extend(service.destinations.iter().map(|one| row(Some(one))));
        }
    }
    expanded
}

impl Expanded<'_> {
    fn dest_xcf(&self) -> String {
        self.destination
            .map_or_else(|| "ALL".to_owned(), |one| one.dest_xcf.to_string())
    }

    fn target(&self) -> Option<&str> {
        self.destination.and_then(|one| one.target.as_deref())
    }

    fn affinity(&self) -> String {
        match self.service.timed_affinity_s {
            0 => "No".to_owned(),
            seconds => format!("{seconds:04}"),
        }
    }
}

fn service_cells(row: &Expanded<'_>) -> Vec<String> {
    let standby = row.destination.and_then(|one| one.standby.as_deref());
    vec![
        row.service.dvipa.to_string(),
        row.port
            .map_or_else(|| NO_PORT.to_owned(), |port| number(Some(port), 5)),
        row.dest_xcf(),
        yes(row.service.has_sysplex_ports).to_owned(),
        row.affinity(),
        letters(row),
        method_word(&row.service.method).to_owned(),
        standby.map_or_else(String::new, |standby| standby_word(standby).to_owned()),
        optional(row.destination.and_then(|one| one.rank), 3),
        optional(row.destination.and_then(|one| one.weight), 2),
        row.service
            .opt_local
            .map_or_else(|| "No".to_owned(), |value| value.to_string()),
        row.target().unwrap_or_default().to_owned(),
    ]
}

fn optional(value: Option<u8>, width: usize) -> String {
    value.map_or_else(String::new, |value| number(Some(value), width))
}

fn letters(row: &Expanded<'_>) -> String {
    let dynamic = row.port.map_or("D", |_| "");
    let tier = row.service.tier;
    format!(
        "{dynamic}{}",
        tier.map_or_else(String::new, |tier| tier.to_string())
    )
}

fn words(row: &Expanded<'_>) -> String {
    let dynamic = row.port.is_none().then(|| "Dynamic".to_owned());
    let tier = row.service.tier.map(|tier| format!("Tier{tier}"));
    let words: Vec<String> = [dynamic, tier].into_iter().flatten().collect();
    words.join(", ")
}

fn service_long(out: &mut String, row: &Expanded<'_>, style: Style) -> fmt::Result {
    let service = row.service;
    if let Some(interface) = &service.interface {
        writeln!(out, "    DestIntf:  {interface}")?;
    }
    let port = row
        .port
        .map_or_else(|| NO_PORT.to_owned(), |port| port.to_string());
    writeln!(out, "    Dest:      {}..{port}", service.dvipa)?;
    writeln!(
        out,
        "      DestXCF: {}",
        beside(&row.dest_xcf(), row.target())
    )?;
    let method = method_word(&service.method);
    match row.destination.and_then(|one| one.standby.as_deref()) {
        None => writeln!(out, "      DistMethod: {method}")?,
        Some(standby) => {
            let rank = row.destination.and_then(|one| one.rank);
            let rank = rank.map_or_else(String::new, |rank| format!("  Rank: {rank:03}"));
            writeln!(
                out,
                "      DistMethod: {method:<15} SrvType: {}{rank}",
                standby_word(standby)
            )?;
        }
    }
    if let Some((back, health)) = service.switches_back.zip(service.minds_health) {
        writeln!(
            out,
            "      AutoSwitchBack: {:<11} HealthSwitch: {}",
            yes(back),
            yes(health)
        )?;
    }
    let line = format!(
        "      SysPt:   {:<4} TimAff: {:<5} Flg: {}",
        yes(service.has_sysplex_ports),
        row.affinity(),
        words(row)
    );
    writeln!(out, "{}", line.trim_end())?;
    if style.has_detail {
        detail(out, row)
    } else {
        Ok(())
    }
}

fn detail(out: &mut String, row: &Expanded<'_>) -> fmt::Result {
    let service = row.service;
    match service.opt_local {
        Some(value) => writeln!(out, "      OptLoc:  {value}")?,
        None => writeln!(out, "      OptLoc:  No")?,
    }
    if let Some(weight) = row.destination.and_then(|one| one.weight) {
        writeln!(out, "      Weight:  {weight:02}")?;
    }
    if let Some(kinds) = service.processors {
        writeln!(
            out,
            "      ProcType:   CP: {:02}  zAAP: {:02}  zIIP: {:02}",
            kinds.cp, kinds.zaap, kinds.ziip
        )?;
    }
    if let Some(cost) = service.cross_cost {
        writeln!(
            out,
            "      ProcXCost:  zAAP: {:03}  zIIP: {:03}",
            cost.zaap, cost.ziip
        )?;
    }
    match service.importance {
        Some(importance) => writeln!(out, "      ILWeighting: {importance}"),
        None => Ok(()),
    }
}

fn manager_long(out: &mut String, row: ServiceManagerRow) -> fmt::Result {
    writeln!(
        out,
        "    McastGroup: {:<15}  Port: {:05}  Pwd: {}",
        row.multicast,
        row.port,
        yes(row.has_password)
    )
}
