//! What is needed, why, and the plan that provides it.
//!
//! Pure: what the machine has and what its archive offers come in as
//! arguments.

use crate::compiler::{self, Kind};

use super::apt::Offer;
use super::linker;

/// A package of Debian's, as it was when it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// The version with which everything was tried.
    pub(crate) tried: &'static str,
    pub(crate) pin: Pin,
}

/// What the version tried means for the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Exactly this one while the archive has it: another compiler writes other programs, and
    /// the kernel's verifier judges those anew.
    Exact,
    /// The newest one of the archive: only its command line matters, and security updates count.
    Newest,
}

/// A program that the demo and the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    purpose: &'static str,
    package: Package,
}

/// The programs that the demo and the tests run.
pub(crate) const PROGRAMS: [Program; 7] = [
    Program {
        name: "nginx",
        purpose: "the unmodified HTTPS servers behind the distributed address",
        package: newest("nginx-light", "1.22.1-9+deb12u11"),
    },
    Program {
        name: "curl",
        purpose: "the client that verifies the address's certificate",
        package: newest("curl", "7.88.1-10+deb12u15"),
    },
    Program {
        name: "ip",
        purpose: "looks into the network namespaces of the lab",
        package: newest("iproute2", "6.1.0-3"),
    },
    Program {
        name: "nsenter",
        purpose: "starts each program in its stack's network namespace",
        package: newest("util-linux", "2.38.1-5+deb12u3"),
    },
    Program {
        name: "ethtool",
        purpose: "switches checksum offloading off, which XDP on veth cannot do with",
        package: newest("ethtool", "1:6.1-1"),
    },
    Program {
        name: "nft",
        purpose: "makes firewalls that are wrong, for `distributor doctor` to find",
        package: newest("nftables", "1.0.6-2+deb12u2"),
    },
    Program {
        name: "systemd-analyze",
        purpose: "verifies the systemd unit; nothing of systemd is started",
        package: newest("systemd", "252.39-1~deb12u2"),
    },
];

/// A compiler with a `core` that is already built for eBPF.
const COMPILER: [Package; 2] = [
    exact("rustc-web", "1.96.0+dfsg1-1~deb12u2"),
    exact("libstd-rust-web-dev-bpf", "1.96.0+dfsg1-1~deb12u2"),
];

const fn newest(name: &'static str, tried: &'static str) -> Package {
    Package {
        name,
        tried,
        pin: Pin::Newest,
    }
}

const fn exact(name: &'static str, tried: &'static str) -> Package {
    Package {
        name,
        tried,
        pin: Pin::Exact,
    }
}

/// Something that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Program(Program),
    Compiler,
    Linker,
}

impl Need {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Program(program) => program.name,
            Self::Compiler => "eBPF compiler",
            Self::Linker => "bpf-linker",
        }
    }

    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::Program(program) => program.purpose,
            Self::Compiler => "compiles the programs that run in the kernel",
            Self::Linker => "makes of each of them one object with BTF",
        }
    }
}

/// How everything that is missing gets there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) packages: Option<Offer>,
    pub(super) nightly: bool,
    pub(super) linker: bool,
}

/// Chooses how to provide `missing`; `offer` asks the archive for packages, and says why not.
///
/// A compiler comes from the archive if that has it: it arrives together with the rest, and it is
/// the one that was tried most. Otherwise rustup brings a nightly.
pub(super) fn plan(
    missing: &[Need],
    wanted: Option<Kind>,
    has_rustup: bool,
    mut offer: impl FnMut(&[Package]) -> Result<Offer, String>,
) -> Result<Plan, String> {
    let programs: Vec<Package> = missing
        .iter()
        .filter_map(|need| match need {
            Need::Program(program) => Some(program.package),
            Need::Compiler | Need::Linker => None,
        })
        .collect();
    let linker = missing.contains(&Need::Linker);
    let compiler = missing.contains(&Need::Compiler);
    let mut why_not_prebuilt = None;

    if compiler && wanted != Some(Kind::Nightly) {
        let all: Vec<Package> = programs.iter().chain(&COMPILER).copied().collect();
        match offer(&all) {
            Ok(offer) => {
                return Ok(Plan {
                    packages: Some(offer),
                    nightly: false,
                    linker,
                });
            }
            Err(reason) if wanted == Some(Kind::Prebuilt) => return Err(reason),
            Err(reason) => why_not_prebuilt = Some(reason),
        }
    }
    if compiler && !has_rustup {
        let reason = why_not_prebuilt.map_or_else(String::new, |reason| format!("{reason}, and "));
        return Err(format!(
            "{reason}there is no rustup to install a nightly compiler with"
        ));
    }
    let packages = if programs.is_empty() {
        None
    } else {
        Some(offer(&programs)?)
    };
    Ok(Plan {
        packages,
        nightly: compiler,
        linker,
    })
}

impl Plan {
    /// The plan as a person reads it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec!["to be installed:".to_owned()];
        if let Some(offer) = &self.packages {
            lines.extend(offer.lines().into_iter().map(|line| format!("  {line}")));
        }
        if self.nightly {
            lines.push(format!(
                "  by rustup: {} with `rust-src` (about 120 MB to download, 680 MB on disk)",
                compiler::NIGHTLY
            ));
        }
        if self.linker {
            lines.push(format!(
                "  by cargo: bpf-linker {} (about 10 MB to download, 3 MB on disk, a minute or \
                 two to build)",
                linker::VERSION
            ));
        }
        lines
    }
}

/// What to install where set-up cannot.
pub(super) fn by_hand(missing: &[Need]) -> String {
    let mut lines = vec!["install these yourself, then run this again:".to_owned()];
    for need in missing {
        let line = match need {
            Need::Program(Program { name, package, .. }) => {
                format!(
                    "`{name}` (Debian's package `{}`, tried: {})",
                    package.name, package.tried
                )
            }
            Need::Compiler => format!(
                "an eBPF compiler: Debian's `{}` and `{}` {}, or `rustup toolchain install {} \
                 --profile minimal --component rust-src`",
                COMPILER[0].name,
                COMPILER[1].name,
                COMPILER[0].tried,
                compiler::NIGHTLY
            ),
            Need::Linker => format!(
                "`cargo binstall bpf-linker@{v}`, or `LLVM_PREFIX=… cargo install bpf-linker \
                 --version {v} --locked --no-default-features --features llvm-N`, where N is not \
                 below the `LLVM version` of the eBPF compiler",
                v = linker::VERSION
            ),
        };
        lines.push(format!("  {line}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
