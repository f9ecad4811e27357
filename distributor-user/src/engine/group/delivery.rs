//! Messages that arrive: at most once, in order, and repeated until they do.
//!
//! One stream per session and direction. A message is cut into segments; the
//! [`Outbox`] repeats each until it is acknowledged, the [`Inbox`] puts them
//! back together. Neither gives a message up: when the other side no longer
//! answers, that is for the paths to notice, and the session ends as a whole.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::message::{CHUNK_MAX, Frame};

/// Longest message.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Segments that may be on the way at once; the acknowledgement has a bit for each but the first.
const WINDOW: u64 = 64;
/// Bytes that may wait; a member that is so far behind is told to start anew.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// When a segment is repeated first.
const REPEAT_FIRST: Duration = Duration::from_millis(20);
/// The longest that a segment waits for its next repetition.
const REPEAT_MAX: Duration = Duration::from_millis(320);

/// More waits for the member than this stack is ready to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun;

/// The sending side of a stream.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Number of the first segment in `segments`.
    first: u64,
    segments: VecDeque<Segment>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Segment {
    chunk: Vec<u8>,
    is_last: bool,
    state: SegmentState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SegmentState {
    Waiting,
    Sent { repeat_at: Duration, wait: Duration },
    Arrived,
}

impl Outbox {
    /// Adds a message to the stream.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), Overrun> {
        if self.waiting_bytes + message.len() > WAITING_BYTES_MAX {
            return Err(Overrun);
        }
        self.waiting_bytes += message.len();
        let count = message.len().div_ceil(CHUNK_MAX);
        for (at, chunk) in message.chunks(CHUNK_MAX).enumerate() {
            self.segments.push_back(Segment {
                chunk: chunk.to_vec(),
                is_last: at + 1 == count,
                state: SegmentState::Waiting,
            });
        }
        Ok(())
    }

    /// The segments to send now; each is asked for again later until it is acknowledged.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Frame<'_>> {
        let mut frames = Vec::new();
        for (sequence, segment) in (self.first..self.first + WINDOW).zip(&mut self.segments) {
            let wait = match segment.state {
                SegmentState::Waiting => REPEAT_FIRST,
                SegmentState::Sent { repeat_at, wait } if now >= repeat_at => {
                    (wait * 2).min(REPEAT_MAX)
                }
                SegmentState::Sent { .. } | SegmentState::Arrived => continue,
            };
            segment.state = SegmentState::Sent {
                repeat_at: now + wait,
                wait,
            };
            frames.push(Frame::Segment {
                sequence,
                is_last: segment.is_last,
                chunk: &segment.chunk,
            });
        }
        frames
    }

    /// When [`due`](Self::due) will have something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.in_window()
            .filter_map(|segment| match segment.state {
                SegmentState::Waiting => Some(Duration::ZERO),
                SegmentState::Sent { repeat_at, .. } => Some(repeat_at),
                SegmentState::Arrived => None,
            })
            .min()
    }

    /// Takes an acknowledgement: all segments below `next` arrived, and those of `ahead`.
    pub(super) fn acknowledge(&mut self, next: u64, ahead: u64) {
        while self.first < next {
            let Some(segment) = self.segments.pop_front() else {
                return;
            };
            self.waiting_bytes -= segment.chunk.len();
            self.first += 1;
        }
        for bit in 0..u64::BITS {
            let at = next
                .checked_add(1 + u64::from(bit))
                .and_then(|sequence| usize::try_from(sequence.checked_sub(self.first)?).ok());
            if ahead & 1 << bit != 0
                && let Some(segment) = at.and_then(|at| self.segments.get_mut(at))
            {
                segment.state = SegmentState::Arrived;
            }
        }
    }

    /// Moves what waits to a stream that has carried nothing yet.
    pub(super) fn restart(self) -> Self {
        let mut segments = self.segments;
        for segment in &mut segments {
            segment.state = SegmentState::Waiting;
        }
        Self {
            first: 0,
            segments,
            waiting_bytes: self.waiting_bytes,
        }
    }

    fn in_window(&self) -> impl Iterator<Item = &Segment> {
        (0..WINDOW).zip(&self.segments).map(|(_, segment)| segment)
    }
}

/// The receiving side of a stream.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// The segment that the stream goes on with.
    next: u64,
    /// Segments that came early.
    ahead: BTreeMap<u64, (bool, Vec<u8>)>,
    /// The message so far.
    partial: Vec<u8>,
}

impl Inbox {
    /// Takes a segment; returns the messages that are complete now.
    pub(super) fn take(&mut self, sequence: u64, is_last: bool, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        if sequence >= self.next && sequence - self.next < WINDOW {
            self.ahead
                .entry(sequence)
                .or_insert_with(|| (is_last, chunk.to_vec()));
        }
        while let Some((is_last, chunk)) = self.ahead.remove(&self.next) {
            self.next += 1;
            // A member never sends more; one that does has nothing of it kept.
            if self.partial.len() <= MESSAGE_BYTES_MAX {
                self.partial.extend_from_slice(&chunk);
            }
            if is_last {
                let message = std::mem::take(&mut self.partial);
                if message.len() <= MESSAGE_BYTES_MAX {
                    messages.push(message);
                }
            }
        }
        messages
    }

    /// What has arrived, to tell the sender.
    pub(super) fn acknowledgement(&self) -> Frame<'static> {
        let ahead = self.ahead.keys().fold(0_u64, |bits, sequence| {
            let bit = sequence - self.next - 1;
            bits | 1_u64
                .checked_shl(u32::try_from(bit).unwrap_or(u32::MAX))
                .unwrap_or(0)
        });
        Frame::Ack {
            next: self.next,
            ahead,
        }
    }
}

#[cfg(test)]
mod tests;
