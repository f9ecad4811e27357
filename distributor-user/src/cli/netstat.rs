//! `distributor netstat` and `distributor sysplex`: the reports of a running stack.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};

use super::running::{RunningStack, StackArguments, unexpected};
use crate::engine::report::{
    Body, Endpoint, Filters, Layout, Limit, Network, Pages, Part, Query, Report, ReportName, Style,
    render,
};
use crate::shell::admin::{Answer, Request};

/// Arguments of `distributor netstat`.
#[derive(Debug, Args)]
pub(super) struct Netstat {
    /// The report.
    #[arg(value_enum, ignore_case = true)]
    report: ReportName,
    #[command(flatten)]
    options: Options,
}

/// Arguments of `distributor sysplex`.
#[derive(Debug, Args)]
pub(super) struct Sysplex {
    /// What to show of the group.
    #[arg(value_enum, ignore_case = true)]
    report: SysplexReport,
    #[command(flatten)]
    options: Options,
}

/// The reports about the whole group.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SysplexReport {
    /// Who has each DVIPA, who would take it over, who serves it.
    #[value(aliases = ["vipad", "vipady"])]
    Vipadyn,
    /// Who is a member.
    #[value(aliases = ["g", "gr", "gro", "grou"])]
    Group,
}

/// Which records are shown, and how.
#[derive(Debug, Args)]
struct Options {
    /// Options as z/OS writes them: DETAIL, IPADDR=…, PORT=…, IPPORT=…, INTFNAME=…, MAX=…,
    /// FORMAT=SHORT, FORMAT=LONG; for VIPADYN also DVIPA, VIPAROUTE.
    #[arg(value_name = "OPTION", value_delimiter = ',')]
    words: Vec<String>,
    /// The layout.
    #[arg(long, short = 'M', value_enum, ignore_case = true)]
    format: Option<Format>,
    /// More lines in `long`.
    #[arg(long)]
    detail: bool,
    /// Only records with this address, or with one of this network; may be repeated.
    #[arg(long, short = 'I', value_name = "ADDR[/MASK]")]
    ipaddr: Vec<Network>,
    /// Only records with this port; may be repeated.
    #[arg(long, short = 'P', value_name = "PORT")]
    port: Vec<u16>,
    /// Only records with this address and port; may be repeated.
    #[arg(long, short = 'B', value_name = "ADDR+PORT")]
    ipport: Vec<Endpoint>,
    /// Only records of this interface; may be repeated.
    #[arg(long, short = 'K', value_name = "NAME")]
    intfname: Vec<String>,
    /// At most so many records; `*` is all of them.
    #[arg(long, value_name = "N")]
    max: Option<Limit>,
    /// In the frame of z/OS's console, in layout `short` if none is named.
    #[arg(long)]
    console: bool,
    /// Shows the report again and again, every 2 seconds if nothing else is said, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    watch: Option<u16>,
    #[command(flatten)]
    stack: StackArguments,
}

/// Moves to the upper left corner of the terminal and clears it (ECMA-48 CUP, ED).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Connections of the first page: more than anybody reads, and there at once.
const FIRST_PAGE: u32 = 1_000;
/// Connections of each page after it.
const PAGE: u32 = 100_000;

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each record, as wide as need be.
    Table,
    /// z/OS's SHORT layout.
    Short,
    /// z/OS's LONG layout.
    Long,
    /// One JSON document.
    Json,
}

impl Format {
    /// The layout as text.
    fn layout(self) -> Option<Layout> {
        match self {
            Self::Table => Some(Layout::Table),
            Self::Short => Some(Layout::Short),
            Self::Long => Some(Layout::Long),
            Self::Json => None,
        }
    }
}

pub(super) fn run(arguments: &Netstat) -> anyhow::Result<ExitCode> {
    show(arguments.report, &arguments.options)
}

pub(super) fn run_sysplex(arguments: &Sysplex) -> anyhow::Result<ExitCode> {
    let report = match arguments.report {
        SysplexReport::Vipadyn => ReportName::Sysplex,
        SysplexReport::Group => ReportName::Group,
    };
    show(report, &arguments.options)
}

fn show(report: ReportName, options: &Options) -> anyhow::Result<ExitCode> {
    let asked = Asked::of(report, options)?;
    let Some(pause) = options.watch else {
        if let Some(layout) = asked.layout_of_pages(options) {
            asked.print_pages(options, layout)?;
        } else {
            print(&asked.text(options)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let clear = if io::stdout().is_terminal() {
        CLEAR
    } else {
        ""
    };
    loop {
        // A daemon that is restarted answers again soon.
        let text = asked.text(options);
        let text = text.unwrap_or_else(|error| format!("{error:#}\n"));
        if !put(&format!("{clear}{text}"))? {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_secs(pause.into()));
    }
}

fn ask(stack: &RunningStack, query: Query) -> anyhow::Result<Report> {
    let answer = stack.ask(&Request::Netstat(query))?;
    let Answer::Report(report) = answer else {
        return Err(unexpected(&answer));
    };
    Ok(report)
}

/// Prints a report of our own, which is the same in all layouts, in words or as JSON.
pub(super) fn print_ours(report: &Report, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let json = serde_json::to_string(report).context("the report has no JSON form")?;
        return print(&(json + "\n"));
    }
    let style = Style {
        layout: Layout::Long,
        has_detail: true,
        is_console: false,
    };
    print(&render(report, style))
}

/// Prints a report; whoever reads it may have enough before its end, as `head` has.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    put(text).map(|_| ())
}

/// Prints a text; returns whether somebody still reads.
pub(super) fn put(text: &str) -> anyhow::Result<bool> {
    let mut output = io::stdout();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("the report cannot be printed"),
        Ok(()) => Ok(true),
    }
}

/// What the options say together, in whatever way they are written.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    query: Query,
    format: Format,
    has_detail: bool,
}

impl Asked {
    /// Asks the stack, and returns its report as it is to be printed.
    fn text(&self, options: &Options) -> anyhow::Result<String> {
        let report = ask(&options.stack.find()?, self.query.clone())?;
        let Some(layout) = self.format.layout() else {
            let json = serde_json::to_string(&report).context("the report has no JSON form")?;
            return Ok(json + "\n");
        };
        let style = Style {
            layout,
            has_detail: self.has_detail,
            is_console: options.console,
        };
        Ok(render(&report, style))
    }

    /// The layout in which the report is printed page by page, if it is.
    fn layout_of_pages(&self, options: &Options) -> Option<Layout> {
        let is_long = self.query.report == ReportName::Vcrt && !options.console;
        self.format.layout().filter(|_| is_long)
    }

    /// Prints the connections page by page: neither the daemon nor this program has ever more than a page
    /// of them as text, and the first ones are there at once.
    fn print_pages(&self, options: &Options, layout: Layout) -> anyhow::Result<()> {
        let stack = options.stack.find()?;
        let mut query = self.query.clone();
        let mut left = match query.filters.limit {
            Limit::Records(records) => u64::from(records),
            Limit::None | Limit::Maxrecs => u64::MAX,
        };
        let mut pages = Pages::new(Style {
            layout,
            has_detail: self.has_detail,
            is_console: false,
        });
        let mut page = FIRST_PAGE;
        loop {
            let records = u64::from(page).min(left);
            query.filters.limit = Limit::Records(u32::try_from(records).unwrap_or(page));
            let Report { frame, body } = ask(&stack, query.clone())?;
            let Body::Vcrt(vcrt) = body else {
                bail!("expected VCRT, found another report: is another version running?");
            };
            let after = query.filters.after.as_ref();
            ensure!(
                after.is_none_or(|after| vcrt.is_behind(after)),
                "expected the next page of VCRT, found another: is another version running?"
            );
            left -= frame.shown;
            if !put(&pages.render(&frame, &vcrt))? {
                return Ok(());
            }
            if frame.shown == frame.total || left == 0 {
                return print(&pages.end());
            }
            query.filters.after = vcrt.last();
            page = PAGE;
        }
    }

    fn of(report: ReportName, options: &Options) -> anyhow::Result<Self> {
        let mut filters = Filters {
            addresses: options.ipaddr.clone(),
            ports: options.port.clone(),
            endpoints: options.ipport.clone(),
            interfaces: options.intfname.clone(),
            limit: Limit::None,
            after: None,
        };
        let mut format = options.format;
        let mut has_detail = options.detail;
        let mut limit = options.max;
        let mut part = None;
        for option in &options.words {
            let (word, value) = match option.split_once('=') {
                Some((word, value)) => (word, Some(value)),
                None => (option.as_str(), None),
            };
            match (word.to_uppercase().as_str(), value) {
                ("DETAIL", None) => has_detail = true,
                ("DVIPA", None) => part = Some(Part::Dvipa),
                ("VIPAROUTE", None) => part = Some(Part::Viparoute),
                ("IPADDR" | "IPA", Some(value)) => filters.addresses.push(value.parse()?),
                ("PORT" | "PO" | "POR", Some(value)) => {
                    let number = value.parse();
                    filters
                        .ports
                        .push(number.with_context(|| format!("expected a port, found `{value}`"))?);
                }
                ("IPPORT" | "IPP", Some(value)) => filters.endpoints.push(value.parse()?),
                ("INTFNAME" | "INTFN", Some(value)) => filters.interfaces.push(value.to_owned()),
                ("MAX", Some(value)) => limit = Some(value.parse()?),
                ("FORMAT", Some(value)) => {
                    let Ok(named) = Format::from_str(value, true) else {
                        bail!("expected `FORMAT=SHORT` or `FORMAT=LONG`, found `{option}`");
                    };
                    format = Some(named);
                }
                _ => bail!(
                    "expected DETAIL, IPADDR=…, PORT=…, IPPORT=…, INTFNAME=…, MAX=…, FORMAT=…, \
                     DVIPA or VIPAROUTE, found `{option}`"
                ),
            }
        }
        let name = report.word().to_uppercase();
        for kind in filters.kinds() {
            ensure!(
                report.filters().contains(&kind),
                "{name} has nothing that {} could filter",
                kind.word()
            );
        }
        ensure!(
            part.is_none() || report == ReportName::Vipadyn,
            "only VIPADYN has the parts DVIPA and VIPAROUTE"
        );
        let default = if options.console {
            Format::Short
        } else {
            Format::Table
        };
        let format = format.unwrap_or(default);
        ensure!(
            !options.console || matches!(format, Format::Short | Format::Long),
            "the console has the formats `short` and `long` only"
        );
        filters.limit = match limit {
            Some(limit) => limit,
            None if options.console => Limit::Maxrecs,
            None => Limit::None,
        };
        let query = Query {
            report,
            filters,
            part,
        };
        Ok(Self {
            query,
            format,
            has_detail,
        })
    }
}

#[cfg(test)]
mod tests;
