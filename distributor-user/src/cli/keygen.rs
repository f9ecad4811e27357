//! `distributor keygen`: makes a key for a group.
//!
//! A key is made once and then copied to every stack of the group. It is never
//! printed, and an existing one is not replaced unasked.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::shell::group::{create_key, default_key_file};

/// Arguments of `distributor keygen`.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// Where to put the key.
    #[arg(value_name = "FILE", default_value_os_t = default_key_file())]
    file: PathBuf,
    /// Replaces the key that is there.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Keygen) -> anyhow::Result<ExitCode> {
    let id = create_key(&arguments.file, arguments.force)?;
    let file = arguments.file.display();
    println!("made the key {id} in {file}");
    println!(
        "copy it to every stack of the group, with mode 0600, and start each with --key {file}"
    );
    Ok(ExitCode::SUCCESS)
}
