//! The packet path on its interfaces.
//!
//! Each interface has one link, pinned beside the maps, so that packets flow
//! on without the daemon. A link that is there is given the new program in one
//! step; nothing is detached to be attached again. Another's program is never
//! replaced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, LinkError, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, Xdp, XdpMode, loaded_programs};
use netlink_packet_route::link::LinkMessage;

use super::xdp::{self, AttachMode};
use super::{DataplaneError, bpf};

/// Pins of links are called this and the interface's index.
pub(super) const LINK_PIN: &str = "LINK_";

/// An interface of this namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name, for people.
    pub name: String,
    /// Index, for the kernel.
    pub ifindex: u32,
}

/// The packet path on one interface.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) interface: Interface,
    pub(super) mode: AttachMode,
    link: PinnedLink,
}

impl Attachment {
    /// Takes over the pinned link of the interface, or makes one.
    pub(super) fn establish(
        program: &mut Xdp,
        interface: &Interface,
        pin_dir: &Path,
    ) -> Result<Self, DataplaneError> {
        let pin = pin(pin_dir, interface.ifindex);
        let link = match adopt(program, interface, &pin)? {
            Some(link) => link,
            None => attach(program, interface, &pin)?,
        };
        let running = running(interface)?;
        let mode = running.map_or(AttachMode::Native, |running| running.mode);
        if mode == AttachMode::Generic {
            tracing::warn!(
                interface = interface.name,
                "the driver has no native XDP: packets are distributed behind it, and slower"
            );
        }
        Ok(Self {
            interface: interface.clone(),
            mode,
            link,
        })
    }

    /// Removes the pin and closes the link, which detaches the program.
    pub(super) fn remove(self) -> Result<(), DataplaneError> {
        let name = &self.interface.name;
        let action = format!("unpin the link of interface `{name}`");
        self.link
            .unpin()
            .map(drop)
            .map_err(DataplaneError::system(action))
    }
}

/// Whether the program with this id is what runs on the interface.
pub(super) fn runs_on(interface: &Interface, program: u32) -> Result<bool, DataplaneError> {
    match running(interface) {
        Ok(running) => Ok(running.is_some_and(|running| running.program == program)),
        Err(DataplaneError::NoInterface { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where the link of an interface is pinned.
pub(super) fn pin(pin_dir: &Path, ifindex: u32) -> PathBuf {
    pin_dir.join(format!("{LINK_PIN}{ifindex}"))
}

/// Gives the pinned link the program; `None` when there is no link, or a dead one.
fn adopt(
    program: &mut Xdp,
    interface: &Interface,
    pin: &Path,
) -> Result<Option<PinnedLink>, DataplaneError> {
    let context = || format!("look at the link of interface `{}`", interface.name);
    match bpf::pinned_link_ifindex(pin) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataplaneError::system(context())(error)),
        Ok(Some(ifindex)) if ifindex == interface.ifindex => {}
        Ok(_) => {
            fs::remove_file(pin).map_err(DataplaneError::system(context()))?;
            return Ok(None);
        }
    }
    let pinned = PinnedLink::from_pin(pin).map_err(|source| link_error(interface, source))?;
    let link = XdpLink::try_from(FdLink::from(pinned));
    let link = link.map_err(|source| link_error(interface, source))?;
    let id = program
        .attach_to_link(link)
        .map_err(|source| attach_error(interface, source))?;
    program
        .take_link(id)
        .map_err(|source| attach_error(interface, source))?;
    // The link itself is held by its pin; this only opens it again under aya's type for pins.
    PinnedLink::from_pin(pin)
        .map(Some)
        .map_err(|source| link_error(interface, source))
}

/// Attaches in native mode, or else in generic mode, and pins the link.
fn attach(
    program: &mut Xdp,
    interface: &Interface,
    pin: &Path,
) -> Result<PinnedLink, DataplaneError> {
    if let Some(running) = running(interface)? {
        return Err(DataplaneError::Occupied {
            interface: interface.name.clone(),
            program: program_name(running.program),
            id: running.program,
        });
    }
    let id = program
        .attach_to_if_index(interface.ifindex, XdpMode::Driver)
        .or_else(|error| match code(&error) {
            Some(libc::EBUSY | libc::EEXIST | libc::ENODEV | libc::EPERM) => Err(error),
            _ => program.attach_to_if_index(interface.ifindex, XdpMode::Skb),
        })
        .map_err(|source| attach_error(interface, source))?;
    let link = program
        .take_link(id)
        .map_err(|source| attach_error(interface, source))?;
    // aya falls back to attaching without a link where the kernel has none for XDP.
    let link = FdLink::try_from(link).map_err(|_no_link: LinkError| DataplaneError::NoFeature {
        feature: "links for XDP programs",
        since: "5.9",
    })?;
    link.pin(pin).map_err(|source| DataplaneError::Pin {
        path: pin.to_owned(),
        source,
    })
}

fn running(interface: &Interface) -> Result<Option<xdp::Running>, DataplaneError> {
    xdp::running(interface.ifindex).map_err(|error| {
        if error.raw_os_error() == Some(libc::ENODEV) {
            no_interface(interface)
        } else {
            DataplaneError::system(format!("ask for the program of `{}`", interface.name))(error)
        }
    })
}

fn no_interface(interface: &Interface) -> DataplaneError {
    DataplaneError::NoInterface {
        name: interface.name.clone(),
        ifindex: interface.ifindex,
    }
}

fn link_error(interface: &Interface, source: LinkError) -> DataplaneError {
    DataplaneError::Link {
        interface: interface.name.clone(),
        source,
    }
}

fn attach_error(interface: &Interface, source: ProgramError) -> DataplaneError {
    match code(&source) {
        Some(libc::ENODEV) => no_interface(interface),
        Some(libc::EPERM) => DataplaneError::NoRights,
        _ => DataplaneError::Attach {
            interface: interface.name.clone(),
            source,
        },
    }
}

fn code(error: &ProgramError) -> Option<i32> {
    if let ProgramError::SyscallError(error) = error {
        error.io_error.raw_os_error()
    } else {
        None
    }
}

/// Name and mode of the XDP program on an interface, from the kernel's description of that.
#[must_use]
pub fn xdp_program(link: &LinkMessage) -> Option<(String, AttachMode)> {
    let running = xdp::program_of(link)?;
    Some((program_name(running.program), running.mode))
}

/// The name of a loaded program, for people.
fn program_name(id: u32) -> String {
    loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        // The daemon may not look through the programs of others; people may.
        .unwrap_or_else(|| format!("bpftool prog show id {id}"))
}
