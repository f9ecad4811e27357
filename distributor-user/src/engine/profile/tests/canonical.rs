//! The three stacks of a sysplex with everything in it: understood, and said what is not yet.

use super::*;

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
fn what_the_definer_asks_for_and_cannot_have_yet_is_said() {
    let loaded = load_text(SYSA);
    let heads: Vec<String> = told(&loaded)
        .into_iter()
        .map(|line| line.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        heads,
        [
            "2:14 warning `SYSPLEXMONITOR` is not supported yet",
            "3:14 warning `SYSPLEXWLMPOLL` is not supported yet",
            "4:10 note `DATAGRAMFWD` has no effect here",
            "4:37 warning `SOURCEVIPA` is not supported yet",
            "6:1 note `PORT` is understood, but not acted on yet",
            "12:31 error `SERVERWLM` is not supported yet",
            "12:50 error `TIMEDAFFINITY` is not supported yet",
            "15:24 error `WEIGHTEDACTIVE` is not supported yet",
            "18:24 error `HOTSTANDBY` is not supported yet",
            "22:3 warning `VIPAROUTE` is not supported yet",
        ]
    );
    for found in loaded.findings().filter(|found| found.severity == "error") {
        assert!(found.help.is_some(), "{found:?}");
    }
}

#[test]
fn with_round_robin_the_definer_is_right() {
    let profile = SYSA
        .replace("SERVERWLM TIMEDAFF 30", "ROUNDROBIN")
        .replace("WEIGHTEDA ", "ROUNDROBIN ")
        .replace("HOTSTANDBY AUTOSWITCHBACK HEALTHSWITCH", "ROUNDROBIN")
        .replace(" PREFERRED", "")
        .replace(" BACKUP 100", "")
        .replace(" BACKUP 50", "");
    let config = config_of(&profile);
    let services: Vec<(IpAddr, u16)> = config
        .services
        .iter()
        .map(|service| (service.dvipa, service.port))
        .collect();
    assert_eq!(
        services,
        [
            (ip("10.1.8.10"), 8080),
            (ip("10.1.8.12"), 5000),
            (ip("10.1.8.12"), 5001),
            (ip("10.1.8.10"), 10000),
        ]
    );
    assert_eq!(config.services[0].destinations, Destinations::All);
    let reserved: Vec<(u16, &str, Option<IpAddr>, PortShare)> = config
        .ports
        .iter()
        .map(|port| (port.port, port.user.as_str(), port.bind, port.share))
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
    let expected = ["10.1.8.10", "10.1.8.12"].map(|address| Dvipa {
        address: ip(address),
        prefix_len: Some(24),
        role,
    });
    assert_eq!(config.dvipas, expected);
}

#[test]
fn a_passive_backup_is_warned_about() {
    let loaded = load_text(SYSC);
    assert_eq!(
        told(&loaded),
        ["4:3 warning this backup can never create `10.1.8.10`: it has no `MOVEABLE`"]
    );
    let config = loaded.config.expect("a profile with a warning only");
    let role = DvipaRole::Backup {
        rank: 100,
        moveable: None,
    };
    let expected = Dvipa {
        address: ip("10.1.8.10"),
        prefix_len: None,
        role,
    };
    assert_eq!(config.dvipas, [expected]);
}
