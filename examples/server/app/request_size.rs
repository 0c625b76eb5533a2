//! Bodies of limited size, read whole before anything else: a client that sends too much still gets its answer.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;

/// The largest body of an import (S5.6).
const IMPORT_BYTES: usize = 8 * 1024 * 1024;
/// The largest body of anything else.
const OTHER_BYTES: usize = 1024 * 1024;
/// How much more is read, and thrown away, so that the client hears that it is too much.
const PASSED_OVER: usize = 64 * 1024 * 1024;

/// Reads the body.
pub(super) async fn read_whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let most = match parts.uri.path() {
        "/imports/stock" => IMPORT_BYTES,
        _ => OTHER_BYTES,
    };
    match bytes_of(body, most).await {
        Ok(bytes) => {
            next.run(Request::from_parts(parts, Body::from(bytes)))
                .await
        }
        Err(failure) => failure.into_response(),
    }
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
