use super::*;

fn job(text: &str) -> JobName {
    text.parse().expect("a job name")
}

fn process(command: &str, cgroups: &[&str]) -> Process {
    Process {
        command: command.to_owned(),
        cgroups: cgroups.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_job_name_is_one_to_eight_characters() {
    for (text, name) in [
        ("web", "WEB"),
        ("WEB*", "WEB*"),
        ("web@1", "WEB@1"),
        ("eightchr", "EIGHTCHR"),
        ("seven77*", "SEVEN77*"),
    ] {
        assert_eq!(job(text).to_string(), name);
        let json = serde_json::to_string(&job(text)).expect("JSON");
        assert_eq!(json, format!("\"{name}\""));
        assert_eq!(serde_json::from_str::<JobName>(&json).ok(), Some(job(text)));
    }
    for text in [
        "",
        "*",
        "ninechars",
        "a b",
        "a,b",
        "a=b",
        "a*b",
        "web.service",
    ] {
        let error = text.parse::<JobName>().expect_err("no job name");
        assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
    }
}

#[test]
fn a_server_is_known_by_its_command_and_its_cgroups() {
    let server = |text, port| Server {
        port,
        job: job(text),
    };
    let worker = process("nginx", &["worker", "web1.service", "system.slice", ""]);
    let deep = process("java", &["1", "2", "3", "4", "5", "6", "far"]);
    let (worker, deep) = (&worker, &deep);
    for (server, holders, expected) in [
        (server("NGINX", None), &[worker][..], true),
        (server("WEB1", None), &[worker], true),
        (server("WEB*", None), &[worker], true),
        (server("WEB1", Some(8443)), &[worker], true),
        (server("WEB1", Some(80)), &[worker], false),
        (server("WEB", None), &[worker], false),
        (server("WEB2", None), &[worker], false),
        // One of several that have the socket is enough.
        (server("WEB1", None), &[deep, worker], true),
        (server("JAVA", None), &[deep], true),
        (server("6", None), &[deep], true),
        (server("FAR", None), &[deep], false),
        (server("WEB*", None), &[], false),
    ] {
        let holders: Vec<Process> = holders.iter().copied().cloned().collect();
        assert_eq!(server.has(8443, &holders), expected, "{server} {holders:?}");
    }
}

#[test]
fn a_beginning_covers_what_begins_so() {
    for (name, other, expected) in [
        ("WEB*", "WEB1", true),
        ("WEB*", "WEB*", true),
        ("WEB1", "WEB1", true),
        ("WEB1", "WEB*", false),
        ("WEB*", "DB", false),
    ] {
        assert_eq!(job(name).covers(other), expected, "{name} {other}");
    }
}
