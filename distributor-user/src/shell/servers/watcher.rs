//! Who has the listening sockets, and what they have used.
//!
//! A cgroup is a server's own if it is not the root, does not have the daemon in
//! it, and no other process in it has a listening socket of this stack. Helpers
//! of the server in its cgroup count as the server: they work for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{ListenerLoad, Measured, Question};
use crate::engine::forwarding::ServiceKey;
use crate::engine::load::{Account, Load, Meter, Reading, Server};
use crate::shell::cgroup;
use crate::shell::load::{limit, of_cgroup, of_processes};
use crate::shell::sock_diag::Entry;

/// Processes are looked for again after this time, in case some were added to those that are known.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The same where nobody was found, or who was found has ended.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// Servers of one service that count at most: what a member can be told in one piece.
const MOST_SERVERS: usize = 256;

/// Finds servers and measures them, one look after the other.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    /// What the stack can do, in thousandths of a processor.
    capacity: u32,
    /// The processes that have a listening socket, by its inode, sorted.
    holders: BTreeMap<u32, Vec<i32>>,
    looked: Option<Instant>,
    meters: BTreeMap<Subject, Meter>,
    began: Option<Instant>,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Cgroup(PathBuf),
    Processes(Vec<i32>),
}

impl Subject {
    fn account(&self) -> Account {
        match self {
            Self::Cgroup(_) => Account::Cgroup,
            Self::Processes(_) => Account::Processes,
        }
    }
}

impl Watcher {
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Measures what is asked for; `listeners` are all of the stack's listening sockets.
    ///
    /// A server says nothing at its first look, and one whose processes are not found none at all.
    pub(super) fn measure(&mut self, question: &Question, listeners: &[Entry]) -> Measured {
        let inodes: BTreeSet<u32> = listeners.iter().map(|listener| listener.inode).collect();
        self.find_holders(&inodes);
        let root = cgroup::root().ok();
        let crowd = Crowd::of(&self.holders, root.as_deref());
        let is_of = |key: &ServiceKey, listener: &Entry| {
            listener.local.port() == key.port && listener.listens_on(key.dvipa)
        };
        let mut subjects: BTreeMap<ServiceKey, BTreeSet<Subject>> = BTreeMap::new();
        for key in &question.services {
            let own = listeners.iter().filter(|listener| is_of(key, listener));
            let found = own.filter_map(|listener| {
                let holders = self.holders.get(&listener.inode)?;
                crowd.subject(holders)
            });
            subjects.insert(*key, found.collect());
        }
        let is_asked = |listener: &&Entry| {
            let port = listener.local.port();
            question.ports.iter().any(|ports| ports.contains(&port))
        };
        let of_listeners: Vec<(&Entry, Subject)> = listeners
            .iter()
            .filter(is_asked)
            .filter_map(|listener| {
                let holders = self.holders.get(&listener.inode)?;
                Some((listener, crowd.subject(holders)?))
            })
            .collect();
        let all = subjects.values().flatten();
        let all = all.chain(of_listeners.iter().map(|(_, subject)| subject));
        let all: BTreeSet<&Subject> = all.collect();
        self.meters.retain(|subject, _| all.contains(subject));
        let mut loads = BTreeMap::new();
        for subject in all {
            if let Some(load) = self.take(subject, root.as_deref(), question.within) {
                loads.insert(subject.clone(), load);
            }
        }
        let server = |subject: &Subject| {
            let load = *loads.get(subject)?;
            let account = subject.account();
            Some(Server { account, load })
        };
        let services = subjects.iter();
        let services = services.map(|(key, subjects)| {
            let servers = subjects.iter().filter_map(server).take(MOST_SERVERS);
            let servers: Vec<Server> = servers.collect();
            (*key, servers)
        });
        let listener = |(listener, subject): &(&Entry, Subject)| {
            Some(ListenerLoad {
                port: listener.local.port(),
                cookie: listener.cookie,
                load: *loads.get(subject)?,
            })
        };
        let services = services.filter(|(_, servers)| !servers.is_empty());
        Measured {
            services: services.collect(),
            listeners: of_listeners.iter().filter_map(listener).collect(),
        }
    }

    /// Reads what one has used, and meters it.
    fn take(
        &mut self,
        subject: &Subject,
        root: Option<&Path>,
        within: Option<u32>,
    ) -> Option<Load> {
        let at = self.began.get_or_insert_with(Instant::now).elapsed();
        let (worked, stalls) = match subject {
            Subject::Cgroup(path) => of_cgroup(path).ok()?,
            Subject::Processes(processes) => of_processes(processes),
        };
        let own_limit = match (subject, root) {
            (Subject::Cgroup(path), Some(root)) => limit(path, root),
            _ => None,
        };
        let capacity = own_limit.map_or(self.capacity, |limit| limit.min(self.capacity));
        let meter = self.meters.entry(subject.clone());
        let meter = meter.or_insert_with(|| Meter::new(capacity));
        meter.set_capacity(capacity);
        meter.take(Reading { worked, stalls, at }, within)
    }

    /// Looks for the holders of sockets, if what is known of them may be wrong.
    fn find_holders(&mut self, inodes: &BTreeSet<u32>) {
        let lives = |process: &i32| Path::new("/proc").join(process.to_string()).exists();
        let is_known = |inode: &u32| {
            let holders = self.holders.get(inode);
            holders.is_some_and(|holders| !holders.is_empty() && holders.iter().all(lives))
        };
        let pause = if inodes.iter().all(is_known) {
            LOOK_AGAIN
        } else if inodes.iter().all(|inode| self.holders.contains_key(inode)) {
            LOOK_SOON
        } else {
            Duration::ZERO
        };
        if self.looked.is_none_or(|looked| looked.elapsed() >= pause) {
            self.looked = Some(Instant::now());
            self.holders = holders(inodes);
        }
    }
}

/// Finds the processes that have these sockets; those of nobody that is found have an empty list.
fn holders(inodes: &BTreeSet<u32>) -> BTreeMap<u32, Vec<i32>> {
    let mut holders: BTreeMap<u32, Vec<i32>> =
        inodes.iter().map(|inode| (*inode, Vec::new())).collect();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(id) = id else {
            continue;
        };
        // Processes end while they are looked at.
        let files = fs::read_dir(process.path().join("fd"));
        let found: BTreeSet<u32> = files
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| socket(fs::read_link(file.path()).ok()?.to_str()?))
            .collect();
        for inode in found {
            if let Some(of_socket) = holders.get_mut(&inode) {
                of_socket.push(id);
            }
        }
    }
    for of_socket in holders.values_mut() {
        of_socket.sort_unstable();
    }
    holders
}

/// The inode of a socket, from what its link in `/proc/PID/fd` says (`proc_pid_fd(5)`).
fn socket(link: &str) -> Option<u32> {
    let number = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    number.parse().ok()
}

/// Where the holders of all listening sockets are.
struct Crowd {
    root: Option<PathBuf>,
    /// The cgroup of each.
    cgroups: BTreeMap<i32, String>,
    /// The holders of each socket, each set once.
    sets: BTreeSet<Vec<i32>>,
    /// The daemon's own cgroup.
    daemon: Option<String>,
}

impl Crowd {
    fn of(holders: &BTreeMap<u32, Vec<i32>>, root: Option<&Path>) -> Self {
        let all: BTreeSet<i32> = holders.values().flatten().copied().collect();
        let cgroup = |process: i32| Some((process, cgroup_of(&process.to_string())?));
        Self {
            root: root.map(Path::to_owned),
            cgroups: all.into_iter().filter_map(cgroup).collect(),
            sets: holders.values().cloned().collect(),
            daemon: cgroup_of("self"),
        }
    }

    /// By what the server is measured that these processes are; none without processes.
    fn subject(&self, holders: &[i32]) -> Option<Subject> {
        let first = holders.first()?;
        let processes = Subject::Processes(holders.to_vec());
        let (Some(path), Some(root)) = (self.cgroups.get(first), &self.root) else {
            return Some(processes);
        };
        let is_in = |process: &i32| self.cgroups.get(process) == Some(path);
        let is_other = |set: &&Vec<i32>| !set.iter().any(|process| holders.contains(process));
        let mut others = self.sets.iter().filter(is_other);
        let is_own = path != "/"
            && self.daemon.as_ref() != Some(path)
            && holders.iter().all(is_in)
            && !others.any(|set| set.iter().any(is_in));
        Some(if is_own {
            Subject::Cgroup(root.join(path.trim_start_matches('/')))
        } else {
            processes
        })
    }
}

/// The cgroup of a process in the hierarchy of version 2 (`cgroups(7)`).
fn cgroup_of(process: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::AsRawFd as _;
    use std::process;

    use netlink_packet_sock_diag::constants::TCP_LISTEN;

    use super::*;

    fn crowd(cgroups: &[(i32, &str)], sets: &[&[i32]]) -> Crowd {
        let cgroups = cgroups.iter();
        Crowd {
            root: Some("/cgroup".into()),
            cgroups: cgroups
                .map(|(process, path)| (*process, (*path).to_owned()))
                .collect(),
            sets: sets.iter().map(|set| set.to_vec()).collect(),
            daemon: Some("/system/distributor".to_owned()),
        }
    }

    #[test]
    fn a_cgroup_is_measured_if_one_server_has_it_for_itself() {
        let cgroup = |path: &str| Some(Subject::Cgroup(path.into()));
        let processes = |holders: &[i32]| Some(Subject::Processes(holders.to_vec()));
        for (cgroups, sets, expected) in [
            // A unit with a master and a worker.
            (
                &[(1, "/system/web"), (2, "/system/web")][..],
                &[&[1, 2][..]][..],
                cgroup("/cgroup/system/web"),
            ),
            // It has two ports, of which one is the master's alone.
            (
                &[(1, "/web"), (2, "/web")],
                &[&[1, 2], &[1]],
                cgroup("/cgroup/web"),
            ),
            // Another server is in it.
            (
                &[(1, "/session"), (2, "/session"), (3, "/session")],
                &[&[1, 2], &[3]],
                processes(&[1, 2]),
            ),
            // In two, the root, the daemon's, or none that is known.
            (&[(1, "/a"), (2, "/b")], &[&[1, 2]], processes(&[1, 2])),
            (&[(1, "/"), (2, "/")], &[&[1, 2]], processes(&[1, 2])),
            (
                &[(1, "/system/distributor"), (2, "/system/distributor")],
                &[&[1, 2]],
                processes(&[1, 2]),
            ),
            (&[], &[&[1, 2]], processes(&[1, 2])),
        ] {
            let found = crowd(cgroups, sets).subject(&[1, 2]);
            assert_eq!(found, expected, "{cgroups:?} {sets:?}");
        }
        assert_eq!(crowd(&[], &[]).subject(&[]), None);
    }

    #[test]
    fn sockets_are_found_by_their_links() {
        assert_eq!(socket("socket:[4711]"), Some(4711));
        for link in ["pipe:[4711]", "socket:[]", "/dev/null"] {
            assert_eq!(socket(link), None, "{link}");
        }
    }

    #[test]
    fn this_process_is_the_server_of_its_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let local = listener.local_addr().expect("an address");
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd()));
        let inode = link.expect("a link").to_str().and_then(socket);
        let entry = Entry {
            state: TCP_LISTEN,
            local,
            remote: SocketAddr::from(([0; 4], 0)),
            ifindex: 0,
            cookie: 1,
            waiting: 0,
            inode: inode.expect("an inode"),
            user: 0,
            is_remnant: false,
            is_v6_only: false,
        };
        let key = ServiceKey {
            dvipa: local.ip(),
            port: local.port(),
        };
        let other = ServiceKey {
            port: local.port() ^ 1,
            ..key
        };
        let question = Question {
            services: [key, other].into(),
            ports: vec![key.port..=key.port],
            within: Some(9_000),
        };
        let mut watcher = Watcher::new(64_000);
        assert_eq!(watcher.measure(&question, &[entry]), Measured::default());
        let own = i32::try_from(process::id()).expect("a small number");
        assert!(watcher.holders[&entry.inode].contains(&own));
        let busy = Instant::now();
        while busy.elapsed() < Duration::from_millis(50) {}
        let measured = watcher.measure(&question, &[entry]);
        let [Server { load, .. }] = measured.services[&key][..] else {
            panic!("{measured:?}");
        };
        assert_eq!((load.capacity, load.within), (64_000, Some(9_000)));
        assert!(load.used > 0 && load.free <= 9_000, "{load:?}");
        assert_eq!(measured.services.len(), 1, "{measured:?}");
        let listener = ListenerLoad {
            port: key.port,
            cookie: entry.cookie,
            load,
        };
        assert_eq!(measured.listeners, [listener]);
        // Nobody asks any more: the next time begins anew.
        assert_eq!(
            watcher.measure(&Question::default(), &[entry]),
            Measured::default()
        );
        assert!(watcher.meters.is_empty());
    }
}
