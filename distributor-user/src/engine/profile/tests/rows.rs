//! Every row of the grammar, and every limit from both sides.

use super::*;

/// `statement` in a block in which 10.1.3.10 and V6NAME are defined.
fn in_block(statement: &str) -> String {
    format!(
        "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1 \
         IPCONFIG6 DYNAMICXCF 2001:db8:7::1\nVIPADYNAMIC\n\
         VIPADEFINE 255.255.255.0 10.1.3.10\nVIPADEFINE V6NAME 2001:db8::10\n\
         {statement}\nENDVIPADYNAMIC\n"
    )
}

fn errors(profile: &str) -> Vec<String> {
    let all = told(&load_text(profile));
    all.into_iter()
        .filter(|line| line.contains(" error "))
        .collect()
}

#[test]
fn rows_of_vipadynamic() {
    let rows = [
        // VIPADEFINE
        "VIPADEFINE 255.255.255.0 10.1.3.11",
        "VIPADEF /24 10.1.3.11 10.1.3.12 10.1.3.13",
        "VIPADEFINE MOVEABLE /24 10.1.3.11",
        "VIPADEFINE MOVE IMMED /24 10.1.3.11",
        "VIPADEFINE MOVE WHENIDLE /24 10.1.3.11",
        "VIPADEFINE MOVE IMMED SERVICEMGR /24 10.1.3.11",
        "VIPADEFINE SERVICEMGR /24 10.1.3.11",
        "VIPADEFINE TIER1 /24 10.1.3.11",
        "VIPADEFINE TIER2 /24 10.1.3.11",
        "VIPADEFINE TIER2 CPCSCOPE MOVE IMMED /24 10.1.3.11",
        "VIPADEFINE CPCSCOPE /24 10.1.3.11",
        "VIPADEFINE DVIPA6 2001:db8::1",
        "VIPADEFINE TIER1 MOVE IMMED DVIPA6 2001:db8::1/64",
        // VIPABACKUP
        "VIPABACKUP 10.1.3.11",
        "VIPAB 1 10.1.3.11 10.1.3.12",
        "VIPABACKUP 254 TIER1 10.1.3.11",
        "VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.11",
        "VIPABACKUP 9 MOVEABLE WHENIDLE SERVICEMGR /24 10.1.3.11 10.1.3.12",
        "VIPABACKUP 9 DVIPA6 2001:db8::1",
        "VIPABACKUP 9 TIER2 CPCSCOPE MOVEABLE IMMEDIATE DVIPA6 2001:db8::1/64",
        // VIPADELETE
        "VIPADELETE 10.1.3.10",
        "VIPADEL V6NAME",
        "VIPADEFINE /24 10.1.3.11 VIPADELETE 10.1.3.10 10.1.3.11",
        // VIPADISTRIBUTE
        "VIPADISTRIBUTE 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DEFINE 10.1.3.10 DESTIP ALL",
        "VIPADIST DISTM BASEWLM 10.1.3.10 PORT 80 81 90-99 DESTIP 172.1.1.2 172.1.1.3",
        "VIPADISTRIBUTE DISTM BASEWLM PROCTYPE CP 20 ZAAP 80 ZIIP 0 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE PROCTYPE CP 99 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTMETHOD ROUNDROBIN 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM SERVERWLM 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM SERVERWLM PROCXCOST ZAAP 1 ZIIP 100 ILWEIGHTING 3 10.1.3.10 PORT 80 \
         DESTIP ALL",
        "VIPADISTRIBUTE DISTM WEIGHTEDACTIVE 10.1.3.10 PORT 80 DESTIP 172.1.1.2 WEIGHT 1 172.1.1.3 \
         WEIGHT 99 172.1.1.4",
        "VIPADISTRIBUTE DISTM WEIGHTEDA 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM MAGLEV 10.1.3.10 PORT 80 DESTIP 172.1.1.2 WEIGHT 99 172.1.1.3",
        "VIPADISTRIBUTE DISTM HOTSTANDBY 10.1.3.10 PORT 80 DESTIP 172.1.1.2 BACKUP 172.1.1.3 \
         PREFERRED 172.1.1.4 BACKUP 254",
        "VIPADISTRIBUTE DISTM HOTSTANDBY AUTOSWITCHBACK HEALTHSWITCH 10.1.3.10 PORT 80 DESTIP \
         172.1.1.2 PREFERRED 172.1.1.3 BACKUP 1",
        "VIPADISTRIBUTE NOHEALTHSWITCH NOAUTOSWITCHBACK DISTM HOTSTANDBY 10.1.3.10 PORT 80 DESTIP \
         172.1.1.2 PREFERRED 172.1.1.3 BACKUP 1",
        "VIPADISTRIBUTE NOOPTLOCAL SYSPLEXPORTS TIMEDAFFINITY 9999 DISTM ROUNDROBIN 10.1.3.10 PORT \
         80 DESTIP ALL",
        "VIPADISTRIBUTE OPTLOCAL 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE OPTLOCAL 0 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE OPTLOCAL 16 TIMEDAFF 0 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM ROUNDROBIN TIER1 GROUP1 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM TARGCONTROLLED TIER1 GROUP1 GRE CONTROLPORT 5702 10.1.3.10 PORT 80 \
         DESTIP 192.168.9.9",
        "VIPADISTRIBUTE DISTM ROUNDROBIN TIER1 GROUP1 ENCAP V6NAME PORT 80 DESTIP 2001:db8:9::9",
        "VIPADISTRIBUTE DISTM ROUNDROBIN TIER2 GROUP1 10.1.3.10 PORT 80 DESTIP ALL",
        "VIPADISTRIBUTE DISTM ROUNDROBIN V6NAME PORT 80 DESTIP 2001:db8:7::2",
        "VIPADISTRIBUTE DISTM ROUNDROBIN V6NAME DESTIP ALL",
        "VIPADISTRIBUTE 10.1.3.10 PORT 80 DESTIP ALL VIPADISTRIBUTE DELETE 10.1.3.10 PORT 80 \
         DESTIP ALL",
        // What IBM's own example has after DESTIP.
        "VIPADISTRIBUTE 10.1.3.10 PORT 80 DESTIP ALL\nPROCTYPE CP 20 ZAAP 80 ZIIP 0",
        // VIPAROUTE, VIPARANGE, VIPASMPARMS
        "VIPAROUTE 172.1.1.3 10.1.1.13",
        "VIPAROUTE DEFINE 172.1.1.3 10.1.1.13 VIPAROUTE DELETE 172.1.1.3 10.1.1.13",
        "VIPAROUTE 172.1.1.3 10.1.1.13 GRE VIPAROUTE DEFINE 172.1.1.4 10.1.1.14 IPIP",
        "VIPAROUTE 172.1.1.3 10.1.1.13 IPIP VIPAROUTE DELETE 172.1.1.3 10.1.1.13",
        "VIPAROUTE 2001:db8:7::3 2001:db8:9::3",
        "VIPARANGE 255.255.255.192 10.1.8.192",
        "VIPAR DEFINE MOVE NONDISRUPT /26 10.1.8.192",
        "VIPARANGE MOVEABLE DISRUPTIVE /26 10.1.8.200 SAF RES1",
        "VIPARANGE /26 10.1.8.192 ZCX",
        "VIPARANGE /26 10.1.8.192 SAF X ZCONT",
        "VIPARANGE MOVE NONDISRUPT RANGE6 2001:db8:8::/64 ZCPA",
        "VIPARANGE /26 10.1.8.192 VIPARANGE DELETE /26 10.1.8.192",
        "VIPASMPARMS SMMCAST 224.0.0.7 SMPORT 1637",
        "VIPASM SMPORT 1637 SMPASS secret SMMCAST 224.0.0.7",
    ];
    for row in rows {
        assert_eq!(errors(&in_block(row)), Vec::<String>::new(), "{row}");
    }
}

#[test]
fn rows_outside_of_blocks() {
    let rows = [
        "IPCONFIG DATAGRAMFWD NOFWDMULTIPATH SYSPLEXROUTING",
        "IPCONF FWDMULTIPATH PERPACKET NODYNAMICXCF NOSYSPLEXROUTING NODATAGRAMFWD",
        "IPCONFIG DYNAMICXCF 172.1.1.1/24 0 SECCLASS 255 SMCD SOURCEVIPAINTERFACE VIPA1",
        "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 14 SECCLASS 1 NOSMCD TTL 64",
        "IPCONFIG MULTIPATH SOURCEVIPA PATHMTUDISCOVERY QDIOACCELERATOR QDIOPRIORITY 1",
        "IPCONFIG MULTIPATH PERCONNECTION NOSOURCEVIPA NOPATHMTUDISCOVERY NOQDIOACCELERATOR",
        "IPCONFIG MULTIPATH PERPACKET TCPSTACKSOURCEVIPA 10.1.3.10 FORMAT LONG",
        "IPCONFIG NOMULTIPATH NOTCPSTACKSOURCEVIPA FORMAT SHORT TTL 255 REASSEMBLYTIMEOUT 240",
        "IPCONFIG6 DATAGRAMFWD DYNAMICXCF 2001:db8:7::1 SECCLASS 1 SOURCEVIPAINTERFACE VIPA6",
        "IPCONFIG6 DYNAMICXCF 2001:db8:7::1/64 INTFID ::1:2:3:4 MULTIPATH PERPACKET SOURCEVIPA",
        "IPCONFIG6 TCPSTACKSOURCEVIPA V6NAME HOPLIMIT 255",
        "PORT 1 TCP * 65535 UDP OMVS 80 TCP RESERVED 23 TCP INTCLIEN",
        "PORT 80 TCP FTPD* NOAUTOLOG NODELAYACKS SHAREPORT BIND 10.1.3.10 SAF RES1 NOSMC",
        "PORT 80 TCP WEB1 DELAYACKS SHAREPORTWLM BIND 2001:db8::1 SMC",
        "PORT 80 TCP WEB1 80 TCP WEB2 SHAREPORT 80 UDP WEB1",
        "PORT UNRSV TCP * DENY UNRSV TCP A* SAF X WHENLISTEN UNRSV UDP * WHENBIND",
        "PORT UNRSV TCP JOB1 WHENBIND UNRSV UDP * SAF RES1",
        "PORTRANGE 1024 100 TCP OMVS 1024 100 UDP RESERVED 9000 16 TCP AUTHPORT",
        "PORTRANGE 80 1 TCP WEB* NOAUTOLOG DELAYACKS SHAREPORTWLM SAF X SMC",
        "PORTRANGE 65535 1 UDP *",
        "GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 10 RECOVERY DELAYJOIN AUTOREJOIN MONINTERFACE \
         DYNROUTE NOJOIN DELAYJOINIPSEC MONIPSEC",
        "GLOBALCONF SYSPLEXMON TIMERSECS 3600 NORECOVERY NODELAYJOIN NOAUTOREJOIN NOMONINTERFACE \
         NODYNROUTE NODELAYJOINIPSEC NOMONIPSEC",
        "GLOBALCONFIG SYSPLEXWLMPOLL 1 XCFGRPID 2 IQDVLANID 4094 EXPLICITBINDPORTRANGE 1024 64512",
        "GLOBALCONFIG SYSPLEXWLMP 180 XCFGRPID 31 NOEXPLICITBINDPORTRANGE ADJUSTDVIPAMSS AUTO",
        "GLOBALCONFIG ADJUSTDV ALL MAXRECS * TCPIPSTATISTICS ECSALIMIT 120M POOLLIMIT 0",
        "GLOBALCONFIG ADJUSTDVIPAMSS NONE MAXRECS 65535 NOTCPIPSTATISTICS",
        "VIPADYNAMIC ENDVIPADYNAMIC VIPAD ENDVIPAD",
        "DELETE DEVICE OSA1 DELETE LINK LINK1",
    ];
    for row in rows {
        assert_eq!(errors(row), Vec::<String>::new(), "{row}");
    }
}

/// What is right at a limit, what is wrong beyond it, and what is said about that.
fn check_limit(right: &str, wrong: &str, expected: &str) {
    assert_eq!(errors(&in_block(right)), Vec::<String>::new(), "{right}");
    let found = errors(&in_block(wrong));
    assert!(found[0].contains(expected), "{wrong}: {found:?}");
}

#[test]
fn limits_of_vipadistribute() {
    let statement = |before: &str, after: &str| {
        format!("VIPADISTRIBUTE {before} 10.1.3.10 PORT 80 DESTIP {after}")
    };
    let options = [
        ("OPTLOCAL 16", "OPTLOCAL 17", "0 to 16"),
        ("TIMEDAFF 9999", "TIMEDAFF 10000", "0 to 9999"),
        ("PROCTYPE CP 99", "PROCTYPE CP 100", "0 to 99"),
        ("PROCTYPE ZIIP 0", "PROCTYPE ZIIP -1", "0 to 99"),
        (
            "DISTM SERVERWLM PROCXCOST ZIIP 100",
            "DISTM SERVERWLM PROCXCOST ZIIP 101",
            "1 to 100",
        ),
        (
            "DISTM SERVERWLM PROCXCOST ZAAP 1",
            "DISTM SERVERWLM PROCXCOST ZAAP 0",
            "1 to 100",
        ),
        (
            "DISTM SERVERWLM ILWEIGHTING 3",
            "DISTM SERVERWLM ILWEIGHTING 4",
            "0 to 3",
        ),
        (
            "TIER1 ABCDEFGHIJKLMNOP",
            "TIER1 ABCDEFGHIJKLMNOPQ",
            "1 to 16 characters",
        ),
        (
            "DISTM ROUNDROBIN TIER1 G GRE CONTROLPORT 65535",
            "DISTM ROUNDROBIN TIER1 G GRE CONTROLPORT 65536",
            "1 to 65535",
        ),
    ];
    for (right, wrong, expected) in options {
        check_limit(&statement(right, "ALL"), &statement(wrong, "ALL"), expected);
    }
    let list = |count: usize, between: &str| -> String {
        let hosts = (1..=count).map(|host| format!(" 172.1.1.{host}{between}"));
        hosts.collect()
    };
    let weighted = |weight: u8| ("DISTM WEIGHTEDA", format!("172.1.1.2 WEIGHT {weight}"));
    let preferred = "172.1.2.1 PREFERRED";
    let standby = |rank: u8| {
        let targets = format!("{preferred} 172.1.1.2 BACKUP {rank}");
        ("DISTM HOTSTANDBY", targets)
    };
    let backups = |count| {
        (
            "DISTM HOTSTANDBY",
            preferred.to_owned() + &list(count, " BACKUP"),
        )
    };
    let targets = [
        (weighted(99), weighted(100), "1 to 99"),
        (weighted(1), weighted(0), "1 to 99"),
        (standby(254), standby(255), "1 to 254"),
        (standby(1), standby(0), "1 to 254"),
        (backups(31), backups(32), "at most 31 `BACKUP`"),
        (("", list(32, "")), ("", list(33, "")), "at most 32 targets"),
    ];
    for (right, wrong, expected) in targets {
        let statement = |(before, after): (&str, String)| statement(before, &after);
        check_limit(&statement(right), &statement(wrong), expected);
    }
    check_limit(
        "VIPADISTRIBUTE 10.1.3.10 PORT 1-64 DESTIP ALL",
        "VIPADISTRIBUTE 10.1.3.10 PORT 1-64 99 DESTIP ALL",
        "at most 64 ports",
    );
}

#[test]
fn limits_of_vipadynamic() {
    let ranges = |count: usize| -> String {
        let networks =
            (0..count).map(|at| format!("VIPARANGE /30 10.{}.{}.0\n", at / 256, at % 256));
        networks.collect()
    };
    let cases = [
        (
            "VIPABACKUP 254 10.1.3.9",
            "VIPABACKUP 255 10.1.3.9",
            "1 to 254",
        ),
        ("VIPABACKUP 1 10.1.3.9", "VIPABACKUP 0 10.1.3.9", "1 to 254"),
        (
            "VIPADEFINE NAME456789012345 2001:db8::1/128",
            "VIPADEFINE DVIPA6 2001:db8::1/129",
            "a DVIPA",
        ),
        (
            "VIPADEFINE /32 10.1.3.9",
            "VIPADEFINE /33 10.1.3.9",
            "a subnet mask",
        ),
        (&ranges(4096), &ranges(4097), "at most 4096 VIPARANGE"),
    ];
    for (right, wrong, expected) in cases {
        check_limit(right, wrong, expected);
    }
}

#[test]
fn limits_outside_of_blocks() {
    let cases = [
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1/24 14",
            "IPCONFIG DYNAMICXCF 172.1.1.1/24 15",
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.1/24 1 SECCLASS 255",
            "IPCONFIG DYNAMICXCF 172.1.1.1/24 1 SECCLASS 256",
        ),
        ("IPCONFIG TTL 255", "IPCONFIG TTL 256"),
        (
            "IPCONFIG REASSEMBLYTIMEOUT 240",
            "IPCONFIG REASSEMBLYTIMEOUT 241",
        ),
        (
            "IPCONFIG6 DYNAMICXCF 2001:db8::1/128",
            "IPCONFIG6 DYNAMICXCF 2001:db8::1/129",
        ),
        (
            "IPCONFIG6 DYNAMICXCF 2001:db8::1",
            "IPCONFIG6 DYNAMICXCF 10.1.1.1",
        ),
        ("PORT 65535 TCP *", "PORT 65536 TCP *"),
        ("PORT 1 TCP *", "PORT 0 TCP *"),
        ("PORT 1 TCP ABCDEFGH", "PORT 1 TCP ABCDEFGHI"),
        ("PORT 1 TCP ABCDEFG*", "PORT 1 TCP ABC*EFG"),
        ("PORT 1 TCP @A1", "PORT 1 TCP 1A"),
        ("PORT 1 TCP RESERVED", "PORT 1 TCP RESERVED SHAREPORT"),
        ("PORT 1 TCP X SAF ABCDEFGH", "PORT 1 TCP X SAF ABCDEFGHI"),
        ("PORT UNRSV TCP * DENY", "PORT UNRSV TCP WEB* DENY"),
        ("PORT UNRSV UDP * WHENBIND", "PORT UNRSV UDP * WHENLISTEN"),
        (
            "PORT UNRSV TCP * UNRSV TCP A WHENBIND",
            "PORT UNRSV TCP * WHENLISTEN UNRSV TCP A WHENBIND",
        ),
        ("PORTRANGE 1 65535 TCP *", "PORTRANGE 1 65536 TCP *"),
        (
            "PORTRANGE 1 1 TCP X 2 1 TCP X",
            "PORTRANGE 1 2 TCP X 2 1 TCP X",
        ),
        ("PORT 9 TCP X 9 UDP X", "PORTRANGE 8 2 TCP X PORT 9 TCP X"),
        (
            "PORTRANGE 8 2 TCP X PORT 9 UDP X",
            "PORT 8 TCP X PORTRANGE 8 2 TCP X",
        ),
        (
            "GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 3600",
            "GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 3601",
        ),
        (
            "GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 10",
            "GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 9",
        ),
        (
            "GLOBALCONFIG SYSPLEXWLMPOLL 180",
            "GLOBALCONFIG SYSPLEXWLMPOLL 181",
        ),
        (
            "GLOBALCONFIG SYSPLEXWLMPOLL 1",
            "GLOBALCONFIG SYSPLEXWLMPOLL 0",
        ),
        ("GLOBALCONFIG XCFGRPID 31", "GLOBALCONFIG XCFGRPID 32"),
        ("GLOBALCONFIG XCFGRPID 2", "GLOBALCONFIG XCFGRPID 1"),
        (
            "GLOBALCONFIG EXPLICITBINDPORTRANGE 65535 1",
            "GLOBALCONFIG EXPLICITBINDPORTRANGE 65535 2",
        ),
        ("GLOBALCONFIG MAXRECS 65535", "GLOBALCONFIG MAXRECS 65536"),
        ("GLOBALCONFIG MAXRECS *", "GLOBALCONFIG MAXRECS X"),
    ];
    for (right, wrong) in cases {
        assert_eq!(errors(right), Vec::<String>::new(), "{right}");
        assert_eq!(errors(wrong).len(), 1, "{wrong}: {:?}", errors(wrong));
    }
}

#[test]
fn what_does_not_go_together() {
    let cases = [
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN TIER1 G GRE 10.1.3.10 DESTIP 192.168.9.9",
            "5:41 error [EZZ0783I] expected `PORT` with `GRE`, found none",
        ),
        (
            "VIPADISTRIBUTE DISTM BASEWLM TIER1 G GRE 10.1.3.10 PORT 80 DESTIP 192.168.9.9",
            "5:38 error [EZZ0318I] expected a method without weights of z/OS with `GRE`, found \
             `BASEWLM` or `SERVERWLM`",
        ),
        (
            "VIPADISTRIBUTE DISTM TARGCONTROLLED 10.1.3.10 PORT 80 DESTIP ALL",
            "5:22 error [EZZ0318I] expected `TARGCONTROLLED` only with `TIER1` and `GRE` or \
             `ENCAP`, found it without",
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN TIER1 G ENCAP 10.1.3.10 PORT 80 DESTIP 192.168.9.9",
            "5:72 error [EZZ0318I] expected IPv6 targets with `ENCAP`, found `192.168.9.9`",
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN ILWEIGHTING 1 10.1.3.10 PORT 80 DESTIP ALL",
            "5:33 error [EZZ0318I] expected `ILWEIGHTING` only with `DISTMETHOD SERVERWLM`, found \
             it without",
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 DESTIP 2001:db8::9",
            "5:58 error [EZZ0318I] expected IPv4 targets of the IPv4 DVIPA `10.1.3.10`, found \
             `2001:db8::9`",
        ),
        (
            "VIPADISTRIBUTE DISTM ROUNDROBIN NONAME PORT 80 DESTIP ALL",
            "5:33 error [SDL0236I] expected a DVIPA that is defined before, found the interface `NONAME`",
        ),
        (
            "VIPADEFINE MOVE WHENIDLE DVIPA6 2001:db8::1",
            "5:17 error [EZZ9654I] expected `IMMEDIATE` for an IPv6 DVIPA, found `WHENIDLE`",
        ),
        (
            "VIPADEFINE DVIPA6 2001:db8::1 2001:db8::2",
            "5:31 error [EZZ9654I] expected one address of the interface `DVIPA6`, found \
             `2001:db8::2` too",
        ),
        (
            "VIPADEFINE TIER1 TIER2 /24 10.1.3.11",
            "5:18 error [EZZ0318I] expected either `TIER1` or `TIER2`, found both",
        ),
        (
            "VIPAROUTE 172.1.1.3 10.1.3.10",
            "5:21 error [EZZ0318I] expected an address that stays at the target, found the DVIPA \
             `10.1.3.10`",
        ),
        (
            "VIPAROUTE 172.1.1.3 2001:db8::3",
            "5:21 error [EZZ0318I] expected an address of the family of `172.1.1.3`, found \
             `2001:db8::3`",
        ),
        (
            "VIPAROUTE 172.1.1.3 10.9.9.3 GRE IPIP",
            "5:34 error [EZZ0318I] expected either `GRE` or `IPIP`, found both",
        ),
        (
            "VIPAROUTE 172.1.1.3 10.9.9.3 VIPAROUTE 172.1.1.3 10.9.9.4",
            "5:40 error [SDL0234I] expected one VIPAROUTE for `172.1.1.3`, found another",
        ),
        (
            "VIPARANGE MOVE DISRUPT RANGE6 2001:db8::/64",
            "5:16 error [EZZ0318I] expected `NONDISRUPTIVE` for an IPv6 range, found `DISRUPTIVE`",
        ),
        (
            "VIPASMPARMS SMMCAST 10.1.1.1 SMPORT 1",
            "5:21 error [EZZ0318I] expected a multicast address, found `10.1.1.1`",
        ),
    ];
    for (statement, expected) in cases {
        let found = errors(&in_block(statement));
        assert!(
            found.contains(&expected.to_owned()),
            "{statement}: {found:#?}"
        );
    }
}

#[test]
fn a_range_of_ports_ends_at_the_last_port() {
    let loaded = load_text("PORTRANGE 65000 1000 TCP OMVS");
    assert_eq!(
        told(&loaded)[0],
        "1:17 warning [SDL0245I] expected a range that ends at 65535, found one that ends at 65999"
    );
    let ranges = loaded.config.map(|config| config.port_ranges);
    let ranges = ranges.unwrap_or_default();
    assert_eq!((ranges[0].first, ranges[0].last), (65000, 65535));
}
