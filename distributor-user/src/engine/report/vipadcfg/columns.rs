//! What the layouts call the fields of VIPADCFG.

use super::super::layout::Column;

/// What the layouts call the fields of a VIPABACKUP.
pub(in super::super) const BACKUPS: &[Column] = &[
    Column::short("dvipa", "IP Address", 15).long("IpAddr"),
    Column::short("rank", "Rank", 6).long("Rank"),
    Column::short("prefix_len", "AddressMask", 15).long("PrefixLen"),
    Column::short("moveable", "Moveable", 9).long("Moveable"),
    Column::short("is_service_managed", "SrvMgr", 6).long("SrvMgr"),
    Column::short("tier", "Flg", 3).long("Flg"),
    Column::table("interface", "IntfName").long("IntfName"),
];
/// What the layouts call the fields of a VIPADEFINE.
pub(in super::super) const DEFINITIONS: &[Column] = &[
    BACKUPS[0], BACKUPS[2], BACKUPS[3], BACKUPS[4], BACKUPS[5], BACKUPS[6],
];
/// What the layouts call the fields of a VIPARANGE.
pub(in super::super) const RANGES: &[Column] = &[
    Column::short("network", "IP Address", 15).long("IpAddr"),
    Column::short("prefix_len", "AddressMask", 15).long("PrefixLen"),
    Column::short("moveable", "Moveable", 9).long("Moveable"),
    Column::short("used_by", "Flg", 5).long("Flg"),
    Column::short("saf", "SAF Name", 8).long("SAF Name"),
    Column::table("interface", "IntfName").long("IntfName"),
];
/// What the layouts call the fields of a VIPADISTRIBUTE, one line per port and target.
pub(in super::super) const SERVICES: &[Column] = &[
    Column::short("dvipa", "Dest IPaddr", 15).long("Dest"),
    Column::short("ports", "DPort", 5).long("Dest"),
    Column::short("destinations.dest_xcf", "DestXCF Addr", 15).long("DestXCF"),
    Column::short("has_sysplex_ports", "SysPt", 5).long("SysPt"),
    Column::short("timed_affinity_s", "TimAff", 6).long("TimAff"),
    Column::short("tier", "Flg", 3).long("Flg"),
    Column::short("method", "DistMethod", 14).long("DistMethod"),
    Column::table("destinations.standby", "SrvType").long("SrvType"),
    Column::table("destinations.rank", "Rank").long("Rank"),
    Column::table("destinations.weight", "Weight").long("Weight"),
    Column::table("opt_local", "OptLoc").long("OptLoc"),
    Column::short("destinations.target", "Target", 16).long("Stack"),
    Column::only_long("switches_back", "AutoSwitchBack"),
    Column::only_long("minds_health", "HealthSwitch"),
    Column::only_long("processors", "ProcType"),
    Column::only_long("cross_cost", "ProcXCost"),
    Column::only_long("importance", "ILWeighting"),
];
/// What the layouts call the fields of VIPASMPARMS.
pub(in super::super) const SERVICE_MANAGER: &[Column] = &[
    Column::short("multicast", "McastGroup", 15).long("McastGroup"),
    Column::short("port", "Port", 5).long("Port"),
    Column::short("has_password", "Pwd", 3).long("Pwd"),
];
/// What the layouts call the fields of a VIPAROUTE.
pub(in super::super) const ROUTES: &[Column] = &[
    Column::short("dest_xcf", "DestXCF Addr", 15).long("DestXCF"),
    Column::short("target_address", "TargetIp", 15).long("TargetIp"),
    Column::table("encapsulation", "Encap").long("Encap"),
    Column::short("target", "Target", 16).long("Stack"),
];
/// What the layouts call the fields of what is quiesced.
pub(in super::super) const QUIESCED: &[Column] =
    &[Column::short("scope", "Scope", 22).long("Scope")];
