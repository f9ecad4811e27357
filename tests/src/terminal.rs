//! A terminal, and who sits at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::pty::{Winsize, openpty};

/// How long a word may take to appear.
const SOON: Duration = Duration::from_secs(20);

/// A terminal of 80 columns and 24 lines.
#[derive(Debug)]
pub struct Terminal {
    keyboard: File,
    screen: mpsc::Receiver<Vec<u8>>,
    /// What was written since the last key.
    seen: String,
}

impl Terminal {
    /// Starts a program on a new terminal.
    ///
    /// # Errors
    ///
    /// There is no terminal, or the program cannot be started.
    pub fn run(mut command: Command) -> Result<(Self, Child)> {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = openpty(&size, None)?;
        let slave = || Ok::<_, std::io::Error>(Stdio::from(terminal.slave.try_clone()?));
        let child = command
            .stdin(slave()?)
            .stdout(slave()?)
            .stderr(slave()?)
            .spawn()?;
        let keyboard = File::from(terminal.master);
        let mut output = keyboard.try_clone()?;
        let (sender, screen) = mpsc::channel();
        // Ends when nobody has the other end of the terminal any more.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let terminal = Self {
            keyboard,
            screen,
            seen: String::new(),
        };
        Ok((terminal, child))
    }

    /// Waits until a word has been written since the last key.
    ///
    /// # Errors
    ///
    /// It is not, within 20 s.
    pub fn see(&mut self, word: &str) -> Result<()> {
        let until = Instant::now() + SOON;
        while !self.seen.contains(word) {
            let left = until.saturating_duration_since(Instant::now());
            let bytes = self.screen.recv_timeout(left);
            let bytes = bytes.with_context(|| format!("{word}: {:?}", self.seen))?;
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(())
    }

    /// Presses keys.
    ///
    /// # Errors
    ///
    /// Nobody reads them any more.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.seen.clear();
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }
}
