//! PORT UNRSV.

use super::super::super::super::config::{Enforced, PortProtocol, PortUser, UnreservedPorts};
use super::super::super::diagnostic::Diagnostic;
use super::super::super::message::{EZZ0147I, EZZ0318I, TOO_MUCH};
use super::super::super::table::port::{DENY, WHENBIND, WHENLISTEN};
use super::super::super::tree::Node;
use super::super::Resolver;
use super::{protocol, saf};

/// `UNRSV` entries of a stack.
const MAX_UNRESERVED: usize = 1024;

impl Resolver<'_> {
    pub(super) fn unreserved(&mut self, entry: &Node) {
        let Some((user, span)) = entry.named() else {
            return;
        };
        let protocol = protocol(entry);
        let when = entry.child(&WHENLISTEN).or(entry.child(&WHENBIND));
        let deny = entry.child(&DENY);
        if let Some(deny) = deny.filter(|_| user != "*") {
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    deny.span,
                    format!("expected `DENY` only with `*`, found it with `{user}`"),
                )
                .help("write `*` instead of the job name, or remove `DENY`"),
            );
        }
        self.check_user(entry, &PortUser::Job(user.to_owned()), span);
        let said = when.map(|when| (enforced(when), when.span));
        match (protocol, said, self.ports.when) {
            (PortProtocol::Udp, Some((Enforced::Listen, span)), _) => self.found.push(
                Diagnostic::error(
                    &EZZ0147I,
                    span,
                    "expected `WHENBIND` with `UDP`, found `WHENLISTEN`",
                )
                .help("nobody listens on a UDP port: write `WHENBIND` or nothing"),
            ),
            (PortProtocol::Tcp, Some((when, span)), Some((other, first))) if when != other => {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0147I,
                        span,
                        "expected either `WHENLISTEN` or `WHENBIND` for all of `UNRSV TCP`, found both",
                    )
                    .related(first, "the other one")
                    .help("write the same one for each"),
                );
            }
            (PortProtocol::Tcp, Some(said), None) => self.ports.when = Some(said),
            (PortProtocol::Tcp | PortProtocol::Udp, _, _) => {}
        }
        let when = match (protocol, said) {
            (_, Some((when, _))) => when,
            (PortProtocol::Tcp, None) => Enforced::Listen,
            (PortProtocol::Udp, None) => Enforced::Bind,
        };
        let unreserved = UnreservedPorts {
            protocol,
            user: user.to_owned(),
            is_denied: deny.is_some(),
            saf: saf(entry),
            when,
        };
        let is_same =
            |known: &&mut UnreservedPorts| known.protocol == protocol && known.user == user;
        let count = self.ports.unreserved.len();
        match self.ports.unreserved.iter_mut().find(is_same) {
            Some(known) => *known = unreserved,
            None if count == MAX_UNRESERVED => self.found.push(
                Diagnostic::error(
                    &TOO_MUCH,
                    entry.whole(),
                    format!("expected at most {MAX_UNRESERVED} `UNRSV` entries, found more"),
                )
                .help("use job names that end in `*`"),
            ),
            None => self.ports.unreserved.push(unreserved),
        }
    }
}

fn enforced(when: &Node) -> Enforced {
    if when.is(&WHENBIND) {
        Enforced::Bind
    } else {
        Enforced::Listen
    }
}
