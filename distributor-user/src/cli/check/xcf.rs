//! Where the DYNAMICXCF addresses of a profile would go on this machine.
//!
//! Nothing is changed; what is found is a note, as the profile may be another
//! machine's, unless the command line names the interface.

use super::Check;
use crate::engine::config::XcfNetwork;
use crate::engine::links::{self, Link};
use crate::engine::profile::own::ADDRESS_HERE;
use crate::engine::profile::{Diagnostic, EZZ0695I, Loaded};
use crate::shell::ipv6;
use crate::shell::links::list;
use crate::shell::netlink::Netlink;

/// The interfaces of this machine.
pub(super) fn present_links() -> anyhow::Result<Vec<Link>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { Ok(list(&Netlink::open()?).await?) })
}

/// Says where `run` would take the DYNAMICXCF address from, on this machine.
pub(super) fn place(
    loaded: &Loaded,
    links: &anyhow::Result<Vec<Link>>,
    arguments: &Check,
) -> Option<Diagnostic> {
    let xcf: Vec<XcfNetwork> = loaded.config.as_ref()?.xcf_networks().collect();
    let span = loaded.places.identity()?;
    let links = match links {
        Ok(links) => links,
        Err(error) => {
            let message = format!("the interfaces here cannot be listed: {error:#}");
            return Some(Diagnostic::note(&ADDRESS_HERE, span, message));
        }
    };
    let interface = arguments.xcf_interface.as_deref();
    let named = links::ingress(links, &arguments.interfaces);
    if let (Err(error), false) = (&named, arguments.interfaces.is_empty()) {
        return Some(Diagnostic::warning(&ADDRESS_HERE, span, error.to_string()));
    }
    Some(match where_it_goes(links, interface, &xcf) {
        Ok(place) => Diagnostic::note(&ADDRESS_HERE, span, place),
        Err(error) if interface.is_some() => {
            Diagnostic::warning(&ADDRESS_HERE, span, error.to_string())
        }
        Err(error) => Diagnostic::note(&ADDRESS_HERE, span, error.to_string())
            .help("this matters only on the machine where the profile runs"),
    })
}

/// Says that this machine has no IPv6, if the profile wants it.
pub(super) fn ipv6(loaded: &Loaded) -> Option<Diagnostic> {
    let config = loaded.config.as_ref().filter(|config| config.has_ipv6())?;
    let in_dvipas = config.dvipas.iter().filter(|dvipa| dvipa.address.is_ipv6());
    let mut places = in_dvipas.filter_map(|dvipa| loaded.places.dvipas.get(&dvipa.address));
    let span = loaded.places.ipv6_xcf.or(places.next().copied())?;
    let missing = ipv6::missing(std::iter::empty())?;
    Some(
        Diagnostic::note(&EZZ0695I, span, missing.to_string())
            .help("this matters only on the machine where the profile runs"),
    )
}

/// `run` makes the same choice, by the same functions.
fn where_it_goes(
    links: &[Link],
    interface: Option<&str>,
    xcf: &[XcfNetwork],
) -> Result<String, links::LinkError> {
    let mut places = Vec::new();
    for XcfNetwork {
        address,
        prefix_len,
    } in xcf
    {
        if let Some(holder) = links::holder(links, *address) {
            places.push(format!(
                "`{address}` is configured on `{}` here",
                holder.name
            ));
            continue;
        }
        // All are on the network of the first.
        let chosen = links::xcf(links, interface, &xcf[0])?;
        places.push(format!(
            "`{address}/{prefix_len}` would be added to `{}` here, and removed at the end",
            chosen.name
        ));
    }
    Ok(places.join("; "))
}
