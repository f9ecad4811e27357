//! The statement table itself.

use std::collections::BTreeSet;

use super::grammar::find;
use super::*;

/// Every row with the statement it belongs to, once.
fn rows() -> Vec<(&'static Row, &'static Row)> {
    let mut rows = Vec::new();
    table::walk(&mut |row, owner| rows.push((row, owner)));
    rows
}

/// What may stand beside each other: statements, statements of a block, keywords of a row.
fn places() -> Vec<Vec<&'static Row>> {
    let mut places = vec![table::statements().chain(table::substatements()).collect()];
    places.extend(rows().into_iter().map(|(row, _)| row.keywords().collect()));
    places
}

#[test]
fn every_length_from_the_shortest_abbreviation_to_the_word_names_it() {
    for place in places() {
        for row in &place {
            for length in row.minimum()..=row.name.len() {
                let word = &row.name[..length];
                for word in [word.to_ascii_lowercase(), word.to_ascii_uppercase()] {
                    let named = find(place.iter().copied(), &word).map(|row| row.name);
                    // The whole of one word may be the beginning of another: SHAREPORT.
                    let is_whole = place.iter().any(|other| other.is(&word));
                    assert!(
                        named == Some(row.name) || is_whole,
                        "{word} names {named:?}"
                    );
                }
            }
            let short = &row.name[..row.minimum() - 1];
            let named = find(place.iter().copied(), short);
            assert!(
                named.is_none_or(|other| !std::ptr::eq(other, *row)),
                "{short}"
            );
        }
    }
}

#[test]
fn the_documented_abbreviations_are_the_shortest() {
    let documented = [
        ("DISTMethod", "DISTM"),
        ("MOVEable", "MOVE"),
        ("IMMEDiate", "IMMED"),
        ("TIMEDAFFinity", "TIMEDAFF"),
        ("WEIGHTEDActive", "WEIGHTEDA"),
        ("VIPADEFine", "VIPADEF"),
        ("VIPABackup", "VIPAB"),
        ("VIPADISTribute", "VIPADIST"),
        ("VIPADELete", "VIPADEL"),
        ("VIPADynamic", "VIPAD"),
        ("ENDVIPADynamic", "ENDVIPAD"),
        ("IPCONFig", "IPCONF"),
        ("SYSPLEXRouting", "SYSPLEXR"),
        ("DELEte", "DELE"),
        ("WHENIdle", "WHENI"),
    ];
    let names: BTreeSet<&str> = rows().into_iter().map(|(row, _)| row.name).collect();
    for (name, shortest) in documented {
        assert!(names.contains(name), "{name}");
        let row = rows()
            .into_iter()
            .find(|(row, _)| row.name == name)
            .map(|(row, _)| row);
        assert_eq!(row.map(Row::minimum), Some(shortest.len()), "{name}");
    }
}

#[test]
fn every_row_is_documented_in_a_sentence() {
    for (row, owner) in rows() {
        let name = (owner.name, row.name);
        assert!(row.doc.ends_with('.') && row.doc.len() > 2, "{name:?}");
        assert!(
            row.doc.starts_with(|c: char| c.is_ascii_uppercase()),
            "{name:?}"
        );
        let sentence = match row.standing {
            Standing::Supported => continue,
            Standing::Noted(text) | Standing::Meaningless(text) | Standing::Unsupported(text) => {
                text
            }
        };
        assert!(!sentence.ends_with('.') && !sentence.is_empty(), "{name:?}");
    }
}

#[test]
fn every_example_can_be_read() {
    for (row, owner) in rows()
        .into_iter()
        .filter(|(row, _)| !row.example.is_empty())
    {
        let is_outermost = table::statements().any(|other| std::ptr::eq(other, row));
        let text = if is_outermost || table::substatements().any(|other| std::ptr::eq(other, row)) {
            row.example
        } else {
            owner.example
        };
        let stands_in_block = table::substatements().any(|other| std::ptr::eq(other, owner));
        let profile = if !is_outermost && (stands_in_block || text.starts_with("VIPA")) {
            format!("VIPADYNAMIC {text} ENDVIPADYNAMIC")
        } else {
            text.to_owned()
        };
        assert!(profile.contains(row.example), "{profile}");
        let wrong: Vec<Finding> = load_text(&profile)
            .findings()
            .filter(|found| found.id.starts_with("EZZ03"))
            .collect();
        assert!(wrong.is_empty(), "{profile}: {wrong:?}");
    }
}

#[test]
fn the_syntax_is_written_in_one_line() {
    let syntax = |name: &str| {
        let row = rows()
            .into_iter()
            .find(|(row, _)| row.name == name)
            .map(|(row, _)| row);
        row.map(Row::syntax).unwrap_or_default()
    };
    let cases = [
        (
            "VIPADEFine",
            "VIPADEFine [TIER1 | TIER2] [CPCSCOPE] [MOVEable [IMMEDiate | WHENIdle]] [SERVICEMGR] \
             (subnet_mask | interface) dvipa …",
        ),
        (
            "DESTIP",
            "DESTIP (ALL | dynxcfip [WEIGHT weight | PREFERRED | BACKUP [rank]] …)",
        ),
        (
            "DYNAMICXCF",
            "DYNAMICXCF address subnet_mask cost_metric [SECCLASS class] [SMCD | NOSMCD] \
             [SOURCEVIPAINTerface interface]",
        ),
        ("VIPADynamic", "VIPADynamic … ENDVIPADynamic"),
        ("HOME", "HOME …"),
        ("AUTOLOG", "AUTOLOG … ENDAUTOLOG"),
    ];
    for (name, expected) in cases {
        assert_eq!(syntax(name), expected);
    }
}

#[test]
fn the_nearest_word_is_suggested() {
    let cases = [
        ("IFCONFIG", Some("IPCONFig")),
        ("ipconfg", Some("IPCONFig")),
        ("VIPADYNMIC", Some("VIPADynamic")),
        ("IPCON", Some("IPCONFig")),
        ("PROT", Some("PORT")),
        ("GLOBALCNFG", Some("GLOBALCONFig")),
        ("X", None),
        ("172.1.1.1", None),
        ("SOMETHINGELSE", None),
    ];
    for (word, expected) in cases {
        let suggested = suggest::similar(table::statements(), word).map(|row| row.name);
        assert_eq!(suggested, expected, "{word}");
    }
}
