//! Which listeners of shared ports get connections in turn, compared with those that there are.

use std::collections::BTreeSet;

use tokio::time::Instant;
use tracing::warn;

use super::{LOOK_AGAIN, SETTLED, Task};
use crate::engine::ports::PortMessage;
use crate::shell::ports::govern::Governor;
use crate::shell::ports::listeners;

impl Task {
    /// Takes its turns from who is set aside, and gives them back to who no longer is.
    pub(super) async fn set_aside(&mut self) {
        let aside = self.aside.borrow_and_update().clone().unwrap_or_default();
        if let Some(governor) = &mut self.governor
            && let Err(error) = listeners::set_aside(governor, &aside.cookies)
        {
            warn!("quiesced servers may be given connections: {error:#}");
        }
        let governor = self.governor.as_ref();
        let is_shared = |port: &u16| governor.is_some_and(|governor| governor.is_shared(*port));
        let mixed = aside.shared.into_iter().filter(|port| !is_shared(port));
        for port in mixed.collect::<Vec<_>>() {
            self.tell(PortMessage::NotAside { port });
        }
        let now = Instant::now();
        let shared = self.governor.iter().flat_map(Governor::shared);
        self.unsettled.extend(shared.map(|port| (port, now)));
        self.compare_due().await;
    }

    /// Compares the listeners of the ports that are due with those that get connections in turn.
    pub(super) async fn compare_due(&mut self) {
        let now = Instant::now();
        let due = self.unsettled.iter().filter(|(_, at)| **at <= now);
        let due: BTreeSet<u16> = due.map(|(port, _)| *port).collect();
        let Some(governor) = self.governor.as_mut().filter(|_| !due.is_empty()) else {
            return;
        };
        let aside = self.aside.borrow().clone();
        let cookies = aside.as_ref().map(|aside| &aside.cookies);
        let none = BTreeSet::new();
        let cookies = cookies.unwrap_or(&none);
        let compared = listeners::compare(&mut self.sock_diag, governor, &due, cookies).await;
        let missing = match compared {
            Ok(missing) => missing,
            Err(error) => {
                warn!("listeners of shared ports could not be compared: {error:#}");
                let later = now + LOOK_AGAIN;
                self.unsettled
                    .extend(due.into_iter().map(|port| (port, later)));
                return;
            }
        };
        let mut told = Vec::new();
        for port in due {
            let missing = missing.get(&port).map(Vec::as_slice).unwrap_or_default();
            self.unsettled.remove(&port);
            if missing.is_empty() {
                put_in_turn(governor, port, true);
                continue;
            }
            // One that is just beginning to listen must not be noted twice, nor one be taken in that is
            // going to be set aside.
            if !governor.was_missing(missing) || aside.is_none() {
                self.unsettled.insert(port, now + SETTLED);
                continue;
            }
            let mut out_of_reach = Vec::new();
            for listener in missing {
                if let Err(error) = listeners::take_in(governor, listener) {
                    out_of_reach.push((listener.cookie, error));
                }
            }
            put_in_turn(governor, port, out_of_reach.is_empty());
            let new = out_of_reach
                .iter()
                .any(|(cookie, _)| self.given_up.insert(*cookie));
            if let Some((_, error)) = out_of_reach.first().filter(|_| new) {
                told.push(PortMessage::NotInTurn {
                    port,
                    listeners: out_of_reach.len(),
                    reason: error.to_string(),
                });
            }
        }
        for message in told {
            self.tell(message);
        }
    }
}

fn put_in_turn(governor: &mut Governor, port: u16, is_in_turn: bool) {
    if let Err(error) = governor.put_in_turn(port, is_in_turn) {
        warn!("TCP port {port}: its listeners stay as they were: {error:#}");
    }
}
