//! `distributor obey`: z/OS's VARY TCPIP,,OBEYFILE.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::running::StackArguments;
use crate::engine::profile::Texts;
use crate::shell::admin::Request;
use crate::shell::profile_files::ProfileFiles;

/// Arguments of `distributor obey`.
#[derive(Debug, Args)]
pub(super) struct Obey {
    /// A file with statements of the profile language.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where INCLUDE looks for `dataset(member)`; may be repeated.
    #[arg(long, value_name = "DIR")]
    include_dir: Vec<PathBuf>,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Obey) -> anyhow::Result<ExitCode> {
    // The files are read here, as the user who asks: the daemon would read them as root.
    let mut files = ProfileFiles::new(arguments.include_dir.clone());
    let obeyfile = files.open(&arguments.file)?;
    let texts = Texts::collect(obeyfile, &mut files);
    let stack = arguments.stack.find()?;
    println!("{}", stack.order(&Request::Obey(texts))?);
    Ok(ExitCode::SUCCESS)
}
