//! What tells the daemon of the servers and connections of this host.

use std::io;

use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinHandle};

use crate::engine::fact::ReadyRow;
use crate::shell::connections::{Connections, Ends};
use crate::shell::listeners::{Aside, Listeners};
use crate::shell::objects;
use crate::shell::responsiveness::{self, Faults};
use crate::shell::sock_ops::WatchObject;

/// All that has a program in the kernel to tell it, and what it tells.
pub(super) struct Watches {
    pub(super) listeners: Listeners,
    pub(super) rows: watch::Receiver<Vec<ReadyRow>>,
    pub(super) faults: watch::Receiver<Faults>,
    pub(super) connections: Connections,
    pub(super) ends: mpsc::Receiver<Ends>,
}

impl Watches {
    /// Starts them on a thread of its own: loading their programs takes about as long as half of the
    /// packet path, and need not wait for it.
    pub(super) fn start(aside: watch::Sender<Option<Aside>>) -> JoinHandle<io::Result<Self>> {
        task::spawn_blocking(move || {
            let mut object = WatchObject::load(objects::built(objects::WATCH));
            let (listeners, rows) = Listeners::start(&mut object, aside)?;
            let faults = responsiveness::start(&mut object, rows.clone())?;
            let (connections, ends) = Connections::start(&mut object)?;
            Ok(Self {
                listeners,
                rows,
                faults,
                connections,
                ends,
            })
        })
    }
}
