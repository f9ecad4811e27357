//! TCP servers and clients under exact control, where nginx and curl give none.
//!
//! A server greets with its name; the client's first byte then says how the
//! connection goes on. Neither side ever retries: what the network does to a
//! connection is what the test sees.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;

mod arrivals;
mod client;
mod load;
mod probe;
mod server;

pub use arrivals::{Arrival, Arrivals};
pub use client::{Conversation, greetings, greetings_paced, hold};
pub use load::{Load, Lost, Mix};
pub use probe::{Form, INTERVAL, Outcome, Probe, Probing, Timeline};
pub use server::{Server, serve};

/// The client's first byte: everything that follows comes back, up to the client's half-close.
const ECHO: u8 = b'E';

/// The client's first byte: a number of eight bytes follows, and the server sends the bytes that
/// follow from it, a [`CHUNK_LEN`] every [`CHUNK_PAUSE`], up to the client's half-close.
const DOWNLOAD: u8 = b'D';

/// Length of what a download brings at once.
const CHUNK_LEN: usize = 512;

/// Time between two chunks.
const CHUNK_PAUSE: Duration = Duration::from_millis(250);

/// The bytes that follow from a number: the same on both sides.
fn bytes_from(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

/// The client's first byte: the server closes first.
const CLOSE: u8 = b'C';

/// The client's first byte: the server resets the connection.
const RESET: u8 = b'R';
