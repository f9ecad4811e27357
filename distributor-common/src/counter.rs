//! Every counter of the packet path, in one table.
//!
//! A packet ends in exactly one [`Verdict`], and the verdict is what is
//! counted: a packet cannot be dropped or passed without its reason. Displays
//! and the reference page are made from [`COUNTERS`].

/// Number of counters that one CPU has room for.
pub const COUNTER_SLOTS: usize = 128;

/// What the kernel does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Goes on into this host's own stack.
    Pass,
    /// Ends here.
    Drop,
    /// Leaves by the interface that it came in on.
    Transmit,
    /// Leaves by another interface.
    Redirect,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Index into one CPU's counters; never reused for something else.
    pub index: usize,
    /// Name in displays.
    pub name: &'static str,
    /// What happened to the packet; absent where something is counted beside its verdict.
    pub action: Option<Action>,
    /// One sentence for the operator.
    pub help: &'static str,
}

macro_rules! counters {
    (
        $(#[doc = $verdict_doc:literal] $verdict:ident = $verdict_index:literal
            $verdict_name:literal $action:ident;)*
        ---
        $(#[doc = $event_doc:literal] $event:ident = $event_index:literal $event_name:literal;)*
    ) => {
        /// How the packet path ended for a packet, and why.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Verdict {
            $(#[doc = $verdict_doc] $verdict = $verdict_index,)*
        }

        /// What is counted beside the verdict.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Event {
            $(#[doc = $event_doc] $event = $event_index,)*
        }

        impl Verdict {
            /// What the kernel does with the packet.
            #[inline(always)]
            #[must_use]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$verdict => Action::$action,)*
                }
            }

            /// The verdict whose index this is.
            #[inline(always)]
            #[must_use]
            pub const fn from_index(index: u8) -> Option<Self> {
                match index {
                    $($verdict_index => Some(Self::$verdict),)*
                    _ => None,
                }
            }
        }

        /// All counters, in the order of displays.
        pub const COUNTERS: &[Counter] = &[
            $(Counter {
                index: $event_index,
                name: $event_name,
                action: None,
                help: $event_doc.trim_ascii(),
            },)*
            $(Counter {
                index: $verdict_index,
                name: $verdict_name,
                action: Some(Action::$action),
                help: $verdict_doc.trim_ascii(),
            },)*
        ];
    };
}

counters! {
    /// Sent to a target by the interface that the packet came in on.
    Transmitted = 1 "transmitted" Transmit;
    /// Sent to a target by another interface.
    Redirected = 2 "redirected" Redirect;
    /// Sent back: a member's question whether this stack's daemon lives, answered.
    ProbeAnswered = 3 "probe-answered" Transmit;

    /// Passed: the packet is neither IPv4 nor IPv6 to a single host (ARP, IPv6 to a group, a VLAN tag …).
    NotIp = 8 "not-ip" Pass;
    /// Passed: nothing is distributed on the destination address.
    NotDistributed = 9 "not-distributed" Pass;
    /// Passed: the packet is neither TCP nor an ICMP error about a connection.
    NotTcp = 10 "not-tcp" Pass;
    /// Passed: the destination address is distributed, but not this port.
    NoService = 11 "no-service" Pass;
    /// Passed: a header is cut short, contradicts itself or has a port of 0.
    Malformed = 12 "malformed" Pass;
    /// Passed: the target is this stack.
    LocalTarget = 13 "local-target" Pass;
    /// Passed: a SYN for a service without a ready target; the kernel answers with RST.
    NoReadyTarget = 14 "no-ready-target" Pass;
    /// Passed: a segment of a flow that is in no table here, and whose socket is here.
    LocalSocket = 15 "local-socket" Pass;
    /// Passed: a segment of an unknown flow, and no target is ready to be offered it.
    UnknownFlow = 16 "unknown-flow" Pass;
    /// Passed: a new connection that the owner of the DVIPA has handed to this stack.
    Accepted = 17 "accepted" Pass;
    /// Passed: a segment that no target knows; all were asked, and the kernel answers with RST.
    Disowned = 18 "disowned" Pass;
    /// Passed: a new connection for a DVIPA of another stack, which cannot be reached.
    NoOwner = 19 "no-owner" Pass;
    /// Passed: what came to the port of the probe and is no question of a member.
    ProbeRefused = 20 "probe-refused" Pass;
    /// Passed: a new connection that starts here and stays: by OPTLOCAL, or for want of an owner.
    KeptHere = 21 "kept-here" Pass;
    /// Passed: a segment that starts here from an address that no other stack could answer to.
    Unanswerable = 22 "unanswerable" Pass;
    /// Passed: a packet in another one that is not from a member to this stack.
    TunnelStranger = 64 "tunnel-stranger" Pass;
    /// Passed: a packet in another one from a member that is put together as no member does it.
    TunnelOdd = 65 "tunnel-odd" Pass;
    /// Passed: a packet in another one from a member that is for no DVIPA of this stack.
    TunnelForeign = 66 "tunnel-foreign" Pass;

    /// Dropped: a fragment of TCP for an address that is distributed from here.
    Fragment = 32 "fragment" Drop;
    /// Dropped: the time to live has run out.
    TtlExpired = 33 "ttl-expired" Drop;
    /// Dropped: no path to the flow's target answers; the client sends again.
    Unreachable = 34 "unreachable" Drop;
    /// Dropped: the interface to the target cannot be sent to.
    NoInterface = 35 "no-interface" Drop;
    /// Dropped: a segment, not a SYN, whose next hop is where it came from.
    Returning = 36 "returning" Drop;
    /// Dropped: a new connection from a member that neither owns the DVIPA nor is about to.
    Fenced = 37 "fenced" Drop;
    /// Dropped: a new connection for a DVIPA of this stack, whose daemon has been silent too long.
    Silent = 38 "silent" Drop;
    /// Dropped: an ARP request for a DVIPA of this stack, whose daemon has been silent too long.
    SilentArp = 39 "silent-arp" Drop;
    /// Dropped: a segment of an unknown flow, beyond the rate at which these are offered to targets.
    OfferLimit = 40 "offer-limit" Drop;
    /// Dropped: a segment of an unknown flow that nobody can be asked about; the client sends again.
    Astray = 41 "astray" Drop;
    /// Dropped: a new connection that starts here, and no owner can be reached; the client sends again.
    OwnerAway = 42 "owner-away" Drop;
    /// Dropped: a new connection before the owner has heard of a ready target; the client sends again.
    Unsettled = 43 "unsettled" Drop;
    /// Dropped: a Neighbour Solicitation for a DVIPA of this stack, whose daemon has been silent too long.
    SilentNd = 44 "silent-nd" Drop;
    /// Dropped: IPv6 for an address that is distributed from here, behind too many extension headers.
    HeaderChain = 45 "header-chain" Drop;
    /// Dropped: too big for the way to its target with the outer header in front of it.
    TooBig = 67 "too-big" Drop;
    /// Dropped: the driver has left no room for an outer header.
    NoRoom = 68 "no-room" Drop;
    /// Dropped: marked as congested in a tunnel, and its sender would not know (RFC 6040 §4.2).
    Congested = 69 "congested" Drop;
    ---
    /// New connections that were given a place in the flow table.
    FlowStored = 48 "flow-stored";
    /// Of these: connections that took the place of an ended one with the same addresses and ports.
    FlowReopened = 49 "flow-reopened";
    /// Of these: connections that displaced another half-open one because their bucket was full.
    FlowDisplaced = 50 "flow-displaced";
    /// New connections without a place: their bucket is full of established ones.
    TableFull = 51 "table-full";
    /// New connections without a place: another CPU was at work in their bucket.
    TableBusy = 52 "table-busy";
    /// Segments of unknown flows, sent where a new connection without a place would have gone.
    FlowGuessed = 53 "flow-guessed";
    /// Segments of unknown flows, offered to the first of the targets.
    FlowOffered = 54 "flow-offered";
    /// Segments of unknown flows that were offered to this stack, and offered by it to the next.
    FlowHandedOn = 55 "flow-handed-on";
    /// Segments for a DVIPA of another stack, sent to that.
    Relayed = 56 "relayed";
    /// Segments for a DVIPA that started on this host.
    StartedHere = 57 "started-here";
    /// New connections that went to the target that their client keeps, by TIMEDAFFINITY.
    AffinityKept = 58 "affinity-kept";
    /// New connections whose client was to keep the target, and there was no room to note it.
    AffinityUnnoted = 59 "affinity-unnoted";
    /// ICMP errors about a connection, sent where its segments go.
    ErrorSentOn = 60 "error-sent-on";
    /// Packets that were put into another one, for a target with a VIPAROUTE.
    Encapsulated = 80 "encapsulated";
    /// Packets that a member had put into another one, and that were taken out of it.
    Decapsulated = 81 "decapsulated";
}

/// The sum of all verdicts. It has no place of its own: a packet is counted once.
pub const RECEIVED: Counter = Counter {
    index: 0,
    name: "received",
    action: None,
    help: "Packets that came in, and segments for a DVIPA that started here.",
};

impl Verdict {
    /// Index into one CPU's counters.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Event {
    /// Index into one CPU's counters.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// All counters, summed over the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals([u64; COUNTER_SLOTS]);

impl Totals {
    /// How many packets ended so.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.0[verdict.index()]
    }

    /// How often something happened.
    #[must_use]
    pub fn event(&self, event: Event) -> u64 {
        self.0[event.index()]
    }

    /// How many packets came in.
    #[must_use]
    pub fn received(&self) -> u64 {
        let verdicts = COUNTERS.iter().filter(|counter| counter.action.is_some());
        verdicts.map(|counter| self.0[counter.index]).sum()
    }

    /// How many packets came in that some host on the network must have sent: to a single host, and
    /// questions for a VIPA of this stack. A switch alone sends other ones.
    #[must_use]
    pub fn of_hosts(&self) -> u64 {
        self.received() - self.verdict(Verdict::NotIp)
    }

    /// How many packets the kernel was told to treat so, for whatever reason.
    #[must_use]
    pub fn action(&self, action: Action) -> u64 {
        let rows = COUNTERS
            .iter()
            .filter(|counter| counter.action == Some(action));
        rows.map(|counter| self.0[counter.index]).sum()
    }

    /// Every counter with its value, in the order of displays.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Counter, u64)> {
        let counted = COUNTERS
            .iter()
            .map(|counter| (counter, self.0[counter.index]));
        core::iter::once((&RECEIVED, self.received())).chain(counted)
    }
}

impl<'a> FromIterator<&'a [u64; COUNTER_SLOTS]> for Totals {
    fn from_iter<I: IntoIterator<Item = &'a [u64; COUNTER_SLOTS]>>(cpus: I) -> Self {
        let mut sums = [0_u64; COUNTER_SLOTS];
        for cpu in cpus {
            for (sum, value) in sums.iter_mut().zip(cpu) {
                *sum = sum.wrapping_add(*value);
            }
        }
        Self(sums)
    }
}

#[cfg(test)]
mod tests;
