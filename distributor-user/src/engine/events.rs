//! What has happened at a stack of late: its messages, with when and what they are about.

use std::collections::VecDeque;
use std::net::IpAddr;

use jiff::Timestamp;

use super::message::Message;

/// How many are kept.
const KEPT: usize = 1_000;

/// The latest messages.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// The oldest first.
    kept: VecDeque<Happened>,
    /// How many there were.
    count: u64,
}

/// A message that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its number since the daemon began, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub message: Message,
}

/// What a message is about, as far as that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The DVIPA.
    pub dvipa: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
    /// The other stack: the target, the former owner, the member.
    pub stack: Option<String>,
}

impl Events {
    /// Takes note of a message.
    pub fn note(&mut self, message: Message, at: Timestamp) {
        self.count += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let number = self.count;
        self.kept.push_back(Happened {
            number,
            at,
            message,
        });
    }

    /// Those that are kept, the oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Happened> {
        self.kept.iter()
    }
}

impl About {
    /// Finds out what a message is about.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        use super::ports::PortMessage as Port;
        use super::stack::Vary;
        let dvipa = |dvipa: &IpAddr| Self {
            dvipa: Some(*dvipa),
            ..Self::default()
        };
        let stack = |name: &str| Self {
            stack: Some(name.to_owned()),
            ..Self::default()
        };
        let port = |port: &u16| Self {
            port: Some(*port),
            ..Self::default()
        };
        match message {
            Message::Activated { dvipa: address }
            | Message::HeldAsTarget { dvipa: address }
            | Message::Released { dvipa: address }
            | Message::Varied(Vary::Deactivate(address) | Vary::Reactivate(address)) => {
                dvipa(address)
            }
            Message::TakenOver {
                dvipa: address,
                from: other,
            }
            | Message::TakenBack {
                dvipa: address,
                from: other,
            }
            | Message::Given {
                dvipa: address,
                to: other,
            } => Self {
                dvipa: Some(*address),
                ..stack(other)
            },
            Message::ServerStarted {
                dvipa,
                port,
                target,
            }
            | Message::ServerEnded {
                dvipa,
                port,
                target,
            }
            | Message::Unresponsive {
                dvipa,
                port,
                target,
                responsiveness: _,
            }
            | Message::Responsive {
                dvipa,
                port,
                target,
            }
            | Message::Switched {
                dvipa,
                port,
                from: _,
                to: target,
            } => Self {
                dvipa: Some(*dvipa),
                port: Some(*port),
                stack: Some(target.clone()),
            },
            Message::Joined { name, .. }
            | Message::Left { name }
            | Message::Passed { by: name }
            | Message::OutOfReach { target: name, .. }
            | Message::WithinReach { target: name }
            | Message::Unreadable { name, .. } => stack(name),
            Message::Port(
                Port::Refused { port: number, .. }
                | Port::Moved { port: number, .. }
                | Port::OtherUser { port: number, .. }
                | Port::NotInTurn { port: number, .. }
                | Port::NotAside { port: number },
            ) => port(number),
            Message::Varied(_)
            | Message::CutOff
            | Message::Connected
            | Message::NoRoute { .. }
            | Message::Routed { .. } => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_numbered() {
        let mut events = Events::default();
        for second in 0..1_500 {
            let at = Timestamp::from_second(second).expect("a time");
            events.note(Message::Connected, at);
        }
        let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (501..=1_500).collect::<Vec<_>>());
    }
}
