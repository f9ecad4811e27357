//! What is said about statements that are not written as they should be: every error, each once,
//! and nothing that only follows from one.

use super::*;

/// `snippet` on line 4, where statements of VIPADYNAMIC stand; 10.1.3.10 is defined.
fn told_in_block(snippet: &str) -> Vec<String> {
    told(&load_text(&format!(
        "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1\nVIPADYNAMIC\n\
         VIPADEFINE 255.255.255.0 10.1.3.10\n{snippet}\nENDVIPADYNAMIC\n"
    )))
}

fn check_in_block(cases: &[(&str, &[&str])]) {
    for (snippet, expected) in cases {
        assert_eq!(told_in_block(snippet), *expected, "{snippet}");
    }
}

#[test]
fn addresses() {
    check_in_block(&[
        (
            "VIPADEFINE 255.255.255.0 10.1 .3.11",
            &["4:26 error [EZZ0318I] expected an address without blanks, found `10.1 .3.11`"],
        ),
        (
            "VIPADEFINE 255.255.255.0 10 . 1 . 3 . 11 10.1.3.12",
            &["4:26 error [EZZ0318I] expected an address without blanks, found `10 . 1 . 3 . 11`"],
        ),
        (
            "VIPADEFINE 255.255 .255.0 10.1.3.11",
            &["4:12 error [EZZ0318I] expected an address without blanks, found `255.255 .255.0`"],
        ),
        (
            "VIPADEFINE 255.255.255.0 10.1.3.11, 10.1.3.12",
            &["4:26 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3.11,`"],
        ),
        (
            "VIPADEFINE 255.255.255.0 10.1.3.300 10.1.3 10.1.3.4.5 10.1.3.11/24",
            &[
                "4:26 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3.300`",
                "4:37 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3`",
                "4:44 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3.4.5`",
                "4:55 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3.11/24`",
            ],
        ),
        ("VIPADEFINE DVIPA1 2001:db8::1", &[]),
        (
            "VIPADEFINE 255.255.255.0 2001:db8::1",
            &["4:26 error [EZZ9654I] expected an interface name before `2001:db8::1`, found none"],
        ),
        (
            "VIPADELETE www.example.com",
            &[
                "4:12 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `www.example.com`",
            ],
        ),
    ]);
}

#[test]
fn masks() {
    let missing = "expected a subnet mask such as `255.255.255.0`, found";
    check_in_block(&[
        (
            "VIPADEFINE 10.1.3.11",
            &[format!("4:12 error [EZZ0312I] {missing} `10.1.3.11`").as_str()],
        ),
        (
            "VIPADEFINE 10.1.3.11 255.255.255.0",
            &[
                "4:12 error [EZZ0318I] expected the subnet mask before the address, found \
                 `10.1.3.11` first",
            ],
        ),
        (
            "VIPADEFINE 255.0.255.0 10.1.3.11",
            &["4:12 error [EZZ0318I] expected a contiguous subnet mask, found `255.0.255.0`"],
        ),
        (
            "VIPADEFINE 0.0.0.255 10.1.3.11",
            &["4:12 error [EZZ0318I] expected a subnet mask, ones first, found `0.0.0.255`"],
        ),
        (
            "VIPADEFINE 0.0.0.0 10.1.3.11",
            &["4:12 error [EZZ0318I] expected a mask with at least one bit, found `0.0.0.0`"],
        ),
        (
            "VIPADEFINE 24 10.1.3.11",
            &[format!("4:12 error [EZZ0318I] {missing} `24`").as_str()],
        ),
        (
            "VIPADEFINE /33 10.1.3.11",
            &[format!("4:12 error [EZZ0318I] {missing} `/33`").as_str()],
        ),
        (
            "VIPADEFINE / 10.1.3.11",
            &[format!("4:12 error [EZZ0318I] {missing} `/`").as_str()],
        ),
        ("VIPADEFINE /24 10.1.3.11", &[]),
        ("VIPADEFINE 255.255.255.255 10.1.3.255", &[]),
    ]);
}

#[test]
fn keywords_that_are_misspelt_or_in_the_wrong_place() {
    check_in_block(&[
        (
            "VIPADEFINE MOVABLE IMMED 255.255.255.0 10.1.3.11",
            &["4:12 error [EZZ0308I] expected a keyword, found `MOVABLE`"],
        ),
        (
            "VIPADEFINE MOVE IMEDIATE 255.255.255.0 10.1.3.11",
            &["4:17 error [EZZ0308I] expected a keyword, found `IMEDIATE`"],
        ),
        (
            "VIPADE 255.255.255.0 10.1.3.11",
            &["4:1 error [EZZ0308I] expected at least `VIPADEF` of `VIPADEFINE`, found `VIPADE`"],
        ),
        (
            "VIPADEFINE 255.255.255.0 MOVE WHENIDLE 10.1.3.11",
            &["4:26 error [EZZ0318I] expected `MOVEABLE` earlier in the statement, found it here"],
        ),
        (
            "VIPADEFINE 255.255.255.0 10.1.3.11 MOVE",
            &["4:36 error [EZZ0318I] expected `MOVEABLE` earlier in the statement, found it here"],
        ),
        (
            "VIPADISTRIBUTE 10.1.3.10 PORT 80 DISTM ROUNDROBIN DESTIP ALL",
            &[
                "4:34 error [EZZ0318I] expected `DISTMETHOD` earlier in the statement, found it here",
            ],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 DESTIP ALL\n PORT 80",
            &["5:2 error [EZZ0318I] expected `PORT` earlier in the statement, found it here"],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP ALL",
            &["4:33 error [EZZ0318I] expected `DISTMETHOD` once, found it again"],
        ),
        (
            "VIPADISTRIBUTE DEFINE DELETE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP ALL",
            &["4:23 error [EZZ0318I] expected either `DEFINE` or `DELETE`, found both"],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBBIN 10.1.3.10 PORT 80 DESTIP ALL",
            &["4:22 error [EZZ0308I] expected a keyword, found `ROUNDROBBIN`"],
        ),
        (
            "VIPADISTRIBUTE DISTM RR 10.1.3.10 PORT 80 DESTIP ALL",
            &[
                "4:22 error [EZZ0312I] expected `BASEWLM`, `ROUNDROBIN`, `SERVERWLM`, \
                 `WEIGHTEDACTIVE`, `HOTSTANDBY`, `TARGCONTROLLED` or `MAGLEV`, found `RR`",
            ],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP 172.1.1.2 WEIGTH 10 \
             172.1.1.3 FOO BAR 172.1.1.4",
            &[
                "4:68 error [EZZ0308I] expected a keyword, found `WEIGTH`",
                "4:88 error [EZZ0318I] expected a parameter of `VIPADISTRIBUTE` or the next \
                 statement, found `FOO`",
            ],
        ),
    ]);
}

#[test]
fn words_that_are_missing() {
    check_in_block(&[
        (
            "VIPADEFINE 255.255.255.0",
            &[
                "4:12 error [EZZ0312I] expected a DVIPA such as `10.1.3.10` after \
                 `255.255.255.0`, found `ENDVIPADYNAMIC` on the next line",
            ],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN PORT 80 DESTIP ALL",
            &["4:33 error [EZZ0312I] expected a DVIPA such as `10.1.3.10`, found `PORT`"],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT DESTIP ALL",
            &[
                "4:48 error [EZZ0312I] expected a port from 1 to 65535 or a range such as \
                 `5000-5003`, found `DESTIP`",
            ],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80",
            &[
                "4:48 error [EZZ0312I] expected `DESTIP` after `80`, found `ENDVIPADYNAMIC` on \
                 the next line",
            ],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 172.1.1.2 172.1.1.3",
            &["4:51 error [EZZ0312I] expected `DESTIP`, found `172.1.1.2`"],
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP TCPIP2 TCPIP3",
            &[
                "4:58 error [EZZ0312I] expected `ALL` or the DYNAMICXCF address of a target, \
                 found `TCPIP2`",
            ],
        ),
        (
            "VIPADISTRIBUTE",
            &[
                "4:1 error [EZZ0312I] expected a DVIPA such as `10.1.3.10` after \
                 `VIPADISTRIBUTE`, found `ENDVIPADYNAMIC` on the next line",
            ],
        ),
    ]);
}

#[test]
fn ports() {
    let port = "expected a port from 1 to 65535 or a range such as `5000-5003`, found";
    let cases = [
        ("0", format!("{port} `0`")),
        ("65536", format!("{port} `65536`")),
        (
            "99999999999999999999",
            format!("{port} `99999999999999999999`"),
        ),
        ("80,81", format!("{port} `80,81`")),
        ("81-80", format!("{port} `81-80`")),
        ("80-", format!("{port} `80-`")),
        ("80x", format!("{port} `80x`")),
        ("*", format!("{port} `*`")),
        (
            "80 - 81",
            "expected a range without blanks, found `80 - 81`".to_owned(),
        ),
        (
            "1-65",
            "expected at most 64 ports in one statement, found 65".to_owned(),
        ),
    ];
    for (ports, expected) in cases {
        let snippet =
            format!("VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT {ports} DESTIP 172.1.1.2");
        let column = if ports == "1-65" { 43 } else { 48 };
        let expected = format!("4:{column} error [EZZ0318I] {expected}");
        assert_eq!(told_in_block(&snippet), [expected], "{ports}");
    }
    let snippet = "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 1-63 00064 DESTIP 172.1.1.2";
    assert_eq!(told_in_block(snippet), Vec::<String>::new());
}

#[test]
fn dynamic_xcf() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1 3",
            &["1:21 error [EZZ0312I] expected a subnet mask after `172.1.1.1`, found none"],
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0",
            &[
                "1:31 error [EZZ0312I] expected a cost metric from 0 to 14 after \
                 `255.255.255.0`, found the end of the profile",
            ],
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 99",
            &["1:45 error [EZZ0318I] expected a cost metric from 0 to 14, found `99`"],
        ),
        (
            "IPCONFIG DYNAMICXCF SYSPLEXROUTING",
            &[
                "1:21 error [EZZ0312I] expected an address and a mask such as `172.1.1.1 \
                 255.255.255.0`, found `SYSPLEXROUTING`",
            ],
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.255 255.255.255.0 1",
            &[
                "1:21 error [EZZ0318I] expected the address of a host, found `172.1.1.255`, the \
                 broadcast address of its network",
            ],
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1/24 1 SYSPLEXROUTNG FOO\n TTL 64",
            &[
                "1:36 error [EZZ0308I] expected a keyword, found `SYSPLEXROUTNG`",
                "1:50 error [EZZ0318I] expected a parameter of `IPCONFIG` or the next statement, \
                 found `FOO`",
                "2:2 note [SDL0223I] `TTL` has no effect here: the kernel's setting holds (`sysctl \
                 net.ipv4.ip_default_ttl`)",
            ],
        ),
        (
            "DYNAMICXCF 172.1.1.1/24 1",
            &[
                "1:1 error [EZZ0308I] expected a statement, found `DYNAMICXCF`, a parameter of \
                 `IPCONFIG`",
            ],
        ),
        (
            "IFCONFIG DYNAMICXCF 172.1.1.1/24 1",
            &["1:1 error [EZZ0308I] expected a statement, found `IFCONFIG`"],
        ),
    ];
    for (profile, expected) in cases {
        assert_eq!(told(&load_text(profile)), expected, "{profile}");
    }
}

#[test]
fn port_entries() {
    let user = "a job name, `*` for any or `RESERVED` for none";
    let user_after_tcp =
        format!("1:11 error [EZZ0312I] expected {user} after `TCP`, found the end of the profile");
    let long_user = format!("1:15 error [EZZ0318I] expected {user}, found `VERYLONGNAME`");
    let cases: [(&str, &[&str]); 12] = [
        (
            "PORT 8443 BIND 10.1.3.10",
            &[
                "1:6 warning [EZZ0312I] expected a protocol and a job name, found none; \
                 understood as `8443 TCP * BIND 10.1.3.10`",
            ],
        ),
        (
            "PORT 8443 TCP BIND 10.1.3.10",
            &[
                "1:6 warning [EZZ0312I] expected a job name, found none; understood as `8443 TCP \
                 * BIND 10.1.3.10`",
            ],
        ),
        (
            "PORT 8443 WEB1",
            &[
                "1:6 warning [EZZ0312I] expected a protocol, found none; understood as `8443 TCP \
                 WEB1`",
            ],
        ),
        ("PORT 9443 TCP * SHAREPORT BIND 10.1.3.7", &[]),
        (
            "PORT 9443 TCP * BIND 10.1.3.7 SHAREPORT",
            &["1:31 error [EZZ0318I] expected `SHAREPORT` before `BIND`, found it after"],
        ),
        (
            "PORT 9443 TCP * SHAREPORT SHAREPORTWLM",
            &["1:27 error [EZZ0318I] expected either `SHAREPORT` or `SHAREPORTWLM`, found both"],
        ),
        ("PORT 8443 TCP", &[&user_after_tcp]),
        (
            "PORT 8443\nHOME 10.1.1.1 X",
            &[
                "1:6 error [EZZ0312I] expected `TCP` or `UDP` after `8443`, found `HOME` on the \
                 next line",
                "2:1 note [SDL0223I] `HOME` has no effect here: interfaces and their addresses are the \
                 kernel's (`ip address`)",
            ],
        ),
        (
            "PORT 70000 TCP *\n0 UDP *",
            &[
                "1:6 error [EZZ0318I] expected a port from 1 to 65535, found `70000`",
                "2:1 error [EZZ0318I] expected a port from 1 to 65535, found `0`",
            ],
        ),
        ("PORT 8443 TCP VERYLONGNAME", &[&long_user]),
        (
            "PORT 8443 TPC WEB1\n8444 TCP WEB1 SHAREPRT\n8445 TCP WEB2",
            &[
                "1:11 error [EZZ0308I] expected a keyword, found `TPC`",
                "2:15 error [EZZ0308I] expected a keyword, found `SHAREPRT`",
            ],
        ),
        (
            "PORT",
            &[
                "1:1 error [EZZ0312I] expected `UNRSV` or a port from 1 to 65535 after `PORT`, \
                 found the end of the profile",
            ],
        ),
    ];
    for (profile, expected) in cases {
        let mut all = told(&load_text(profile));
        all.retain(|line| !line.contains("not acted on yet"));
        assert_eq!(all, expected, "{profile}");
    }
}

#[test]
fn blocks_that_have_no_end_or_no_beginning() {
    let define = "VIPADYNAMIC\nVIPADEFINE 255.255.255.0 10.1.3.10\n";
    let distribute = "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP 172.1.1.2\n";
    let ipconfig = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1/24 1\n";
    let cases: [(String, &[&str]); 9] = [
        (
            format!("{define}{ipconfig}"),
            &[
                "3:1 error [EZZ0312I] expected `ENDVIPADYNAMIC` before the next statement, found \
                 `IPCONFIG`",
            ],
        ),
        (
            format!("{ipconfig}{define}{distribute}PORT 80 TCP *"),
            &[
                "5:1 error [EZZ0312I] expected `ENDVIPADYNAMIC` before the next statement, found \
                 `PORT`",
            ],
        ),
        (
            format!("{ipconfig}{define}"),
            &[
                "2:1 error [EZZ0312I] expected `ENDVIPADYNAMIC` for this `VIPADYNAMIC`, found the \
                 end of the profile",
            ],
        ),
        (
            format!("{ipconfig}{define}VIPADYNAMIC\n{distribute}ENDVIPADYNAMIC"),
            &[
                "4:1 error [EZZ0312I] expected `ENDVIPADYNAMIC` before the next statement, found \
                 `VIPADYNAMIC`",
            ],
        ),
        (
            format!("{define}{ipconfig}{distribute}ENDVIPADYNAMIC"),
            &["3:1 error [EZZ0308I] expected a statement of `VIPADYNAMIC`, found `IPCONFIG`"],
        ),
        (
            format!("{ipconfig}{define}{distribute}ENDVIPADYNMIC\nHOME 10.1.1.1 X"),
            &[
                "5:1 error [EZZ0308I] expected a statement of the block, found `ENDVIPADYNMIC`",
                "6:1 note [SDL0223I] `HOME` has no effect here: interfaces and their addresses are the \
                 kernel's (`ip address`)",
            ],
        ),
        (
            format!("{ipconfig}ENDVIPADYNAMIC\nFOO BAR\nTTL 64"),
            &[
                "2:1 error [EZZ0308I] expected `VIPADYNAMIC` before `ENDVIPADYNAMIC`, found none",
                "3:1 error [EZZ0308I] expected a statement, found `FOO`",
            ],
        ),
        (
            format!("{ipconfig}VIPADEFINE 255.255.255.0 10.1.3.10\n{distribute}"),
            &[
                "2:1 error [EZZ0308I] expected `VIPADYNAMIC` before `VIPADEFINE`, found none",
                "3:1 error [EZZ0308I] expected `VIPADYNAMIC` before `VIPADISTRIBUTE`, found none",
            ],
        ),
        (
            format!("{ipconfig}AUTOLOG 5\n FTPD\nBEGINROUTES\n ROUTE X\nENDROUTES\n"),
            &[
                "2:1 note [SDL0223I] `AUTOLOG` has no effect here: programs are started by systemd",
                "2:1 error [EZZ0312I] expected `ENDAUTOLOG` for this `AUTOLOG`, found none",
                "4:1 note [SDL0223I] `BEGINROUTES` has no effect here: routes are the kernel's (`ip route`)",
            ],
        ),
    ];
    for (profile, expected) in cases {
        assert_eq!(told(&load_text(&profile)), expected, "{profile}");
    }
}

#[test]
fn statements_of_z_os_are_skipped_with_one_note_each() {
    let profile = "\
DEVICE OSA1 MPCIPA
LINK OSALINK IPAQENET OSA1
DEVICE OSA2 MPCIPA
HOME 10.1.1.1 OSALINK
     10.1.1.2 OSALINK2 PORT 80 TCP *
AUTOLOG 5
  FTPD JOBNAME PORT
  IPCONFIG
ENDAUTOLOG
IPCONFIG DYNAMICXCF 172.1.1.1/24 1
";
    let loaded = load_text(profile);
    let heads: Vec<String> = told(&loaded)
        .into_iter()
        .map(|line| line.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        heads,
        [
            "1:1 note [SDL0223I] `DEVICE` has no effect here",
            "2:1 note [SDL0223I] `LINK` has no effect here",
            "4:1 note [SDL0223I] `HOME` has no effect here",
            "6:1 note [SDL0223I] `AUTOLOG` has no effect here",
        ]
    );
    assert!(
        loaded
            .config
            .is_some_and(|config| config.dynamic_xcf.is_some())
    );
}
