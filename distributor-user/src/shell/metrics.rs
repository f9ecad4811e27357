//! The metrics' HTTP endpoint.
//!
//! A task beside the daemon's loop answers `GET /metrics`: it asks the loop for
//! the reports that it needs, as the command line does, and writes them out.
//! It can read and nothing else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tracing::warn;

use super::admin::{self, Answer, Pending};
use crate::engine::metrics::{Scrape, render};
use crate::engine::report::{Body, ReportName};

/// Connections that are served at once; the others wait.
const AT_ONCE: usize = 8;
/// How long a connection may take, its scrape included.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to say what it wants: whoever says nothing keeps nobody waiting.
const HEAD: Duration = Duration::from_secs(1);
/// How long it takes until an address is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long nothing is accepted after a failure, such as too many open files.
const PAUSE: Duration = Duration::from_secs(1);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers scrapes until it is dropped.
#[derive(Debug)]
pub struct MetricsServer {
    task: tokio::task::JoinHandle<()>,
}

impl MetricsServer {
    /// Listens on an address, and sends requests for reports to the daemon's loop. An address that is not
    /// there yet, or that somebody else has, is tried again: metrics are no reason not to serve.
    #[must_use]
    pub fn start(address: SocketAddr, requests: mpsc::Sender<Pending>) -> Self {
        let task = tokio::spawn(async move {
            let listener = bind(address).await;
            listen(listener, requests).await;
        });
        Self { task }
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                warn!("metrics cannot be offered on {address} yet (`--metrics`): {error}");
                is_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn listen(listener: TcpListener, requests: mpsc::Sender<Pending>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!("a scrape of the metrics was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let requests = requests.clone();
        tokio::spawn(async move {
            let _place = place;
            // Who takes too long, or goes away, gets nothing: there is nobody to tell.
            let _ = timeout(PATIENCE, serve(stream, requests)).await;
        });
    }
}

async fn serve(stream: TcpStream, requests: mpsc::Sender<Pending>) {
    let service = service_fn(|request| answer(request, requests.clone()));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    requests: mpsc::Sender<Pending>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/metrics" {
        let text = "expected `/metrics`\n".to_owned();
        return Ok(response(StatusCode::NOT_FOUND, PLAIN, text));
    }
    if request.method() != Method::GET {
        let text = "expected GET\n".to_owned();
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, text);
        let allowed = hyper::header::HeaderValue::from_static("GET");
        refusal.headers_mut().insert(ALLOW, allowed);
        return Ok(refusal);
    }
    let scraped = match scrape(&requests).await {
        Ok(scrape) => tokio::task::spawn_blocking(move || render(scrape))
            .await
            .ok(),
        Err(refusal) => {
            let text = format!("{refusal}\n");
            return Ok(response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, text));
        }
    };
    Ok(match scraped {
        Some(text) => response(StatusCode::OK, OPEN_METRICS, text),
        None => response(
            StatusCode::INTERNAL_SERVER_ERROR,
            PLAIN,
            "the metrics could not be written\n".to_owned(),
        ),
    })
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Asks for all that a scrape shows.
async fn scrape(requests: &mpsc::Sender<Pending>) -> Result<Scrape, String> {
    macro_rules! report {
        ($name:ident) => {{
            let request = admin::Request::Netstat(ReportName::$name.into());
            let answer = ask(requests, request).await?;
            let Answer::Report(report) = answer else {
                return Err(refusal(answer));
            };
            let Body::$name(body) = report.body else {
                return Err("the daemon made another report".to_owned());
            };
            (report.frame.stack, body)
        }};
    }
    let answer = ask(requests, admin::Request::Instance).await?;
    let Answer::Instance(started_ms) = answer else {
        return Err(refusal(answer));
    };
    let (stack, configuration) = report!(Config);
    Ok(Scrape {
        stack,
        started_ms,
        daemon: configuration.daemon,
        stats: report!(Stats).1,
        vdpt: report!(Vdpt).1,
        sysplex: report!(Sysplex).1,
        group: report!(Group).1,
    })
}

async fn ask(requests: &mpsc::Sender<Pending>, request: admin::Request) -> Result<Answer, String> {
    let (answer, receiver) = oneshot::channel();
    let pending = Pending {
        request,
        uid: nix::unistd::geteuid().as_raw(),
        answer,
    };
    // If the loop is gone, so is the other end of this.
    let _ = requests.send(pending).await;
    let answer = receiver.await.ok();
    answer.ok_or_else(|| "the daemon is stopping".to_owned())
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Refused(reason) | Answer::Unknown(reason) => reason,
        Answer::Report(_)
        | Answer::Done(_)
        | Answer::Remaining(_)
        | Answer::Instance(_)
        | Answer::Group(_) => "the daemon answered something else".to_owned(),
    }
}
