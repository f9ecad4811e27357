//! What changes in the tables of both packet paths while frames go through.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use distributor_common::abi::{self, Roles};
use distributor_common::counter::Event;
use distributor_common::flow::{BUCKET_SLOTS, Stamp, State, Tag};
use distributor_common::host::frame::Frame;
use distributor_common::wire::tcp::SYN;
use distributor_user::engine::forwarding::{
    Affinity, Choice, DvipaForwarding, Ends, Path, ServiceKey, Tunnel,
};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::pair::{BUCKETS, Pair};
use crate::{
    ENCAPSULATIONS, INGRESS, NOWHERE, SERVICES, STACKS, TARGETS, VIPAS, far_end, own_slot, target,
};

const CHOICES: [abi::Choice; 3] = [abi::Choice::Turn, abi::Choice::Hash, abi::Choice::Active];

/// The slots of all stacks as targets of a DVIPA.
fn slots(dvipa: IpAddr) -> Range<u16> {
    let own = own_slot(dvipa);
    own..own + u16::from(STACKS)
}

impl Pair {
    /// Changes who is who for a DVIPA on both sides.
    fn change_vipa(&mut self, random: &mut StdRng) -> Result<()> {
        let vipa = random.random_range(0..VIPAS.len());
        let slots = slots(VIPAS[vipa]);
        let party = |random: &mut StdRng, likely: f64| {
            random
                .random_bool(likely)
                .then(|| random.random_range(slots.clone()))
        };
        let mut offers: Vec<u16> = slots.clone().collect();
        offers.shuffle(random);
        offers.truncate(random.random_range(0..=usize::from(STACKS)));
        let owner = if random.random_bool(0.5) {
            Some(slots.start)
        } else {
            party(random, 0.8)
        };
        let claimant = party(random, 0.2);
        self.set_vipa(vipa, owner, claimant, &offers, random.random_bool(0.5))
    }

    pub(crate) fn set_vipa(
        &mut self,
        vipa: usize,
        owner: Option<u16>,
        claimant: Option<u16>,
        offers: &[u16],
        has_successor: bool,
    ) -> Result<()> {
        let before = self.roles[vipa];
        let own = own_slot(VIPAS[vipa]);
        let place = offers.iter().position(|slot| *slot == own);
        let roles = Roles {
            owner,
            claimant,
            former: if before.owner == owner {
                before.former
            } else {
                before.owner.or(before.former)
            },
            place: place.map(u16::try_from).transpose()?,
            is_owned: owner == Some(own),
            has_successor,
            is_distributed: SERVICES.iter().any(|(dvipa, _)| *dvipa == VIPAS[vipa]),
            ..Roles::default()
        };
        self.roles[vipa] = roles;
        self.host.set_vipa(VIPAS[vipa], roles, offers);
        let forwarding = DvipaForwarding {
            owner: owner.map(target),
            claimant: claimant.map(target),
            offers: offers.iter().copied().map(target).collect(),
            epoch: 1,
            has_successor,
        };
        self.forwarding.dvipas.insert(VIPAS[vipa], forwarding);
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Keeps connections to a service here that start here, or no longer, on both sides.
    fn toggle_kept(&mut self, random: &mut StdRng) -> Result<()> {
        let (dvipa, port) = *SERVICES.choose(random).context("some")?;
        let key = ServiceKey { dvipa, port };
        if self.forwarding.kept.remove(&key) {
            self.host.kept.remove(&(dvipa, port));
        } else {
            self.forwarding.kept.insert(key);
            let own = own_slot(dvipa);
            self.host.kept.insert((dvipa, port), (own, own));
        }
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Lets clients of a service keep some of its targets, or none, on both sides.
    fn change_affinity(&mut self, random: &mut StdRng) -> Result<()> {
        let service = random.random_range(0..SERVICES.len());
        let (dvipa, port) = SERVICES[service];
        let mut ready: Vec<u16> = slots(dvipa).collect();
        ready.retain(|_| random.random_bool(0.7));
        let seconds = if random.random_bool(0.5) { 5 } else { 0 };
        let known = self
            .forwarding
            .services
            .get_mut(&ServiceKey { dvipa, port });
        known.context("a known service")?.affinity = (seconds > 0).then(|| Affinity {
            seconds,
            ready: ready.clone().into(),
        });
        let service = u32::try_from(service)?;
        self.host.set_affinity(service, seconds, &ready);
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Changes a ring, a path, a DVIPA, what is kept, or what clients keep, on both sides.
    pub(crate) fn change(&mut self, random: &mut StdRng) -> Result<()> {
        if random.random_bool(0.3) {
            return self.change_vipa(random);
        }
        if random.random_bool(0.2) {
            return self.toggle_kept(random);
        }
        if random.random_bool(0.2) {
            return self.change_affinity(random);
        }
        if random.random_bool(0.5) {
            let service = random.random_range(0..SERVICES.len());
            let choice = *CHOICES.choose(random).context("some")?;
            let (dvipa, port) = SERVICES[service];
            let mut ring: Vec<u16> = (0..random.random_range(0..8))
                .map(|_| random.random_range(slots(dvipa)))
                .collect();
            if choice == abi::Choice::Active {
                ring.sort_unstable();
                ring.dedup();
                ring.shuffle(random);
            }
            let weights: Vec<u8> = ring.iter().map(|_| random.random_range(1..=99)).collect();
            let known = self
                .forwarding
                .services
                .get_mut(&ServiceKey { dvipa, port });
            let known = known.context("a known service")?;
            known.ring = ring.clone().into();
            let service = u32::try_from(service)?;
            self.host.set_ring(service, &ring);
            self.host.set_choice(service, choice);
            known.choice = match choice {
                abi::Choice::Turn => Choice::Turn,
                abi::Choice::Hash => Choice::Hash,
                abi::Choice::Active => {
                    self.host.set_weights(service, &weights);
                    let weights = weights.into();
                    Choice::Active { weights }
                }
            };
        } else {
            let slot = random.random_range(0..u16::from(TARGETS));
            if slot % u16::from(STACKS) == 0 {
                return Ok(()); // this stack itself
            }
            let [source_mac, next_hop_mac] = random.random::<[[u8; 6]; 2]>();
            let ifindex = *[INGRESS, INGRESS, self.redirect, NOWHERE]
                .choose(random)
                .context("four")?;
            let (engine, packet) = match random.random_range(0..8) {
                0 => (Path::Local, abi::Path::Local),
                1 => (Path::Unreachable, abi::Path::Unreachable),
                2..5 => tunnel(random, slot, ifindex, [source_mac, next_hop_mac]),
                _ => (
                    Path::Link {
                        ifindex,
                        source_mac,
                        next_hop_mac,
                    },
                    abi::Path::link(ifindex, source_mac, next_hop_mac),
                ),
            };
            self.next_hops.push(next_hop_mac);
            self.forwarding.targets.insert(target(slot), engine);
            self.host.set_path(slot, packet);
        }
        Ok(self.kernel.apply(&self.forwarding)?)
    }

    /// Makes a flow older on both sides, or whatever a stamp can say; and marks or removes what a client
    /// keeps, as the daemon does.
    pub(crate) fn age(&mut self, random: &mut StdRng) -> Result<()> {
        let slot = random.random_range(0..BUCKET_SLOTS);
        let stamp = Stamp::from_jiffies(random.random_range(1952..2048), 0);
        let state = *[State::HalfOpen, State::Established, State::Ending]
            .choose(random)
            .context("three")?;
        let is_removed = random.random_bool(0.3);
        let bucket = random.random_range(0..BUCKETS);
        self.edit(bucket, slot, |tag| {
            let is_affinity = (16..32).contains(&tag.ports().trailing_zeros());
            if tag.state() == State::Free {
                tag
            } else if !is_affinity {
                tag.with_stamp(stamp)
            } else if is_removed {
                tag.freed()
            } else {
                tag.with_state(state).with_stamp(stamp)
            }
        })
    }

    /// Takes the lock of a bucket on both sides, or gives it back, as if another CPU did.
    pub(crate) fn toggle_lock(&mut self, random: &mut StdRng) -> Result<()> {
        let bucket = random.random_range(0..BUCKETS);
        self.edit(bucket, 0, |tag| Tag(tag.0 ^ Tag::LOCK))
    }

    /// Fills the flow table with established flows until there is no room for a new one.
    pub(crate) fn fill_table(&mut self) -> Result<()> {
        self.set_silence(false)?;
        let (dvipa, port) = SERVICES[0];
        self.set_vipa(0, Some(own_slot(dvipa)), None, &[], false)?;
        let key = ServiceKey { dvipa, port };
        let service = self.forwarding.services.get_mut(&key);
        let service = service.context("a known service")?;
        service.ring = [own_slot(dvipa)].into();
        service.choice = Choice::Turn;
        self.host.set_ring(0, &[own_slot(dvipa)]);
        self.host.set_choice(0, abi::Choice::Turn);
        self.kernel.apply(&self.forwarding)?;
        for port in 41_000..42_000 {
            self.compare(&Frame::new(port, SYN).bytes())?;
            if self.kernel.counters().event(Event::TableFull) > 0 {
                return Ok(());
            }
            for place in 0..BUCKETS * BUCKET_SLOTS {
                let (bucket, slot) = (place / BUCKET_SLOTS, place % BUCKET_SLOTS);
                self.edit(bucket, slot, |tag| match tag.state() {
                    State::Free => tag,
                    State::HalfOpen | State::Established | State::Ending => {
                        tag.with_state(State::Established)
                    }
                })?;
            }
        }
        bail!("the table has no end")
    }

    fn edit(&mut self, bucket: usize, slot: usize, new: impl Fn(Tag) -> Tag) -> Result<()> {
        let mut words = self.flows.get(&0, 0)?;
        let place = 2 * (BUCKET_SLOTS * bucket + slot) + 1;
        let word = &self.host.buckets()[bucket].slots[slot].tag;
        ensure!(
            word.load() == words[place],
            "slot {slot} of bucket {bucket} differs"
        );
        let tag = new(Tag(word.load())).0;
        words[place] = tag;
        word.store(tag);
        Ok(self.flows.set(0, words, 0)?)
    }
}

/// A path to the stack in a slot that is behind a router.
fn tunnel(
    random: &mut StdRng,
    slot: u16,
    ifindex: u32,
    [source_mac, next_hop_mac]: [[u8; 6]; 2],
) -> (Path, abi::Path) {
    let (kind, encapsulation) = *ENCAPSULATIONS.choose(random).unwrap_or(&ENCAPSULATIONS[0]);
    let mtu = *[1500, 1400, 576, 9000].choose(random).unwrap_or(&1500);
    let stack = u8::try_from(slot).unwrap_or(u8::MAX) % STACKS;
    let ends = [far_end(0), far_end(stack)];
    let [source, destination] = ends.map(|end| Ipv4Addr::from(end).into());
    let engine = Path::Tunnel {
        ifindex,
        source_mac,
        next_hop_mac,
        tunnel: Tunnel {
            encapsulation: kind,
            ends: Ends {
                source,
                destination,
            },
            mtu,
        },
    };
    let addresses = abi::Path::addresses(source_mac, next_hop_mac);
    let tunnel = abi::Tunnel::ipv4(encapsulation, ends, mtu, ifindex, addresses);
    (engine, abi::Path::Tunnel(tunnel))
}
