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
        if let Frame::Segment {
            sequence,
            is_last,
            chunk,
        } = frame
            && keep(sequence)
        {
            messages.extend(inbox.take(sequence, is_last, chunk));
        }
    }
    messages
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
    for message in 0..10_u8 {
        outbox.push(&[message]).expect("there is room");
    }
    let first = pass(&mut outbox, &mut inbox, ms(0), |sequence| {
        ![2, 5].contains(&sequence)
    });
    assert_eq!(first, [[0], [1]]);
    let Frame::Ack { next, ahead } = inbox.acknowledgement() else {
        panic!("no acknowledgement")
    };
    assert_eq!((next, ahead), (2, 0b111_1011));
    outbox.acknowledge(next, ahead);
    assert_eq!(outbox.deadline(), Some(ms(20)));
    let second = pass(&mut outbox, &mut inbox, ms(20), |sequence| sequence != 5);
    assert_eq!(second, [[2], [3], [4]]);
    let third = pass(&mut outbox, &mut inbox, ms(60), |_| true);
    assert_eq!(third, [[5], [6], [7], [8], [9]]);
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
    assert_eq!(inbox.take(1, true, b"two"), Vec::<Vec<u8>>::new());
    assert_eq!(inbox.take(1, true, b"two"), Vec::<Vec<u8>>::new());
    assert_eq!(inbox.take(0, true, b"one"), [b"one", b"two"]);
    for sequence in [0, 1, 2 + WINDOW, u64::MAX] {
        assert_eq!(
            inbox.take(sequence, true, b"no"),
            Vec::<Vec<u8>>::new(),
            "{sequence}"
        );
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
    assert_eq!(taken, WAITING_BYTES_MAX / MESSAGE_BYTES_MAX);
    assert_eq!(due(&mut outbox, ms(0)).len(), 64);

    let mut inbox = Inbox::default();
    let chunk = [0; CHUNK_MAX];
    for sequence in 0..1_000 {
        assert!(inbox.take(sequence, false, &chunk).is_empty());
    }
    assert!(inbox.partial.len() <= MESSAGE_BYTES_MAX + CHUNK_MAX);
    assert!(
        inbox.take(1_000, true, &chunk).is_empty(),
        "a message beyond the bound"
    );
    assert_eq!(inbox.take(1_001, true, b"next"), [b"next"]);
}

#[test]
fn a_restarted_stream_carries_what_was_not_acknowledged() {
    let mut outbox = Outbox::default();
    for message in [b"one", b"two"] {
        outbox.push(message).expect("there is room");
    }
    assert_eq!(due(&mut outbox, ms(0)), [0, 1]);
    let mut outbox = outbox.restart();
    let mut inbox = Inbox::default();
    assert_eq!(
        pass(&mut outbox, &mut inbox, ms(1), |_| true),
        [b"one", b"two"]
    );
}
