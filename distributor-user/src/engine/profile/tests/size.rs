//! Time grows with the size of a profile, not with its square, whatever it consists of.

use std::time::{Duration, Instant};

use super::*;

const BYTES: usize = 20_000;
/// What is linear takes well below a second; this is for a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn large_profiles_are_read_in_time() {
    let patterns = [
        "x",
        "x ",
        "x\n",
        ";",
        "1 ",
        "10.1.3.10 ",
        "INCLUDE ",
        "VIPADYNAMIC ",
        "VIPADYNAMIC ENDVIPADYNAMIC ",
        "ENDVIPADYNAMIC\n",
        "VIPADEFINE ",
        "VIPADEFINE\n",
        "AUTOLOG ",
        "AUTOLOG\n",
        "HOME\n",
        "HOME\nx\n",
        "IPCONFIG TTL 1 NODATAGRAMFWD ",
        "IPCONFIG\nVIPADYNMIC\n",
        "PORT 1 TCP *\n",
        "PORT\n1 TCP * SHAREPRT\n",
        "DYNAMICXCF ",
        "DESTIP\n",
        "ä ",
        "VIPADISTRIBUTE DISTM ROUNDROBIN 10.1.3.10 PORT 1-64 DESTIP ALL\n",
    ];
    let block = "IPCONFIG DYNAMICXCF 172.1.1.1/24 1\nVIPADYNAMIC\nVIPADEFINE /24 10.1.3.10\n";
    let beginnings = [
        "",
        block,
        "PORT ",
        "VIPADYNAMIC VIPADISTRIBUTE DISTM ROUNDROBIN 1.1.1.1 ",
    ];
    for pattern in patterns {
        for beginning in beginnings {
            let profile = beginning.to_owned() + &pattern.repeat(BYTES / pattern.len());
            let start = Instant::now();
            let loaded = load_text(&profile);
            let took = start.elapsed();
            assert!(took < DEADLINE, "{beginning:?} {pattern:?}: {took:?}");
            assert_eq!(loaded.config.is_none(), loaded.count(Severity::Error) > 0);
        }
    }
}

#[test]
fn the_largest_configuration_is_read() {
    let targets: Vec<String> = (1..=32).map(|host| format!("172.1.1.{host}")).collect();
    let targets = targets.join(" ");
    let statements: Vec<String> = (0..1024)
        .map(|at| {
            let dvipa = format!("10.9.{}.{}", at / 250, at % 250 + 1);
            format!(
                "VIPADEFINE 255.255.0.0 {dvipa}\n\
                 VIPADISTRIBUTE DISTM ROUNDROBIN {dvipa} PORT 8001-8064 DESTIP {targets}\n"
            )
        })
        .collect();
    let profile = format!(
        "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1/24 1\nVIPADYNAMIC\n{}ENDVIPADYNAMIC",
        statements.concat()
    );
    let config = config_of(&profile);
    assert_eq!((config.dvipas.len(), config.services.len()), (1024, 65_536));
}
