//! Bodies of requests: JSON, read strictly. Unknown fields, fields that stand there twice and what follows the body
//! are refused, with the path of the mistake.
//!
//! What is no JSON is told at once. What is wrong with a field is told after it is clear that the caller can see what
//! they ask about, and may do it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;
use stocktake::service::access::{Operation, allows};
use stocktake::service::{Caller, Edit, Error};

use super::failure::Failure;
use super::rendering::is_list;
use super::xml_body;

/// A JSON body, or what is wrong with its fields.
#[derive(Debug)]
pub(super) struct Json<T>(Result<T, Failure>);

/// A JSON body that may be missing, or null.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) Json<T>);

impl<T> Json<T> {
    /// What follows from the body, by rules of its fields.
    pub(super) fn and<U>(self, rule: impl FnOnce(T) -> Result<U, Failure>) -> Json<U> {
        Json(self.0.and_then(rule))
    }

    /// The body. Only what is wrong with it makes it necessary to look at the object first.
    ///
    /// # Errors
    ///
    /// 404 when the object can't be seen, 403 when the caller may not do that, else what is wrong with the body.
    pub(super) async fn after<S>(
        self,
        object: impl Future<Output = Result<S, Error>>,
        caller: &Caller,
        operation: Operation,
    ) -> Result<T, Failure> {
        match self.0 {
            Ok(body) => Ok(body),
            Err(wrong) => {
                object.await?;
                may(caller, operation)?;
                Err(wrong)
            }
        }
    }
}

/// Refuses what a caller's role may not do.
///
/// # Errors
///
/// 403.
pub(super) fn may(caller: &Caller, operation: Operation) -> Result<(), Failure> {
    let role = caller.actor().map(|actor| actor.role);
    if role.is_some_and(|role| allows(role, operation)) {
        Ok(())
    } else {
        Err(Error::Forbidden { operation }.into())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let is_xml = is_in_xml(&request);
        let bytes = bytes_of(request, state).await?;
        if is_xml {
            let json = xml_body::as_json(&bytes);
            let json = json.map_err(|wrong| Failure::invalid("", "invalid_body", wrong))?;
            return read(json.as_bytes());
        }
        read(&bytes)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = bytes_of(request, state).await?;
        match bytes.trim_ascii() {
            b"" | b"null" => Ok(Self(Json(Ok(T::default())))),
            given => read(given).map(Self),
        }
    }
}

/// Whether a body is in XML, on a path whose document has it (S4.15).
fn is_in_xml(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_xml = ["application/xml", "text/xml"];
    is_list(request.uri().path()) && is_xml.iter().any(|it| kind.eq_ignore_ascii_case(it))
}

async fn bytes_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    // It was read, and its size checked, before any handler was asked.
    let bytes = Bytes::from_request(request, state)
        .await
        .map_err(|_| Failure::internal())?;
    // Some clients begin their files with a byte order mark.
    let marked = bytes.starts_with(b"\xef\xbb\xbf");
    Ok(bytes.slice(if marked { 3.. } else { 0.. }))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Json<T>, Failure> {
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        return Err(Failure::invalid("", "invalid_body", error));
    }
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Failure::unreadable(
            ".",
            "invalid_body",
            "an object is expected",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    Ok(Json(serde_path_to_error::deserialize(&mut json).map_err(
        |error| {
            let (path, problem) = (error.path().to_string(), error.inner().to_string());
            Failure::unreadable(&path, "invalid_body", &problem)
        },
    )))
}

/// An object and nothing else: left alone, a struct is also read from a list of its fields.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: DeserializeOwned> serde::Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<serde_json::value::RawValue>>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(serde::de::Error::custom("an object is expected"));
        }
        serde_json::from_str(raw.get())
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Reads a field that may be missing, which keeps what is there, or null, which takes it away.
pub(super) fn edit<'de, D, T>(deserializer: D) -> Result<Edit<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    let given = <Option<T> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(given.map_or(Edit::Clear, Edit::Set))
}

/// An empty text is the same as none.
pub(super) fn filled<
    'de,
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    text.filter(|text| !text.trim().is_empty())
        .map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}
