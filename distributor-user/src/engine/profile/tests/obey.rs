//! OBEYFILE: what a text adds to, replaces in and deletes from a running configuration.

use super::*;
use crate::engine::config::{Destination, Standby};

const RUNNING: &str = "\
GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 30 RECOVERY SYSPLEXWLMPOLL 10
IPCONFIG SYSPLEXROUTING TTL 99 DYNAMICXCF 172.1.1.1 255.255.255.0 1
IPCONFIG6 DYNAMICXCF 2001:db8:7::1
PORT 8443 TCP WEB* SHAREPORT
     9000 UDP OMVS
     UNRSV TCP * DENY
PORTRANGE 5000 10 TCP WEB1
VIPADYNAMIC
  VIPADEFINE MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10 10.1.3.11
  VIPABACKUP 10 MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.12
  VIPADEFINE MOVEABLE IMMEDIATE V6DVIPA 2001:db8::1/64
  VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 80 81 DESTIP 172.1.1.2 172.1.1.3
  VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.11 PORT 80 DESTIP ALL
  VIPADISTRIBUTE DISTM ROUNDROBIN V6DVIPA PORT 80 DESTIP 2001:db8:7::2
  VIPAROUTE 172.1.1.2 10.9.9.2
  VIPARANGE 255.255.255.192 10.1.8.192
ENDVIPADYNAMIC
";

fn running() -> Config {
    config_of(RUNNING)
}

fn obeyed(obeyfile: &str) -> Loaded {
    let text = text("obeyfile", obeyfile.as_bytes().to_vec());
    obey(&running(), text, &mut Members::default())
}

/// What comes out of `obeyfile`, which is right.
fn after(obeyfile: &str) -> Config {
    let loaded = obeyed(obeyfile);
    let told = told(&loaded);
    loaded
        .config
        .unwrap_or_else(|| panic!("refused:\n{}\n{obeyfile}", told.join("\n")))
}

/// What comes out of the statements of a block.
fn after_block(statements: &str) -> Config {
    after(&format!("VIPADYNAMIC {statements} ENDVIPADYNAMIC"))
}

/// The running configuration, changed by hand.
fn running_but(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = running();
    change(&mut config);
    config
}

fn with_method(config: &mut Config, at: usize, method: DistMethod, destinations: Destinations) {
    let old = &config.services[at];
    config.services[at] =
        crate::engine::config::Service::new(old.dvipa, old.port, method, destinations);
}

#[test]
fn what_is_not_mentioned_stays() {
    for nothing in [
        "VIPADYNAMIC ENDVIPADYNAMIC",
        "HOME 10.1.1.1 LINK",
        "IPCONFIG SYSPLEXROUTING",
        "IPCONFIG DYNAMICXCF 172.1.1.1 255.255.255.0 1",
        // What is there already is there once.
        RUNNING,
    ] {
        assert_eq!(after(nothing), running(), "{nothing}");
    }
}

#[test]
fn settings_that_are_mentioned_are_replaced() {
    let config = after(
        "IPCONFIG TTL 7 NOSYSPLEXROUTING\nGLOBALCONFIG SYSPLEXMONITOR NORECOVERY\n\
         IPCONFIG6 HOPLIMIT 9",
    );
    let expected = running_but(|config| {
        config.ip.time_to_live = 7;
        config.sysplex_routing = false;
        config.global.monitor.recovers = false;
        if let Some(ip6) = &mut config.ip6 {
            ip6.time_to_live = 9;
        }
    });
    assert_eq!(config, expected);
}

#[test]
fn ports_are_added_replaced_and_deleted() {
    let config = after("PORT 8443 TCP WEB* NODELAYACKS\n 8443 TCP OTHER\nPORTRANGE 6000 1 TCP X");
    let ports: Vec<(u16, &str, PortShare)> = config
        .ports
        .iter()
        .map(|port| (port.port, port.user.word(), port.options.share))
        .collect();
    assert_eq!(
        ports,
        [
            (8443, "WEB*", PortShare::No),
            (9000, "OMVS", PortShare::No),
            (8443, "OTHER", PortShare::No),
        ]
    );
    assert_eq!(config.port_ranges.len(), 2);
    let config = after(
        "DELETE PORT 8443 TCP WEB* 9000 UDP OMVS\nDELETE PORTRANGE 5000 10 TCP WEB1\n\
         PORT 5001 TCP NEW",
    );
    assert_eq!((config.ports.len(), config.port_ranges.len()), (1, 0));
    assert_eq!(
        told(&obeyed(
            "DELETE PORT 8443 TCP WEB1\nDELETE PORTRANGE 5000 9 TCP WEB1"
        )),
        [
            "1:13 error [SDL0235I] expected a reservation of the running profile, found none like this",
            "2:18 error [SDL0235I] expected a reservation of the running profile, found none like this",
        ]
    );
    assert_eq!(
        told(&obeyed("PORT 5009 TCP X"))[0],
        "1:6 error [SDL0243I] expected a port that no PORTRANGE has, found TCP port 5009"
    );
}

#[test]
fn dvipas_are_added_changed_and_deleted() {
    let config = after_block("VIPADEFINE /16 10.1.3.13 VIPABACKUP 20 MOVE WHENIDLE /16 10.1.3.12");
    let backup = DvipaRole::Backup {
        rank: 20,
        moveable: Some(Moveable::WhenIdle),
    };
    let define = DvipaRole::Define {
        moveable: Moveable::Immediate,
    };
    let expected = running_but(|config| {
        config.dvipas[2] = Dvipa::new(ip("10.1.3.12"), Some(16), backup);
        config
            .dvipas
            .push(Dvipa::new(ip("10.1.3.13"), Some(16), define));
    });
    assert_eq!(config, expected);

    let config = after_block("VIPADELETE 10.1.3.10 VIPADELETE V6DVIPA");
    let expected = running_but(|config| {
        config.dvipas.remove(0);
        config.services.drain(..2);
        config.interfaces.clear();
        let is_ipv4 = |address: IpAddr| address.is_ipv4();
        config.dvipas.retain(|dvipa| is_ipv4(dvipa.address));
        config.services.retain(|service| is_ipv4(service.dvipa));
    });
    assert_eq!(config, expected);

    let config = after_block("VIPADELETE 10.1.3.11 VIPABACKUP 7 MOVE /24 10.1.3.11");
    assert_eq!(config.dvipas.len(), 4);
    assert_eq!(config.dvipas[3].address, ip("10.1.3.11"));
    assert!(matches!(
        config.dvipas[3].role,
        DvipaRole::Backup { rank: 7, .. }
    ));
    assert_eq!(config.services.len(), 3);
}

#[test]
fn targets_are_added_and_the_new_method_holds() {
    let both = Destinations::list([ip("172.1.1.2"), ip("172.1.1.3")]);
    let three = Destinations::list(["172.1.1.2", "172.1.1.3", "172.1.1.4"].map(ip));
    let config =
        after_block("VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 81 DESTIP 172.1.1.4 172.1.1.2");
    let expected = running_but(|config| with_method(config, 1, DistMethod::RoundRobin, three));
    assert_eq!(config, expected);

    let config =
        after_block("VIPADISTRIBUTE DISTM WEIGHTEDA 10.1.3.10 PORT 80 DESTIP 172.1.1.2 WEIGHT 20");
    let weighted = Destinations::List(vec![
        Destination {
            weight: 20,
            ..ip("172.1.1.2").into()
        },
        ip("172.1.1.3").into(),
    ]);
    let method = DistMethod::WeightedActive;
    let expected = running_but(|config| with_method(config, 0, method, weighted));
    assert_eq!(config, expected);

    let config = after_block(
        "VIPADISTRIBUTE DISTM HOTSTANDBY 10.1.3.10 PORT 80 81 DESTIP 172.1.1.4 PREFERRED \
         172.1.1.2 BACKUP 9",
    );
    let target = |host: &str, standby| Destination {
        standby: Some(standby),
        ..ip(host).into()
    };
    let standby = Destinations::List(vec![
        target("172.1.1.2", Standby::Backup { rank: 9 }),
        target("172.1.1.3", Standby::Backup { rank: 1 }),
        target("172.1.1.4", Standby::Preferred),
    ]);
    let method = DistMethod::HotStandby {
        switches_back: true,
        minds_health: true,
    };
    let expected = running_but(|config| {
        with_method(config, 0, method, standby.clone());
        with_method(config, 1, method, standby);
    });
    assert_eq!(config, expected);
    assert!(std::sync::Arc::ptr_eq(
        &config.services[0].terms,
        &config.services[1].terms
    ));

    let config = after_block(
        "VIPADISTRIBUTE DELETE 10.1.3.10 PORT 80 DESTIP 172.1.1.2 \
         VIPADISTRIBUTE DELETE 10.1.3.10 PORT 81 DESTIP 172.1.1.2 172.1.1.3 \
         VIPADISTRIBUTE DELETE 10.1.3.11 PORT 80 DESTIP ALL \
         VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.11 PORT 80 DESTIP 172.1.1.2 172.1.1.3",
    );
    let expected = running_but(|config| {
        let left = Destinations::list([ip("172.1.1.3")]);
        with_method(config, 0, DistMethod::RoundRobin, left);
        with_method(config, 2, DistMethod::RoundRobin, both);
        config.services.remove(1);
        config.services.swap(1, 2);
    });
    assert_eq!(config, expected);
}

#[test]
fn routes_and_ranges_are_added_replaced_and_deleted() {
    let config = after_block(
        "VIPAROUTE 172.1.1.3 10.9.9.3 VIPAROUTE 172.1.1.2 10.9.9.4 \
         VIPARANGE DELETE /26 10.1.8.192 VIPARANGE MOVE DISRUPT /28 10.1.8.17",
    );
    let routes: Vec<(IpAddr, IpAddr)> = config
        .routes
        .iter()
        .map(|route| (route.dynamic_xcf, route.target))
        .collect();
    assert_eq!(
        routes,
        [
            (ip("172.1.1.2"), ip("10.9.9.4")),
            (ip("172.1.1.3"), ip("10.9.9.3")),
        ]
    );
    let ranges: Vec<(IpAddr, u8)> = config
        .ranges
        .iter()
        .map(|range| (range.network, range.prefix_len))
        .collect();
    assert_eq!(ranges, [(ip("10.1.8.16"), 28)]);
    let config = after_block("VIPAROUTE DELETE 172.1.1.2 10.9.9.2");
    assert_eq!(config.routes, []);
}

#[test]
fn what_the_running_stack_cannot_become_is_refused_whole() {
    let cases: [(&str, &[&str]); 11] = [
        (
            "VIPADYNAMIC\nVIPADEFINE /24 10.1.3.99\nVIPADEFINE /24 10.1.3.12\n\
             VIPADELETE 10.1.3.77\nENDVIPADYNAMIC",
            &[
                "3:16 error [SDL0240I] expected `VIPABACKUP` of `10.1.3.12` as in the running profile, found \
                 `VIPADEFINE`",
                "4:12 error [SDL0236I] expected a DVIPA that is defined before, found `10.1.3.77`",
            ],
        ),
        (
            "VIPADYNAMIC\nVIPADEFINE CPCSCOPE /24 10.1.3.10\nENDVIPADYNAMIC",
            &[
                "2:12 warning [SDL0221I] `CPCSCOPE` is not supported yet: the address moves to every stack \
                 that has a VIPABACKUP of it",
                "2:25 error [SDL0240I] expected the tier and scope that `10.1.3.10` has already, found others",
            ],
        ),
        (
            "VIPADYNAMIC\nVIPADEFINE /24 10.1.3.11 10.1.3.11\nENDVIPADYNAMIC",
            &[
                "2:26 error [SDL0234I] expected one VIPADEFINE or VIPABACKUP of `10.1.3.11`, found another",
            ],
        ),
        (
            "VIPADYNAMIC VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.11 PORT 80\nDESTIP 172.1.1.2\n\
             ENDVIPADYNAMIC",
            &[
                "1:60 error [SDL0242I] expected either `ALL` or a list of targets for `10.1.3.11` port 80, \
                 found both",
            ],
        ),
        (
            "IPCONFIG DYNAMICXCF 172.1.1.9 255.255.255.0 1",
            &[
                "1:21 error [SDL0240I] expected the `DYNAMICXCF` that the stack runs with, `172.1.1.1`, \
                 found another",
            ],
        ),
        (
            "IPCONFIG NODYNAMICXCF",
            &[
                "1:10 error [SDL0240I] expected the `DYNAMICXCF` that the stack runs with, `172.1.1.1`, \
                 found another",
            ],
        ),
        (
            "VIPADYNAMIC\nVIPADEFINE OTHER 2001:db8::1/64\nENDVIPADYNAMIC",
            &[
                "2:18 error [EZZ9654I] expected the interface that `2001:db8::1` has already, \
                 found another",
            ],
        ),
        (
            "IPCONFIG6 DYNAMICXCF 2001:db8:7::9",
            &[
                "1:22 error [SDL0240I] expected the `DYNAMICXCF` that the stack runs with, \
                 `2001:db8:7::1`, found another",
            ],
        ),
        (
            "IPCONFIG6 NODYNAMICXCF",
            &[
                "1:11 error [SDL0240I] expected the `DYNAMICXCF` that the stack runs with, \
                 `2001:db8:7::1`, found another",
            ],
        ),
        (
            "VIPADYNAMIC\nVIPADEFINE OTHER 2001:db8:7::1\nENDVIPADYNAMIC",
            &[
                "2:18 error [SDL0241I] expected an address of its own as DVIPA, found the \
                 DYNAMICXCF address `2001:db8:7::1`",
            ],
        ),
        (
            "VIPADYNAMIC\nVIPADEFINE /24 172.1.1.1\nENDVIPADYNAMIC",
            &[
                "2:16 error [SDL0241I] expected an address of its own as DVIPA, found the DYNAMICXCF address \
                 `172.1.1.1`",
            ],
        ),
    ];
    for (obeyfile, expected) in cases {
        let loaded = obeyed(obeyfile);
        assert_eq!(told(&loaded), expected, "{obeyfile}");
        assert!(loaded.config.is_none());
    }
}

#[test]
fn limits_hold_for_both_together() {
    let addresses: Vec<String> = (0..1021)
        .map(|at| format!("10.9.{}.{}", at / 250, at % 250 + 1))
        .collect();
    let block = |count: usize| {
        let addresses = addresses[..count].join("\n");
        format!("VIPADYNAMIC\nVIPADEFINE /16 {addresses}\nENDVIPADYNAMIC")
    };
    // Three IPv4 and one IPv6 are there.
    assert_eq!(after(&block(1020)).dvipas.len(), 1024);
    assert_eq!(
        told(&obeyed(&block(1021))),
        ["1022:1 error [SDL0205I] expected at most 1024 DVIPAs in a profile, found more"]
    );
}
