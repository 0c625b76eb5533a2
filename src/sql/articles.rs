//! What a site stocks (S4.11).

use std::sync::Arc;

use super::cell::{Cell, Row};
use super::changes;
use super::kept_order::{KeptOrder, Ordered, value_cells};
use super::lists::{Kept, Listing, Narrowed};
use super::query::{Dialect, FEW, Lookup, Snapshot, first};
use super::reads::{KEY_ORDER, key_place};
use super::table::versioned;
use crate::domain::{OrganisationId, Product, SiteId, StockKey, StockLevel};
use crate::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ArticleView, List, Page, PageRequest, Ranked,
    SortValue, StoreError, Versioned,
};

/// A site's stocked keys whose product is known.
pub(crate) async fn articles<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    (filter, sort): (&ArticleFilter, ArticleSort),
    request: &PageRequest,
) -> Result<Page<ArticleView>, StoreError> {
    let scope = format!("{organisation}/{site}");
    let ArticleFilter {
        name_or_barcode,
        supplier,
        changed_since,
    } = filter;
    let (column, request) = sort.ascending(request);
    let request = &request;
    let list = List::new("articles", scope, &(filter, column));
    let kept_order = KeptOrder::of(column).and_then(|it| Some((it, products_ordered(it)?)));
    // The catalogue may be much larger than what the site stocks: little stock is sorted when it is read.
    let kept_order = match kept_order {
        Some(kept_order) if !has_few(s, organisation, site).await? => Some(kept_order),
        _ => None,
    };
    let led_by = if kept_order.is_some() { "p" } else { "t" };
    let mut narrowed = Narrowed::of(led_by, organisation);
    if let Some(since) = changed_since {
        let since = since.within(changes::next(s, organisation).await?);
        let changed = match S::DIALECT {
            Dialect::Sqlite => "max(t.changed, p.changed)",
            Dialect::Postgres => "greatest(t.changed, p.changed)",
        };
        narrowed = narrowed.compare(changed, ">=", since.get());
    }
    if let Some(text) = name_or_barcode {
        narrowed = narrowed.containing("p.search", text);
    }
    let columns = "t.version, t.body, p.body";
    let view = |row: &mut Row| {
        let level: Versioned<Arc<StockLevel>> = versioned(row)?;
        let product: Arc<Product> = row.body()?;
        Ok((level.key().clone(), ArticleView { level, product }))
    };
    let keep = |view: &ArticleView| filter.matches(&view.level, &view.product);
    let kept: Kept<'_, ArticleView> = supplier.is_some().then_some(&keep);
    let at_site = [
        ("site", Cell::from(site.as_uuid())),
        ("stocked", 1_i64.into()),
    ];
    if let Some((kept_order, ordered)) = kept_order {
        let after = list.after(request, |(value, key): &(SortValue, StockKey)| {
            kept_order.has(value) && key.site == site
        })?;
        let narrowed = narrowed.and(&ordered.means());
        let listing = Listing {
            columns,
            from: &ordered.of_table(S::DIALECT, "stk_product", "p"),
            known_to: Some((LEVELS_OF_PRODUCT, &at_site)),
            beside: None,
            order: ordered.columns,
            place: |(value, key): &(SortValue, StockKey)| {
                let mut cells = value_cells(value);
                cells.append(&mut key_place(key));
                cells
            },
            read: &|row: &mut Row| {
                let (key, view) = view(row)?;
                let value = column.value_of_article(&view.level, &view.product);
                Ok(((value, key), view))
            },
        };
        let page = listing.page(s, list, (&narrowed, kept), request, after);
        return page.await;
    }
    let narrowed = narrowed
        .equal("t.site", site.as_uuid())
        .and("t.stocked = 1");
    let listing = Listing {
        columns,
        from: "stk_stock_level AS t",
        known_to: Some((PRODUCT_OF_LEVEL, &[])),
        beside: None,
        order: KEY_ORDER,
        place: key_place,
        read: &view,
    };
    if column == ArticleColumn::Line {
        let after = list.after::<StockKey>(request, |key| key.site == site)?;
        let page = listing.page(s, list, (&narrowed, kept), request, after);
        return page.await;
    }
    let mut page = list.sorting::<StockKey, _, _>(request)?;
    let look = |position: StockKey, row: ArticleView| {
        if keep(&row) {
            page.push(Ranked {
                value: column.value_of_article(&row.level, &row.product),
                position,
                row,
            });
        }
        true
    };
    listing.walk(s, &narrowed, look).await?;
    Ok(page.page())
}

/// The product of a level `t`.
const PRODUCT_OF_LEVEL: Lookup<'_> = Lookup {
    table: "stk_product",
    alias: "p",
    key: "p.id = t.product",
};

/// The levels of a product `p`.
const LEVELS_OF_PRODUCT: Lookup<'_> = Lookup {
    table: "stk_stock_level",
    alias: "t",
    key: "t.product = p.id",
};

/// The index that products are kept in, in an order.
const fn products_ordered(order: KeptOrder) -> Option<Ordered> {
    match order {
        KeptOrder::Article => Some(Ordered {
            index: "stk_product_article_order",
            columns: &[
                "p.article_order",
                "p.id",
                "t.variant",
                "t.place",
                "t.batch",
                "t.serial",
            ],
        }),
        KeptOrder::Name => Some(Ordered {
            index: "stk_product_name_order",
            columns: &[
                "p.name_order",
                "p.id",
                "t.variant",
                "t.place",
                "t.batch",
                "t.serial",
            ],
        }),
        KeptOrder::Place => None,
    }
}

/// Whether a site has few levels.
async fn has_few<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
) -> Result<bool, StoreError> {
    let mut query =
        s.query("SELECT count(*) FROM (SELECT 1 AS one FROM stk_stock_level WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    query
        .push(" LIMIT ")
        .bind(FEW.saturating_add(1))
        .push(") AS found");
    let found: Option<usize> = first(s, &query, Row::int).await?;
    Ok(found.is_none_or(|found| found <= FEW))
}
