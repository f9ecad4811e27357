//! Whether the method of a VIPADISTRIBUTE and what refines it go together.

use super::super::diagnostic::Diagnostic;
use super::super::table::vipadistribute::{
    ALL, AUTOSWITCHBACK, BACKUP, DESTIP, DISTMETHOD, HEALTHSWITCH, HOTSTANDBY, NOAUTOSWITCHBACK,
    NOHEALTHSWITCH, PREFERRED, TIMEDAFFINITY, WEIGHT, WEIGHTEDACTIVE,
};
use super::super::tree::Node;
use super::Resolver;
use super::distribute::entries;

/// BACKUP targets of one HOTSTANDBY service.
const MAX_BACKUPS: usize = 31;

impl Resolver<'_> {
    pub(super) fn check_method(&mut self, node: &Node) {
        let method = node.child(&DISTMETHOD);
        if method.is_none() && !node.has_error() {
            self.found.push(
                Diagnostic::error(
                    node.span,
                    "expected `DISTMETHOD ROUNDROBIN`, found no method, which means `BASEWLM`",
                )
                .help("`BASEWLM` is not supported yet: write `DISTMETHOD ROUNDROBIN`"),
            );
        }
        let is_method = |row| method.is_some_and(|method| method.child(row).is_some());
        if method.is_some_and(|method| method.children.is_empty()) {
            return;
        }
        if is_method(&HOTSTANDBY) {
            self.check_hot_standby(node);
        } else {
            self.check_no_hot_standby(node);
        }
        let weight = entries(node).find_map(|entry| entry.child(&WEIGHT));
        if let Some(weight) = weight.filter(|_| !is_method(&WEIGHTEDACTIVE)) {
            self.found.push(
                Diagnostic::warning(
                    weight.whole(),
                    "expected no `WEIGHT` with this method, found one; it is ignored",
                )
                .id("EZZ0799I")
                .help("`WEIGHT` belongs to `DISTMETHOD WEIGHTEDACTIVE`; remove it"),
            );
        }
        if let Some((1.., span)) = node.child(&TIMEDAFFINITY).and_then(Node::number) {
            self.found.push(
                Diagnostic::error(
                    span,
                    "`TIMEDAFFINITY` is not supported yet: a client could reach another target each time",
                )
                .help("remove it, or write `TIMEDAFFINITY 0`"),
            );
        }
    }

    fn check_no_hot_standby(&mut self, node: &Node) {
        let options = [
            &AUTOSWITCHBACK,
            &NOAUTOSWITCHBACK,
            &HEALTHSWITCH,
            &NOHEALTHSWITCH,
        ];
        let option = options.iter().find_map(|row| node.child(row));
        let target =
            entries(node).find_map(|entry| entry.child(&PREFERRED).or(entry.child(&BACKUP)));
        for keyword in option.into_iter().chain(target) {
            let name = keyword.row.keyword();
            self.found.push(
                Diagnostic::error(
                    keyword.span,
                    format!(
                        "expected `{name}` only with `DISTMETHOD HOTSTANDBY`, found it without"
                    ),
                )
                .id("EZZ0831I")
                .help(format!("remove `{name}`")),
            );
        }
    }

    fn check_hot_standby(&mut self, node: &Node) {
        let Some(destip) = node.child(&DESTIP) else {
            return;
        };
        let help = "name each target: one `PREFERRED`, the others `BACKUP rank`";
        if let Some(all) = destip.child(&ALL) {
            self.found.push(
                Diagnostic::error(
                    all.span,
                    "expected a list of targets with `HOTSTANDBY`, found `ALL`",
                )
                .id("EZZ0165I")
                .help(help),
            );
            return;
        }
        let count = |row| {
            entries(node)
                .filter(|entry| entry.child(row).is_some())
                .count()
        };
        let (preferred, backups) = (count(&PREFERRED), count(&BACKUP));
        let plain = entries(node).find(|entry| entry.children.is_empty() && !entry.has_error());
        if let Some(plain) = plain {
            self.found.push(
                Diagnostic::error(
                    plain.span,
                    "expected `PREFERRED` or `BACKUP` after a target of `HOTSTANDBY`, found neither",
                )
                .id("EZZ0826I")
                .help(help),
            );
        } else if (preferred != 1 || backups == 0) && !destip.has_error() {
            self.found.push(
                Diagnostic::error(
                    destip.span,
                    format!(
                        "expected one `PREFERRED` and at least one `BACKUP`, found {preferred} and {backups}"
                    ),
                )
                .id("EZZ0827I")
                .help(help),
            );
        }
        if backups > MAX_BACKUPS {
            self.found.push(
                Diagnostic::error(
                    destip.span,
                    format!("expected at most {MAX_BACKUPS} `BACKUP` targets, found {backups}"),
                )
                .id("EZZ0829I")
                .help("remove some of them"),
            );
        }
    }
}
