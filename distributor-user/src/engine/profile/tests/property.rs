//! Any input is accepted or explained, whatever it is.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What holds for every input.
fn check(profile: Vec<u8>, members: Members) -> Result<(), TestCaseError> {
    let mut members = members;
    // Both styles draw the same lines; one of them for each profile is enough.
    let style = if profile.len().is_multiple_of(2) {
        Style::Plain
    } else {
        Style::Coloured
    };
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
    prop_assert_eq!(loaded.text(style).is_empty(), loaded.diagnostics.is_empty());
    if let Some(config) = &loaded.config {
        check_config(config);
    }
    Ok(())
}

/// What later parts rely on in every configuration.
fn check_config(config: &Config) {
    let mut keys = HashSet::new();
    let dvipas: HashSet<IpAddr> = config.dvipas.iter().map(|dvipa| dvipa.address).collect();
    assert_eq!(dvipas.len(), config.dvipas.len());
    for service in &config.services {
        assert!(service.port > 0);
        assert!(dvipas.contains(&service.dvipa));
        assert!(keys.insert((service.dvipa, service.port)));
        let listed = service.terms.destinations.listed();
        let addresses: HashSet<IpAddr> = listed.iter().map(|target| target.address).collect();
        assert_eq!(addresses.len(), listed.len());
        assert!(listed.len() <= 32);
        assert_eq!(
            listed.is_empty(),
            service.terms.destinations == Destinations::All
        );
    }
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
        "2001:db8::1",
        "2001:db8::1/64",
        "V6NAME",
        "V6NAME 2001:db8::9",
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

/// Right profiles with everything in them that is understood; short, so that a mutation meets
/// every part of them.
const RIGHT: [&str; 4] = [
    "\
; a comment
IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3
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
",
    "\
GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 60 RECOVERY AUTOREJOIN SYSPLEXWLMPOLL 10
  EXPLICITBINDPORTRANGE 5000 1024
IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3 TTL 64
IPCONFIG6 DYNAMICXCF 2001:db8:7::1/64
PORTRANGE 9000 16 TCP WEB*
PORT UNRSV TCP * DENY
PORT 8443 TCP WEB* SHAREPORT BIND 10.1.3.10
     9443 TCP *
     53 UDP &SYSNAME. NOAUTOLOG
",
    "\
IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3
VIPADYNAMIC
  VIPADEFINE /24 10.1.3.12
  VIPADISTRIBUTE OPTLOCAL 4 DISTM SERVERWLM PROCXCOST ZAAP 2 ZIIP 3 ILWEIGHTING 1
     TIMEDAFF 30 10.1.3.12 DESTIP ALL
  VIPADISTRIBUTE DISTM WEIGHTEDA 10.1.3.12 PORT 70 DESTIP 172.1.1.2 WEIGHT 20
  VIPADISTRIBUTE DISTM HOTSTANDBY NOAUTOSWITCHBACK 10.1.3.12 PORT 80
     DESTIP 172.1.1.1 PREFERRED 172.1.1.2 BACKUP 100
ENDVIPADYNAMIC
",
    "\
IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3
IPCONFIG6 DYNAMICXCF 2001:db8:7::2/64
VIPADYNAMIC
  VIPADEFINE V6NAME 2001:db8::1/64
  VIPADISTRIBUTE DISTM ROUNDROBIN V6NAME PORT 80 DESTIP 2001:db8:7::1
  VIPAROUTE 172.1.1.2 10.9.9.2
  VIPARANGE MOVEABLE DISRUPTIVE 255.255.255.192 10.1.8.192 SAF X
  VIPASMPARMS SMMCAST 224.0.0.7 SMPORT 1637
ENDVIPADYNAMIC
",
];

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
fn the_profiles_that_are_mutated_are_right() {
    for profile in RIGHT {
        config_of(profile);
    }
}

/// How many profiles are drawn, all in all; `DISTRIBUTOR_PROFILES` says another number.
const PROFILES: u32 = 20_000;

/// `tenths` of all profiles.
fn cases(tenths: u32) -> ProptestConfig {
    let asked = std::env::var("DISTRIBUTOR_PROFILES").ok();
    let all = asked.map_or(PROFILES, |text| text.parse().expect("a number of profiles"));
    ProptestConfig {
        cases: all / 10 * tenths,
        // What fails is printed; there is no file of seeds to keep.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn bytes_are_explained(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(bytes, members())?;
    }

    #[test]
    fn text_is_explained(profile in "\\PC{0,200}") {
        check(profile.into_bytes(), members())?;
    }

}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn words_of_the_language_are_explained(
        words in prop::collection::vec(select(vocabulary()), 0..40)
    ) {
        check(words.join(" ").into_bytes(), members())?;
    }

}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn mutated_profiles_are_explained(
        profile in select(RIGHT.as_slice()),
        mutations in prop::collection::vec(mutation(), 1..6)
    ) {
        check(mutate(profile, &mutations), members())?;
    }
}
