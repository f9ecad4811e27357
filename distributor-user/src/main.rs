//! The `distributor` program.

fn main() {}
