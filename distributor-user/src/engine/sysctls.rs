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
    /// Whether packets arrive that were distributed, and whose senders are reached elsewhere.
    pub receives_distributed: bool,
}

impl Setting {
    /// Its file under the interface's directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::RpFilter => "rp_filter",
        }
    }

    /// The value to give to the interface where `all` and `own` are in force; `None` where
    /// these do.
    #[must_use]
    pub fn needed(self, all: i32, own: i32) -> Option<i32> {
        let effective = all.max(own);
        match self {
            // Larger values answer still less, but always for an address of the interface itself.
            Self::ArpIgnore => (effective < 1).then_some(1),
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
        let receives = self.receives_distributed.then_some(Setting::RpFilter);
        guards.into_iter().flatten().chain(receives)
    }
}
