//! VIPADISTRIBUTE: services, their terms and their targets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Change, Found, Reach, Subject, When, nothing};
use crate::engine::config::{
    Destination, Destinations, DistMethod, DistOptions, DynamicService, Encapsulation, Processors,
    Service, Standby, Terms, Tier, TierGroup,
};
use crate::engine::forwarding::ServiceKey;

/// How an address is spelled.
type Spell<'a> = &'a dyn Fn(IpAddr) -> String;

pub(super) fn compare(
    found: &mut Found,
    before: (&[Service], &[DynamicService]),
    after: (&[Service], &[DynamicService]),
    spell: Spell<'_>,
) {
    let by_key = |services: &[Service]| -> BTreeMap<ServiceKey, Arc<Terms>> {
        let terms = services
            .iter()
            .map(|service| (ServiceKey::of(service), Arc::clone(&service.terms)));
        terms.collect()
    };
    let (old, new) = (by_key(before.0), by_key(after.0));
    for (key, was) in &old {
        match new.get(key) {
            None => found.push(
                When::AtOnce,
                Subject::Service(*key),
                Change::Removed(words(was, spell)),
                Reach::Drains,
            ),
            Some(is) if !Arc::ptr_eq(was, is) && was != is => {
                terms(found, *key, (was, is), spell);
            }
            Some(_) => {}
        }
    }
    for service in added(after.0, &old) {
        found.push(
            When::AtOnce,
            Subject::Service(ServiceKey::of(service)),
            Change::Added(words(&service.terms, spell)),
            Reach::NewConnections,
        );
    }
    let in_both = |services: &[Service]| -> Vec<ServiceKey> {
        let keys = services.iter().map(ServiceKey::of);
        keys.filter(|key| old.contains_key(key) && new.contains_key(key))
            .collect()
    };
    if in_both(before.0) != in_both(after.0) {
        let subject = Subject::Statement("VIPADISTRIBUTE", String::new());
        found.push(When::AtOnce, subject, Change::Reordered, Reach::Shown);
    }
    dynamic(found, before.1, after.1, spell);
}

/// The services that are not among the old ones, in the order of the profile.
fn added<'a>(
    services: &'a [Service],
    old: &'a BTreeMap<ServiceKey, Arc<Terms>>,
) -> impl Iterator<Item = &'a Service> {
    services
        .iter()
        .filter(|service| !old.contains_key(&ServiceKey::of(service)))
}

/// Statements without PORT: kept and shown only.
fn dynamic(
    found: &mut Found,
    before: &[DynamicService],
    after: &[DynamicService],
    spell: Spell<'_>,
) {
    let gone = before.iter().filter(|one| !after.contains(one));
    let new = after.iter().filter(|one| !before.contains(one));
    let gone = gone.map(|one| (one, Change::Removed(words(&one.terms, spell))));
    let new = new.map(|one| (one, Change::Added(words(&one.terms, spell))));
    let mut differs = false;
    for (one, change) in gone.chain(new) {
        differs = true;
        let subject = Subject::Dynamic(one.dvipa);
        found.push(When::AtOnce, subject, change, Reach::Shown);
    }
    if !differs && before != after {
        let subject = Subject::Statement("VIPADISTRIBUTE without PORT", String::new());
        found.push(When::AtOnce, subject, Change::Reordered, Reach::Shown);
    }
}

fn terms(found: &mut Found, key: ServiceKey, (before, after): (&Terms, &Terms), spell: Spell<'_>) {
    // Named one by one, so that none can be forgotten.
    let Terms {
        method: was,
        destinations,
        options,
    } = before;
    if *was != after.method {
        let words = (method(*was), method(after.method));
        let subject = Subject::Service(key);
        found.changed(
            When::AtOnce,
            subject,
            "distribution method",
            words,
            Reach::NewConnections,
        );
    }
    targets(found, key, (destinations, &after.destinations), spell);
    let DistOptions {
        opt_local,
        has_sysplex_ports,
        timed_affinity_s,
        tier,
    } = options;
    let is = &after.options;
    let mut option = |what, words: (String, String), reach| {
        if words.0 != words.1 {
            found.changed(When::AtOnce, Subject::Service(key), what, words, reach);
        }
    };
    let number = |number: Option<u8>| number.map_or_else(nothing, |number| number.to_string());
    option(
        "OPTLOCAL",
        (number(*opt_local), number(is.opt_local)),
        Reach::NewConnections,
    );
    let yes = |is_there: bool| if is_there { "YES" } else { "NO" }.to_owned();
    option(
        "SYSPLEXPORTS",
        (yes(*has_sysplex_ports), yes(is.has_sysplex_ports)),
        Reach::Shown,
    );
    let seconds = |seconds: u16| match seconds {
        0 => nothing(),
        seconds => format!("{seconds} s"),
    };
    option(
        "TIMEDAFFINITY",
        (seconds(*timed_affinity_s), seconds(is.timed_affinity_s)),
        Reach::NewConnections,
    );
    let group = |tier: &Option<TierGroup>| tier.as_ref().map_or_else(nothing, tier_words);
    option("tier", (group(tier), group(&is.tier)), Reach::Shown);
}

fn targets(
    found: &mut Found,
    key: ServiceKey,
    (before, after): (&Destinations, &Destinations),
    spell: Spell<'_>,
) {
    let (Destinations::List(old), Destinations::List(new)) = (before, after) else {
        if before != after {
            let words = (destinations(before, spell), destinations(after, spell));
            let subject = Subject::Service(key);
            found.changed(
                When::AtOnce,
                subject,
                "list of targets",
                words,
                Reach::NewConnections,
            );
        }
        return;
    };
    let of =
        |list: &[Destination], address| list.iter().copied().find(|one| one.address == address);
    for was in old {
        let subject = || Subject::Target(key, was.address);
        let Some(is) = of(new, was.address) else {
            let change = Change::Removed(target(was));
            found.push(When::AtOnce, subject(), change, Reach::Drains);
            continue;
        };
        if was.weight != is.weight {
            let words = (was.weight.to_string(), is.weight.to_string());
            found.changed(
                When::AtOnce,
                subject(),
                "weight",
                words,
                Reach::NewConnections,
            );
        }
        if was.standby != is.standby {
            let words = |standby: Option<Standby>| standby.map_or_else(nothing, standby_words);
            let words = (words(was.standby), words(is.standby));
            found.changed(
                When::AtOnce,
                subject(),
                "role",
                words,
                Reach::NewConnections,
            );
        }
    }
    for is in new.iter().filter(|is| of(old, is.address).is_none()) {
        let change = Change::Added(target(is));
        let subject = Subject::Target(key, is.address);
        found.push(When::AtOnce, subject, change, Reach::NewConnections);
    }
    let in_both = |list: &[Destination]| -> Vec<IpAddr> {
        let addresses = list.iter().map(|one| one.address);
        addresses
            .filter(|address| of(old, *address).is_some() && of(new, *address).is_some())
            .collect()
    };
    if in_both(old) != in_both(new) {
        let words = (destinations(before, spell), destinations(after, spell));
        let subject = Subject::Service(key);
        found.changed(
            When::AtOnce,
            subject,
            "order of targets",
            words,
            Reach::NewConnections,
        );
    }
}

fn words(terms: &Terms, spell: Spell<'_>) -> String {
    let Terms {
        method: by,
        destinations: to,
        options,
    } = terms;
    let mut text = format!("{} to {}", method(*by), destinations(to, spell));
    let DistOptions {
        opt_local,
        has_sysplex_ports,
        timed_affinity_s,
        tier,
    } = options;
    // Writing to a String cannot fail.
    if let Some(factor) = opt_local {
        let _ = write!(text, ", OPTLOCAL {factor}");
    }
    if *has_sysplex_ports {
        text.push_str(", SYSPLEXPORTS");
    }
    if *timed_affinity_s > 0 {
        let _ = write!(text, ", TIMEDAFFINITY {timed_affinity_s}");
    }
    if let Some(group) = tier {
        let _ = write!(text, ", {}", tier_words(group));
    }
    text
}

fn destinations(destinations: &Destinations, spell: Spell<'_>) -> String {
    match destinations {
        Destinations::All => "ALL".to_owned(),
        Destinations::List(list) => {
            let one = |one: &Destination| match target(one).as_str() {
                "" => spell(one.address),
                words => format!("{} {words}", spell(one.address)),
            };
            list.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

/// What is said of a target besides its address; empty for a plain one.
fn target(target: &Destination) -> String {
    let Destination {
        address: _,
        weight,
        standby,
    } = target;
    let standby = standby.map(standby_words);
    let weight = (*weight != Destination::DEFAULT_WEIGHT).then(|| format!("WEIGHT {weight}"));
    let words: Vec<String> = standby.into_iter().chain(weight).collect();
    words.join(" ")
}

fn standby_words(standby: Standby) -> String {
    match standby {
        Standby::Preferred => "PREFERRED".to_owned(),
        Standby::Backup { rank } => format!("BACKUP {rank}"),
    }
}

fn method(method: DistMethod) -> String {
    let keyword = method.keyword();
    let numbers = |Processors { cp, zaap, ziip }| format!("CP {cp} ZAAP {zaap} ZIIP {ziip}");
    match method {
        DistMethod::BaseWlm {
            processors: Some(processors),
        } => format!("{keyword} PROCTYPE {}", numbers(processors)),
        DistMethod::ServerWlm {
            cross_cost: Processors { zaap, ziip, .. },
            importance,
        } if (zaap, ziip, importance) != (1, 1, 0) => {
            format!("{keyword} PROCXCOST ZAAP {zaap} ZIIP {ziip} ILWEIGHTING {importance}")
        }
        DistMethod::HotStandby {
            switches_back,
            minds_health,
        } => {
            let no = |is_so| if is_so { "" } else { "NO" };
            format!(
                "{keyword} {}AUTOSWITCHBACK {}HEALTHSWITCH",
                no(switches_back),
                no(minds_health)
            )
        }
        DistMethod::BaseWlm { processors: None }
        | DistMethod::RoundRobin
        | DistMethod::ServerWlm { .. }
        | DistMethod::WeightedActive
        | DistMethod::TargControlled
        | DistMethod::Maglev => keyword.to_owned(),
    }
}

fn tier_words(group: &TierGroup) -> String {
    let TierGroup {
        tier,
        name,
        encapsulation,
        control_port,
    } = group;
    let tier = match tier {
        Tier::One => "TIER1",
        Tier::Two => "TIER2",
    };
    let encapsulation = match encapsulation {
        None => "",
        Some(Encapsulation::Gre) => " GRE",
        Some(Encapsulation::Encap) => " ENCAP",
    };
    format!("{tier} {name}{encapsulation} CONTROLPORT {control_port}")
}
