//! Answers the admin socket.

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::Daemon;
use super::change::Source;
use crate::engine::agreement::Running;
use crate::engine::group::drops;
use crate::engine::report::{
    self, Body, CounterRow, DaemonRow, Frame, GroupRow, InterfaceRow, Query, Report, ReportName,
    Room, Stats, Totals,
};
use crate::shell::admin::{Answer, Request};
use crate::shell::dataplane::AttachMode;
use crate::shell::links;
use crate::shell::netlink::Netlink;

impl Daemon {
    /// Answers a request, at once or when what it asks for has been checked.
    pub(super) async fn answer(&mut self, request: Request, answer: oneshot::Sender<Answer>) {
        let reply = match request {
            Request::Reload => return self.begin_change(Source::Profile, Some(answer)),
            Request::Obey(texts) => {
                return self.begin_change(Source::Obeyfile(texts), Some(answer));
            }
            Request::Instance => Answer::Instance(self.instance),
            Request::Group => Answer::Group(Running::of(&self.stack)),
            Request::Netstat(query) => match self.report(&query).await {
                Ok(report) => Answer::Report(report),
                Err(error) => Answer::Refused(format!("{error:#}")),
            },
        };
        // Whoever asked may have gone.
        let _ = answer.send(reply);
    }

    async fn report(&mut self, query: &Query) -> anyhow::Result<Report> {
        let filters = &query.filters;
        let config = self.stack.config();
        let mut room = Room::new(filters.limit, config.global.max_records);
        let body = match query.report {
            ReportName::Vipadcfg => {
                Body::Vipadcfg(report::vipadcfg(&self.stack, filters, &mut room))
            }
            ReportName::Vipadyn => {
                let activated = |dvipa| self.activated.get(&dvipa).cloned();
                let body = report::vipadyn(&self.stack, activated, query.part, filters, &mut room);
                Body::Vipadyn(body)
            }
            ReportName::Vdpt => {
                let (totals, active) = (self.totals(), self.dataplane.active_connections());
                let body = report::vdpt(&self.stack, &totals, &active, filters, &mut room);
                Body::Vdpt(body)
            }
            ReportName::Vcrt => {
                let here = self.own_connections().await?;
                let interfaces = self.network.interfaces();
                let name_of = |ifindex| {
                    let mut interfaces = interfaces.iter();
                    let interface = interfaces.find(|interface| interface.ifindex == ifindex)?;
                    Some(interface.name.clone())
                };
                let flows = self.dataplane.flows();
                let body = report::vcrt(&self.stack, flows, &here, name_of, filters, &mut room);
                Body::Vcrt(body)
            }
            ReportName::Config => {
                room.admit();
                Body::Config(Box::new(report::configuration(config, self.told())))
            }
            ReportName::Portlist => Body::Portlist(report::portlist(config, filters, &mut room)),
            ReportName::Home => {
                let netlink = Netlink::open().context("cannot talk to the kernel by netlink")?;
                let links = links::list(&netlink).await?;
                Body::Home(report::home(&self.stack, &links, filters, &mut room))
            }
            ReportName::Stats => Body::Stats(self.statistics(&mut room).await?),
        };
        Ok(Report {
            frame: Frame::new(self.stack.name(), wall_clock("%Y-%m-%dT%H:%M:%S%:z"), room),
            body,
        })
    }

    /// What the daemon was told on its command line, and what it made of it.
    fn told(&self) -> DaemonRow {
        let ingress = self.network.ingress.iter();
        DaemonRow {
            profile: self.options.profile.display().to_string(),
            xcf_interface: self.network.xcf_link.name.clone(),
            interfaces: ingress.map(|link| link.name.clone()).collect(),
            group_port: self.options.port,
            flow_capacity: self.options.flow_capacity,
            stop_deadline_s: self.options.stop_deadline.as_secs(),
        }
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

    async fn statistics(&self, room: &mut Room) -> anyhow::Result<Stats> {
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
        let interfaces = interfaces.collect();
        let totals = self.dataplane.counters()?;
        let counters = totals.iter().map(|(counter, packets)| CounterRow {
            name: counter.name.to_owned(),
            packets,
            meaning: counter.help.to_owned(),
        });
        let counters = counters.filter(|_| room.admit()).collect();
        let help = |name| {
            let mut known = drops::counters();
            let found = known.find(|(known, _)| *known == name);
            found.map_or("", |(_, help)| help).to_owned()
        };
        let group = self.group.counters().await.into_iter();
        let group = group.map(|(reason, count)| GroupRow {
            reason: reason.to_owned(),
            count,
            meaning: help(reason),
        });
        Ok(Stats {
            interfaces,
            counters,
            group: group.filter(|_| room.admit()).collect(),
        })
    }
}

/// Formats the local time.
pub(super) fn wall_clock(format: &str) -> String {
    jiff::Zoned::now().strftime(format).to_string()
}
