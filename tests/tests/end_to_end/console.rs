//! z/OS's operator commands, typed as they are.

use std::fs;

use tests::lab::VIPA;
use tests::stack::Stack;
use tests::tcp::Server;

use crate::{DUAL_STACK, started, turn};

fn console(stack: &Stack, command: &str) -> Result<String, String> {
    let said = stack.order(&["console", command]);
    said.map_err(|error| format!("{error:#}"))
}

#[test]
fn an_operator_types_what_he_typed_on_z_os() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 1, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let (owner, target) = (lab.stack("TCPIP"), lab.stack("TCPIP2"));
    let ready = targets.map(|name| (name, 1));
    owner.wait_for_ready(&ready).expect("two servers");

    let vdpt = console(owner, "D TCPIP,,NETSTAT,VDPT,DETAIL").expect("VDPT");
    assert!(vdpt.contains("END OF THE REPORT"), "{vdpt}");
    assert!(vdpt.contains(&VIPA.to_string()), "{vdpt}");
    let vipadyn = console(owner, "d tcpip,tcpip,sys,vipad");
    let refusal = vipadyn.expect_err("a stack of another name");
    assert!(refusal.contains("tcpip"), "{refusal}");
    let vipadyn = console(owner, "d tcpip,,sys,vipad").expect("VIPADYN");
    assert!(vipadyn.contains("ACTIVE"), "{vipadyn}");

    let said = console(target, "V TCPIP,,SYSPLEX,QUIESCE,TARGET").expect("an order");
    assert!(
        said.starts_with("EZZ0060I PROCESSING COMMAND: V TCPIP,,SYSPLEX,QUIESCE,TARGET\n")
            && said.ends_with("EZZ0053I COMMAND VARY SYSPLEX COMPLETED SUCCESSFULLY\n"),
        "{said}"
    );
    owner
        .wait_for_ready(&[("TCPIP3", 1)])
        .expect("the other one serves alone");
    console(target, "V TCPIP,,SYSPLEX,RESUME,TARGET").expect("an order");
    owner.wait_for_ready(&ready).expect("both again");

    let file = lab.directory().join("wrong");
    fs::write(
        &file,
        "VIPADYNAMIC\n  VIPADEFINE 255.255.255.0\nENDVIPADYNAMIC\n",
    )
    .expect("a file");
    let obey = format!("V TCPIP,,OBEYFILE,DSN={}", file.display());
    let refusal = console(owner, &obey).expect_err("an error in it");
    assert!(refusal.contains("nothing was changed"), "{refusal}");
    assert!(!refusal.contains("EZZ0053I"), "{refusal}");
}
