//! The eBPF objects that this program carries.
//!
//! Empty where they were not there when it was built; whoever needs one says
//! then that `cargo xtask build-ebpf` makes them.

/// The packet path.
pub(crate) static DISTRIBUTOR: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/distributor.bpf"));

/// What connections that start on a stack need.
pub(crate) static ORIGIN: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/origin.bpf"));

/// The reports of sockets.
pub(crate) static WATCH: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/watch.bpf"));

/// What PORT and PORTRANGE say, done.
pub(crate) static PORTS: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ports.bpf"));

/// Returns an object, unless it is empty.
pub(crate) fn built(object: &'static [u8]) -> Option<&'static [u8]> {
    (!object.is_empty()).then_some(object)
}
