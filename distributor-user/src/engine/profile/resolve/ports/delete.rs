//! DELETE PORT and DELETE PORTRANGE.

use super::super::super::diagnostic::Diagnostic;
use super::super::super::message::NOT_THERE;
use super::super::super::table::port::{
    DELETE_PORT, DELETE_PORTRANGE, DELETED_PORT, DELETED_RANGE,
};
use super::super::super::tree::Node;
use super::super::Resolver;
use super::{Key, protocol};

impl Resolver<'_> {
    /// `DELETE PORT` and `DELETE PORTRANGE`.
    pub(in super::super) fn delete_ports(&mut self, node: &Node) {
        let ports = node.child(&DELETE_PORT).into_iter();
        for entry in ports.flat_map(|list| &list.children) {
            self.delete_port(entry);
        }
        let ranges = node.child(&DELETE_PORTRANGE).into_iter();
        for entry in ranges.flat_map(|list| &list.children) {
            self.delete_range(entry);
        }
    }

    fn delete_port(&mut self, entry: &Node) {
        debug_assert!(entry.is(&DELETED_PORT));
        let (Some((port, _)), Some((user, _))) = (entry.number(), entry.named()) else {
            return;
        };
        let Ok(port) = u16::try_from(port) else {
            return;
        };
        let protocol = protocol(entry);
        let is_meant = |key: &Key| (key.0, key.1, key.2.as_str()) == (port, protocol, user);
        let first: Key = (port, protocol, user.to_owned(), None);
        let meant: Vec<Key> = self
            .ports
            .port_index
            .range(first..)
            .map(|(key, _)| key.clone())
            .take_while(is_meant)
            .collect();
        for key in &meant {
            if let Some((at, _)) = self.ports.port_index.remove(key) {
                self.ports.entries[at] = None;
            }
            let left = self
                .ports
                .reserved
                .get_mut(&(protocol, port))
                .map(|entries| {
                    entries.0 -= 1;
                    entries.0
                });
            if left == Some(0) {
                self.ports.reserved.remove(&(protocol, port));
            }
        }
        if meant.is_empty() {
            self.not_reserved(entry);
        }
    }

    fn delete_range(&mut self, entry: &Node) {
        debug_assert!(entry.is(&DELETED_RANGE));
        let mut numbers = entry.numbers();
        let (Some((first, _)), Some((count, _))) = (numbers.next(), numbers.next()) else {
            return;
        };
        let last = u16::try_from(first + count - 1).unwrap_or(u16::MAX);
        let key = u16::try_from(first)
            .ok()
            .map(|first| (protocol(entry), first));
        let known = key.and_then(|key| self.ports.ranges.get(&key));
        let is_meant = known.is_some_and(|(range, _, _)| {
            range.last == last && entry.name() == Some(range.user.word())
        });
        match key.filter(|_| is_meant) {
            Some(key) => drop(self.ports.ranges.remove(&key)),
            None => self.not_reserved(entry),
        }
    }

    fn not_reserved(&mut self, entry: &Node) {
        self.found.push(
            Diagnostic::error(
                &NOT_THERE,
                entry.whole(),
                "expected a reservation of the running profile, found none like this",
            )
            .help("repeat the port, the protocol and the job name of the entry to delete"),
        );
    }
}
