//! Embeds the built eBPF objects when they are there.

fn main() {}
