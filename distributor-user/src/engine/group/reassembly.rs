//! Gossip messages, cut into parts and put back together.
//!
//! A lost part is not asked for: gossip repeats itself. Of each member only
//! the newest few messages are kept, for a short time.

use std::time::Duration;

use super::drops::DropReason;
use super::message::{CHUNK_MAX, Frame};

/// Longest gossip message: chitchat fills a UDP datagram of 65,507 bytes, give or take a header.
pub const GOSSIP_BYTES_MAX: usize = 60 * CHUNK_MAX;

/// Unfinished messages per member.
const PARTIAL_MAX: usize = 4;
/// How long a message may take to become whole.
const PARTIAL_AGE_MAX: Duration = Duration::from_secs(1);

/// Cuts `bytes` into the parts of message number `message`.
///
/// # Panics
///
/// If there are more than [`GOSSIP_BYTES_MAX`].
pub(super) fn split(message: u32, bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    assert!(
        bytes.len() <= GOSSIP_BYTES_MAX,
        "a gossip message of {} bytes",
        bytes.len()
    );
    let parts = u8::try_from(bytes.len().div_ceil(CHUNK_MAX)).expect("there are at most 60 parts");
    (0..)
        .zip(bytes.chunks(CHUNK_MAX))
        .map(move |(part, chunk)| Frame::Gossip {
            message,
            part,
            parts,
            chunk,
        })
}

/// The messages of one member that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partial: Vec<Partial>,
}

#[derive(Debug)]
struct Partial {
    message: u32,
    since: Duration,
    chunks: Vec<Option<Vec<u8>>>,
}

impl Reassembly {
    /// Takes a part; returns the message if it is whole now.
    ///
    /// Messages that had to be given up for it are added to `given_up`.
    pub(super) fn take(
        &mut self,
        (message, part, parts): (u32, u8, u8),
        chunk: &[u8],
        now: Duration,
        given_up: &mut usize,
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let (part, parts) = (usize::from(part), usize::from(parts));
        if part >= parts || parts * CHUNK_MAX > GOSSIP_BYTES_MAX || chunk.len() > CHUNK_MAX {
            return Err(DropReason::Fragments);
        }
        if parts == 1 {
            return Ok(Some(chunk.to_vec()));
        }
        let before = self.partial.len();
        self.partial
            .retain(|partial| now < partial.since + PARTIAL_AGE_MAX);
        let known = self
            .partial
            .iter()
            .position(|partial| partial.message == message);
        let at = known.unwrap_or_else(|| {
            if self.partial.len() == PARTIAL_MAX {
                self.partial.remove(0);
            }
            self.partial.push(Partial {
                message,
                since: now,
                chunks: vec![None; parts],
            });
            self.partial.len() - 1
        });
        *given_up += (before + usize::from(known.is_none())).saturating_sub(self.partial.len());
        let partial = &mut self.partial[at];
        if partial.chunks.len() != parts {
            return Err(DropReason::Fragments);
        }
        partial.chunks[part].get_or_insert_with(|| chunk.to_vec());
        if partial.chunks.iter().any(Option::is_none) {
            return Ok(None);
        }
        let whole = self.partial.remove(at).chunks;
        Ok(Some(whole.into_iter().flatten().flatten().collect()))
    }
}

#[cfg(test)]
mod tests;
