//! What the stacks are told before an event.

use std::net::{IpAddr, SocketAddr};

use crate::lab::{Lab, PORT, VIPA, VIPA6};
use crate::profile::{self, Dvipa, Moveable, Role};
use crate::stack::Stack;

/// The stack that defines the VIPA.
pub(super) const OWNER: &str = "TCPIP";

/// The first of its backups, which is a target as well.
pub(super) const BACKUP: &str = "TCPIP2";

/// The stacks whose servers clients reach.
pub(super) const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

/// What clients connect to, over IPv4.
pub(super) const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(VIPA), PORT);

/// How each stack's profile begins, and where its servers are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// The VIPA that is observed. Beside an IPv6 one there is the IPv4 one, with the same statements.
    pub(super) vipa: IpAddr,
    /// What follows MOVEABLE at the backups.
    pub(super) moveable: Moveable,
    /// Whether there are backups at all.
    pub(super) has_backups: bool,
    /// Whether the definer distributes the VIPA.
    pub(super) is_distributed: bool,
    /// Whether the backups have the VIPADISTRIBUTE too.
    pub(super) backups_distribute: bool,
    /// The stacks with a server.
    pub(super) servers: &'static [&'static str],
}

impl Setup {
    pub(super) const USUAL: Self = Self {
        vipa: IpAddr::V4(VIPA),
        moveable: Moveable::Immediate,
        has_backups: true,
        is_distributed: true,
        backups_distribute: true,
        servers: &TARGETS,
    };

    pub(super) const IPV6: Self = Self {
        vipa: IpAddr::V6(VIPA6),
        ..Self::USUAL
    };

    /// What clients connect to.
    pub(super) fn service(&self) -> SocketAddr {
        SocketAddr::new(self.vipa, PORT)
    }

    /// The profile of `stack`.
    pub(super) fn profile(&self, lab: &Lab, stack: &Stack) -> String {
        let all = TARGETS.map(|name| lab.stack(name).xcf_address());
        let is_definer = stack.name() == OWNER;
        let distributes = self.is_distributed && (is_definer || self.backups_distribute);
        let dvipa = Dvipa {
            role: match stack.name() {
                OWNER => Role::Define,
                BACKUP => Role::Backup(200),
                _ => Role::Backup(100),
            },
            moveable: Some(if is_definer {
                Moveable::Immediate
            } else {
                self.moveable
            }),
            destinations: if distributes { &all } else { &[] },
        };
        let address = stack.xcf_address();
        match (is_definer || self.has_backups, self.vipa) {
            (true, IpAddr::V4(_)) => dvipa.profile(address),
            (true, IpAddr::V6(_)) => dvipa.dual_profile(address),
            (false, IpAddr::V4(_)) => profile::target(address),
            (false, IpAddr::V6(_)) => profile::dual_target(address),
        }
    }
}
