//! `cargo xtask dist`: a Debian package of what a host needs.
//!
//! ```text
//! usr/bin/distributor                          the program, with the eBPF objects in it
//! usr/lib/systemd/system/distributor@.service  the unit; its instance is a stack's name
//! usr/share/man/man1/, …/completions/          made by the program itself
//! usr/share/doc/distributor/                   the documentation and the examples
//! ```
//!
//! An upgrade reloads the stacks that run, so that the new program is put in the
//! old one's place and no packet is lost; removal stops them. dpkg-deb makes the
//! package.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};

use crate::workspace::{self, Profile};
use crate::{build_ebpf, process, say, setup};

/// Scripts of the package, by the names that dpkg calls them by.
const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("dist/postinst")),
    ("prerm", include_str!("dist/prerm")),
    ("postrm", include_str!("dist/postrm")),
];

/// Files of the workspace that the package has as they are.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs",
    "examples",
];

/// Completions as the program names them, and where their shells look for them.
const COMPLETIONS: [(&str, &str); 3] = [
    (
        "distributor.bash",
        "usr/share/bash-completion/completions/distributor",
    ),
    (
        "_distributor",
        "usr/share/zsh/vendor-completions/_distributor",
    ),
    (
        "distributor.fish",
        "usr/share/fish/vendor_completions.d/distributor.fish",
    ),
];

const UNIT: &str = "examples/systemd/distributor@.service";

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// Packs the program as it is built for tests: large and slow, and there at once.
    #[arg(long)]
    dev: bool,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::compiling(&arguments.setup)?)?;
    let profile = if arguments.dev {
        Profile::Dev
    } else {
        Profile::Release
    };
    let package = pack(&workspace::build_daemon(profile)?, profile)?;
    say(format_args!("packed {}", package.display()));
    say(format_args!(
        "to install it: apt-get install {}",
        package.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Makes the package of the program as tests use it, unless that is there and newer than all that tests
/// of it depend on.
pub(crate) fn pack_for_tests() -> anyhow::Result<()> {
    let program = workspace::target().join("debug/distributor");
    // The package's scripts are in xtask itself.
    let sources = [
        program.clone(),
        env::current_exe()?,
        workspace::root().join(UNIT),
    ];
    let packed = modified(&package_in(&directory(Profile::Dev))).ok();
    for source in sources {
        if packed.is_none_or(|packed| modified(&source).is_ok_and(|changed| changed >= packed)) {
            return pack(&program, Profile::Dev).map(|_| ());
        }
    }
    Ok(())
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// A directory for each profile: a program that is slow must not be taken for one that is not.
fn directory(profile: Profile) -> PathBuf {
    workspace::target().join("dist").join(profile.directory())
}

fn package_in(directory: &Path) -> PathBuf {
    directory.join(format!("distributor_{}_{ARCHITECTURE}.deb", version()))
}

/// Makes the package of a built program, and returns where it is.
fn pack(program: &Path, profile: Profile) -> anyhow::Result<PathBuf> {
    let directory = directory(profile);
    let tree = directory.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove `{}`", tree.display()))?;
    }
    let made = directory.join("made");
    process::step(Command::new(program).arg("manual").arg(&made))?;

    install(program, &tree.join("usr/bin/distributor"), 0o755)?;
    process::step(Command::new("strip").arg(tree.join("usr/bin/distributor")))?;
    let units = tree.join("usr/lib/systemd/system/distributor@.service");
    install(&workspace::root().join(UNIT), &units, 0o644)?;
    for page in files(&made.join("man"))? {
        let name = page.file_name().context("a page has a name")?;
        install(&page, &tree.join("usr/share/man/man1").join(name), 0o644)?;
    }
    process::step(
        Command::new("gzip")
            .args(["-9", "--no-name", "--recursive", "--force"])
            .arg(tree.join("usr/share/man")),
    )?;
    for (name, place) in COMPLETIONS {
        install(
            &made.join("completions").join(name),
            &tree.join(place),
            0o644,
        )?;
    }
    let documents = tree.join("usr/share/doc/distributor");
    fs::create_dir_all(&documents)?;
    process::step(
        Command::new("cp")
            .current_dir(workspace::root())
            .args(["--recursive", "--no-preserve=mode", "--"])
            .args(DOCUMENTS)
            .arg(&documents),
    )?;
    fs::write(documents.join("copyright"), copyright()?)?;
    control(&tree)?;

    let package = package_in(&directory);
    process::step(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zgzip", "--build"])
            .args([&tree, &package]),
    )?;
    Ok(package)
}

/// What Debian calls the machines that the program runs on.
const ARCHITECTURE: &str = "amd64";

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Writes what dpkg reads of the package.
fn control(tree: &Path) -> anyhow::Result<()> {
    let directory = tree.join("DEBIAN");
    fs::create_dir_all(&directory)?;
    // What is installed later may need more room; what it takes is said in KiB.
    let installed = size(&tree.join("usr"))?.div_ceil(1_024);
    let text = format!(
        "Package: distributor\n\
         Version: {}\n\
         Architecture: {ARCHITECTURE}\n\
         Maintainer: the authors of the Sysplex Distributor for Linux <root@localhost>\n\
         Installed-Size: {installed}\n\
         Depends: libc6\n\
         Section: net\n\
         Priority: optional\n\
         Description: distributes the connections of a virtual IP address over hosts\n \
         One host owns the address and hands each connection to a host where a server\n \
         listens, by XDP; another takes it over when the owner fails, and connections\n \
         live on. It is configured in the profile language of z/OS.\n",
        version()
    );
    fs::write(directory.join("control"), text)?;
    for (name, script) in SCRIPTS {
        let path = directory.join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Copies a file, with the directories that it needs.
fn install(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let context = || format!("cannot copy `{}` to `{}`", from.display(), to.display());
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory).with_context(context)?;
    }
    fs::copy(from, to).with_context(context)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).with_context(context)
}

fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("cannot read `{}`", directory.display()))?;
    let files: Result<Vec<_>, _> = entries
        .map(|entry| Ok::<_, std::io::Error>(entry?.path()))
        .collect();
    let files = files?;
    ensure!(
        !files.is_empty(),
        "expected files in `{}`, found none",
        directory.display()
    );
    Ok(files)
}

/// Bytes of all files below a directory.
fn size(directory: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for path in files(directory)? {
        let metadata = fs::symlink_metadata(&path)?;
        sum += if metadata.is_dir() {
            size(&path)?
        } else {
            metadata.len()
        };
    }
    Ok(sum)
}

fn copyright() -> anyhow::Result<String> {
    let mut text = "Either of the two licenses below, at your option.\n".to_owned();
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let license = fs::read_to_string(workspace::root().join(name))
            .with_context(|| format!("cannot read `{name}`"))?;
        text.push('\n');
        text.push_str(&license);
    }
    Ok(text)
}
