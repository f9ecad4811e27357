use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
}

#[test]
fn a_key_is_made_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("group.key");
    let id = create_key(&path, false).expect("a key");
    assert_eq!(
        (load_key(&path).expect("the key").id(), mode(&path)),
        (id, 0o600)
    );

    let before = fs::read_to_string(&path).expect("the key");
    let error = create_key(&path, false)
        .expect_err("it is there already")
        .to_string();
    assert!(
        error.contains("--force") && error.contains("group.key"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).expect("the key"), before);

    set_mode(&path, 0o644);
    let other = create_key(&path, true).expect("a new key");
    assert_ne!(other, id);
    assert_eq!(
        (load_key(&path).expect("the key").id(), mode(&path)),
        (other, 0o600)
    );
    let names: Vec<_> = fs::read_dir(directory.path())
        .expect("a directory")
        .collect();
    assert_eq!(names.len(), 1, "drafts stay behind: {names:?}");
}

#[test]
fn a_key_that_others_could_have_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("group.key");
    create_key(&path, false).expect("a key");
    for bits in [0o640, 0o604, 0o620, 0o601, 0o777] {
        set_mode(&path, bits);
        let error = load_key(&path).expect_err("it is open").to_string();
        let advice = format!("chmod 600 {}", path.display());
        assert!(
            error.contains(&advice) && error.contains(&format!("{bits:04o}")),
            "{error}"
        );
    }
    set_mode(&path, 0o400);
    load_key(&path).expect("less than 0600 is fine");

    std::os::unix::fs::chown(&path, Some(12_345), None).expect("root may give files away");
    let error = load_key(&path)
        .expect_err("it is somebody else's")
        .to_string();
    assert!(
        error.contains("12345") && error.contains("chown"),
        "{error}"
    );
}

#[test]
fn what_is_not_a_key_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("group.key");
    let refusal = || load_key(&path).expect_err("it is not a key").to_string();
    let missing = refusal();
    fs::write(&path, "secret\n").expect("written");
    set_mode(&path, 0o600);
    let foreign = refusal();
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("created");
    let cases = [
        (missing, "distributor keygen"),
        (foreign, "not a key"),
        (refusal(), "plain file"),
    ];
    for (error, expected) in cases {
        assert!(
            error.contains(expected) && error.contains("group.key"),
            "{error}"
        );
    }
}

#[test]
fn several_keys_make_a_ring() {
    let directory = tempfile::tempdir().expect("a directory");
    let paths = ["new", "old"].map(|name| directory.path().join(name));
    let ids = paths
        .each_ref()
        .map(|path| create_key(path, false).expect("a key"));
    let ring = load_keys(&paths).expect("a ring");
    assert_eq!(ring.sealing().id(), ids[0]);
    assert!(ring.opening(ids[1]).is_some());
    let twice = [paths[0].clone(), paths[0].clone()];
    assert!(matches!(
        load_keys(&twice),
        Err(KeyFileError::Ring(KeyError::Twice(_)))
    ));
    assert!(matches!(
        load_keys(&[]),
        Err(KeyFileError::Ring(KeyError::None))
    ));
}
