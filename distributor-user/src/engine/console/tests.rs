use super::*;

#[test]
fn commands_are_taken_as_z_os_has_them() {
    for (text, line) in [
        (
            "D TCPIP,,NETSTAT,VDPT,DETAIL",
            "netstat VDPT DETAIL --console",
        ),
        ("d tcpip,,n,vcrt", "netstat vcrt --console"),
        (
            "DISPLAY TCPIP,TCPIP2,NETSTAT,VCRT,IPADDR=10.1.8.10,MAX=*",
            "netstat VCRT IPADDR=10.1.8.10 MAX=* --console --name TCPIP2",
        ),
        ("  D  TCPIP,,SYSPLEX,VIPADYN ", "sysplex vipadyn --console"),
        (
            "D TCPIP,,SYS,VIPAD,MAX=10",
            "sysplex vipadyn MAX=10 --console",
        ),
        ("D TCPIP,,SYSPLEX,GROUP", "sysplex group --console"),
        ("V TCPIP,,SYSPLEX,LEAVEGROUP", "vary leavegroup"),
        ("v tcpip,TCPIP2,sys,join", "vary joingroup --name TCPIP2"),
        (
            "VARY TCPIP,,SYSPLEX,DEACTIVATE,DVIPA=10.1.3.10",
            "vary deactivate 10.1.3.10",
        ),
        (
            "V TCPIP,,SYSPLEX,REACT,dvipa=fd00::10",
            "vary reactivate fd00::10",
        ),
        ("V TCPIP,,SYSPLEX,QUIESCE,TARGET", "vary quiesce target"),
        ("V TCPIP,,SYSPLEX,QUI,PO=8443", "vary quiesce port=8443"),
        (
            "V TCPIP,,SYSPLEX,RESUME,PORT=8443,JOBNAME=WEB1",
            "vary resume port=8443 job=WEB1",
        ),
        (
            "V TCPIP,,SYSPLEX,RESUME,JOBNAME=WEB*",
            "vary resume job=WEB*",
        ),
        (
            "V TCPIP,,OBEYFILE,DSN=USER.TCPPARMS(OBEY)",
            "obey USER.TCPPARMS(OBEY)",
        ),
        (
            "VARY TCPIP,,OBEYFILE,DSN='/etc/distributor/obey'",
            "obey /etc/distributor/obey",
        ),
        (
            "V TCPIP,TCPIP,SYNTAXCHECK,DSN=PROFILE.TCPIP",
            "check PROFILE.TCPIP",
        ),
    ] {
        let command = parse(text).expect(text);
        assert_eq!(command.words.join(" "), line, "{text}");
        let is_named = line.contains("--name") || command.verb() == "check";
        assert_eq!(command.stack.is_some(), is_named, "{text}");
    }
}

#[test]
fn what_is_no_command_is_told_with_what_would_be() {
    for (text, reason) in [
        ("", "expected `DISPLAY` or `VARY`, found ``"),
        (
            "F TCPIP,,NETSTAT",
            "expected `DISPLAY` or `VARY`, found `F`",
        ),
        ("D", "expected `TCPIP` after `D`, found nothing"),
        ("D NET,ID=X", "expected `TCPIP`, found `NET`"),
        (
            "D TCPIP",
            "expected the name of a stack, or none, and `,` after `TCPIP`",
        ),
        ("D TCPIP,,", "expected `NETSTAT` or `SYSPLEX`, found ``"),
        (
            "D TCPIP,NETSTAT,VDPT",
            "expected `NETSTAT` or `SYSPLEX`, found `VDPT`",
        ),
        (
            "D TCPIP,,SY,GROUP",
            "expected `NETSTAT` or `SYSPLEX`, found `SY`",
        ),
        (
            "D TCPIP,,NETSTAT",
            "expected a report such as VDPT after `NETSTAT`",
        ),
        (
            "D TCPIP,,SYSPLEX",
            "expected `VIPADYN`, `GROUP` or `PORTS` after `SYSPLEX`",
        ),
        ("D TCPIP,,SYSPLEX,PORTS", "`NETSTAT,PORTLIST` shows"),
        (
            "V TCPIP,,SYSPLEX,QUIESCE",
            "expected `TARGET`, `PORT`, `JOBNAME` or `ASID` after",
        ),
        (
            "V TCPIP,,SYSPLEX,QUIESCE,ALL",
            "`JOBNAME` or `ASID`, found `ALL`",
        ),
        (
            "V TCPIP,,SYSPLEX,QUIESCE,PORT=80,ASID=1",
            "by their unit or cgroup",
        ),
        (
            "V TCPIP,,SYSPLEX,DEACTIVATE",
            "expected `DVIPA=…` after `DEACTIVATE`",
        ),
        (
            "V TCPIP,,SYSPLEX,DEACTIVATE,10.1.3.10",
            "expected `DVIPA=…`, found `10.1.3.10`",
        ),
        ("V TCPIP,,SYSPLEX,DEACTIVATE,DVIPA=", "expected `DVIPA=…`"),
        (
            "V TCPIP,,SYSPLEX,LEAVEGROUP,NOW",
            "expected nothing behind `LEAVEGROUP`, found `NOW`",
        ),
        ("V TCPIP,,OBEYFILE", "expected `DSN=…` after `OBEYFILE`"),
        ("V TCPIP,,PKTTRACE,ON", "tcpdump"),
        ("V TCPIP,,START,ETH0", "ip link set"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

/// Words of one place are told apart by their shortest abbreviations.
#[test]
fn no_word_hides_another() {
    fn assert_distinct<T: Copy>(choice: Choice<T>) {
        for (number, (name, _)) in choice.iter().enumerate() {
            let shortest: String = name.chars().take_while(char::is_ascii_uppercase).collect();
            let found = choice
                .iter()
                .position(|one| choose(std::slice::from_ref(one), &shortest, "").is_ok());
            assert_eq!(found, Some(number), "{name}");
        }
    }
    assert_distinct(VERBS);
    assert_distinct(SHOWN);
    assert_distinct(SYSPLEX);
    assert_distinct(VARIED);
    assert_distinct(ORDERS);
    assert_distinct(SCOPES);
}
