//! Connections: how many there are at once, and how long each may keep the server waiting.
//!
//! A client that sends nothing, or a byte now and then, is sent away; so is one that does not take its answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// The most bytes of a head, and of what is read ahead of a connection.
const HEAD_BYTES: usize = 64 * 1024;
/// How long to wait when the operating system has no connection to give, because too many files are open.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// What clients may ask for in time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// The most connections at once; who comes then waits until one ends.
    pub(crate) connections: usize,
    /// What the bodies of all requests under way hold together at most, in KiB; who sends more then waits.
    pub(crate) bodies_kib: usize,
    /// How long a head may take, and how long a connection may be idle between two requests.
    pub(crate) head: Duration,
    /// How long a body may take as a whole.
    pub(crate) body: Duration,
    /// How long a client may take nothing of its answer.
    pub(crate) answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connections: 512,
            bodies_kib: 64 * 1024,
            head: Duration::from_secs(15),
            body: Duration::from_mins(1),
            answer: Duration::from_secs(30),
        }
    }
}

/// Serves until it is told to stop; then requests under way are answered, and nothing new is taken.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BYTES);
    let open = Arc::new(Semaphore::new(patience.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&open).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(OUT_OF_FILES).await;
            continue;
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(patience.answer));
        let service = TowerToHyperService::new(router.clone());
        let connection = protocol.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong with a connection is between it and its client.
            drop(connection.await);
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}
