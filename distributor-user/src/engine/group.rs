//! The authenticated group among stacks: who is a member, and what they say to each other.
//!
//! Nothing in here opens a socket, reads a clock or awaits, and nothing that
//! was not sealed with a key of the group, for this stack and for a session
//! that answered this stack's own challenge, changes anything but a counter.
//! Randomness comes in as a seed, time as a duration since any fixed moment.
//!
//! ```text
//!  searched ──hello/offer──▶ open ──name and address are free──▶ member ──silent, goodbye──▶ gone
//!                             └──taken──▶ contender ──the holder is gone──▲
//! ```
//!
//! Every member has one session with every other. What is said goes on every
//! path between the two, and the session's replay window takes the first copy.
//!
//! | module | concern |
//! |---|---|
//! | [`key`], `seal`, `window` | who can have sent a datagram, and whether it is new |
//! | `message` | what is in a datagram |
//! | `search`, `opening` | finding stacks, and proving that they are alive |
//! | `membership` | admitting them, and giving them up |
//! | `path` | which paths to a member work |
//! | `delivery`, `reassembly` | facts that arrive once and in order; gossip in parts |

mod delivery;
pub mod drops;
mod interface;
pub mod key;
mod limit;
mod membership;
mod message;
mod opening;
mod path;
mod reassembly;
mod seal;
mod search;
mod session;
mod settings;
mod traffic;
mod window;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

pub use drops::{DropReason, Drops};
pub use interface::{
    ConflictKind, EncodedFact, FactTooLong, GroupEvent, Input, LeftReason, LocalAddress, Member,
    Notice, Output,
};
pub use message::{ADDRESSES_MAX, NAME_MAX};
pub use path::Endpoints;
pub use reassembly::GOSSIP_BYTES_MAX;
pub use seal::DATAGRAM_MAX;
pub use settings::{GroupSettings, SettingsError};

use key::KeyRing;
use limit::{Allowance, PerSource};
use message::Identity;
use opening::Opening;
use seal::{Header, Kind, SessionId};
use search::Search;
use session::{Ids, Session};

/// How often the operator is told about the same source.
const NOTICES: Allowance = Allowance {
    interval: Duration::from_mins(10),
    burst: 1,
};

/// Beats that a stack misses itself before it counts as having stood still.
const BEATS_MISSED: u32 = 2;

/// Our addresses of another network from which a seed is asked, at most.
const DISTANT_LOCALS_MAX: usize = 4;

/// The group as one stack sees it.
#[derive(Debug)]
pub struct GroupEngine {
    settings: GroupSettings,
    keys: KeyRing,
    instance: u64,
    random: StdRng,
    sessions: BTreeMap<Ids, Session>,
    opening: Opening,
    search: Search,
    drops: Drops,
    foreign_keys: PerSource,
    foreign_versions: PerSource,
    is_paused: bool,
    /// When something was last put in.
    last_input: Duration,
    /// When this stack last went on after it had stood still for more than two beats.
    awake_since: Duration,
}

impl GroupEngine {
    /// A stack that has not looked for the others yet. `seed` must come from a source of
    /// randomness that nobody can predict, and never be used again.
    ///
    /// # Errors
    ///
    /// When the stack cannot be in a group as it is set up.
    pub fn new(
        settings: GroupSettings,
        keys: KeyRing,
        seed: [u8; 32],
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let mut random = StdRng::from_seed(seed);
        let seeds = settings.seeds.iter().chain(&settings.multicast).copied();
        Ok(Self {
            search: Search::new(seeds),
            keys,
            instance: random.next_u64(),
            random,
            sessions: BTreeMap::new(),
            opening: Opening::default(),
            drops: Drops::default(),
            foreign_keys: PerSource::new(NOTICES),
            foreign_versions: PerSource::new(NOTICES),
            is_paused: false,
            last_input: Duration::ZERO,
            awake_since: Duration::ZERO,
            settings,
        })
    }

    /// Which start of this stack this is: random.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// The members, this stack not included.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        self.sessions
            .values()
            .filter(|session| session.is_member())
            .map(|session| {
                let identity = session.identity.clone();
                Member {
                    name: identity.name,
                    instance: identity.instance,
                    xcf: identity.xcf,
                    addresses: identity.addresses,
                    paths: session.told_paths.iter().copied().collect(),
                }
            })
    }

    /// How many datagrams and messages had no effect, by reason.
    #[must_use]
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Takes one input; `now` never goes back. The outputs are to be executed in order.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Vec<Output> {
        let mut out = Vec::new();
        // Who stood still has not heard what was there to hear, and must not blame others for it.
        if now.saturating_sub(self.last_input) > self.settings.beat * BEATS_MISSED {
            self.awake_since = now;
        }
        self.last_input = now;
        match input {
            Input::Datagram { local, from, bytes } => {
                let path = Endpoints { local, peer: from };
                if let Err(reason) = self.take_datagram(path, bytes, now, &mut out) {
                    self.drops.count(reason);
                    out.extend(self.notice(reason, from.ip(), now).map(Output::Notice));
                }
            }
            Input::Timer => {
                self.tend_sessions(now, &mut out);
                self.look_for_members(now, &mut out);
            }
            Input::Fact { to, fact } => self.send_fact(to, &fact, now, &mut out),
            Input::Gossip { to, bytes } => self.send_gossip(to, bytes, now, &mut out),
            Input::Locals(locals) => self.change_locals(locals, now, &mut out),
            Input::Seeds(seeds) => {
                let multicast = self.settings.multicast.iter().copied();
                self.search.replace(seeds.into_iter().chain(multicast), now);
            }
            Input::Pause(is_paused) => self.is_paused = is_paused,
            Input::Stop => self.say_goodbye(now, &mut out),
        }
        out
    }

    /// When [`Input::Timer`] is due; asked again after every input.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        let sessions = self
            .sessions
            .values()
            .filter_map(|session| self.session_deadline(session));
        sessions.chain(self.search.deadline()).min()
    }

    fn take_datagram(
        &mut self,
        path: Endpoints,
        bytes: &[u8],
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let (header, key) = seal::read_header(bytes)?;
        let ids = Ids {
            local: header.receiver,
            remote: header.sender,
        };
        // What can be told from the header alone spares the opening of what is not wanted.
        self.expect(&header, ids, now)?;
        let message = seal::open(&self.keys, &header, key, bytes)?;
        match header.kind {
            Kind::Hello => self.take_hello(header.sender, &message, path, now, out),
            Kind::Offer => self.take_offer(ids, header.counter, &message, path, now, out),
            Kind::Session => {
                if !self.sessions.contains_key(&ids) {
                    self.take_up_offer(ids, now, out)?;
                }
                let session = self.sessions.get_mut(&ids).ok_or(DropReason::Session)?;
                if !session.window.take(header.counter) {
                    return Err(DropReason::Repeated);
                }
                self.take_message(ids, &message, path, now, out)
            }
        }
    }

    /// Whether a datagram with this header can be wanted at all.
    fn expect(&self, header: &Header, ids: Ids, now: Duration) -> Result<(), DropReason> {
        match header.kind {
            Kind::Hello if ids.local == 0 && ids.remote != 0 => Ok(()),
            Kind::Hello => Err(DropReason::Malformed),
            Kind::Offer if self.opening.is_asked(ids.local, now) => Ok(()),
            Kind::Offer => Err(DropReason::Unwanted),
            Kind::Session => match self.sessions.get(&ids) {
                Some(session) if session.window.is_new(header.counter) => Ok(()),
                Some(_) => Err(DropReason::Repeated),
                None if self.opening.is_offered(ids, now) => Ok(()),
                None => Err(DropReason::Session),
            },
        }
    }

    fn notice(&mut self, reason: DropReason, from: IpAddr, now: Duration) -> Option<Notice> {
        if reason == DropReason::ForeignKey && self.foreign_keys.take(from, now) {
            return Some(Notice::ForeignKey { from });
        }
        if reason == DropReason::Version && self.foreign_versions.take(from, now) {
            return Some(Notice::ForeignVersion { from });
        }
        None
    }

    /// Asks for sessions where no member is.
    fn look_for_members(&mut self, now: Duration, out: &mut Vec<Output>) {
        let sessions = &self.sessions;
        let due = self.search.due(now, |address| {
            sessions
                .values()
                .any(|session| session.identity.is_at(*address))
        });
        let paths: Vec<_> = due
            .into_iter()
            .flat_map(|peer| self.paths_to(peer))
            .collect();
        if paths.is_empty() {
            return;
        }
        let id = self.fresh_id();
        self.opening.ask(id, now);
        // No session keeps its counter apart from other hellos', so chance does.
        let counter = self.random.next_u64();
        let header = Header {
            kind: Kind::Hello,
            sender: id,
            receiver: 0,
            counter,
        };
        let datagram = seal::seal(&self.keys, header, &self.identity().encode());
        out.push(Output::Transmit { paths, datagram });
    }

    /// From where an address is asked that may or may not be of a network of ours.
    fn paths_to(&self, peer: SocketAddr) -> Vec<Endpoints> {
        let locals = &self.settings.locals;
        let from = |local: &LocalAddress| Endpoints {
            local: local.address,
            peer,
        };
        if locals.iter().any(|local| local.address == peer.ip()) {
            return Vec::new();
        }
        if peer.ip().is_multicast() {
            let is_xcf =
                |local: &&LocalAddress| local.is_xcf && local.address.is_ipv4() == peer.is_ipv4();
            return locals.iter().filter(is_xcf).map(from).collect();
        }
        let near: Vec<_> = locals
            .iter()
            .filter(|local| local.reaches(peer.ip()))
            .map(from)
            .collect();
        if !near.is_empty() {
            return near;
        }
        let distant = locals
            .iter()
            .filter(|local| local.address.is_ipv4() == peer.is_ipv4());
        distant.take(DISTANT_LOCALS_MAX).map(from).collect()
    }

    fn identity(&self) -> Identity {
        Identity {
            instance: self.instance,
            name: self.settings.name.clone(),
            xcf: self.settings.xcf,
            port: self.settings.port,
            addresses: self.addresses(),
        }
    }

    fn addresses(&self) -> Vec<(IpAddr, u8)> {
        self.settings
            .locals
            .iter()
            .map(|local| (local.address, local.prefix_len))
            .collect()
    }

    fn ifindex(&self, local: IpAddr) -> u32 {
        let found = self
            .settings
            .locals
            .iter()
            .find(|candidate| candidate.address == local);
        found.map_or(0, |local| local.ifindex)
    }

    fn fresh_id(&mut self) -> SessionId {
        loop {
            let id = self.random.next_u64();
            if id != 0 {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests;
