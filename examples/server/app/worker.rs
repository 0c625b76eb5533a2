//! Queued jobs, done inside the process.

use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use stocktake::jobs::{Ran, Timer, Worker};
use tokio::sync::watch;

use super::Shared;

/// How long it rests when nothing is due and nobody rings.
const REST: Duration = Duration::from_millis(500);

/// Does jobs until the server is told to stop.
pub(super) async fn work(worker: Worker, app: Shared, stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        match worker.run_once().await {
            Ok(Ran::Nothing) => rest(&app).await,
            Ok(Ran::Done(_) | Ran::Failed(_) | Ran::Lost(_) | Ran::HandedBack(_)) => (),
            Ok(Ran::Dead(job)) => eprintln!("job {job} failed for good"),
            Err(error) => {
                eprintln!("the queue failed: {error}");
                rest(&app).await;
            }
        }
    }
}

async fn rest(app: &Shared) {
    // Woken or not: it looks again.
    let _ = tokio::time::timeout(REST, app.work.notified()).await;
}

/// Rings for the worker after each request: reads may queue exports, commands anything.
pub(super) async fn ring(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let may_queue = request.method() != Method::GET || request.uri().path().ends_with("/queue");
    let response = next.run(request).await;
    if may_queue {
        app.work.notify_one();
    }
    response
}

/// Keeps the leases of long work.
#[derive(Debug)]
pub(super) struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
