//! Stands in for the netlink parts that are being finished; goes with them.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "goes when the real parts come"
)]

pub(super) mod arp {
    use std::net::IpAddr;
    pub async fn probe(
        _a: IpAddr,
        _l: &crate::engine::links::Link,
    ) -> anyhow::Result<Option<String>> {
        Ok(None)
    }
    pub fn announce(_a: IpAddr, _l: &crate::engine::links::Link) {}
}

pub(super) mod neighbours {
    use crate::engine::stack::{Hop, NextHopKey};
    use std::collections::{BTreeMap, BTreeSet};
    use tokio::sync::{mpsc, watch};
    pub struct HopChange {
        pub path: NextHopKey,
        pub hop: Option<Hop>,
    }
    pub struct NextHops {
        tx: watch::Sender<BTreeSet<NextHopKey>>,
    }
    impl NextHops {
        pub fn start(
            _n: &crate::shell::netlink::Netlink,
        ) -> anyhow::Result<(Self, mpsc::Receiver<HopChange>)> {
            let (tx, rx) = watch::channel(BTreeSet::new());
            let (out, inn) = mpsc::channel(64);
            tokio::spawn(async move {
                let mut known: BTreeMap<NextHopKey, Hop> = BTreeMap::new();
                loop {
                    let keys: Vec<NextHopKey> = rx.borrow().iter().copied().collect();
                    for key in keys {
                        let name = nix::net::if_::if_indextoname(key.ifindex)
                            .unwrap()
                            .to_string_lossy()
                            .into_owned();
                        let o = std::process::Command::new("ip")
                            .args([
                                "neigh",
                                "show",
                                "to",
                                &key.destination.to_string(),
                                "dev",
                                &name,
                            ])
                            .output()
                            .unwrap();
                        let text = String::from_utf8_lossy(&o.stdout).into_owned();
                        let mut words = text.split_whitespace();
                        let mac = words
                            .by_ref()
                            .find(|w| *w == "lladdr")
                            .and_then(|_| words.next());
                        let own = std::process::Command::new("ip")
                            .args(["-br", "link", "show", "dev", &name])
                            .output()
                            .unwrap();
                        let own = String::from_utf8_lossy(&own.stdout).into_owned();
                        let own = own.split_whitespace().nth(2).unwrap().to_owned();
                        let parse = |s: &str| {
                            let v: Vec<u8> = s
                                .split(':')
                                .map(|b| u8::from_str_radix(b, 16).unwrap())
                                .collect();
                            <[u8; 6]>::try_from(v).unwrap()
                        };
                        if let Some(mac) = mac {
                            let hop = Hop {
                                source_mac: parse(&own),
                                next_hop_mac: parse(mac),
                            };
                            if known.insert(key, hop) != Some(hop) {
                                let _ = out
                                    .send(HopChange {
                                        path: key,
                                        hop: Some(hop),
                                    })
                                    .await;
                            }
                        }
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            });
            Ok((Self { tx }, inn))
        }
        pub fn watch(&self, s: BTreeSet<NextHopKey>) {
            self.tx.send_replace(s);
        }
    }
}
