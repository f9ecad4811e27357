use super::*;

fn text(first: &str, second: &str, rest: &str) -> String {
    format!("{first}\n{second}\n{rest}")
}

#[test]
fn reads_what_it_writes() {
    let secret = std::array::from_fn(|at| u8::try_from(at * 7).unwrap_or(0));
    let written = GroupKey::from_text(&to_text(&secret)).expect("the text is a key");
    assert_eq!(written.id(), GroupKey::from_secret(&secret).id());
    let upper = to_text(&secret)
        .lines()
        .map(|line| {
            if line == TITLE {
                line.to_owned()
            } else {
                line.to_uppercase()
            }
        })
        .collect::<Vec<_>>()
        .join("\r\n");
    assert_eq!(
        GroupKey::from_text(&upper)
            .expect("case does not matter")
            .id(),
        written.id()
    );
}

#[test]
fn says_what_would_be_right() {
    let digits = "0".repeat(64);
    let cases = [
        (String::new(), KeyError::Title),
        (text("-----BEGIN KEY-----", &digits, ""), KeyError::Title),
        (format!("{TITLE}\n"), KeyError::Length { found: 0 }),
        (
            text(TITLE, &digits[..62], ""),
            KeyError::Length { found: 62 },
        ),
        (
            text(TITLE, &"0".repeat(66), ""),
            KeyError::Length { found: 66 },
        ),
        (
            text(TITLE, &digits.replacen("00", "0g", 1), ""),
            KeyError::Digit { column: 2 },
        ),
        (text(TITLE, "é", ""), KeyError::Digit { column: 1 }),
        (text(TITLE, &digits, &digits), KeyError::Trailing),
    ];
    for (text, expected) in cases {
        assert_eq!(
            GroupKey::from_text(&text).map(|key| key.id()),
            Err(expected),
            "{text:?}"
        );
    }
}

#[test]
fn shows_no_secret() {
    let key = GroupKey::from_secret(&[0xab; SECRET_LEN]);
    let shown = format!("{key:?} {:?}", KeyRing::new(vec![key.clone()]));
    assert!(
        !shown.contains("abab") && !shown.contains("171, 171"),
        "{shown}"
    );
}

#[test]
fn a_ring_has_keys_and_none_twice() {
    let [one, other] = [1, 2].map(|byte| GroupKey::from_secret(&[byte; SECRET_LEN]));
    assert_ne!(one.id(), other.id());
    assert!(matches!(KeyRing::new(vec![]), Err(KeyError::None)));
    assert!(matches!(
        KeyRing::new(vec![one.clone(), other.clone(), one.clone()]),
        Err(KeyError::Twice(id)) if id == one.id()
    ));
    let ring = KeyRing::new(vec![other.clone(), one.clone()]).expect("two different keys");
    assert_eq!(ring.sealing().id(), other.id());
    assert!(ring.opening(one.id()).is_some());
}

#[test]
fn each_key_has_its_own_key_of_choices() {
    let [one, other] = [[1; SECRET_LEN], [2; SECRET_LEN]].map(|of| GroupKey::from_secret(&of));
    assert_ne!(one.choice(), other.choice());
    assert_ne!(one.choice().words(), one.probe().words());
    assert_eq!(
        one.choice(),
        GroupKey::from_secret(&[1; SECRET_LEN]).choice()
    );
    assert_eq!(format!("{:?}", one.choice()), "ChoiceKey { .. }");
}

#[test]
fn each_key_has_its_own_key_of_the_probe() {
    let [one, other] = [1, 2].map(|byte| GroupKey::from_secret(&[byte; SECRET_LEN]));
    assert_ne!(one.probe(), other.probe());
    // What is derived is the same on every machine, and in every release of this group.
    assert_eq!(one.probe(), GroupKey::from_secret(&[1; SECRET_LEN]).probe());
    let ring = KeyRing::new(vec![other.clone(), one.clone()]).expect("two different keys");
    let probes: Vec<_> = ring.probes().collect();
    assert_eq!(probes, [other.probe(), one.probe()]);
    assert_eq!(format!("{:?}", one.probe()), "ProbeKey { .. }");
}
