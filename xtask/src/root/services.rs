//! Services stay as they are while packages are installed.
//!
//! Debian's packages ask `policy-rc.d` before they start a service. One that
//! says no stands there meanwhile; an administrator's own one is put back
//! afterwards, also when the installation failed, and by the next run when
//! this one was killed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// "Action forbidden by policy" (`invoke-rc.d`'s interface, exit status 101).
const REFUSAL: &str =
    "#!/bin/sh\n# In place only while `cargo xtask setup` installs packages.\nexit 101\n";

/// No service is started while this exists.
#[must_use]
pub(super) struct Silence {
    policy: PathBuf,
    saved: PathBuf,
    is_over: bool,
}

impl Silence {
    /// Forbids the start of services; `directory` is where `policy-rc.d` belongs.
    pub(super) fn begin(directory: &Path) -> anyhow::Result<Self> {
        let silence = Self {
            policy: directory.join("policy-rc.d"),
            saved: directory.join("policy-rc.d.saved-by-xtask"),
            is_over: false,
        };
        // A run that was killed has left its own policy: nothing to keep.
        if fs::read(&silence.policy).is_ok_and(|text| text == REFUSAL.as_bytes()) {
            remove(&silence.policy)?;
        } else if silence.policy.symlink_metadata().is_ok() {
            fs::rename(&silence.policy, &silence.saved)
                .with_context(|| format!("cannot set `{}` aside", silence.policy.display()))?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&silence.policy)
            .and_then(|mut file| file.write_all(REFUSAL.as_bytes()))
            .with_context(|| format!("cannot write `{}`", silence.policy.display()))?;
        Ok(silence)
    }

    /// Puts back what was there.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.is_over = true;
        self.restore()
    }

    fn restore(&self) -> anyhow::Result<()> {
        remove(&self.policy)?;
        match fs::rename(&self.saved, &self.policy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot restore `{}`", self.policy.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if !self.is_over
            && let Err(error) = self.restore()
        {
            crate::say(format_args!("warning: {error:#}"));
        }
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::{REFUSAL, Silence};

    fn status_of(policy: &Path) -> Option<i32> {
        Command::new(policy)
            .status()
            .expect("a policy that runs")
            .code()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a readable directory");
        entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    #[test]
    fn services_are_refused_until_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let silence = Silence::begin(directory.path()).expect("a policy");
        assert_eq!(status_of(&directory.path().join("policy-rc.d")), Some(101));
        silence.end().expect("an end");
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn an_administrators_policy_comes_back_even_after_a_failure() {
        let directory = tempfile::tempdir().expect("a directory");
        let policy = directory.path().join("policy-rc.d");
        fs::write(&policy, "theirs").expect("a file");
        {
            let _dropped_by_a_failure = Silence::begin(directory.path()).expect("a policy");
            assert_eq!(fs::read_to_string(&policy).expect("a policy"), REFUSAL);
        }
        assert_eq!(fs::read_to_string(&policy).expect("a policy"), "theirs");
        assert_eq!(names(directory.path()), ["policy-rc.d"]);
    }

    #[test]
    fn what_a_killed_run_left_is_cleaned_up_by_the_next() {
        for theirs in [None, Some("theirs")] {
            let directory = tempfile::tempdir().expect("a directory");
            let policy = directory.path().join("policy-rc.d");
            if let Some(text) = theirs {
                fs::write(&policy, text).expect("a file");
            }
            std::mem::forget(Silence::begin(directory.path()).expect("a policy"));
            Silence::begin(directory.path())
                .expect("a policy")
                .end()
                .expect("an end");
            assert_eq!(fs::read_to_string(&policy).ok().as_deref(), theirs);
        }
    }
}
