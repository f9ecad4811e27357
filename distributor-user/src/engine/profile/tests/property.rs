//! Any input is accepted or explained, whatever it is.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What holds for every input.
fn check(profile: Vec<u8>, members: Members) -> Result<(), TestCaseError> {
    let mut members = members;
    let loaded = load(text("profile", profile), &mut members);
    let errors = loaded.count(Severity::Error);
    prop_assert_eq!(loaded.config.is_none(), errors > 0);
    for diagnostic in &loaded.diagnostics {
        let is_explained = diagnostic.help.is_some() || diagnostic.severity != Severity::Error;
        prop_assert!(is_explained, "no help: {:?}", diagnostic);
        let related = diagnostic.related.iter().map(|(span, _)| *span);
        for span in related.chain([diagnostic.span]) {
            check_place(&loaded, span)?;
        }
    }
    for style in [Style::Plain, Style::Coloured] {
        prop_assert_eq!(loaded.text(style).is_empty(), loaded.diagnostics.is_empty());
    }
    Ok(())
}

/// The span lies in its text, on whole characters, and so do the lines and columns made of it.
fn check_place(loaded: &Loaded, span: Span) -> Result<(), TestCaseError> {
    let source = loaded.sources.of(span);
    prop_assert!(
        source.text.get(span.start..span.end).is_some(),
        "{:?}",
        span
    );
    let (_, start, end) = loaded.place(span);
    prop_assert!(start <= end);
    for position in [start, end] {
        let line = source.text.split('\n').nth(position.line - 1);
        let columns = line.map(|line| line.chars().count() + 1);
        prop_assert!(columns.is_some_and(|most| (1..=most).contains(&position.column)));
    }
    Ok(())
}

fn members() -> Members {
    let member = "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 8443 DESTIP ALL";
    let looping = "PORT 80 TCP * INCLUDE loop";
    let broken = "VIPADEFINE 255.255.0.255";
    Members(
        [
            ("good", member),
            ("loop", looping),
            ("broken", broken),
            ("empty", ""),
        ]
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .into(),
    )
}

/// Every word of the table, whole and abbreviated, and words that are nearly right.
fn vocabulary() -> Vec<String> {
    let mut words: Vec<String> = [
        "10.1.3.10",
        "172.1.1.1",
        "172.1.1.2",
        "10.1",
        ".3.10",
        "10.1.3.10;x",
        ";",
        "; comment",
        "255.255.255.0",
        "255.0.255.0",
        "0.0.0.0",
        "/24",
        "/",
        "224.0.0.1",
        "127.0.0.1",
        "::1",
        "10.1.3.10/24",
        "1",
        "0",
        "3",
        "65535",
        "65536",
        "007",
        "5000-5001",
        "5001-5000",
        "-",
        "5000 -",
        "*",
        "WEB1",
        "&SYSNAME.",
        "ä",
        "\u{0}",
        "99999999999999999999",
        "TCPIP2",
        "\n",
        "\n",
        "\n",
        "INCLUDE",
        "INCLUDE good",
        "INCLUDE loop",
        "INCLUDE broken",
        "INCLUDE 'x",
        "''",
        "a(b)",
        "DISTMETHD",
        "VIPADE",
        "ENDVIPADYNMIC",
        "IFCONFIG",
    ]
    .map(str::to_owned)
    .into();
    table::walk(&mut |row, _| {
        if !row.name.is_empty() {
            words.push(row.keyword());
            words.push(row.name[..row.minimum()].to_owned());
        }
    });
    words
}

/// A right profile with everything in it that is acted on.
const RIGHT: &str = "\
; a comment
IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3
PORT 8443 TCP WEB* SHAREPORT BIND 10.1.3.10
     9443 TCP *
VIPADYNAMIC
  VIPADEFINE MOVEABLE WHENIDLE 255.255.255.0 10.1.3.10 10.1.3.11
  VIPABACKUP 200 MOVEABLE IMMEDIATE /24 10.1.3.12
  VIPADISTRIBUTE DEFINE DISTMETHOD ROUNDROBIN 10.1.3.10 PORT 8443 9000-9003
     DESTIP 172.1.1.2 172.1.1.3
  VIPADISTRIBUTE DELETE 10.1.3.10 PORT 9003 DESTIP 172.1.1.2
  VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.11 PORT 8443 DESTIP ALL
  VIPADELETE 10.1.3.11
ENDVIPADYNAMIC
HOME 10.1.1.1 LINK1
";

#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Insert(usize, String),
    Swap(usize, usize),
    Byte(usize, u8),
    Cut(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        any::<usize>().prop_map(Mutation::Delete),
        (any::<usize>(), select(vocabulary())).prop_map(|(at, word)| Mutation::Insert(at, word)),
        (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        any::<usize>().prop_map(Mutation::Cut),
    ]
}

fn mutate(profile: &str, mutations: &[Mutation]) -> Vec<u8> {
    // Line ends are words of their own, so that comments end where they should.
    let spaced = profile.replace('\n', " \n ");
    let mut words: Vec<String> = spaced
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    for mutation in mutations {
        let count = words.len().max(1);
        match mutation {
            Mutation::Delete(at) if !words.is_empty() => drop(words.remove(at % count)),
            Mutation::Insert(at, word) => words.insert(at % count, word.clone()),
            Mutation::Swap(one, other) if !words.is_empty() => {
                words.swap(one % count, other % count);
            }
            Mutation::Delete(_) | Mutation::Swap(..) | Mutation::Byte(..) | Mutation::Cut(_) => {}
        }
    }
    let mut bytes = words.join(" ").into_bytes();
    for mutation in mutations {
        let count = bytes.len().max(1);
        match mutation {
            Mutation::Byte(at, byte) if !bytes.is_empty() => bytes[at % count] = *byte,
            Mutation::Cut(at) => bytes.truncate(at % (4 * count)),
            Mutation::Delete(_)
            | Mutation::Insert(..)
            | Mutation::Swap(..)
            | Mutation::Byte(..) => {}
        }
    }
    bytes
}

#[test]
fn the_profile_that_is_mutated_is_right() {
    config_of(RIGHT);
}

proptest! {
    #[test]
    fn bytes_are_explained(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(bytes, members())?;
    }

    #[test]
    fn text_is_explained(profile in "\\PC{0,200}") {
        check(profile.into_bytes(), members())?;
    }

    #[test]
    fn words_of_the_language_are_explained(
        words in prop::collection::vec(select(vocabulary()), 0..60)
    ) {
        check(words.join(" ").into_bytes(), members())?;
    }

    #[test]
    fn mutated_profiles_are_explained(mutations in prop::collection::vec(mutation(), 1..8)) {
        check(mutate(RIGHT, &mutations), members())?;
    }
}
