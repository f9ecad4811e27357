//! Why reservations of ports are not in force.

use std::io;
use std::path::PathBuf;

use crate::engine::ports::PortRulesError;
use crate::shell::cgroup::CgroupError;

/// Why what PORT and PORTRANGE say is not done.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// The eBPF object is not there.
    #[error(
        "PORT and PORTRANGE are not in force: this program was built without its eBPF objects; `cargo xtask build-ebpf` makes them"
    )]
    NoObject,
    /// There is no cgroup to attach to.
    #[error("PORT and PORTRANGE are not in force")]
    NoCgroup(#[from] CgroupError),
    /// There are more than there is room for.
    #[error("PORT and PORTRANGE are not in force")]
    TooMany(#[from] PortRulesError),
    /// The object is not the one that this program was built with.
    #[error("PORT and PORTRANGE are not in force: the eBPF object has no `{0}`")]
    Incomplete(&'static str),
    /// The kernel refused the object.
    #[error(
        "PORT and PORTRANGE are not in force: the kernel does not load the eBPF object `ports`"
    )]
    Load(#[from] aya::EbpfError),
    /// The kernel refused a program.
    #[error("PORT and PORTRANGE are not in force: the kernel does not load or attach `{program}`")]
    Program {
        /// Which one.
        program: &'static str,
        /// Why.
        source: aya::programs::ProgramError,
    },
    /// The kernel refused a map.
    #[error(
        "PORT and PORTRANGE are not in force: the kernel does not read or write a map of the eBPF object `ports`"
    )]
    Map(#[from] aya::maps::MapError),
    /// Something cannot be pinned.
    #[error("PORT and PORTRANGE are not in force: cannot pin at `{path}`")]
    Pin {
        /// Where.
        path: PathBuf,
        /// Why.
        source: aya::pin::PinError,
    },
    /// The machine refused.
    #[error("PORT and PORTRANGE are not in force: cannot {action}")]
    System {
        /// What.
        action: String,
        /// Why.
        source: io::Error,
    },
    /// The task has ended.
    #[error("PORT and PORTRANGE are not looked after: their task has ended")]
    Ended,
}

impl PortsError {
    /// Says what was being done when the machine refused.
    pub(super) fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}
