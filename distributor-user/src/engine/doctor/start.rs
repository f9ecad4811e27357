//! Why a daemon does not answer.

use super::facts::{Obstacle, Socket, Stopped};
use super::finding::Finding;

pub(super) fn examine(stopped: &Stopped, findings: &mut Vec<Finding>) {
    let Stopped { name, socket, .. } = stopped;
    if *socket == Socket::Silent {
        // It has started, so nothing keeps it from that.
        let what = format!("the daemon of {name} runs, and does not answer");
        findings.push(Finding::new("daemon-silent", what));
        return;
    }
    findings.extend(stopped.obstacles.iter().map(obstacle));
    let has_died = *socket == Socket::LeftBehind || stopped.has_packet_path;
    let how = stopped.ended.as_ref();
    let how = how.map_or_else(String::new, |how| format!(" ({how})"));
    let (id, what) = if has_died {
        let left = if stopped.has_packet_path {
            "its packet path is still in the kernel"
        } else {
            "its admin socket is still there"
        };
        let what = format!("the daemon of {name} has ended without a clean stop{how}: {left}");
        ("daemon-died", what)
    } else {
        ("daemon-stopped", format!("no daemon of {name} runs{how}"))
    };
    let finding = Finding::new(id, what);
    let remedy =
        format!("`systemctl start distributor@{name}`, or `distributor run --name {name} …`");
    findings.push(finding.remedy(remedy));
}

fn obstacle(obstacle: &Obstacle) -> Finding {
    match obstacle {
        Obstacle::NoProfile(path) => {
            Finding::new("profile-missing", format!("there is no profile `{path}`"))
        }
        Obstacle::Profile { path, first } => {
            Finding::new("profile-errors", format!("`{path}` has errors: {first}"))
                .remedy(format!("`distributor check {path}` explains every error"))
        }
        Obstacle::NoIdentity(path) => {
            Finding::new("no-identity", format!("`{path}` has no DYNAMICXCF"))
        }
        Obstacle::Key(reason) => Finding::new("key-unusable", reason),
        Obstacle::Interface(reason) => Finding::new("interface-missing", reason),
        Obstacle::Bpffs(path) => {
            Finding::new("no-bpffs", format!("`{path}` is not on a mounted bpffs"))
        }
        Obstacle::Other(reason) => Finding::new("start-refused", reason),
    }
}
