//! What only shows between statements.

use super::*;

const XCF: &str = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1";
const DISTRIBUTE: &str = "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP";

/// `statements` in a block that begins on line 2, so that the first stands on line 3.
fn block(statements: &[&str]) -> String {
    format!(
        "{XCF}\nVIPADYNAMIC\n{}\nENDVIPADYNAMIC\n",
        statements.join("\n")
    )
}

fn check(cases: &[(&[&str], &[&str])]) {
    for (statements, expected) in cases {
        let loaded = load_text(&block(statements));
        assert_eq!(told(&loaded), *expected, "{statements:#?}");
    }
}

const DEFINE: &str = "VIPADEFINE 255.255.255.0 10.1.3.10";

#[test]
fn an_address_is_defined_once() {
    let again = "expected one VIPADEFINE or VIPABACKUP of `10.1.3.10`, found another";
    let backup = "VIPABACKUP MOVE IMMED 255.255.255.0 10.1.3.10";
    check(&[
        (
            &[DEFINE, DEFINE],
            &[&format!("4:26 error [SDL0234I] {again}")],
        ),
        (
            &[DEFINE, backup],
            &[&format!("4:37 error [SDL0234I] {again}")],
        ),
        (&[DEFINE, "VIPADELETE 10.1.3.10", backup], &[]),
        (
            &["VIPADEFINE /24 10.1.3.11 10.1.3.11"],
            &[
                "3:26 error [SDL0234I] expected one VIPADEFINE or VIPABACKUP of `10.1.3.11`, found another",
            ],
        ),
        (
            &["VIPADELETE 10.1.3.10"],
            &["3:12 error [SDL0236I] expected a DVIPA that is defined before, found `10.1.3.10`"],
        ),
    ]);
}

#[test]
fn a_dvipa_is_the_address_of_a_host() {
    let cases = [
        ("10.1.3.0", Some("the address of its network")),
        ("10.1.3.255", Some("the broadcast address of its network")),
        ("0.0.0.0", Some("which names no host")),
        ("127.0.0.1", Some("a loopback address")),
        ("224.0.0.5", Some("a multicast address")),
        ("255.255.255.255", Some("which is reserved; is it a mask?")),
        ("10.1.3.1", None),
    ];
    for (address, problem) in cases {
        let loaded = load_text(&block(&[&format!("VIPADEFINE 255.255.255.0 {address}")]));
        let expected: Vec<String> = problem
            .map(|problem| {
                format!(
                    "3:26 error [EZZ0318I] expected the address of a host as DVIPA, found \
                     `{address}`, {problem}"
                )
            })
            .into_iter()
            .collect();
        assert_eq!(told(&loaded), expected);
    }
    check(&[(
        &["VIPADEFINE 255.255.255.0 172.1.1.1"],
        &[
            "3:26 error [SDL0241I] expected an address of its own as DVIPA, found the DYNAMICXCF address \
             `172.1.1.1`",
        ],
    )]);
}

#[test]
fn a_backup_is_passive_or_can_create_its_address() {
    check(&[
        (
            &["VIPABACKUP 10 10.1.3.10"],
            &[
                "3:1 warning [SDL0239I] this backup can never create `10.1.3.10`: it has no `MOVEABLE`",
            ],
        ),
        (&["VIPABACKUP MOVEABLE /24 10.1.3.10"], &[]),
        (
            &["VIPABACKUP MOVEABLE IMMEDIATE 10.1.3.10"],
            &["3:1 error [EZZ0312I] expected a subnet mask before `10.1.3.10`, found none"],
        ),
        (
            &["VIPABACKUP 7 255.255.255.0 10.1.3.10"],
            &["3:14 error [EZZ0312I] expected `MOVEABLE` before the subnet mask, found none"],
        ),
        (
            &[
                "VIPABACKUP 255 MOVEABLE IMMED /24 10.1.3.10",
                "VIPABACKUP 0 MOVE IMMED /24 10.1.3.9",
            ],
            &[
                "3:12 error [EZZ0318I] expected a rank from 1 to 254, found `255`",
                "4:12 error [EZZ0318I] expected a rank from 1 to 254, found `0`",
            ],
        ),
    ]);
}

#[test]
fn what_is_distributed_is_defined_before() {
    let all = &format!("{DISTRIBUTE} ALL");
    let undefined = "error [SDL0236I] expected a DVIPA that is defined before, found `10.1.3.10`";
    check(&[
        (&[DEFINE, all], &[]),
        (&[all], &[&format!("3:33 {undefined}")]),
        (&[all, DEFINE], &[&format!("3:33 {undefined}")]),
        (
            &[DEFINE, "VIPADELETE 10.1.3.10", all],
            &[&format!("5:33 {undefined}")],
        ),
        // What could have defined it was not understood.
        (
            &["VIPADEFINE 255.255.255.0 10.1.3.l0", all],
            &["3:26 error [EZZ0318I] expected a DVIPA such as `10.1.3.10`, found `10.1.3.l0`"],
        ),
    ]);
    let later = load_text(&block(&[all, DEFINE]));
    assert_eq!(later.diagnostics[0].related.len(), 1);
    assert_eq!(
        later.sources.text(later.diagnostics[0].related[0].0),
        "10.1.3.10"
    );
}

#[test]
fn targets_are_named_once_by_their_own_addresses() {
    let list = |targets: &str| format!("{DISTRIBUTE} {targets}");
    let expected = "expected the DYNAMICXCF address of a target, found";
    let many: Vec<String> = (1..=33).map(|host| format!("172.1.1.{host}")).collect();
    check(&[
        (
            &[DEFINE, &list("172.1.1.2 172.1.1.3 172.1.1.2")],
            &["4:78 error [SDL0234I] expected each target once, found `172.1.1.2` again"],
        ),
        (
            &[DEFINE, &list("10.1.3.10 127.0.0.1")],
            &[
                &format!("4:58 error [SDL0237I] {expected} `10.1.3.10`, a DVIPA of this profile"),
                &format!("4:68 error [SDL0237I] {expected} `127.0.0.1`, a loopback address"),
            ],
        ),
        (
            &[DEFINE, &list("172.1.2.2 172.1.1.3 172.1.2.4")],
            &[
                "4:58 warning [SDL0238I] expected targets in the DYNAMICXCF network of this stack, found \
                 `172.1.2.2` and 1 more outside",
            ],
        ),
        (
            &[DEFINE, &list("ALL 172.1.1.2")],
            &["4:58 error [EZZ0318I] expected either `ALL` or a list of targets, found both"],
        ),
        (&[DEFINE, &list(&many[..32].join(" "))], &[]),
        (
            &[DEFINE, &list(&many.join(" "))],
            &["4:401 error [EZZ0318I] expected at most 32 targets, found more"],
        ),
    ]);
}

#[test]
fn statements_for_the_same_port_add_up() {
    let profile = block(&[
        DEFINE,
        "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 81 DESTIP 172.1.1.2",
        "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP 172.1.1.3 172.1.1.2",
        "VIPADISTRIBUTE DELETE 10.1.3.10 PORT 81 DESTIP 172.1.1.2",
        "VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN 10.1.3.10 PORT 82 DESTIP ALL",
    ]);
    let services: Vec<(u16, Destinations)> = config_of(&profile)
        .services
        .into_iter()
        .map(|service| (service.port, service.terms.destinations.clone()))
        .collect();
    let both = Destinations::list([ip("172.1.1.2"), ip("172.1.1.3")]);
    assert_eq!(services, [(80, both), (82, Destinations::All)]);
}

#[test]
fn what_is_taken_back_was_there() {
    let add = &format!("{DISTRIBUTE} 172.1.1.2");
    let all = &format!("{DISTRIBUTE} ALL");
    let delete = "VIPADISTRIBUTE DELETE 10.1.3.10 PORT 80 DESTIP";
    let no_target = |target: &str| {
        format!(
            "5:38 error [SDL0235I] expected a target that `10.1.3.10` port 80 has, found `{target}`"
        )
    };
    let both = "5:48 error [SDL0242I] expected either `ALL` or a list of targets for `10.1.3.10` port 80, \
                found both";
    check(&[
        (
            &[DEFINE, &format!("{delete} ALL")],
            &[
                "4:38 error [SDL0235I] expected a port that is distributed before, found 80 of `10.1.3.10`",
            ],
        ),
        (
            &[DEFINE, add, &format!("{delete} ALL")],
            &[&no_target("ALL")],
        ),
        (
            &[DEFINE, add, &format!("{delete} 172.1.1.3")],
            &[&no_target("172.1.1.3")],
        ),
        (
            &[DEFINE, all, &format!("{delete} 172.1.1.2")],
            &[&no_target("172.1.1.2")],
        ),
        (&[DEFINE, all, &format!("{delete} ALL")], &[]),
        (&[DEFINE, all, add], &[both]),
        (&[DEFINE, add, all], &[both]),
    ]);
}

#[test]
fn what_cannot_be_honoured_yet_is_said() {
    check(&[
        (
            &[DEFINE, "VIPADISTRIBUTE 10.1.3.10 PORT 80 DESTIP ALL"],
            &[],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE DISTM HOTSTANDBY 10.1.3.10 PORT 80 DESTIP 172.1.1.1 PREFERRED \
                 172.1.1.2 BACKUP",
                "VIPADISTRIBUTE DISTM HOTSTANDBY 10.1.3.10 PORT 81 DESTIP 172.1.1.1 PREFERRED \
                 172.1.1.2 BACKUP",
            ],
            &[],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE DISTM HOTSTANDBY NOAUTOSWITCHBACK NOHEALTHSWITCH 10.1.3.10 PORT 80 \
                 DESTIP 172.1.1.1 PREFERRED 172.1.1.2 BACKUP",
            ],
            &[],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 DESTIP ALL",
            ],
            &[
                "4:1 warning [SDL0221I] VIPADISTRIBUTE without `PORT` is not supported yet: nothing is \
                 distributed for ports that servers choose",
            ],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE TIMEDAFF 0 NOOPTLOCAL DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP ALL",
            ],
            &[],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE OPTLOCAL 2 DISTM ROUNDROBIN TIMEDAFF 30 10.1.3.10 PORT 80 DESTIP ALL",
            ],
            &[],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP 172.1.1.2 WEIGHT 5",
            ],
            &[
                "4:68 warning [EZZ0799I] expected no `WEIGHT` with this method, found one; it is \
                 ignored",
            ],
        ),
        (
            &[
                DEFINE,
                "VIPADISTRIBUTE DISTM ROUNDROBIN AUTOSWITCHBACK 10.1.3.10 PORT 80 DESTIP 172.1.1.2 BACKUP",
            ],
            &[
                "4:33 error [EZZ0831I] expected `AUTOSWITCHBACK` only with `DISTMETHOD \
                 HOTSTANDBY`, found it without",
                "4:83 error [EZZ0831I] expected `BACKUP` only with `DISTMETHOD HOTSTANDBY`, \
                 found it without",
            ],
        ),
    ]);
}

#[test]
fn hot_standby_has_one_preferred_target_and_backups() {
    let list = |targets: &str| {
        format!("VIPADISTRIBUTE DISTM HOTSTANDBY NOHEALTHSWITCH 10.1.3.10 PORT 80 DESTIP {targets}")
    };
    let backups: Vec<String> = (2..=33)
        .map(|host| format!("172.1.1.{host} BACKUP"))
        .collect();
    let one_and_backups = "4:66 error [EZZ0827I] expected one `PREFERRED` and at least one \
                           `BACKUP`, found";
    check(&[
        (
            &[
                DEFINE,
                &list("172.1.1.1 PREFERRED 172.1.1.2 BACKUP 254 172.1.1.3 BACKUP"),
            ],
            &[],
        ),
        (
            &[DEFINE, &list("ALL")],
            &["4:73 error [EZZ0165I] expected a list of targets with `HOTSTANDBY`, found `ALL`"],
        ),
        (
            &[DEFINE, &list("172.1.1.1 PREFERRED 172.1.1.2")],
            &[
                "4:93 error [EZZ0826I] expected `PREFERRED` or `BACKUP` after a target of \
                 `HOTSTANDBY`, found neither",
            ],
        ),
        (
            &[DEFINE, &list("172.1.1.1 BACKUP")],
            &[&format!("{one_and_backups} 0 and 1")],
        ),
        (
            &[DEFINE, &list("172.1.1.1 PREFERRED 172.1.1.2 PREFERRED")],
            &[&format!("{one_and_backups} 2 and 0")],
        ),
        (
            &[
                DEFINE,
                &list("172.1.1.1 PREFERRED 172.1.1.2 BACKUP 172.1.1.1 BACKUP"),
            ],
            &["4:110 error [EZZ0830I] expected each target once, found `172.1.1.1` again"],
        ),
        (
            &[
                DEFINE,
                &list(&format!("172.1.1.1 PREFERRED {}", backups.join(" "))),
            ],
            &[
                "4:66 error [EZZ0829I] expected at most 31 `BACKUP` targets, found 32",
                "4:643 error [EZZ0318I] expected at most 32 targets, found more",
            ],
        ),
    ]);
}

#[test]
fn a_distributor_needs_dynamic_xcf_and_should_have_sysplex_routing() {
    let distribute = format!("VIPADYNAMIC\n{DEFINE}\n{DISTRIBUTE} ALL\nENDVIPADYNAMIC\n");
    let no_xcf = "3:1 error [SDL0231I] expected `IPCONFIG DYNAMICXCF` in a profile that distributes, found none";
    let no_routing = "3:1 warning [SDL0232I] expected `IPCONFIG SYSPLEXROUTING` in a profile that distributes, found none";
    let xcf = "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 1\n";
    let cases: [(String, &[&str]); 7] = [
        (distribute.clone(), &[no_xcf, no_routing]),
        (format!("{distribute}IPCONFIG SYSPLEXROUTING"), &[no_xcf]),
        (format!("{distribute}{xcf}"), &[no_routing]),
        (format!("{distribute}{xcf}IPCONFIG SYSPLEXROUTING"), &[]),
        (
            format!("{distribute}{xcf}IPCONFIG SYSPLEXROUTING NODATAGRAMFWD"),
            &[
                "6:25 note [SDL0223I] `NODATAGRAMFWD` has no effect here: distribution does not depend on \
                 the kernel's IP forwarding",
                "6:25 warning [SDL0233I] expected `DATAGRAMFWD` in a profile that distributes, found \
                 `NODATAGRAMFWD`",
            ],
        ),
        (
            format!("VIPADYNAMIC\n{DEFINE}\nENDVIPADYNAMIC"),
            &[
                "2:26 warning [SDL0231I] expected `IPCONFIG DYNAMICXCF` in a profile with DVIPAs, found none",
            ],
        ),
        (
            format!("{distribute}IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 /40 1"),
            &[
                "5:46 error [EZZ0318I] expected an address and a mask such as `172.1.1.1 \
               255.255.255.0`, found `/40`",
            ],
        ),
    ];
    for (profile, expected) in cases {
        assert_eq!(told(&load_text(&profile)), expected, "{profile}");
    }
}

#[test]
fn the_last_dynamic_xcf_holds() {
    let profile = "IPCONFIG DYNAMICXCF 172.1.1.1/24 1\nIPCONFIG DYNAMICXCF 172.1.1.2/24 1";
    let loaded = load_text(profile);
    assert_eq!(
        told(&loaded),
        [
            "2:21 warning [SDL0234I] expected one `DYNAMICXCF`, found another; this replaces `172.1.1.1`"
        ]
    );
    let xcf = loaded
        .config
        .and_then(|config| config.dynamic_xcf)
        .map(|xcf| xcf.address);
    assert_eq!(xcf, Some(ip("172.1.1.2")));
}

#[test]
fn a_stack_has_at_most_1024_dvipas() {
    let addresses = |count: usize| {
        let list: Vec<String> = (0..count)
            .map(|at| format!("10.9.{}.{}", at / 250, at % 250 + 1))
            .collect();
        format!("VIPADEFINE 255.255.0.0 {}", list.join("\n"))
    };
    assert_eq!(config_of(&block(&[&addresses(1024)])).dvipas.len(), 1024);
    assert_eq!(
        told(&load_text(&block(&[&addresses(1025)]))),
        ["1027:1 error [SDL0205I] expected at most 1024 DVIPAs in a profile, found more"]
    );
}

#[test]
fn a_thousand_findings_are_enough() {
    let many = "VIPADEFINE 1.2.3 4.5.6\n".repeat(900);
    let loaded = load_text(&block(&[&many]));
    assert_eq!(loaded.diagnostics.len(), 1001);
    let last = loaded.diagnostics.last().map(|last| last.message.as_str());
    assert_eq!(last, Some("800 further findings are not shown"));
}
