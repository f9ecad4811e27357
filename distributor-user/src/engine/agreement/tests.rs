//! Profiles that are right alone and wrong together.

use super::*;
use crate::engine::profile::{Loaded, Operand, ReadError, Reader, Text, load};

struct NoMembers;

impl Reader for NoMembers {
    fn read(&mut self, _: &Operand, _: &str) -> Result<Text, ReadError> {
        unreachable!("the profiles of this test include nothing")
    }
}

fn loaded(profile: &str) -> Loaded {
    let text = Text {
        name: "profile".to_owned(),
        identity: "profile".to_owned(),
        bytes: profile.as_bytes().to_vec(),
    };
    load(text, &mut NoMembers)
}

/// `stack:line:column message`, one for each disagreement of stacks called A, B, C.
fn told(profiles: &[&str]) -> Vec<String> {
    let names = ["A", "B", "C"];
    let loaded: Vec<Loaded> = profiles.iter().map(|profile| loaded(profile)).collect();
    let definitions: Vec<Definitions> = loaded.iter().map(definitions).collect();
    let members: Vec<Member<'_>> = (loaded.iter().zip(&definitions).zip(names))
        .map(|((loaded, definitions), name)| Member::of_profile(name, definitions, &loaded.places))
        .collect();
    compare(&members)
        .into_iter()
        .map(|Disagreement { member, diagnostic }| {
            assert!(diagnostic.help.is_some());
            let (_, at, end) = loaded[member].place(diagnostic.span);
            assert!(at < end, "something is underlined");
            let (line, column) = (at.line, at.column);
            format!("{}:{line}:{column} {}", names[member], diagnostic.message)
        })
        .collect()
}

fn xcf(host: u8) -> String {
    format!("IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.{host} 255.255.255.0 1\n")
}

/// Stack `host` with `statements` in a block whose first line is line 3.
fn stack(host: u8, statements: &[&str]) -> String {
    let statements = statements.join("\n");
    format!("{}VIPADYNAMIC\n{statements}\nENDVIPADYNAMIC\n", xcf(host))
}

fn no_routing(profile: &str) -> String {
    profile.replace("SYSPLEXROUTING ", "")
}

const DEFINE: &str = "VIPADEFINE 255.255.255.0 10.1.3.10";
const PASSIVE: &str = "VIPABACKUP 10 10.1.3.10";

fn backup(rank: u8) -> String {
    format!("VIPABACKUP {rank} MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10")
}

fn distribute(method: &str, targets: &str) -> String {
    format!("VIPADISTRIBUTE DISTMETHOD {method} 10.1.3.10 PORT 80 DESTIP {targets}")
}

#[test]
fn stacks_that_agree_are_right() {
    let front = stack(
        1,
        &[DEFINE, &distribute("ROUNDROBIN", "172.1.1.2 172.1.1.3")],
    );
    let second = stack(2, &[&backup(100)]);
    assert_eq!(told(&[&front, &second, &xcf(3)]), Vec::<String>::new());
    assert_eq!(told(&[]), Vec::<String>::new());
}

#[test]
fn what_only_several_profiles_show_is_found() {
    let front = |targets: &str| stack(1, &[DEFINE, &distribute("ROUNDROBIN", targets)]);
    let elsewhere = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.2.3 255.255.255.0 1\n";
    let cases: [(Vec<String>, &[&str]); 13] = [
        (
            vec![front("172.1.1.2 172.1.1.9"), xcf(2)],
            &[
                "A:4:73 expected the DYNAMICXCF address of one of these stacks, found \
                 `172.1.1.9`, which is that of none",
            ],
        ),
        (
            vec![
                front("172.1.1.2 172.1.1.9"),
                stack(2, &["VIPADEFINE 255.255.255.0 172.1.1.9"]),
            ],
            &[
                "A:4:73 expected the DYNAMICXCF address of one of these stacks, found \
                 `172.1.1.9`, a DVIPA",
            ],
        ),
        (
            vec![stack(1, &[DEFINE]), stack(2, &[DEFINE])],
            &["B:3:26 expected one VIPADEFINE of `10.1.3.10`, found that of `A` too"],
        ),
        (
            vec![stack(1, &[PASSIVE]), xcf(2)],
            &["A:3:15 expected a stack that can create `10.1.3.10`, found only passive backups"],
        ),
        (vec![stack(1, &[PASSIVE]), stack(2, &[&backup(20)])], &[]),
        (
            vec![
                stack(1, &[DEFINE]),
                stack(2, &[&backup(10)]),
                stack(3, &[PASSIVE]),
            ],
            &["C:3:15 expected a rank of its own for `10.1.3.10`, found 10, which `B` has too"],
        ),
        (
            vec![
                no_routing(&stack(1, &[DEFINE])),
                stack(2, &[&backup(10), &distribute("ROUNDROBIN", "ALL")]),
            ],
            &[
                "A:3:26 expected `IPCONFIG SYSPLEXROUTING` at the definer of `10.1.3.10`, which \
                 is distributed, found none",
            ],
        ),
        (
            vec![
                stack(1, &[DEFINE, &distribute("SERVERWLM", "172.1.1.2")]),
                no_routing(&xcf(2)),
                no_routing(&xcf(3)),
            ],
            &[
                "B:1:21 expected `IPCONFIG SYSPLEXROUTING` at a target of `10.1.3.10`, whose \
                 method has weights, found none",
            ],
        ),
        (
            vec![xcf(1), xcf(2), elsewhere.to_owned()],
            &["C:1:36 expected the DYNAMICXCF network of `A`, 172.1.1.0/24, found 172.1.2.0/24"],
        ),
        (
            vec![elsewhere.to_owned(), xcf(1), xcf(2)],
            &["A:1:36 expected the DYNAMICXCF network of `B`, 172.1.1.0/24, found 172.1.2.0/24"],
        ),
        (
            vec![xcf(1), xcf(1)],
            &[
                "B:1:36 expected a DYNAMICXCF address of its own, found `172.1.1.1`, which is \
                 that of `A` too",
            ],
        ),
        (
            vec![xcf(1), stack(2, &["VIPADEFINE 255.255.255.0 172.1.1.1"])],
            &[
                "B:3:26 expected an address of its own as DVIPA, found the DYNAMICXCF address \
                 `172.1.1.1` of `A`",
            ],
        ),
        (
            vec![
                stack(1, &["VIPADEFINE CPCSCOPE 255.255.255.0 10.1.3.10"]),
                stack(2, &[&backup(1), "VIPAROUTE 172.1.1.7 10.9.9.9"]),
            ],
            &[
                "B:4:11 expected the DYNAMICXCF address of one of these stacks, found \
                 `172.1.1.7`, which is that of none",
                "B:3:47 expected the tier and scope that `10.1.3.10` has at `A`, found others",
            ],
        ),
    ];
    for (profiles, expected) in cases {
        let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
        assert_eq!(told(&profiles), expected, "{profiles:#?}");
    }
}

fn definitions(loaded: &Loaded) -> Definitions {
    let config = loaded.config.as_ref();
    Definitions::of(config.expect("a profile without errors"))
}

/// A running stack: A, B or C with the DYNAMICXCF address of host 1, 2 or 3.
fn running(host: u8, profile: &str) -> Running {
    Running {
        name: char::from(b'@' + host).to_string(),
        dynamic_xcf: Some(IpAddr::from([172, 1, 1, host])),
        knowledge: Knowledge::Whole,
        definitions: Some(definitions(&loaded(profile))),
    }
}

/// `stack severity message`, one for each finding in a running group.
fn told_of(group: &[Running]) -> Vec<String> {
    let members: Vec<Member<'_>> = group.iter().map(Running::member).collect();
    compare(&members)
        .into_iter()
        .map(|Disagreement { member, diagnostic }| {
            assert_eq!(diagnostic.span, START);
            assert!(diagnostic.help.is_some());
            let (name, severity) = (&group[member].name, diagnostic.severity.name());
            format!("{name} {severity} {}", diagnostic.message)
        })
        .collect()
}

#[test]
fn a_running_group_is_compared_by_the_same_rules() {
    let distributed = distribute("ROUNDROBIN", "172.1.1.2 172.1.1.9");
    let weighted = distribute("SERVERWLM", "ALL");
    for (group, expected) in [
        (
            vec![
                running(
                    1,
                    &stack(1, &[DEFINE, &distribute("ROUNDROBIN", "172.1.1.2")]),
                ),
                running(2, &xcf(2)),
            ],
            &[][..],
        ),
        (
            vec![
                running(1, &stack(1, &[DEFINE, &distributed])),
                running(2, &stack(2, &[&backup(10)])),
                running(3, &stack(3, &[PASSIVE])),
            ],
            &[
                "A warning expected the DYNAMICXCF address of one of these stacks, found \
                 `172.1.1.9`, which is that of none",
                "C warning expected a rank of its own for `10.1.3.10`, found 10, which `B` has too",
            ],
        ),
        (
            vec![
                running(1, &no_routing(&stack(1, &[DEFINE, &weighted]))),
                running(2, &xcf(2)),
            ],
            &[
                "A warning expected `IPCONFIG SYSPLEXROUTING` at the definer of `10.1.3.10`, which \
                 is distributed, found none",
                "A warning expected `IPCONFIG SYSPLEXROUTING` at a target of `10.1.3.10`, whose \
                 method has weights, found none",
            ],
        ),
        (
            vec![
                running(1, &xcf(1)),
                running(2, &xcf(2)),
                running(3, &xcf(3).replace("255.255.255.0", "255.255.0.0")),
            ],
            &["C warning expected the DYNAMICXCF network of `A`, 172.1.1.0/24, found 172.1.0.0/16"],
        ),
    ] {
        assert_eq!(told_of(&group), expected, "{group:#?}");
    }
}

#[test]
fn nothing_is_concluded_from_what_is_not_known() {
    let distributed = distribute("ROUNDROBIN", "172.1.1.3");
    let group = [
        running(1, &stack(1, &[PASSIVE])),
        running(2, &stack(2, &[&backup(20), &distributed])),
        running(3, &no_routing(&stack(3, &[&backup(10)]))),
    ];
    let passive = "A warning expected a stack that can create";
    let rank = "C warning expected a rank of its own for `10.1.3.10`, found 10, which `A` has too";
    let not_here = "C warning expected the definitions of every stack, found that those of this one \
                    have not arrived";
    let in_part = "C warning expected the newest definitions of every stack, found that those of \
                   this one have not arrived completely";
    let earlier = "C warning expected all that profiles are compared by, found a stack whose release \
                   does not publish it";
    let gone = "C note the stack has left the group, and is not compared";
    let of = |knowledge, is_there: bool, has_identity: bool| {
        let mut third = group[2].clone();
        third.knowledge = knowledge;
        let definitions = third.definitions.take().filter(|_| is_there);
        third.definitions = definitions.map(|definitions| Definitions {
            identity: definitions.identity.filter(|_| has_identity),
            ..definitions
        });
        [group[0].clone(), group[1].clone(), third]
    };
    for (group, expected) in [
        (of(Knowledge::Whole, true, true), vec![rank]),
        (of(Knowledge::Arriving, false, true), vec![not_here]),
        (of(Knowledge::Arriving, true, true), vec![in_part, rank]),
        (of(Knowledge::Whole, true, false), vec![earlier, rank]),
        (of(Knowledge::Departed, false, true), vec![gone]),
    ] {
        assert_eq!(told_of(&group), expected);
    }
    let alone = [running(1, &stack(1, &[PASSIVE]))];
    assert!(told_of(&alone)[0].starts_with(passive));
}

#[test]
fn a_stack_that_left_takes_no_address_from_one_that_came() {
    let mut before = running(1, &xcf(1));
    before.knowledge = Knowledge::Departed;
    before.definitions = None;
    let mut after = running(1, &xcf(1));
    "B".clone_into(&mut after.name);
    assert_eq!(
        told_of(&[before, after]),
        ["A note the stack has left the group, and is not compared"]
    );
}

#[test]
fn a_running_stack_keeps_its_identity() {
    let told = |after: &str| {
        let [before, after] = ["IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 1", after]
            .map(|text| loaded(text).config.expect("a profile without errors"));
        let changed = keeps_identity(before.xcf_networks(), after.xcf_networks());
        changed.map_err(|changed| changed.to_string())
    };
    assert_eq!(
        told("IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 9"),
        Ok(())
    );
    for (after, found) in [
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.0.0 1",
            "found `172.1.1.1/16`:",
        ),
        ("IPCONFIG SYSPLEXROUTING", "found none:"),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 1\nIPCONFIG6 DYNAMICXCF fd00:172::1",
            "found `172.1.1.1/24` and `fd00:172::1/64`:",
        ),
    ] {
        let changed = told(after).expect_err("another identity");
        assert!(changed.contains(found), "{changed}");
    }
}
