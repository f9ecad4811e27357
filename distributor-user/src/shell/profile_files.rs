//! Profiles and their members in the file system.
//!
//! Nothing here looks into a file; it only finds them. A path of INCLUDE is
//! absolute, or relative to the including file. `DATASET(MEMBER)` is looked up
//! in directories, never elsewhere, and without regard to case:
//!
//! | tried in each directory, in this order |
//! |---|
//! | `DATASET/MEMBER` |
//! | `DATA/SET/MEMBER`: each qualifier of `DATA.SET` a directory |
//! | `DATASET(MEMBER)`, one file of that name |
//!
//! The last name may have an extension that the INCLUDE does not write
//! (`MEMBER.txt`); a file without one goes before a file with one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::engine::profile::{MAX_BYTES, Operand, ReadError, Reader, Symbol, Text};

#[cfg(test)]
mod tests;

/// Reads profiles from files.
#[derive(Clone, Debug, Default)]
pub struct ProfileFiles {
    include_dirs: Vec<PathBuf>,
    symbols: BTreeMap<String, String>,
}

impl ProfileFiles {
    /// Looks data sets up in `include_dirs`, in this order.
    #[must_use]
    pub fn new(include_dirs: Vec<PathBuf>) -> Self {
        Self {
            include_dirs,
            symbols: BTreeMap::new(),
        }
    }

    /// Gives values to system symbols, by their names in capitals.
    #[must_use]
    pub fn with_symbols(self, symbols: BTreeMap<String, String>) -> Self {
        Self { symbols, ..self }
    }

    /// Reads the profile at `path`; what is no file may name a data set or a member, if it is known
    /// where these are.
    ///
    /// # Errors
    ///
    /// Says why there is no such text, and what would be right.
    pub fn open(&self, path: &Path) -> Result<Text, ReadError> {
        if self.include_dirs.is_empty() || path.exists() {
            return read(path);
        }
        match Operand::parse(&path.to_string_lossy()) {
            Some(Operand::Member { dataset, member }) => self.member(&dataset, &member),
            Some(Operand::Name(name)) => self.name(&name, path),
            Some(Operand::Path(_)) | None => read(path),
        }
    }

    fn member(&self, dataset: &str, member: &str) -> Result<Text, ReadError> {
        let written = format!("{dataset}({member})");
        let mut qualifiers: Vec<&str> = dataset.split('.').collect();
        qualifiers.push(member);
        let ways: [&[&str]; 3] = [&[dataset, member], &qualifiers, &[&written]];
        self.look_up(&written, &ways)
    }

    fn name(&self, name: &str, including: &Path) -> Result<Text, ReadError> {
        let beside = beside(including, name);
        if beside.exists() {
            return read_regular(&beside);
        }
        let qualifiers: Vec<&str> = name.split('.').collect();
        self.look_up(name, &[&[name], &qualifiers])
            .map_err(|error| {
                let beside = format!("there is no file `{}`", beside.display());
                ReadError {
                    message: if self.include_dirs.is_empty() {
                        beside
                    } else {
                        error.message
                    },
                    help:
                        "write a path, or name the directory of its data set with `--include-dir`"
                            .to_owned(),
                }
            })
    }

    fn look_up(&self, written: &str, ways: &[&[&str]]) -> Result<Text, ReadError> {
        for dir in &self.include_dirs {
            for way in ways {
                let mut found = matches(dir, way);
                match (found.pop(), found.len()) {
                    (Some(path), 0) => return read_regular(&path),
                    (Some(path), _) => {
                        let others: Vec<String> = found
                            .iter()
                            .map(|path| format!("`{}`", path.display()))
                            .collect();
                        return Err(ReadError {
                            message: format!(
                                "several files match: {} and `{}`",
                                others.join(", "),
                                path.display()
                            ),
                            help: "rename all but one of them".to_owned(),
                        });
                    }
                    (None, _) => {}
                }
            }
        }
        let help = "name the directory that has the data set with `--include-dir DIR`";
        if self.include_dirs.is_empty() {
            return Err(ReadError {
                message: "no directory is known to look data sets up in".to_owned(),
                help: help.to_owned(),
            });
        }
        let dirs: Vec<String> = self
            .include_dirs
            .iter()
            .map(|dir| format!("`{}`", dir.display()))
            .collect();
        let tried = ways.first().map(|way| way.join("/")).unwrap_or_default();
        Err(ReadError {
            message: format!("there is no `{written}` in {}", dirs.join(", ")),
            help: format!("put it there as `{tried}`, or {help}"),
        })
    }
}

impl Reader for ProfileFiles {
    fn read(&mut self, operand: &Operand, including: &str) -> Result<Text, ReadError> {
        let including = Path::new(including);
        match operand {
            Operand::Path(path) => read_regular(&beside(including, path)),
            Operand::Member { dataset, member } => self.member(dataset, member),
            Operand::Name(name) => self.name(name, including),
        }
    }

    fn symbol(&self, name: &str) -> Option<Symbol> {
        if let Some(value) = self.symbols.get(name) {
            return Some(Symbol {
                value: value.clone(),
                assumed: None,
            });
        }
        let given = self.symbols.get(SYSNAME).cloned();
        let origin = if given.is_some() {
            "the end of `&SYSNAME.`"
        } else {
            "from the name of this host"
        };
        let system = given.or_else(host_name)?;
        let value = match name {
            SYSNAME => system,
            SYSCLONE => system[system.len().saturating_sub(2)..].to_owned(),
            _ => return None,
        };
        Some(Symbol {
            value,
            assumed: Some(origin.to_owned()),
        })
    }
}

const SYSNAME: &str = "SYSNAME";
const SYSCLONE: &str = "SYSCLONE";

/// The name of this host, if it can be the name of a z/OS system: without its domain, in capitals,
/// 1 to 8 letters and digits.
fn host_name() -> Option<String> {
    const LONGEST: usize = 8;
    let text = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = text.trim().split('.').next()?.to_ascii_uppercase();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && (1..=LONGEST).contains(&name.len())).then_some(name)
}

/// `path` as seen from the file `including`; an absolute path stays as it is.
fn beside(including: &Path, path: &str) -> PathBuf {
    including.parent().unwrap_or(Path::new("")).join(path)
}

/// Files under `dir` whose path is `names`, without regard to case.
fn matches(dir: &Path, names: &[&str]) -> Vec<PathBuf> {
    let Some((name, rest)) = names.split_first() else {
        return Vec::new();
    };
    let entries: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() != rest.is_empty())
        .collect();
    let is =
        |part: Option<&std::ffi::OsStr>| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    let mut found: Vec<PathBuf> = entries
        .iter()
        .filter(|path| is(path.file_name()))
        .cloned()
        .collect();
    if !rest.is_empty() {
        return found.iter().flat_map(|dir| matches(dir, rest)).collect();
    }
    if found.is_empty() {
        found = entries
            .into_iter()
            .filter(|path| is(path.file_stem()))
            .collect();
    }
    // Two names that differ in case only: the one that is written exactly wins.
    if let Some(exact) = found
        .iter()
        .position(|path| path.file_name().is_some_and(|file| file == *name))
    {
        return vec![found.swap_remove(exact)];
    }
    found.sort();
    found
}

/// Reads a file that must be one: a pipe could keep whoever checks a profile waiting for ever.
fn read_regular(path: &Path) -> Result<Text, ReadError> {
    let is_special = fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if is_special {
        return Err(ReadError {
            message: "it is no regular file".to_owned(),
            help: "name a file with statements".to_owned(),
        });
    }
    read(path)
}

fn read(path: &Path) -> Result<Text, ReadError> {
    let fail = |error: &io::Error| unreadable(path, error);
    let mut file = File::open(path).map_err(|error| fail(&error))?;
    let mut bytes = Vec::new();
    // One byte more than is accepted tells a file that is too large from one that just fits.
    let limit = u64::try_from(MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    file.by_ref()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&error))?;
    let identity = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Ok(Text {
        name: path.display().to_string(),
        identity: identity.display().to_string(),
        bytes,
    })
}

fn unreadable(path: &Path, error: &io::Error) -> ReadError {
    let path = path.display();
    let kind = error.kind();
    let (message, help) = if kind == io::ErrorKind::NotFound {
        (
            format!("there is no file `{path}`"),
            "check the name, and the directory that it is relative to",
        )
    } else if kind == io::ErrorKind::PermissionDenied {
        (
            format!("permission to read `{path}` is denied"),
            "run as a user who may read it",
        )
    } else if kind == io::ErrorKind::IsADirectory {
        (
            format!("expected a file, found the directory `{path}`"),
            "name a file in it",
        )
    } else {
        (format!("`{path}`: {error}"), "check the file")
    };
    ReadError {
        message,
        help: help.to_owned(),
    }
}
