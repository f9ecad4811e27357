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
            cgroup_root(&mounts.join("\n")),
            expected.map(PathBuf::from),
            "{mounts:?}"
        );
    }
}
