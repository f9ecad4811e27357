//! Metrics: what a monitoring system is told, in the form that Prometheus reads.
//!
//! They are made from the reports at the moment of each scrape: nothing is
//! counted twice, and what nothing measures has no sample. Each family is an
//! entry of one table, from which the page of the metrics is made too.

mod families;
mod page;
#[cfg(test)]
mod tests;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::engine::report::{DaemonRow, Group, Stats, Sysplex, Vdpt};
use families::FAMILIES;
pub(crate) use page::page;

/// What the name of every family begins with.
const PREFIX: &str = "distributor";

/// What a scrape shows.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The stack's name.
    pub stack: String,
    /// When its daemon started, in milliseconds since 1970.
    pub started_ms: u64,
    /// What the daemon was told.
    pub daemon: DaemonRow,
    /// The counters.
    pub stats: Stats,
    /// Services and their targets.
    pub vdpt: Vdpt,
    /// DVIPAs and who has them.
    pub sysplex: Sysplex,
    /// The members.
    pub group: Group,
}

/// One family of metrics.
struct Family {
    /// Its name, without the prefix and what its kind adds.
    name: &'static str,
    kind: Kind,
    /// One sentence.
    help: &'static str,
    /// The names of its labels, besides that of the stack.
    labels: &'static [&'static str],
    samples: fn(&Scrape) -> Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only grows; `_total` is added to its name.
    Counter,
    Gauge,
    /// Is 1; `_info` is added to its name.
    Info,
}

/// One value of a family.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    /// The values of its labels, in the order of the family's.
    labels: Vec<String>,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Whole(u64),
    Real(f64),
}

/// Writes a scrape out.
#[must_use]
pub fn render(scrape: Scrape) -> String {
    let stack = ("stack".into(), scrape.stack.clone().into());
    let mut registry = Registry::with_prefix_and_labels(PREFIX, std::iter::once(stack));
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("writing to a String cannot fail");
    out
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        FAMILIES
            .iter()
            .try_for_each(|family| family.encode(self, &mut encoder))
    }
}

impl Family {
    fn encode(&self, scrape: &Scrape, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let samples = (self.samples)(scrape);
        if samples.is_empty() {
            return Ok(());
        }
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Info => MetricType::Info,
        };
        let mut family = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        for sample in samples {
            let labels = self.labels.iter().copied().zip(sample.labels);
            let labels: Vec<(&str, String)> = labels.collect();
            if self.kind == Kind::Info {
                family.encode_info(&labels)?;
                continue;
            }
            let mut one = family.encode_family(&labels)?;
            match (self.kind, sample.value) {
                (Kind::Counter, Value::Whole(value)) => {
                    one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                }
                (Kind::Counter, Value::Real(value)) => {
                    one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                }
                (Kind::Gauge | Kind::Info, Value::Whole(value)) => one.encode_gauge(&value)?,
                (Kind::Gauge | Kind::Info, Value::Real(value)) => one.encode_gauge(&value)?,
            }
        }
        Ok(())
    }
}
