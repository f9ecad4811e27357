//! Placeholder.
#![no_std]

pub mod watch;
