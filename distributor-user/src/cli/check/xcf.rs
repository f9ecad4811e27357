//! Where the DYNAMICXCF address of a profile would go on this machine.
//!
//! Nothing is changed; what is found is a note, as the profile may be another
//! machine's, unless the command line names the interface.

use super::Check;
use crate::engine::config::DynamicXcf;
use crate::engine::links::{self, Link};
use crate::engine::profile::own::ADDRESS_HERE;
use crate::engine::profile::{Diagnostic, Loaded};
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
    let xcf = loaded.config.as_ref()?.dynamic_xcf?;
    let span = loaded.places.dynamic_xcf?;
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

/// `run` makes the same choice, by the same functions.
fn where_it_goes(
    links: &[Link],
    interface: Option<&str>,
    xcf: &DynamicXcf,
) -> Result<String, links::LinkError> {
    let DynamicXcf {
        address,
        prefix_len,
        ..
    } = xcf;
    if let Some(holder) = links::holder(links, *address) {
        return Ok(format!(
            "`{address}` is configured on `{}` here",
            holder.name
        ));
    }
    let chosen = links::xcf(links, interface, xcf)?;
    Ok(format!(
        "`{address}/{prefix_len}` would be added to `{}` here, and removed at the end",
        chosen.name
    ))
}
