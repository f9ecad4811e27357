//! Gives a pinned link its program, or makes the link.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::programs::links::{FdLink, LinkError};
use aya::programs::{
    CgroupAttachMode, CgroupSockAddr, Program, ProgramError, ProgramFd, SkLookup, SockOps,
};
use distributor_common::ports::object;

use super::PortsError;
use super::govern::ignore_absence;
use crate::shell::cgroup;
use crate::shell::dataplane::bpf;

/// A link never displaces another program, and takes no flag that says so.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

/// Loads a program of the object, and gives it to its pinned link or makes one.
pub(super) fn establish(ebpf: &mut Ebpf, name: &'static str, pin: &Path) -> Result<(), PortsError> {
    let program = ebpf.program_mut(name).ok_or(PortsError::Incomplete(name))?;
    match name {
        object::NOTE_LISTENER => run::<SockOps>(program, name, pin),
        object::HAND_OUT => run::<SkLookup>(program, name, pin),
        _ => run::<CgroupSockAddr>(program, name, pin),
    }
}

fn run<'a, P>(program: &'a mut Program, name: &'static str, pin: &Path) -> Result<(), PortsError>
where
    P: Attachable + 'a,
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let failed = |source| PortsError::Program {
        program: name,
        source,
    };
    let program: &mut P = program.try_into().map_err(failed)?;
    program.load().map_err(failed)?;
    match bpf::update_pinned_link(pin, program.fd().map_err(failed)?.as_fd()) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // What it was attached to is gone.
        Err(_) => ignore_absence(fs::remove_file(pin))
            .map_err(PortsError::system(format!("remove `{}`", pin.display())))?,
    }
    let place = P::place()?;
    let opened = File::open(&place);
    let opened = opened.map_err(PortsError::system(format!("open `{}`", place.display())))?;
    let link = program.attach(opened).map_err(failed)?;
    link.pin(pin).map(drop).map_err(|source| PortsError::Pin {
        path: pin.to_owned(),
        source,
    })
}

/// A program of a kind that is used here.
trait Attachable {
    /// What programs of the kind are attached to: the root cgroup, or the namespace of the calling
    /// thread.
    fn place() -> Result<PathBuf, PortsError>;

    fn load(&mut self) -> Result<(), ProgramError>;

    fn fd(&self) -> Result<&ProgramFd, ProgramError>;

    fn attach(&mut self, place: File) -> Result<FdLink, ProgramError>;
}

impl Attachable for CgroupSockAddr {
    fn place() -> Result<PathBuf, PortsError> {
        Ok(cgroup::root()?)
    }

    fn load(&mut self) -> Result<(), ProgramError> {
        self.load()
    }

    fn fd(&self) -> Result<&ProgramFd, ProgramError> {
        self.fd()
    }

    fn attach(&mut self, place: File) -> Result<FdLink, ProgramError> {
        let id = self.attach(place, MODE)?;
        link(self.take_link(id)?)
    }
}

impl Attachable for SockOps {
    fn place() -> Result<PathBuf, PortsError> {
        Ok(cgroup::root()?)
    }

    fn load(&mut self) -> Result<(), ProgramError> {
        self.load()
    }

    fn fd(&self) -> Result<&ProgramFd, ProgramError> {
        self.fd()
    }

    fn attach(&mut self, place: File) -> Result<FdLink, ProgramError> {
        let id = self.attach(place, MODE)?;
        link(self.take_link(id)?)
    }
}

impl Attachable for SkLookup {
    fn place() -> Result<PathBuf, PortsError> {
        Ok(PathBuf::from("/proc/thread-self/ns/net"))
    }

    fn load(&mut self) -> Result<(), ProgramError> {
        self.load()
    }

    fn fd(&self) -> Result<&ProgramFd, ProgramError> {
        self.fd()
    }

    fn attach(&mut self, place: File) -> Result<FdLink, ProgramError> {
        let id = self.attach(place)?;
        Ok(self.take_link(id)?.into())
    }
}

/// aya attaches without a link where the kernel has none for cgroups.
fn link<L>(link: L) -> Result<FdLink, ProgramError>
where
    FdLink: TryFrom<L, Error = LinkError>,
{
    FdLink::try_from(link).map_err(|_no_link| {
        ProgramError::IOError(io::Error::new(
            io::ErrorKind::Unsupported,
            "there are no links for programs of cgroups (Linux 5.7)",
        ))
    })
}
