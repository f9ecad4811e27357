//! A text in the profile language that is sent to a daemon.

use std::path::PathBuf;

use clap::Args;

use crate::engine::profile::Texts;
use crate::shell::profile_files::ProfileFiles;

/// Which text.
#[derive(Debug, Args)]
pub(super) struct TextArguments {
    /// A file with statements of the profile language.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where INCLUDE looks for `dataset(member)`; may be repeated.
    #[arg(long, value_name = "DIR")]
    include_dir: Vec<PathBuf>,
}

impl TextArguments {
    /// Reads it with what it includes, here, as the user who asks: the daemon would read it as root.
    pub(super) fn read(&self) -> anyhow::Result<Texts> {
        let mut files = ProfileFiles::new(self.include_dir.clone());
        let text = files.open(&self.file)?;
        Ok(Texts::collect(text, &mut files))
    }
}
