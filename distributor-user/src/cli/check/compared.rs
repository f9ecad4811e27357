//! The stacks that are compared: those of profiles, and those of a running group.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde::Serialize;

use super::super::run::stack_name;
use super::super::running::{RunningStack, unexpected};
use crate::engine::agreement::{self, IdentityChanged, Knowledge, Member, Running, keeps_identity};
use crate::engine::definitions::Definitions;
use crate::engine::profile::own::STAYS;
use crate::engine::profile::{Diagnostic, Finding, Loaded, START, Severity, without_text};
use crate::shell::admin::{Answer, Request};

/// A profile and, if it is written, the name of its stack.
pub(super) struct Named {
    name: Option<String>,
    pub(super) path: PathBuf,
}

impl Named {
    /// Reads `NAME=FILE` or `FILE`.
    pub(super) fn of(argument: &Path) -> Self {
        let text = argument.to_string_lossy();
        match text.split_once('=') {
            Some((name, path)) if stack_name(name).is_ok() => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            Some(_) | None => Self {
                name: None,
                path: argument.to_owned(),
            },
        }
    }

    /// The name of the stack, from that of its file if none is written.
    fn stack(self) -> String {
        self.name.unwrap_or_else(|| {
            let file = self.path.file_name().unwrap_or(self.path.as_os_str());
            let file = file.to_string_lossy();
            let stem = file.split('.').find(|part| !part.is_empty());
            stem.unwrap_or(&file).to_ascii_uppercase()
        })
    }
}

/// One stack that is checked.
pub(super) struct Checked {
    /// The name of the stack.
    name: String,
    /// Its profile; of a running stack only what is found.
    pub(super) loaded: Loaded,
    origin: Origin,
}

/// One finding for programs, with the stack that it is about.
#[derive(Serialize)]
pub(super) struct StackFinding<'a> {
    stack: &'a str,
    #[serde(flatten)]
    finding: Finding,
}

/// Where it is known from what a stack defines.
enum Origin {
    /// From its profile, if that has no errors.
    Profile(Option<Definitions>),
    /// From the group.
    Group(Running),
}

impl Checked {
    pub(super) fn of_profile(name: String, loaded: Loaded) -> Self {
        Self {
            name,
            origin: Origin::Profile(loaded.config.as_ref().map(Definitions::of)),
            loaded,
        }
    }

    fn of_group(running: Running) -> Self {
        Self {
            name: running.name.clone(),
            loaded: without_text(&format!("stack {}", running.name)),
            origin: Origin::Group(running),
        }
    }

    fn member(&self) -> Option<Member<'_>> {
        match &self.origin {
            Origin::Profile(definitions) => Some(Member::of_profile(
                &self.name,
                definitions.as_ref()?,
                &self.loaded.places,
            )),
            Origin::Group(running) => Some(running.member()),
        }
    }

    /// What is found, for programs.
    pub(super) fn findings(&self) -> impl Iterator<Item = StackFinding<'_>> {
        self.loaded.findings().map(|finding| StackFinding {
            stack: &self.name,
            finding: match self.origin {
                Origin::Profile(_) => finding,
                Origin::Group(_) => Finding {
                    file: String::new(),
                    ..finding
                },
            },
        })
    }

    /// `FILE: no errors, 1 warning, no notes`.
    pub(super) fn summary(&self) -> String {
        let loaded = &self.loaded;
        let count = |severity| match (loaded.count(severity), Severity::name(severity)) {
            (0, name) => format!("no {name}s"),
            (1, name) => format!("1 {name}"),
            (many, name) => format!("{many} {name}s"),
        };
        format!(
            "{}: {}, {}, {}",
            loaded.sources.profile(),
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Note)
        )
    }
}

/// The stacks of these profiles; those whose names are equal are called by the paths of their
/// profiles.
pub(super) fn by_themselves(profiles: Vec<(Named, Loaded)>) -> Vec<Checked> {
    let mut checked: Vec<Checked> = profiles
        .into_iter()
        .map(|(named, loaded)| Checked::of_profile(named.stack(), loaded))
        .collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for one in &checked {
        *count.entry(one.name.clone()).or_default() += 1;
    }
    for one in checked.iter_mut().filter(|one| count[&one.name] > 1) {
        one.loaded.sources.profile().clone_into(&mut one.name);
    }
    checked
}

/// The stacks of the group, and those of these profiles, each in the place of the running stack of
/// its name. The profiles are the last: of two statements that do not go together the later one is
/// complained about.
pub(super) fn with_group(
    profiles: Vec<(Named, Loaded)>,
    stack: &RunningStack,
) -> anyhow::Result<Vec<Checked>> {
    let answer = stack.ask(&Request::Group)?;
    let Answer::Group(group) = answer else {
        return Err(unexpected(&answer));
    };
    let mut group: BTreeMap<String, Running> = group
        .into_iter()
        .map(|running| (running.name.clone(), running))
        .collect();
    let mut checked: Vec<Checked> = Vec::new();
    for (named, mut loaded) in profiles {
        let name = named.name.unwrap_or_else(|| stack.name.clone());
        ensure!(
            checked.iter().all(|other| other.name != name),
            "expected one profile of `{name}`, found `{}` too; write `NAME=FILE` for that of another \
             stack",
            named.path.display()
        );
        if let Some(before) = group.remove(&name) {
            loaded.diagnostics.extend(reload(&before, &loaded));
        }
        checked.push(Checked::of_profile(name, loaded));
    }
    let group = group.into_values().map(Checked::of_group);
    Ok(group.chain(checked).collect())
}

/// Says whether the running stack could take the profile.
fn reload(before: &Running, after: &Loaded) -> Option<Diagnostic> {
    if before.knowledge == Knowledge::Departed {
        return None;
    }
    let known = before.definitions.as_ref()?.identity.as_ref()?;
    let wanted = after.config.as_ref()?;
    let changed = keeps_identity(known.xcf_networks(), wanted.xcf_networks()).err()?;
    let span = after.places.identity().unwrap_or(START);
    Some(
        Diagnostic::warning(&STAYS, span, changed.to_string())
            .help(format!("`reload` refuses it: {}", IdentityChanged::REMEDY)),
    )
}

/// Adds what the stacks show together; says whether they could be compared.
pub(super) fn compare(checked: &mut [Checked]) -> bool {
    if let [
        Checked {
            origin: Origin::Profile(_),
            ..
        },
    ] = checked
    {
        return true;
    }
    let members: Option<Vec<Member<'_>>> = checked.iter().map(Checked::member).collect();
    let Some(members) = members else {
        return false;
    };
    for disagreement in agreement::compare(&members) {
        let loaded = &mut checked[disagreement.member].loaded;
        loaded.diagnostics.push(disagreement.diagnostic);
    }
    true
}
