//! What a stack's daemon says about itself, and waiting for it to say so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use distributor_user::engine::report::{Body, ReportName, VcrtRow, VdptRow, VipadynRow};
use distributor_user::shell::admin::{self, Answer, Request};
use serde_json::Value;

use super::Stack;
use crate::wait;

/// How long the group may take to agree on what a daemon has just told it.
const READY: Duration = Duration::from_secs(15);

impl Stack {
    /// The destination port table.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn vdpt(&self) -> Result<Vec<VdptRow>> {
        let Body::Vdpt(vdpt) = self.report(ReportName::Vdpt)? else {
            bail!("the report is not VDPT")
        };
        Ok(vdpt.rows)
    }

    /// The connection routing table.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn vcrt(&self) -> Result<Vec<VcrtRow>> {
        let Body::Vcrt(vcrt) = self.report(ReportName::Vcrt)? else {
            bail!("the report is not VCRT")
        };
        Ok(vcrt.rows)
    }

    /// The DVIPAs of this stack.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn vipadyn(&self) -> Result<Vec<VipadynRow>> {
        let Body::Vipadyn(vipadyn) = self.report(ReportName::Vipadyn)? else {
            bail!("the report is not VIPADYN")
        };
        Ok(vipadyn.rows)
    }

    /// The packet path's counters by name.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>> {
        let Body::Stats(stats) = self.report(ReportName::Stats)? else {
            bail!("the report is not STATS")
        };
        Ok(stats
            .counters
            .into_iter()
            .map(|row| (row.name, row.packets))
            .collect())
    }

    /// Waits until VDPT shows these numbers of listeners, by target name and for every port and VIPA;
    /// other targets it does not show.
    ///
    /// # Errors
    ///
    /// It does not in time.
    pub fn wait_for_ready(&self, ready: &[(&str, u16)]) -> Result<()> {
        let expected: BTreeSet<_> = ready
            .iter()
            .map(|(target, ready)| ((*target).to_owned(), *ready))
            .collect();
        let mut seen = BTreeSet::new();
        wait::until(&format!("VDPT to show {expected:?}"), READY, || {
            seen = self
                .vdpt()?
                .into_iter()
                .filter(|row| row.is_active)
                .map(|row| (row.target, row.ready))
                .collect();
            Ok(seen == expected)
        })
        .with_context(|| format!("VDPT shows {seen:?}"))
    }

    /// Waits until `address` is on this stack, active or hidden.
    ///
    /// # Errors
    ///
    /// It is not in time.
    pub fn wait_for_dvipa(&self, address: IpAddr) -> Result<()> {
        wait::until(&format!("`{address}` on {}", self.name()), READY, || {
            let rows = self.vipadyn()?;
            // A backup that is a target as well stays a backup.
            let is_here =
                |row: &VipadynRow| row.status == "Active" || row.distribution.contains("Dest");
            let mut here = rows.iter().filter(|row| is_here(row));
            Ok(here.any(|row| row.dvipa == address))
        })
    }

    fn report(&self, report: ReportName) -> Result<Body> {
        let request = Request::Netstat(report.into());
        let answer = admin::ask(&self.run_directory, self.name(), &request)?;
        if let Answer::Report(report) = answer {
            Ok(report.body)
        } else {
            bail!("{} answered {answer:?}", self.name())
        }
    }

    /// A report as a program reads it.
    ///
    /// # Errors
    ///
    /// The daemon does not answer, or not with JSON.
    pub fn netstat_json(&self, report: &str) -> Result<Value> {
        let text = self.netstat(report, &["--format", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// A report as an operator reads it.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn netstat_text(&self, report: &str) -> Result<String> {
        self.netstat(report, &[])
    }

    /// A report with options of the command line.
    ///
    /// # Errors
    ///
    /// The daemon does not answer, or the options are wrong.
    pub fn netstat(&self, report: &str, options: &[&str]) -> Result<String> {
        self.order(&[&["netstat", report], options].concat())
    }
}
