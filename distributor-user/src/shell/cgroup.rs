//! Where the cgroup v2 hierarchy is.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Why the hierarchy is not found.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// It is nowhere.
    #[error("no cgroup v2 hierarchy is mounted; `mount -t cgroup2 none /sys/fs/cgroup` does it")]
    NotMounted,
    /// The mounts cannot be read.
    #[error("cannot read `{MOUNTS}`")]
    Unreadable(#[source] io::Error),
}

const MOUNTS: &str = "/proc/self/mountinfo";

/// Returns the root of the cgroup v2 hierarchy, wherever it is mounted.
///
/// # Errors
///
/// It is not mounted, or that cannot be found out.
pub fn root() -> Result<PathBuf, CgroupError> {
    let mounts = fs::read_to_string(MOUNTS).map_err(CgroupError::Unreadable)?;
    root_in(&mounts).ok_or(CgroupError::NotMounted)
}

/// Finds where the hierarchy is mounted (`proc_pid_mountinfo(5)`).
///
/// Of several mounts the one that shows the most of it: that with the
/// shortest root, which is `/` where nothing is hidden.
fn root_in(mountinfo: &str) -> Option<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let is_cgroup2 = filesystem.split(' ').next() == Some("cgroup2");
        let mut fields = mount.split(' ').skip(3);
        let (root, path) = (fields.next()?, fields.next()?);
        is_cgroup2.then_some((root.len(), path))
    });
    // The kernel writes a space in a path as `\040`, and so on.
    mounts
        .min()
        .map(|(_, path)| PathBuf::from(path.replace("\\040", " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_mounts() {
        let v1 = "31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu";
        let unified = "33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let only = "29 28 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let part = "40 28 0:26 /system.slice /mnt/my\\040part rw - cgroup2 none rw";
        for (mounts, expected) in [
            (&[v1][..], None),
            (&[v1, unified], Some("/sys/fs/cgroup/unified")),
            (&[part, only], Some("/sys/fs/cgroup")),
            (&[part], Some("/mnt/my part")),
            (&[""], None),
        ] {
            assert_eq!(
                root_in(&mounts.join("\n")),
                expected.map(PathBuf::from),
                "{mounts:?}"
            );
        }
    }
}
