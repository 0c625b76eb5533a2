//! The opponent: the same stock take, written by hand over `rusqlite`, as an application would that needs nothing
//! else. It keeps the same facts under the same keys and indexes (several organisations, one key for each
//! place, batch and serial number, what lines show of their products, every act of counting, an append-only ledger
//! with a position and before and after, an idempotency record for every command, running totals), in the same
//! mode (write-ahead, `synchronous=FULL`), in chunks of a thousand lines, and with statements that are prepared
//! once. It has one currency, one costing method, no approval, no resuming, no other document.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use stocktake::sqlite::rusqlite;
use uuid::Uuid;

use super::beside::Done;

const SCHEMA: &str = "
CREATE TABLE product (organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, article TEXT NOT NULL,
    name TEXT NOT NULL, description TEXT, barcode TEXT, brand BLOB, brand_name TEXT, category BLOB, category_name TEXT,
    supplier BLOB, unit_cost INTEGER, is_stock INTEGER NOT NULL, PRIMARY KEY (organisation, id)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX product_article ON product (organisation, article);
CREATE TABLE level (organisation BLOB NOT NULL, site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL,
    place TEXT NOT NULL, batch TEXT NOT NULL, serial TEXT NOT NULL, version INTEGER NOT NULL, quantity INTEGER NOT NULL,
    reserved INTEGER NOT NULL, stocked INTEGER NOT NULL, value INTEGER NOT NULL, sequence INTEGER NOT NULL,
    known_at INTEGER, updated_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial)) STRICT, WITHOUT ROWID;
CREATE TABLE layer (organisation BLOB NOT NULL, site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL,
    place TEXT NOT NULL, batch TEXT NOT NULL, serial TEXT NOT NULL, received_at INTEGER NOT NULL,
    number INTEGER NOT NULL, quantity INTEGER NOT NULL, unit_cost INTEGER NOT NULL,
    PRIMARY KEY (organisation, site, product, variant, place, batch, serial, received_at, number))
    STRICT, WITHOUT ROWID;
CREATE TABLE event (organisation BLOB NOT NULL, site BLOB NOT NULL, position INTEGER NOT NULL, id BLOB NOT NULL,
    product BLOB NOT NULL, variant TEXT NOT NULL, place TEXT NOT NULL, batch TEXT NOT NULL, serial TEXT NOT NULL,
    sequence INTEGER NOT NULL, kind TEXT NOT NULL, change INTEGER NOT NULL, before INTEGER NOT NULL,
    after INTEGER NOT NULL, unit_cost INTEGER NOT NULL, value_change INTEGER NOT NULL, occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, recorded_by BLOB NOT NULL, document BLOB, item BLOB, round INTEGER,
    PRIMARY KEY (organisation, site, position)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_id ON event (organisation, id);
CREATE UNIQUE INDEX event_key ON event (organisation, site, product, variant, place, batch, serial, sequence);
CREATE TABLE ledger (organisation BLOB NOT NULL, site BLOB NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (organisation, site)) STRICT, WITHOUT ROWID;
CREATE TABLE take (organisation BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, site BLOB NOT NULL,
    state TEXT NOT NULL, description TEXT NOT NULL, last_line INTEGER NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)) STRICT, WITHOUT ROWID;
CREATE TABLE item (organisation BLOB NOT NULL, take BLOB NOT NULL, line INTEGER NOT NULL, id BLOB NOT NULL,
    version INTEGER NOT NULL, site BLOB NOT NULL, product BLOB NOT NULL, variant TEXT NOT NULL, place TEXT NOT NULL,
    batch TEXT NOT NULL, serial TEXT NOT NULL, article TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
    barcode TEXT, brand BLOB, brand_name TEXT, category BLOB, category_name TEXT, supplier BLOB, unit_cost INTEGER,
    counted INTEGER, expected INTEGER, sequence INTEGER, counted_at INTEGER, counted_by BLOB,
    adjustment_minor INTEGER NOT NULL, posted INTEGER, event BLOB, updated_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, take, line, id)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX item_id ON item (organisation, take, id);
CREATE TABLE total (organisation BLOB NOT NULL, take BLOB NOT NULL, counted INTEGER NOT NULL, items INTEGER NOT NULL,
    adjustment_minor INTEGER NOT NULL, PRIMARY KEY (organisation, take, counted)) STRICT, WITHOUT ROWID;
CREATE TABLE entry (organisation BLOB NOT NULL, take BLOB NOT NULL, item BLOB NOT NULL, number INTEGER NOT NULL,
    id BLOB NOT NULL, entered INTEGER NOT NULL, counted INTEGER, book INTEGER NOT NULL, at INTEGER NOT NULL,
    by BLOB NOT NULL, device TEXT, PRIMARY KEY (organisation, take, item, number)) STRICT, WITHOUT ROWID;
CREATE TABLE command (organisation BLOB NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, outcome TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (organisation, id)) STRICT, WITHOUT ROWID;
CREATE INDEX command_at ON command (organisation, at);
";

const ORGANISATION: Uuid = Uuid::from_u128(1);
const SITE: Uuid = Uuid::from_u128(2);
const USER: Uuid = Uuid::from_u128(3);
const CHUNK: i64 = 1_000;
const UNIT: i64 = 1_000_000;

pub(crate) struct Opponent {
    connection: Connection,
    clock: i64,
}

struct Product {
    id: Uuid,
    article: String,
    name: String,
    description: Option<String>,
    barcode: Option<String>,
    brand: Option<Uuid>,
    brand_name: Option<String>,
    category: Option<Uuid>,
    category_name: Option<String>,
    supplier: Option<Uuid>,
    unit_cost: Option<i64>,
}

impl Opponent {
    pub(crate) fn open(path: &Path) -> Done<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -16 * 1_024)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection,
            clock: 1_700_000_000_000_000,
        })
    }

    fn begin(&mut self) -> Done<(Transaction<'_>, i64)> {
        self.clock += 1;
        let begun = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok((begun, self.clock))
    }

    /// Products and forty of each.
    pub(crate) fn stock_up(&mut self, lines: i64) -> Done<()> {
        for first in (0..lines).step_by(1_000) {
            let (transaction, at) = self.begin()?;
            for number in first..lines.min(first + CHUNK) {
                let product = Uuid::from_u128((0xbe << 96) | u128::try_from(number)?);
                transaction
                    .prepare_cached("INSERT INTO product VALUES (?1, ?2, 1, ?3, ?4, NULL, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)")?
                    .execute(params![
                        ORGANISATION,
                        product,
                        format!("BULK-{number:07}"),
                        format!("Bulk article {number}"),
                        format!("40063813{number:05}"),
                        Uuid::from_u128(u128::try_from(number % 10)?),
                        "Brand",
                        Uuid::from_u128(77),
                        "Category",
                        Uuid::from_u128(78),
                        2_500_000_i64,
                    ])?;
                reset(&transaction, product, 40 * UNIT, at)?;
            }
            transaction.commit()?;
        }
        Ok(())
    }

    pub(crate) fn open_take(&mut self, take: Uuid) -> Done<()> {
        let (transaction, at) = self.begin()?;
        transaction.execute(
            "INSERT INTO take VALUES (?1, ?2, 1, ?3, 'ongoing', 'Everything', 0, ?4)",
            params![ORGANISATION, take, SITE, at],
        )?;
        for counted in [0, 1] {
            transaction.execute(
                "INSERT INTO total VALUES (?1, ?2, ?3, 0, 0)",
                params![ORGANISATION, take, counted],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// A line for every stocked key, in chunks, each committed with what it is resumed from.
    pub(crate) fn populate(&mut self, take: Uuid) -> Done<i64> {
        let mut after = Uuid::nil();
        let mut line = 0_i64;
        loop {
            let (transaction, at) = self.begin()?;
            let products = next_products(&transaction, after)?;
            let Some(last) = products.last() else {
                return Ok(line);
            };
            after = last.id;
            let added = i64::try_from(products.len())?;
            for product in products {
                line += 1;
                let id = Uuid::new_v5(&take, product.id.as_bytes());
                transaction
                    .prepare_cached(
                        "INSERT INTO item VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, '', '', '', '', ?7, ?8, ?9, ?10, ?11, ?12, \
                         ?13, ?14, ?15, ?16, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, ?17)",
                    )?
                    .execute(params![
                        ORGANISATION,
                        take,
                        line,
                        id,
                        SITE,
                        product.id,
                        product.article,
                        product.name,
                        product.description,
                        product.barcode,
                        product.brand,
                        product.brand_name,
                        product.category,
                        product.category_name,
                        product.supplier,
                        product.unit_cost,
                        at,
                    ])?;
            }
            add_totals(&transaction, take, 0, added, 0)?;
            transaction
                .prepare_cached("UPDATE take SET last_line = ?3, version = version + 1 WHERE organisation = ?1 AND id = ?2")?
                .execute(params![ORGANISATION, take, line])?;
            remember(&transaction, &format!("populate/{take}/{line}"), "done", at)?;
            transaction.commit()?;
        }
    }

    pub(crate) fn items(&self, take: Uuid) -> Done<Vec<Uuid>> {
        let mut statement = self.connection.prepare(
            "SELECT id FROM item WHERE organisation = ?1 AND take = ?2 ORDER BY line, id",
        )?;
        let ids = statement.query_map(params![ORGANISATION, take], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Counts lines in one transaction.
    pub(crate) fn count(&mut self, take: Uuid, items: &[Uuid], quantity: i64) -> Done<()> {
        let (transaction, at) = self.begin()?;
        let state: String = transaction
            .prepare_cached("SELECT state FROM take WHERE organisation = ?1 AND id = ?2")?
            .query_row(params![ORGANISATION, take], |row| row.get(0))?;
        if state != "ongoing" {
            return Err("the take is not ongoing".into());
        }
        let mut totals = [[0_i64; 2]; 2];
        for item in items {
            count_line(&transaction, take, *item, quantity * UNIT, at, &mut totals)?;
        }
        for (counted, [lines, adjustment]) in (0_i64..).zip(totals) {
            if (lines, adjustment) != (0, 0) {
                add_totals(&transaction, take, counted, lines, adjustment)?;
            }
        }
        let first = items.first().ok_or("nothing to count")?;
        let key = format!("count/{first}/{at}");
        remember(
            &transaction,
            &key,
            &format!("{{\"item\":\"{first}\",\"quantity\":{quantity}}}"),
            at,
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Posts the take, in chunks.
    pub(crate) fn post(&mut self, take: Uuid) -> Done<()> {
        let mut after = 0_i64;
        loop {
            let (transaction, at) = self.begin()?;
            let lines = next_lines(&transaction, take, after)?;
            let Some(last) = lines.last() else {
                transaction.execute(
                    "UPDATE take SET state = 'finished', version = version + 1 WHERE organisation = ?1 AND id = ?2",
                    params![ORGANISATION, take],
                )?;
                transaction.commit()?;
                return Ok(());
            };
            after = last.number;
            let mut position = last_position(&transaction)?;
            for line in &lines {
                post_line(&transaction, take, line, &mut position, at)?;
            }
            keep_position(&transaction, position)?;
            remember(&transaction, &format!("post/{take}/{after}"), "done", at)?;
            transaction.commit()?;
        }
    }

    /// Takes in absolute values.
    pub(crate) fn import(&mut self, body: &[u8]) -> Done<()> {
        let values: std::collections::BTreeMap<String, std::collections::BTreeMap<String, i64>> =
            serde_json::from_slice(body)?;
        for articles in values.values() {
            let articles: Vec<_> = articles.iter().collect();
            for (number, chunk) in articles.chunks(1_000).enumerate() {
                let (transaction, at) = self.begin()?;
                for (article, quantity) in chunk {
                    let product: Uuid = transaction
                        .prepare_cached(
                            "SELECT id FROM product WHERE organisation = ?1 AND article = ?2",
                        )?
                        .query_row(params![ORGANISATION, article], |row| row.get(0))?;
                    reset(&transaction, product, *quantity * UNIT, at)?;
                }
                remember(&transaction, &format!("import/{at}/{number}"), "done", at)?;
                transaction.commit()?;
            }
        }
        Ok(())
    }

    /// A page of lines after a line, with what is on hand.
    pub(crate) fn page(&self, take: Uuid, after: i64, limit: i64) -> Done<usize> {
        let mut statement = self.connection.prepare_cached(
            "SELECT i.line, i.id, i.version, i.product, i.variant, i.place, i.batch, i.serial, i.article, i.name, \
             i.description, i.barcode, i.brand, i.brand_name, i.category, i.category_name, i.counted, i.expected, \
             i.counted_at, i.adjustment_minor, l.quantity, l.reserved \
             FROM item AS i LEFT JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
             AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
             AND l.serial = i.serial AND l.stocked = 1 \
             WHERE i.organisation = ?1 AND i.take = ?2 AND i.line > ?3 ORDER BY i.line, i.id LIMIT ?4",
        )?;
        let rows = statement.query_map(params![ORGANISATION, take, after, limit], |row| {
            Ok((
                row.get::<_, Uuid>(1)?,
                row.get::<_, String>(8)?,
                row.get::<_, String>(9)?,
                row.get::<_, Option<String>>(11)?,
                row.get::<_, Option<i64>>(16)?,
                row.get::<_, Option<i64>>(20)?,
            ))
        })?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.len())
    }

    pub(crate) fn totals(&self, take: Uuid) -> Done<(i64, i64)> {
        let mut statement = self.connection.prepare_cached(
            "SELECT counted, items, adjustment_minor FROM total WHERE organisation = ?1 AND take = ?2",
        )?;
        let rows = statement.query_map(params![ORGANISATION, take], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        let mut totals = (0, 0);
        for row in rows {
            let (items, adjustment) = row?;
            totals = (totals.0 + items, totals.1 + adjustment);
        }
        Ok(totals)
    }
}

/// The products of the next stocked keys.
fn next_products(transaction: &Transaction<'_>, after: Uuid) -> Done<Vec<Product>> {
    let mut statement = transaction.prepare_cached(
        "SELECT p.id, p.article, p.name, p.description, p.barcode, p.brand, p.brand_name, p.category, \
         p.category_name, p.supplier, p.unit_cost FROM level AS l \
         JOIN product AS p ON p.organisation = l.organisation AND p.id = l.product \
         WHERE l.organisation = ?1 AND l.site = ?2 AND l.product > ?3 AND l.stocked = 1 AND p.is_stock = 1 \
         ORDER BY l.product LIMIT ?4",
    )?;
    let rows = statement.query_map(params![ORGANISATION, SITE, after, CHUNK], |row| {
        Ok(Product {
            id: row.get(0)?,
            article: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            barcode: row.get(4)?,
            brand: row.get(5)?,
            brand_name: row.get(6)?,
            category: row.get(7)?,
            category_name: row.get(8)?,
            supplier: row.get(9)?,
            unit_cost: row.get(10)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn remember(transaction: &Transaction<'_>, id: &str, outcome: &str, at: i64) -> Done<()> {
    let digest = Uuid::new_v5(&ORGANISATION, id.as_bytes());
    transaction
        .prepare_cached("INSERT INTO command VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![ORGANISATION, id, digest, outcome, at])?;
    Ok(())
}

fn add_totals(
    transaction: &Transaction<'_>,
    take: Uuid,
    counted: i64,
    lines: i64,
    adjustment: i64,
) -> Done<()> {
    transaction
        .prepare_cached(
            "UPDATE total SET items = items + ?4, adjustment_minor = adjustment_minor + ?5 \
             WHERE organisation = ?1 AND take = ?2 AND counted = ?3",
        )?
        .execute(params![ORGANISATION, take, counted, lines, adjustment])?;
    Ok(())
}

fn count_line(
    transaction: &Transaction<'_>,
    take: Uuid,
    item: Uuid,
    quantity: i64,
    at: i64,
    totals: &mut [[i64; 2]; 2],
) -> Done<()> {
    type Found = (i64, Uuid, Option<i64>, i64, Option<i64>, i64, i64, i64, i64);
    let (version, product, before, adjustment_before, unit_cost, book, sequence, value, on_hand): Found = transaction
        .prepare_cached(
            "SELECT i.version, i.product, i.counted, i.adjustment_minor, i.unit_cost, l.quantity, l.sequence, l.value, \
             l.quantity FROM item AS i JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
             AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
             AND l.serial = i.serial WHERE i.organisation = ?1 AND i.take = ?2 AND i.id = ?3",
        )?
        .query_row(params![ORGANISATION, take, item], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
                row.get(8)?,
            ))
        })?;
    let _ = product;
    let cost = if on_hand == 0 {
        unit_cost.unwrap_or_default()
    } else {
        value / (on_hand / UNIT).max(1)
    };
    let adjustment = (quantity - book) / UNIT * cost / 10_000;
    let changed = transaction
        .prepare_cached(
            "UPDATE item SET counted = ?4, expected = ?5, sequence = ?6, counted_at = ?7, counted_by = ?8, \
             adjustment_minor = ?9, updated_at = ?7, version = version + 1 \
             WHERE organisation = ?1 AND take = ?2 AND id = ?3 AND version = ?10",
        )?
        .execute(params![
            ORGANISATION, take, item, quantity, book, sequence, at, USER, adjustment, version
        ])?;
    if changed != 1 {
        return Err("the line has changed".into());
    }
    transaction
        .prepare_cached(
            "INSERT INTO entry SELECT ?1, ?2, ?3, COALESCE((SELECT max(number) FROM entry WHERE organisation = ?1 \
             AND take = ?2 AND item = ?3), 0) + 1, ?4, ?5, ?5, ?6, ?7, ?8, NULL",
        )?
        .execute(params![ORGANISATION, take, item, Uuid::now_v7(), quantity, book, at, USER])?;
    let was = usize::from(before.is_some());
    totals[was][0] -= 1;
    totals[was][1] -= adjustment_before;
    totals[1][0] += 1;
    totals[1][1] += adjustment;
    Ok(())
}

struct Line {
    number: i64,
    id: Uuid,
    product: Uuid,
    counted: Option<i64>,
    sequence: Option<i64>,
    counted_at: Option<i64>,
    quantity: i64,
    level_sequence: i64,
    value: i64,
}

fn next_lines(transaction: &Transaction<'_>, take: Uuid, after: i64) -> Done<Vec<Line>> {
    let mut statement = transaction.prepare_cached(
        "SELECT i.line, i.id, i.product, i.counted, i.sequence, i.counted_at, l.quantity, l.sequence, l.value \
         FROM item AS i JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
         AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
         AND l.serial = i.serial WHERE i.organisation = ?1 AND i.take = ?2 AND i.line > ?3 ORDER BY i.line LIMIT ?4",
    )?;
    let rows = statement.query_map(params![ORGANISATION, take, after, CHUNK], |row| {
        Ok(Line {
            number: row.get(0)?,
            id: row.get(1)?,
            product: row.get(2)?,
            counted: row.get(3)?,
            sequence: row.get(4)?,
            counted_at: row.get(5)?,
            quantity: row.get(6)?,
            level_sequence: row.get(7)?,
            value: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn last_position(transaction: &Transaction<'_>) -> Done<i64> {
    Ok(transaction
        .prepare_cached("SELECT last FROM ledger WHERE organisation = ?1 AND site = ?2")?
        .query_row(params![ORGANISATION, SITE], |row| row.get(0))?)
}

fn keep_position(transaction: &Transaction<'_>, position: i64) -> Done<()> {
    transaction
        .prepare_cached("UPDATE ledger SET last = ?3 WHERE organisation = ?1 AND site = ?2")?
        .execute(params![ORGANISATION, SITE, position])?;
    Ok(())
}

/// What was counted is what was there then: what moved since is kept.
fn post_line(
    transaction: &Transaction<'_>,
    take: Uuid,
    line: &Line,
    position: &mut i64,
    at: i64,
) -> Done<()> {
    let mut event = None;
    if let (Some(counted), Some(sequence)) = (line.counted, line.sequence) {
        let moved: i64 = if sequence == line.level_sequence {
            0
        } else {
            transaction
                .prepare_cached(
                    "SELECT COALESCE(sum(change), 0) FROM event WHERE organisation = ?1 AND site = ?2 AND product = ?3 \
                     AND variant = '' AND place = '' AND batch = '' AND serial = '' AND sequence > ?4",
                )?
                .query_row(params![ORGANISATION, SITE, line.product, sequence], |row| row.get(0))?
        };
        let change = counted + moved - line.quantity;
        if change != 0 {
            let cost = line.value / (line.quantity / UNIT).max(1);
            let id = Uuid::new_v5(&take, line.id.as_bytes());
            *position += 1;
            append(
                transaction,
                (*position, id, line.product, line.level_sequence + 1),
                ("count_variance", change, line.quantity, cost),
                (line.counted_at.unwrap_or(at), at),
                (Some(take), Some(line.id)),
            )?;
            add_layer(transaction, line.product, change, cost, at)?;
            event = Some(id);
        }
        transaction
            .prepare_cached(
                "UPDATE level SET quantity = quantity + ?4, value = value + ?5, sequence = sequence + ?6, \
                 known_at = ?7, updated_at = ?8, version = version + 1 WHERE organisation = ?1 AND site = ?2 \
                 AND product = ?3 AND variant = '' AND place = '' AND batch = '' AND serial = ''",
            )?
            .execute(params![
                ORGANISATION,
                SITE,
                line.product,
                change,
                change / UNIT * (line.value / (line.quantity / UNIT).max(1)),
                i64::from(change != 0),
                line.counted_at,
                at
            ])?;
    }
    transaction
        .prepare_cached(
            "UPDATE item SET posted = 1, event = ?4, updated_at = ?5, version = version + 1 \
             WHERE organisation = ?1 AND take = ?2 AND id = ?3",
        )?
        .execute(params![ORGANISATION, take, line.id, event, at])?;
    Ok(())
}

fn append(
    transaction: &Transaction<'_>,
    (position, id, product, sequence): (i64, Uuid, Uuid, i64),
    (kind, change, before, cost): (&str, i64, i64, i64),
    (occurred_at, at): (i64, i64),
    (document, item): (Option<Uuid>, Option<Uuid>),
) -> Done<()> {
    transaction
        .prepare_cached(
            "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, '', '', '', '', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
             ?16, ?17, 1)",
        )?
        .execute(params![
            ORGANISATION,
            SITE,
            position,
            id,
            product,
            sequence,
            kind,
            change,
            before,
            before + change,
            cost,
            change / UNIT * cost,
            occurred_at,
            at,
            USER,
            document,
            item,
        ])?;
    Ok(())
}

/// Found goods are a layer more; missing ones leave the oldest layers.
fn add_layer(
    transaction: &Transaction<'_>,
    product: Uuid,
    change: i64,
    cost: i64,
    at: i64,
) -> Done<()> {
    if change > 0 {
        transaction
            .prepare_cached(
                "INSERT INTO layer VALUES (?1, ?2, ?3, '', '', '', '', ?4, (SELECT count(*) FROM layer WHERE \
                 organisation = ?1 AND site = ?2 AND product = ?3 AND variant = '' AND place = '' AND batch = '' \
                 AND serial = '' AND received_at = ?4), ?5, ?6)",
            )?
            .execute(params![ORGANISATION, SITE, product, at, change, cost])?;
        return Ok(());
    }
    let mut left = -change;
    let layers: Vec<(i64, i64, i64)> = transaction
        .prepare_cached(
            "SELECT received_at, number, quantity FROM layer WHERE organisation = ?1 AND site = ?2 AND product = ?3 \
             AND variant = '' AND place = '' AND batch = '' AND serial = '' ORDER BY received_at, number",
        )?
        .query_map(params![ORGANISATION, SITE, product], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (received_at, number, quantity) in layers {
        if left == 0 {
            break;
        }
        let taken = left.min(quantity);
        left -= taken;
        transaction
            .prepare_cached(
                "UPDATE layer SET quantity = quantity - ?6 WHERE organisation = ?1 AND site = ?2 AND product = ?3 AND \
                 variant = '' AND place = '' AND batch = '' AND serial = '' AND received_at = ?4 AND number = ?5",
            )?
            .execute(params![ORGANISATION, SITE, product, received_at, number, taken])?;
    }
    Ok(())
}

/// An absolute value.
fn reset(transaction: &Transaction<'_>, product: Uuid, quantity: i64, at: i64) -> Done<()> {
    let found: Option<(i64, i64)> = {
        let mut statement = transaction.prepare_cached(
            "SELECT quantity, sequence FROM level WHERE organisation = ?1 AND site = ?2 AND product = ?3 \
             AND variant = '' AND place = '' AND batch = '' AND serial = ''",
        )?;
        let mut rows = statement.query(params![ORGANISATION, SITE, product])?;
        match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        }
    };
    let (before, sequence) = found.unwrap_or((0, 0));
    let change = quantity - before;
    let cost = 2_500_000;
    let position: i64 = transaction
        .prepare_cached(
            "INSERT INTO ledger VALUES (?1, ?2, 1) ON CONFLICT (organisation, site) DO UPDATE SET last = last + 1 \
             RETURNING last",
        )?
        .query_row(params![ORGANISATION, SITE], |row| row.get(0))?;
    append(
        transaction,
        (position, Uuid::now_v7(), product, sequence + 1),
        ("external_reset", change, before, cost),
        (at, at),
        (None, None),
    )?;
    add_layer(transaction, product, change, cost, at)?;
    transaction
        .prepare_cached(
            "INSERT INTO level VALUES (?1, ?2, ?3, '', '', '', '', 1, ?4, 0, 1, ?5, 1, ?6, ?6) \
             ON CONFLICT (organisation, site, product, variant, place, batch, serial) DO UPDATE SET \
             version = version + 1, quantity = excluded.quantity, value = excluded.value, sequence = sequence + 1, \
             known_at = excluded.known_at, updated_at = excluded.updated_at, stocked = 1",
        )?
        .execute(params![ORGANISATION, SITE, product, quantity, quantity / UNIT * cost, at])?;
    Ok(())
}
