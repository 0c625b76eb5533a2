//! The lists themselves (S4.1 to S4.4, S4.6, S4.8, S4.9).

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use stocktake::domain::{
    Label, MovementPolicy, PostingOptions, StockTake, StockTakeId, StockTakeState, Timestamp,
};
use stocktake::service::access::Operation;
use stocktake::service::{Edit, NewStockTakeList, StockTakeAmendment, StockTakeSummary};
use stocktake::store::PageRequest;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{StocktakesResponse, states};
use crate::app::at_store::AtStore;
use crate::app::body::{Json, edit};
use crate::app::failure;
use crate::app::query::{At, OrderQuery, Parameters, bounded};
use crate::app::signed::seen;
use crate::app::{Answer, App, Failure, Reply, Shared};

/// The largest page.
const MOST_ON_PAGE: u32 = 1_000;
/// Rows on a page, unless told.
const USUALLY_ON_PAGE: u32 = 25;
/// The last page number that is looked at.
const LAST_PAGE: u32 = 1_000_000;

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(create))
        .routes(routes!(get, update, remove))
        .routes(routes!(get_finished, remove_finished))
        .routes(routes!(copy))
        .routes(routes!(copy_finished))
        .routes(routes!(start))
        .routes(routes!(finish))
        .routes(routes!(reopen))
        // The document's base address ends with a slash.
        .route("/v1/stocktake/", axum::routing::post(create))
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The page; the first is 0.
    #[param(minimum = 0, maximum = 1_000_000)]
    page: Option<u32>,
    /// Rows on a page; 25 unless told.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

impl PageQuery {
    /// The number of the page, and the rows on it.
    pub(super) fn numbers(self) -> (u32, u32) {
        (
            self.page.unwrap_or(0),
            self.limit.unwrap_or(USUALLY_ON_PAGE),
        )
    }

    /// The rows to ask for.
    ///
    /// # Errors
    ///
    /// 422 out of range.
    pub(super) fn request(self) -> Result<PageRequest, Failure> {
        let (page, limit) = self.numbers();
        bounded("page", page, 0, LAST_PAGE)?;
        bounded("limit", limit, 1, MOST_ON_PAGE)?;
        Ok(PageRequest::numbered(page, limit))
    }
}

/// A list to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewListBody {
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    name: Label,
    #[schema(value_type = Option<String>, max_length = 255)]
    description: Option<String>,
    /// Unix milliseconds.
    due_date: Option<i64>,
    /// Whether every stocked article is added at once.
    annual_account: Option<bool>,
}

/// What is changed on a list; what is missing stays, and what can only be read is passed over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListUpdate {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Option<Label>,
    /// Empty or null takes it away.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, max_length = 255)]
    description: Edit<String>,
    /// Unix milliseconds.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<i64>)]
    due_date: Edit<i64>,
    /// Set to true on a new list, every stocked article is added.
    annual_account: Option<bool>,
    #[serde(default, rename = "id")]
    #[schema(value_type = Option<serde_json::Value>)]
    _id: IgnoredAny,
    #[serde(default, rename = "storeId")]
    #[schema(value_type = Option<serde_json::Value>)]
    _store_id: IgnoredAny,
    #[serde(default, rename = "state")]
    #[schema(value_type = Option<serde_json::Value>)]
    _state: IgnoredAny,
    #[serde(default, rename = "itemsTotal")]
    #[schema(value_type = Option<serde_json::Value>)]
    _items_total: IgnoredAny,
    #[serde(default, rename = "itemsLeft")]
    #[schema(value_type = Option<serde_json::Value>)]
    _items_left: IgnoredAny,
    #[serde(default, rename = "stockValue")]
    #[schema(value_type = Option<serde_json::Value>)]
    _stock_value: IgnoredAny,
    #[serde(default, rename = "stockValueFIFO")]
    #[schema(value_type = Option<serde_json::Value>)]
    _stock_value_fifo: IgnoredAny,
    #[serde(default, rename = "accounts")]
    #[schema(value_type = Option<serde_json::Value>)]
    _accounts: IgnoredAny,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FinishQuery {
    /// Whether what nobody has counted is counted as zero; it is left alone unless told.
    zero_unhandled_articles: Option<bool>,
}

fn stocktakes(found: &[StockTakeSummary]) -> Reply {
    let answer = Answer::ok(&StocktakesResponse::of(found))?;
    Ok(answer.of_class("StocktakesResponse"))
}

/// A list as it is now.
pub(super) async fn read(app: &App, here: &AtStore, id: StockTakeId) -> Reply {
    let found = app.stocktake.stock_takes().get(&here.caller, id).await?;
    stocktakes(&[found])
}

async fn created(app: &App, here: &AtStore, id: StockTakeId) -> Reply {
    let mut answer = read(app, here, id).await?;
    answer.status = StatusCode::CREATED;
    Ok(answer)
}

/// A list that is finished.
pub(super) async fn finished(
    app: &App,
    here: &AtStore,
    id: StockTakeId,
) -> Result<StockTakeSummary, Failure> {
    let found = app.stocktake.stock_takes().get(&here.caller, id).await?;
    is_finished(&found.take).map(|()| found)
}

/// That a list is finished.
pub(super) fn is_finished(take: &StockTake) -> Result<(), Failure> {
    match take.state() {
        StockTakeState::Finished | StockTakeState::Reopening => Ok(()),
        StockTakeState::New
        | StockTakeState::Ongoing
        | StockTakeState::Posting
        | StockTakeState::Removed => Err(Failure::not_found("finished stocktake")),
    }
}

fn due(millis: i64) -> Result<Timestamp, Failure> {
    millis
        .checked_mul(1_000)
        .and_then(|micros| Timestamp::from_micros(micros).ok())
        .ok_or_else(|| Failure::invalid("dueDate", "out_of_range", "no such date"))
}

/// A description; an empty one is none.
fn described(text: Option<String>) -> Result<Option<Label>, Failure> {
    text.filter(|text| !text.trim().is_empty())
        .map(Label::new)
        .transpose()
        .map_err(failure::text("description"))
}

/// Lists by state (S4.1).
#[utoipa::path(get, path = "/v1/stocktake/state/{state}", operation_id = "getStocktakes", tag = "stocktake lists",
    params(("state" = String, Path, description = "`NEW`, `ONGOING` or `FINISHED`, in any case"), PageQuery, OrderQuery),
    responses((status = 200, body = StocktakesResponse)))]
async fn list(
    State(app): State<Shared>,
    here: AtStore,
    At(state): At<String>,
    Parameters(page): Parameters<PageQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Reply {
    let message = "NEW, ONGOING or FINISHED is expected";
    let states =
        states(&state).ok_or_else(|| Failure::invalid("state", "invalid_parameter", message))?;
    let rows = order.order().of(page.request()?);
    let takes = app.stocktake.stock_takes();
    let found = takes
        .list(&here.caller, here.site.id, states, &rows)
        .await?;
    stocktakes(&found.items)
}

/// A list (S4.1).
#[utoipa::path(get, path = "/v1/stocktake/{id}", operation_id = "getStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn get(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    read(&app, &here, id).await
}

/// A finished list (S4.1).
#[utoipa::path(get, path = "/v1/stocktake/finished/{id}", operation_id = "getFinishedStocktake",
    tag = "stocktake lists", params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn get_finished(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    stocktakes(&[finished(&app, &here, id).await?])
}

/// Creates a list (S4.2).
#[utoipa::path(post, path = "/v1/stocktake", operation_id = "createStocktake", tag = "stocktake lists",
    request_body = NewListBody, responses((status = 201, body = StocktakesResponse)))]
async fn create(State(app): State<Shared>, here: AtStore, body: Json<NewListBody>) -> Reply {
    let new = body.and(|body| {
        Ok(NewStockTakeList {
            site: here.site.id,
            name: body.name,
            description: described(body.description)?,
            due_at: body.due_date.map(due).transpose()?,
            annual: body.annual_account.unwrap_or(false),
            movement_policy: MovementPolicy::default(),
        })
    });
    let (site, create) = (
        seen(&app, &here.caller, Some(here.site.id)),
        Operation::CreateStockTake,
    );
    let new = new.after(site, &here.caller, create).await?;
    let take = app
        .stocktake
        .stock_takes()
        .create_list(&here.caller, new)
        .await?;
    created(&app, &here, take.id()).await
}

/// Copies a list, without its counts (S4.3).
#[utoipa::path(post, path = "/v1/stocktake/{id}/copy", operation_id = "copyStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path)), responses((status = 201, body = StocktakesResponse)))]
async fn copy(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    let take = app.stocktake.stock_takes().copy(&here.caller, id).await?;
    created(&app, &here, take.id()).await
}

/// Copies a finished list, without its counts (S4.3).
#[utoipa::path(post, path = "/v1/stocktake/finished/{id}/copy", operation_id = "copyFinishedStocktake",
    tag = "stocktake lists", params(("id" = Uuid, Path)), responses((status = 201, body = StocktakesResponse)))]
async fn copy_finished(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    finished(&app, &here, id).await?;
    let take = app.stocktake.stock_takes().copy(&here.caller, id).await?;
    created(&app, &here, take.id()).await
}

/// Changes the words on a list (S4.4).
#[utoipa::path(put, path = "/v1/stocktake/{id}", operation_id = "updateStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path)), request_body = ListUpdate, responses((status = 200, body = StocktakesResponse)))]
async fn update(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    body: Json<ListUpdate>,
) -> Reply {
    let amendment = body.and(|body| {
        Ok(StockTakeAmendment {
            name: body.name,
            description: match body.description {
                Edit::Set(text) => described(Some(text))?.map_or(Edit::Clear, Edit::Set),
                Edit::Clear => Edit::Clear,
                Edit::Keep => Edit::Keep,
            },
            due_at: match body.due_date {
                Edit::Set(millis) => Edit::Set(due(millis)?),
                Edit::Clear => Edit::Clear,
                Edit::Keep => Edit::Keep,
            },
            annual: body.annual_account,
        })
    });
    let (takes, caller) = (app.stocktake.stock_takes(), &here.caller);
    let take = takes.get(caller, id);
    let amendment = amendment
        .after(take, caller, Operation::UpdateStockTake)
        .await?;
    takes.amend(caller, id, amendment).await?;
    read(&app, &here, id).await
}

/// Removes a list (S4.4).
#[utoipa::path(delete, path = "/v1/stocktake/{id}", operation_id = "removeStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn remove(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    app.stocktake.stock_takes().remove(&here.caller, id).await?;
    stocktakes(&[])
}

/// Removes a finished list; the ledger stays as it is (S4.4).
#[utoipa::path(delete, path = "/v1/stocktake/finished/{id}", operation_id = "removeFinishedStocktake",
    tag = "stocktake lists", params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn remove_finished(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
) -> Reply {
    finished(&app, &here, id).await?;
    app.stocktake.stock_takes().remove(&here.caller, id).await?;
    stocktakes(&[])
}

/// Begins to count (S4.6).
#[utoipa::path(put, path = "/v1/stocktake/{id}/start", operation_id = "startStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn start(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    app.stocktake.stock_takes().start(&here.caller, id).await?;
    read(&app, &here, id).await
}

/// Finishes a list: what was counted is posted (S4.8).
#[utoipa::path(put, path = "/v1/stocktake/{id}/finish", operation_id = "finishStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path), FinishQuery), responses((status = 200, body = StocktakesResponse)))]
async fn finish(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<FinishQuery>,
) -> Reply {
    let options = PostingOptions {
        zero_uncounted: query.zero_unhandled_articles.unwrap_or(false),
        ..PostingOptions::default()
    };
    app.stocktake
        .stock_takes()
        .submit(&here.caller, id, options)
        .await?;
    read(&app, &here, id).await
}

/// Reopens a finished list: its posting is taken back (S4.9).
#[utoipa::path(put, path = "/v1/stocktake/finished/{id}/reopen", operation_id = "reopenStocktake",
    tag = "stocktake lists", params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn reopen(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    app.stocktake
        .stock_takes()
        .reopen(&here.caller, id, None)
        .await?;
    read(&app, &here, id).await
}
