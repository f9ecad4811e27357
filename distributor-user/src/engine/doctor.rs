//! `distributor doctor`: what is wrong on the way of a connection, from what was found out.
//!
//! Facts in, findings out: nothing here reads a setting or changes one. What can
//! be found at all stands in one table, and the page of the documentation is
//! made from it. Causes come before what follows from them, and both in the order
//! of the way; of what a connection does not pass there is no finding.

mod facts;
mod finding;
mod firewall;
mod host;
mod page;
mod servers;
mod start;
mod table;
#[cfg(test)]
mod tests;
mod way;

pub use facts::{
    Answering, Daemon, Facts, Host, Listener, Nic, Obstacle, Reached, Resolved, Said, Socket,
    Stopped, Xdp,
};
pub use finding::{Diagnosis, Finding, Fix, Severity, VERSION, schema, text};
pub use page::page;
pub use table::{Entry, Stage, entries};
pub use way::is_incomplete;

/// Finds what is wrong, the first cause first.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.daemon {
        Daemon::Stopped(stopped) => start::examine(stopped, &mut findings),
        Daemon::Running(said) => {
            way::examine(said, &mut findings);
            host::examine(said, &facts.host, &mut findings);
            firewall::examine(said, &facts.host, &mut findings);
            servers::examine(said, &facts.host, &mut findings);
        }
    }
    // Stable: of one kind, those found first stay first.
    findings.sort_by_key(|finding| table::place(&finding.id));
    findings
}
