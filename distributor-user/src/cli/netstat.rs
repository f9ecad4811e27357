//! `distributor netstat` and `distributor sysplex`: the reports of a running stack.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};

use super::running::{StackArguments, unexpected};
use crate::engine::report::{
    Endpoint, Filters, Layout, Limit, Network, Part, Query, ReportName, Style, render,
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
    #[command(flatten)]
    stack: StackArguments,
}

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
    let stack = options.stack.find()?;
    let answer = stack.ask(&Request::Netstat(asked.query))?;
    let Answer::Report(report) = answer else {
        return Err(unexpected(&answer));
    };
    let layout = match asked.format {
        Format::Table => Layout::Table,
        Format::Short => Layout::Short,
        Format::Long => Layout::Long,
        Format::Json => {
            let json = serde_json::to_string(&report).context("the report has no JSON form")?;
            print(&(json + "\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let style = Style {
        layout,
        has_detail: asked.has_detail,
        is_console: options.console,
    };
    print(&render(&report, style))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a report; whoever reads it may have enough before its end, as `head` has.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("the report cannot be printed")
        }
        Ok(()) | Err(_) => Ok(()),
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
    fn of(report: ReportName, options: &Options) -> anyhow::Result<Self> {
        let mut filters = Filters {
            addresses: options.ipaddr.clone(),
            ports: options.port.clone(),
            endpoints: options.ipport.clone(),
            interfaces: options.intfname.clone(),
            limit: Limit::None,
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
