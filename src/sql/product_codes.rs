//! What products are found and counted by beside their article ids: barcodes, which several may share, and categories.

use std::sync::Arc;

use super::cell::{Cell, Kind, Row};
use super::commit::{Insert, deletion};
use super::query::{Lookup, Snapshot, Transaction, all, blocks};
use super::table::versioned;
use crate::domain::{CategoryId, Code, OrganisationId, Product};
use crate::store::{ChangeSetParts, Record, StoreError, Versioned};

/// The kind of a barcode.
const BARCODE: i64 = 0;
/// The kind of a category, which stands as the text of its id.
const CATEGORY: i64 = 1;

/// Writes what the products of a change set are found by now.
pub(super) async fn write<T: Transaction>(
    t: &mut T,
    parts: &ChangeSetParts<'_>,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for write in parts.writes.values() {
        let Some(Record::Product(product)) = write.record() else {
            continue;
        };
        let id: Cell = product.id.as_uuid().into();
        if write.expected().is_some() {
            let key = [("product", Kind::Uuid)];
            let holder = vec![id.clone()];
            let query = deletion(t, parts.organisation, "stk_product_code", &key, holder);
            t.expect(query, None).await?;
        }
        let barcodes = product.barcodes.iter().map(|it| it.value.as_str().into());
        rows.extend(barcodes.map(|it| vec![BARCODE.into(), it, id.clone()]));
        let category = product
            .category
            .as_ref()
            .map(|it| it.id.to_string().as_str().into());
        rows.extend(category.map(|it: Cell| vec![CATEGORY.into(), it, id]));
    }
    for block in blocks(T::DIALECT, rows) {
        let insert = Insert {
            table: "stk_product_code",
            columns: &["kind", "value", "product"],
            kinds: &[Kind::Int, Kind::Text, Kind::Uuid],
            is_marked: false,
        };
        let mut query = insert.query(t, parts.organisation, block);
        // A product may state a barcode twice.
        query.push(" ON CONFLICT DO NOTHING");
        t.expect(query, None).await?;
    }
    Ok(())
}

/// The rows that a value leads to.
const fn of_kind(key: &str) -> Lookup<'_> {
    Lookup {
        table: "stk_product_code",
        alias: "c",
        key,
    }
}

fn asked<'a>(values: impl Iterator<Item = Cell> + 'a) -> Vec<Vec<Cell>> {
    let values = values.enumerate();
    values.map(|(nth, value)| vec![nth.into(), value]).collect()
}

/// Products by barcode: for each, those that have it, by id.
pub(crate) async fn by_barcode<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    barcodes: &[Code],
) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError> {
    let mut answers = vec![Vec::new(); barcodes.len()];
    let rows = asked(barcodes.iter().map(|barcode| barcode.as_str().into()));
    let product = Lookup {
        table: "stk_product",
        alias: "t",
        key: "t.id = c.product",
    };
    for block in blocks(S::DIALECT, rows) {
        let mut query = s.query("SELECT w.column1, t.version, t.body FROM ");
        query.table(&[Kind::Int, Kind::Text], block);
        let code = format!("c.kind = {BARCODE} AND c.value = w.column2");
        query.find(organisation, of_kind(&code), "");
        query.find(organisation, product, "");
        query.push(" ORDER BY w.column1, t.id");
        let found = all(s, &query, |row| Ok((row.int::<usize>()?, versioned(row)?)));
        for (nth, product) in found.await? {
            if let Some(products) = answers.get_mut(nth) {
                products.push(product);
            }
        }
    }
    Ok(answers)
}

/// How many products are of each category.
pub(crate) async fn category_sizes<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    categories: &[CategoryId],
) -> Result<Vec<u64>, StoreError> {
    let mut sizes = vec![0; categories.len()];
    let rows = asked(categories.iter().map(|id| id.to_string().as_str().into()));
    for block in blocks(S::DIALECT, rows) {
        let mut query = s.query("SELECT w.column1, count(*) FROM ");
        query.table(&[Kind::Int, Kind::Text], block);
        let code = format!("c.kind = {CATEGORY} AND c.value = w.column2");
        query.find(organisation, of_kind(&code), "");
        query.push(" GROUP BY w.column1");
        let read = |row: &mut Row| Ok((row.int::<usize>()?, row.int()?));
        for (nth, size) in all(s, &query, read).await? {
            if let Some(place) = sizes.get_mut(nth) {
                *place = size;
            }
        }
    }
    Ok(sizes)
}
