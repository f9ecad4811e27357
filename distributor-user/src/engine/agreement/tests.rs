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
    let members: Vec<Member<'_>> = loaded
        .iter()
        .zip(names)
        .map(|(loaded, name)| Member {
            name,
            config: loaded.config.as_ref().expect("a profile without errors"),
            places: Some(&loaded.places),
        })
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
    let no_routing = |profile: &str| profile.replace("SYSPLEXROUTING ", "");
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

#[test]
fn a_running_group_has_no_places() {
    let (one, other) = (loaded(&stack(1, &[DEFINE])), loaded(&stack(2, &[DEFINE])));
    let members = [("A", &one), ("B", &other)].map(|(name, loaded)| Member {
        name,
        config: loaded.config.as_ref().expect("a profile without errors"),
        places: None,
    });
    let found = compare(&members);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].member, found[0].diagnostic.span), (1, START));
}
