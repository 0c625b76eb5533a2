//! What products are found and counted by beside their article ids: barcodes, which several may share, and categories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cell::{Cell, Kind, Row};
use super::known::versions;
use super::query::{Lookup, Snapshot, Transaction, all, blocks};
use super::rows::{Insert, deletion};
use super::table::{tables, versioned};
use crate::domain::{CategoryId, Code, OrganisationId, Product, ProductId};
use crate::store::{ChangeSetParts, Record, RecordKey, StoreError, Unlike, Versioned};

/// The kind of a barcode.
const BARCODE: i64 = 0;
/// The kind of a category, which stands as the text of its id.
const CATEGORY: i64 = 1;

/// What a product is found by: the kinds and the values.
type Codes = BTreeSet<(i64, String)>;

/// What a product is to be found by. It may state a barcode twice.
fn codes(product: &Product) -> Codes {
    let barcodes = product
        .barcodes
        .iter()
        .map(|it| (BARCODE, it.value.to_string()));
    let category = product.category.as_ref();
    barcodes
        .chain(category.map(|it| (CATEGORY, it.id.to_string())))
        .collect()
}

/// Writes what the products of a change set are found by now.
pub(super) async fn write<T: Transaction>(
    t: &mut T,
    parts: &ChangeSetParts<'_>,
) -> Result<(), StoreError> {
    let mut written = Vec::new();
    for write in parts.writes.values() {
        let Some(Record::Product(product)) = write.record() else {
            continue;
        };
        if write.expected().is_some() {
            forget(t, parts.organisation, product.id).await?;
        }
        written.push((product.id, codes(product)));
    }
    insert(t, parts.organisation, written).await
}

/// Takes away what a product is found by.
async fn forget<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    product: ProductId,
) -> Result<(), StoreError> {
    let key = [("product", Kind::Uuid)];
    let holder = vec![product.as_uuid().into()];
    let query = deletion(t, organisation, "stk_product_code", &key, holder);
    t.expect(query, None).await?;
    Ok(())
}

/// Writes what some products are found by.
async fn insert<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    products: Vec<(ProductId, Codes)>,
) -> Result<(), StoreError> {
    let row = |product: ProductId| {
        move |(kind, value): (i64, String)| {
            vec![kind.into(), value.into(), product.as_uuid().into()]
        }
    };
    let products = products.into_iter();
    let rows = products.flat_map(|(product, codes)| codes.into_iter().map(row(product)));
    for block in blocks(T::DIALECT, rows.collect()) {
        let insert = Insert {
            table: "stk_product_code",
            columns: &["kind", "value", "product"],
            kinds: &[Kind::Int, Kind::Text, Kind::Uuid],
            is_marked: false,
        };
        let mut query = insert.query(t, organisation, block);
        // What stands there already is what should.
        query.push(" ON CONFLICT DO NOTHING");
        t.expect(query, None).await?;
    }
    Ok(())
}

/// What a product is found by, and what it should be found by.
#[derive(Debug)]
pub(super) struct Off {
    product: ProductId,
    kept: Codes,
    due: Codes,
}

impl Off {
    pub(super) fn told(&self) -> impl Iterator<Item = Unlike> {
        let kinds = [(BARCODE, "barcodes"), (CATEGORY, "category")];
        kinds.into_iter().filter_map(|(kind, what)| {
            let shown = |codes: &Codes| {
                let of_kind = codes.iter().filter(|(its, _)| *its == kind);
                let values: Vec<&str> = of_kind.map(|(_, value)| value.as_str()).collect();
                if values.is_empty() {
                    "nothing".to_owned()
                } else {
                    values.join(", ")
                }
            };
            let (kept, due) = (shown(&self.kept), shown(&self.due));
            (kept != due).then_some(Unlike {
                record: RecordKey::Product(self.product),
                what,
                kept,
                due,
            })
        })
    }
}

/// The products of some records that are found by something else than what they have. Both sides are read by one statement.
pub(super) async fn off<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Off>, StoreError> {
    let products = keys.iter().filter_map(|key| {
        let RecordKey::Product(id) = key else {
            return None;
        };
        Some(vec![id.as_uuid().into()])
    });
    let product = Lookup {
        table: "stk_product",
        alias: "t",
        key: "t.id = w.column1",
    };
    let code = Lookup {
        table: "stk_product_code",
        alias: "c",
        key: "c.product = w.column1",
    };
    let mut found = Vec::new();
    for block in blocks(S::DIALECT, products.collect()) {
        let mut query = s.query("SELECT t.id, t.body, c.kind, c.value FROM ");
        query.table(&[Kind::Uuid], block);
        query.find(organisation, product, "");
        query.look_beside(organisation, code);
        let rows = all(s, &query, |row| {
            let id = row.id()?;
            let product: Result<Product, _> = row.body();
            let product = product.map_err(|cause| cause.of(&RecordKey::Product(id)))?;
            let code = row.optional_int()?.zip(row.optional_text()?);
            Ok((id, product, code))
        });
        let mut kept: BTreeMap<ProductId, Off> = BTreeMap::new();
        for (id, product, code) in rows.await? {
            let off = kept.entry(id).or_insert_with(|| Off {
                product: id,
                kept: Codes::new(),
                due: codes(&product),
            });
            off.kept.extend(code);
        }
        found.extend(kept.into_values().filter(|off| off.kept != off.due));
    }
    Ok(found)
}

/// Gives products the codes that they have.
pub(super) async fn mend<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    let found = off(t, organisation, keys).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let products = found.iter().map(|off| RecordKey::Product(off.product));
    let products: Vec<RecordKey> = products.collect();
    for block in blocks(T::DIALECT, products.clone()) {
        versions(t, organisation, &tables::PRODUCT, &block, T::LOCK).await?;
    }
    let found = off(t, organisation, &products).await?;
    for off in &found {
        forget(t, organisation, off.product).await?;
    }
    let told = found.iter().flat_map(Off::told).collect();
    let due = found.into_iter().map(|off| (off.product, off.due));
    insert(t, organisation, due.collect()).await?;
    Ok(told)
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
        let mut query = s.query("SELECT w.column1, t.id, t.version, t.body FROM ");
        query.table(&[Kind::Int, Kind::Text], block);
        let code = format!("c.kind = {BARCODE} AND c.value = w.column2");
        query.find(organisation, of_kind(&code), "");
        query.find(organisation, product, "");
        query.push(" ORDER BY w.column1, t.id");
        let found = all(s, &query, |row| {
            let (nth, id): (usize, ProductId) = (row.int()?, row.id()?);
            let product = versioned(row).map_err(|cause| cause.of(&RecordKey::Product(id)))?;
            Ok((nth, product))
        });
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
