//! The address moves: the front end dies and comes back, and downloads go on.
//!
//! What is measured is what clients see: whether a download breaks, and how long
//! no new connection is answered. The front end is powered off as a machine is,
//! with everything that it knew.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde::Serialize;

use super::{BACKUP, FRONT_END, Scenario};
use crate::https;
use crate::lab::{PORT, VIPA};
use crate::neighbour;
use crate::process::Process;
use crate::tcp::{Form, Probing, Timeline};
use crate::wait;

/// Downloads that live through both moves.
pub const DOWNLOADS: usize = 20;

/// The file, below a server's `/paced/`.
const NAME: &str = "file";

/// How much is downloaded: 15 s at the pace of the servers, longer than both moves take.
const BYTES: usize = 15 * https::PACE;

/// How long everything is observed before and after a move.
const CALM: Duration = Duration::from_secs(1);

/// How long the downloads may take to end.
const END: Duration = Duration::from_mins(1);

/// What a move has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Downloads that broke, stood still, or brought a wrong byte.
    pub lost: usize,
    /// The longest time for which no new connection was answered, in ms.
    pub gap_ms: u64,
}

/// Both moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// From the front end, which is gone, to its backup.
    pub takeover: Move,
    /// Back to the front end.
    pub takeback: Move,
}

/// Downloads, and new connections beside them, while the address is where it belongs.
#[derive(Debug)]
pub struct Moving<'a> {
    scenario: &'a Scenario,
    content: Vec<u8>,
    downloads: Vec<(Process, PathBuf)>,
    probing: Probing,
    taken_over: Instant,
    taken_back: Option<Instant>,
    lost: usize,
}

impl Scenario {
    /// Begins to download, and powers the front end off; returns when its backup has the address.
    ///
    /// # Errors
    ///
    /// A download cannot be started, or the backup does not take over.
    pub fn take_over(&self) -> Result<Moving<'_>> {
        let mut content = vec![0; BYTES];
        StdRng::seed_from_u64(1).fill_bytes(&mut content);
        for server in &self.servers {
            fs::write(server.files().join(NAME), &content)?;
        }
        let client = self.lab.client();
        let url = format!("{}paced/{NAME}", self.url());
        let downloads: Result<Vec<_>> = (1..=DOWNLOADS)
            .map(|number| {
                let body = client.directory().join(format!("download-{number}"));
                let process = https::start_download(client, &self.certificate, &url, &body)?;
                Ok((process, body))
            })
            .collect();
        let probing = Probing::start(client, Form::Handshake(SocketAddr::from((VIPA, PORT))));
        let mut moving = Moving {
            scenario: self,
            content,
            downloads: downloads?,
            probing,
            taken_over: Instant::now(),
            taken_back: None,
            lost: 0,
        };
        moving.wait_for_data()?;
        std::thread::sleep(CALM);
        moving.taken_over = Instant::now();
        self.lab.power_off(FRONT_END)?;
        neighbour::wait_for_holder(&self.lab, VIPA, BACKUP)?;
        std::thread::sleep(CALM);
        Ok(moving)
    }
}

impl Moving<'_> {
    /// How many downloads go on.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn under_way(&mut self) -> Result<usize> {
        let mut count = 0;
        for (download, _) in &mut self.downloads {
            count += usize::from(download.ended()?.is_none());
        }
        Ok(count)
    }

    /// Powers the front end on again; returns when it has the address.
    ///
    /// # Errors
    ///
    /// It does not start, or does not take the address back.
    pub fn take_back(&mut self) -> Result<()> {
        self.lost = DOWNLOADS - self.under_way()?;
        self.taken_back = Some(Instant::now());
        let lab = &self.scenario.lab;
        lab.power_on(FRONT_END)?;
        lab.stack(FRONT_END).restart()?;
        neighbour::wait_for_holder(lab, VIPA, FRONT_END)?;
        std::thread::sleep(CALM);
        Ok(())
    }

    /// Waits until the downloads have ended, and says what both moves have cost.
    ///
    /// # Errors
    ///
    /// A download does not end, all had ended before the address was back, or a probe failed for a
    /// reason of this machine's own.
    pub fn end(mut self) -> Result<Moves> {
        let taken_back = self.taken_back.context("the address was not taken back")?;
        let end = Instant::now();
        let left = self.under_way()?;
        ensure!(
            left > 0 || self.lost == DOWNLOADS,
            "the downloads ended before the address was back"
        );
        let mut good = 0;
        for (download, body) in &mut self.downloads {
            let status = download.wait(END)?;
            let is_whole = fs::read(&*body).is_ok_and(|read| read == self.content);
            good += usize::from(status.success() && is_whole);
        }
        let timeline = self.probing.stop()?;
        Ok(Moves {
            takeover: Move {
                lost: self.lost,
                gap_ms: gap_ms(&timeline, self.taken_over, taken_back),
            },
            takeback: Move {
                lost: DOWNLOADS - self.lost - good,
                gap_ms: gap_ms(&timeline, taken_back, end),
            },
        })
    }

    /// Waits until every download has brought something.
    fn wait_for_data(&self) -> Result<()> {
        wait::until("every download to begin", END, || {
            Ok(self
                .downloads
                .iter()
                .all(|(_, body)| fs::metadata(body).is_ok_and(|about| about.len() > 0)))
        })
    }
}

fn gap_ms(timeline: &Timeline, from: Instant, to: Instant) -> u64 {
    let gap = timeline.longest_gap(from, to);
    u64::try_from(gap.as_millis()).unwrap_or(u64::MAX)
}
