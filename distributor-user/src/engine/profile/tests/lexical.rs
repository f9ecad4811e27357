//! Words, comments, numbers, encodings and INCLUDE.

use super::*;

const RIGHT: &str = "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 3";

#[test]
fn blanks_lines_and_comments_only_separate() {
    let expected = config_of(RIGHT);
    let cases = [
        "ipconfig dynamicxcf 172.1.1.1 255.255.255.0 3",
        "IPCONF DYNAMICXCF 172.001.01.1 255.255.255.000 003",
        "IPCONFIG\n\nDYNAMICXCF\n172.1.1.1\n255.255.255.0\n3\n",
        "IPCONFIG\r\n\tDYNAMICXCF 172.1.1.1 255.255.255.0 3\r\n",
        "; a comment\nIPCONFIG ; another\n DYNAMICXCF 172.1.1.1 ;;; INCLUDE me\n 255.255.255.0 3",
        ";c\n;\n IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 3 ;",
        "IPCONFIG\u{a0}DYNAMICXCF 172.1.1.1 255.255.255.0 3",
        "\u{feff}IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 3",
        "IPCONFIG DYNAMICXCF 172.1.1.1/24 3",
        "IPCONFIG DYNAMICXCF 172.1.1.1 /24 3",
    ];
    for profile in cases {
        assert_eq!(config_of(profile), expected, "{profile}");
    }
}

#[test]
fn a_comment_needs_a_blank_before_it() {
    let loaded =
        load_text("IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 3;x and more\nPORT 80 TCP *");
    assert_eq!(
        told(&loaded),
        [
            "1:45 error [SDL0208I] expected a blank before `;`, found `3;x`, which is one argument and no \
             comment",
        ]
    );
    let help = loaded.findings().next().and_then(|found| found.help);
    assert_eq!(help.as_deref(), Some("write `3 ;x`"));
}

#[test]
fn system_symbols_are_replaced_in_words() {
    let profile = "IPCONFIG DYNAMICXCF 172.1.1.&SYSCLONE. 255.255.255.0 3 ; &OTHER.\n\
                   INCLUDE &sysname..PORTS(A)";
    let members = [("SYSA.PORTS(A)", "PORT 80 TCP W&SYSCLONE&SYSCLONE(1:1).*")];
    let loaded = load_with(profile, &members);
    assert_eq!(
        told(&loaded),
        ["1:21 note [SDL0206I] `&SYSCLONE.` is read as `12`, the value of these tests",]
    );
    let config = loaded.config.expect("a right profile");
    let xcf = config.dynamic_xcf.map(|xcf| xcf.address);
    assert_eq!(xcf, Some(ip("172.1.1.12")));
    assert_eq!(config.ports[0].user.word(), "W121*");
}

#[test]
fn a_system_symbol_without_a_value_is_explained_where_it_matters() {
    let profile = "HOME &NONE. LINK\nIPCONFIG DYNAMICXCF &NONE. 255.255.255.0 3\n\
                   TTL &TTL.\nPORT 80 TCP &JOB(1:2).X";
    let loaded = load_text(profile);
    let told: Vec<(usize, usize, Option<String>)> = loaded
        .findings()
        .filter(|found| found.severity == "error")
        .map(|found| (found.line, found.column, found.help))
        .collect();
    let help = |name: &str| {
        Some(format!(
            "`&{name}.` has no value here: give it one with `--symbol {name}=VALUE`"
        ))
    };
    assert_eq!(
        told,
        [
            (2, 21, help("NONE")),
            (3, 5, help("TTL")),
            (4, 13, help("JOB")),
        ]
    );
}

#[test]
fn sequence_numbers_are_reported_once() {
    let card = |text: &str, number: u32| format!("{text:<72}{number:08}\n");
    let profile = card("; comment", 10) + &card("IPCONFIG", 20) + &card(&RIGHT[9..], 30);
    assert_eq!(
        told(&load_text(&profile)),
        ["2:73 error [SDL0207I] expected no sequence numbers in columns 73–80, found 2"]
    );
}

#[test]
fn columns_count_characters() {
    let loaded = load_text("IPCONFIG ÄÖÜ FOO");
    assert_eq!(
        told(&loaded),
        [
            "1:10 error [EZZ0318I] expected a parameter of `IPCONFIG` or the next statement, \
             found `ÄÖÜ`"
        ]
    );
    let found = loaded.findings().next().expect("one finding");
    assert_eq!((found.end_line, found.end_column), (1, 17));
}

#[test]
fn what_is_no_text_is_explained() {
    let ebcdic: Vec<u8> = vec![
        0xc9, 0xd7, 0xc3, 0xd6, 0xd5, 0xc6, 0xc9, 0xc7, 0x40, 0x40, 0x15,
    ];
    let utf16: Vec<u8> = RIGHT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = [b"; R\xfcck\n", RIGHT.as_bytes()].concat();
    let latin1_word = [RIGHT.as_bytes(), b" R\xfcck"].concat();
    let cases: [(Vec<u8>, &[&str]); 6] = [
        (
            ebcdic,
            &["1:1 error [SDL0201I] expected UTF-8 text, found EBCDIC"],
        ),
        (
            utf16,
            &["1:1 error [SDL0201I] expected UTF-8 text, found binary data"],
        ),
        (
            vec![0; 9],
            &["1:1 error [SDL0201I] expected UTF-8 text, found binary data"],
        ),
        (
            latin1,
            &["1:4 warning [SDL0202I] expected UTF-8, found another encoding"],
        ),
        (
            latin1_word,
            &[
                "1:47 error [EZZ0318I] expected a parameter of `IPCONFIG` or the next statement, \
                 found `R\u{fffd}ck`",
                "1:48 warning [SDL0202I] expected UTF-8, found another encoding",
            ],
        ),
        (
            vec![b' '; MAX_BYTES + 1],
            &["1:1 error [SDL0201I] expected at most 4194304 bytes, found a larger file"],
        ),
    ];
    for (bytes, expected) in cases {
        let loaded = load(text("profile", bytes), &mut Members::default());
        assert_eq!(told(&loaded), expected);
    }
}

#[test]
fn an_empty_profile_is_refused() {
    for profile in ["", "\n\n", "; only a comment", "   \t"] {
        let loaded = load_text(profile);
        assert_eq!(
            told(&loaded),
            ["1:1 error [SDL0209I] expected at least one statement, found none"]
        );
        assert!(loaded.config.is_none());
    }
}

#[test]
fn members_stand_where_they_are_included() {
    let members = [
        ("xcf", "DYNAMICXCF 172.1.1.1 255.255.255.0 3 ; here"),
        ("/etc/all", "IPCONFIG INCLUDE xcf"),
        (
            "A.B(C)",
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP INCLUDE targets",
        ),
        ("targets", "172.1.1.2\n172.1.1.3"),
    ];
    let profile = "INCLUDE '/etc/all'\nIPCONFIG SYSPLEXROUTING\nVIPADYNAMIC\n\
                   VIPADEFINE 255.255.255.0 10.1.3.10\nINCLUDE A.B(C)\nENDVIPADYNAMIC";
    let loaded = load_with(profile, &members);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let config = loaded.config.expect("a right profile");
    assert_eq!(
        config.dynamic_xcf.map(|xcf| xcf.address),
        Some(ip("172.1.1.1"))
    );
    let targets = Destinations::list([ip("172.1.1.2"), ip("172.1.1.3")]);
    assert_eq!(config.services[0].terms.destinations, targets);
}

#[test]
fn errors_in_members_are_told_where_they_are_and_once() {
    let members = [("broken", "VIPAROUTE 10.1.1.1\n  oops")];
    let profile = "VIPADYNAMIC\nINCLUDE broken\nINCLUDE broken\nENDVIPADYNAMIC";
    let loaded = load_with(profile, &members);
    let found: Vec<(String, usize, usize)> = loaded
        .findings()
        .filter(|found| found.severity == "error")
        .map(|found| (found.file, found.line, found.column))
        .collect();
    assert_eq!(found, [("broken".to_owned(), 2, 3)]);
    let text = loaded.text(Style::Plain);
    assert!(text.contains("included here"), "{text}");
    assert!(text.contains("profile:2:9"), "{text}");
}

#[test]
fn what_cannot_be_included_is_explained_and_nothing_follows_from_it() {
    let distributes = "VIPADYNAMIC\nINCLUDE missing\n\
        VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP ALL\nENDVIPADYNAMIC";
    let cases = [
        (
            distributes,
            "2:9 error [SDL0203I] cannot include `missing`: there is no such member",
        ),
        (
            "INCLUDE",
            "1:1 error [EZZ0312I] expected a file after `INCLUDE`, found nothing",
        ),
        (
            "INCLUDE ''",
            "1:9 error [SDL0203I] expected a path or `dataset(member)`, found `''`",
        ),
        (
            "INCLUDE a(b",
            "1:9 error [SDL0203I] expected a path or `dataset(member)`, found `a(b`",
        ),
        (
            "INCLUDE a(b)c",
            "1:9 error [SDL0203I] expected a path or `dataset(member)`, found `a(b)c`",
        ),
        (
            "INCLUDE profile",
            "1:9 error [SDL0204I] expected a file that does not include itself, found `profile`",
        ),
    ];
    for (profile, expected) in cases {
        let loaded = load_with(profile, &[("profile", "")]);
        assert_eq!(told(&loaded), [expected], "{profile}");
    }
}

#[test]
fn members_that_include_each_other_end() {
    let members = [("one", "INCLUDE two"), ("two", "PORT 80 TCP * INCLUDE one")];
    let loaded = load_with("INCLUDE one", &members);
    let errors: Vec<Finding> = loaded
        .findings()
        .filter(|found| found.severity == "error")
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        (errors[0].file.as_str(), errors[0].line, errors[0].column),
        ("two", 1, 23)
    );
}

#[test]
fn includes_that_multiply_are_refused() {
    let names: Vec<String> = (0..20).map(|level| format!("level{level}")).collect();
    let members: Vec<(String, String)> = (0..19)
        .map(|level| {
            (
                names[level].clone(),
                format!("INCLUDE {0}\nINCLUDE {0}", names[level + 1]),
            )
        })
        .chain([(names[19].clone(), RIGHT.to_owned())])
        .collect();
    let members: Vec<(&str, &str)> = members
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let loaded = load_with("INCLUDE level0", &members);
    let first = told(&loaded).into_iter().next().unwrap_or_default();
    assert!(first.contains("expected at most 1000 includes"), "{first}");
}

#[test]
fn operands_of_include_are_paths_members_or_names() {
    let path = |path: &str| Some(Operand::Path(path.to_owned()));
    let name = |name: &str| Some(Operand::Name(name.to_owned()));
    let member = |dataset: &str, member: &str| {
        Some(Operand::Member {
            dataset: dataset.to_owned(),
            member: member.to_owned(),
        })
    };
    let cases = [
        ("/etc/x", path("/etc/x")),
        ("'/a b/c'", path("/a b/c")),
        ("\"./x\"", path("./x")),
        ("x.profile", name("x.profile")),
        ("TCPIP.PROFILES(COMMON)", member("TCPIP.PROFILES", "COMMON")),
        (
            "'TCPIP.PROFILES(COMMON)'",
            member("TCPIP.PROFILES", "COMMON"),
        ),
        ("/etc/x(y)", path("/etc/x(y)")),
        ("(y)", None),
        ("x()", None),
        ("x(y", None),
        ("''", None),
    ];
    for (word, expected) in cases {
        assert_eq!(Operand::parse(word), expected, "{word}");
    }
}
