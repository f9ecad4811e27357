//! Another profile for a running stack.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use aya::maps::{Array, MapData};
use distributor_common::abi::map;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tests::lab::{Lab, PORT, VIPA};
use tests::stack::Stack;
use tests::tcp::{Load, Server, greetings};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, started, turn};

/// Reloads at random; `DISTRIBUTOR_RELOADS` asks for another number.
const RELOADS: u32 = 20;
/// Connections that live through all of them.
const LIVING: u32 = 1_000;
const TARGETS: [&str; 3] = ["TCPIP", "TCPIP2", "TCPIP3"];

#[test]
fn a_broken_profile_leaves_everything_as_it_was() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let _server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK).expect("a server");
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("a target");
    let before = everything(front_end);
    let good = std::fs::read_to_string(front_end.profile()).expect("a profile");
    let target = lab.stack("TCPIP2").xcf_address().to_string();
    for (wrong, reason) in [
        (good.replace("VIPADEFINE", "VIPADEFIN3"), "VIPADEFINE"),
        (good.replace(&target, "172.1.1.299"), "172.1.1.299"),
        (good.replace("172.1.1.1 ", "172.1.1.77 "), "identity"),
        (String::new(), "profile"),
    ] {
        assert_ne!(wrong, good);
        front_end.write_profile(&wrong).expect("a file");
        let refusal = front_end.reload().expect_err("a refusal").to_string();
        assert!(refusal.contains(reason), "{refusal}");
        assert!(refusal.contains("nothing was changed"), "{refusal}");
        assert_eq!(everything(front_end), before, "{wrong}");
    }
    // An error in any place: each word in turn is one that nothing expects.
    let words = good.split_whitespace().count();
    for place in 0..words {
        let wrong = good.split_whitespace().enumerate();
        let wrong = wrong.map(|(at, word)| if at == place { "?!" } else { word });
        let wrong: Vec<_> = wrong.collect();
        front_end.write_profile(&wrong.join("\n")).expect("a file");
        let refusal = front_end.reload().expect_err("a refusal").to_string();
        assert!(refusal.contains("has errors"), "word {place}: {refusal}");
    }
    assert_eq!(everything(front_end), before);

    front_end.write_profile(&good).expect("a file");
    let done = front_end.reload().expect("the good one");
    assert!(done.contains("nothing was changed"), "{done}");
    assert_eq!(everything(front_end), before);
}

#[test]
fn an_obeyfile_adds_and_deletes_and_a_broken_one_does_neither() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2"]);
    let names = ["TCPIP2", "TCPIP3"];
    let front_end = lab.stack("TCPIP");
    let [two, three] = names.map(|name| lab.stack(name).xcf_address());
    let block = |statement: &str| format!("VIPADYNAMIC\n   {statement}\nENDVIPADYNAMIC\n");
    let define = |target| {
        block(&format!(
            "VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN {VIPA} PORT {PORT} DESTIP {target}"
        ))
    };
    let delete = |target| {
        block(&format!(
            "VIPADIST DELETE {VIPA} PORT {PORT} DESTIP {target}"
        ))
    };

    front_end.obey(&define(three)).expect("another target");
    lab.stack("TCPIP3")
        .wait_for_dvipa(VIPA.into())
        .expect("a target");
    let _servers = names.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    front_end
        .wait_for_ready(&names.map(|name| (name, 1)))
        .expect("two servers");
    let living = Load::start(lab.client(), SERVICE, 20).expect("living connections");

    let before = everything(front_end);
    let wrong = define(three).replace("DEFINE", "DEFINED");
    let refusal = front_end.obey(&wrong).expect_err("a refusal").to_string();
    assert!(
        refusal.contains("DEFINED") && refusal.contains("nothing was changed"),
        "{refusal}"
    );
    assert_eq!(everything(front_end), before);

    front_end.obey(&delete(two)).expect("a target less");
    front_end
        .wait_for_ready(&[("TCPIP3", 1)])
        .expect("one server");
    let by_server = greetings(lab.client(), SERVICE, 10).expect("connections");
    assert_eq!(by_server, [("TCPIP3".to_owned(), 10)].into());
    living
        .wait_for_round()
        .expect("the target that is out of it still serves");

    // What was obeyed lasts until the profile is read again.
    front_end.reload().expect("the profile");
    front_end
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("one server");
    living.wait_for_round().expect("and now the other one");
    assert_eq!(living.stop().expect("the end"), []);
}

/// What the stack shows of its configuration, and the maps that come from it, byte for byte.
fn everything(stack: &Stack) -> (Vec<String>, Vec<Vec<u64>>) {
    let reports = ["vipadcfg", "vipadyn", "vdpt"].map(|report| {
        let mut report = stack.netstat_json(report).expect("a report");
        report["time"].take();
        report.to_string()
    });
    let pins = stack.pins().join(stack.name());
    let words = |name: &str| {
        let map = MapData::from_pin(pins.join(name)).expect("a pin");
        let info = map.info().expect("a shape");
        let (len, entries) = (info.value_size() as usize / 8, info.max_entries().min(4096));
        let map = aya::maps::Map::Array(map);
        match len {
            1 => values::<1>(&map, entries),
            16 => values::<16>(&map, entries),
            _ => panic!("{name} has values of {len} words"),
        }
    };
    (
        reports.to_vec(),
        [map::RINGS, map::SERVICES].map(words).to_vec(),
    )
}

fn values<const N: usize>(map: &aya::maps::Map, entries: u32) -> Vec<u64> {
    let array: Array<_, [u64; N]> = map.try_into().expect("an array");
    (0..entries)
        .flat_map(|index| array.get(&index, 0).expect("a value"))
        .collect()
}

/// A profile of the front end, as the test wants it.
#[derive(Clone, Debug)]
struct Wish {
    method: &'static str,
    /// Absent: the VIPA itself is not there.
    services: Option<Vec<(u16, BTreeSet<&'static str>)>>,
}

/// Methods that use every ready target.
const METHODS: [&str; 3] = [ROUND_ROBIN, "BASEWLM", "WEIGHTEDACTIVE"];
/// The one that does so exactly in turn.
const ROUND_ROBIN: &str = "ROUNDROBIN";

impl Wish {
    fn first() -> Self {
        Self {
            method: ROUND_ROBIN,
            services: Some(vec![(PORT, TARGETS.into())]),
        }
    }

    fn random(random: &mut StdRng) -> Self {
        let method = METHODS.choose(random).copied().unwrap_or(ROUND_ROBIN);
        if random.random_ratio(1, 8) {
            return Self {
                method,
                services: None,
            };
        }
        let mut services = Vec::new();
        for port in [PORT, PORT + 1, PORT + 2] {
            if random.random_ratio(2, 3) {
                let len = random.random_range(1..=TARGETS.len());
                let targets = TARGETS.choose_multiple(random, len).copied();
                services.push((port, targets.collect()));
            }
        }
        Self {
            method,
            services: Some(services),
        }
    }

    fn profile(&self, lab: &Lab) -> String {
        let address = |name: &&str| lab.stack(name).xcf_address();
        let mut text = profile::target(lab.stack("TCPIP").xcf_address());
        let Some(services) = &self.services else {
            return text;
        };
        text.push_str("VIPADYNAMIC\n");
        // Writing to a string does not fail.
        let _ = writeln!(text, "   VIPADEFINE 255.255.255.0 {VIPA}");
        for (port, targets) in services {
            let addresses: Vec<_> = targets
                .iter()
                .map(|name| address(name).to_string())
                .collect();
            let _ = writeln!(
                text,
                "   VIPADISTRIBUTE DEFINE DISTM {} {VIPA} PORT {port} DESTIP {}",
                self.method,
                addresses.join(" ")
            );
        }
        text.push_str("ENDVIPADYNAMIC\n");
        text
    }

    /// Who may answer on the main port; nobody if it is not distributed.
    fn expected(&self) -> BTreeSet<&'static str> {
        let mut services = self.services.iter().flatten();
        services
            .find(|(port, _)| *port == PORT)
            .map(|(_, targets)| targets.clone())
            .unwrap_or_default()
    }
}

#[test]
fn reloads_at_random_lose_no_connection() {
    let _turn = turn();
    let reloads = std::env::var("DISTRIBUTOR_RELOADS").map_or(RELOADS, |number| {
        number.parse().expect("a number of reloads")
    });
    let seed = std::env::var("DISTRIBUTOR_SEED").map_or_else(
        |_| rand::rng().random(),
        |seed| seed.parse().expect("a seed"),
    );
    eprintln!("DISTRIBUTOR_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let lab = started(3, 1, &TARGETS);
    let _servers = TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("three servers");
    let living = Load::start(lab.client(), SERVICE, LIVING).expect("living connections");
    for number in 1..=reloads {
        let wish = if number == reloads {
            Wish::first()
        } else {
            Wish::random(&mut random)
        };
        front_end
            .write_profile(&wish.profile(&lab))
            .expect("a file");
        front_end
            .reload()
            .unwrap_or_else(|error| panic!("reload {number}, {wish:?}: {error:#}"));
        let expected = wish.expected();
        let mut active = BTreeSet::new();
        wait::until(
            "VDPT to show what was wished",
            Duration::from_secs(20),
            || {
                let rows = front_end.vdpt()?;
                let rows = rows
                    .into_iter()
                    .filter(|row| row.port == PORT && row.is_active);
                active = rows.map(|row| row.target).collect();
                Ok(active
                    .iter()
                    .map(String::as_str)
                    .eq(expected.iter().copied()))
            },
        )
        .unwrap_or_else(|error| panic!("reload {number}, {wish:?}: {error:#}: {active:?}"));
        if !expected.is_empty() {
            let connections = 2 * u32::try_from(expected.len()).expect("few");
            let by_server = greetings(lab.client(), SERVICE, connections)
                .unwrap_or_else(|error| panic!("reload {number}, {wish:?}: {error:#}"));
            let each = expected
                .iter()
                .map(|name| ((*name).to_owned(), 2))
                .collect();
            if wish.method == ROUND_ROBIN {
                assert_eq!(by_server, each, "reload {number}, {wish:?}");
            } else {
                let is_known = |server: &String| expected.contains(server.as_str());
                assert!(
                    by_server.keys().all(is_known),
                    "reload {number}, {wish:?}: {by_server:?}"
                );
            }
        }
    }
    living.wait_for_round().expect("a round");
    assert_eq!(living.stop().expect("the end"), []);
}
