//! What a stack is told before it begins.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::engine::config::Config;

/// What the engine of one stack starts from.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The stack's name.
    pub name: String,
    /// Its profile.
    pub config: Config,
    /// The addresses that this stack has on the group's networks; the other members know them.
    pub addresses: BTreeSet<IpAddr>,
    /// The interface of the DYNAMICXCF network: its paths are preferred.
    pub xcf_ifindex: u32,
    /// The interfaces by which clients reach this stack.
    pub client_ifindexes: BTreeSet<u32>,
    /// How long a packet path goes on without its daemon before it fences itself.
    pub grace: Duration,
    /// Over which time the share of a target grows that has come back; zero: it gets all at once.
    pub slow_start: Duration,
    /// Where the numbering of readiness reports starts; must grow from start to start.
    pub first_revision: u64,
    /// How long the group was listened to before the engine began.
    pub listened: Duration,
    /// DVIPAs for which a host may answer that is or is not a member: not wanted before that is known.
    pub contested: BTreeSet<IpAddr>,
}
