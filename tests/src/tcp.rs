//! TCP servers and clients under exact control, where nginx and curl give none.
//!
//! A server greets with its name; the client's first byte then says how the
//! connection goes on. Neither side ever retries: what the network does to a
//! connection is what the test sees.

mod client;
mod server;

pub use client::{Conversation, Living, greetings, greetings_paced};
pub use server::Server;

/// The client's first byte: everything that follows comes back, up to the client's half-close.
const ECHO: u8 = b'E';

/// The client's first byte: the server closes first.
const CLOSE: u8 = b'C';

/// The client's first byte: the server resets the connection.
const RESET: u8 = b'R';
