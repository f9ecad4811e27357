//! Which of the kernel's file systems are missing.
//!
//! Pure. Programs, maps and links are pinned in bpffs, at one fixed place; the
//! programs that watch sockets are attached to the cgroup v2 hierarchy,
//! wherever that is mounted.

/// A file system and the directory to mount it on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: &'static str,
    pub(super) path: &'static str,
}

const BPFFS: Place = Place {
    kind: "bpf",
    path: "/sys/fs/bpf",
};

/// Reads /proc/self/mounts, and says what to mount where.
pub(super) fn missing(mounts: &str) -> Vec<Place> {
    let is_mounted = |kind: Option<&str>, path: Option<&str>| {
        mounts.lines().any(|line| {
            let mut fields = line.split(' ').skip(1);
            let (its_path, its_kind) = (fields.next(), fields.next());
            (path.is_none() || path == its_path) && (kind.is_none() || kind == its_kind)
        })
    };
    let mut missing = Vec::new();
    if !is_mounted(Some(BPFFS.kind), Some(BPFFS.path)) {
        missing.push(BPFFS);
    }
    if !is_mounted(Some("cgroup2"), None) {
        // With the first version's controllers there, the second one has its place beside them.
        let is_taken = is_mounted(None, Some("/sys/fs/cgroup"));
        let path = if is_taken {
            "/sys/fs/cgroup/unified"
        } else {
            "/sys/fs/cgroup"
        };
        missing.push(Place {
            kind: "cgroup2",
            path,
        });
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::{BPFFS, Place, missing};

    #[test]
    fn only_what_is_not_mounted_is_missing() {
        const BPF: &str = "bpf /sys/fs/bpf bpf rw,nosuid 0 0\n";
        const ELSEWHERE: &str = "bpf /tmp/x/bpf bpf rw 0 0\n";
        const VERSION_1: &str =
            "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
        const VERSION_2: &str = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        const BOTH: &str =
            "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let whole = Place {
            kind: "cgroup2",
            path: "/sys/fs/cgroup",
        };
        let beside = Place {
            kind: "cgroup2",
            path: "/sys/fs/cgroup/unified",
        };
        let cases = [
            ([BPF, VERSION_2], vec![]),
            ([BPF, BOTH], vec![]),
            ([BPF, ""], vec![&whole]),
            ([BPF, VERSION_1], vec![&beside]),
            (["", VERSION_2], vec![&BPFFS]),
            ([ELSEWHERE, VERSION_2], vec![&BPFFS]),
            (["", ""], vec![&BPFFS, &whole]),
        ];
        for (mounts, expected) in cases {
            let found = missing(&mounts.concat());
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{mounts:?}");
        }
    }
}
