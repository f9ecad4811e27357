//! What the rules of nftables do with a packet, as far as that can be told without its sender.
//!
//! Rules are read as `nft -j` writes them (libnftables-json(5)). What is not known,
//! such as the client, makes a match uncertain: a drop counts only if it is sure,
//! and an accept that is only possible keeps what follows from being sure.

use std::net::IpAddr;

use serde_json::Value;

use known::{Known, Match, word};

pub(super) use known::Protocol;

mod known;

/// How deep chains may call one another; the kernel allows 16.
const DEPTH: u8 = 16;

/// A packet, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) is_ipv6: bool,
    pub(super) protocol: Protocol,
    /// What `nft` calls the type of a message of `icmpv6`.
    pub(super) icmp_type: Option<&'static str>,
    pub(super) destination: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) destination_port: Option<u16>,
    pub(super) source_port: Option<u16>,
    /// What conntrack says of it.
    pub(super) state: &'static str,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is dropped for sure, by what.
    Dropped(String),
    /// Its addresses are changed for sure, by what.
    Rewritten(String),
    /// Neither is sure.
    Unsure,
}

/// What a chain does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Dropped(String),
    Rewritten(String),
    /// Its end is reached.
    Through,
    /// Something matches that might, so nothing that follows is sure.
    Unsure,
}

struct Chain<'a> {
    family: &'a str,
    table: &'a str,
    name: &'a str,
    hook: Option<&'a str>,
    kind: &'a str,
    priority: i64,
    policy: &'a str,
}

struct Rule<'a> {
    family: &'a str,
    table: &'a str,
    chain: &'a str,
    handle: u64,
    expressions: &'a [Value],
}

/// All chains, rules and sets.
pub(super) struct Ruleset<'a> {
    chains: Vec<Chain<'a>>,
    rules: Vec<Rule<'a>>,
    sets: Vec<(&'a str, &'a str, &'a str, &'a [Value])>,
}

impl<'a> Ruleset<'a> {
    /// Reads the document; `None` if it is none of `nft`.
    pub(super) fn read(document: &'a Value) -> Option<Self> {
        let mut ruleset = Self {
            chains: Vec::new(),
            rules: Vec::new(),
            sets: Vec::new(),
        };
        for object in document.get("nftables")?.as_array()? {
            if let Some(chain) = object.get("chain") {
                ruleset.chains.push(Chain {
                    family: word(chain, "family"),
                    table: word(chain, "table"),
                    name: word(chain, "name"),
                    hook: chain.get("hook").and_then(Value::as_str),
                    kind: word(chain, "type"),
                    priority: chain.get("prio").and_then(Value::as_i64).unwrap_or(0),
                    policy: word(chain, "policy"),
                });
            } else if let Some(rule) = object.get("rule") {
                ruleset.rules.push(Rule {
                    family: word(rule, "family"),
                    table: word(rule, "table"),
                    chain: word(rule, "chain"),
                    handle: rule.get("handle").and_then(Value::as_u64).unwrap_or(0),
                    expressions: list(rule.get("expr")),
                });
            } else if let Some(set) = object.get("set") {
                let elements = list(set.get("elem"));
                let key = (word(set, "family"), word(set, "table"), word(set, "name"));
                ruleset.sets.push((key.0, key.1, key.2, elements));
            }
        }
        ruleset.chains.sort_by_key(|chain| chain.priority);
        Some(ruleset)
    }

    /// What becomes of a packet at these hooks, one after the other.
    pub(super) fn fate(&self, packet: &Packet, hooks: &[&str]) -> Fate {
        for hook in hooks {
            for chain in self.chains.iter().filter(|chain| chain.hook == Some(hook)) {
                let family = if packet.is_ipv6 { "ip6" } else { "ip" };
                if chain.family != "inet" && chain.family != family {
                    continue;
                }
                match self.walk(chain, packet, DEPTH) {
                    Outcome::Dropped(by) => return Fate::Dropped(by),
                    Outcome::Rewritten(by) => return Fate::Rewritten(by),
                    Outcome::Through if chain.policy == "drop" => {
                        let Chain {
                            family,
                            table,
                            name,
                            ..
                        } = chain;
                        return Fate::Dropped(format!(
                            "the policy of the nftables chain `{family} {table} {name}`"
                        ));
                    }
                    // Another chain may still drop it, whatever this one does.
                    Outcome::Accepted | Outcome::Through | Outcome::Unsure => {}
                }
            }
        }
        Fate::Unsure
    }

    fn walk(&self, chain: &Chain<'_>, packet: &Packet, depth: u8) -> Outcome {
        let of_chain = |rule: &&Rule<'_>| {
            rule.family == chain.family && rule.table == chain.table && rule.chain == chain.name
        };
        for rule in self.rules.iter().filter(of_chain) {
            match self.apply(chain, rule, packet, depth) {
                None => {}
                Some(outcome) => return outcome,
            }
        }
        Outcome::Through
    }

    /// What a rule does; `None` if the next one follows.
    fn apply(
        &self,
        chain: &Chain<'_>,
        rule: &Rule<'_>,
        packet: &Packet,
        depth: u8,
    ) -> Option<Outcome> {
        let mut is_sure = true;
        for expression in rule.expressions {
            let (name, value) = expression.as_object()?.iter().next()?;
            let outcome = match name.as_str() {
                "match" => {
                    match self.matches(rule, value, packet) {
                        Match::Yes => {}
                        Match::No => return None,
                        Match::Perhaps => is_sure = false,
                    }
                    continue;
                }
                "counter" | "log" | "comment" | "notrack" | "mangle" | "meta" => continue,
                // Who sends it is of no interest to who answers.
                "accept" | "snat" | "masquerade" => Outcome::Accepted,
                "drop" | "reject" => Outcome::Dropped(shown(rule)),
                "return" => {
                    // A base chain goes on with its policy, another with its caller.
                    return Some(if is_sure {
                        Outcome::Through
                    } else {
                        Outcome::Unsure
                    });
                }
                "jump" | "goto" => self.call(chain, value, packet, depth, name == "goto")?,
                "dnat" | "redirect" | "tproxy" if chain.kind == "nat" || name == "tproxy" => {
                    Outcome::Rewritten(shown(rule))
                }
                // A limit, a map of verdicts, whatever else: it may or may not match.
                _ => {
                    is_sure = false;
                    continue;
                }
            };
            return match outcome {
                outcome if is_sure => Some(outcome),
                // It would be let through if it matched: nothing after it is sure.
                Outcome::Accepted | Outcome::Unsure => Some(Outcome::Unsure),
                Outcome::Dropped(_) | Outcome::Rewritten(_) | Outcome::Through => None,
            };
        }
        // A verdict map or the like may have let it through.
        let has_verdict = rule.expressions.iter().any(|one| one.get("vmap").is_some());
        has_verdict.then_some(Outcome::Unsure)
    }

    fn call(
        &self,
        chain: &Chain<'_>,
        value: &Value,
        packet: &Packet,
        depth: u8,
        is_final: bool,
    ) -> Option<Outcome> {
        let target = word(value, "target");
        let called = self.chains.iter().find(|other| {
            other.family == chain.family && other.table == chain.table && other.name == target
        });
        let (Some(called), Some(depth)) = (called, depth.checked_sub(1)) else {
            return Some(Outcome::Unsure);
        };
        let outcome = self.walk(called, packet, depth);
        // At the end of a chain it goes on behind the rule that called it.
        Some(outcome).filter(|outcome| is_final || *outcome != Outcome::Through)
    }

    fn matches(&self, rule: &Rule<'_>, value: &Value, packet: &Packet) -> Match {
        let (Some(left), Some(right)) = (value.get("left"), value.get("right")) else {
            return Match::Perhaps;
        };
        let version = if packet.is_ipv6 {
            ["ipv6", "ip6"]
        } else {
            ["ipv4", "ip"]
        };
        let is_in = |found: Option<Known>| match found {
            None => Match::Perhaps,
            Some(known) => self.contains(rule, right, known),
        };
        let found = if let Some(payload) = left.get("payload") {
            match (word(payload, "protocol"), word(payload, "field")) {
                (protocol @ ("tcp" | "udp" | "th"), field) => {
                    if protocol != "th" && !packet.protocol.names().contains(&protocol) {
                        return Match::No;
                    }
                    match field {
                        _ if packet.protocol == Protocol::Icmpv6 => Match::Perhaps,
                        "dport" => is_in(Some(Known::port(packet.destination_port))),
                        "sport" => is_in(Some(Known::port(packet.source_port))),
                        _ => Match::Perhaps,
                    }
                }
                ("icmpv6", "type") if packet.protocol == Protocol::Icmpv6 => {
                    is_in(packet.icmp_type.map(Known::Word))
                }
                ("icmpv6", _) if packet.protocol == Protocol::Icmpv6 => Match::Perhaps,
                ("icmp" | "icmpv6" | "sctp" | "dccp" | "arp", _) => return Match::No,
                ("ip", _) if packet.is_ipv6 => return Match::No,
                ("ip6", _) if !packet.is_ipv6 => return Match::No,
                ("ip" | "ip6", "daddr") => is_in(packet.destination.map(Known::Address)),
                ("ip" | "ip6", "saddr") => is_in(packet.source.map(Known::Address)),
                ("ip", "protocol") | ("ip6", "nexthdr") => {
                    is_in(Some(Known::Protocol(packet.protocol)))
                }
                _ => Match::Perhaps,
            }
        } else if let Some(meta) = left.get("meta") {
            match word(meta, "key") {
                "l4proto" => is_in(Some(Known::Protocol(packet.protocol))),
                "nfproto" => is_in(Some(Known::Word(version[0]))),
                "protocol" => is_in(Some(Known::Word(version[1]))),
                "iif" | "iifname" | "oif" | "oifname" => not_loopback(right),
                _ => Match::Perhaps,
            }
        } else if let Some(ct) = left.get("ct") {
            match word(ct, "key") {
                "state" => is_in(Some(Known::Word(packet.state))),
                _ => Match::Perhaps,
            }
        } else {
            Match::Perhaps
        };
        match (word(value, "op"), found) {
            ("!=", Match::Yes) => Match::No,
            ("!=", Match::No) => Match::Yes,
            (_, found) => found,
        }
    }

    fn contains(&self, rule: &Rule<'_>, right: &Value, known: Known) -> Match {
        if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
            let set = self.sets.iter().find(|(family, table, set, _)| {
                *family == rule.family && *table == rule.table && *set == name
            });
            return set.map_or(Match::Perhaps, |(_, _, _, elements)| {
                self.any(rule, elements, known)
            });
        }
        if let Some(elements) = right.get("set").and_then(Value::as_array) {
            return self.any(rule, elements, known);
        }
        if let Some(elements) = right.as_array() {
            return self.any(rule, elements, known);
        }
        known.is(right)
    }

    fn any(&self, rule: &Rule<'_>, elements: &[Value], known: Known) -> Match {
        let mut found = Match::No;
        for element in elements {
            let element = element.get("elem").map_or(element, |elem| &elem["val"]);
            match self.contains(rule, element, known) {
                Match::Yes => return Match::Yes,
                Match::Perhaps => found = Match::Perhaps,
                Match::No => {}
            }
        }
        found
    }
}

/// Whatever interface it is, it is not `lo`.
fn not_loopback(right: &Value) -> Match {
    if right.as_str() == Some("lo") {
        Match::No
    } else {
        Match::Perhaps
    }
}

fn shown(rule: &Rule<'_>) -> String {
    let Rule {
        family,
        table,
        chain,
        handle,
        ..
    } = rule;
    format!("rule {handle} of the nftables chain `{family} {table} {chain}`")
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
