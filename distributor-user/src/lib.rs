//! The daemon and the command line of the distributor.
//!
//! Two halves. [`engine`] decides: it is pure, with no I/O, no clock, no
//! randomness and no async; what it needs of those comes in as arguments.
//! [`shell`] acts: it executes what the engine decided and reports what
//! happened. `engine` never imports `shell`.
//!
//! [`cli`] is the command line; it talks to a running daemon through its admin
//! socket, and to nothing else.

pub mod cli;
pub mod engine;
pub mod shell;
