//! What each report is for, and of which lists it is made.

use super::super::layout::Column;
use super::super::{
    ReportName, configuration, events, explain, history, home, portlist, stats, sysplex, vcrt,
    vdpt, vipadcfg, vipadyn,
};

/// A list of records in a report.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Its field in JSON; empty for the report itself.
    pub(super) list: &'static str,
    pub(super) columns: &'static [Column],
}

const fn section(title: &'static str, list: &'static str, columns: &'static [Column]) -> Section {
    Section {
        title,
        list,
        columns,
    }
}

/// z/OS's letter for a report, what it is for, and its lists.
pub(super) fn about(report: ReportName) -> (&'static str, &'static str, Vec<Section>) {
    match report {
        ReportName::Vipadcfg => (
            "netstat -F",
            "What this stack's profile says about DVIPAs, and what its operator has quiesced. \
             Sections without records are left out. SHORT, table and LONG have a line or block for \
             each port and target of a VIPADISTRIBUTE.",
            vec![
                section("VIPA Backup, VIPA Define", "dvipas", vipadcfg::BACKUPS),
                section("VIPA Range", "ranges", vipadcfg::RANGES),
                section("VIPA Distribute", "services", vipadcfg::SERVICES),
                section("A target of a list", "services.destinations", &[]),
                section(
                    "VIPA Service Manager",
                    "service_manager",
                    vipadcfg::SERVICE_MANAGER,
                ),
                section("VIPA Route", "routes", vipadcfg::ROUTES),
                section("Quiesced", "quiesced", vipadcfg::QUIESCED),
            ],
        ),
        ReportName::Vipadyn => (
            "netstat -v",
            "Which DVIPAs are on this stack, what they are here, and who owns them.",
            vec![
                section("Dynamic VIPA", "rows", vipadyn::COLUMNS),
                section("VIPA Route", "routes", vipadyn::ROUTES),
            ],
        ),
        ReportName::Vdpt => (
            "netstat -O",
            "Why does this target get connections, or none? On the owner: every service with its \
             targets that are up and have joined.",
            vec![section("Destination Port Table", "rows", vdpt::COLUMNS)],
        ),
        ReportName::Vcrt => (
            "netstat -V",
            "Where does this connection go? On the owner every connection that it routes, and with \
             port 0 every client that keeps its target; on a target the connections that end there.",
            vec![section("Connection Routing Table", "rows", vcrt::COLUMNS)],
        ),
        ReportName::Config => (
            "netstat -f",
            "The settings of this stack that concern the sysplex. SHORT and LONG are the same; the \
             table has a line for each setting.",
            vec![
                section("Settings", "", configuration::COLUMNS),
                section("IPCONFIG, IPCONFIG6", "ip", &[]),
                section("DYNAMICXCF", "ip.dynamic_xcf", &[]),
                section("GLOBALCONFIG", "global", &[]),
                section("SYSPLEXMONITOR", "monitor", &[]),
                section("The daemon", "daemon", &[]),
            ],
        ),
        ReportName::Portlist => (
            "netstat -o",
            "Which ports PORT and PORTRANGE reserve, and for whom. Reservations are kept and \
             displayed; the kernel does not know them. In LONG the address stands below its record.",
            vec![section("Reservations", "rows", portlist::COLUMNS)],
        ),
        ReportName::Home => (
            "netstat -h",
            "Every address of this stack's network namespace, and what it is to the distributor. \
             `I` below Flg is an address that the distributor added.",
            vec![section("Home address list", "rows", home::COLUMNS)],
        ),
        ReportName::Stats => (
            "",
            "Every counter; [counters.md](counters.md) explains them. A report of our own, the same \
             in all layouts.",
            vec![
                section("Interfaces", "interfaces", stats::INTERFACES),
                section("Packet path", "counters", &[]),
                section("Group", "group", &[]),
            ],
        ),
        ReportName::Sysplex => (
            "D TCPIP,,SYSPLEX,VIPADYN",
            "Who has each DVIPA of the group, who would take it over, and who serves it: the same on \
             every stack, as far as it hears the others.",
            vec![
                section("A DVIPA", "dvipas", sysplex::DVIPAS),
                section("A stack", "dvipas.stacks", sysplex::STACKS),
            ],
        ),
        ReportName::Group => (
            "D TCPIP,,SYSPLEX,GROUP",
            "Who is a member of the group, how well it is heard, and what it owns.",
            vec![section("Members", "rows", sysplex::MEMBERS)],
        ),
        ReportName::Explain => about_explain(),
        ReportName::Plan => about_plan(),
        ReportName::History => about_history(),
        ReportName::Events => about_events(),
    }
}

fn about_explain() -> (&'static str, &'static str, Vec<Section>) {
    (
        "",
        "Why does this target get this share? `distributor explain ADDR:PORT`, on any stack: what \
         was measured or said, each step of the arithmetic, and what comes of it. A report of our \
         own, the same in all layouts.",
        vec![
            section("A service", "services", &[]),
            section("A target", "services.targets", explain::TARGETS),
            section("A step", "services.targets.reasons", &[]),
        ],
    )
}

fn about_plan() -> (&'static str, &'static str, Vec<Section>) {
    (
        "",
        "What would this profile change? `distributor plan FILE`: each difference to the running \
         configuration in words, in the order in which they take effect. A report of our own.",
        vec![section("A difference", "changes", &[])],
    )
}

fn about_history() -> (&'static str, &'static str, Vec<Section>) {
    (
        "",
        "What was changed, when, and by whom? `distributor history`. A report of our own.",
        vec![
            section("An entry", "entries", history::ENTRIES),
            section("A change that waits to be confirmed", "unconfirmed", &[]),
        ],
    )
}

fn about_events() -> (&'static str, &'static str, Vec<Section>) {
    (
        "",
        "What has happened here of late? `distributor events`: the latest messages that the log has \
         too, with what each is about. A report of our own.",
        vec![section("A message", "rows", events::ROWS)],
    )
}
