use super::*;

#[test]
fn only_what_would_go_wrong_is_changed() {
    for (setting, all, own, expected) in [
        (Setting::ArpIgnore, 0, 0, Some(1)),
        (Setting::ArpIgnore, 1, 0, None),
        (Setting::ArpIgnore, 0, 1, None),
        (Setting::ArpIgnore, 0, 2, None),
        (Setting::ArpIgnore, 3, 0, None),
        (Setting::ArpAnnounce, 0, 0, Some(2)),
        (Setting::ArpAnnounce, 1, 0, Some(2)),
        (Setting::ArpAnnounce, 0, 1, Some(2)),
        (Setting::ArpAnnounce, 2, 0, None),
        (Setting::ArpAnnounce, 0, 2, None),
        (Setting::RpFilter, 0, 0, None),
        (Setting::RpFilter, 1, 0, Some(2)),
        (Setting::RpFilter, 0, 1, Some(2)),
        (Setting::RpFilter, 1, 1, Some(2)),
        (Setting::RpFilter, 2, 1, None),
        (Setting::RpFilter, 1, 2, None),
        (Setting::AcceptLocal, 0, 0, Some(1)),
        (Setting::AcceptLocal, 1, 0, None),
        (Setting::AcceptLocal, 0, 1, None),
    ] {
        assert_eq!(
            setting.needed(all, own),
            expected,
            "{setting:?} {all} {own}"
        );
    }
}

#[test]
fn settings_of_a_use() {
    for (guards_dvipas, receives_dvipas, expected) in [
        (false, false, &[][..]),
        (true, false, &[Setting::ArpIgnore, Setting::ArpAnnounce]),
        (false, true, &[Setting::RpFilter, Setting::AcceptLocal]),
        (
            true,
            true,
            &[
                Setting::ArpIgnore,
                Setting::ArpAnnounce,
                Setting::RpFilter,
                Setting::AcceptLocal,
            ],
        ),
    ] {
        let name = "eth0".to_owned();
        let interface = InterfaceUse {
            name,
            ifindex: 2,
            guards_dvipas,
            receives_dvipas,
        };
        assert_eq!(interface.settings().collect::<Vec<_>>(), expected);
    }
}
