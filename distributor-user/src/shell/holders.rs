//! Which processes have which sockets.
//!
//! The kernel tells of a socket by a number among the files of sockets; who has
//! such a file is only found by looking at every process. That is done where
//! somebody must know, never by the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::engine::servers::Process;

/// One descriptor of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The process that has it.
    pub(super) process: i32,
    /// Its number there.
    pub(super) descriptor: i32,
    /// The socket's number among all files of sockets.
    pub(super) inode: u32,
}

/// Passes every descriptor of a socket to `visit` until that breaks off; returns with what.
///
/// # Errors
///
/// The processes cannot be listed.
pub(super) fn look<B>(mut visit: impl FnMut(Held) -> ControlFlow<B>) -> io::Result<Option<B>> {
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(id) = number(&process.file_name()) else {
            continue;
        };
        // Processes end while they are looked at.
        let descriptors = fs::read_dir(process.path().join("fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let held = number(&descriptor.file_name()).zip(socket(&descriptor.path()));
            let Some((number, inode)) = held else {
                continue;
            };
            let held = Held {
                process: id,
                descriptor: number,
                inode,
            };
            if let ControlFlow::Break(found) = visit(held) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// Finds the processes that have these sockets, by the sockets' numbers; one that nobody has is absent.
///
/// # Errors
///
/// The processes cannot be listed.
pub(super) async fn of(sockets: BTreeSet<u32>) -> io::Result<BTreeMap<u32, Vec<Process>>> {
    if sockets.is_empty() {
        return Ok(BTreeMap::new());
    }
    // Beside the loop: there may be thousands of processes.
    let found = tokio::task::spawn_blocking(move || find(&sockets));
    found.await.map_err(io::Error::other)?
}

fn find(sockets: &BTreeSet<u32>) -> io::Result<BTreeMap<u32, Vec<Process>>> {
    let mut holders: BTreeMap<u32, BTreeSet<i32>> = BTreeMap::new();
    look(|held| {
        if sockets.contains(&held.inode) {
            holders.entry(held.inode).or_default().insert(held.process);
        }
        ControlFlow::<()>::Continue(())
    })?;
    let processes: BTreeSet<i32> = holders.values().flatten().copied().collect();
    let processes = processes
        .into_iter()
        .filter_map(|id| Some((id, names(id)?)));
    let processes: BTreeMap<i32, Process> = processes.collect();
    let named = holders.into_iter().map(|(socket, ids)| {
        let named = ids.iter().filter_map(|id| processes.get(id).cloned());
        (socket, named.collect())
    });
    Ok(named.collect())
}

/// The names of a process; absent when it has ended.
fn names(process: i32) -> Option<Process> {
    let read = |file| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
    let command = read("comm")?.trim_end().to_owned();
    let cgroups = cgroups(&read("cgroup").unwrap_or_default());
    Some(Process { command, cgroups })
}

/// The names of a process's cgroups, from the innermost out (`cgroups(7)`, `/proc/PID/cgroup`).
fn cgroups(text: &str) -> Vec<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    let names = path.unwrap_or_default().rsplit('/');
    names
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// The number of the socket that a descriptor's link leads to (`proc_pid_fd(5)`).
fn socket(link: &Path) -> Option<u32> {
    let target = fs::read_link(link).ok()?;
    let inode = target.to_str()?.strip_prefix("socket:[")?;
    inode.strip_suffix(']')?.parse().ok()
}

fn number(name: &OsStr) -> Option<i32> {
    name.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn cgroups_from_the_innermost_out() {
        for (text, expected) in [
            ("0::/\n", &[][..]),
            (
                "12:cpu:/x\n0::/system.slice/web1.service/worker\n",
                &["worker", "web1.service", "system.slice"],
            ),
            ("12:cpu:/x\n", &[]),
        ] {
            assert_eq!(cgroups(text), expected, "{text:?}");
        }
    }

    #[tokio::test]
    async fn who_has_a_socket_is_found_by_its_number() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let link = format!("/proc/self/fd/{}", listener.as_raw_fd());
        let inode = socket(Path::new(&link)).expect("a socket");
        let own = i32::try_from(std::process::id()).expect("a process id");
        let found = look(|held| {
            if held.inode == inode {
                ControlFlow::Break((held.process, held.descriptor))
            } else {
                ControlFlow::Continue(())
            }
        });
        let found = found.expect("the processes");
        assert_eq!(found, Some((own, listener.as_raw_fd())));

        let holders = of([inode, u32::MAX].into()).await.expect("the processes");
        assert_eq!(holders.len(), 1, "{holders:?}");
        let itself = names(own).expect("this process lives");
        assert_eq!(holders[&inode], [itself]);
        drop(listener);
        assert!(of([inode].into()).await.expect("the processes").is_empty());
    }
}
