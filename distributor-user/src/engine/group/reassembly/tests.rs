use super::*;

const NOW: Duration = Duration::from_secs(100);

fn take(reassembly: &mut Reassembly, frame: Frame<'_>, now: Duration) -> Option<Vec<u8>> {
    let Frame::Gossip {
        message,
        part,
        parts,
        chunk,
    } = frame
    else {
        panic!("not gossip")
    };
    reassembly
        .take((message, part, parts), chunk, now, &mut 0)
        .expect("a sound part")
}

#[test]
fn puts_back_together_what_was_split() {
    for length in [1, CHUNK_MAX, CHUNK_MAX + 1, 65_507, GOSSIP_BYTES_MAX] {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let mut reassembly = Reassembly::default();
        let mut parts: Vec<Frame<'_>> = split(7, &bytes).collect();
        parts.reverse();
        let whole: Vec<Vec<u8>> = parts
            .into_iter()
            .filter_map(|part| take(&mut reassembly, part, NOW))
            .collect();
        assert!(whole == [bytes], "{length} bytes");
        assert!(reassembly.partial.is_empty());
    }
}

#[test]
fn keeps_few_messages_and_not_for_long() {
    let bytes = vec![1; CHUNK_MAX + 1];
    let mut reassembly = Reassembly::default();
    let mut given_up = 0;
    for message in 0..6 {
        let outcome = reassembly.take((message, 0, 2), &bytes[..CHUNK_MAX], NOW, &mut given_up);
        assert_eq!(outcome, Ok(None));
    }
    assert_eq!((reassembly.partial.len(), given_up), (PARTIAL_MAX, 2));
    let later = NOW + PARTIAL_AGE_MAX;
    let outcome = reassembly.take((5, 1, 2), &[1], later, &mut given_up);
    assert_eq!(
        (outcome, given_up),
        (Ok(None), 6),
        "the first part is too old"
    );
}

#[test]
fn refuses_parts_that_cannot_be() {
    let mut reassembly = Reassembly::default();
    let long = [0; CHUNK_MAX + 1];
    let cases: [(u8, u8, &[u8]); 5] = [
        (0, 0, b"x"),
        (2, 2, b"x"),
        (255, 1, b"x"),
        (0, 61, b"x"),
        (0, 2, &long),
    ];
    for (part, parts, chunk) in cases {
        let outcome = reassembly.take((1, part, parts), chunk, NOW, &mut 0);
        assert_eq!(
            outcome,
            Err(DropReason::Fragments),
            "part {part} of {parts}"
        );
    }
    assert_eq!(reassembly.take((1, 0, 2), b"x", NOW, &mut 0), Ok(None));
    let outcome = reassembly.take((1, 0, 3), b"x", NOW, &mut 0);
    assert_eq!(
        outcome,
        Err(DropReason::Fragments),
        "another number of parts"
    );
}
