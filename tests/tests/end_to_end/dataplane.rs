//! The packet path without a daemon: its maps are filled by hand, its packets are real.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};

use distributor_common::{Event, Verdict};
use distributor_user::engine::forwarding::{
    Choice, DvipaForwarding, Flow, FlowState, Forwarding, Path, ServiceKey, ServiceTargets,
};
use distributor_user::engine::group::key::ProbeKey;
use distributor_user::shell::dataplane::{
    AttachMode, Dataplane, DataplaneOptions, Inserted, Interface,
};
use distributor_user::shell::probe::{ProbePath, probe};
use tests::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use tests::lab::{Lab, Layout, PORT, VIPA};
use tests::stack::Stack;
use tests::tcp::{Conversation, Server, greetings};

use crate::turn;

const SERVICE: ServiceKey = ServiceKey {
    dvipa: IpAddr::V4(VIPA),
    port: PORT,
};

fn vipa() -> SocketAddr {
    SocketAddr::new(VIPA.into(), PORT)
}

/// The path from `from` to `to` over the network on which both have `interface`.
fn path(from: &Host, to: &Host, interface: &str) -> Result<Path> {
    let (ifindex, source_mac) = from.link(interface)?;
    let (_, next_hop_mac) = to.link(interface)?;
    Ok(Path::Link {
        ifindex,
        source_mac,
        next_hop_mac,
    })
}

/// Puts the VIPA where a client's packets come in.
fn own_vipa(owner: &Host) -> Result<()> {
    owner
        .namespace()
        .ip([format!("address add {VIPA}/32 dev {LAN_INTERFACE}")])
}

/// Puts the VIPA where nobody sees it, and accepts packets for it on the DYNAMICXCF network.
fn hide_vipa(target: &Host) -> Result<()> {
    target.namespace().run(|| {
        for (setting, value) in [
            ("all/arp_ignore", "1"),
            ("all/arp_announce", "2"),
            ("xcf0/rp_filter", "2"),
        ] {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{setting}"), value)?;
        }
        Ok(())
    })?;
    target
        .namespace()
        .ip([format!("address add {VIPA}/32 dev lo scope host")])
}

fn open(stack: &Stack) -> Result<Dataplane> {
    let interfaces = [LAN_INTERFACE, XCF_INTERFACE].map(|name| {
        let (ifindex, _) = stack.link(name)?;
        Ok(Interface {
            name: name.to_owned(),
            ifindex,
        })
    });
    let options = DataplaneOptions {
        pin_dir: stack.pins().join(stack.name()),
        interfaces: interfaces.into_iter().collect::<Result<_>>()?,
        flow_capacity: 4096,
        seeds: None,
    };
    stack.namespace().run(|| Ok(Dataplane::open(&options)?))
}

/// A service whose targets all get their turn.
fn service(rows: Vec<IpAddr>) -> ServiceTargets {
    let ring = (0..rows.len())
        .filter_map(|row| u16::try_from(row).ok())
        .collect();
    ServiceTargets {
        rows: rows.into(),
        ring,
        choice: Choice::Turn,
        affinity: None,
    }
}

#[test]
fn connections_take_every_path() {
    let _turn = turn();
    distribute_by_hand().expect("the machine does what it is asked");
}

fn distribute_by_hand() -> Result<()> {
    let lab = Lab::build(&Layout::default())?;
    let [owner, lan_target, xcf_target] = lab.stacks() else {
        anyhow::bail!("three stacks")
    };
    own_vipa(owner)?;
    hide_vipa(lan_target)?;
    hide_vipa(xcf_target)?;
    let _servers = lab
        .stacks()
        .iter()
        .map(|stack| Server::start(stack, stack.name(), vipa()))
        .collect::<Result<Vec<_>>>()?;

    let mut dataplane = open(owner)?;
    let modes: Vec<_> = dataplane.interfaces().map(|(_, mode)| mode).collect();
    assert_eq!(modes, [AttachMode::Native, AttachMode::Native]);
    let addresses: Vec<IpAddr> = lab
        .stacks()
        .iter()
        .map(|stack| stack.xcf_address().into())
        .collect();
    let forwarding = Forwarding {
        targets: [
            (addresses[0], Path::Local),
            (addresses[1], path(owner, lan_target, LAN_INTERFACE)?),
            (addresses[2], path(owner, xcf_target, XCF_INTERFACE)?),
        ]
        .into(),
        services: [(SERVICE, service(addresses.clone()))].into(),
        ..Forwarding::default()
    };
    owner
        .namespace()
        .run(|| Ok(dataplane.apply(&forwarding)?))?;

    let by_server = greetings(lab.client(), vipa(), 30)?;
    let expected: BTreeMap<_, _> = ["TCPIP", "TCPIP2", "TCPIP3"]
        .map(|name| (name.to_owned(), 10))
        .into();
    assert_eq!(by_server, expected);
    let counted = dataplane
        .traffic()
        .expect("the counts are mapped")
        .total_connections();
    let service = ServiceKey {
        dvipa: VIPA.into(),
        port: PORT,
    };
    let expected: BTreeMap<_, _> = addresses
        .iter()
        .map(|&address| ((service, address), 10))
        .collect();
    assert_eq!(counted, expected);
    let states: Vec<_> = dataplane.flows().map(|flow| flow.state).collect();
    assert_eq!(states, [FlowState::Ending; 30]);

    // A connection outlives the service that it was made through, and the process that made it.
    let mut conversation = lab.client().namespace().run(|| {
        let mut conversation = Conversation::open(vipa())?;
        conversation.start_echo()?;
        Ok(conversation)
    })?;
    let nothing = Forwarding::default();
    owner.namespace().run(|| Ok(dataplane.apply(&nothing)?))?;
    drop(dataplane);
    conversation.echo(b"still there")?;
    let dataplane = open(owner)?;
    assert!(dataplane.is_adopted());
    conversation.echo(b"still there")?;
    let flows: Vec<Flow> = dataplane.flows().collect();
    assert_eq!(flows.len(), 31);

    // What the targets no longer know is gone, and so is what nothing leads to any more.
    conversation.echo_and_half_close(b"end")?;
    for address in &addresses {
        let of_target = flows.iter().filter(|flow| flow.target == *address);
        let keys: Vec<_> = of_target.map(|flow| flow.key).collect();
        dataplane.mark_ending(&keys);
        assert_eq!(dataplane.remove_ended(&keys, *address), keys.len());
    }
    assert_eq!(dataplane.flows().count(), 0);

    let counters = dataplane.counters();
    assert_eq!(counters.event(Event::FlowStored), 31);
    for verdict in [
        Verdict::Transmitted,
        Verdict::Redirected,
        Verdict::LocalTarget,
    ] {
        assert!(counters.verdict(verdict) >= 40, "{verdict:?}: {counters:?}");
    }
    owner
        .namespace()
        .run(|| Ok(dataplane.close_and_remove()?))?;
    assert!(!owner.pins().exists());
    Ok(())
}

#[test]
fn unknown_flows_find_their_target() {
    let _turn = turn();
    offer_by_hand().expect("the machine does what it is asked");
}

/// What a stack is told: who the others are and how to reach them, and that the first is the owner,
/// which distributes.
fn knowledge(lab: &Lab, own: &Stack) -> Result<Forwarding> {
    let stacks = lab.stacks();
    let address = |stack: &Stack| IpAddr::from(stack.xcf_address());
    let mut forwarding = Forwarding::default();
    for stack in stacks {
        for interface in [LAN_INTERFACE, XCF_INTERFACE] {
            let (_, mac) = stack.link(interface)?;
            forwarding.senders.insert(mac, address(stack).into());
        }
        let path = if stack.name() == own.name() {
            Path::Local
        } else {
            path(own, stack, XCF_INTERFACE)?
        };
        forwarding.targets.insert(address(stack), path);
    }
    let dvipa = DvipaForwarding {
        owner: Some(address(&stacks[0])),
        offers: stacks[1..].iter().map(address).collect(),
        has_successor: true,
        ..DvipaForwarding::default()
    };
    forwarding.dvipas.insert(VIPA.into(), dvipa);
    if own.name() == stacks[0].name() {
        let rows = stacks.iter().map(address).collect();
        forwarding.services.insert(SERVICE, service(rows));
    }
    Ok(forwarding)
}

fn offer_by_hand() -> Result<()> {
    let lab = Lab::build(&Layout::default())?;
    let owner = &lab.stacks()[0];
    own_vipa(owner)?;
    for target in &lab.stacks()[1..] {
        hide_vipa(target)?;
    }
    let _servers = lab
        .stacks()
        .iter()
        .map(|stack| Server::start(stack, stack.name(), vipa()))
        .collect::<Result<Vec<_>>>()?;
    let mut dataplanes = Vec::new();
    for stack in lab.stacks() {
        let forwarding = knowledge(&lab, stack)?;
        let mut dataplane = open(stack)?;
        stack
            .namespace()
            .run(|| Ok(dataplane.apply(&forwarding)?))?;
        dataplanes.push(dataplane);
    }
    let mut conversations = lab.client().namespace().run(|| {
        let open = || -> Result<_> {
            let mut conversation = Conversation::open(vipa())?;
            conversation.start_echo()?;
            Ok(conversation)
        };
        (0..12).map(|_| open()).collect::<Result<Vec<_>>>()
    })?;
    let flows: Vec<Flow> = dataplanes[0].flows().collect();
    assert_eq!(flows.len(), 12);

    // As after a reboot: the table is empty, the connections live.
    assert_eq!(dataplanes[0].forget_dvipa(VIPA.into()), 12);
    for conversation in &mut conversations {
        conversation.echo(b"whose am I?")?;
    }
    let count = |dataplane: &Dataplane, event| Ok(dataplane.counters().event(event));
    let askings = |dataplane: &Dataplane| -> Result<u64> {
        Ok(count(dataplane, Event::FlowGuessed)? + count(dataplane, Event::FlowOffered)?)
    };
    let first_asked = askings(&dataplanes[0])?;
    assert!(first_asked >= 8, "{first_asked}");
    let handed_on = dataplanes[1..]
        .iter()
        .map(|dataplane| count(dataplane, Event::FlowHandedOn))
        .sum::<Result<u64>>()?;
    assert!(handed_on > 0);

    // Now the targets tell whose they are.
    for stack in lab.stacks() {
        let target = IpAddr::from(stack.xcf_address());
        let of_target = flows.iter().filter(|flow| flow.target == target);
        let keys: Vec<_> = of_target.map(|flow| flow.key).collect();
        assert_eq!(keys.len(), 4);
        let dataplane = &mut dataplanes[0];
        let inserted = dataplane.insert_flows(target, &keys)?;
        assert_eq!(
            inserted,
            Inserted {
                new: 4,
                ..Inserted::default()
            }
        );
    }
    let before = askings(&dataplanes[0])?;
    for conversation in &mut conversations {
        conversation.echo(b"nobody needs to be asked")?;
    }
    assert_eq!(askings(&dataplanes[0])?, before);

    // The first target asks whether the owner's daemon lives, and the owner's program answers.
    let key = ProbeKey::from_words([7, 8]);
    let stack = IpAddr::from(owner.xcf_address());
    dataplanes[0].set_probe_keys(stack.into(), 4912, &[ProbeKey::from_words([5, 6]), key]);
    dataplanes[0].beat();
    let asker = &lab.stacks()[1];
    let paths = [ProbePath {
        local: asker.lan_address().into(),
        ifname: LAN_INTERFACE.to_owned(),
        peer: SocketAddr::new(owner.lan_address().into(), 4912),
    }];
    let ask = |stack: IpAddr, timeout: Duration| {
        asker.namespace().run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            Ok(runtime.block_on(probe(stack, &paths, key, timeout)))
        })
    };
    let age = ask(stack, Duration::from_secs(10))?.context("no answer")?;
    assert!(age < Duration::from_secs(10), "{age:?}");
    assert_eq!(
        ask(asker.xcf_address().into(), Duration::from_millis(100))?,
        None
    );
    let counters = dataplanes[0].counters();
    assert!(counters.verdict(Verdict::ProbeAnswered) >= 1);
    assert!(counters.verdict(Verdict::ProbeRefused) >= 1);
    for (stack, dataplane) in lab.stacks().iter().zip(dataplanes) {
        stack
            .namespace()
            .run(|| Ok(dataplane.close_and_remove()?))?;
    }
    Ok(())
}
