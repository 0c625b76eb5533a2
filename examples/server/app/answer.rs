//! What handlers answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::failure::Failure;

/// What a handler returns.
pub(super) type Reply = Result<Answer, Failure>;

/// A good answer, before it is written as JSON or XML.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The class of the resource, where a document has such (S4): the root element in XML.
    pub(super) class: &'static str,
    /// The body as JSON; nothing where there is none.
    pub(super) json: Option<String>,
}

impl Answer {
    /// 200.
    pub(super) fn ok(body: &impl Serialize) -> Reply {
        Self::with(StatusCode::OK, body)
    }

    /// 201.
    pub(super) fn created(body: &impl Serialize) -> Reply {
        Self::with(StatusCode::CREATED, body)
    }

    /// 204.
    pub(super) const fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            class: "",
            json: None,
        }
    }

    fn with(status: StatusCode, body: &impl Serialize) -> Reply {
        let json = json(body)?;
        Ok(Self {
            status,
            class: "Answer",
            json: Some(json),
        })
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> usize {
        self.json.as_ref().map_or(0, String::len)
    }

    /// The same, of a class.
    pub(super) const fn of_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// A body as JSON.
///
/// # Errors
///
/// 500 for what can't be written.
pub(super) fn json(body: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(body).map_err(|_| Failure::internal())
}

impl IntoResponse for Answer {
    /// The answer goes along as it is; the outermost layer writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
