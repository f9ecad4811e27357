//! Network namespaces for the tests of the shell; needs root.

use std::future::Future;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

/// How long a condition may take to become true before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test on a thread of its own, in a network namespace that ends with it.
///
/// Every socket, task and process that the test starts is in that namespace.
pub(crate) fn in_namespace<T, F>(test: T)
where
    T: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let thread = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace (needs root)");
        ip("link set lo up");
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these arguments in the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("`ip` of iproute2 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `condition` gives something, looking every few milliseconds.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for `future`, no longer than the deadline.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_elapsed| panic!("not within {DEADLINE:?}: {what}"))
}

/// Another network namespace, at the other end of a virtual link.
pub(crate) struct Peer {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    /// By which other programs find the namespace.
    tid: i32,
}

impl Peer {
    /// Makes a namespace that ends with the `Peer`.
    pub(crate) fn start() -> Self {
        let (jobs, received) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (ready, tid) = mpsc::channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace (needs root)");
            ip("link set lo up");
            ready
                .send(nix::unistd::gettid().as_raw())
                .expect("the test waits");
            for job in received {
                job();
            }
        });
        Self {
            jobs,
            tid: tid.recv().expect("a namespace"),
        }
    }

    /// Links the calling thread's namespace to this one by `interface` here and `eth0` there.
    pub(crate) fn link(&self, interface: &str, address: &str, peer_address: &str) {
        ip(&format!(
            "link add {interface} type veth peer name eth0 netns {}",
            self.tid
        ));
        ip(&format!("link set {interface} up"));
        ip(&format!("address add {address} dev {interface}"));
        self.ip("link set eth0 up");
        self.ip(&format!("address add {peer_address} dev eth0"));
    }

    /// Runs `ip` in this namespace.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let arguments = arguments.to_owned();
        self.run(move || ip(&arguments))
    }

    /// Runs something in this namespace.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let job = move || {
            // The test has failed already when it does not wait.
            let _ = done.send(job());
        };
        self.jobs.send(Box::new(job)).expect("the namespace lives");
        result.recv().expect("the job does not panic")
    }
}
