//! Writing answers and failures in the words of the document that was asked: JSON, or XML where it has both (S4.15).

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::failure::{Failure, FieldProblem};
use super::xml;

/// Where the stocktake lists stand.
pub(super) const LISTS: &str = "/v1/stocktake";

/// What the library calls some fields, and what the documents do, by the beginning of the path.
const FIELD_NAMES: &[(&str, &[(&str, &str)])] = &[
    (
        "/inventory/stock-takes",
        &[("article", "article_id"), ("quantity", "counted_quantity")],
    ),
    (
        "/inventory/",
        &[
            ("product", "product_id"),
            ("supplier", "supplier_id"),
            ("unit_price_minor", "unit_price"),
            ("lines", "items"),
            ("batch", "batch_id"),
            ("serial", "serial_nr"),
        ],
    ),
    (
        "/inventory-counts",
        &[
            ("product", "productId"),
            ("quantity", "countedQuantity"),
            ("counted_at", "countedAt"),
            ("batch", "batchId"),
            ("serial", "serialNr"),
        ],
    ),
    (
        "/stock-adjustments",
        &[
            ("product", "productId"),
            ("change", "quantityChange"),
            ("batch", "batchId"),
            ("serial", "serialNr"),
        ],
    ),
    (
        "/stock-costs",
        &[
            ("product", "productId"),
            ("article", "articleId"),
            ("batch", "batchId"),
            ("serial", "serialNr"),
        ],
    ),
    (
        LISTS,
        &[
            ("article", "articleId"),
            ("quantity", "addedAmount"),
            ("counted_at", "countedAt"),
        ],
    ),
];

/// A failure, as S1 to S3 and S5 tell it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// Stable, for machines.
    code: String,
    /// The same in words.
    message: String,
    /// What is wrong with which field.
    fields: Vec<FieldProblem>,
}

/// A failure, as S4 tells it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentError {
    /// The document's number.
    #[serde(rename = "errorCode")]
    number: u32,
    #[serde(rename = "errorMessage")]
    message: String,
    #[serde(rename = "errorField")]
    #[schema(required)]
    field: Option<String>,
    /// The library's own code, and every field.
    #[serde(rename = "errorData")]
    data: ErrorData,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorData {
    code: String,
    fields: Vec<FieldProblem>,
}

/// Writes what the handler has answered.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        return asked.failure(failure, response);
    }
    match response.extensions_mut().remove::<Answer>() {
        Some(answer) => asked.answer(answer, response),
        None => response,
    }
}

/// 404, for a path that no document has.
pub(super) async fn no_such_path() -> Failure {
    Failure::not_found("the path")
}

/// 405.
pub(super) async fn no_such_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the path does not have this method",
    )
}

/// What of a request tells how its answer is written.
struct Asked {
    method: Method,
    path: String,
    as_xml: bool,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        Self {
            method: request.method().clone(),
            as_xml: is_list(&path) && wants_xml(request.headers()),
            path,
        }
    }

    fn answer(&self, answer: Answer, response: Response) -> Response {
        match answer.json {
            Some(json) => self.written(&json, answer.class, response),
            None => response,
        }
    }

    fn failure(&self, failure: Failure, mut response: Response) -> Response {
        let mut failure = failure;
        for problem in &mut failure.fields {
            problem.field = self.field_name(&problem.field).to_owned();
        }
        if let Some(seconds) = failure.retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if failure.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        if failure.is_of_request() && self.path.ends_with("/queue") {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        let json = if is_list(&self.path) {
            serde_json::to_string(&self.document_error(failure))
        } else {
            serde_json::to_string(&ErrorBody {
                error: ErrorDetail {
                    code: failure.code.to_owned(),
                    message: failure.message,
                    fields: failure.fields,
                },
            })
        };
        // Texts and numbers can always be written.
        self.written(&json.unwrap_or_default(), "Error", response)
    }

    fn field_name<'a>(&self, field: &'a str) -> &'a str {
        let names = FIELD_NAMES
            .iter()
            .filter(|(path, _)| self.path.starts_with(path))
            .flat_map(|(_, names)| names.iter());
        names
            .filter(|(ours, _)| *ours == field)
            .map(|(_, theirs)| *theirs)
            .next()
            .unwrap_or(field)
    }

    /// The document's number for a failure (S4.13).
    fn document_error(&self, failure: Failure) -> DocumentError {
        let number = match failure.status {
            StatusCode::UNAUTHORIZED => 900_001,
            StatusCode::TOO_MANY_REQUESTS => 900_429,
            // It is the list that is missing, not an article of it.
            StatusCode::NOT_FOUND if self.is_counting() && failure.is_of_list() => 902_003,
            StatusCode::NOT_FOUND if self.is_of_articles() => 902_002,
            // So many articles are too many, whatever the size of the body.
            StatusCode::PAYLOAD_TOO_LARGE if failure.code == "too_large" => self.number_of_call(),
            StatusCode::NOT_FOUND => 902_001,
            _ if failure.is_of_request() || failure.is_of_state() => self.number_of_call(),
            _ => 900_101,
        };
        DocumentError {
            number,
            message: failure.message,
            field: failure
                .fields
                .first()
                .map(|it| it.field.clone())
                .filter(|field| !field.is_empty()),
            data: ErrorData {
                code: failure.code.to_owned(),
                fields: failure.fields,
            },
        }
    }

    fn number_of_call(&self) -> u32 {
        let is_new = self.path.trim_end_matches('/') == LISTS || self.path.ends_with("/copy");
        match (&self.method, self.is_of_articles(), is_new) {
            (&Method::GET, true, _) => 902_002,
            (&Method::GET, false, _) => 902_001,
            (&Method::PUT, true, _) => 902_003,
            (&Method::POST, _, true) => 902_011,
            (_, _, _) => 902_012,
        }
    }

    /// Whether it is the call that registers what was counted.
    fn is_counting(&self) -> bool {
        self.method == Method::PUT && self.is_of_articles()
    }

    fn is_of_articles(&self) -> bool {
        self.path.contains("/articles")
    }

    /// The response with its body, in the form that was asked for.
    fn written(&self, json: &str, class: &str, mut response: Response) -> Response {
        let (kind, body) = match self.as_xml.then(|| xml::written(class, json)).flatten() {
            Some(xml) => ("application/xml", xml),
            None => ("application/json", json.to_owned()),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
        response
    }
}

/// Whether a path is one of the stocktake lists.
pub(super) fn is_list(path: &str) -> bool {
    path.strip_prefix(LISTS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether XML is wanted more than JSON: what stands first in the list wins, unless it has the smaller weight.
fn wants_xml(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT);
    let texts = accept.iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(f32, bool)> = None;
    for part in texts.flat_map(|text| text.split(',')) {
        let mut pieces = part.split(';').map(str::trim);
        let is_xml = match pieces.next().unwrap_or_default() {
            "application/xml" | "text/xml" => true,
            "application/json" | "application/*" | "*/*" => false,
            _ => continue,
        };
        let weight = pieces.find_map(|piece| piece.strip_prefix("q="));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, is_xml));
        }
    }
    best.is_some_and(|(_, is_xml)| is_xml)
}
