//! Stock takes (S1).

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use stocktake::domain::{
    BrandId, CategoryId, Code, CountStatus, JobId, Label, MovementPolicy, NamePart, PostingOptions,
    ProductId, SiteId, StockTake, StockTakeId, StockTakeItemId, StockTakeState, SupplierId,
};
use stocktake::service::access::Operation;
use stocktake::service::{
    CountRequest, Edit, FoundProduct, FoundStock, NewStockTake, StockTakeAmendment,
};
use stocktake::store::{
    ArticleSort, PageRequest, StockTakeItemFilter, StockTakeItemView, StockTakeTotals,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::json;
use super::body::{Json, edit, filled};
use super::exports::FormQuery;
use super::jobs::JobAnswer;
use super::number::Given;
use super::query::{At, Meta, PageQuery, Parameters, SiteQuery, from_moment, search};
use super::signed::{Signed, seen};
use super::stock_take_views::{
    StockTakeItemList, StockTakeItemListV2, StockTakeItemRow, StockTakeList, StockTakeView,
    TotalsView,
};
use super::{Answer, Failure, Reply, Shared, streaming};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(post))
        .routes(routes!(submit))
        .routes(routes!(items, add_found))
        .routes(routes!(items_v2))
        .routes(routes!(count, delete_item))
        .routes(routes!(export))
}

/// A stock take to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStockTakeBody {
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    description: Label,
    /// The site; not needed when the user has one.
    #[schema(value_type = Option<Uuid>)]
    site_id: Option<SiteId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NewQuery {
    /// The site, unless the body names it; not needed when the user has one.
    #[param(value_type = Option<Uuid>)]
    site_id: Option<SiteId>,
}

/// What is changed on a stock take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StockTakeUpdate {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    description: Option<Label>,
}

/// What was counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CountBody {
    /// Zero or more; null takes the count back; missing changes nothing.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<Given>, minimum = 0)]
    counted_quantity: Edit<Given>,
    /// Not in the document: when it was counted, in ISO 8601, where a device was offline.
    #[schema(value_type = Option<String>, format = DateTime)]
    counted_at: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ItemQuery {
    /// Any of these ids, separated by commas; none is any.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    brand_ids: Vec<BrandId>,
    /// Any of these ids, separated by commas; none is any.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    category_ids: Vec<CategoryId>,
    /// Any of these ids, separated by commas; none is any.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    supplier_ids: Vec<SupplierId>,
    /// A part of the product's name.
    #[param(max_length = 128)]
    query: Option<String>,
    #[param(value_type = Option<StatusFilter>, inline)]
    status: Option<CountStatus>,
}

/// Which lines.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "describes how the library's own type is written")]
enum StatusFilter {
    All,
    Uncounted,
    Counted,
}

impl ItemQuery {
    fn filter(&self) -> Result<StockTakeItemFilter, Failure> {
        Ok(StockTakeItemFilter {
            brands: self.brand_ids.iter().copied().collect(),
            categories: self.category_ids.iter().copied().collect(),
            suppliers: self.supplier_ids.iter().copied().collect(),
            name: search("query", self.query.as_ref())?,
            status: self.status.unwrap_or_default(),
            ..StockTakeItemFilter::default()
        })
    }
}

/// The stock takes of a site (S1.1).
#[utoipa::path(get, path = "/inventory/stock-takes", operation_id = "listStockTakes", tag = "stock takes",
    params(SiteQuery, PageQuery), responses((status = 200, body = StockTakeList)))]
async fn list(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(SiteQuery { site_id }): Parameters<SiteQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    let (takes, rows) = (app.stocktake.stock_takes(), page.request()?);
    let found = takes.list(&signed.caller, site_id, &[], &rows).await?;
    let meta = page.meta(&found);
    let data = found.items.iter().map(|it| StockTakeView::of(&it.take));
    Answer::ok(&StockTakeList {
        data: data.collect(),
        meta,
    })
}

/// Creates a stock take; a job adds its lines (S1.2).
#[utoipa::path(post, path = "/inventory/stock-takes", operation_id = "createStockTake", tag = "stock takes",
    params(NewQuery), request_body = NewStockTakeBody, responses((status = 201, body = StockTakeView)))]
async fn create(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<NewQuery>,
    body: Json<NewStockTakeBody>,
) -> Reply {
    let named = signed.site("site_id", query.site_id).ok();
    let new = body.and(|body| {
        Ok(NewStockTake {
            site: signed.site("site_id", body.site_id.or(query.site_id))?,
            description: body.description,
            movement_policy: MovementPolicy::default(),
        })
    });
    let site = seen(&app, &signed.caller, named);
    let new = new
        .after(site, &signed.caller, Operation::CreateStockTake)
        .await?;
    let take = app
        .stocktake
        .stock_takes()
        .create(&signed.caller, new)
        .await?;
    Answer::created(&StockTakeView::of(&take))
}

/// A stock take (S1.3).
#[utoipa::path(get, path = "/inventory/stock-takes/{stockTakeId}", operation_id = "getStockTake", tag = "stock takes",
    params(("stockTakeId" = Uuid, Path)), responses((status = 200, body = StockTakeView)))]
async fn get(State(app): State<Shared>, signed: Signed, At(id): At<StockTakeId>) -> Reply {
    let found = app.stocktake.stock_takes().get(&signed.caller, id).await?;
    Answer::ok(&StockTakeView::of(&found.take))
}

/// Changes the description (S1.4).
#[utoipa::path(put, path = "/inventory/stock-takes/{stockTakeId}", operation_id = "updateStockTake",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)), request_body = StockTakeUpdate,
    responses((status = 200, body = StockTakeView)))]
async fn update(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
    body: Json<StockTakeUpdate>,
) -> Reply {
    let takes = app.stocktake.stock_takes();
    let take = takes.get(&signed.caller, id);
    let body = body
        .after(take, &signed.caller, Operation::UpdateStockTake)
        .await?;
    let amendment = StockTakeAmendment {
        description: body.description.map_or(Edit::Keep, Edit::Set),
        ..StockTakeAmendment::default()
    };
    let take = takes.amend(&signed.caller, id, amendment).await?;
    Answer::ok(&StockTakeView::of(&take))
}

/// Removes a stock take; the ledger stays as it is (S1.5).
#[utoipa::path(delete, path = "/inventory/stock-takes/{stockTakeId}", operation_id = "deleteStockTake",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)), responses((status = 204)))]
async fn remove(State(app): State<Shared>, signed: Signed, At(id): At<StockTakeId>) -> Reply {
    app.stocktake
        .stock_takes()
        .remove(&signed.caller, id)
        .await?;
    Ok(Answer::nothing())
}

/// Posts a stock take in the background (S1.6).
#[utoipa::path(post, path = "/inventory/stock-takes/{stockTakeId}/post", operation_id = "createStockTakePosting",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)), responses((status = 200, body = JobAnswer)))]
async fn post(State(app): State<Shared>, signed: Signed, At(id): At<StockTakeId>) -> Reply {
    let options = PostingOptions::default();
    let job = app
        .stocktake
        .stock_takes()
        .post(&signed.caller, id, options)
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}

/// Posts a stock take, done when it answers (S1.7).
#[utoipa::path(post, path = "/inventory/stock-takes/{stockTakeId}/submit", operation_id = "actionSubmitStockTake",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)), responses((status = 200, body = StockTakeView)))]
async fn submit(State(app): State<Shared>, signed: Signed, At(id): At<StockTakeId>) -> Reply {
    let options = PostingOptions::default();
    let take = app
        .stocktake
        .stock_takes()
        .submit(&signed.caller, id, options)
        .await?;
    // Posted by this very request, and removed since: there is nothing to show but its first answer.
    if take.state() == StockTakeState::Removed {
        return Err(Failure::not_found("stock take"));
    }
    Answer::ok(&StockTakeView::of(&take))
}

/// The lines of a stock take (S1.8).
#[utoipa::path(get, path = "/inventory/stock-takes/{stockTakeId}/items", operation_id = "listStockTakeItems",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path), ItemQuery, PageQuery),
    responses((status = 200, body = StockTakeItemList)))]
async fn items(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    let (list, _) = filtered(&app, &signed, id, &query, page).await?;
    Answer::ok(&list)
}

/// The lines of a stock take, with the totals of all filtered ones (S1.9).
#[utoipa::path(get, path = "/inventory/stock-takes/{stockTakeId}/items-v2", operation_id = "listStockTakeItemsV2",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path), ItemQuery, PageQuery),
    responses((status = 200, body = StockTakeItemListV2)))]
async fn items_v2(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Response, Failure> {
    if page.is_asked() {
        let (list, totals) = filtered(&app, &signed, id, &query, page).await?;
        let StockTakeItemList { data, meta } = list;
        let answer = Answer::ok(&StockTakeItemListV2 { data, meta, totals })?;
        return Ok(answer.into_response());
    }
    let (takes, caller, filter) = (
        app.stocktake.stock_takes(),
        signed.caller.clone(),
        query.filter()?,
    );
    let currency = takes.get(&caller, id).await?.take.currency();
    // A long list is read in parts, while others count. Its totals are those of the very rows that were told.
    let told = Arc::new(Mutex::new(StockTakeTotals::default()));
    let (adding, sums) = (Arc::clone(&told), move || {
        *told.lock().unwrap_or_else(PoisonError::into_inner)
    });
    let list = move |page: PageRequest| {
        let (app, caller, filter) = (Arc::clone(&app), caller.clone(), filter.clone());
        let adding = Arc::clone(&adding);
        async move {
            let (takes, sort) = (app.stocktake.stock_takes(), ArticleSort::default());
            let found = takes.items(&caller, id, &filter, sort, &page).await?;
            let mut told = adding.lock().unwrap_or_else(PoisonError::into_inner);
            for line in &found.items {
                let item = &line.item.value;
                let minor = i128::from(item.adjustment_minor());
                told.items = told.items.saturating_add(1);
                told.counted = told.counted.saturating_add(u64::from(item.is_counted()));
                told.adjustment_minor = told.adjustment_minor.saturating_add(minor);
            }
            drop(told);
            Ok(found)
        }
    };
    let (shown, order) = (
        move |line: &StockTakeItemView| StockTakeItemRow::of(line, currency),
        page.order(),
    );
    let behind = move |rows| {
        let totals = json(&TotalsView::of(&sums(), currency));
        let (meta, totals) = (Meta::of_all(rows), totals.unwrap_or_default());
        format!("],\"meta\":{meta},\"totals\":{totals}}}")
    };
    streaming::pages("{\"data\":[", order, list, shown, behind).await
}

async fn filtered(
    app: &Shared,
    signed: &Signed,
    id: StockTakeId,
    query: &ItemQuery,
    page: PageQuery,
) -> Result<(StockTakeItemList, TotalsView), Failure> {
    let (takes, caller) = (app.stocktake.stock_takes(), &signed.caller);
    let (filter, sort) = (query.filter()?, ArticleSort::default());
    let view = takes
        .view(caller, id, &filter, sort, None, &page.request()?)
        .await?;
    let (found, currency) = (view.items, view.take.value.currency());
    let totals = view.totals.unwrap_or_default();
    let rows = found
        .items
        .iter()
        .map(|it| StockTakeItemRow::of(it, currency));
    let list = StockTakeItemList {
        data: rows.collect(),
        meta: page.meta(&found),
    };
    Ok((list, TotalsView::of(&totals, currency)))
}

/// What was found while counting: a product by one of `product_id`, `article_id` and `barcode`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FoundBody {
    #[schema(value_type = Option<Uuid>)]
    product_id: Option<ProductId>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 128)]
    article_id: Option<Code>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 128)]
    barcode: Option<Code>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
}

impl FoundBody {
    fn found(self) -> Result<FoundStock, Failure> {
        let product = match (self.product_id, self.article_id, self.barcode) {
            (Some(id), None, None) => FoundProduct::Id(id),
            (None, Some(article), None) => FoundProduct::Article(article),
            (None, None, Some(barcode)) => FoundProduct::Barcode(barcode),
            (_, _, _) => {
                let message = "name one of product_id, article_id and barcode";
                return Err(Failure::invalid("article_id", "product_required", message));
            }
        };
        Ok(FoundStock {
            product,
            variant: self.variant,
            place: self.stock_place,
            batch: self.batch_id,
            serial: self.serial_nr,
        })
    }
}

/// Adds what was found while counting and has no line.
#[utoipa::path(post, path = "/inventory/stock-takes/{stockTakeId}/items", operation_id = "addFoundStockTakeItem",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)), request_body = FoundBody,
    responses((status = 201, body = StockTakeItemRow)))]
async fn add_found(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
    body: Json<FoundBody>,
) -> Reply {
    let (takes, caller) = (app.stocktake.stock_takes(), &signed.caller);
    let take = takes.get(caller, id);
    let found = body
        .and(FoundBody::found)
        .after(take, caller, Operation::EditStockTakeItems)
        .await?;
    let item = takes.add_found_stock(caller, id, &found).await?;
    let line = takes.item(caller, id, item).await?;
    let currency = takes.get(caller, id).await?.take.currency();
    Answer::created(&StockTakeItemRow::of(&line, currency))
}

/// Counts a line, or takes its count back (S1.10).
#[utoipa::path(put, path = "/inventory/stock-takes/{stockTakeId}/items/{stockTakeItemId}",
    operation_id = "updateStockTakeItem", tag = "stock takes",
    params(("stockTakeId" = Uuid, Path), ("stockTakeItemId" = Uuid, Path)), request_body = CountBody,
    responses((status = 200, body = StockTakeItemRow)))]
async fn count(
    State(app): State<Shared>,
    signed: Signed,
    At((id, item)): At<(StockTakeId, StockTakeItemId)>,
    body: Json<CountBody>,
) -> Reply {
    let (takes, caller) = (app.stocktake.stock_takes(), &signed.caller);
    let line = takes.item(caller, id, item);
    let body = body.after(line, caller, Operation::CountItem).await?;
    let counted_at = from_moment("counted_at", body.counted_at.as_ref())?;
    let request = match body.counted_quantity {
        Edit::Set(Given(quantity)) => Some(CountRequest::set(quantity)),
        Edit::Clear => Some(CountRequest::clear()),
        Edit::Keep => None,
    };
    let line = takes.item(caller, id, item).await?;
    let (on_hand, mut shown) = (line.on_hand, line.item.value);
    if let Some(request) = request {
        let request = CountRequest {
            counted_at,
            ..request
        };
        shown = takes.count(caller, id, item, request).await?.into();
    }
    let currency = takes.get(caller, id).await?.take.currency();
    Answer::ok(&StockTakeItemRow::with(&shown, on_hand, currency))
}

/// Deletes a line (S1.11).
#[utoipa::path(delete, path = "/inventory/stock-takes/{stockTakeId}/items/{stockTakeItemId}",
    operation_id = "deleteStockTakeItem", tag = "stock takes",
    params(("stockTakeId" = Uuid, Path), ("stockTakeItemId" = Uuid, Path)), responses((status = 204)))]
async fn delete_item(
    State(app): State<Shared>,
    signed: Signed,
    At((id, item)): At<(StockTakeId, StockTakeItemId)>,
) -> Reply {
    let takes = app.stocktake.stock_takes();
    takes.delete_item(&signed.caller, id, item).await?;
    Ok(Answer::nothing())
}

/// Asks for the lines as a file, and tells how far it is (S1.12).
#[utoipa::path(get, path = "/inventory/stock-takes/{stockTakeId}/queue", operation_id = "actionQueueStockTakeExport",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path), SiteQuery, ItemQuery, FormQuery),
    responses((status = 200, body = JobAnswer)))]
async fn export(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
    Parameters(SiteQuery { site_id }): Parameters<SiteQuery>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let take = app
        .stocktake
        .stock_takes()
        .get(&signed.caller, id)
        .await?
        .take;
    if take.site() != site_id {
        return Err(Failure::not_found("stock take"));
    }
    let exports = app.stocktake.exports();
    let job = exports
        .stock_take(&signed.caller, id, query.filter()?, form.form())
        .await?;
    JobAnswer::beside(&app, &signed.caller, job, posting_of(&take)).await
}

/// The job that posts a take, or that tried to.
fn posting_of(take: &StockTake) -> Option<JobId> {
    let is_posting = take.state() == StockTakeState::Posting;
    let run = take.run().filter(|_| is_posting).map(|run| run.job);
    run.or(take.refusal().map(|refusal| refusal.job))
}
