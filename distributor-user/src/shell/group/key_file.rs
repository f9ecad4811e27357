//! Key files: made once, readable by their owner only.
//!
//! Nothing here overwrites a key unasked, and nothing takes a key that others
//! could have read or written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::engine::group::key::{GroupKey, KeyError, KeyId, KeyRing, SECRET_LEN, to_text};

/// Bits that must not be set in a key file's mode.
const OPEN_BITS: u32 = 0o077;
/// No key file is longer.
const LENGTH_MAX: u64 = 4_096;

/// Why a key file was not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The operating system refused something.
    #[error("cannot {action} the key file `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is a file already.
    #[error("expected no file at `{}`, found one: a group keeps its key; `--force` replaces it", .0.display())]
    Exists(PathBuf),
    /// There is no such file.
    #[error(
        "expected the group's key at `{0}`, found no file: bring the key of the group there, or make \
         the first one with `distributor keygen {0}`",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Not a plain file.
    #[error("expected `{}` to be a plain file, found something else", .0.display())]
    NotAFile(PathBuf),
    /// Others than the owner may use the file.
    #[error("expected mode 0600 for the key file `{0}`, found {mode:04o}: `chmod 600 {0}`, and if others had access, make a new key", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file belongs to somebody else.
    #[error("expected the key file `{0}` to belong to user {expected}, found {found}: `chown {expected} {0}`", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Who runs this program.
        expected: u32,
        /// Whose file it is.
        found: u32,
    },
    /// The file does not contain a key.
    #[error("`{}` is not a key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The keys do not go together.
    #[error(transparent)]
    Ring(#[from] KeyError),
    /// The kernel gave no random number.
    #[error("the kernel gave no random number")]
    Random(#[source] rand::rand_core::OsError),
}

/// Makes a new key in `path`, which only the caller may read, and returns its id.
///
/// # Errors
///
/// When there is a file already and `force` is not set; or when the file cannot be written, and
/// then what was there before is still there.
pub fn create_key(path: &Path, force: bool) -> Result<KeyId, KeyFileError> {
    let io = |action, source| KeyFileError::Io {
        action,
        path: path.to_owned(),
        source,
    };
    let mut secret = [0; SECRET_LEN];
    OsRng
        .try_fill_bytes(&mut secret)
        .map_err(KeyFileError::Random)?;
    let draft = path.with_added_extension(format!("new-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(to_text(&secret).as_bytes())?;
        file.sync_all()
    };
    let put_in_place = || {
        if force {
            return fs::rename(&draft, path).map_err(|source| io("replace", source));
        }
        // A link, unlike a rename, never replaces anything.
        fs::hard_link(&draft, path).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                KeyFileError::Exists(path.to_owned())
            } else {
                io("create", source)
            }
        })
    };
    let outcome = write()
        .map_err(|source| io("create", source))
        .and_then(|()| put_in_place());
    // After a rename it is gone already; what else there is must not stay.
    let _ = fs::remove_file(&draft);
    outcome.map(|()| GroupKey::from_secret(&secret).id())
}

/// Reads the key in `path`.
///
/// # Errors
///
/// When the file is not the caller's, open to others, or not a key.
pub fn load_key(path: &Path) -> Result<GroupKey, KeyFileError> {
    let io = |action, source| KeyFileError::Io {
        action,
        path: path.to_owned(),
        source,
    };
    // What is checked is what is read, whatever happens to the path meanwhile. Opening does not
    // wait for whom a pipe might lead to.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let file: File = options.open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            return KeyFileError::Missing {
                path: path.to_owned(),
            };
        }
        io("open", source)
    })?;
    let metadata = file.metadata().map_err(|source| io("examine", source))?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile(path.to_owned()));
    }
    let (expected, found) = (nix::unistd::geteuid().as_raw(), metadata.uid());
    if found != expected {
        return Err(KeyFileError::Owner {
            path: path.to_owned(),
            expected,
            found,
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OPEN_BITS != 0 {
        return Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(LENGTH_MAX)
        .read_to_string(&mut text)
        .map_err(|source| io("read", source))?;
    GroupKey::from_text(&text).map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Reads all of a stack's keys: the first seals, all open.
///
/// # Errors
///
/// When there is none, one is given twice, or one cannot be taken.
pub fn load_keys(paths: &[PathBuf]) -> Result<KeyRing, KeyFileError> {
    let keys: Result<Vec<_>, _> = paths.iter().map(|path| load_key(path)).collect();
    Ok(KeyRing::new(keys?)?)
}

#[cfg(test)]
mod tests;
