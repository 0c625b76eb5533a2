//! The stock import (S5).

use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stocktake::domain::{ImportMode, JobId, NamePart};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Parameters;
use super::signed::Signed;
use super::{Answer, Reply, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(import, remove))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// Whether the numbers are changes instead of values.
    adjustment: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PlaceQuery {
    /// Not in the document: the stock place of all that the body names; empty, what is at none. Without it, wherever it is.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
}

/// Location, product and, where there are such, variant, with a number each.
#[derive(ToSchema)]
#[schema(value_type = HashMap<String, HashMap<String, Object>>)]
#[allow(dead_code, reason = "describes a body that the library reads itself")]
struct ImportBody(());

/// What an import is answered.
#[derive(Debug, Serialize, ToSchema)]
struct ImportAnswer {
    /// `OK`.
    status: &'static str,
    /// How many values were read.
    message: String,
    #[schema(value_type = Uuid)]
    job_id: JobId,
}

/// Imports values (S5.1), or changes (S5.2); a job takes them in. Up to 1,000 values that can't be applied are told at
/// once, each by its path.
#[utoipa::path(post, path = "/imports/stock", operation_id = "importStock", tag = "stock import",
    params(ImportQuery, PlaceQuery), request_body = ImportBody, responses((status = 200, body = ImportAnswer)))]
async fn import(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<ImportQuery>,
    Parameters(at): Parameters<PlaceQuery>,
    body: Bytes,
) -> Reply {
    let mode = if query.adjustment.unwrap_or(false) {
        ImportMode::Adjustment
    } else {
        ImportMode::Absolute
    };
    begin(&app, &signed, mode, at.stock_place, &body).await
}

/// Removes what is named from stock (S5.3); a job does it.
#[utoipa::path(delete, path = "/imports/stock", operation_id = "removeStock", tag = "stock import",
    params(PlaceQuery), request_body = ImportBody, responses((status = 200, body = ImportAnswer)))]
async fn remove(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(at): Parameters<PlaceQuery>,
    body: Bytes,
) -> Reply {
    begin(&app, &signed, ImportMode::Remove, at.stock_place, &body).await
}

async fn begin(
    app: &Shared,
    signed: &Signed,
    mode: ImportMode,
    place: NamePart,
    body: &[u8],
) -> Reply {
    let imports = app.stocktake.stock_imports();
    let started = imports
        .begin_at(&signed.caller, mode, body, false, place)
        .await?;
    Answer::ok(&ImportAnswer {
        status: "OK",
        message: started.message(),
        job_id: started.job,
    })
}
