use tempfile::TempDir;

use super::*;
use crate::shell::testing::{in_namespace, ip};

fn interface(name: &str, guards_dvipas: bool, receives_dvipas: bool) -> InterfaceUse {
    let ifindex = nix::net::if_::if_nametoindex(name).expect("the interface");
    InterfaceUse {
        name: name.to_owned(),
        ifindex,
        guards_dvipas,
        receives_dvipas,
    }
}

/// `arp_ignore`, `arp_announce` and `rp_filter` of an interface.
fn settings(interface: &str) -> [i32; 3] {
    [Setting::ArpIgnore, Setting::ArpAnnounce, Setting::RpFilter]
        .map(|setting| read(interface, setting).expect("a setting"))
}

fn set(interface: &str, values: [i32; 3]) {
    let settings = [Setting::ArpIgnore, Setting::ArpAnnounce, Setting::RpFilter];
    for (setting, value) in settings.into_iter().zip(values) {
        write(interface, setting, value).expect("a setting");
    }
}

/// Two interfaces, with strict reverse paths on the second, and a place for the state file.
fn machine() -> (TempDir, PathBuf) {
    ip("link add eth0 type veth peer name xcf0");
    set("all", [0, 0, 0]);
    set("eth0", [0, 0, 0]);
    set("xcf0", [0, 1, 1]);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("TCPIP2").join("sysctls.json");
    (directory, path)
}

#[test]
fn settings_are_changed_and_put_back() {
    in_namespace(|| async {
        let (_directory, path) = machine();
        let mut sysctls = Sysctls::open(&path).expect("nothing to read");
        assert!(!path.exists());

        let uses = [interface("eth0", true, true), interface("xcf0", true, true)];
        sysctls.apply(&uses).expect("the changes");
        assert_eq!((settings("eth0"), settings("xcf0")), ([1, 2, 0], [1, 2, 2]));
        let accepts_local = || read("eth0", Setting::AcceptLocal).expect("a setting");
        assert_eq!(accepts_local(), 1);
        assert!(path.exists());

        // Less is needed: what is needed no more goes back, the rest stays.
        sysctls
            .apply(&[interface("xcf0", false, true)])
            .expect("the changes");
        assert_eq!((settings("eth0"), settings("xcf0")), ([0, 0, 0], [0, 1, 2]));

        sysctls.apply(&[]).expect("the clean-up");
        assert_eq!((settings("eth0"), settings("xcf0")), ([0, 0, 0], [0, 1, 1]));
        assert_eq!(accepts_local(), 0);
        assert!(!path.exists());
    });
}

#[test]
fn a_killed_daemon_leaves_the_originals_to_the_next() {
    in_namespace(|| async {
        let (_directory, path) = machine();
        let uses = [interface("eth0", true, true), interface("xcf0", true, true)];
        Sysctls::open(&path)
            .expect("nothing to read")
            .apply(&uses)
            .expect("the changes");

        let mut next = Sysctls::open(&path).expect("the state file");
        next.apply(&uses).expect("nothing to do");
        assert_eq!((settings("eth0"), settings("xcf0")), ([1, 2, 0], [1, 2, 2]));
        next.apply(&[]).expect("the clean-up");
        assert_eq!((settings("eth0"), settings("xcf0")), ([0, 0, 0], [0, 1, 1]));
    });
}

#[test]
fn what_somebody_else_changed_stays() {
    in_namespace(|| async {
        let (_directory, path) = machine();
        let mut sysctls = Sysctls::open(&path).expect("nothing to read");
        sysctls
            .apply(&[interface("eth0", true, true)])
            .expect("the changes");
        write("eth0", Setting::ArpIgnore, 8).expect("a setting");
        sysctls.apply(&[]).expect("the clean-up");
        assert_eq!(settings("eth0"), [8, 0, 0]);
    });
}

#[test]
fn an_interface_that_is_gone_is_no_obstacle() {
    in_namespace(|| async {
        let (_directory, path) = machine();
        let mut sysctls = Sysctls::open(&path).expect("nothing to read");
        sysctls
            .apply(&[interface("xcf0", true, true)])
            .expect("the changes");
        ip("link del xcf0");
        ip("link add xcf0 type veth peer name eth0");
        set("xcf0", [1, 2, 2]);
        sysctls.apply(&[]).expect("the clean-up");
        assert_eq!(
            settings("xcf0"),
            [1, 2, 2],
            "another interface of the same name"
        );
        assert!(!path.exists());
    });
}

#[test]
fn the_state_of_another_namespace_means_nothing() {
    in_namespace(|| async {
        let (directory, path) = machine();
        let mut sysctls = Sysctls::open(&path).expect("nothing to read");
        sysctls
            .apply(&[interface("eth0", true, true)])
            .expect("the changes");
        let state = path.clone();
        std::thread::spawn(move || {
            in_namespace(move || async move {
                ip("link add eth0 type veth peer name xcf0");
                set("eth0", [1, 2, 2]);
                let mut sysctls = Sysctls::open(&state).expect("the state file");
                sysctls.apply(&[]).expect("the clean-up");
                assert_eq!(settings("eth0"), [1, 2, 2]);
            });
        })
        .join()
        .expect("the other namespace");
        drop(directory);
    });
}

#[test]
fn nothing_is_changed_without_a_state_file() {
    in_namespace(|| async {
        let (directory, _) = machine();
        let path = directory.path().join("file").join("sysctls.json");
        fs::write(directory.path().join("file"), "not a directory").expect("a file");
        let error = Sysctls::open(&path)
            .map(|_| ())
            .expect_err("it cannot be read");
        assert_eq!(
            error.to_string(),
            format!("cannot keep the original settings in `{}`", path.display()),
        );
        let mut sysctls = Sysctls::open(&directory.path().join("new")).expect("nothing to read");
        sysctls.path = path;
        let uses = [interface("eth0", true, true)];
        sysctls
            .apply(&uses)
            .map_err(|error| error.to_string())
            .expect_err("it cannot be written");
        assert_eq!(settings("eth0"), [0, 0, 0]);
    });
}
