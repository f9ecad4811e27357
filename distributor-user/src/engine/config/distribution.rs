//! What VIPADISTRIBUTE says: services, their terms and their targets.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One row set of the destination port table: DVIPA × port with its terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order, never 0.
    pub port: u16,
    /// Method, targets and options; the ports of one statement share them.
    #[serde(flatten)]
    pub terms: Arc<Terms>,
}

impl Service {
    /// A service without further options.
    #[must_use]
    pub fn new(dvipa: IpAddr, port: u16, method: DistMethod, destinations: Destinations) -> Self {
        Self {
            dvipa,
            port,
            terms: Arc::new(Terms {
                method,
                destinations,
                options: DistOptions::default(),
            }),
        }
    }
}

/// Services of one DVIPA on the same terms: how services are written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Distribution {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The TCP ports, host order.
    pub ports: Vec<u16>,
    /// What all of them say.
    #[serde(flatten)]
    pub terms: Arc<Terms>,
}

impl Distribution {
    /// Groups consecutive services of one DVIPA that share their terms.
    #[must_use]
    pub fn group(services: &[Service]) -> Vec<Self> {
        let mut distributions: Vec<Self> = Vec::new();
        for service in services {
            match distributions.last_mut() {
                Some(last) if last.dvipa == service.dvipa && last.terms == service.terms => {
                    last.ports.push(service.port);
                }
                _ => distributions.push(Self {
                    dvipa: service.dvipa,
                    ports: vec![service.port],
                    terms: Arc::clone(&service.terms),
                }),
            }
        }
        distributions
    }

    /// The services of what was read, in their order.
    pub fn services(distributions: Vec<Self>) -> impl Iterator<Item = Service> {
        distributions.into_iter().flat_map(|distribution| {
            let Self {
                dvipa,
                ports,
                terms,
            } = distribution;
            ports.into_iter().map(move |port| Service {
                dvipa,
                port,
                terms: Arc::clone(&terms),
            })
        })
    }
}

/// Services as serde writes them: grouped, since there may be thousands on the same terms.
pub(super) mod grouped {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Distribution, Service};

    pub(in super::super) fn serialize<S: Serializer>(
        services: &[Service],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Distribution::group(services).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Service>, D::Error> {
        let distributions = Vec::deserialize(deserializer)?;
        Ok(Distribution::services(distributions).collect())
    }
}

/// A `VIPADISTRIBUTE` without `PORT`: every port on which a server binds the DVIPA itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicService {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Method, targets and options.
    #[serde(flatten)]
    pub terms: Arc<Terms>,
}

/// How the connections of a service are distributed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// `DISTMETHOD`.
    pub method: DistMethod,
    /// `DESTIP`.
    pub destinations: Destinations,
    /// What else the statement says.
    #[serde(default)]
    pub options: DistOptions,
}

/// `DISTMETHOD`, with what refines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DistMethod {
    /// Weights of the targets' systems.
    BaseWlm {
        /// `PROCTYPE`: expected use of the kinds of processors, in proportion.
        processors: Option<Processors>,
    },
    /// One connection each, in turn, over the ready stacks.
    RoundRobin,
    /// Weights of the targets' servers.
    ServerWlm {
        /// `PROCXCOST`: cost of work for a special processor on a normal one, 1–100; `cp` is 1.
        cross_cost: Processors,
        /// `ILWEIGHTING`, 0–3.
        importance: u8,
    },
    /// Active connections in proportion to fixed weights.
    WeightedActive,
    /// One target gets everything.
    HotStandby {
        /// `AUTOSWITCHBACK`.
        switches_back: bool,
        /// `HEALTHSWITCH`.
        minds_health: bool,
    },
    /// Weights that targets outside the group report.
    TargControlled,
    /// A hash of addresses and ports, in proportion to fixed weights: every stack of the group makes
    /// the same choice. z/OS has nothing of the kind.
    Maglev,
}

impl DistMethod {
    /// `BASEWLM`, what z/OS understands without `DISTMETHOD`.
    pub const BASE_WLM: Self = Self::BaseWlm { processors: None };

    /// The word of the profile language.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::BaseWlm { .. } => "BASEWLM",
            Self::RoundRobin => "ROUNDROBIN",
            Self::ServerWlm { .. } => "SERVERWLM",
            Self::WeightedActive => "WEIGHTEDACTIVE",
            Self::HotStandby { .. } => "HOTSTANDBY",
            Self::TargControlled => "TARGCONTROLLED",
            Self::Maglev => "MAGLEV",
        }
    }

    /// Whether it distributes by the `WEIGHT` of each target.
    #[must_use]
    pub const fn has_fixed_weights(self) -> bool {
        matches!(self, Self::WeightedActive | Self::Maglev)
    }

    /// Whether a target that comes back can get less than its share.
    #[must_use]
    pub const fn has_slow_start(self) -> bool {
        !matches!(self, Self::HotStandby { .. } | Self::Maglev)
    }
}

/// A number for each kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Processors {
    /// Normal processors.
    pub cp: u8,
    /// zAAPs.
    pub zaap: u8,
    /// zIIPs.
    pub ziip: u8,
}

/// `DESTIP`: the targets of a service by their DYNAMICXCF addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destinations {
    /// `DESTIP ALL`: every stack of the group with a DYNAMICXCF address, this one included.
    All,
    /// The listed targets, in the order of the profile, 1–32, all distinct.
    List(Vec<Destination>),
}

impl Destinations {
    /// A list of plain targets.
    pub fn list(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::List(addresses.into_iter().map(Destination::from).collect())
    }

    /// The listed targets; none for `ALL`.
    #[must_use]
    pub fn listed(&self) -> &[Destination] {
        match self {
            Self::All => &[],
            Self::List(list) => list,
        }
    }

    /// The addresses of the listed targets; none for `ALL`.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.listed().iter().map(|target| target.address)
    }

    /// The `WEIGHT` of a target.
    #[must_use]
    pub fn weight(&self, dynamic_xcf: IpAddr) -> u8 {
        let mut listed = self.listed().iter();
        let listed = listed.find(|target| target.address == dynamic_xcf);
        listed.map_or(Destination::DEFAULT_WEIGHT, |target| target.weight)
    }

    /// Says whether the stack with this DYNAMICXCF address is among the targets.
    #[must_use]
    pub fn include(&self, dynamic_xcf: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::List(list) => list.iter().any(|target| target.address == dynamic_xcf),
        }
    }
}

/// One target of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// Its DYNAMICXCF address.
    pub address: IpAddr,
    /// `WEIGHT`, 1–99; acted on with `WEIGHTEDACTIVE` and `MAGLEV` only.
    pub weight: u8,
    /// What it is to `HOTSTANDBY`; absent with other methods.
    pub standby: Option<Standby>,
}

impl Destination {
    /// `WEIGHT` where none is written.
    pub const DEFAULT_WEIGHT: u8 = 10;
}

impl From<IpAddr> for Destination {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            weight: Self::DEFAULT_WEIGHT,
            standby: None,
        }
    }
}

/// What a target is to `HOTSTANDBY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standby {
    /// It gets everything while it can.
    Preferred,
    /// It waits; the highest rank goes first.
    Backup {
        /// 1–254.
        rank: u8,
    },
}

impl Standby {
    /// `BACKUP` where no rank is written.
    pub const DEFAULT_RANK: u8 = 1;

    /// The higher, the sooner it is chosen.
    #[must_use]
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Preferred => u8::MAX,
            Self::Backup { rank } => rank,
        }
    }
}

/// Options of `VIPADISTRIBUTE`, most of them kept and displayed, not acted on yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DistOptions {
    /// `OPTLOCAL`, 0–16: whether connections that start on a target stay there.
    pub opt_local: Option<u8>,
    /// `SYSPLEXPORTS`.
    pub has_sysplex_ports: bool,
    /// `TIMEDAFFINITY` in seconds; 0 is off.
    pub timed_affinity_s: u16,
    /// `TIER1` or `TIER2`.
    pub tier: Option<TierGroup>,
}

/// A tier of a distribution in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// `TIER1`.
    One,
    /// `TIER2`.
    Two,
}

/// `TIER1 groupname …` or `TIER2 groupname`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TierGroup {
    /// Which tier.
    pub tier: Tier,
    /// 1–16 characters, in capitals.
    pub name: String,
    /// How targets outside the group are reached; absent for targets of the group.
    pub encapsulation: Option<Encapsulation>,
    /// `CONTROLPORT`.
    pub control_port: u16,
}

impl TierGroup {
    /// `CONTROLPORT` where none is written.
    pub const DEFAULT_CONTROL_PORT: u16 = 5702;
}

/// How targets outside the group are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encapsulation {
    /// `GRE`, for IPv4.
    Gre,
    /// `ENCAP`, for IPv6.
    Encap,
}
