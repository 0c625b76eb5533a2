//! Who asks is known before anything of a body is read.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::at_store::AtStore;
use super::failure::Failure;
use super::rendering::is_list;
use super::signed::Signed;

/// What anybody may ask for.
const OPEN: [&str; 2] = ["/healthz", "/openapi.json"];

/// Lets in who is known; the handler finds them beside the request.
pub(super) async fn admit(State(app): State<Shared>, request: Request, next: Next) -> Response {
    match admitted(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

async fn admitted(app: &Shared, mut request: Request) -> Result<Request, Failure> {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return Ok(request);
    }
    if is_list(path) {
        let here = AtStore::admit(app, request.headers()).await?;
        request.extensions_mut().insert(here);
    } else {
        let signed = Signed::admit(app, request.headers()).await?;
        request.extensions_mut().insert(signed);
    }
    Ok(request)
}
