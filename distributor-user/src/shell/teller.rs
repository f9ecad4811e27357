//! Tells the operator: in the log, and to whoever asks later what has happened.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::{info, warn};

use crate::engine::events::Events;
use crate::engine::message::Message;

/// Where messages go; all copies are one.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    events: Arc<Mutex<Events>>,
}

impl Teller {
    /// Tells the operator.
    pub fn tell(&self, message: Message) {
        let kind = message.kind();
        if kind.is_warning {
            warn!("{} {message}", kind.id);
        } else {
            info!("{} {message}", kind.id);
        }
        self.with(|events| events.note(message, Timestamp::now()));
    }

    /// What was told of late.
    #[must_use]
    pub fn told(&self) -> Events {
        self.with(|events| events.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Events) -> T) -> T {
        // A list of messages is right after every step.
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut events)
    }
}
