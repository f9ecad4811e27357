//! Whether the method of a VIPADISTRIBUTE and what refines it go together.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::Row;
use super::super::message::{
    EZZ0165I, EZZ0312I, EZZ0318I, EZZ0799I, EZZ0826I, EZZ0827I, EZZ0829I, EZZ0831I,
};
use super::super::source::Span;
use super::super::table::vipadistribute::{
    ALL, AUTOSWITCHBACK, BACKUP, BASEWLM, DESTIP, DISTMETHOD, ENCAP, GRE, HEALTHSWITCH, HOTSTANDBY,
    ILWEIGHTING, MAGLEV, NOAUTOSWITCHBACK, NOHEALTHSWITCH, PREFERRED, PROCTYPE, PROCXCOST,
    SERVERWLM, TARGCONTROLLED, TIER1, WEIGHT, WEIGHTEDACTIVE,
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
            self.assume(
                node.span,
                &BASEWLM,
                "`DISTMETHOD`",
                "write `DISTMETHOD ROUNDROBIN` if that is what you want",
            );
        }
        let is_method = |row| method.is_some_and(|method| method.child(row).is_some());
        if method.is_some_and(|method| method.children.is_empty()) {
            return;
        }
        if is_method(&HOTSTANDBY) {
            self.check_hot_standby(node);
            let says = |row| node.child(row).is_some();
            if !says(&HEALTHSWITCH) && !says(&NOHEALTHSWITCH) {
                self.assume(
                    node.span,
                    &HEALTHSWITCH,
                    "`NOHEALTHSWITCH`",
                    "write `NOHEALTHSWITCH` if that is what you want",
                );
            }
        } else {
            self.check_no_hot_standby(node);
        }
        let weight = entries(node).find_map(|entry| entry.child(&WEIGHT));
        let has_weights = is_method(&WEIGHTEDACTIVE) || is_method(&MAGLEV);
        if let Some(weight) = weight.filter(|_| !has_weights) {
            self.found.push(
                Diagnostic::warning(
                    &EZZ0799I,
                    weight.whole(),
                    "expected no `WEIGHT` with this method, found one; it is ignored",
                )
                .help("`WEIGHT` belongs to `DISTMETHOD WEIGHTEDACTIVE` or `MAGLEV`; remove it"),
            );
        }
        let is_base = method.is_none() || is_method(&BASEWLM);
        if !is_base {
            self.only_with(node, &PROCTYPE, "BASEWLM");
        }
        if !is_method(&SERVERWLM) {
            self.only_with(node, &PROCXCOST, "SERVERWLM");
            self.only_with(node, &ILWEIGHTING, "SERVERWLM");
        }
        for refined in [&PROCTYPE, &PROCXCOST] {
            let refined = node.child(refined);
            if let Some(refined) = refined.filter(|one| one.children.is_empty() && !one.is_broken) {
                let name = refined.row.keyword();
                self.found.push(
                    Diagnostic::error(
                        &EZZ0312I,
                        refined.span,
                        format!("expected numbers after `{name}`, found none"),
                    )
                    .help(format!("write `{}`", refined.row.usage())),
                );
            }
        }
        self.check_encapsulation(node, is_base || is_method(&SERVERWLM));
    }

    /// Says once what is understood where nothing is written, as far as it is not acted on.
    fn assume(&mut self, span: Span, row: &'static Row, without: &str, help: &str) {
        if self
            .assumed
            .iter()
            .any(|assumed| std::ptr::eq(*assumed, row))
        {
            return;
        }
        let subject = format!("`{}`, the default without {without},", row.keyword());
        if let Some(report) = row.standing.report(span, &subject) {
            self.assumed.push(row);
            self.found.push(report.help(help));
        }
    }

    fn only_with(&mut self, node: &Node, row: &'static Row, method: &str) {
        let Some(keyword) = node.child(row) else {
            return;
        };
        let name = keyword.row.keyword();
        self.found.push(
            Diagnostic::error(
                &EZZ0318I,
                keyword.span,
                format!("expected `{name}` only with `DISTMETHOD {method}`, found it without"),
            )
            .help(format!("remove `{name}`")),
        );
    }

    /// Weights of z/OS systems exist only inside the group, those of targets only outside.
    fn check_encapsulation(&mut self, node: &Node, is_wlm: bool) {
        let tier = node.child(&TIER1);
        let outside = tier.and_then(|tier| tier.child(&GRE).or(tier.child(&ENCAP)));
        let method = node.child(&DISTMETHOD);
        let controlled = method.and_then(|method| method.child(&TARGCONTROLLED));
        let refusal = match (outside, controlled) {
            (None, Some(controlled)) => Some((
                controlled.span,
                "expected `TARGCONTROLLED` only with `TIER1` and `GRE` or `ENCAP`, found it without"
                    .to_owned(),
                "choose another method, or write `TIER1 groupname GRE`",
            )),
            (Some(outside), _) if is_wlm => Some((
                outside.span,
                format!(
                    "expected a method without weights of z/OS with `{}`, found `BASEWLM` or \
                     `SERVERWLM`",
                    outside.row.keyword()
                ),
                "write `DISTMETHOD ROUNDROBIN`, `WEIGHTEDACTIVE` or `TARGCONTROLLED`",
            )),
            (None | Some(_), _) => None,
        };
        if let Some((span, message, help)) = refusal {
            let report = Diagnostic::error(&EZZ0318I, span, message);
            self.found.push(report.help(help));
        }
        let Some(outside) = outside else {
            return;
        };
        let wants_ipv4 = outside.is(&GRE);
        let mut targets = entries(node).flat_map(Node::addresses);
        if let Some((address, span)) = targets.find(|(to, _)| to.is_ipv4() != wants_ipv4) {
            let (family, other) = if wants_ipv4 {
                ("IPv4", "ENCAP")
            } else {
                ("IPv6", "GRE")
            };
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!(
                        "expected {family} targets with `{}`, found `{address}`",
                        outside.row.keyword()
                    ),
                )
                .help(format!("write `{other}` for such targets")),
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
                    &EZZ0831I,
                    keyword.span,
                    format!(
                        "expected `{name}` only with `DISTMETHOD HOTSTANDBY`, found it without"
                    ),
                )
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
                    &EZZ0165I,
                    all.span,
                    "expected a list of targets with `HOTSTANDBY`, found `ALL`",
                )
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
        let plain = entries(node).find(|entry| {
            let is_either = entry.child(&PREFERRED).or(entry.child(&BACKUP)).is_some();
            !is_either && !entry.has_error()
        });
        if let Some(plain) = plain {
            self.found.push(
                Diagnostic::error(
                    &EZZ0826I,
                    plain.span,
                    "expected `PREFERRED` or `BACKUP` after a target of `HOTSTANDBY`, found neither",
                )
                .help(help),
            );
        } else if (preferred != 1 || backups == 0) && !destip.has_error() {
            self.found.push(
                Diagnostic::error(
                    &EZZ0827I,
                    destip.span,
                    format!(
                        "expected one `PREFERRED` and at least one `BACKUP`, found {preferred} and {backups}"
                    ),
                )
                .help(help),
            );
        }
        if backups > MAX_BACKUPS {
            self.found.push(
                Diagnostic::error(
                    &EZZ0829I,
                    destip.span,
                    format!("expected at most {MAX_BACKUPS} `BACKUP` targets, found {backups}"),
                )
                .help("remove some of them"),
            );
        }
    }
}
