//! The three stacks of a sysplex with everything in it: understood, and said what is not yet.

use std::sync::Arc;

use super::*;
use crate::engine::config::{
    Destination, DistOptions, Processors, RouteEncapsulation, Standby, SysplexMonitor, Terms,
    VipaRoute,
};

const SYSA: &str = "\
; ---- SYSA: definer, distributor and target -------------------------
GLOBALCONFIG SYSPLEXMONITOR TIMERSECS 60 RECOVERY DELAYJOIN AUTOREJOIN
             SYSPLEXWLMPOLL 10
IPCONFIG DATAGRAMFWD SYSPLEXROUTING SOURCEVIPA
         DYNAMICXCF 10.1.7.11 255.255.255.0 1
PORT
   8080 TCP WEB*   SHAREPORTWLM          ; several listeners on one stack
   5000 TCP LEGACY BIND 10.1.8.12
  10000 TCP *
VIPADYNAMIC
  VIPADEFINE MOVE IMMED 255.255.255.0 10.1.8.10 10.1.8.12
  VIPADISTRIBUTE DEFINE DISTM SERVERWLM TIMEDAFF 30
     10.1.8.10 PORT 8080
     DESTIP ALL
  VIPADISTRIBUTE DISTM WEIGHTEDA 10.1.8.12 PORT 5000-5001
     DESTIP 10.1.7.11 WEIGHT 10
            10.1.7.12 WEIGHT 20
  VIPADISTRIBUTE DISTM HOTSTANDBY AUTOSWITCHBACK HEALTHSWITCH 10.1.8.10 PORT 10000
     DESTIP 10.1.7.11 PREFERRED
            10.1.7.12 BACKUP 100
            10.1.7.13 BACKUP 50
  VIPAROUTE 10.1.7.13 10.1.1.13
ENDVIPADYNAMIC
";

const SYSB: &str = "\
; ---- SYSB: first backup, target ------------------------------------
IPCONFIG SYSPLEXROUTING DYNAMICXCF 10.1.7.12 255.255.255.0 1
VIPADYNAMIC
  VIPABACKUP 200 MOVEABLE IMMEDIATE 255.255.255.0 10.1.8.10 10.1.8.12
ENDVIPADYNAMIC        ; no VIPADISTRIBUTE here: inherits SYSA's
";

const SYSC: &str = "\
; ---- SYSC: passive backup, target ----------------------------------
IPCONFIG SYSPLEXROUTING DYNAMICXCF 10.1.7.13 255.255.255.0 1
VIPADYNAMIC
  VIPABACKUP 100 10.1.8.10
ENDVIPADYNAMIC
";

#[test]
fn the_definer_is_right_and_what_it_cannot_have_yet_is_said() {
    let loaded = load_text(SYSA);
    let heads: Vec<String> = told(&loaded)
        .into_iter()
        .map(|line| line.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        heads,
        [
            "2:14 warning [SDL0221I] `SYSPLEXMONITOR` is not supported yet",
            "4:10 note [SDL0223I] `DATAGRAMFWD` has no effect here",
            "4:37 warning [SDL0221I] `SOURCEVIPA` is not supported yet",
        ]
    );
    assert!(loaded.config.is_some());
}

#[test]
fn everything_that_the_definer_says_is_kept() {
    let config = config_of(SYSA);
    let xcf = |host: u8| IpAddr::from([10, 1, 7, host]);
    let weighted = |host, weight| Destination {
        weight,
        ..xcf(host).into()
    };
    let standby = |host, standby| Destination {
        standby: Some(standby),
        ..xcf(host).into()
    };
    let weights = Terms {
        method: DistMethod::WeightedActive,
        destinations: Destinations::List(vec![weighted(11, 10), weighted(12, 20)]),
        options: DistOptions::default(),
    };
    let expected = [
        (
            "10.1.8.10",
            8080,
            Terms {
                method: DistMethod::ServerWlm {
                    cross_cost: Processors {
                        cp: 1,
                        zaap: 1,
                        ziip: 1,
                    },
                    importance: 0,
                },
                destinations: Destinations::All,
                options: DistOptions {
                    timed_affinity_s: 30,
                    ..DistOptions::default()
                },
            },
        ),
        ("10.1.8.12", 5000, weights.clone()),
        ("10.1.8.12", 5001, weights),
        (
            "10.1.8.10",
            10000,
            Terms {
                method: DistMethod::HotStandby {
                    switches_back: true,
                    minds_health: true,
                },
                destinations: Destinations::List(vec![
                    standby(11, Standby::Preferred),
                    standby(12, Standby::Backup { rank: 100 }),
                    standby(13, Standby::Backup { rank: 50 }),
                ]),
                options: DistOptions::default(),
            },
        ),
    ];
    let services: Vec<_> = config
        .services
        .iter()
        .map(|service| (service.dvipa, service.port, (*service.terms).clone()))
        .collect();
    assert_eq!(
        services,
        expected.map(|(dvipa, port, terms)| (ip(dvipa), port, terms))
    );
    assert!(Arc::ptr_eq(
        &config.services[1].terms,
        &config.services[2].terms
    ));
    assert_eq!(
        config.routes,
        [VipaRoute {
            dynamic_xcf: xcf(13),
            target: ip("10.1.1.13"),
            encapsulation: RouteEncapsulation::Gre,
        }]
    );
    assert!(config.ip.has_source_vipa && config.sysplex_routing);
    assert_eq!(config.global.wlm_poll_s, 10);
    assert_eq!(
        config.global.monitor,
        SysplexMonitor {
            timer_s: 60,
            recovers: true,
            delays_join: true,
            rejoins: true,
            ..SysplexMonitor::default()
        }
    );
    let reserved: Vec<(u16, &str, Option<IpAddr>, PortShare)> = config
        .ports
        .iter()
        .map(|port| (port.port, port.user.word(), port.bind, port.options.share))
        .collect();
    assert_eq!(
        reserved,
        [
            (8080, "WEB*", None, PortShare::ShareportWlm),
            (5000, "LEGACY", Some(ip("10.1.8.12")), PortShare::No),
            (10000, "*", None, PortShare::No),
        ]
    );
}

#[test]
fn a_backup_that_can_create_its_addresses_is_right() {
    let loaded = load_text(SYSB);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let config = loaded.config.expect("a right profile");
    let role = DvipaRole::Backup {
        rank: 200,
        moveable: Some(Moveable::Immediate),
    };
    let expected =
        ["10.1.8.10", "10.1.8.12"].map(|address| Dvipa::new(ip(address), Some(24), role));
    assert_eq!(config.dvipas, expected);
}

#[test]
fn a_passive_backup_is_warned_about() {
    let loaded = load_text(SYSC);
    assert_eq!(
        told(&loaded),
        ["4:3 warning [SDL0239I] this backup can never create `10.1.8.10`: it has no `MOVEABLE`"]
    );
    let config = loaded.config.expect("a profile with a warning only");
    let role = DvipaRole::Backup {
        rank: 100,
        moveable: None,
    };
    let expected = Dvipa::new(ip("10.1.8.10"), None, role);
    assert_eq!(config.dvipas, [expected]);
}
