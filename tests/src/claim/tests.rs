use super::*;

#[test]
fn a_name_is_short_and_has_no_dash() {
    for (name, full) in [
        ("play", Some("sd-play")),
        ("sd-play", Some("sd-play")),
        ("x2", Some("sd-x2")),
        ("", None),
        ("sd-", None),
        ("two-words", None),
        ("Upper", None),
        ("../run", None),
        ("thirteencharz", None),
    ] {
        assert_eq!(full_name(name).ok().as_deref(), full, "{name}");
    }
}

#[test]
fn a_claim_that_is_dropped_leaves_nothing() {
    let claim = Claim::new(None).expect("a claim");
    let name = claim.name().to_owned();
    let namespace = claim.namespace("host");
    Namespace::create_all([&namespace]).expect("a namespace");
    fs::create_dir(claim.pins()).expect("bpffs is mounted");
    let mut child = namespace
        .command("sleep")
        .arg("60")
        .spawn()
        .expect("a process");
    wait::until("the process to be in the namespace", DEATH, || {
        Ok(!namespace.processes()?.is_empty())
    })
    .expect("in time");

    drop(claim);
    assert!(
        child.wait().is_ok_and(|status| !status.success()),
        "the process was killed"
    );
    assert!(!namespace.path().exists());
    assert!(!pins(&name).exists());
    assert!(!directory(&name).exists());
}

#[test]
fn a_lab_in_use_is_neither_removed_nor_made_again() {
    let claim = Claim::new(None).expect("a claim");
    let state = |name: &str| {
        let labs = list().expect("a list");
        labs.iter()
            .find(|lab| lab.name == name)
            .map(|lab| lab.state)
    };
    assert_eq!(state(claim.name()), Some(State::Running));
    assert!(Claim::new(Some(claim.name())).is_err());
    assert!(remove(claim.name()).is_err());

    let name = claim.name().to_owned();
    claim.keep().expect("a kept lab");
    assert_eq!(state(&name), Some(State::Kept));
    assert!(Claim::new(Some(&name)).is_err());
    remove(&name).expect("a kept lab can be removed");
    assert_eq!(state(&name), None);
}

#[test]
fn a_stale_lab_is_removed_when_the_next_one_starts() {
    let claim = Claim::new(None).expect("a claim");
    let name = claim.name().to_owned();
    let namespace = claim.namespace("host");
    Namespace::create_all([&namespace]).expect("a namespace");
    // What the kernel does when the maker is killed; the destructor never runs then.
    let mut claim = std::mem::ManuallyDrop::new(claim);
    drop(claim.lock.take());

    let next = Claim::new(None).expect("another claim");
    assert!(!namespace.path().exists(), "`{name}` is gone");
    assert_ne!(next.name(), name);
}
