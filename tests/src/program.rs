//! The programs and objects that the lab uses, and what the machine must have.
//!
//! Nothing here builds or installs: what is missing is named, together with
//! the command that provides it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// Names another eBPF object with the programs of the test network.
pub const OBJECT_VARIABLE: &str = "DISTRIBUTOR_LAB_OBJECT";

/// Names another `distributor` program than the one built beside this one.
pub const PROGRAM_VARIABLE: &str = "DISTRIBUTOR_PROGRAM";

/// Where bpffs is mounted.
pub const BPFFS: &str = "/sys/fs/bpf";

/// Programs that every lab needs, and the Debian packages they come in.
pub const LAB_TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("bridge", "iproute2"),
    ("ethtool", "ethtool"),
    ("nsenter", "util-linux"),
];

/// What the HTTPS scenario needs besides.
pub const HTTPS_TOOLS: &[(&str, &str)] = &[("nginx", "nginx-light"), ("curl", "curl")];

/// Checks that this process may build labs here: root, bpffs, and `tools` on the search path.
///
/// # Errors
///
/// Names what is missing and how to get it.
pub fn require(tools: &[&[(&str, &str)]]) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "not root: namespaces, XDP and bpffs need it; run this through `sudo`"
    );
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    let has_bpffs = mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(BPFFS) && fields.next() == Some("bpf")
    });
    ensure!(
        has_bpffs,
        "no bpffs at `{BPFFS}`: run `mount -t bpf bpf {BPFFS}`"
    );
    for (tool, package) in tools.iter().copied().flatten() {
        if on_path(tool).is_none() {
            bail!("`{tool}` is not on the search path: run `apt-get install {package}`");
        }
    }
    Ok(())
}

/// The `distributor` program: the one that [`PROGRAM_VARIABLE`] names, else the one built
/// beside the running program, which must not be older than its sources.
///
/// # Errors
///
/// There is none, or it is older than a source file of it.
pub fn distributor() -> Result<PathBuf> {
    if let Some(path) = env::var_os(PROGRAM_VARIABLE) {
        return named(PROGRAM_VARIABLE, path);
    }
    // A test's own program is one directory deeper, in `deps`.
    let path = beside_or_above("distributor")?
        .context("the program `distributor` is not built: run `cargo build`")?;
    refuse_outdated(&path)?;
    Ok(path)
}

/// The `lab` program, built beside the running one.
///
/// # Errors
///
/// It is not built.
pub fn lab() -> Result<PathBuf> {
    beside_or_above("lab")?.context("the program `lab` is not built: run `cargo build`")
}

/// The eBPF object with the programs of the test network.
///
/// # Errors
///
/// It is not built.
pub fn lab_object() -> Result<PathBuf> {
    if let Some(path) = env::var_os(OBJECT_VARIABLE) {
        return named(OBJECT_VARIABLE, path);
    }
    beside_or_above("bpf/bpfel-unknown-none/bpf/lab")?
        .context("the eBPF programs of the lab are not built: run `cargo xtask build-ebpf`")
}

/// The Debian package of the program.
///
/// # Errors
///
/// It is not built.
pub fn package() -> Result<PathBuf> {
    let name = concat!(
        "dist/debug/distributor_",
        env!("CARGO_PKG_VERSION"),
        "_amd64.deb"
    );
    beside_or_above(name)?.context("the package is not built: run `cargo xtask dist --dev`")
}

/// Runs `command` to its end, and returns what it wrote to standard output.
///
/// # Errors
///
/// It cannot be started, or it failed; what it said is in the error.
pub fn output(command: &mut Command) -> Result<String> {
    feed_and_read(command, None)
}

/// Runs lines of the `ip` command, in order, up to the first that fails.
///
/// # Errors
///
/// One of them failed; which one is in the error.
pub(crate) fn ip(command: &mut Command, lines: impl IntoIterator<Item = String>) -> Result<()> {
    let mut batch = Vec::from_iter(lines).join("\n");
    batch.push('\n');
    feed_and_read(command.args(["-batch", "-"]), Some(&batch)).map(|_| ())
}

fn feed_and_read(command: &mut Command, input: Option<&str>) -> Result<String> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = words.join(" ");
    command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = process::spawn(command).with_context(|| format!("cannot start `{words}`"))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // A child that ended early says why below; that it did not read all is not the news.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{words}` failed with {}: {}",
        output.status,
        said.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn named(variable: &str, path: OsString) -> Result<PathBuf> {
    let path = PathBuf::from(path);
    ensure!(
        path.is_file(),
        "`{variable}` names `{}`, which is no file",
        path.display()
    );
    Ok(path)
}

fn on_path(tool: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(tool))
        .find(|path| path.is_file())
}

/// The first file `name` in the running program's directory or one above it.
fn beside_or_above(name: &str) -> Result<Option<PathBuf>> {
    let this = env::current_exe().context("cannot tell where this program is")?;
    Ok(this
        .ancestors()
        .skip(1)
        .take(3)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file()))
}

/// A test must not pass because it ran yesterday's daemon: Cargo builds the tests without the
/// programs of the crates that they depend on, and leaves a list of sources beside a program.
fn refuse_outdated(program: &Path) -> Result<()> {
    let Ok(list) = fs::read_to_string(program.with_extension("d")) else {
        return Ok(()); // installed, not built here
    };
    let built = modified(program)?;
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    for source in sources.split_whitespace().map(Path::new) {
        if source
            .extension()
            .is_some_and(|extension| extension == "rs")
            && modified(source).is_ok_and(|changed| changed > built)
        {
            bail!(
                "`{}` is older than `{}`: run `cargo build`",
                program.display(),
                source.display()
            );
        }
    }
    Ok(())
}

fn modified(path: &Path) -> Result<SystemTime> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("cannot look at `{}`", path.display()))
}
