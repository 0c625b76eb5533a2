//! The description of the whole of it: `GET /openapi.json`.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder, SecurityRequirement, Type,
};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::rendering::{DocumentError, ErrorBody, LISTS};
use super::{
    Shared, costs, exports, health, imports, inventory_counts, inventory_orders, jobs, lists,
    reports, stock, stock_adjustments, stock_takes,
};

/// Every route, and the description of them.
pub(super) fn routes() -> (Router<Shared>, OpenApi) {
    let (router, api) = OpenApiRouter::with_openapi(blank())
        .merge(stock_takes::routes())
        .merge(inventory_counts::routes())
        .merge(stock_adjustments::routes())
        .merge(inventory_orders::routes())
        .merge(lists::routes())
        .merge(imports::routes())
        .merge(exports::routes())
        .merge(jobs::routes())
        .merge(reports::routes())
        .merge(stock::routes())
        .merge(costs::routes())
        .merge(health::routes())
        .split_for_parts();
    (router, completed(api))
}

/// Serves the description.
pub(super) fn serve(api: &OpenApi) -> Router<Shared> {
    let json = api.to_json().unwrap_or_default();
    let answer = move || async move {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, json).into_response()
    };
    Router::new().route("/openapi.json", axum::routing::get(answer))
}

fn blank() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Stock takes, counts, adjustments, orders and imports")
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds what all operations have in common: who may ask, and the failures.
fn completed(mut api: OpenApi) -> OpenApi {
    let components = api.components.get_or_insert_with(Components::new);
    let schemes = &mut components.security_schemes;
    let bearer = Http::new(HttpAuthScheme::Bearer);
    schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
    for header in ["store", "api_key", "user_id", "user_token"] {
        let value = ApiKey::Header(ApiKeyValue::new(header));
        schemes.insert(header.to_owned(), SecurityScheme::ApiKey(value).into());
    }
    let mut nested = Vec::new();
    ErrorBody::schemas(&mut nested);
    DocumentError::schemas(&mut nested);
    nested.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
    nested.push((DocumentError::name().into_owned(), DocumentError::schema()));
    components.schemas.extend(nested);
    let paths = std::mem::take(&mut api.paths.paths);
    for (path, mut item) in paths {
        // A rest of a path is one parameter.
        let path = path.replace("{*", "{");
        describe(&mut item);
        if path == "/healthz" {
            if let Some(operation) = &mut item.get {
                add_failure(operation, 503, false);
            }
        } else {
            complete(&path, &mut item);
        }
        api.paths.paths.insert(path, item);
    }
    api
}

fn complete(path: &str, item: &mut PathItem) {
    let is_list = path.starts_with(LISTS);
    let reading = [&mut item.get];
    let writing = [&mut item.post, &mut item.put, &mut item.delete];
    for operation in reading.into_iter().flatten() {
        let wrong = if path.ends_with("/queue") { 400 } else { 422 };
        let mut failures = vec![401, 404, wrong, 500, 503];
        if path.ends_with("/print") {
            failures.extend([403, 409, 413]);
        }
        if path == "/jobs" {
            failures.push(403);
        }
        if path.ends_with("/file") || path.ends_with("/report") {
            failures.push(409);
        }
        finish(operation, is_list, &failures);
    }
    for operation in writing.into_iter().flatten() {
        finish(
            operation,
            is_list,
            &[401, 403, 404, 408, 409, 413, 422, 500, 503],
        );
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(idempotency_key().into());
    }
}

fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("The same request with the same key is done once."))
        .schema(Some(schema))
        .build()
}

fn finish(operation: &mut Operation, is_list: bool, failures: &[u16]) {
    let none: [String; 0] = [];
    let bearer = SecurityRequirement::new("bearer", none.clone());
    let mut security = vec![bearer];
    if is_list {
        let machine = SecurityRequirement::new("store", none.clone()).add("api_key", none.clone());
        let person = SecurityRequirement::new("store", none.clone())
            .add("user_id", none.clone())
            .add("user_token", none);
        security.extend([machine, person]);
    }
    operation.security = Some(security);
    let limited = is_list.then_some(429);
    for status in failures.iter().copied().chain(limited) {
        add_failure(operation, status, is_list);
    }
    if is_list {
        // In words: XML does not tell a number from a text, so a schema of it would say too little.
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            let also = "Also as `application/xml`: the class as root, entries of a list named by the singular.";
            body.description = Some(also.to_owned());
        }
        for (_, response) in good(operation) {
            if let Some(json) = response.content.get("application/json").cloned() {
                response.content.insert("application/xml".to_owned(), json);
            }
        }
    }
}

fn add_failure(operation: &mut Operation, status: u16, is_list: bool) {
    let responses = &mut operation.responses.responses;
    responses.insert(status.to_string(), failure(status, is_list).into());
}

/// What an operation answers when nothing is wrong, each with its status.
fn good(operation: &mut Operation) -> impl Iterator<Item = (&str, &mut Response)> {
    let responses = operation.responses.responses.iter_mut();
    responses.filter_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('2') => Some((status.as_str(), response)),
        RefOr::T(_) | RefOr::Ref(_) => None,
    })
}

/// Says in words what each good answer is: a description must.
fn describe(item: &mut PathItem) {
    let operations = [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.delete,
    ];
    for operation in operations.into_iter().flatten() {
        for (status, response) in good(operation) {
            let what = match status {
                "201" => "it was created",
                "202" => "a job does it",
                "204" => "it was deleted",
                _ => "it was done",
            };
            what.clone_into(&mut response.description);
        }
    }
}

fn failure(status: u16, is_list: bool) -> Response {
    let schema = if is_list {
        "DocumentError"
    } else {
        "ErrorBody"
    };
    let content = || Content::new(Some(Ref::from_schema_name(schema)));
    let what = match status {
        400 => "the request is not valid",
        401 => "the user is unauthenticated",
        403 => "the user may not do that",
        404 => "it does not exist, or not for this user",
        408 => "the body did not arrive in time",
        409 => "the state does not allow it, or the idempotency key was used for something else",
        413 => "the body is too large",
        422 => "the request did not pass validation",
        429 => "too many requests; wait as long as `Retry-After` says",
        500 => "something is wrong with the server",
        501 => "not built in",
        _ => "not now; ask again with the same idempotency key",
    };
    let response = ResponseBuilder::new()
        .description(what)
        .content("application/json", content());
    if is_list {
        response.content("application/xml", content()).build()
    } else {
        response.build()
    }
}
