//! `distributor reference`: the pages of the documentation that are made from tables.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::engine::reference;

/// Arguments of `distributor reference`.
#[derive(Debug, Args)]
pub(super) struct Reference {
    /// The page by its path below docs/; without it, the paths are listed.
    page: Option<String>,
}

pub(super) fn run(arguments: &Reference) -> anyhow::Result<ExitCode> {
    match &arguments.page {
        None => reference::paths().for_each(|path| println!("{path}")),
        Some(path) => {
            let text = reference::page(path).with_context(|| {
                let paths: Vec<String> = reference::paths().collect();
                format!("expected one of `{}`, found `{path}`", paths.join("`, `"))
            })?;
            print!("{text}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
