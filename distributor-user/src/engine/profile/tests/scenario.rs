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

fn xcf(host: &str) -> Option<DynamicXcf> {
    Some(DynamicXcf {
        address: ip(host),
        prefix_len: 24,
        cost_metric: 3,
    })
}

fn service() -> Vec<crate::engine::config::Service> {
    vec![crate::engine::config::Service {
        dvipa: ip("10.1.3.10"),
        port: 8443,
        method: DistMethod::RoundRobin,
        destinations: Destinations::List(vec![ip("172.1.1.2"), ip("172.1.1.3")]),
    }]
}

#[test]
fn the_front_end_says_what_it_means() {
    let loaded = load_text(FRONT_END);
    assert_eq!(told(&loaded), Vec::<String>::new());
    assert_eq!(
        loaded.config,
        Some(Config {
            dynamic_xcf: xcf("172.1.1.1"),
            sysplex_routing: true,
            dvipas: vec![Dvipa {
                address: ip("10.1.3.10"),
                prefix_len: Some(24),
                role: DvipaRole::Define {
                    moveable: Moveable::Immediate
                },
            }],
            services: service(),
            ports: Vec::new(),
        })
    );
    let span = loaded.dynamic_xcf.expect("the place of DYNAMICXCF");
    assert_eq!(loaded.sources.text(span), "172.1.1.1");
}

#[test]
fn a_target_needs_one_statement_on_two_lines() {
    let loaded = load_text(TARGET);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let expected = Config {
        dynamic_xcf: xcf("172.1.1.2"),
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
        vec![Dvipa {
            address: ip("10.1.3.10"),
            prefix_len: Some(24),
            role: DvipaRole::Backup {
                rank: 1,
                moveable: Some(Moveable::Immediate)
            },
        }]
    );
}
