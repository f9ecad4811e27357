//! Two namespaces with two links between them, which go down and come up.

use std::fs::File;
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd as _;

use nix::sched::{CloneFlags, setns, unshare};

use super::*;

/// Lets the thread enter a namespace.
fn enter(namespace: &File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("the namespace is there");
}

/// A second namespace beside that of the test, and the way between them.
struct Namespaces {
    first: File,
    second: File,
}

impl Namespaces {
    /// Connects them by the links `xcf` and `lan`, both down.
    fn new() -> Self {
        let here = || File::open("/proc/thread-self/ns/net").expect("the thread has a namespace");
        let first = here();
        unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
        ip("link set lo up");
        let second = here();
        let namespaces = Self { first, second };
        enter(&namespaces.first);
        let second = format!(
            "/proc/{}/fd/{}",
            nix::unistd::gettid(),
            namespaces.second.as_raw_fd()
        );
        for link in ["xcf", "lan"] {
            ip(&format!("link add {link} type veth peer name {link}2"));
            ip(&format!("link set {link}2 netns {second} name {link}"));
        }
        namespaces
    }

    /// Gives a namespace its addresses, and returns what the group is told of them.
    fn configure(&self, namespace: &File, addresses: [IpAddr; 2]) -> Vec<LocalAddress> {
        enter(namespace);
        let local = |(ifname, address): (&str, IpAddr)| {
            let prefix_len = if address.is_ipv4() { 24 } else { 64 };
            ip(&format!("link set {ifname} up"));
            let nodad = if address.is_ipv6() { " nodad" } else { "" };
            ip(&format!(
                "addr add {address}/{prefix_len} dev {ifname}{nodad}"
            ));
            let ifindex = nix::net::if_::if_nametoindex(ifname).expect("the interface is there");
            let ifname = ifname.to_owned();
            LocalAddress {
                is_xcf: ifname == "xcf",
                ifname,
                ifindex,
                address,
                prefix_len,
            }
        };
        let locals = ["xcf", "lan"]
            .into_iter()
            .zip(addresses)
            .map(local)
            .collect();
        enter(&self.first);
        locals
    }

    async fn start(&self, namespace: &File, name: &str, local: Vec<LocalAddress>) -> Stack {
        enter(namespace);
        let stack = start(GroupOptions::new(
            name,
            local[0].address.into(),
            keys(&[1]),
            local,
        ))
        .await;
        enter(&self.first);
        stack
    }
}

async fn meet_by_multicast_and_lose_a_link(addresses: [[IpAddr; 2]; 2]) {
    let namespaces = Namespaces::new();
    let [first, second] = addresses;
    let local = namespaces.configure(&namespaces.first, first);
    let mut one = namespaces.start(&namespaces.first, "TCPIP1", local).await;
    let local = namespaces.configure(&namespaces.second, second);
    let mut two = namespaces.start(&namespaces.second, "TCPIP2", local).await;
    one.until_joined(2).await;
    two.until_joined(1).await;
    one.until_path(second[1], true).await;
    two.until_path(first[1], true).await;

    ip("link set xcf down");
    one.until_path(second[0], false).await;
    two.until_path(first[0], false).await;
    one.say(2, 1);
    two.until_facts([1]).await;
    two.say(1, 2);
    one.until_facts([2]).await;
    ip("link set xcf up");
    if let IpAddr::V6(address) = first[0] {
        // The kernel forgets it with the link.
        ip(&format!("addr replace {address}/64 dev xcf nodad"));
    }
    one.until_path(second[0], true).await;
    two.until_path(first[0], true).await;

    ip("link set xcf down");
    ip("link set lan down");
    assert_eq!(one.until_left(2).await, LeftReason::Silent);
    assert_eq!(two.until_left(1).await, LeftReason::Silent);
}

#[test]
fn stacks_meet_by_multicast_and_lose_a_link() {
    in_namespace(|| meet_by_multicast_and_lose_a_link([[xcf(1), lan(1)], [xcf(2), lan(2)]]));
}

#[test]
fn so_they_do_with_ipv6() {
    let address = |network, stack| IpAddr::V6(Ipv6Addr::new(0xfd00, network, 0, 0, 0, 0, 0, stack));
    let of = move |stack| [address(1, stack), address(2, stack)];
    in_namespace(move || meet_by_multicast_and_lose_a_link([of(1), of(2)]));
}
