//! Whatever differs is said, by the profile language.

use super::*;
use crate::engine::profile::{self, Operand, ReadError, Reader, Symbol, Text};

/// Includes nothing.
struct Nothing;

impl Reader for Nothing {
    fn read(&mut self, _operand: &Operand, _including: &str) -> Result<Text, ReadError> {
        Err(ReadError {
            message: "there is none".to_owned(),
            help: String::new(),
        })
    }

    fn symbol(&self, _name: &str) -> Option<Symbol> {
        None
    }
}

const OWN: &str = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1\n";

fn config(statements: &str) -> Config {
    let text = Text {
        name: "profile".to_owned(),
        identity: "profile".to_owned(),
        bytes: format!("{OWN}{statements}").into_bytes(),
    };
    let loaded = profile::load(text, &mut Nothing);
    let said = loaded.text(profile::Style::Plain);
    loaded.config.unwrap_or_else(|| panic!("{said}"))
}

/// A profile with one DVIPA and these statements in its block.
fn block(statements: &str) -> Config {
    config(&format!(
        "VIPADYNAMIC\nVIPADEFINE MOVE IMMED 255.255.255.0 10.1.3.10\n{statements}\nENDVIPADYNAMIC\n"
    ))
}

/// Each difference on a line of its own.
fn told(before: &Config, after: &Config) -> Vec<String> {
    let spell = |address: IpAddr| match address.to_string().strip_prefix("172.1.1.") {
        Some(host) => format!("TCPIP{host}"),
        None => address.to_string(),
    };
    let differences = between(before, after, &spell).into_iter();
    differences
        .map(
            |Difference {
                 when,
                 subject,
                 change,
                 reach,
             }| {
                let target = match &subject {
                    Subject::Target(_, target) => format!(" {}", spell(*target)),
                    Subject::Statement(..)
                    | Subject::Dvipa(_)
                    | Subject::Service(_)
                    | Subject::Dynamic(_) => String::new(),
                };
                let change = match change {
                    Change::Added(what) => format!("+ {what}"),
                    Change::Removed(what) => format!("- {what}"),
                    Change::Changed {
                        what,
                        before,
                        after,
                    } => format!("{what}: {before} → {after}"),
                    Change::Reordered => "reordered".to_owned(),
                };
                format!("{when:?} {subject}{target} | {change} | {reach:?}")
            },
        )
        .collect()
}

#[test]
fn a_difference_is_told_of_both_ways() {
    let service = |method: &str, rest: &str| {
        block(&format!(
            "VIPADISTRIBUTE DISTM {method} 10.1.3.10 PORT 8443 DESTIP {rest}"
        ))
    };
    let two = service("ROUNDROBIN", "172.1.1.2 172.1.1.3");
    let cases: [(Config, Config, &[&str], &[&str]); 9] = [
        (
            two.clone(),
            service("ROUNDROBIN", "172.1.1.3"),
            &["AtOnce 10.1.3.10:8443 TCPIP2 | -  | Drains"],
            &["AtOnce 10.1.3.10:8443 TCPIP2 | +  | NewConnections"],
        ),
        (
            two.clone(),
            service("WEIGHTEDACTIVE", "172.1.1.2 WEIGHT 20 172.1.1.3"),
            &[
                "AtOnce 10.1.3.10:8443 | distribution method: ROUNDROBIN → WEIGHTEDACTIVE | NewConnections",
                "AtOnce 10.1.3.10:8443 TCPIP2 | weight: 10 → 20 | NewConnections",
            ],
            &[
                "AtOnce 10.1.3.10:8443 | distribution method: WEIGHTEDACTIVE → ROUNDROBIN | NewConnections",
                "AtOnce 10.1.3.10:8443 TCPIP2 | weight: 20 → 10 | NewConnections",
            ],
        ),
        (
            two.clone(),
            service("ROUNDROBIN", "ALL"),
            &["AtOnce 10.1.3.10:8443 | list of targets: TCPIP2, TCPIP3 → ALL | NewConnections"],
            &["AtOnce 10.1.3.10:8443 | list of targets: ALL → TCPIP2, TCPIP3 | NewConnections"],
        ),
        (
            two.clone(),
            service("ROUNDROBIN", "172.1.1.3 172.1.1.2"),
            &[
                "AtOnce 10.1.3.10:8443 | order of targets: TCPIP2, TCPIP3 → TCPIP3, TCPIP2 | NewConnections",
            ],
            &[
                "AtOnce 10.1.3.10:8443 | order of targets: TCPIP3, TCPIP2 → TCPIP2, TCPIP3 | NewConnections",
            ],
        ),
        (
            two.clone(),
            block(""),
            &["AtOnce 10.1.3.10:8443 | - ROUNDROBIN to TCPIP2, TCPIP3 | Drains"],
            &["AtOnce 10.1.3.10:8443 | + ROUNDROBIN to TCPIP2, TCPIP3 | NewConnections"],
        ),
        (
            two,
            config(""),
            &[
                "AtOnce 10.1.3.10:8443 | - ROUNDROBIN to TCPIP2, TCPIP3 | Drains",
                "Drained DVIPA 10.1.3.10 | - VIPADEFINE MOVEABLE IMMEDIATE /24 | Drains",
            ],
            &[
                "AtOnce 10.1.3.10:8443 | + ROUNDROBIN to TCPIP2, TCPIP3 | NewConnections",
                "Claimed DVIPA 10.1.3.10 | + VIPADEFINE MOVEABLE IMMEDIATE /24 | Ownership",
            ],
        ),
        (
            config("VIPADYNAMIC VIPABACKUP 100 10.1.3.10 ENDVIPADYNAMIC"),
            config("VIPADYNAMIC VIPABACKUP 50 10.1.3.10 ENDVIPADYNAMIC"),
            &["AtOnce DVIPA 10.1.3.10 | role: VIPABACKUP 100 → VIPABACKUP 50 | Ownership"],
            &["AtOnce DVIPA 10.1.3.10 | role: VIPABACKUP 50 → VIPABACKUP 100 | Ownership"],
        ),
        (
            config("PORT 80 TCP WEB1\nGLOBALCONFIG SYSPLEXWLMPOLL 30"),
            config("PORT 80 TCP WEB2 SHAREPORT"),
            &[
                "First PORT 80 TCP WEB1 | - 80 TCP WEB1 | NewServers",
                "First PORT 80 TCP WEB2 SHAREPORT | + 80 TCP WEB2 SHAREPORT | NewServers",
                "AtOnce GLOBALCONFIG | SYSPLEXWLMPOLL: 30 → 1 | Stack",
            ],
            &[
                "First PORT 80 TCP WEB2 SHAREPORT | - 80 TCP WEB2 SHAREPORT | NewServers",
                "First PORT 80 TCP WEB1 | + 80 TCP WEB1 | NewServers",
                "AtOnce GLOBALCONFIG | SYSPLEXWLMPOLL: 1 → 30 | Stack",
            ],
        ),
        (
            config("PORT 80 TCP WEB1 81 TCP WEB2"),
            config("PORT 81 TCP WEB2 80 TCP WEB1"),
            &["First PORT | reordered | NewServers"],
            &["First PORT | reordered | NewServers"],
        ),
    ];
    for (before, after, forth, back) in cases {
        assert_eq!(told(&before, &after), forth);
        assert_eq!(told(&after, &before), back);
        assert_eq!(told(&before, &before), Vec::<String>::new());
    }
}

/// A profile with everything that the language has.
const EVERYTHING: &str = "\
GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 60 RECOVERY DELAYJOIN AUTOREJOIN
             SYSPLEXWLMPOLL 10 XCFGRPID 11 EXPLICITBINDPORTRANGE 7000 1024
IPCONFIG DATAGRAMFWD SOURCEVIPA
IPCONFIG6 DYNAMICXCF fd00:0:0:7::11/64
PORT
   8080 TCP WEB* SHAREPORTWLM
   5000 TCP LEGACY BIND 10.1.3.10
  UNRSV TCP A*
  UNRSV TCP * SAF GENERIC
PORTRANGE 6000 100 TCP RESERVED
VIPADYNAMIC
  VIPARANGE DEFINE MOVEABLE NONDISRUPTIVE 255.255.255.192 10.1.3.192
  VIPADEFINE MOVE IMMED 255.255.255.0 10.1.3.10 10.1.3.12
  VIPADEFINE MOVE IMMED DVIPA6 2001:db8:1::1
  VIPABACKUP 100 10.1.3.11
  VIPADISTRIBUTE DEFINE DISTM SERVERWLM TIMEDAFF 30 10.1.3.10 PORT 8080 DESTIP ALL
  VIPADISTRIBUTE DISTM WEIGHTEDA OPTLOCAL 2 10.1.3.12 PORT 5000-5001
     DESTIP 172.1.1.1 WEIGHT 11
            172.1.1.2 WEIGHT 22
  VIPADISTRIBUTE DISTM HOTSTANDBY AUTOSWITCHBACK HEALTHSWITCH 10.1.3.10 PORT 10000
     DESTIP 172.1.1.1 PREFERRED
            172.1.1.3 BACKUP 55
  VIPADISTRIBUTE DISTM ROUNDROBIN DVIPA6 PORT 443 DESTIP ALL
  VIPASMPARMS SMMCAST 224.0.1.20 SMPORT 1637 SMPASS SECRET
  VIPAROUTE 172.1.1.2 10.9.9.12 IPIP
ENDVIPADYNAMIC
";

#[test]
fn no_word_of_a_profile_can_change_unseen() {
    let before = config(EVERYTHING);
    // Every word in turn is left out, and every number is another one.
    let words: Vec<&str> = EVERYTHING.split_inclusive(char::is_whitespace).collect();
    let mut tried = 0;
    for at in 0..words.len() {
        let word = words[at].trim();
        if word.is_empty() {
            continue;
        }
        let number = word.parse::<u16>().map(|number| (number + 1).to_string());
        let others = [Some(String::new()), number.ok()].into_iter().flatten();
        for other in others {
            let text: String = words
                .iter()
                .enumerate()
                .map(|(place, word)| {
                    if place == at {
                        word.replace(word.trim(), &other)
                    } else {
                        (*word).to_owned()
                    }
                })
                .collect();
            let text = Text {
                name: "profile".to_owned(),
                identity: "profile".to_owned(),
                bytes: format!("{OWN}{text}").into_bytes(),
            };
            let Some(after) = profile::load(text, &mut Nothing).config else {
                continue;
            };
            let differences = told(&before, &after);
            assert_eq!(
                differences.is_empty(),
                after == before,
                "`{word}` → `{other}`: {differences:?}"
            );
            tried += u32::from(after != before);
        }
    }
    assert!(
        tried >= 30,
        "only {tried} profiles were right and different"
    );
}

#[test]
fn a_configuration_is_read_back_as_it_was_written() {
    let config = config(EVERYTHING);
    let json = serde_json::to_string(&config).expect("JSON");
    let back: Config = serde_json::from_str(&json).expect("a configuration");
    assert_eq!(back, config);
}
