//! What the daemon needs of the kernel, and does not give up: capabilities, and system calls.

mod calls;
mod page;

use caps::Capability;

pub use calls::CALLS;
pub(crate) use page::page;

/// The capabilities that are kept, and what for.
pub const CAPABILITIES: &[(Capability, &str)] = &[
    (
        Capability::CAP_BPF,
        "load the packet path's programs, and make their maps",
    ),
    (
        Capability::CAP_CHOWN,
        "give the admin socket to the group `distributor`",
    ),
    (
        Capability::CAP_DAC_READ_SEARCH,
        "see which processes of other users listen on a distributed port",
    ),
    (
        Capability::CAP_NET_ADMIN,
        "attach programs, set addresses and sysctls, watch sockets",
    ),
    (
        Capability::CAP_NET_BIND_SERVICE,
        "use ports below 1024 for the group or the metrics, if told so",
    ),
    (
        Capability::CAP_NET_RAW,
        "send and receive ARP and Neighbour Discovery",
    ),
    (
        Capability::CAP_PERFMON,
        "have programs read what the kernel knows of a socket",
    ),
    (Capability::CAP_SYS_NICE, "beat in time on a busy machine"),
    (
        Capability::CAP_SYS_PTRACE,
        "the same, and take a listening socket of theirs, so that several can share its port",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_has_the_same_capabilities() {
        let unit = include_str!("../../../examples/systemd/distributor@.service");
        let mut lines = unit.lines();
        let line = lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
        let ours = CAPABILITIES.iter().map(|(name, _)| name.to_string());
        let ours: Vec<String> = ours.collect();
        assert_eq!(line, Some(ours.join(" ").as_str()));
    }

    #[test]
    fn each_is_listed_once_in_the_order_of_names() {
        let names = CAPABILITIES.iter().map(|(name, _)| name.to_string());
        assert!(names.is_sorted_by(|one, next| one < next));
        assert!(CALLS.is_sorted_by(|one, next| one.1 < next.1));
    }
}
