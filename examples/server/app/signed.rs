//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use stocktake::domain::{Actor, SiteAccess, SiteId};
use stocktake::service::{Caller, Error};
use stocktake::store::IdempotencyKey;

use super::at_store::{known, store};
use super::failure::Failure;
use super::people::People;
use super::{App, Shared};

/// Somebody who is known.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// The same for the library, with the idempotency key of the request.
    pub(super) caller: Caller,
    /// The only site of theirs, or the store that they named beside their key.
    site: Option<SiteId>,
}

impl Signed {
    /// Who asks, as the headers say it: by a bearer token, or as the document of the stocktake lists has it.
    ///
    /// # Errors
    ///
    /// 401, 404 for a store that is none of theirs, 422 for a key that is none.
    pub(super) async fn admit(app: &App, headers: &HeaderMap) -> Result<Self, Failure> {
        let (actor, site) = if let Some(actor) = bearer(headers, &app.people) {
            (actor, only_site(actor))
        } else {
            let actor = known(headers, &app.people).ok_or_else(Failure::unauthenticated)?;
            (actor, Some(store(app, actor, headers).await?.id))
        };
        Ok(Self {
            caller: caller(actor, headers)?,
            site,
        })
    }
}

impl FromRequestParts<Shared> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _app: &Shared) -> Result<Self, Failure> {
        let admitted = parts.extensions.get::<Self>();
        admitted.cloned().ok_or_else(Failure::unauthenticated)
    }
}

impl Signed {
    /// The site that a request is about: the one it names, or the user's only one.
    ///
    /// # Errors
    ///
    /// 422 when none is named and the user has several.
    pub(super) fn site(
        &self,
        field: &'static str,
        named: Option<SiteId>,
    ) -> Result<SiteId, Failure> {
        named
            .or(self.site)
            .ok_or_else(|| Failure::invalid(field, "site_required", "name one of your sites"))
    }
}

/// A site, if one is named, that the caller can see.
///
/// # Errors
///
/// [`Error::NotFound`]; failures of the store.
pub(super) async fn seen(app: &App, caller: &Caller, site: Option<SiteId>) -> Result<(), Error> {
    match site {
        Some(site) => app.stocktake.catalogue().site(caller, site).await.map(drop),
        None => Ok(()),
    }
}

/// The user of the token in the headers.
pub(super) fn bearer<'a>(headers: &HeaderMap, people: &'a People) -> Option<&'a Actor> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| people.with_token(token.trim()))
        .flatten()
}

/// An actor, and the idempotency key of its request.
///
/// # Errors
///
/// 422 for a key that is none.
pub(super) fn caller(actor: &Actor, headers: &HeaderMap) -> Result<Caller, Failure> {
    let caller = Caller::of(actor);
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(caller);
    };
    let key = key.to_str().unwrap_or_default();
    IdempotencyKey::new(key)
        .map(|key| caller.with_key(key))
        .map_err(|error| Failure::invalid("Idempotency-Key", "invalid_idempotency_key", error))
}

/// The only site of an actor who has one.
pub(super) fn only_site(actor: &Actor) -> Option<SiteId> {
    match &actor.sites {
        SiteAccess::Only(sites) if sites.len() == 1 => sites.first().copied(),
        SiteAccess::Only(_) | SiteAccess::All => None,
    }
}
