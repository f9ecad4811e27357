//! The page of the metrics.

use std::fmt::Write as _;

use super::families::{FAMILIES, LABELS};
use super::{Kind, PREFIX};
use crate::engine::reference::MADE;

/// Writes the page.
pub(crate) fn page() -> String {
    let mut text = format!(
        "\
# Metrics

{MADE}

With `distributor run --metrics ADDR:PORT` a stack answers `GET /metrics` on that
address in the [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/)
text format, which Prometheus and everything that speaks its language reads.

```
distributor run … --metrics 127.0.0.1:9481
curl http://127.0.0.1:9481/metrics
```

Nobody is asked who he is: choose an address that only those who may know reach. A
scrape makes reports, the same that [`netstat`](reports.md) shows, and takes nothing from the
packet path. What nothing measures has no sample. A family without samples is left out.

[`examples/prometheus/alerts.yaml`](../examples/prometheus/alerts.yaml) has rules for alerts,
[`examples/grafana/distributor.json`](../examples/grafana/distributor.json) a dashboard.

## Families

| name | type | labels besides `stack` | meaning |
|---|---|---|---|
"
    );
    for family in FAMILIES {
        let (kind, suffix) = match family.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Info => ("info", "_info"),
        };
        let labels: Vec<String> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            text,
            "| `{PREFIX}_{}{suffix}` | {kind} | {} | {} |",
            family.name,
            labels.join(", "),
            family.help,
        );
    }
    text.push_str("\n## Labels\n\n| label | meaning |\n|---|---|\n");
    for (name, meaning) in LABELS {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text
}
