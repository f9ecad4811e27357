//! PORT and PORTRANGE as they are written.

use crate::engine::config::{
    AcknowledgeMode, Enforced, PortOptions, PortRange, PortReservation, PortShare, SmcMode,
    UnreservedPorts,
};

pub(super) fn reservation(entry: &PortReservation) -> String {
    let PortReservation {
        port,
        protocol,
        user,
        bind,
        options: of_entry,
    } = entry;
    let bind = bind.map(|address| format!(" BIND {address}"));
    format!(
        "{port} {} {}{}{}",
        protocol.word(),
        user.word(),
        bind.unwrap_or_default(),
        options(of_entry)
    )
}

pub(super) fn range(entry: &PortRange) -> String {
    let PortRange {
        first,
        last,
        protocol,
        user,
        options: of_entry,
    } = entry;
    format!(
        "{first}-{last} {} {}{}",
        protocol.word(),
        user.word(),
        options(of_entry)
    )
}

pub(super) fn unreserved(entry: &UnreservedPorts) -> String {
    let UnreservedPorts {
        protocol,
        user,
        is_denied,
        saf,
        when,
    } = entry;
    let mut text = format!("{} {user}", protocol.word());
    if *is_denied {
        text.push_str(" DENY");
    }
    if let Some(resource) = saf {
        text.push_str(" SAF ");
        text.push_str(resource);
    }
    text.push_str(match when {
        Enforced::Listen => " WHENLISTEN",
        Enforced::Bind => " WHENBIND",
    });
    text
}

fn options(options: &PortOptions) -> String {
    let PortOptions {
        has_no_autolog,
        acknowledge,
        share,
        saf,
        smc,
    } = options;
    let mut words: Vec<&str> = Vec::new();
    if *has_no_autolog {
        words.push("NOAUTOLOG");
    }
    if *acknowledge == AcknowledgeMode::AtOnce {
        words.push("NODELAYACKS");
    }
    match share {
        PortShare::No => {}
        PortShare::Shareport => words.push("SHAREPORT"),
        PortShare::ShareportWlm => words.push("SHAREPORTWLM"),
    }
    if let Some(resource) = saf {
        words.extend(["SAF", resource]);
    }
    match smc {
        SmcMode::Unsaid => {}
        SmcMode::Yes => words.push("SMC"),
        SmcMode::No => words.push("NOSMC"),
    }
    // Each with a blank before it, also the first.
    words.insert(0, "");
    words.join(" ")
}
