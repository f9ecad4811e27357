use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sequence numbers of the segments that are due.
fn due(outbox: &mut Outbox, now: Duration) -> Vec<u64> {
    let frames = outbox.due(now);
    frames
        .iter()
        .map(|frame| {
            let Frame::Segment { sequence, .. } = frame else {
                panic!("not a segment: {frame:?}")
            };
            *sequence
        })
        .collect()
}

/// What the inbox makes of the outbox's segments when the network passes those that `keep` names.
fn pass(
    outbox: &mut Outbox,
    inbox: &mut Inbox,
    now: Duration,
    keep: impl Fn(u64) -> bool,
) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for frame in outbox.due(now) {
        if let Frame::Segment { sequence, chunk } = frame
            && keep(sequence)
        {
            messages.extend(inbox.take(sequence, chunk).expect("a sound stream"));
        }
    }
    messages
}

/// A message as it is in the stream.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&length.to_be_bytes(), message].concat()
}

/// Numbered messages that fill a segment each.
fn push_segments(outbox: &mut Outbox, count: u8) {
    for number in 0..count {
        outbox
            .push(&[number; CHUNK_MAX - LENGTH_LEN])
            .expect("there is room");
    }
}

/// The numbers of such messages.
fn numbers(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().map(|message| message[0]).collect()
}

#[test]
fn repeats_until_acknowledged() {
    let mut outbox = Outbox::default();
    outbox.push(b"one").expect("there is room");
    let mut at = 0;
    for wait in [20, 40, 80, 160, 320, 320] {
        assert_eq!(due(&mut outbox, ms(at)), [0], "at {at} ms");
        assert_eq!(
            due(&mut outbox, ms(at + wait - 1)),
            Vec::<u64>::new(),
            "before {} ms",
            at + wait
        );
        assert_eq!(outbox.deadline(), Some(ms(at + wait)));
        at += wait;
    }
    outbox.acknowledge(1, 0);
    assert_eq!(
        (due(&mut outbox, ms(9_999)), outbox.deadline()),
        (vec![], None)
    );
}

#[test]
fn repeats_only_what_is_missing() {
    let mut outbox = Outbox::default();
    let mut inbox = Inbox::default();
    push_segments(&mut outbox, 10);
    let first = pass(&mut outbox, &mut inbox, ms(0), |sequence| {
        ![2, 5].contains(&sequence)
    });
    assert_eq!(numbers(&first), [0, 1]);
    let Frame::Ack { next, ahead } = inbox.acknowledgement() else {
        panic!("no acknowledgement")
    };
    assert_eq!((next, ahead), (2, 0b111_1011));
    outbox.acknowledge(next, ahead);
    assert_eq!(outbox.deadline(), Some(ms(20)));
    let second = pass(&mut outbox, &mut inbox, ms(20), |sequence| sequence != 5);
    assert_eq!(numbers(&second), [2, 3, 4]);
    let third = pass(&mut outbox, &mut inbox, ms(60), |_| true);
    assert_eq!(numbers(&third), [5, 6, 7, 8, 9]);
}

#[test]
fn messages_that_wait_share_segments() {
    let mut outbox = Outbox::default();
    let mut inbox = Inbox::default();
    push_segments(&mut outbox, 64);
    assert_eq!(due(&mut outbox, ms(0)).len(), 64);
    let messages: Vec<Vec<u8>> = (0..=255).map(|number| vec![number; 9]).collect();
    for message in &messages {
        outbox.push(message).expect("there is room");
    }
    assert_eq!(
        due(&mut outbox, ms(1)),
        Vec::<u64>::new(),
        "the window is full"
    );
    inbox.next = 64;
    outbox.acknowledge(64, 0);
    assert_eq!(outbox.segments.len(), (256 * 13_usize).div_ceil(CHUNK_MAX));
    assert_eq!(pass(&mut outbox, &mut inbox, ms(2), |_| true), messages);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_changes_nothing_else() {
    let mut outbox = Outbox::default();
    outbox.push(b"one").expect("there is room");
    outbox.acknowledge(u64::MAX, u64::MAX);
    outbox.push(b"two").expect("there is room");
    assert_eq!(due(&mut outbox, ms(0)), [1]);
}

#[test]
fn carries_messages_of_any_length_in_order() {
    let lengths = [1, CHUNK_MAX, CHUNK_MAX + 1, MESSAGE_BYTES_MAX, 7];
    let messages: Vec<Vec<u8>> = (0..)
        .zip(lengths)
        .map(|(byte, length)| vec![byte; length])
        .collect();
    let mut outbox = Outbox::default();
    let mut inbox = Inbox::default();
    for message in &messages {
        outbox.push(message).expect("there is room");
    }
    let mut arrived = Vec::new();
    for step in 0..100 {
        arrived.extend(pass(&mut outbox, &mut inbox, ms(step * 400), |at| {
            (at + step) % 3 != 0
        }));
        if let Frame::Ack { next, ahead } = inbox.acknowledgement() {
            outbox.acknowledge(next, ahead);
        }
    }
    assert!(
        arrived == messages,
        "{} of {} messages arrived",
        arrived.len(),
        messages.len()
    );
}

#[test]
fn nothing_arrives_twice() {
    let mut inbox = Inbox::default();
    let none = Ok(Vec::new());
    let [one, two] = [b"one", b"two"].map(|message| framed(message));
    assert_eq!(inbox.take(1, &two), none);
    assert_eq!(inbox.take(1, &two), none);
    assert_eq!(
        inbox.take(0, &one),
        Ok(vec![b"one".to_vec(), b"two".to_vec()])
    );
    for sequence in [0, 1, 2 + WINDOW, u64::MAX] {
        assert_eq!(inbox.take(sequence, &one), none, "{sequence}");
    }
    assert_eq!(inbox.acknowledgement(), Frame::Ack { next: 2, ahead: 0 });
}

#[test]
fn memory_is_bounded() {
    let mut outbox = Outbox::default();
    let message = vec![0; MESSAGE_BYTES_MAX];
    let taken = (0..1_000)
        .take_while(|_| outbox.push(&message) == Ok(()))
        .count();
    assert_eq!(taken, WAITING_BYTES_MAX / (MESSAGE_BYTES_MAX + LENGTH_LEN));
    assert_eq!(due(&mut outbox, ms(0)).len(), 64);

    let mut inbox = Inbox::default();
    let length = u32::try_from(MESSAGE_BYTES_MAX + 1).expect("a number");
    assert_eq!(inbox.take(0, &length.to_be_bytes()), Err(Broken));
}

#[test]
fn a_restarted_stream_carries_what_was_not_acknowledged() {
    let mut outbox = Outbox::default();
    outbox.push(b"one").expect("there is room");
    assert_eq!(due(&mut outbox, ms(0)), [0]);
    outbox.push(b"two").expect("there is room");
    assert_eq!(due(&mut outbox, ms(0)), [1]);
    let mut outbox = outbox.restart();
    let mut inbox = Inbox::default();
    assert_eq!(
        pass(&mut outbox, &mut inbox, ms(1), |_| true),
        [b"one", b"two"]
    );
}
