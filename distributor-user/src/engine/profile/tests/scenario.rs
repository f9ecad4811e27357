//! The profiles that the product starts from, and the slips that cost its user a week.

use super::*;

const FRONT_END: &str = "\
IPCONFIG SYSPLEXROUTING
    DYNAMICXCF 172.1.1.1 255.255.255.0 3

VIPADYNAMIC
   VIPADEFINE 255.255.255.0 10.1.3.10
   VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN 10.1.3.10 PORT 8443
      DESTIP
         172.1.1.2
         172.1.1.3
ENDVIPADYNAMIC
";

const TARGET: &str = "\
IPCONFIG SYSPLEXROUTING
DYNAMICXCF 172.1.1.2 255.255.255.0 3
";

const BACKUP: &str = "\
VIPADYNAMIC
    VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10
    VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN 10.1.3.10 PORT 8443
        DESTIP
        172.1.1.2
        172.1.1.3
ENDVIPADYNAMIC
";

fn xcf(host: &str) -> DynamicXcf {
    DynamicXcf {
        address: ip(host),
        prefix_len: 24,
        cost_metric: 3,
    }
}

fn service() -> Vec<crate::engine::config::Service> {
    vec![crate::engine::config::Service::new(
        ip("10.1.3.10"),
        8443,
        DistMethod::RoundRobin,
        Destinations::list([ip("172.1.1.2"), ip("172.1.1.3")]),
    )]
}

#[test]
fn the_front_end_says_what_it_means() {
    let loaded = load_text(FRONT_END);
    assert_eq!(told(&loaded), Vec::<String>::new());
    assert_eq!(
        loaded.config,
        Some(Config {
            dynamic_xcf: Some(xcf("172.1.1.1")),
            sysplex_routing: true,
            dvipas: vec![Dvipa::new(
                ip("10.1.3.10"),
                Some(24),
                DvipaRole::Define {
                    moveable: Moveable::Immediate
                },
            )],
            services: service(),
            ..Config::default()
        })
    );
    let span = loaded.places.dynamic_xcf.expect("the place of DYNAMICXCF");
    assert_eq!(loaded.sources.text(span), "172.1.1.1");
}

#[test]
fn a_target_needs_one_statement_on_two_lines() {
    let loaded = load_text(TARGET);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let expected = Config {
        dynamic_xcf: Some(xcf("172.1.1.2")),
        sysplex_routing: true,
        ..Config::default()
    };
    assert_eq!(loaded.config, Some(expected));
}

#[test]
fn a_backup_needs_no_rank() {
    let loaded = load_text(&format!("{TARGET}{BACKUP}"));
    assert_eq!(told(&loaded), Vec::<String>::new());
    let config = loaded.config.expect("a right profile");
    assert_eq!(config.services, service());
    assert_eq!(
        config.dvipas,
        vec![Dvipa::new(
            ip("10.1.3.10"),
            Some(24),
            DvipaRole::Backup {
                rank: 1,
                moveable: Some(Moveable::Immediate)
            },
        )]
    );
}

#[test]
fn ipconfig_written_as_ifconfig() {
    let loaded = load_text(&FRONT_END.replace("IPCONFIG", "IFCONFIG"));
    let found: Vec<Finding> = loaded.findings().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "expected a statement, found `IFCONFIG`");
    assert_eq!(found[0].help.as_deref(), Some("did you mean `IPCONFIG`?"));
}

#[test]
fn a_blank_inside_an_address() {
    let loaded = load_text(&FRONT_END.replace("10.1.3.10 PORT", "10.1 .3.10 PORT"));
    let found: Vec<Finding> = loaded.findings().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].message,
        "expected an address without blanks, found `10.1 .3.10`"
    );
    assert_eq!(found[0].help.as_deref(), Some("write `10.1.3.10`"));
    let place = (
        found[0].line,
        found[0].column,
        found[0].end_line,
        found[0].end_column,
    );
    assert_eq!(place, (6, 43, 6, 53));
}

#[test]
fn dynamic_xcf_and_destip_in_different_networks() {
    let loaded = load_text(&FRONT_END.replace("172.1.1.1 ", "172.1.2.1 "));
    let text = loaded.text(Style::Plain);
    assert_eq!(
        text,
        "\
warning[SDL0238I]: expected targets in the DYNAMICXCF network of this stack, found `172.1.1.2` and 1 more outside
 --> profile:8:10
  |
8 |          172.1.1.2
  |          ^^^^^^^^^
  |
 ::: profile:2:16
  |
2 |     DYNAMICXCF 172.1.2.1 255.255.255.0 3
  |                --------- the network is 172.1.2.0/24
  |
  = help: DYNAMICXCF and DESTIP mean the same network on every stack: correct one of them

"
    );
    assert!(loaded.config.is_some());
}

#[test]
fn port_without_protocol_and_job_name() {
    let config = config_of("PORT 8443 BIND 10.1.3.10\n9443 TCP * SHAREPORT BIND 10.1.3.7");
    let ports: Vec<_> = config
        .ports
        .iter()
        .map(|port| {
            (
                port.port,
                port.protocol,
                port.user.word(),
                port.bind,
                port.options.share,
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            (
                8443,
                PortProtocol::Tcp,
                "*",
                Some(ip("10.1.3.10")),
                PortShare::No
            ),
            (
                9443,
                PortProtocol::Tcp,
                "*",
                Some(ip("10.1.3.7")),
                PortShare::Shareport
            ),
        ]
    );
}
