//! Reports: what NETSTAT shows, as data and in z/OS's layouts.
//!
//! A report is built once, as plain data; the layouts that a person reads and
//! the JSON that a program reads are renderings of it. Nothing that was not
//! measured is shown as a number: the layouts have dashes there, JSON has null.
//! Each report is one module: its data, how it is built, what its layouts call
//! the fields. Schemas and the reference are made from that.

mod configuration;
mod events;
mod explain;
mod filter;
mod history;
mod home;
mod layout;
mod page;
mod pages;
mod plan;
mod portlist;
mod schema;
mod snapshot;
mod stats;
mod sysplex;
mod vcrt;
mod vdpt;
mod vipadcfg;
mod vipadyn;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use configuration::{Configuration, DaemonRow, GroupAddressRow, configuration};
pub use events::{EventRow, Latest, latest};
pub use explain::{Explain, ExplainedService, ExplainedTarget, Unexplained};
pub use filter::{Endpoint, FilterError, FilterKind, Filters, Limit, Network, Room};
pub use history::{EntryRow, Past, UnconfirmedRow, past};
pub use home::{Home, HomeRow, home};
pub use layout::{Layout, Style};
pub use page::page;
pub use pages::Pages;
pub use plan::{ChangeRow, Outlook, Plan};
pub use portlist::{PortRow, Portlist, portlist};
pub use schema::schema;
pub use snapshot::Snapshot;
pub use stats::{CounterRow, GroupRow, InterfaceRow, Stats};
pub use sysplex::{Group, MemberRow, Sysplex, SysplexDvipa, SysplexStack, group, sysplex};
pub use vcrt::{Connections, Vcrt, VcrtRow, vcrt};
pub use vdpt::{Totals, Vdpt, VdptRow, vdpt};
pub use vipadcfg::{Vipadcfg, vipadcfg};
pub use vipadyn::{Part, Vipadyn, VipadynRow, vipadyn};

/// Version of the JSON. Fields may be added within a version; it grows when one goes or changes its
/// meaning.
pub const VERSION: u32 = 1;

/// The reports, by the names that NETSTAT knows them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReportName {
    /// The DVIPA statements of this stack's profile.
    Vipadcfg,
    /// The DVIPAs that are on this stack, and what they are here.
    #[value(aliases = ["vipad", "vipady"])]
    Vipadyn,
    /// The destination port table: each service with its targets.
    Vdpt,
    /// The connection routing table: each connection with its target.
    Vcrt,
    /// The settings of this stack.
    Config,
    /// Who may use which port.
    #[value(aliases = ["portl", "portli", "portlis"])]
    Portlist,
    /// The addresses of this stack, and what each is.
    #[value(aliases = ["ho", "hom"])]
    Home,
    /// What the packet path received and did, by reason.
    Stats,
    /// Every DVIPA of the group, and what each stack is to it: `SYSPLEX,VIPADYN`.
    #[value(skip)]
    Sysplex,
    /// The members of the group: `SYSPLEX,GROUP`.
    #[value(skip)]
    Group,
    /// Why each target of a service gets what it gets.
    #[value(skip)]
    Explain,
    /// What another profile would change.
    #[value(skip)]
    Plan,
    /// The configurations that the stack has had.
    #[value(skip)]
    History,
    /// The latest messages of the stack.
    #[value(skip)]
    Events,
}

impl ReportName {
    /// Every report, in the order of the reference.
    pub const ALL: [Self; 14] = [
        Self::Vipadcfg,
        Self::Vipadyn,
        Self::Vdpt,
        Self::Vcrt,
        Self::Config,
        Self::Portlist,
        Self::Home,
        Self::Stats,
        Self::Sysplex,
        Self::Group,
        Self::Explain,
        Self::Plan,
        Self::History,
        Self::Events,
    ];

    /// The name as the command line takes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vipadcfg => "vipadcfg",
            Self::Vipadyn => "vipadyn",
            Self::Vdpt => "vdpt",
            Self::Vcrt => "vcrt",
            Self::Config => "config",
            Self::Portlist => "portlist",
            Self::Home => "home",
            Self::Stats => "stats",
            Self::Sysplex => "sysplex",
            Self::Group => "group",
            Self::Explain => "explain",
            Self::Plan => "plan",
            Self::History => "history",
            Self::Events => "events",
        }
    }

    /// How the report is asked for, behind `distributor`.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Vipadcfg => "netstat vipadcfg",
            Self::Vipadyn => "netstat vipadyn",
            Self::Vdpt => "netstat vdpt",
            Self::Vcrt => "netstat vcrt",
            Self::Config => "netstat config",
            Self::Portlist => "netstat portlist",
            Self::Home => "netstat home",
            Self::Stats => "netstat stats",
            Self::Sysplex => "sysplex vipadyn",
            Self::Group => "sysplex group",
            Self::Explain => "explain",
            Self::Plan => "plan",
            Self::History => "history",
            Self::Events => "events",
        }
    }

    /// The filters that the report takes; every report takes MAX.
    #[must_use]
    pub const fn filters(self) -> &'static [FilterKind] {
        match self {
            Self::Vipadcfg | Self::Vipadyn | Self::Sysplex => &[FilterKind::IpAddr],
            Self::Vdpt | Self::Vcrt | Self::Explain => {
                &[FilterKind::IpAddr, FilterKind::Port, FilterKind::IpPort]
            }
            Self::Portlist => &[FilterKind::Port],
            Self::Home => &[FilterKind::IpAddr, FilterKind::IntfName],
            Self::Config
            | Self::Stats
            | Self::Group
            | Self::Plan
            | Self::History
            | Self::Events => &[],
        }
    }

    /// Says whether DETAIL adds anything to LONG.
    #[must_use]
    pub const fn has_detail(self) -> bool {
        matches!(self, Self::Vipadcfg | Self::Vdpt | Self::Vcrt)
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The report.
    pub report: ReportName,
    /// Which of its records.
    #[serde(default)]
    pub filters: Filters,
    /// Only this part of VIPADYN.
    #[serde(default)]
    pub part: Option<Part>,
}

impl From<ReportName> for Query {
    /// Asks for all of a report.
    fn from(report: ReportName) -> Self {
        Self {
            report,
            filters: Filters::default(),
            part: None,
        }
    }
}

/// One report with its frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What every report begins with.
    #[serde(flatten)]
    pub frame: Frame,
    /// What it reports.
    #[serde(flatten)]
    pub body: Body,
}

/// What every report begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// Version of the layout of this document.
    pub version: u32,
    /// Name of the stack that reports.
    pub stack: String,
    /// When, in local time with its offset from UTC (RFC 3339).
    pub time: String,
    /// Number of records shown.
    pub shown: u64,
    /// Number of records that match the filters.
    pub total: u64,
}

impl Frame {
    /// The frame of a report that was built with `room`.
    #[must_use]
    pub fn new(stack: &str, time: String, room: Room) -> Self {
        Self {
            version: VERSION,
            stack: stack.to_owned(),
            time,
            shown: room.shown,
            total: room.total,
        }
    }
}

/// The content of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Body {
    /// See [`ReportName::Vipadcfg`].
    Vipadcfg(Vipadcfg),
    /// See [`ReportName::Vipadyn`].
    Vipadyn(Vipadyn),
    /// See [`ReportName::Vdpt`].
    Vdpt(Vdpt),
    /// See [`ReportName::Vcrt`].
    Vcrt(Vcrt),
    /// See [`ReportName::Config`].
    Config(Box<Configuration>),
    /// See [`ReportName::Portlist`].
    Portlist(Portlist),
    /// See [`ReportName::Home`].
    Home(Home),
    /// See [`ReportName::Stats`].
    Stats(Stats),
    /// See [`ReportName::Sysplex`].
    Sysplex(Sysplex),
    /// See [`ReportName::Group`].
    Group(Group),
    /// See [`ReportName::Explain`].
    Explain(Explain),
    /// See [`ReportName::Plan`].
    Plan(Plan),
    /// See [`ReportName::History`].
    History(Past),
    /// See [`ReportName::Events`].
    Events(Latest),
}

/// Renders a report as text; every line ends with a line feed.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match &report.body {
        Body::Vipadcfg(body) => vipadcfg::text(&mut text, body, style),
        Body::Vipadyn(body) => vipadyn::text(&mut text, body, style),
        Body::Vdpt(body) => vdpt::text(&mut text, body, style),
        Body::Vcrt(body) => vcrt::text(&mut text, body, style),
        Body::Config(body) => configuration::text(&mut text, body, style),
        Body::Portlist(body) => portlist::text(&mut text, body, style),
        Body::Home(body) => home::text(&mut text, body, style),
        Body::Stats(body) => stats::text(&mut text, body),
        Body::Sysplex(body) => sysplex::text(&mut text, body, style),
        Body::Group(body) => sysplex::group_text(&mut text, body, style),
        Body::Explain(body) => explain::text(&mut text, body),
        Body::Plan(body) => plan::text(&mut text, body),
        Body::History(body) => history::text(&mut text, body),
        Body::Events(body) => events::text(&mut text, body),
    };
    let (console, shell) = names(&report.body);
    let Frame {
        stack,
        time,
        shown,
        total,
        ..
    } = &report.frame;
    let count = count_line(*shown, *total);
    if style.is_console {
        let head = format!("{console} DISTRIBUTOR {} {stack}\n", version());
        return format!("{head}{text}{count}END OF THE REPORT\n").to_uppercase();
    }
    let head = shell_head(shell, stack, time);
    let count = if shown == total { "" } else { &count };
    format!("{head}{text}{count}")
}

/// What stands above a report, at the console and in a shell.
fn names(body: &Body) -> (&'static str, &'static str) {
    match body {
        Body::Sysplex(_) => ("EZZ8260I SYSPLEX", "SYSPLEX"),
        Body::Group(_) => ("EZZ8270I SYSPLEX GROUP", "SYSPLEX GROUP"),
        Body::Explain(_) => ("EXPLAIN", "EXPLAIN"),
        Body::Plan(_) => ("PLAN", "PLAN"),
        Body::History(_) => ("HISTORY", "HISTORY"),
        Body::Events(_) => ("EVENTS", "EVENTS"),
        Body::Vipadcfg(_)
        | Body::Vipadyn(_)
        | Body::Vdpt(_)
        | Body::Vcrt(_)
        | Body::Config(_)
        | Body::Portlist(_)
        | Body::Home(_)
        | Body::Stats(_) => ("EZD0101I NETSTAT", "NETSTAT"),
    }
}

/// The first line of a report in a shell.
fn shell_head(name: &str, stack: &str, time: &str) -> String {
    // The hours, minutes and seconds of an RFC 3339 time.
    let time = time.get(11..19).unwrap_or(time);
    let name = format!("DISTRIBUTOR {name} {}", version());
    format!("{name:<33}TCPIP Name: {stack:<16}{time}\n")
}

const fn version() -> &'static str {
    concat!("V", env!("CARGO_PKG_VERSION"))
}

fn count_line(shown: u64, total: u64) -> String {
    format!("{shown} OF {total} RECORDS DISPLAYED\n")
}
