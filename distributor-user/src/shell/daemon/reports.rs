//! Answers the admin socket.

mod walk;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use tokio::sync::oneshot;

use super::Daemon;
use super::change::{Order, Source};
use crate::engine::agreement::Running;
use crate::engine::group::drops;
use crate::engine::report::{
    self, Body, CounterRow, DaemonRow, Frame, GroupAddressRow, GroupRow, InterfaceRow, Query,
    Report, ReportName, Room, Stats, Unexplained,
};
use crate::shell::admin::{Answer, Pending, Request};
use crate::shell::dataplane::AttachMode;
use crate::shell::group::LocalAddress;
use crate::shell::links;
use crate::shell::netlink::Netlink;
use walk::{Table, Walk};

/// How far a report has come in the loop.
enum Begun {
    /// It is made.
    Made(Body, Room),
    /// It walks over connections.
    Walk(Box<Walk>),
    /// It explains services, perhaps thousands.
    Explanation(Box<Unexplained>, Room),
}

impl Daemon {
    /// Answers a request, at once or when what it asks for has been checked.
    pub(super) async fn answer(&mut self, pending: Pending) {
        let Pending {
            request,
            uid,
            answer,
        } = pending;
        let order = |source, within, answer| Order {
            source,
            uid: Some(uid),
            within,
            answer: Some(answer),
        };
        let reply = match request {
            Request::Reload => return self.begin_change(order(Source::Profile, None, answer)),
            Request::Obey(texts) => {
                return self.begin_change(order(Source::Obeyfile(texts), None, answer));
            }
            Request::Apply { texts, within } => {
                return self.begin_change(order(Source::Other(texts), within, answer));
            }
            Request::Rollback { to, within } => {
                return self.begin_rollback(to, uid, within, answer);
            }
            Request::Plan(texts) => return self.plan(texts, answer),
            Request::Confirm => self.confirm(),
            Request::Vary(vary) => self.vary(vary).await,
            Request::Remaining(scope) => return self.count_remaining(scope, answer),
            Request::Of { member, ask } => return self.ask_member(member, ask, answer).await,
            Request::Instance => Answer::Instance(self.instance),
            Request::Group => Answer::Group(Running::of(&self.stack)),
            Request::Netstat(query) => return self.report(&query, answer).await,
        };
        // Whoever asked may have gone.
        let _ = answer.send(reply);
    }

    /// Makes a report, and answers here or, if there are connections to be walked over, beside the
    /// loop.
    async fn report(&mut self, query: &Query, answer: oneshot::Sender<Answer>) {
        let name = self.stack.name().to_owned();
        let time = wall_clock("%Y-%m-%dT%H:%M:%S%:z");
        let reply = move |made: anyhow::Result<(Body, Room)>| match made {
            Ok((body, room)) => Answer::Report(Report {
                frame: Frame::new(&name, time, room),
                body,
            }),
            Err(error) => Answer::Refused(format!("{error:#}")),
        };
        match self.begin_report(query).await {
            Ok(Begun::Walk(walk)) => {
                let turn = Arc::clone(&self.walks);
                tokio::spawn(async move {
                    let _turn = turn.lock().await;
                    if answer.is_closed() {
                        return;
                    }
                    // Whoever asked may have gone.
                    let _ = answer.send(reply(walk.make().await));
                });
            }
            Ok(Begun::Explanation(unexplained, room)) => {
                tokio::task::spawn_blocking(move || {
                    let explained = Body::Explain(unexplained.explain());
                    let _ = answer.send(reply(Ok((explained, room))));
                });
            }
            Ok(Begun::Made(body, room)) => {
                let _ = answer.send(reply(Ok((body, room))));
            }
            Err(error) => {
                let _ = answer.send(reply(Err(error)));
            }
        }
    }

    async fn begin_report(&mut self, query: &Query) -> anyhow::Result<Begun> {
        let filters = &query.filters;
        let config = self.stack.config();
        let mut room = Room::new(filters.limit, config.global.max_records);
        let body = match query.report {
            ReportName::Vdpt => {
                return Ok(Begun::Walk(Box::new(self.walk(
                    Table::Vdpt,
                    filters,
                    room,
                )?)));
            }
            ReportName::Vcrt => {
                let table = Table::Vcrt {
                    dvipas: self.placements.keys().copied().collect(),
                    interfaces: self.network.interfaces(),
                };
                return Ok(Begun::Walk(Box::new(self.walk(table, filters, room)?)));
            }
            ReportName::Vipadcfg => {
                Body::Vipadcfg(report::vipadcfg(&self.stack, filters, &mut room))
            }
            ReportName::Vipadyn => {
                let activated = |dvipa| self.activated.get(&dvipa).cloned();
                let body = report::vipadyn(&self.stack, activated, query.part, filters, &mut room);
                Body::Vipadyn(body)
            }
            ReportName::Config => {
                room.admit();
                Body::Config(Box::new(report::configuration(config, self.told())))
            }
            ReportName::Portlist => {
                Body::Portlist(report::portlist(&self.stack, filters, &mut room))
            }
            ReportName::Home => {
                let netlink = Netlink::open().context("cannot talk to the kernel by netlink")?;
                let links = links::list(&netlink).await?;
                Body::Home(report::home(&self.stack, &links, filters, &mut room))
            }
            ReportName::Stats => Body::Stats(self.statistics(&mut room).await?),
            ReportName::Sysplex => Body::Sysplex(report::sysplex(&self.stack, filters, &mut room)),
            ReportName::Group => Body::Group(report::group(&self.stack, &mut room)),
            ReportName::Explain => {
                let unexplained = Unexplained::of(&self.stack, filters, &mut room);
                return Ok(Begun::Explanation(Box::new(unexplained), room));
            }
            ReportName::History => {
                let past = report::past(self.history.history(), &TimeZone::system(), &mut room);
                Body::History(past)
            }
            ReportName::Events => {
                let told = self.teller.told();
                Body::Events(report::latest(&told, &TimeZone::system(), &mut room))
            }
            ReportName::Plan => {
                bail!("expected a profile to plan, as `distributor plan FILE` sends it")
            }
        };
        Ok(Begun::Made(body, room))
    }

    /// What the daemon was told on its command line, and what it made of it.
    fn told(&self) -> DaemonRow {
        let ingress = self.network.ingress.iter();
        let own = self.network.own_addresses.iter();
        DaemonRow {
            profile: self.options.profile.display().to_string(),
            xcf_interface: self.network.xcf_link.name.clone(),
            interfaces: ingress.map(|link| link.name.clone()).collect(),
            group_port: self.options.port,
            group_addresses: own.map(group_address).collect(),
            flow_capacity: self.options.flow_capacity,
            stop_deadline_s: self.options.stop_deadline.as_secs(),
        }
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
        let totals = self.dataplane.counters();
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

fn group_address(own: &LocalAddress) -> GroupAddressRow {
    GroupAddressRow {
        interface: own.ifname.clone(),
        address: own.address,
        prefix_len: own.prefix_len,
    }
}

/// Formats the local time.
pub(super) fn wall_clock(format: &str) -> String {
    jiff::Zoned::now().strftime(format).to_string()
}
