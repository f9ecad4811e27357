use std::cell::RefCell;

use super::{COMPILER, Need, PROGRAMS, Package, Plan, by_hand, plan};
use crate::compiler::Kind;
use crate::setup::apt::Offer;

/// An archive that has everything but the packages named; it notes what it was asked for.
struct Shop {
    lacks: Vec<&'static str>,
    asked: RefCell<Vec<Vec<&'static str>>>,
}

impl Shop {
    fn lacking(lacks: &[&'static str]) -> Self {
        Self {
            lacks: lacks.to_vec(),
            asked: RefCell::default(),
        }
    }

    fn offer(&self, packages: &[Package]) -> Result<Offer, String> {
        let names: Vec<_> = packages.iter().map(|package| package.name).collect();
        let missing = names.iter().find(|name| self.lacks.contains(name)).copied();
        self.asked.borrow_mut().push(names);
        missing.map_or_else(|| Ok(Offer::default()), |name| Err(format!("no `{name}`")))
    }

    fn plan(&self, missing: &[Need], wanted: Option<Kind>, rustup: bool) -> Result<Plan, String> {
        plan(missing, wanted, rustup, |packages| self.offer(packages))
    }
}

fn nginx() -> Need {
    Need::Program(PROGRAMS[0])
}

#[test]
fn the_plan_follows_what_is_missing_and_what_is_on_offer() {
    let programs: &[&str] = &["nginx-light"];
    let compiler: &[&str] = &["rustc-web", "libstd-rust-web-dev-bpf"];
    let both: &[&str] = &["nginx-light", "rustc-web", "libstd-rust-web-dev-bpf"];
    let all = [nginx(), Need::Compiler, Need::Linker];
    // Missing, wanted, has rustup, not on offer → asked for, nightly, linker.
    let cases = [
        (&all[..], None, true, &[][..], &[both][..], false, true),
        (&all, None, false, &[], &[both], false, true),
        // No such compiler in the archive: a nightly, and the rest from the archive.
        (
            &all,
            None,
            true,
            &["libstd-rust-web-dev-bpf"],
            &[both, programs],
            true,
            true,
        ),
        (
            &all,
            Some(Kind::Nightly),
            true,
            &[],
            &[programs],
            true,
            true,
        ),
        (&all, Some(Kind::Prebuilt), true, &[], &[both], false, true),
        (&all[..1], None, false, &[], &[programs], false, false),
        (&all[1..2], None, true, &[], &[compiler], false, false),
        (&all[2..], None, false, &[], &[], false, true),
    ];
    for (missing, wanted, rustup, lacks, asked, nightly, linker) in cases {
        let shop = Shop::lacking(lacks);
        let plan = shop.plan(missing, wanted, rustup).expect("a plan");
        assert_eq!(*shop.asked.borrow(), asked, "{missing:?} {wanted:?}");
        assert_eq!(
            (plan.nightly, plan.linker),
            (nightly, linker),
            "{missing:?} {wanted:?}"
        );
        assert_eq!(
            plan.packages.is_some(),
            !asked.is_empty(),
            "{missing:?} {wanted:?}"
        );
    }
}

#[test]
fn what_cannot_be_had_is_said() {
    let all = [nginx(), Need::Compiler];
    let cases = [
        (
            None,
            false,
            "rustc-web",
            "no `rustc-web`, and there is no rustup",
        ),
        (Some(Kind::Prebuilt), true, "rustc-web", "no `rustc-web`"),
        (Some(Kind::Nightly), false, "", "there is no rustup"),
        (None, true, "nginx-light", "no `nginx-light`"),
    ];
    for (wanted, rustup, lacks, expected) in cases {
        let reason = Shop::lacking(&[lacks])
            .plan(&all, wanted, rustup)
            .expect_err("a refusal");
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn every_need_is_explained_to_one_who_must_install_it_himself() {
    let mut needs = vec![Need::Compiler, Need::Linker];
    needs.extend(PROGRAMS.map(Need::Program));
    let text = by_hand(&needs);
    assert_eq!(text.lines().count(), needs.len() + 1, "{text}");
    for program in PROGRAMS {
        assert!(text.contains(program.name), "{text}");
        assert!(!Need::Program(program).purpose().is_empty());
    }
}

#[test]
fn the_compiler_and_its_core_are_of_one_version() {
    assert!(
        COMPILER
            .iter()
            .all(|package| package.tried == COMPILER[0].tried)
    );
}
