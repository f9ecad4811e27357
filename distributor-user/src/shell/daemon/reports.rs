//! Answers the admin socket.

use tokio::sync::oneshot;

use super::Daemon;
use super::change::Source;
use crate::engine::forwarding::Flow;
use crate::engine::report::{
    self, Body, CounterRow, GroupRow, InterfaceRow, Report, ReportName, Totals,
};
use crate::shell::admin::{Answer, Request};
use crate::shell::dataplane::AttachMode;

impl Daemon {
    /// Answers a request, at once or when what it asks for has been checked.
    pub(super) async fn answer(&mut self, request: Request, answer: oneshot::Sender<Answer>) {
        let reply = match request {
            Request::Reload => return self.begin_change(Source::Profile, Some(answer)),
            Request::Obey(texts) => {
                return self.begin_change(Source::Obeyfile(texts), Some(answer));
            }
            Request::Instance => Answer::Instance(self.instance),
            Request::Netstat(name) => match self.report(name).await {
                Ok(body) => Answer::Report(Report {
                    stack: self.stack.name().to_owned(),
                    time: wall_clock("%H:%M:%S"),
                    body,
                }),
                Err(error) => Answer::Refused(format!("{error:#}")),
            },
        };
        // Whoever asked may have gone.
        let _ = answer.send(reply);
    }

    async fn report(&mut self, name: ReportName) -> anyhow::Result<Body> {
        Ok(match name {
            ReportName::Vipadcfg => report::vipadcfg(self.stack.config()),
            ReportName::Vipadyn => {
                report::vipadyn(&self.stack, |dvipa| self.activated.get(&dvipa).cloned())
            }
            ReportName::Vdpt => report::vdpt(
                &self.stack,
                &self.totals(),
                &self.dataplane.active_connections(),
            ),
            ReportName::Vcrt => {
                let here = self.own_connections().await?;
                let flows: Vec<Flow> = self.dataplane.flows().collect();
                report::vcrt(&self.stack, &flows, &here)
            }
            ReportName::Stats => self.statistics().await?,
        })
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::new();
        for key in self.stack.applied().forwarding.services.keys() {
            for (target, connections) in self.dataplane.total_connections(key.dvipa, key.port) {
                totals.insert((*key, target), connections);
            }
        }
        totals
    }

    async fn statistics(&self) -> anyhow::Result<Body> {
        let interfaces = self
            .dataplane
            .interfaces()
            .map(|(interface, mode)| InterfaceRow {
                name: interface.name.clone(),
                mode: match mode {
                    AttachMode::Native => "native".to_owned(),
                    AttachMode::Generic => "generic".to_owned(),
                },
            });
        let totals = self.dataplane.counters()?;
        let counters = totals.iter().map(|(counter, packets)| CounterRow {
            name: counter.name.to_owned(),
            packets,
            meaning: counter.help.to_owned(),
        });
        let group = self
            .group
            .counters()
            .await
            .into_iter()
            .map(|(reason, count)| GroupRow {
                reason: reason.to_owned(),
                count,
            });
        Ok(Body::Stats {
            interfaces: interfaces.collect(),
            counters: counters.collect(),
            group: group.collect(),
        })
    }
}

/// Formats the local time.
pub(super) fn wall_clock(format: &str) -> String {
    jiff::Zoned::now().strftime(format).to_string()
}
