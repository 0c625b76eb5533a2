//! The articles of a list (S4.5, S4.7, S4.10, S4.11).

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use stocktake::domain::{Code, Entered, NamePart, StockTake, StockTakeId, SupplierId, Timestamp};
use stocktake::service::access::Operation;
use stocktake::service::{ArticleName, FoundProduct, FoundStock, InventoryRequest};
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ChangeToken, StockTakeItemFilter, StockTakeItemView,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::articles::{
    CategorySizes, StocktakeArticle, StocktakeArticlesResponse, StocktakeSearchArticle,
    StocktakeSearchArticlesResponse,
};
use super::layers::Origins;
use super::list::StocktakesResponse;
use super::list_routes::{PageQuery, is_finished, read};
use crate::app::at_store::AtStore;
use crate::app::body::Json;
use crate::app::failure;
use crate::app::number::Given;
use crate::app::query::{At, Order, Parameters, search};
use crate::app::{Answer, App, Failure, Reply, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(articles, add, inventory))
        .routes(routes!(articles_of_finished))
        .routes(routes!(find))
        .routes(routes!(add_all))
        .routes(routes!(article, remove))
        .routes(routes!(add_stock_place, remove_stock_place))
        .routes(routes!(add_found))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ArticleQuery {
    /// A part of a barcode, or of the name.
    #[param(max_length = 128)]
    query: Option<String>,
    /// `asc` unless told.
    #[param(inline)]
    order: Option<Order>,
    /// A column of the document; `art` unless told. One of `order`, `art`, `name`, `bundled`, `cat`, `unit`, `stock_place`,
    /// `stock_place_article`, `desc`, `price`, `warning_order`, `stock`, `reserved`, `supplier`, `is_stock`, `type`, `status`,
    /// `inventoried`, `active`.
    sort_column: Option<String>,
    /// Only what has changed after this: the `since` of an earlier answer's first page. It follows what was saved, not the
    /// clock: 0, and a moment in milliseconds, give everything.
    since: Option<i64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SupplierQuery {
    /// From this supplier.
    #[param(value_type = Option<Uuid>)]
    supplier_id: Option<SupplierId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct KeyQuery {
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
    /// Where it is at several; empty: at none.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    /// Which of several.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
}

/// The document's `ArticleIds`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ArticleIds {
    #[schema(value_type = Vec<String>)]
    articles: Vec<Code>,
}

/// The document's `StocktakeArticleRequest`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StocktakeArticleRequest {
    /// The article id, or any barcode of the article.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    article_id: Code,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
    /// Not in the document, whose articles have one place: which of several; `""` is stock at none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    /// As `stockPlace`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    /// Null takes the count back.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<Given>, required)]
    added_amount: Option<Given>,
    /// Whether it is added to what is counted already; it is, unless told. The document writes it as a text.
    #[schema(value_type = Option<bool>)]
    add_to_existing: Option<Flag>,
    /// Not in the document: when it was counted, in Unix milliseconds, where a device was offline.
    counted_at: Option<i64>,
}

fn counted_at(millis: i64) -> Result<Timestamp, Failure> {
    millis
        .checked_mul(1_000)
        .and_then(|micros| Timestamp::from_micros(micros).ok())
        .ok_or_else(|| Failure::invalid("countedAt", "out_of_range", "no such moment"))
}

/// A flag, also as a text.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "FlagOrText")]
struct Flag(bool);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FlagOrText {
    Flag(bool),
    Text(String),
}

impl TryFrom<FlagOrText> for Flag {
    type Error = &'static str;

    fn try_from(given: FlagOrText) -> Result<Self, Self::Error> {
        match given {
            FlagOrText::Flag(flag) => Ok(Self(flag)),
            FlagOrText::Text(text) => match text.as_str() {
                "true" => Ok(Self(true)),
                "false" => Ok(Self(false)),
                _ => Err("true or false is expected"),
            },
        }
    }
}

impl ArticleQuery {
    fn sort(&self) -> Result<ArticleSort, Failure> {
        let name = self.sort_column.as_deref().unwrap_or("art");
        let column = ArticleColumn::from_name(name).ok_or_else(failure::no_such_column)?;
        Ok(ArticleSort {
            column,
            descending: matches!(self.order, Some(Order::Desc)),
        })
    }

    fn filter(&self) -> Result<StockTakeItemFilter, Failure> {
        Ok(StockTakeItemFilter {
            name_or_barcode: search("query", self.query.as_ref())?,
            ..StockTakeItemFilter::default()
        })
    }

    fn since(&self) -> Option<ChangeToken> {
        // Before everything is the beginning.
        let since = self.since.map(|since| u64::try_from(since).unwrap_or(0));
        since.map(ChangeToken::new)
    }

    /// What to ask with after this page: what the snapshot says with the first page, and what was asked with again on a later
    /// one, since a line of the first may have changed in between.
    fn next(&self, page: u32, next: ChangeToken) -> ChangeToken {
        if page == 0 {
            next
        } else {
            self.since().unwrap_or_default()
        }
    }
}

/// A code in a path: what is none names nothing.
fn named(text: &str) -> Result<Code, Failure> {
    Code::new(text).map_err(|_| Failure::not_found("the resource"))
}

async fn listed(
    app: &App,
    here: &AtStore,
    id: StockTakeId,
    query: &ArticleQuery,
    page: PageQuery,
    is_wanted: fn(&StockTake) -> Result<(), Failure>,
) -> Reply {
    let rows = page.request()?;
    let takes = app.stocktake.stock_takes();
    let (filter, sort, since) = (query.filter()?, query.sort()?, query.since());
    let view = takes
        .view(&here.caller, id, &filter, sort, since, &rows)
        .await?;
    is_wanted(&view.take.value)?;
    let found = view.items;
    let origins = Origins::of(app, &here.caller, &found.items).await?;
    let products = found.items.iter().map(|line| &*line.item.value.product);
    let sizes = CategorySizes::of(app, &here.caller, products).await?;
    let article = |line| StocktakeArticle::of(line, &sizes, origins.fifos(app, line));
    let (total, (number, size)) = (found.total.unwrap_or(0), page.numbers());
    let answer = Answer::ok(&StocktakeArticlesResponse {
        page: number,
        pages: total.div_ceil(u64::from(size)),
        page_size: size,
        articles_count: total,
        since: query.next(number, view.next).get(),
        articles: found.items.iter().map(article).collect(),
    })?;
    Ok(answer.of_class("StocktakeArticlesResponse"))
}

/// The articles of a list (S4.10).
#[utoipa::path(get, path = "/v1/stocktake/{id}/articles", operation_id = "getStocktakeArticles",
    tag = "stocktake articles", params(("id" = Uuid, Path), ArticleQuery, PageQuery),
    responses((status = 200, body = StocktakeArticlesResponse)))]
async fn articles(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<ArticleQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    listed(&app, &here, id, &query, page, |_| Ok(())).await
}

/// The articles of a finished list, with their cost layers (S4.10).
#[utoipa::path(get, path = "/v1/stocktake/finished/{id}/articles", operation_id = "getFinishedStocktakeArticles",
    tag = "stocktake articles", params(("id" = Uuid, Path), ArticleQuery, PageQuery),
    responses((status = 200, body = StocktakeArticlesResponse)))]
async fn articles_of_finished(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<ArticleQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    listed(&app, &here, id, &query, page, is_finished).await
}

/// Searches the store's articles (S4.11).
#[utoipa::path(get, path = "/v1/stocktake/{id}/articles/search", operation_id = "searchArticles",
    tag = "stocktake articles", params(("id" = Uuid, Path), ArticleQuery, SupplierQuery, PageQuery),
    responses((status = 200, body = StocktakeSearchArticlesResponse)))]
async fn find(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<ArticleQuery>,
    Parameters(supplier): Parameters<SupplierQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    let rows = page.request()?;
    let filter = ArticleFilter {
        name_or_barcode: search("query", query.query.as_ref())?,
        supplier: supplier.supplier_id,
        changed_since: query.since(),
    };
    let (takes, sort) = (app.stocktake.stock_takes(), query.sort()?);
    let found = takes
        .search_articles(&here.caller, id, &filter, sort, &rows)
        .await?;
    let (found, next) = (found.page, found.next);
    let products = found.items.iter().map(|it| &*it.article.product);
    let sizes = CategorySizes::of(&app, &here.caller, products).await?;
    let article = |it| StocktakeSearchArticle::of(it, &sizes);
    let (total, (number, size)) = (found.total.unwrap_or(0), page.numbers());
    let answer = Answer::ok(&StocktakeSearchArticlesResponse {
        page: number,
        pages: total.div_ceil(u64::from(size)),
        page_size: size,
        articles_count: total,
        since: query.next(number, next).get(),
        articles: found.items.iter().map(article).collect(),
    })?;
    Ok(answer.of_class("StocktakeSearchArticlesResponse"))
}

/// The only one of some lines.
fn only(mut lines: Vec<StockTakeItemView>) -> Result<StockTakeItemView, Failure> {
    match (lines.pop(), lines.is_empty()) {
        (Some(line), true) => Ok(line),
        (Some(_), false) => Err(Failure::invalid(
            "article",
            "ambiguous_article",
            "it has several variants, batches, serial numbers or stock places: name one",
        )),
        (None, _) => Err(Failure::not_found("stocktake article")),
    }
}

async fn shown(app: &App, here: &AtStore, line: &StockTakeItemView) -> Reply {
    let origins = Origins::of(app, &here.caller, std::slice::from_ref(line)).await?;
    let products = std::iter::once(&*line.item.value.product);
    let sizes = CategorySizes::of(app, &here.caller, products).await?;
    let fifos = origins.fifos(app, line);
    let answer = Answer::ok(&StocktakeArticle::of(line, &sizes, fifos))?;
    Ok(answer.of_class("StocktakeArticle"))
}

/// One article of a list (S4.10).
#[utoipa::path(get, path = "/v1/stocktake/{id}/articles/{*article_id}", operation_id = "getStocktakeArticle",
    tag = "stocktake articles", params(("id" = Uuid, Path), ("article_id" = String, Path), KeyQuery),
    responses((status = 200, body = StocktakeArticle)))]
async fn article(
    State(app): State<Shared>,
    here: AtStore,
    At((id, article)): At<(StockTakeId, String)>,
    Parameters(key): Parameters<KeyQuery>,
) -> Reply {
    let name = ArticleName {
        variant: key.variant,
        place: key.stock_place,
        batch: key.batch_id,
        serial: key.serial_nr,
        ..ArticleName::of(named(&article)?)
    };
    let takes = app.stocktake.stock_takes();
    let lines = takes.article(&here.caller, id, name).await?;
    shown(&app, &here, &only(lines)?).await
}

/// Adds articles to a list (S4.5).
#[utoipa::path(post, path = "/v1/stocktake/{id}/articles", operation_id = "addArticles", tag = "stocktake articles",
    params(("id" = Uuid, Path)), request_body = ArticleIds, responses((status = 200, body = StocktakesResponse)))]
async fn add(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    body: Json<ArticleIds>,
) -> Reply {
    let (takes, caller) = (app.stocktake.stock_takes(), &here.caller);
    let take = takes.get(caller, id);
    let body = body
        .after(take, caller, Operation::EditStockTakeItems)
        .await?;
    takes.add_articles(caller, id, &body.articles).await?;
    read(&app, &here, id).await
}

/// Adds everything at a stock place to a list (S4.5).
#[utoipa::path(post, path = "/v1/stocktake/{id}/stockplace/{*stockplace}", operation_id = "addStockplaceArticles",
    tag = "stocktake articles", params(("id" = Uuid, Path), ("stockplace" = String, Path)),
    responses((status = 200, body = StocktakesResponse)))]
async fn add_stock_place(
    State(app): State<Shared>,
    here: AtStore,
    At((id, place)): At<(StockTakeId, String)>,
) -> Reply {
    let takes = app.stocktake.stock_takes();
    takes
        .add_stock_place(&here.caller, id, named(&place)?)
        .await?;
    read(&app, &here, id).await
}

/// Adds all articles of the store to a list (S4.5).
#[utoipa::path(post, path = "/v1/stocktake/{id}/articles/all", operation_id = "addAllArticles",
    tag = "stocktake articles", params(("id" = Uuid, Path)), responses((status = 200, body = StocktakesResponse)))]
async fn add_all(State(app): State<Shared>, here: AtStore, At(id): At<StockTakeId>) -> Reply {
    app.stocktake
        .stock_takes()
        .add_all_articles(&here.caller, id)
        .await?;
    read(&app, &here, id).await
}

/// Counts an article (S4.7).
#[utoipa::path(put, path = "/v1/stocktake/{id}/articles", operation_id = "inventoryArticle",
    tag = "stocktake articles", params(("id" = Uuid, Path)), request_body = StocktakeArticleRequest,
    responses((status = 200, body = StocktakeArticle)))]
async fn inventory(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    body: Json<StocktakeArticleRequest>,
) -> Reply {
    let request = body.and(|body| {
        let adds = body.add_to_existing.is_none_or(|Flag(add)| add);
        Ok(InventoryRequest {
            article: ArticleName {
                variant: body.variant,
                place: body.stock_place,
                batch: body.batch_id,
                serial: body.serial_nr,
                ..ArticleName::of(body.article_id)
            },
            entered: match body.added_amount {
                Some(Given(amount)) if adds => Entered::Add(amount),
                Some(Given(amount)) => Entered::Set(amount),
                None => Entered::Clear,
            },
            counted_at: body.counted_at.map(counted_at).transpose()?,
        })
    });
    let takes = app.stocktake.stock_takes();
    let take = takes.get(&here.caller, id);
    let request = request
        .after(take, &here.caller, Operation::CountItem)
        .await?;
    let counted = takes.inventory(&here.caller, id, request).await?;
    let mut line = takes.item(&here.caller, id, counted.id).await?;
    // What this very count came to, whatever was counted since.
    line.item.value = counted.into();
    shown(&app, &here, &line).await
}

/// What was found while counting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FoundArticleBody {
    /// The article id, or any barcode of the article.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    article_id: Code,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
}

/// Adds what was found while counting and is not on the list. Not in the document.
#[utoipa::path(post, path = "/v1/stocktake/{id}/items", operation_id = "addFoundArticle", tag = "stocktake articles",
    params(("id" = Uuid, Path)), request_body = FoundArticleBody, responses((status = 201, body = StocktakeArticle)))]
async fn add_found(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    body: Json<FoundArticleBody>,
) -> Reply {
    let found = body.and(|body| {
        Ok(FoundStock {
            product: FoundProduct::Article(body.article_id),
            variant: body.variant,
            place: body.stock_place,
            batch: body.batch_id,
            serial: body.serial_nr,
        })
    });
    let (takes, caller) = (app.stocktake.stock_takes(), &here.caller);
    let take = takes.get(caller, id);
    let found = found
        .after(take, caller, Operation::EditStockTakeItems)
        .await?;
    let item = takes.add_found_stock(caller, id, &found).await?;
    let line = takes.item(caller, id, item).await?;
    let mut answer = shown(&app, &here, &line).await?;
    answer.status = StatusCode::CREATED;
    Ok(answer)
}

/// Removes an article from a list (S4.5).
#[utoipa::path(delete, path = "/v1/stocktake/{id}/articles/{*article_id}", operation_id = "removeArticle",
    tag = "stocktake articles", params(("id" = Uuid, Path), ("article_id" = String, Path)),
    responses((status = 200, body = StocktakesResponse)))]
async fn remove(
    State(app): State<Shared>,
    here: AtStore,
    At((id, article)): At<(StockTakeId, String)>,
) -> Reply {
    let takes = app.stocktake.stock_takes();
    takes
        .remove_article(&here.caller, id, named(&article)?)
        .await?;
    read(&app, &here, id).await
}

/// Removes everything at a stock place from a list (S4.5).
#[utoipa::path(delete, path = "/v1/stocktake/{id}/stockplace/{*stockplace}",
    operation_id = "removeStockplaceArticles", tag = "stocktake articles",
    params(("id" = Uuid, Path), ("stockplace" = String, Path)),
    responses((status = 200, body = StocktakesResponse)))]
async fn remove_stock_place(
    State(app): State<Shared>,
    here: AtStore,
    At((id, place)): At<(StockTakeId, String)>,
) -> Reply {
    let takes = app.stocktake.stock_takes();
    takes
        .remove_stock_place(&here.caller, id, named(&place)?)
        .await?;
    read(&app, &here, id).await
}
