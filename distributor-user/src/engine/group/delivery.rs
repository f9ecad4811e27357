//! Messages that arrive: at most once, in order, and repeated until they do.
//!
//! One stream of bytes per session and direction, in which each message comes
//! after its length. It is cut into segments; the [`Outbox`] repeats each until
//! it is acknowledged, the [`Inbox`] puts them back together. Messages that
//! wait share segments. Neither side gives a message up: when the other no
//! longer answers, that is for the paths to notice, and the session ends as a
//! whole.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::message::{CHUNK_MAX, Frame};

/// Longest message.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A message's length in the stream: so many bytes, the most significant first.
const LENGTH_LEN: usize = 4;
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

/// What came is not what an outbox sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

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
        if self.waiting_bytes + LENGTH_LEN + message.len() > WAITING_BYTES_MAX {
            return Err(Overrun);
        }
        let length = u32::try_from(message.len()).expect("what may wait at all is shorter");
        self.append(&length.to_be_bytes());
        self.append(message);
        Ok(())
    }

    fn append(&mut self, mut bytes: &[u8]) {
        self.waiting_bytes += bytes.len();
        if let Some(last) = self.segments.back_mut()
            && last.state == SegmentState::Waiting
        {
            let (fitting, rest) = bytes.split_at(bytes.len().min(CHUNK_MAX - last.chunk.len()));
            last.chunk.extend_from_slice(fitting);
            bytes = rest;
        }
        for chunk in bytes.chunks(CHUNK_MAX) {
            self.segments.push_back(Segment {
                chunk: chunk.to_vec(),
                state: SegmentState::Waiting,
            });
        }
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
    ahead: BTreeMap<u64, Vec<u8>>,
    /// The stream from the first message on that is not complete.
    partial: Vec<u8>,
}

impl Inbox {
    /// Takes a segment; returns the messages that are complete now.
    pub(super) fn take(&mut self, sequence: u64, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Broken> {
        if sequence >= self.next && sequence - self.next < WINDOW {
            self.ahead.entry(sequence).or_insert_with(|| chunk.to_vec());
        }
        let mut messages = Vec::new();
        while let Some(chunk) = self.ahead.remove(&self.next) {
            self.next += 1;
            self.partial.extend_from_slice(&chunk);
            self.split_off_messages(&mut messages)?;
        }
        Ok(messages)
    }

    fn split_off_messages(&mut self, messages: &mut Vec<Vec<u8>>) -> Result<(), Broken> {
        let mut rest = self.partial.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<LENGTH_LEN>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > MESSAGE_BYTES_MAX {
                return Err(Broken);
            }
            let Some((message, after)) = after.split_at_checked(length) else {
                break;
            };
            messages.push(message.to_vec());
            rest = after;
        }
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
        Ok(())
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
