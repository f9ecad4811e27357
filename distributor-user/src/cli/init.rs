//! `distributor init`: everything that the stacks of a new group need, from what is said once.
//!
//! What is written is checked first as `distributor check` does, all stacks
//! together. A key that is there is never replaced; anything else that is there
//! and differs only when that is asked for, and all of it or nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::check::Together;
use super::run::stack_name;
use crate::engine::init::{Group, Member, Network, round_robin};
use crate::engine::profile::Text;
use crate::shell::group::{create_key, load_key};

/// The unit, whose instance is the name of a stack.
const UNIT: &str = include_str!("../../../examples/systemd/distributor@.service");
/// Where the unit goes, below the directory of a stack.
const UNIT_PATH: &str = "etc/systemd/system/distributor@.service";
/// Where the unit looks for profile, options and key.
const CONFIGURATION: &str = "etc/distributor";
const KEY: &str = "group.key";
/// What only root may read.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Arguments of `distributor init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where a directory is made for each stack, with what goes to the root of its host.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// An address of the application, with the prefix length of its network; may be repeated.
    #[arg(long, value_name = "ADDR/BITS", required_unless_present = "group")]
    vipa: Vec<Network>,
    /// A port of the application; may be repeated.
    #[arg(long, value_name = "PORT", required_unless_present = "group", value_parser = super::scope::port)]
    port: Vec<u16>,
    /// A stack and its DYNAMICXCF address, which may be one that the host has; the first stack owns the
    /// addresses, the others back it up in this order, and all run servers.
    #[arg(
        long,
        value_name = "NAME=ADDR[/BITS]",
        required_unless_present = "group"
    )]
    stack: Vec<Member>,
    /// How connections are distributed.
    #[arg(long, value_name = "METHOD", default_value_t = round_robin())]
    method: String,
    /// An interface on which packets for the addresses arrive, on every stack; may be repeated. Without
    /// it: every interface that is up and has an address, except lo.
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// The interface of the DYNAMICXCF network, on every stack. Without it: the one that has the
    /// DYNAMICXCF address, or an address of its subnet.
    #[arg(long, value_name = "IF")]
    xcf_interface: Option<String>,
    /// A file that says all of this, as TOML.
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["vipa", "port", "stack", "method", "interface", "xcf_interface"])]
    group: Option<PathBuf>,
    /// Replaces profiles, options and units that are there and differ; the key stays.
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(arguments: &Init) -> anyhow::Result<ExitCode> {
    let group = arguments.read()?;
    let profiles = checked(&group)?;
    let directory = &arguments.directory;
    let key = directory.join(KEY);
    let secret = match key.symlink_metadata() {
        Ok(_) => {
            load_key(&key)?;
            Some(fs::read(&key).context("the key cannot be read")?)
        }
        Err(_) => None,
    };
    let mut files = Vec::new();
    for ((name, profile), member) in profiles.iter().zip(&group.stack) {
        let root = directory.join(name);
        let configuration = root.join(CONFIGURATION);
        let options = format!("OPTIONS={}\n", group.options(member));
        let public = |path, text: &str| File::new(path, text.as_bytes().to_owned(), PUBLIC);
        files.push(public(
            configuration.join(format!("{name}.profile")),
            profile,
        )?);
        files.push(public(
            configuration.join(format!("{name}.options")),
            &options,
        )?);
        files.push(public(root.join(UNIT_PATH), UNIT)?);
        // A new key is not known yet, and no copy of it can be there.
        let bytes = secret.clone().unwrap_or_default();
        let copy = File::new(configuration.join(KEY), bytes, SECRET)?;
        if copy.there == There::Same {
            // Nor may others have read it.
            load_key(&copy.path)?;
        }
        files.push(copy);
    }
    refuse_to_replace(&files, arguments.replace)?;

    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make `{}`", directory.display()))?;
    let secret = if let Some(secret) = secret {
        println!("kept {}", key.display());
        secret
    } else {
        create_key(&key, false)?;
        println!("wrote {}", key.display());
        fs::read(&key).context("the new key cannot be read")?
    };
    for file in &mut files {
        if file.mode == SECRET {
            file.bytes.clone_from(&secret);
        }
        file.put()?;
    }
    tell(&profiles, directory);
    Ok(ExitCode::SUCCESS)
}

/// The profiles of a group, which `distributor check` accepts.
fn checked(group: &Group) -> anyhow::Result<Vec<(&str, String)>> {
    let profiles = group.profiles()?;
    for (name, _) in &profiles {
        stack_name(name).map_err(anyhow::Error::msg)?;
    }
    let texts = profiles.iter().map(|(name, text)| {
        let text = Text {
            name: format!("{name}.profile"),
            identity: (*name).to_owned(),
            bytes: text.clone().into_bytes(),
        };
        ((*name).to_owned(), text)
    });
    let together = Together::of(texts);
    if together.has_findings() {
        eprint!("{together}");
        ensure!(
            !together.has_errors(),
            "what was asked for cannot be a profile, and nothing was written"
        );
    }
    Ok(profiles)
}

fn refuse_to_replace(files: &[File], may_replace: bool) -> anyhow::Result<()> {
    let different: Vec<_> = files
        .iter()
        .filter(|file| file.there == There::Different)
        .collect();
    if let Some(key) = different.iter().find(|file| file.mode == SECRET) {
        bail!(
            "expected the key of this group in `{}`, found another: nothing was written; remove it if it \
             is of no use",
            key.path.display()
        );
    }
    if !may_replace && !different.is_empty() {
        let paths = different.iter().map(|file| file.path.display().to_string());
        bail!(
            "expected nothing else than what would be written, found others in {}: nothing was written; \
             `--replace` replaces them, and keeps the key",
            paths.collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}

impl Init {
    fn read(&self) -> anyhow::Result<Group> {
        let Some(path) = &self.group else {
            return Ok(Group {
                vipa: self.vipa.clone(),
                port: self.port.clone(),
                method: self.method.clone(),
                interface: self.interface.clone(),
                xcf_interface: self.xcf_interface.clone(),
                stack: self.stack.clone(),
            });
        };
        let shown = path.display();
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read the group `{shown}`"))?;
        toml::from_str(&text).with_context(|| format!("`{shown}` describes no group"))
    }
}

/// What is at a path already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    Same,
    Different,
}

/// A file to be written.
#[derive(Debug)]
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    mode: u32,
    there: There,
}

impl File {
    fn new(path: PathBuf, bytes: Vec<u8>, mode: u32) -> anyhow::Result<Self> {
        let there = match fs::read(&path) {
            Ok(found) if found == bytes => There::Same,
            Ok(_) => There::Different,
            Err(error) if error.kind() == io::ErrorKind::NotFound => There::Nothing,
            Err(error) => {
                let path = path.display();
                return Err(error).with_context(|| format!("cannot read `{path}`"));
            }
        };
        Ok(Self {
            path,
            bytes,
            mode,
            there,
        })
    }

    /// Brings the file there, whole or not at all, and says so.
    fn put(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        let done = match self.there {
            There::Same => {
                println!("kept {shown}");
                return Ok(());
            }
            There::Nothing => "wrote",
            There::Different => "replaced",
        };
        self.write()
            .with_context(|| format!("cannot write `{shown}`"))?;
        println!("{done} {shown}");
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let draft = self
            .path
            .with_added_extension(format!("new-{}", std::process::id()));
        let mut options = OpenOptions::new();
        let written = options
            .write(true)
            .create_new(true)
            .mode(self.mode)
            .open(&draft)
            .and_then(|mut file| file.write_all(&self.bytes))
            .and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }
}

/// Says what to do next.
fn tell(profiles: &[(&str, String)], directory: &Path) {
    let shown = directory.display();
    println!("\nThen for each stack, HOST being where it is to run:");
    for (name, _) in profiles {
        println!(
            "  scp -r {shown}/{name}/etc root@HOST:/ && ssh root@HOST systemctl enable --now \
             distributor@{name}"
        );
    }
    println!(
        "and `distributor sysplex vipadyn` on any of them. Keep {} secret: who has it is a member.",
        directory.join(KEY).display()
    );
}
