//! Bodies of limited size and time, read whole when it is known who sends them: a client that sends too much still gets
//! its answer.
//!
//! What all bodies under way hold together is limited too: who comes when it is used up waits, and is told to come again
//! when that takes too long.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::failure::Failure;

/// The largest body of an import (S5.6).
const IMPORT_BYTES: usize = MOST_BYTES;
/// The largest body of all.
pub(super) const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The largest body of anything else.
const OTHER_BYTES: usize = 1024 * 1024;
/// How much more is read, and thrown away, so that the client hears that it is too much.
const PASSED_OVER: usize = 64 * 1024 * 1024;
const KIB: usize = 1024;

/// Room for the bodies of requests under way.
#[derive(Debug)]
pub(super) struct BodyRoom(Arc<Semaphore>);

impl BodyRoom {
    /// Room for so many KiB.
    pub(super) fn of(kib: usize) -> Self {
        Self(Arc::new(Semaphore::new(kib)))
    }

    /// Room for so many bytes, when there is some.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).acquire_many_owned(kib).await.ok()
    }
}

/// Reads the body.
pub(super) async fn read_whole(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let most = match parts.uri.path() {
        "/imports/stock" => IMPORT_BYTES,
        _ => OTHER_BYTES,
    };
    let room = app.bodies.take(length(&parts.headers, most));
    let Ok(room) = tokio::time::timeout(app.patience.body, room).await else {
        return busy().into_response();
    };
    let read = tokio::time::timeout(app.patience.body, bytes_of(body, most)).await;
    match read.unwrap_or_else(|_| Err(too_slow())) {
        Ok(bytes) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            let response = next.run(request).await;
            drop(room);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

/// How much of a body will be kept, as its head says.
fn length(headers: &HeaderMap, most: usize) -> usize {
    let told = headers.get(header::CONTENT_LENGTH);
    let told = told.and_then(|it| it.to_str().ok()?.parse().ok());
    told.map_or(most, |length: usize| length.min(most))
}

fn busy() -> Failure {
    let message = "too much is being sent at once";
    let mut failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
    failure.retry_after = Some(1);
    failure
}

fn too_slow() -> Failure {
    Failure::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_too_slow",
        "the body did not arrive in time",
    )
}

async fn bytes_of(mut body: Body, most: usize) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut total) = (Vec::new(), 0_usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let data = frame
            .map_err(|_| Failure::invalid("", "invalid_body", "the body could not be read"))?
            .into_data();
        // Trailers say nothing here.
        let Ok(data) = data else { continue };
        total = total.saturating_add(data.len());
        if total > PASSED_OVER {
            break;
        }
        if total <= most {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    if total > most {
        let message = format!("a body has at most {most} bytes");
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            message,
        ));
    }
    Ok(bytes)
}
