//! What the articles of a list look like.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use stocktake::domain::{Barcode, CategoryId, Code, Product, StockKey};
use stocktake::service::{Caller, Error, FoundArticle};
use stocktake::store::StockTakeItemView;
use utoipa::ToSchema;
use uuid::Uuid;

use super::layers::Fifo;
use crate::app::App;
use crate::app::number::Number;

/// The document's `StocktakeArticlesResponse`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StocktakeArticlesResponse {
    pub(super) page: u32,
    pub(super) pages: u64,
    pub(super) page_size: u32,
    pub(super) articles_count: u64,
    /// What to ask with for what changes after this: a whole number that only grows. Of several pages, the first one's.
    pub(super) since: u64,
    pub(super) articles: Vec<StocktakeArticle>,
}

/// The document's `StocktakeSearchArticlesResponse`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StocktakeSearchArticlesResponse {
    pub(super) page: u32,
    pub(super) pages: u64,
    pub(super) page_size: u32,
    pub(super) articles_count: u64,
    /// What to ask with for what changes after this: a whole number that only grows. Of several pages, the first one's.
    pub(super) since: u64,
    pub(super) articles: Vec<StocktakeSearchArticle>,
}

/// The document's `StocktakeArticle`.
#[allow(
    clippy::struct_excessive_bools,
    reason = "the document has these fields"
)]
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StocktakeArticle {
    article_id: String,
    #[schema(required)]
    batch_id: Option<String>,
    #[schema(required)]
    serial_nr: Option<String>,
    active: bool,
    is_bundled: bool,
    name: String,
    #[schema(required)]
    description: Option<String>,
    #[schema(required)]
    group: Option<Category>,
    #[schema(required)]
    unit: Option<Unit>,
    /// On hand; of a finished list, as it was when it was finished.
    #[schema(required)]
    amount: Option<Number>,
    #[schema(required)]
    reserved: Option<Number>,
    #[schema(required)]
    barcode: Option<String>,
    #[schema(required)]
    barcode_type: Option<String>,
    /// Null while nobody has counted; 0 once finishing counted it as zero.
    #[schema(required)]
    inventory_amount: Option<Number>,
    inventoried: bool,
    #[serde(rename = "type")]
    kind: i32,
    is_stock: bool,
    #[schema(required)]
    stock_place: Option<String>,
    /// Not in the document: what tells rows of one article apart, beside `stockPlace`.
    #[schema(required)]
    variant: Option<String>,
    #[schema(required)]
    stock_warning: Option<Number>,
    /// Only of finished lists.
    #[schema(required)]
    fifos: Option<Vec<Fifo>>,
}

/// The document's `StocktakeSearchArticleResponse`.
#[allow(
    clippy::struct_excessive_bools,
    reason = "the document has these fields"
)]
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StocktakeSearchArticle {
    article_id: String,
    active: bool,
    bundled: bool,
    name: String,
    #[schema(required)]
    description: Option<String>,
    #[schema(required)]
    group: Option<Category>,
    #[schema(required)]
    unit: Option<Unit>,
    amount: Number,
    reserved: Number,
    #[schema(required)]
    barcode: Option<String>,
    #[schema(required)]
    barcode_type: Option<String>,
    #[serde(rename = "type")]
    kind: i32,
    is_stock: bool,
    #[schema(required)]
    stock_place: Option<String>,
    /// Not in the document: what tells rows of one article apart, beside `stockPlace`.
    #[schema(required)]
    variant: Option<String>,
    #[schema(required)]
    stock_warning: Option<Number>,
    included_in_stocktake: bool,
}

/// The document's `Category`.
#[derive(Debug, Serialize, ToSchema)]
struct Category {
    id: Uuid,
    name: String,
    /// How many articles are of this category.
    articles: u64,
}

/// How many articles are of the categories that are shown.
#[derive(Debug, Default)]
pub(super) struct CategorySizes(HashMap<CategoryId, u64>);

impl CategorySizes {
    /// Those of some products' categories.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub(super) async fn of<'p>(
        app: &App,
        caller: &Caller,
        products: impl Iterator<Item = &'p Product>,
    ) -> Result<Self, Error> {
        let categories = products.filter_map(|product| product.category.as_ref());
        let categories: BTreeSet<CategoryId> = categories.map(|it| it.id).collect();
        let categories: Vec<CategoryId> = categories.into_iter().collect();
        let catalogue = app.stocktake.catalogue();
        let sizes = catalogue.category_sizes(caller, &categories).await?;
        Ok(Self(categories.into_iter().zip(sizes).collect()))
    }

    fn group(&self, product: &Product) -> Option<Category> {
        product.category.as_ref().map(|category| Category {
            id: category.id.as_uuid(),
            name: category.name.to_string(),
            articles: self.0.get(&category.id).copied().unwrap_or_default(),
        })
    }
}

/// The document's `Unit`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Unit {
    id: Uuid,
    #[schema(required)]
    external_id: Option<String>,
    name: String,
}

/// What both kinds of articles show of a product.
fn unit(product: &Product) -> Option<Unit> {
    product.unit.as_ref().map(|unit| Unit {
        id: unit.id.as_uuid(),
        external_id: text(unit.external_id.as_ref()),
        name: unit.name.to_string(),
    })
}

fn text(code: Option<&Code>) -> Option<String> {
    code.map(ToString::to_string)
}

fn barcode(product: &Product) -> (Option<String>, Option<String>) {
    let told = |it: &Barcode| (it.value.to_string(), it.symbology.to_string());
    product.barcodes.first().map(told).unzip()
}

impl StocktakeArticle {
    pub(super) fn of(
        line: &StockTakeItemView,
        sizes: &CategorySizes,
        fifos: Option<Vec<Fifo>>,
    ) -> Self {
        let item = &*line.item.value;
        let (key, product): (&StockKey, &Product) = (&item.key, &item.product);
        let posting = item.posting.as_ref();
        let (barcode, barcode_type) = barcode(product);
        Self {
            article_id: product.article_id.to_string(),
            batch_id: text(key.batch.as_ref()),
            serial_nr: text(key.serial.as_ref()),
            active: product.active,
            is_bundled: product.bundled,
            name: product.name.to_string(),
            description: product.description.as_ref().map(ToString::to_string),
            group: sizes.group(product),
            unit: unit(product),
            amount: posting
                .map(|posting| posting.on_hand)
                .or(line.on_hand)
                .map(Number::from),
            reserved: posting
                .map(|posting| posting.reserved)
                .or(line.reserved)
                .map(Number::from),
            barcode,
            barcode_type,
            inventory_amount: item.counted_quantity().map(Number::from),
            inventoried: item.is_counted(),
            kind: product.article_type,
            is_stock: product.is_stock,
            stock_place: text(key.place.as_ref()),
            variant: text(key.variant.as_ref()),
            stock_warning: product.stock_warning.map(Number::from),
            fifos,
        }
    }
}

impl StocktakeSearchArticle {
    pub(super) fn of(found: &FoundArticle, sizes: &CategorySizes) -> Self {
        let (level, product) = (&found.article.level.value, &*found.article.product);
        let (barcode, barcode_type) = barcode(product);
        Self {
            article_id: product.article_id.to_string(),
            active: product.active,
            bundled: product.bundled,
            name: product.name.to_string(),
            description: product.description.as_ref().map(ToString::to_string),
            group: sizes.group(product),
            unit: unit(product),
            amount: level.quantity().into(),
            reserved: level.reserved().into(),
            barcode,
            barcode_type,
            kind: product.article_type,
            is_stock: product.is_stock,
            stock_place: text(level.key().place.as_ref()),
            variant: text(level.key().variant.as_ref()),
            stock_warning: product.stock_warning.map(Number::from),
            included_in_stocktake: found.included,
        }
    }
}
