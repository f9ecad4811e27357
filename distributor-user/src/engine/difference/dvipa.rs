//! VIPADEFINE and VIPABACKUP.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::{Change, Found, Reach, Subject, When, nothing};
use crate::engine::config::{Dvipa, DvipaOptions, DvipaRole, Moveable, Tier};

/// The names of interfaces by their IPv6 DVIPAs.
type Interfaces = BTreeMap<Ipv6Addr, String>;

pub(super) fn compare(
    found: &mut Found,
    (before, before_names): (&[Dvipa], &Interfaces),
    (after, after_names): (&[Dvipa], &Interfaces),
) {
    let by_address = |dvipas: &[Dvipa]| -> BTreeMap<IpAddr, Dvipa> {
        dvipas.iter().map(|dvipa| (dvipa.address, *dvipa)).collect()
    };
    let (old, new) = (by_address(before), by_address(after));
    for (address, was) in &old {
        let subject = Subject::Dvipa(*address);
        match new.get(address) {
            None => {
                let change = Change::Removed(words(was));
                found.push(When::Drained, subject, change, Reach::Drains);
            }
            Some(is) => one(found, was, is),
        }
    }
    for dvipa in after
        .iter()
        .filter(|dvipa| !old.contains_key(&dvipa.address))
    {
        let subject = Subject::Dvipa(dvipa.address);
        let change = Change::Added(words(dvipa));
        found.push(When::Claimed, subject, change, Reach::Ownership);
    }
    let in_both = |dvipas: &[Dvipa]| -> Vec<IpAddr> {
        let addresses = dvipas.iter().map(|dvipa| dvipa.address);
        addresses
            .filter(|address| old.contains_key(address) && new.contains_key(address))
            .collect()
    };
    if in_both(before) != in_both(after) {
        let subject = Subject::Statement("VIPADEFINE", String::new());
        found.push(When::AtOnce, subject, Change::Reordered, Reach::Shown);
    }
    for address in before_names.keys().chain(
        after_names
            .keys()
            .filter(|address| !before_names.contains_key(address)),
    ) {
        let name = |names: &Interfaces| names.get(address).cloned();
        let (was, is) = (name(before_names), name(after_names));
        if was != is {
            let subject = Subject::Dvipa((*address).into());
            let words = (was.unwrap_or_else(nothing), is.unwrap_or_else(nothing));
            found.changed(When::AtOnce, subject, "interface", words, Reach::Shown);
        }
    }
}

fn one(found: &mut Found, before: &Dvipa, after: &Dvipa) {
    let Dvipa {
        address,
        prefix_len,
        role: _,
        options: _,
    } = *before;
    let mut changed = |what, words: (String, String), reach| {
        if words.0 != words.1 {
            found.changed(When::AtOnce, Subject::Dvipa(address), what, words, reach);
        }
    };
    changed(
        "role",
        (role(before.role), role(after.role)),
        Reach::Ownership,
    );
    let mask = |len: Option<u8>| len.map_or_else(nothing, |len| format!("/{len}"));
    changed(
        "mask",
        (mask(prefix_len), mask(after.prefix_len)),
        Reach::Shown,
    );
    let both = (options(before.options), options(after.options));
    changed("options", both, Reach::Shown);
}

fn words(dvipa: &Dvipa) -> String {
    let mask = dvipa.prefix_len.map(|len| format!(" /{len}"));
    let mask = mask.unwrap_or_default();
    match options(dvipa.options).as_str() {
        "none" => format!("{}{mask}", role(dvipa.role)),
        options => format!("{}{mask} {options}", role(dvipa.role)),
    }
}

fn role(role: DvipaRole) -> String {
    let word = |moveable| match moveable {
        Moveable::Immediate => "MOVEABLE IMMEDIATE",
        Moveable::WhenIdle => "MOVEABLE WHENIDLE",
    };
    match role {
        DvipaRole::Define { moveable } => format!("VIPADEFINE {}", word(moveable)),
        DvipaRole::Backup { rank, moveable } => {
            let moveable = moveable.map(|moveable| format!(" {}", word(moveable)));
            format!("VIPABACKUP {rank}{}", moveable.unwrap_or_default())
        }
    }
}

fn options(options: DvipaOptions) -> String {
    let DvipaOptions {
        tier,
        is_cpc_scope,
        is_service_managed,
    } = options;
    let tier = tier.map(|tier| match tier {
        Tier::One => "TIER1",
        Tier::Two => "TIER2",
    });
    let words = [
        tier,
        is_cpc_scope.then_some("CPCSCOPE"),
        is_service_managed.then_some("SERVICEMGR"),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    if words.is_empty() {
        nothing()
    } else {
        words.join(" ")
    }
}
