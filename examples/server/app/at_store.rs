//! Who asks the stocktake lists (S4), and of which store: by the document's headers, or by a bearer token.

use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::request::Parts;
use stocktake::domain::{Actor, Code, Site, SiteAccess};
use stocktake::service::Caller;

use super::failure::Failure;
use super::people::People;
use super::signed::{bearer, caller, only_site};
use super::{App, Shared};

/// Somebody at a store: no other site exists for this request.
#[derive(Clone, Debug)]
pub(super) struct AtStore {
    /// The same for the library, with the idempotency key of the request.
    pub(super) caller: Caller,
    /// The store.
    pub(super) site: Site,
}

impl AtStore {
    /// Who asks, and of which store, as the headers say it; counted against the store's limit.
    ///
    /// # Errors
    ///
    /// 401, 404 for a store that is none of theirs, 429, 422 for a key that is none.
    pub(super) async fn admit(app: &App, headers: &HeaderMap) -> Result<Self, Failure> {
        let actor = known(headers, &app.people).ok_or_else(Failure::unauthenticated)?;
        let site = store(app, actor, headers).await?;
        if let Err(seconds) = app.limit.admit(site.id, Instant::now()) {
            let message = format!("too many requests, wait {seconds} seconds");
            let mut failure =
                Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
            failure.retry_after = Some(seconds);
            return Err(failure);
        }
        let here = Actor {
            sites: SiteAccess::Only([site.id].into()),
            ..actor.clone()
        };
        Ok(Self {
            caller: caller(&here, headers)?,
            site,
        })
    }
}

impl FromRequestParts<Shared> for AtStore {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _app: &Shared) -> Result<Self, Failure> {
        let admitted = parts.extensions.get::<Self>();
        admitted.cloned().ok_or_else(Failure::unauthenticated)
    }
}

/// A header that is there, and is text; an empty one is none.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    Some(text).filter(|text| !text.is_empty())
}

/// Who the headers name: those of the document, or a bearer token.
pub(super) fn known<'a>(headers: &HeaderMap, people: &'a People) -> Option<&'a Actor> {
    let of_document = |actor| text(headers, "store").and(actor);
    if let Some(key) = text(headers, "api_key") {
        return of_document(people.with_key(key));
    }
    if let Some(id) = text(headers, "user_id") {
        let token = text(headers, "user_token")?;
        return of_document(people.with_id_and_token(id, token));
    }
    bearer(headers, people)
}

pub(super) async fn store(app: &App, actor: &Actor, headers: &HeaderMap) -> Result<Site, Failure> {
    let (catalogue, caller) = (app.stocktake.catalogue(), Caller::of(actor));
    if let Some(store) = text(headers, "store") {
        // What can be no store's name names none.
        let store = Code::new(store).map_err(|_| Failure::not_found("site"))?;
        return Ok(catalogue.site_by_external_id(&caller, &store).await?);
    }
    match only_site(actor) {
        Some(site) => Ok(catalogue.site(&caller, site).await?),
        None => Err(Failure::invalid(
            "store",
            "site_required",
            "name one of your stores",
        )),
    }
}
