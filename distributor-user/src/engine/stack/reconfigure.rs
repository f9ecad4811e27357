//! Another profile for a running stack.
//!
//! Nothing here ends a connection. What a profile no longer says stops to
//! attract new ones; what lives goes on, and its address stays, until it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Effect, Stack};
use crate::engine::config::Config;
use crate::engine::definitions::Definitions;
use crate::engine::forwarding::ServiceKey;
use crate::engine::ownership::Input;

impl Stack {
    /// Takes another profile; the next settling brings everything to it.
    pub(super) fn reconfigure(&mut self, config: Config, now: Duration, effects: &mut Vec<Effect>) {
        let own = Definitions::of(&config);
        let is_new = own != self.own;
        let keys: BTreeSet<ServiceKey> = own.services.iter().map(ServiceKey::of).collect();
        self.rows.retain(|key, _| keys.contains(key));
        self.distributions = own.by_dvipa();
        self.own = own;
        self.config = config;
        self.forget_routes();
        if is_new {
            effects.extend(self.publish_definitions());
        }
        self.decide(Input::Stakes(self.stakes()), now, effects);
    }
}
