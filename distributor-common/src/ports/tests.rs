use super::*;

fn text(name: &str) -> [u8; 16] {
    let mut text = [0; 16];
    text[..name.len()].copy_from_slice(name.as_bytes());
    text
}

#[test]
fn a_job_name_admits_a_name_or_what_begins_so() {
    for (job, name, is_it) in [
        ("WEB", "web", true),
        ("WEB", "WEB", true),
        ("WEB", "webs", false),
        ("WEB", "we", false),
        ("WEB*", "web", true),
        ("WEB*", "webserver-of-many", true),
        ("WEB*", "wEb@1", true),
        ("WEB*", "we", false),
        ("WEBSERVE", "webserve", true),
        ("WEBSERVE", "webserver", false),
        ("WEBSERV*", "webserver", true),
        ("WEBSERVE*", "webserver", true),
        ("A", "", false),
        // Beyond the letters nothing is like its neighbour.
        ("@[`{", "@[`{", true),
        ("@[`{", "`{`{", false),
        ("\u{e9}", "\u{e9}", true),
    ] {
        let job = Job::of(job).expect("a job name");
        let name = &name[..name.len().min(15)];
        assert_eq!(
            job.is(Name::of_command(&text(name))),
            u64::from(is_it),
            "{job:?} {name}"
        );
    }
    for none in ["", "*", "WEBSERVER", "WEBSERVER*"] {
        assert_eq!(Job::of(none), None, "{none}");
    }
}

#[test]
fn a_unit_is_called_what_stands_before_the_dot() {
    for (job, name, is_it) in [
        ("WEB", "web.service", true),
        ("WEB", "web", true),
        ("WEB", "webs.service", false),
        ("WEBSERVE", "webserve.service", true),
        ("WEBSERVE", "webserver.scope", false),
        ("WEB@*", "web@1.service", true),
        ("A", ".a", false),
    ] {
        let job = Job::of(job).expect("a job name");
        let name = &name[..name.len().min(15)];
        assert_eq!(
            job.is(Name::of_cgroup(&text(name))),
            u64::from(is_it),
            "{job:?} {name}"
        );
    }
    let dotted = Name::of_command(&text("web.service"));
    assert_eq!(Job::of("WEB").expect("a job name").is(dotted), 0);
}

#[test]
fn no_job_is_nobody() {
    let nobody = Name::default();
    for job in ["A", "A*", "WEBSERVE"] {
        assert_eq!(Job::of(job).expect("a job name").is(nobody), 0);
    }
}

#[test]
fn an_entry_keeps_what_is_said() {
    assert_eq!(PortEntry::default().rule(), None);
    for rule in [0, 1, 2 * MAX_RULES - 1] {
        for is_shared in [false, true] {
            let entry = PortEntry::at(rule as u16, is_shared);
            assert_eq!(entry.rule(), Some(rule));
            assert_eq!((entry.is_shared(), entry.is_in_turn()), (is_shared, false));
            let in_turn = entry.in_turn(true);
            assert_eq!((in_turn.rule(), in_turn.is_in_turn()), (Some(rule), true));
            assert_eq!(in_turn.in_turn(false), entry);
            assert_eq!(PortEntry::of(in_turn.word()), in_turn);
        }
    }
}

#[test]
fn a_report_is_read_as_it_is_written() {
    let report = PortReport {
        process: 1,
        user: 2,
        what: PortReport::BOUND,
        port: 8443,
        is_udp: 1,
        command: text("web"),
    };
    // SAFETY: every byte of the report is one of its fields'.
    let bytes: [u8; 32] = unsafe { core::mem::transmute(report) };
    assert_eq!(PortReport::parse(&bytes), Some(report));
    assert_eq!(PortReport::parse(&bytes[..31]), None);
}
