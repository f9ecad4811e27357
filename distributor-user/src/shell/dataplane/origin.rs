//! The programs for connections that start on this stack, where they are attached.
//!
//! One sees what this host sends to itself; two see sockets that connect. They
//! share the packet path's maps and are pinned beside them, so that they go on
//! without the daemon. A link that is there is given the new program in one
//! step. Nothing that others have attached at the same places is touched.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::programs::{Program, SchedClassifier};
use distributor_common::abi::program;

use super::attach::LINK_PIN;
use super::attached::{Lookout, Place};
use super::bpf::{self, AttachType};
use super::{DataplaneError, object, pins};
use crate::shell::cgroup;

/// Index of `lo` in every namespace (`LOOPBACK_IFINDEX` of the kernel's `include/net/flow.h`).
const LOOPBACK: u32 = 1;

/// A program and where it is attached.
#[derive(Clone, Copy, Debug)]
struct Hook {
    program: &'static str,
    at: AttachType,
}

/// The program that shows packets the way comes first: sockets that start from the chosen address
/// need it.
const HOOKS: [Hook; 3] = [
    Hook {
        program: program::SEND_OWN,
        at: AttachType::TcxEgress,
    },
    Hook {
        program: program::CHOOSE_SOURCE4,
        at: AttachType::Inet4Connect,
    },
    Hook {
        program: program::CHOOSE_SOURCE6,
        at: AttachType::Inet6Connect,
    },
];

/// The programs of one stack, attached.
pub struct Origin {
    pin_dir: PathBuf,
    object: Ebpf,
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Origin")
            .field("pin_dir", &self.pin_dir)
            .finish_non_exhaustive()
    }
}

impl Origin {
    /// Loads the programs over the maps that are pinned in the directory, and attaches them to this
    /// namespace's `lo` and to the root of the cgroups. It takes a fifth of a second.
    ///
    /// # Errors
    ///
    /// There is no cgroup v2 hierarchy, or the kernel refuses; what was attached stays.
    pub fn open(pin_dir: &Path) -> Result<Self, DataplaneError> {
        let mut origin = Self {
            pin_dir: pin_dir.to_owned(),
            object: object::load(object::Kind::Origin, pin_dir, None)?,
        };
        origin.load()?;
        for hook in HOOKS {
            origin.establish(hook)?;
        }
        Ok(origin)
    }

    /// Loads the programs without a trace.
    pub(super) fn rehearse() -> Result<(), DataplaneError> {
        let mut origin = Self {
            pin_dir: PathBuf::new(),
            object: object::load_apart(object::Kind::Origin)?,
        };
        origin.load()
    }

    /// What to look at to know whether the programs are still attached.
    ///
    /// # Errors
    ///
    /// The kernel does not tell a program's id.
    pub fn lookout(&self) -> Result<Lookout, DataplaneError> {
        let places = HOOKS.map(|hook| Ok(Place::Link(pin(&self.pin_dir, hook), self.id(hook)?)));
        let places: Result<Vec<_>, DataplaneError> = places.into_iter().collect();
        Ok(Lookout::new(places?))
    }

    /// Attaches again what somebody has detached or replaced, and returns the names of these programs.
    ///
    /// # Errors
    ///
    /// The kernel refuses; the next call tries again.
    pub fn reattach(&mut self) -> Result<Vec<&'static str>, DataplaneError> {
        let mut repaired = Vec::new();
        for hook in HOOKS {
            let running = running(&pin(&self.pin_dir, hook))?;
            if running != Some(self.id(hook)?) {
                self.establish(hook)?;
                repaired.push(hook.program);
            }
        }
        Ok(repaired)
    }

    /// The program that packets see, for tests by `BPF_PROG_TEST_RUN`.
    ///
    /// # Errors
    ///
    /// Never, once the programs are attached.
    pub fn send_own(&mut self) -> Result<&mut SchedClassifier, DataplaneError> {
        let name = program::SEND_OWN;
        let program = self.object.program_mut(name);
        program
            .and_then(|program| program.try_into().ok())
            .ok_or(DataplaneError::Mismatch { name })
    }

    fn load(&mut self) -> Result<(), DataplaneError> {
        for Hook { program: name, .. } in HOOKS {
            let loaded = match self.object.program_mut(name) {
                Some(Program::SchedClassifier(program)) => program.load(),
                Some(Program::CgroupSockAddr(program)) => program.load(),
                Some(_) | None => return Err(DataplaneError::Mismatch { name }),
            };
            loaded.map_err(|source| object::refused(name, source))?;
        }
        Ok(())
    }

    fn id(&self, hook: Hook) -> Result<u32, DataplaneError> {
        let about = self.program(hook)?.info();
        let about = about.map_err(|source| object::refused(hook.program, source))?;
        Ok(about.id())
    }

    fn program(&self, hook: Hook) -> Result<&Program, DataplaneError> {
        let name = hook.program;
        self.object
            .program(name)
            .ok_or(DataplaneError::Mismatch { name })
    }

    /// Gives the pinned link the program, or makes one.
    fn establish(&self, hook: Hook) -> Result<(), DataplaneError> {
        let program = self.program(hook)?;
        let program = program
            .fd()
            .map_err(|source| object::refused(hook.program, source))?;
        let pin = pin(&self.pin_dir, hook);
        if running(&pin)?.is_some() {
            return bpf::update_pinned_link(&pin, program.as_fd()).map_err(DataplaneError::system(
                format!("replace `{}`", hook.program),
            ));
        }
        pins::remove_file(&pin)?;
        let attach = |target: u32| {
            let link = bpf::create_link(program.as_fd(), target, hook.at)?;
            bpf::pin(&pin, link.as_fd())
        };
        let attached = match hook.at {
            AttachType::TcxEgress => attach(LOOPBACK),
            AttachType::Inet4Connect | AttachType::Inet6Connect => {
                let root = cgroup::root()?;
                let root = File::open(&root)
                    .map_err(DataplaneError::system(format!("open `{}`", root.display())))?;
                attach(root.as_raw_fd().cast_unsigned())
            }
        };
        attached.map_err(|error| match (error.raw_os_error(), hook.at) {
            (Some(libc::EINVAL), AttachType::TcxEgress) => DataplaneError::NoFeature {
                feature: "links for programs on an interface's way out (tcx)",
                since: "6.6",
            },
            _ => DataplaneError::system(format!("attach `{}`", hook.program))(error),
        })
    }
}

/// Detaches the programs of a stack.
pub(super) fn remove(pin_dir: &Path) -> Result<(), DataplaneError> {
    HOOKS
        .iter()
        .rev()
        .try_for_each(|hook| pins::remove_file(&pin(pin_dir, *hook)))
}

/// Where the links are pinned.
pub(super) fn links(pin_dir: &Path) -> impl Iterator<Item = PathBuf> {
    HOOKS.iter().map(|hook| pin(pin_dir, *hook))
}

fn pin(pin_dir: &Path, hook: Hook) -> PathBuf {
    pin_dir.join(format!("{LINK_PIN}{}", hook.program))
}

/// Id of the program that a pinned link runs; `None` when there is no link, or a dead one.
pub(super) fn running(pin: &Path) -> Result<Option<u32>, DataplaneError> {
    match bpf::pinned_link(pin) {
        Ok(link) => Ok(link.is_attached().then_some(link.program)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataplaneError::system(format!(
            "look at the link `{}`",
            pin.display()
        ))(error)),
    }
}
