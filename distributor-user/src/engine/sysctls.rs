//! The interface settings that distribution needs, and which of them must be changed.
//!
//! A setting is changed only where the kernel would otherwise do the wrong
//! thing; one that is stricter or looser than needed in a harmless way stays.

#[cfg(test)]
mod tests;

/// A setting of one interface, `/proc/sys/net/ipv4/conf/INTERFACE/NAME`.
///
/// The kernel acts on the larger of it and of the same name under `all`
/// (`ip-sysctl.rst`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Whose ARP requests are answered. 0 answers for every address of the host, also for a
    /// DVIPA hidden on `lo`; 1 only for those of the interface.
    ArpIgnore,
    /// Which sender address an ARP request carries. Below 2 it can be a hidden DVIPA, which
    /// would draw the owner's traffic here.
    ArpAnnounce,
    /// Whether a packet is dropped because its sender is reached by another interface: 1 drops
    /// it, 2 only if the sender is not reached at all.
    RpFilter,
    /// Whether a packet is taken whose sender has an address of this host: 0 drops it.
    AcceptLocal,
}

/// What one interface is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceUse {
    /// Its name.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Whether the stack holds DVIPAs, hidden or owned, that this interface must not tell of.
    pub guards_dvipas: bool,
    /// Whether packets arrive that were distributed, and whose senders are reached elsewhere; and what
    /// other stacks send from a DVIPA that is here too, to connections that start here.
    pub receives_dvipas: bool,
}

impl Setting {
    /// Its file under the interface's directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::RpFilter => "rp_filter",
            Self::AcceptLocal => "accept_local",
        }
    }

    /// The value to give to the interface where `all` and `own` are in force; `None` where
    /// these do.
    #[must_use]
    pub fn needed(self, all: i32, own: i32) -> Option<i32> {
        let effective = all.max(own);
        match self {
            // Larger values answer still less, but always for an address of the interface itself.
            Self::ArpIgnore | Self::AcceptLocal => (effective < 1).then_some(1),
            Self::ArpAnnounce => (effective < 2).then_some(2),
            Self::RpFilter => (effective == 1).then_some(2),
        }
    }
}

impl InterfaceUse {
    /// The settings that matter for this use.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        let guards = self
            .guards_dvipas
            .then_some([Setting::ArpIgnore, Setting::ArpAnnounce]);
        let receives = self
            .receives_dvipas
            .then_some([Setting::RpFilter, Setting::AcceptLocal]);
        guards.into_iter().chain(receives).flatten()
    }
}
