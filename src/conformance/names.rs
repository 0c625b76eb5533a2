//! Unique names (R17), what else products are found by, and all of them.

use std::sync::Arc;

use super::checks::{Verdict, Wrong, applied, ensure, refused, same};
use super::harness::Stage;
use super::samples::*;
use crate::domain::Barcode;
use crate::store::{Conflict, MAX_PAGE, RecordKey};

/// Names are unique as they are after the commit: two may swap theirs, and one that is given up is free.
pub(super) async fn r17_unique_names(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    let product_named = |n: u128, name: &str| {
        let mut product = product(n);
        product.article_id = code(name);
        Arc::new(product)
    };
    let taken = |n: u128| Conflict::Taken(RecordKey::Product(product_id(n)));
    put(&*store, |it| {
        it.insert(product_named(1, "a"));
        it.insert(product_named(2, "b"));
        it.insert(product_named(5, "A"));
        it.insert(product_named(6, "\u{ff41}"));
        it.insert(product_named(7, "\u{e9}"));
        it.insert(product_named(8, "e"));
        it.insert(product_named(9, "\u{aa}"));
    })
    .await?;
    let mut insert = changes();
    insert.insert(product_named(3, "a"));
    refused(&*store, &insert, &[taken(3)], "an article id that is taken").await?;
    let mut update = changes();
    update.update(V1, product_named(2, "a"));
    refused(
        &*store,
        &update,
        &[taken(2)],
        "a change to an article id that is taken",
    )
    .await?;
    let mut two = changes();
    two.insert(product_named(3, "c"));
    two.insert(product_named(4, "c"));
    refused(&*store, &two, &[taken(4)], "one article id for two").await?;
    let holders = async || -> Result<Vec<Option<u128>>, Wrong> {
        let wanted = ["a", "b", "c"].map(code);
        let found = store.products_by_article(ORGANISATION, &wanted).await?;
        let id = |it: Option<crate::store::Versioned<Arc<crate::domain::Product>>>| {
            it.map(|it| it.value.id.as_uuid().as_u128())
        };
        Ok(found.into_iter().map(id).collect())
    };
    put(&*store, |it| {
        it.update(V1, product_named(1, "b"));
        it.update(V1, product_named(2, "a"));
    })
    .await?;
    same(
        holders().await?,
        [Some(2), Some(1), None],
        "holders after a swap",
    )?;
    let alike = async || -> Result<Vec<Option<String>>, Wrong> {
        // Not the code itself, and of several the first one; accents are letters of their own.
        let asked = ["a", "A", "\u{ff41}", "\u{ff22}", "b", "\u{c9}", "C", "z"].map(code);
        let found = store.articles_like(ORGANISATION, &asked).await?;
        let name = |it: Option<crate::domain::Code>| it.map(|it| it.as_str().to_owned());
        Ok(found.into_iter().map(name).collect())
    };
    let some = |names: [&str; 8]| -> Vec<Option<String>> {
        let names = names.into_iter();
        names
            .map(|name| (!name.is_empty()).then(|| name.to_owned()))
            .collect()
    };
    same(
        alike().await?,
        some(["A", "a", "A", "b", "", "\u{e9}", "", ""]),
        "articles that are spelled alike",
    )?;
    put(&*store, |it| it.update(V1.next(), product_named(1, "c"))).await?;
    same(
        holders().await?,
        [Some(2), None, Some(1)],
        "holders after a change",
    )?;
    same(
        alike().await?,
        some(["A", "a", "A", "", "", "\u{e9}", "c", ""]),
        "articles that are spelled alike after a change",
    )?;
    put(&*store, |it| {
        it.update(V1.next(), product_named(2, "b"));
        it.insert(product_named(3, "a"));
    })
    .await?;
    same(
        holders().await?,
        [Some(3), Some(2), Some(1)],
        "holders of names given up",
    )?;
    put(&*store, |it| it.insert(site_of(site_id(3), "STORE-1"))).await?;
    let found = store
        .site_by_external_id(ORGANISATION, &code("STORE-1"))
        .await?;
    same(
        found.map(|it| it.id),
        Some(site_id(3)),
        "a site by its external id",
    )
}

/// A product is found by each of its barcodes as it is now, whoever else has it, and counted in its category.
pub(super) async fn r04_products_are_found_by_barcode_and_counted_by_category(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 0).await?;
    let with = |n: u128, barcodes: &[&str], of: u128| {
        let mut product = product(n);
        let barcode = |value: &&str| Barcode {
            value: code(value),
            symbology: code("EAN13"),
        };
        product.barcodes = barcodes.iter().map(barcode).collect();
        product.category = (of > 0).then(|| category(of));
        Arc::new(product)
    };
    put(&*store, |it| {
        it.insert(with(11, &["400", "500"], 1));
        // One that is stated twice is one.
        it.insert(with(13, &["500", "500"], 1));
        it.insert(with(12, &["500"], 2));
    })
    .await?;
    let mut theirs = changes_of(STRANGER);
    let mut foreign = Arc::unwrap_or_clone(with(14, &["400"], 1));
    foreign.organisation = STRANGER;
    theirs.insert(Arc::new(foreign));
    applied(&*store, &theirs).await?;
    let barcodes = ["500", "400", "4", "500"].map(code);
    let categories = [2, 1, 3, 1].map(|n| category(n).id);
    let told = async || -> Result<(Vec<Vec<u128>>, Vec<u64>), Wrong> {
        let found = store.products_by_barcode(ORGANISATION, &barcodes).await?;
        let id = |it: crate::store::Versioned<Arc<crate::domain::Product>>| {
            it.value.id.as_uuid().as_u128()
        };
        let found = found.into_iter().map(|it| it.into_iter().map(id).collect());
        let sizes = store.category_sizes(ORGANISATION, &categories).await?;
        Ok((found.collect(), sizes))
    };
    let all = vec![11, 12, 13];
    same(
        told().await?,
        (
            vec![all.clone(), vec![11], Vec::new(), all],
            vec![1, 2, 0, 2],
        ),
        "products by barcode, and the sizes of categories",
    )?;
    put(&*store, |it| {
        it.update(V1, with(11, &["400"], 2));
        it.update(V1, with(12, &[], 0));
    })
    .await?;
    let left = vec![13];
    same(
        told().await?,
        (
            vec![left.clone(), vec![11], Vec::new(), left],
            vec![1, 1, 0, 1],
        ),
        "the same once products had other barcodes and categories",
    )
}

/// All products of an organisation, whatever is on stock of them, each once, in the order of their ids.
pub(super) async fn r09_product_ids_stand_in_their_order(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let none = store
        .product_ids_after(ORGANISATION, None, MAX_PAGE)
        .await?;
    same(none, [], "the products of nobody")?;
    // Ids compare by their bytes: the last one begins higher than the others, and ends lower.
    let ids: Vec<u128> = (1..=11).chain([1 << 120]).collect();
    put(&*store, |it| {
        for n in ids.iter().rev() {
            it.insert(Arc::new(product(*n)));
        }
    })
    .await?;
    let mut theirs = changes_of(STRANGER);
    let mut foreign = product(99);
    foreign.organisation = STRANGER;
    theirs.insert(Arc::new(foreign));
    applied(&*store, &theirs).await?;
    // One that changes stays where it is.
    put(&*store, |it| it.update(V1, Arc::new(product(2)))).await?;
    let expected: Vec<_> = ids.iter().map(|n| product_id(*n)).collect();
    for limit in [0, 1, 5, MAX_PAGE] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = store.product_ids_after(ORGANISATION, after, limit).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            ensure!(
                page.len() <= usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
                    && walked.len() <= expected.len(),
                "pages of {limit} products that go on after {walked:?}"
            );
            walked.extend(page);
        }
        let what = format!("all products, {limit} at a time");
        same(walked, expected.clone(), &what)?;
    }
    let foreign = store.product_ids_after(STRANGER, None, MAX_PAGE).await?;
    same(
        foreign,
        [product_id(99)],
        "the products of another organisation",
    )
}
