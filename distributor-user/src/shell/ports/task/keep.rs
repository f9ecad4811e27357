//! Which clients keep their listeners, as the kernel's program and the clock have it.

use super::Task;
use crate::shell::ports::clients;

impl Task {
    /// Says in the kernel which clients keep their listeners.
    pub(super) fn keep(&mut self) {
        let wanted = self.wanted.borrow_and_update();
        let (Some(governor), Some(wanted)) = (&mut self.governor, &*wanted) else {
            return;
        };
        let wanted = wanted.iter();
        let wanted = wanted.map(|(key, seconds)| (clients::share_key(*key), (*seconds).into()));
        if let Err(error) = governor.keep(&wanted.collect()) {
            clients::warn_of(&error.into());
        }
    }

    /// Forgets clients whose time is over.
    pub(super) async fn tend(&mut self) {
        let Some(mut clients) = self.clients.take() else {
            return;
        };
        let services = self.wanted.borrow().clone().unwrap_or_default();
        let now = self.began.elapsed();
        let tended = clients.tend(&services, &mut self.sock_diag, now).await;
        let has_failed = tended.is_err();
        if let Err(error) = tended
            && !clients.has_failed
        {
            clients::warn_of(&error);
        }
        clients.has_failed = has_failed;
        self.clients = Some(clients);
    }
}
