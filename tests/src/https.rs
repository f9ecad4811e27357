//! Unmodified HTTPS servers and clients: nginx and curl.
//!
//! The servers know nothing of the distributor, and the clients verify the
//! certificate of the VIPA.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;
use crate::host::Host;
use crate::process::Process;
use crate::program;
use crate::wait;

/// How long nginx may take to listen.
const START: Duration = Duration::from_secs(10);

/// Bytes per second that a server sends of what lies below `/paced/`.
pub const PACE: usize = 100 * 1_024;

/// How long curl waits for one answer, in seconds.
const PATIENCE_S: &str = "10";

/// Who answered: `TCPIP2/1` is the first server on TCPIP2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Answer {
    /// The stack's name.
    pub stack: String,
    /// The server's number on that stack, from 1.
    pub server: u32,
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.stack, self.server)
    }
}

/// An nginx with a configuration and files of its own.
#[derive(Debug)]
pub struct Server {
    process: Process,
    files: PathBuf,
}

impl Server {
    /// Starts nginx on `host` as its server number `number`, listening where nginx's directive
    /// says (`8443`, `10.1.3.10:8443`, `[::]:8443 ipv6only=off`), and waits until it does.
    ///
    /// It answers `/` with its own name, and `/files/NAME` holds what was uploaded there;
    /// `/paced/NAME` is the same, slowly.
    ///
    /// # Errors
    ///
    /// It ends, or does not listen in time.
    pub fn start(
        host: &Host,
        number: u32,
        listen: &str,
        certificate: &Certificate,
    ) -> Result<Self> {
        let directory = host.directory().join(format!("nginx-{number}"));
        let files = directory.join("files");
        fs::create_dir_all(&files).with_context(|| format!("cannot make `{}`", files.display()))?;
        let configuration = directory.join("nginx.conf");
        let answer = Answer {
            stack: host.name().to_owned(),
            server: number,
        };
        fs::write(
            &configuration,
            configure(&directory, &answer, listen, certificate)?,
        )?;
        let mut command = host.namespace().command("nginx");
        command
            .arg("-p")
            .arg(&directory)
            .arg("-c")
            .arg(&configuration);
        command.args(["-e", "stderr"]);
        // nginx writes its id after it has begun to listen, and leaves it there when it is killed.
        let id = directory.join("nginx.pid");
        let _ = fs::remove_file(&id);
        let mut process = host.start(&format!("nginx-{number}"), &mut command)?;
        wait::until(&format!("{} to listen", process.name()), START, || {
            if let Some(status) = process.ended()? {
                bail!(
                    "{} ended with {status}: {}",
                    process.name(),
                    process.output()
                );
            }
            Ok(id.exists())
        })?;
        Ok(Self { process, files })
    }

    /// The process: to be killed, or kept.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The directory behind `/files/`.
    #[must_use]
    pub fn files(&self) -> &Path {
        &self.files
    }
}

/// One process without a master: what is killed is what listens.
fn configure(
    directory: &Path,
    answer: &Answer,
    listen: &str,
    certificate: &Certificate,
) -> Result<String> {
    let directory = directory.display();
    let answer = serde_json::to_string(answer)?;
    let Certificate {
        certificate, key, ..
    } = certificate;
    let (certificate, key) = (certificate.display(), key.display());
    Ok(format!(
        "daemon off;
master_process off;
user root;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {listen} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ return 200 '{answer}'; }}
        location /files/ {{ alias {directory}/files/; dav_methods PUT; }}
        location /paced/ {{ alias {directory}/files/; limit_rate {PACE}; }}
    }}
}}
"
    ))
}

/// Connections that were made, and who answered them.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// How many connections each server answered.
    pub by_server: BTreeMap<Answer, u32>,
    /// Why each of the others failed.
    pub failures: Vec<String>,
}

impl Answers {
    /// How many connections each stack answered.
    #[must_use]
    pub fn by_stack(&self) -> BTreeMap<String, u32> {
        let mut by_stack = BTreeMap::new();
        for (answer, connections) in &self.by_server {
            *by_stack.entry(answer.stack.clone()).or_default() += connections;
        }
        by_stack
    }

    fn add(&mut self, other: Self) {
        for (answer, connections) in other.by_server {
            *self.by_server.entry(answer).or_default() += connections;
        }
        self.failures.extend(other.failures);
    }
}

/// Makes `connections` connections with curl, `at_once` at a time, each with a process, a TCP
/// connection and a verified certificate of its own, and counts who answered.
///
/// # Errors
///
/// The client's namespace cannot be entered. A connection that fails is counted, not an error.
pub fn ask(
    client: &Host,
    certificate: &Certificate,
    url: &str,
    connections: u32,
    at_once: u32,
) -> Result<Answers> {
    let left = AtomicU32::new(connections);
    let take = || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    };
    let worker = || {
        // What a thread starts is in the thread's namespace.
        client.namespace().enter()?;
        let mut answers = Answers::default();
        while take() {
            match ask_once(certificate, url) {
                Ok(answer) => *answers.by_server.entry(answer).or_default() += 1,
                Err(error) => answers.failures.push(format!("{error:#}")),
            }
        }
        Ok(answers)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        let mut answers = Answers::default();
        for worker in workers {
            let part: Result<Answers> = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            answers.add(part?);
        }
        Ok(answers)
    })
}

fn ask_once(certificate: &Certificate, url: &str) -> Result<Answer> {
    let text = program::output(curl(&mut Command::new("curl"), certificate).arg(url))?;
    serde_json::from_str(&text).with_context(|| format!("not an answer of a server: {text}"))
}

/// Puts the file `body` to `url`.
///
/// # Errors
///
/// curl fails.
pub fn upload(client: &Host, certificate: &Certificate, body: &Path, url: &str) -> Result<()> {
    let mut command = client.namespace().command("curl");
    curl(&mut command, certificate).args(["--max-time", "120", "--upload-file"]);
    program::output(command.arg(body).arg(url))?;
    Ok(())
}

/// Gets `url` into the file `body`.
///
/// # Errors
///
/// curl fails, or the file is not there afterwards.
pub fn download(client: &Host, certificate: &Certificate, url: &str, body: &Path) -> Result<()> {
    let mut command = client.namespace().command("curl");
    curl(&mut command, certificate).args(["--max-time", "120", "--output"]);
    program::output(command.arg(body).arg(url))?;
    ensure!(body.is_file(), "curl wrote no `{}`", body.display());
    Ok(())
}

/// Starts to get `url` into the file `body`.
///
/// # Errors
///
/// curl is not there.
pub fn start_download(
    client: &Host,
    certificate: &Certificate,
    url: &str,
    body: &Path,
) -> Result<Process> {
    let name = body.file_name().context("no file")?.to_string_lossy();
    let mut command = client.namespace().command("curl");
    curl(&mut command, certificate).args(["--max-time", "120", "--output"]);
    command.arg(body).arg(url);
    client.start(&name, &mut command)
}

/// The options of every call: quiet, an error status is a failure, and the authority is ours alone.
fn curl<'a>(command: &'a mut Command, certificate: &Certificate) -> &'a mut Command {
    // The first option keeps the user's own configuration out.
    command.args(["--disable", "--silent", "--show-error", "--fail"]);
    command.args(["--connect-timeout", PATIENCE_S, "--max-time", PATIENCE_S]);
    command.arg("--cacert").arg(&certificate.authority)
}
