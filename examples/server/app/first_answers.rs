//! The first answers to requests with an idempotency key, for the case that what they were about is gone when such a request
//! is sent again: then a handler finds nothing to show, and the first answer is given.
//!
//! Everything else that makes a request with a key happen once is the library's: this only remembers what was shown, for as
//! long as the process lives and there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use stocktake::service::Caller;
use stocktake::store::Digest;
use uuid::Uuid;

use super::answer::Answer;
use super::at_store::AtStore;
use super::failure::Failure;
use super::signed::Signed;
use super::{Shared, request_size};

/// How many bytes of answers are remembered.
const ROOM: usize = 8 * 1024 * 1024;
/// How many answers are, however short they are.
const MOST: usize = 20_000;

/// The first answers, the newest at the end.
#[derive(Debug, Default)]
pub(super) struct FirstAnswers(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    answers: HashMap<Uuid, Answer>,
    order: VecDeque<Uuid>,
    bytes: usize,
}

impl FirstAnswers {
    fn get(&self, request: Uuid) -> Option<Answer> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.answers.get(&request).cloned()
    }

    fn keep(&self, request: Uuid, answer: &Answer) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.answers.contains_key(&request) {
            return;
        }
        known.bytes = known.bytes.saturating_add(answer.size());
        known.answers.insert(request, answer.clone());
        known.order.push_back(request);
        while known.bytes > ROOM || known.order.len() > MOST {
            let Some(oldest) = known.order.pop_front() else {
                break;
            };
            let size = known.answers.remove(&oldest).map_or(0, |it| it.size());
            known.bytes = known.bytes.saturating_sub(size);
        }
    }
}

/// Gives the first answer when what a request was about is gone since.
pub(super) async fn remember(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let caller = caller(&request);
    let Some(caller) = caller.filter(|it| it.key().is_some()) else {
        return next.run(request).await;
    };
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // It was read, and its size checked, before.
    let Ok(bytes) = to_bytes(body, request_size::MOST_BYTES).await else {
        return Failure::internal().into_response();
    };
    let asked = id_of(&caller, &parts, &bytes);
    let response = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    if response.status() == StatusCode::NOT_FOUND {
        return match app.first_answers.get(asked) {
            Some(first) => first.into_response(),
            None => response,
        };
    }
    if let Some(answer) = response.extensions().get::<Answer>() {
        app.first_answers.keep(asked, answer);
    }
    response
}

fn caller(request: &Request) -> Option<Caller> {
    let extensions = request.extensions();
    let signed = extensions.get::<Signed>().map(|it| it.caller.clone());
    signed.or_else(|| extensions.get::<AtStore>().map(|it| it.caller.clone()))
}

/// What makes two requests the same one: who asks for what, with which key.
fn id_of(caller: &Caller, parts: &axum::http::request::Parts, body: &[u8]) -> Uuid {
    let actor = caller.actor();
    let key = caller.key().map(ToString::to_string);
    Digest::of("answer")
        .field(
            actor
                .map(|it| it.organisation.to_string())
                .unwrap_or_default(),
        )
        .field(actor.map(|it| it.user.id.to_string()).unwrap_or_default())
        .field(key.unwrap_or_default())
        .field(&parts.method)
        .field(&parts.uri)
        .field(String::from_utf8_lossy(body))
        .finish()
        .as_uuid()
}
