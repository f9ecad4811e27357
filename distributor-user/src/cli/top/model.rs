//! What the screen shows and what keys do, without a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use distributor_common::counter::{Action, COUNTERS, Counter, RECEIVED};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::changes::changes;
use crate::engine::fact::Ask;
use crate::engine::report::{Group, Stats, Sysplex, Vdpt, VdptRow};
use crate::engine::stack::Scope;

/// How many events are kept.
const EVENTS: usize = 100;

/// What the daemon said at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance {
    pub(super) stack: String,
    /// The time of day.
    pub(super) time: String,
    /// The same on a clock that never goes back.
    pub(super) at: Duration,
    pub(super) vdpt: Vdpt,
    pub(super) sysplex: Sysplex,
    pub(super) group: Group,
    pub(super) stats: Stats,
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) dvipa: IpAddr,
    pub(super) port: u16,
}

/// A page of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// Every service.
    #[default]
    Services,
    /// The targets of one.
    Targets(Key),
    /// Every stack.
    Stacks,
}

/// What a key leads to beside another screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    Quit,
    Order(Order),
}

/// What a member is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) member: String,
    pub(super) ask: Ask,
}

/// A service in a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServiceLine {
    pub(super) key: Key,
    pub(super) method: String,
    pub(super) owner: Option<String>,
    pub(super) active_targets: usize,
    pub(super) targets: usize,
    /// New connections per second; absent before the second glance.
    pub(super) rate: Option<f64>,
    pub(super) connections: u64,
}

/// A target in a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TargetLine {
    pub(super) target: String,
    /// Why it gets no connections; absent if it does.
    pub(super) idle_because: Option<String>,
    pub(super) listeners: u16,
    pub(super) weight: Option<u16>,
    /// Target server responsiveness in percent.
    pub(super) tsr: Option<u16>,
    pub(super) rate: Option<f64>,
    /// Its part of all new connections since the glance before, 0 to 1; absent if there were none.
    pub(super) share: Option<f64>,
    pub(super) connections: u64,
    pub(super) total: u64,
}

/// A stack in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StackLine {
    pub(super) stack: String,
    pub(super) status: String,
    pub(super) paths: Option<(u64, u64)>,
    pub(super) owns: Vec<IpAddr>,
}

/// Packets per second by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Packets {
    pub(super) received: f64,
    pub(super) sent: f64,
    pub(super) passed: f64,
    pub(super) dropped: f64,
}

/// The screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    glance: Glance,
    /// The one before.
    before: Option<Glance>,
    pub(super) page: Page,
    selected: usize,
    /// What was asked for and is not yet confirmed.
    pub(super) asked: Option<Order>,
    /// What was said last; until the next key.
    pub(super) said: Option<String>,
    /// Why the last look failed, if it did.
    pub(super) failed: Option<String>,
    /// What has changed, the latest first.
    pub(super) events: VecDeque<(String, String)>,
}

impl Model {
    /// Takes what the daemon says now.
    pub(super) fn take(&mut self, glance: Glance) {
        self.failed = None;
        let before = std::mem::replace(&mut self.glance, glance);
        if before.stack.is_empty() {
            return;
        }
        for event in changes(&before, &self.glance) {
            self.events.push_front((self.glance.time.clone(), event));
        }
        self.events.truncate(EVENTS);
        self.before = Some(before);
        self.selected = self.selected.min(self.lines().saturating_sub(1));
    }

    /// Shows a line until the next key.
    pub(super) fn say(&mut self, text: String) {
        self.said = Some(text);
    }

    /// The latest glance.
    pub(super) fn glance(&self) -> &Glance {
        &self.glance
    }

    /// The number of the line that keys are about.
    pub(super) fn selected(&self) -> usize {
        self.selected
    }

    /// Takes a key.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a key that means nothing does nothing, whichever it is"
    )]
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        self.said = None;
        let is_interrupt =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if is_interrupt {
            return Step::Quit;
        }
        if let Some(order) = self.asked.take() {
            return match key.code {
                KeyCode::Char('y' | 'Y') => Step::Order(order),
                _ => Step::Stay,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = (self.selected + 1).min(self.lines().saturating_sub(1));
            }
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = self.lines().saturating_sub(1),
            KeyCode::Tab => self.turn_to(match self.page {
                Page::Services | Page::Targets(_) => Page::Stacks,
                Page::Stacks => Page::Services,
            }),
            KeyCode::Enter if self.page == Page::Services => {
                if let Some(service) = self.services().get(self.selected) {
                    self.turn_to(Page::Targets(service.key));
                }
            }
            KeyCode::Esc | KeyCode::Backspace => self.turn_to(Page::Services),
            KeyCode::Char('z') => self.asked = self.order(Ask::Quiesce),
            KeyCode::Char('r') => self.asked = self.order(Ask::Resume),
            _ => {}
        }
        Step::Stay
    }

    fn turn_to(&mut self, page: Page) {
        self.page = page;
        self.selected = 0;
    }

    /// What the selected line would be ordered to do.
    fn order(&self, ask: impl Fn(Scope) -> Ask) -> Option<Order> {
        match self.page {
            Page::Services => None,
            Page::Targets(key) => {
                let targets = self.targets(key);
                Some(Order {
                    member: targets.get(self.selected)?.target.clone(),
                    ask: ask(Scope::Port(key.port)),
                })
            }
            Page::Stacks => {
                let stacks = self.stacks();
                Some(Order {
                    member: stacks.get(self.selected)?.stack.clone(),
                    ask: ask(Scope::Target),
                })
            }
        }
    }

    fn lines(&self) -> usize {
        match self.page {
            Page::Services => self.services().len(),
            Page::Targets(key) => self.targets(key).len(),
            Page::Stacks => self.glance.group.rows.len(),
        }
    }

    /// The services, in the order of their addresses and ports.
    pub(super) fn services(&self) -> Vec<ServiceLine> {
        let mut services: BTreeMap<Key, ServiceLine> = BTreeMap::new();
        for row in &self.glance.vdpt.rows {
            let key = key_of(row);
            let line = services.entry(key).or_insert_with(|| ServiceLine {
                key,
                method: row.method.clone(),
                owner: owner(&self.glance, row.dvipa).map(ToOwned::to_owned),
                active_targets: 0,
                targets: 0,
                rate: None,
                connections: 0,
            });
            line.targets += 1;
            line.active_targets += usize::from(row.is_active);
            line.connections += row.active_connections;
            if let Some(rate) = self.rate(row) {
                *line.rate.get_or_insert_default() += rate;
            }
        }
        services.into_values().collect()
    }

    /// The targets of a service.
    pub(super) fn targets(&self, key: Key) -> Vec<TargetLine> {
        let rows = self.glance.vdpt.rows.iter();
        let rows: Vec<&VdptRow> = rows.filter(|row| key_of(row) == key).collect();
        let new = |row: &VdptRow| self.since_before(row).unwrap_or_default();
        let all: u64 = rows.iter().map(|row| new(row)).sum();
        let lines = rows.iter().map(|row| TargetLine {
            target: row.target.clone(),
            idle_because: (!row.is_active).then(|| {
                row.idle_because
                    .clone()
                    .unwrap_or_else(|| "idle".to_owned())
            }),
            listeners: row.ready,
            weight: row.wlm,
            tsr: row.tsr,
            rate: self.rate(row),
            share: (all > 0).then(|| real(new(row)) / real(all)),
            connections: row.active_connections,
            total: row.total_connections,
        });
        lines.collect()
    }

    /// The stacks of the group, the one that answers first.
    pub(super) fn stacks(&self) -> Vec<StackLine> {
        let rows = self.glance.group.rows.iter();
        rows.map(|row| StackLine {
            stack: row.stack.clone(),
            status: row.status.clone(),
            paths: row.paths_up.zip(row.paths),
            owns: row.owns.clone(),
        })
        .collect()
    }

    /// What the packet path did since the glance before.
    pub(super) fn packets(&self) -> Option<Packets> {
        let before = self.before.as_ref()?;
        let seconds = self.seconds()?;
        let rate = |is_meant: &dyn Fn(&Counter) -> bool| {
            let count = |stats: &Stats| -> u64 {
                let rows = stats.counters.iter();
                let meant = rows.filter(|row| counter(&row.name).is_some_and(is_meant));
                meant.map(|row| row.packets).sum()
            };
            let more = count(&self.glance.stats).saturating_sub(count(&before.stats));
            real(more) / seconds
        };
        let is_sent =
            |counter: &Counter| matches!(counter.action, Some(Action::Transmit | Action::Redirect));
        Some(Packets {
            received: rate(&|counter| counter.name == RECEIVED.name),
            sent: rate(&is_sent),
            passed: rate(&|counter| counter.action == Some(Action::Pass)),
            dropped: rate(&|counter| counter.action == Some(Action::Drop)),
        })
    }

    fn seconds(&self) -> Option<f64> {
        let before = self.before.as_ref()?;
        let passed = self.glance.at.saturating_sub(before.at);
        (!passed.is_zero()).then_some(passed.as_secs_f64())
    }

    fn rate(&self, row: &VdptRow) -> Option<f64> {
        Some(real(self.since_before(row)?) / self.seconds()?)
    }

    /// Connections that a target was handed since the glance before.
    fn since_before(&self, row: &VdptRow) -> Option<u64> {
        let before = &self.before.as_ref()?.vdpt;
        let before = find(before, row)?.total_connections;
        // A row that was removed and came back begins anew.
        Some(row.total_connections.saturating_sub(before))
    }
}

/// The counter of a name.
fn counter(name: &str) -> Option<&'static Counter> {
    let mut known = COUNTERS.iter().chain([&RECEIVED]);
    known.find(|counter| counter.name == name)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "it is shown with fewer digits than are kept"
)]
fn real(number: u64) -> f64 {
    number as f64
}

fn key_of(row: &VdptRow) -> Key {
    Key {
        dvipa: row.dvipa,
        port: row.port,
    }
}

pub(super) fn find<'a>(vdpt: &'a Vdpt, row: &VdptRow) -> Option<&'a VdptRow> {
    let mut rows = vdpt.rows.iter();
    rows.find(|found| key_of(found) == key_of(row) && found.dest_xcf == row.dest_xcf)
}

pub(super) fn owner(glance: &Glance, dvipa: IpAddr) -> Option<&str> {
    let mut dvipas = glance.sysplex.dvipas.iter();
    let found = dvipas.find(|found| found.dvipa == dvipa)?;
    let mut stacks = found.stacks.iter();
    Some(&stacks.find(|stack| stack.is_owner)?.stack)
}
