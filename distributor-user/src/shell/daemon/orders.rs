//! The operator's orders: how they come in, here or for another member, and that they are kept for a
//! daemon that goes on where this one was.
//!
//! An order outlives a crash and an upgrade: who has quiesced a target to work on
//! it must not find it busy because its program was replaced. A clean stop ends
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{Daemon, DaemonOptions};
use crate::engine::fact::{Ask, Outcome, Remaining};
use crate::engine::message::Message;
use crate::engine::stack::{Event, Orders, Scope, Served, Vary};
use crate::shell::admin::Answer;
use crate::shell::connections;

/// The file of one stack.
#[derive(Clone, Debug)]
pub(super) struct OrdersFile {
    path: PathBuf,
}

/// What is in it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    at: SystemTime,
    orders: Orders,
}

impl OrdersFile {
    /// Names the file; it need not exist.
    pub(super) fn of(options: &DaemonOptions) -> Self {
        let name = format!("{}.orders", options.name);
        Self {
            path: options.run_dir.join(name),
        }
    }

    /// Reads what an earlier daemon has kept; nothing if that cannot be read.
    pub(super) fn read(&self) -> Orders {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Orders::default(),
            Err(error) => {
                warn!(
                    "orders from before are lost: `{}` {error}",
                    self.path.display()
                );
                return Orders::default();
            }
        };
        match serde_json::from_str(&text) {
            Ok(Kept { at, orders }) => {
                info!("orders from before are in force: {orders}");
                // A clock that went back makes a drain last longer, and never shorter.
                orders.after(at.elapsed().unwrap_or(Duration::ZERO))
            }
            Err(error) => {
                warn!(
                    "orders from before are lost: `{}` {error}",
                    self.path.display()
                );
                Orders::default()
            }
        }
    }

    fn write(&self, orders: Orders) -> io::Result<()> {
        let kept = Kept {
            at: SystemTime::now(),
            orders,
        };
        let new = self.path.with_extension("orders.new");
        fs::write(&new, serde_json::to_string(&kept)?)?;
        fs::rename(&new, &self.path)
    }

    /// Forgets all orders.
    pub(super) fn remove(&self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!("`{}` stays behind: {error}", self.path.display()),
        }
    }
}

/// The operators who wait for a member's answer, by the numbers of their questions.
#[derive(Debug)]
pub(super) struct Questions {
    /// Counts on from start to start, so that no answer is taken for another's.
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
}

impl Questions {
    /// Numbers questions from `first` on.
    pub(super) fn from(first: u64) -> Self {
        Self {
            next: first,
            waiting: BTreeMap::new(),
        }
    }

    fn add(&mut self, answer: oneshot::Sender<Answer>) -> u64 {
        let request = self.next;
        self.next += 1;
        self.waiting.insert(request, answer);
        request
    }

    /// Answers a question.
    pub(super) fn answer(&mut self, request: u64, outcome: Outcome) {
        if let Some(answer) = self.waiting.remove(&request) {
            // Whoever asked may have gone.
            let _ = answer.send(outcome.into());
        }
    }
}

impl Daemon {
    /// Carries an order out, if it can be.
    pub(super) async fn vary(&mut self, vary: Vary) -> Answer {
        if let Err(refused) = self.stack.consider(&vary) {
            return Answer::Refused(refused.to_string());
        }
        let done = Message::Varied(vary.clone());
        self.handle(Event::Vary(vary)).await;
        Answer::Done(format!("{} {done}", done.kind().id))
    }

    /// Counts beside the loop what is left here.
    pub(super) fn count_remaining(&self, scope: Scope, answer: oneshot::Sender<Answer>) {
        let served = self.stack.served(scope);
        tokio::spawn(async move {
            // Whoever asked may have gone.
            let _ = answer.send(remaining(&served).await.into());
        });
    }

    /// Asks another member, and answers when it has.
    pub(super) async fn ask_member(
        &mut self,
        member: String,
        ask: Ask,
        answer: oneshot::Sender<Answer>,
    ) {
        let request = self.questions.add(answer);
        let to = member;
        self.handle(Event::Ask { to, request, ask }).await;
    }

    /// Keeps the orders that are in force.
    pub(super) fn keep_orders(&self) {
        let file = OrdersFile::of(&self.options);
        let orders = self.stack.orders(self.now());
        if orders == Orders::default() {
            file.remove();
        } else if let Err(error) = file.write(orders) {
            let path = file.path.display();
            warn!("orders would not outlive this program: `{path}` {error}");
        }
    }
}

/// Counts for a member what is left.
pub(super) async fn count_for(to: String, request: u64, served: &Served) -> Event {
    Event::Remaining {
        to,
        request,
        outcome: remaining(served).await,
    }
}

/// Counts the living connections that are left.
async fn remaining(served: &Served) -> Outcome {
    match connections::living_of(served).await {
        Ok(flows) => Outcome::Remaining(Remaining::count(&flows)),
        Err(error) => Outcome::Refused(format!("connections cannot be listed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_kept_until_they_are_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = OrdersFile {
            path: directory.path().join("TCPIP2.orders"),
        };
        assert_eq!(file.read(), Orders::default());
        let orders: Orders = serde_json::from_str(r#"{"is_quiesced":true}"#).expect("orders");
        assert_ne!(orders, Orders::default());
        file.write(orders.clone()).expect("a file");
        assert_eq!(file.read(), orders);
        fs::write(&file.path, "{").expect("a broken file");
        assert_eq!(file.read(), Orders::default());
        file.remove();
        file.remove();
        assert!(!file.path.exists());
    }
}
