//! Every answer of every test is one that the server's own description has.

use std::net::SocketAddr;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::client::{Answer, Request};

/// The description, which is the same on every store.
static DESCRIPTION: OnceLock<Value> = OnceLock::new();

/// What may be anything to the end of the path, slashes included.
const RESTS: [&str; 2] = ["{article_id}", "{stockplace}"];

/// Checks an answer. What is asked where no path is described has one answer, so has a method that a path does not have.
#[track_caller]
pub(crate) fn check(address: SocketAddr, method: &str, target: &str, answer: &Answer) {
    let path = match target.split('?').next().unwrap() {
        "/openapi.json" => return,
        // The document's own address ends like that; it is the same path.
        "/v1/stocktake/" => "/v1/stocktake",
        path => path,
    };
    let Some(template) = template(address, path) else {
        assert_eq!(answer.status, 404, "{method} {target}: no such path");
        return;
    };
    let call = &paths(address)[template][method.to_lowercase()];
    let described = &call["responses"][answer.status.to_string()];
    if call.is_null() {
        assert_eq!(answer.status, 405, "{method} {target}: no such method");
        return;
    }
    assert!(
        described.is_object(),
        "{method} {template} answers {}, and does not say so",
        answer.status
    );
    let kind = answer.header("content-type").split(';').next().unwrap();
    let has_body = !answer.text.is_empty();
    assert!(
        !has_body || described["content"][kind].is_object(),
        "{method} {template} answers {} in {kind:?}, and does not say so",
        answer.status
    );
    let has_none = described["content"].is_null() && !has_body;
    assert!(
        has_none || has_body,
        "{method} {template} answers {} without a body",
        answer.status
    );
}

fn paths(address: SocketAddr) -> &'static Map<String, Value> {
    let description = DESCRIPTION.get_or_init(|| {
        let request = Request::new(address, "GET", "/openapi.json");
        request.send().json()
    });
    description["paths"].as_object().unwrap()
}

/// The path of the description that a path is one of. What is spelled out goes before what may be anything.
pub(crate) fn template(address: SocketAddr, path: &str) -> Option<&'static str> {
    let fitting = paths(address)
        .keys()
        .filter(|template| fits(template, path));
    let closest = fitting.min_by_key(|template| template.matches('{').count());
    closest.map(String::as_str)
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(_)) if RESTS.contains(&part) => return true,
            (Some(part), Some(text)) if part == text || part.starts_with('{') => (),
            _ => return false,
        }
    }
}
