//! The tables that records stand in, and how a record becomes a row and a row a record.
//!
//! Every table begins with the organisation and the record's key, then its version. What lists are narrowed
//! and ordered by, what totals are made of, and what a commit checks has columns of its own (quantities in
//! millionths, times in microseconds); the whole record is in `body`, as bytes. The lines of takes, of which
//! there are millions, have no body before they are counted, and share what they show of their products in
//! `product_snapshot`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::cell::{Cell, Kind, Row, Unreadable};
use super::query::Lookup;
use crate::domain::{
    Beginning, Code, Count, LinePosting, Product, ProductId, Quantity, StockEvent, StockKey,
    StockTakeItem, Timestamp, fold,
};
use crate::store::codec::{EncodeError, Stored, encode, encode_known};
use crate::store::{Record, RecordKey, Version, Versioned};

/// A column: its name and type.
pub(crate) type Column = (&'static str, Kind);

/// A table of records of one kind.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What a record is found under, within its organisation.
    pub(crate) key: &'static [Column],
    /// What else it has, after its version.
    pub(crate) columns: &'static [Column],
    /// How many of these columns, the first ones, hardly ever change: an update tries to leave them, and the indexes that
    /// they are in, alone.
    pub(crate) settled: usize,
    /// What a commit must know of what is there, beside its version.
    pub(crate) facts: &'static [&'static str],
    /// Whether its rows tell which commit changed them last.
    pub(crate) is_marked: bool,
}

const BODY: Column = ("body", Kind::Bytes);
const KEY: [Column; 6] = [
    ("site", Kind::Uuid),
    ("product", Kind::Uuid),
    ("variant", Kind::Text),
    ("place", Kind::Text),
    ("batch", Kind::Text),
    ("serial", Kind::Text),
];
const ID: &[Column] = &[("id", Kind::Uuid)];

/// The columns of documents that stand on lists by age.
const LISTED: [Column; 3] = [
    ("site", Kind::Uuid),
    ("state", Kind::Text),
    ("began_at", Kind::Int),
];

/// Every table of records.
pub(crate) mod tables {
    use super::{BODY, ID, KEY, Kind, LISTED, Table};

    pub(crate) static SITE: Table = Table {
        name: "stk_site",
        key: ID,
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static PRODUCT: Table = Table {
        name: "stk_product",
        key: ID,
        columns: &[
            ("article_order", Kind::Text),
            ("name_order", Kind::Text),
            ("search", Kind::Text),
            BODY,
        ],
        settled: 0,
        facts: &[],
        is_marked: true,
    };
    pub(crate) static SUPPLIER: Table = Table {
        name: "stk_supplier",
        key: ID,
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static STOCK_TAKE: Table = Table {
        name: "stk_stock_take",
        key: ID,
        columns: &[LISTED[0], LISTED[1], LISTED[2], ("epoch", Kind::Int), BODY],
        settled: 0,
        facts: &["epoch"],
        is_marked: false,
    };
    pub(crate) static STOCK_TAKE_ITEM: Table = Table {
        name: "stk_stock_take_item",
        key: &[("take", Kind::Uuid), ("id", Kind::Uuid)],
        columns: &[
            ("line", Kind::Int),
            KEY[0],
            KEY[1],
            KEY[2],
            KEY[3],
            KEY[4],
            KEY[5],
            ("article_order", Kind::Text),
            ("name_order", Kind::Text),
            ("place_order", Kind::Text),
            ("snapshot", Kind::Uuid),
            ("brand", Kind::Uuid),
            ("category", Kind::Uuid),
            ("counted", Kind::Int),
            ("adjustment_minor", Kind::Int),
            ("left_over", Kind::Int),
            ("updated_at", Kind::Int),
            BODY,
        ],
        settled: 10,
        facts: &["counted", "adjustment_minor", "snapshot", "product"],
        is_marked: true,
    };
    pub(crate) static INVENTORY_COUNT: Table = Table {
        name: "stk_inventory_count",
        key: ID,
        columns: &[LISTED[0], LISTED[1], LISTED[2], ("epoch", Kind::Int), BODY],
        settled: 0,
        facts: &["epoch"],
        is_marked: false,
    };
    pub(crate) static OPEN_COUNT: Table = Table {
        name: "stk_open_count",
        key: &[("site", Kind::Uuid)],
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static INVENTORY_COUNT_ITEM: Table = Table {
        name: "stk_inventory_count_item",
        key: &[("inventory_count", Kind::Uuid), ("id", Kind::Uuid)],
        columns: &[
            ("created_at", Kind::Int),
            ("discrepancy", Kind::Int),
            ("significant", Kind::Int),
            ("missing_minor", Kind::Int),
            ("excess_minor", Kind::Int),
            BODY,
        ],
        settled: 0,
        facts: &["discrepancy", "missing_minor", "excess_minor"],
        is_marked: false,
    };
    pub(crate) static STOCK_ADJUSTMENT: Table = Table {
        name: "stk_stock_adjustment",
        key: ID,
        columns: &[
            LISTED[0],
            LISTED[1],
            LISTED[2],
            ("product", Kind::Uuid),
            BODY,
        ],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static INVENTORY_ORDER: Table = Table {
        name: "stk_inventory_order",
        key: ID,
        columns: &[LISTED[0], LISTED[1], LISTED[2], BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static INVENTORY_ORDER_ITEM: Table = Table {
        name: "stk_inventory_order_item",
        key: &[("inventory_order", Kind::Uuid), ("id", Kind::Uuid)],
        columns: &[("line", Kind::Int), BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static STOCK_IMPORT: Table = Table {
        name: "stk_stock_import",
        key: ID,
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static IMPORT_CHUNK: Table = Table {
        name: "stk_import_chunk",
        key: &[("stock_import", Kind::Uuid), ("number", Kind::Int)],
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static EXPORT: Table = Table {
        name: "stk_export",
        key: &[("job", Kind::Uuid)],
        columns: &[("expires_at", Kind::Int), BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static EXPORT_CHUNK: Table = Table {
        name: "stk_export_chunk",
        key: &[("job", Kind::Uuid), ("number", Kind::Int)],
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static SERIAL_MARK: Table = Table {
        name: "stk_serial_mark",
        // A number that holds for all products has no product: the scope tells, whatever the product's id.
        key: &[
            ("serial", Kind::Text),
            ("of_product", Kind::Int),
            ("product", Kind::Uuid),
        ],
        columns: &[BODY],
        settled: 0,
        facts: &[],
        is_marked: false,
    };
    pub(crate) static STOCK_LEVEL: Table = Table {
        name: "stk_stock_level",
        key: &KEY,
        columns: &[
            ("quantity", Kind::Int),
            ("reserved", Kind::Int),
            ("stocked", Kind::Int),
            ("updated_at", Kind::Int),
            BODY,
        ],
        settled: 0,
        facts: &[],
        is_marked: true,
    };
}

impl Table {
    /// The table of a record.
    pub(crate) const fn of(key: &RecordKey) -> &'static Self {
        match key {
            RecordKey::Site(_) => &tables::SITE,
            RecordKey::Product(_) => &tables::PRODUCT,
            RecordKey::Supplier(_) => &tables::SUPPLIER,
            RecordKey::StockTake(_) => &tables::STOCK_TAKE,
            RecordKey::StockTakeItem(..) => &tables::STOCK_TAKE_ITEM,
            RecordKey::InventoryCount(_) => &tables::INVENTORY_COUNT,
            RecordKey::OpenCount(_) => &tables::OPEN_COUNT,
            RecordKey::InventoryCountItem(..) => &tables::INVENTORY_COUNT_ITEM,
            RecordKey::StockAdjustment(_) => &tables::STOCK_ADJUSTMENT,
            RecordKey::InventoryOrder(_) => &tables::INVENTORY_ORDER,
            RecordKey::InventoryOrderItem(..) => &tables::INVENTORY_ORDER_ITEM,
            RecordKey::StockImport(_) => &tables::STOCK_IMPORT,
            RecordKey::ImportChunk(..) => &tables::IMPORT_CHUNK,
            RecordKey::Export(_) => &tables::EXPORT,
            RecordKey::ExportChunk(..) => &tables::EXPORT_CHUNK,
            RecordKey::StockLevel(_) => &tables::STOCK_LEVEL,
            RecordKey::SerialMark(..) => &tables::SERIAL_MARK,
        }
    }
}

/// The cells of a record's key.
pub(crate) fn key_cells(key: &RecordKey) -> Vec<Cell> {
    match key {
        RecordKey::Site(id) | RecordKey::OpenCount(id) => vec![id.as_uuid().into()],
        RecordKey::Product(id) => vec![id.as_uuid().into()],
        RecordKey::Supplier(id) => vec![id.as_uuid().into()],
        RecordKey::StockTake(id) => vec![id.as_uuid().into()],
        RecordKey::StockTakeItem(take, id) => vec![take.as_uuid().into(), id.as_uuid().into()],
        RecordKey::InventoryCount(id) => vec![id.as_uuid().into()],
        RecordKey::InventoryCountItem(count, id) => {
            vec![count.as_uuid().into(), id.as_uuid().into()]
        }
        RecordKey::StockAdjustment(id) => vec![id.as_uuid().into()],
        RecordKey::InventoryOrder(id) => vec![id.as_uuid().into()],
        RecordKey::InventoryOrderItem(order, id) => {
            vec![order.as_uuid().into(), id.as_uuid().into()]
        }
        RecordKey::StockImport(id) => vec![id.as_uuid().into()],
        RecordKey::ImportChunk(import, number) => vec![import.as_uuid().into(), (*number).into()],
        RecordKey::Export(job) => vec![job.as_uuid().into()],
        RecordKey::ExportChunk(job, number) => vec![job.as_uuid().into(), (*number).into()],
        RecordKey::StockLevel(key) => stock_key_cells(key),
        RecordKey::SerialMark(serial, product) => vec![
            serial.as_str().into(),
            product.is_some().into(),
            product.map_or(Uuid::nil(), ProductId::as_uuid).into(),
        ],
    }
}

/// A text that may be missing, where it is part of a key: no code is empty.
pub(crate) fn key_text(code: Option<&Code>) -> Cell {
    code.map_or("", Code::as_str).into()
}

/// The cells of a stock key.
pub(crate) fn stock_key_cells(key: &StockKey) -> Vec<Cell> {
    vec![
        key.site.as_uuid().into(),
        key.product.as_uuid().into(),
        key_text(key.variant.as_ref()),
        key_text(key.place.as_ref()),
        key_text(key.batch.as_ref()),
        key_text(key.serial.as_ref()),
    ]
}

/// What a ledger event has beside its position and its body.
pub(crate) const EVENT: &[Column] = &[
    KEY[0],
    KEY[1],
    KEY[2],
    KEY[3],
    KEY[4],
    KEY[5],
    ("id", Kind::Uuid),
    ("sequence", Kind::Int),
    ("change", Kind::Int),
    ("on_hand", Kind::Int),
    ("recorded_at", Kind::Int),
];

/// The cells of an event in these columns.
pub(crate) fn event_cells(event: &StockEvent) -> Vec<Cell> {
    let mut cells = stock_key_cells(&event.key);
    cells.push(event.id.as_uuid().into());
    cells.push(event.sequence.into());
    cells.push(event.change.micros().into());
    cells.push(event.after.micros().into());
    cells.push(event.recorded_at.micros().into());
    cells
}

/// Reads a stock key.
pub(crate) fn stock_key(row: &mut Row) -> Result<StockKey, Unreadable> {
    Ok(StockKey {
        site: row.id()?,
        product: row.id()?,
        variant: key_code(row)?,
        place: key_code(row)?,
        batch: key_code(row)?,
        serial: key_code(row)?,
    })
}

fn key_code(row: &mut Row) -> Result<Option<Code>, Unreadable> {
    let text = row.text()?;
    let code = (!text.is_empty()).then(|| Code::new(text)).transpose();
    code.map_err(|_| Unreadable::Range)
}

/// What lines show of a product.
#[derive(Debug)]
pub(crate) struct ShownProduct {
    pub(crate) article_order: String,
    pub(crate) search: String,
    pub(crate) body: Vec<u8>,
}

/// What lines show of their products: each once, under an id that follows from what it says.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    ids: HashMap<(usize, ProductId), Uuid>,
    /// What is kept already, by product.
    kept: HashSet<(Uuid, Uuid)>,
    /// What is to be kept, by product: lines are mostly added in the order of their products.
    pub(crate) rows: BTreeMap<(Uuid, Uuid), ShownProduct>,
}

impl Snapshots {
    /// The snapshot of the product that lines of a key show. It must outlive this: it is known by where it stands.
    fn id(&mut self, of: ProductId, product: &Arc<Product>) -> Result<Uuid, EncodeError> {
        let place = (Arc::as_ptr(product).addr(), of);
        if let Some(id) = self.ids.get(&place) {
            return Ok(*id);
        }
        let body = encode(product)?;
        let id = Uuid::new_v5(&product.organisation.as_uuid(), &body);
        self.ids.insert(place, id);
        let key = (of.as_uuid(), id);
        if !self.kept.contains(&key) {
            let shown = ShownProduct {
                article_order: article_order(product),
                search: searched(product),
                body,
            };
            self.rows.insert(key, shown);
        }
        Ok(id)
    }

    /// A line as it stands: its snapshot is kept.
    pub(crate) fn line_was(&mut self, facts: &[Cell]) {
        if let [.., Cell::Uuid(id), Cell::Uuid(product)] = facts {
            self.kept.insert((*product, *id));
        }
    }
}

/// The cells of a record after its key and version.
pub(crate) fn cells(record: &Record, snapshots: &mut Snapshots) -> Result<Vec<Cell>, EncodeError> {
    Ok(match record {
        Record::Site(it) => vec![Cell::body(it)?],
        Record::Product(it) => vec![
            article_order(it).into(),
            fold(it.name.as_str()).into(),
            searched(it).into(),
            Cell::body(it)?,
        ],
        Record::Supplier(it) => vec![Cell::body(it)?],
        Record::StockTake(it) => vec![
            it.site().as_uuid().into(),
            it.state().as_str().into(),
            it.created_at().micros().into(),
            it.epoch().into(),
            Cell::body(it)?,
        ],
        Record::StockTakeItem(it) => line_cells(it, snapshots)?,
        Record::InventoryCount(it) => vec![
            it.site().as_uuid().into(),
            it.state().as_str().into(),
            it.started_at().micros().into(),
            it.epoch().into(),
            Cell::body(it)?,
        ],
        Record::OpenCount(it) => vec![Cell::body(it)?],
        Record::InventoryCountItem(it) => vec![
            it.created_at.micros().into(),
            it.variance.is_discrepancy().into(),
            it.significant.into(),
            it.variance.missing_minor().into(),
            it.variance.excess_minor().into(),
            Cell::body(it)?,
        ],
        Record::StockAdjustment(it) => vec![
            it.site().as_uuid().into(),
            it.state().as_str().into(),
            it.created_at().micros().into(),
            it.key().product.as_uuid().into(),
            Cell::body(it)?,
        ],
        Record::InventoryOrder(it) => vec![
            it.site().as_uuid().into(),
            it.state().as_str().into(),
            it.created_at().micros().into(),
            Cell::body(it)?,
        ],
        Record::InventoryOrderItem(it) => vec![it.line().into(), Cell::body(it)?],
        Record::StockImport(it) => vec![Cell::body(it)?],
        Record::ImportChunk(it) => vec![Cell::body(it)?],
        Record::Export(it) => vec![it.expires_at.micros().into(), Cell::body(it)?],
        Record::ExportChunk(it) => vec![Cell::body(it)?],
        Record::SerialMark(it) => vec![Cell::body(it)?],
        Record::StockLevel(it) => vec![
            it.quantity().micros().into(),
            it.reserved().micros().into(),
            it.is_stocked().into(),
            it.updated_at().micros().into(),
            Cell::body(it)?,
        ],
    })
}

/// What a product stands by in the order of articles.
pub(crate) fn article_order(product: &Product) -> String {
    fold(product.article_id.as_str())
}

/// What a text is looked for in (S1.8, S4.10): the name of a product and its barcodes, folded, a line each. No text that is
/// looked for has a line break.
pub(crate) fn searched(product: &Product) -> String {
    let mut text = fold(product.name.as_str());
    for barcode in &product.barcodes {
        text.push('\n');
        text.push_str(&fold(barcode.value.as_str()));
    }
    text
}

/// What a line has only once it was counted or posted.
type LineBody = (Beginning, Option<Count>, Option<LinePosting>);

fn line_cells(item: &StockTakeItem, snapshots: &mut Snapshots) -> Result<Vec<Cell>, EncodeError> {
    let StockTakeItem {
        id: _,
        take: _,
        line,
        key,
        product,
        began,
        count,
        posting,
        updated_at,
    } = item;
    let body = encode_known(began, count.as_ref(), posting.as_ref())?;
    let mut cells = Vec::with_capacity(18);
    cells.push((*line).into());
    cells.append(&mut stock_key_cells(key));
    cells.push(article_order(product).into());
    cells.push(fold(product.name.as_str()).into());
    let place = key.place.as_ref().map(|it| fold(it.as_str()));
    cells.push(place.unwrap_or_default().into());
    cells.push(snapshots.id(key.product, product)?.into());
    cells.push(product.brand.as_ref().map(|it| it.id.as_uuid()).into());
    cells.push(product.category.as_ref().map(|it| it.id.as_uuid()).into());
    cells.push(item.counted_quantity().map(Quantity::micros).into());
    cells.push(item.adjustment_minor().into());
    cells.push(item.is_left_over().into());
    cells.push(updated_at.micros().into());
    cells.push(body.into());
    Ok(cells)
}

/// The columns of a line that [`line`] reads, of a table `i` with its product's snapshot as `s`.
pub(crate) const LINE: &str = "i.version, i.id, i.take, i.line, i.site, i.product, i.variant, i.place, \
     i.batch, i.serial, i.updated_at, i.body, i.snapshot, s.body";

/// What a line `i` shows of its product.
pub(crate) const SNAPSHOT: Lookup<'_> = Lookup {
    table: "stk_product_snapshot",
    alias: "s",
    key: "s.product = i.product AND s.id = i.snapshot",
};

/// Products that were read from snapshots, so that lines share them.
pub(crate) type Shown = std::sync::Mutex<HashMap<Uuid, Arc<Product>>>;

/// Reads a line.
pub(crate) fn line(
    row: &mut Row,
    shown: &Shown,
) -> Result<Versioned<Arc<StockTakeItem>>, Unreadable> {
    let version = row.version()?;
    let id = row.id()?;
    let take = row.id()?;
    let line = row.int()?;
    let key = stock_key(row)?;
    let updated_at = timestamp(row)?;
    let (began, count, posting): LineBody = row.body()?;
    let snapshot: Uuid = row.id()?;
    let mut shown = shown
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let product = if let Some(product) = shown.get(&snapshot) {
        row.cell()?;
        Arc::clone(product)
    } else {
        let product: Arc<Product> = row.body()?;
        shown.insert(snapshot, Arc::clone(&product));
        product
    };
    let item = StockTakeItem {
        id,
        take,
        line,
        key,
        product,
        began,
        count,
        posting,
        updated_at,
    };
    Ok(Versioned {
        version,
        value: Arc::new(item),
    })
}

/// Reads a time.
pub(crate) fn timestamp(row: &mut Row) -> Result<Timestamp, Unreadable> {
    Timestamp::from_micros(row.int()?).map_err(|_| Unreadable::Range)
}

/// Reads a version and a body.
pub(crate) fn versioned<T: Stored>(row: &mut Row) -> Result<Versioned<T>, Unreadable> {
    let version: Version = row.version()?;
    let value = row.body()?;
    Ok(Versioned { version, value })
}
