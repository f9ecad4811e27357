//! Connections leave the table when they have ended, and never before.

use std::time::Duration;

use anyhow::Context;
use tests::lab::Lab;
use tests::tcp::{Conversation, Load, Server};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, started, turn};

const CONNECTIONS: u32 = 1_000;

/// A server that has closed first keeps the connection for 60 s in `TIME_WAIT`.
const TIME_WAIT: Duration = Duration::from_mins(1);

/// How long the table may know a connection that no kernel knows any more.
const LATE: Duration = Duration::from_secs(15);

#[test]
fn ended_connections_leave_the_table_and_living_ones_stay() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 1, &targets);
    let servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    let living = Load::start(lab.client(), SERVICE, 20).expect("living connections");

    // The longest wait first: the others end meanwhile.
    each(&lab, "server closes", Conversation::let_server_close);
    each(&lab, "client closes", |conversation| {
        drop(conversation);
        Ok(())
    });
    each(&lab, "half-close", |mut conversation| {
        conversation.start_echo()?;
        conversation.echo_and_half_close(b"a few bytes")
    });
    each(&lab, "client resets", Conversation::reset);
    each(&lab, "server resets", Conversation::let_server_reset);
    living.wait_for_round().expect("living connections");

    wait_for_rows(&lab, 20, TIME_WAIT + LATE);
    assert_eq!(living.stop().expect("the end"), []);
    wait_for_rows(&lab, 0, LATE);
    for stack in lab.stacks() {
        // The owner's kernel knows none of these connections, and must never have been asked.
        let resets = stack.tcp_counter("OutRsts").expect("a counter");
        let is_target = targets.contains(&stack.name());
        assert!(
            is_target || resets == 0,
            "{} sent {resets} resets",
            stack.name()
        );
    }
    drop(servers);
}

fn each(lab: &Lab, how: &str, end: impl Fn(Conversation) -> std::io::Result<()> + Sync) {
    lab.client()
        .namespace()
        .run(|| {
            for number in 0..CONNECTIONS {
                Conversation::open(SERVICE)
                    .and_then(&end)
                    .with_context(|| format!("{how}: connection {number}"))?;
            }
            Ok(())
        })
        .expect("no failed connection");
}

fn wait_for_rows(lab: &Lab, rows: usize, deadline: Duration) {
    let what = format!("VCRT to have {rows} rows");
    let front_end = lab.stack("TCPIP");
    wait::until(&what, deadline, || Ok(front_end.vcrt()?.len() == rows)).unwrap_or_else(|error| {
        let left = front_end.vcrt().expect("VCRT");
        panic!(
            "{error:#}; it has {}, such as {:?}",
            left.len(),
            left.first()
        );
    });
}
