//! The opponent: the same stock take, written by hand over `tokio-postgres`, as an application would that needs nothing
//! else. It keeps the same facts under the same keys and indexes as the library (several organisations, one key for
//! each place, batch and serial number, what lines show of their products, every act of counting, an append-only ledger
//! with a position and before and after, an idempotency record for every command, running totals in sixteen parts), in
//! chunks of a thousand lines that it computes itself and sends as arrays, with statements that are prepared once and
//! sent without waiting where nothing is to be waited for. It has one currency, one costing method, no approval, no
//! resuming, no other document.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use stocktake::postgres::deadpool_postgres::{Object, Pool};
use stocktake::postgres::tokio_postgres::types::ToSql;
use stocktake::postgres::tokio_postgres::{Error, Row, Statement};
use uuid::Uuid;

use super::beside::Done;

mod counting;
mod ledger;

use ledger::{post_chunk, reset};

const TABLES: &str = include_str!("tables.sql");

const ORGANISATION: Uuid = Uuid::from_u128(1);
const SITE: Uuid = Uuid::from_u128(2);
const USER: Uuid = Uuid::from_u128(3);
const CHUNK: i64 = 1_000;
const UNIT: i64 = 1_000_000;
/// In how many parts totals are kept, so that counters don't wait for each other.
const PARTS: i64 = 16;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(crate) struct Opponent {
    pool: Pool,
    clock: AtomicI64,
}

/// A transaction on a connection.
struct Open {
    connection: Object,
    at: i64,
}

impl Open {
    async fn prepared(&self, text: &str) -> Result<Statement, Error> {
        // The future of it is large.
        Box::pin(self.connection.prepare_cached(text)).await
    }

    async fn rows(&self, text: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(text).await?;
        self.connection.query(&statement, parameters).await
    }

    async fn run(&self, text: &str, parameters: Parameters<'_>) -> Result<u64, Error> {
        let statement = self.prepared(text).await?;
        self.connection.execute(&statement, parameters).await
    }

    async fn commit(self) -> Result<(), Error> {
        self.connection.batch_execute("COMMIT").await
    }

    async fn remember(&self, id: &str, outcome: &str) -> Result<(), Error> {
        let digest = Uuid::new_v5(&ORGANISATION, id.as_bytes());
        self.run(
            "INSERT INTO command VALUES ($1, $2, $3, $4, $5)",
            &[&ORGANISATION, &id, &digest, &outcome, &self.at],
        )
        .await
        .map(drop)
    }

    async fn add_totals(
        &self,
        take: Uuid,
        counted: i64,
        (lines, adjustment): (i64, i64),
    ) -> Result<(), Error> {
        let part = self.at % PARTS;
        self.run(
            "UPDATE total SET items = items + $5, adjustment_minor = adjustment_minor + $6 \
             WHERE organisation = $1 AND take = $2 AND counted = $3 AND part = $4",
            &[&ORGANISATION, &take, &counted, &part, &lines, &adjustment],
        )
        .await
        .map(drop)
    }

    /// The next positions of the ledger; the last one that was taken before.
    async fn positions(&self, events: i64) -> Done<i64> {
        let rows = self
            .rows(
                "INSERT INTO ledger VALUES ($1, $2, $3) ON CONFLICT (organisation, site) \
                 DO UPDATE SET last = ledger.last + excluded.last RETURNING last",
                &[&ORGANISATION, &SITE, &events],
            )
            .await?;
        let row = rows.first().ok_or("an upsert returns its row")?;
        Ok(row.try_get::<_, i64>(0)? - events)
    }
}

impl Opponent {
    /// On a pool whose connections look for tables in a schema that is there.
    pub(crate) async fn open(pool: Pool) -> Done<Self> {
        pool.get().await?.batch_execute(TABLES).await?;
        Ok(Self {
            pool,
            clock: AtomicI64::new(1_700_000_000_000_000),
        })
    }

    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    async fn connection(&self) -> Done<Open> {
        Ok(Open {
            connection: self.pool.get().await?,
            at: self.clock.fetch_add(1, Ordering::Relaxed) + 1,
        })
    }

    async fn begin(&self) -> Done<Open> {
        let open = self.connection().await?;
        open.connection.batch_execute("BEGIN").await?;
        Ok(open)
    }

    /// Products and forty of each.
    pub(crate) async fn stock_up(&self, numbers: std::ops::Range<i64>) -> Done<()> {
        let lines = numbers.end;
        for first in numbers.step_by(1_000) {
            let open = self.begin().await?;
            let numbers: Vec<i64> = (first..lines.min(first + CHUNK)).collect();
            let ids: Vec<Uuid> = numbers
                .iter()
                .map(|number| Ok(Uuid::from_u128((0xbe << 96) | u128::try_from(*number)?)))
                .collect::<Done<_>>()?;
            let brands: Vec<Uuid> = numbers
                .iter()
                .map(|number| Ok(Uuid::from_u128(u128::try_from(number % 10)?)))
                .collect::<Done<_>>()?;
            open.run(
                "INSERT INTO product SELECT $1, id, 1, 'BULK-' || lpad(n::text, 7, '0'), 'Bulk article ' || n, NULL, \
                 '40063813' || lpad(n::text, 5, '0'), brand, 'Brand', $5, 'Category', $6, 2500000, 1 \
                 FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS w(id, n, brand)",
                &[
                    &ORGANISATION,
                    &ids,
                    &numbers,
                    &brands,
                    &Uuid::from_u128(77),
                    &Uuid::from_u128(78),
                ],
            )
            .await?;
            let quantities = vec![40 * UNIT; ids.len()];
            reset(&open, &ids, &quantities).await?;
            open.commit().await?;
        }
        Ok(())
    }

    pub(crate) async fn open_take(&self, take: Uuid) -> Done<()> {
        let open = self.begin().await?;
        let at = open.at;
        open.run(
            "INSERT INTO take VALUES ($1, $2, 1, $3, 'ongoing', 'Everything', 0, $4)",
            &[&ORGANISATION, &take, &SITE, &at],
        )
        .await?;
        open.run(
            "INSERT INTO total SELECT $1, $2, counted, part, 0, 0 FROM generate_series(0::bigint, 1::bigint) AS counted, \
             generate_series(0, $3::bigint - 1) AS part",
            &[&ORGANISATION, &take, &PARTS],
        )
        .await?;
        open.commit().await?;
        Ok(())
    }

    /// A line for every stocked key, in chunks, each committed with what it is resumed from.
    pub(crate) async fn populate(&self, take: Uuid) -> Done<i64> {
        let (mut after, mut line) = (Uuid::nil(), 0_i64);
        loop {
            let open = self.begin().await?;
            let products = open
                .rows(
                    "SELECT p.id, p.article, p.name, p.description, p.barcode, p.brand, p.brand_name, p.category, \
                     p.category_name, p.supplier, p.unit_cost FROM level AS l \
                     JOIN product AS p ON p.organisation = l.organisation AND p.id = l.product \
                     WHERE l.organisation = $1 AND l.site = $2 AND l.product > $3 AND l.stocked = 1 \
                     AND p.is_stock = 1 ORDER BY l.product LIMIT $4",
                    &[&ORGANISATION, &SITE, &after, &CHUNK],
                )
                .await?;
            let Some(last) = products.last() else {
                open.commit().await?;
                return Ok(line);
            };
            after = last.get(0);
            let added = i64::try_from(products.len())?;
            let ids: Vec<Uuid> = column(&products, 0);
            let items: Vec<Uuid> = ids
                .iter()
                .map(|id| Uuid::new_v5(&take, id.as_bytes()))
                .collect();
            let numbers: Vec<i64> = (line + 1..=line + added).collect();
            line += added;
            let at = open.at;
            open.run(
                "INSERT INTO item SELECT $1, $2, w.line, w.id, 1, $3, w.product, '', '', '', '', w.article, w.name, \
                 w.description, w.barcode, w.brand, w.brand_name, w.category, w.category_name, w.supplier, w.unit_cost, \
                 NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, $4 FROM unnest($5::bigint[], $6::uuid[], $7::uuid[], \
                 $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::text[], $14::uuid[], $15::text[], \
                 $16::uuid[], $17::bigint[]) AS w(line, id, product, article, name, description, barcode, brand, \
                 brand_name, category, category_name, supplier, unit_cost)",
                &[
                    &ORGANISATION,
                    &take,
                    &SITE,
                    &at,
                    &numbers,
                    &items,
                    &ids,
                    &column::<String>(&products, 1),
                    &column::<String>(&products, 2),
                    &column::<Option<String>>(&products, 3),
                    &column::<Option<String>>(&products, 4),
                    &column::<Option<Uuid>>(&products, 5),
                    &column::<Option<String>>(&products, 6),
                    &column::<Option<Uuid>>(&products, 7),
                    &column::<Option<String>>(&products, 8),
                    &column::<Option<Uuid>>(&products, 9),
                    &column::<Option<i64>>(&products, 10),
                ],
            )
            .await?;
            open.add_totals(take, 0, (added, 0)).await?;
            open.run(
                "UPDATE take SET last_line = $3, version = version + 1 WHERE organisation = $1 AND id = $2",
                &[&ORGANISATION, &take, &line],
            )
            .await?;
            open.remember(&format!("populate/{take}/{line}"), "done")
                .await?;
            open.commit().await?;
        }
    }

    pub(crate) async fn items(&self, take: Uuid) -> Done<Vec<Uuid>> {
        let open = self.connection().await?;
        let rows = open
            .rows(
                "SELECT id FROM item WHERE organisation = $1 AND take = $2 ORDER BY line, id",
                &[&ORGANISATION, &take],
            )
            .await?;
        Ok(column(&rows, 0))
    }

    /// Posts the take, in chunks.
    pub(crate) async fn post(&self, take: Uuid) -> Done<()> {
        let (mut after, mut posted) = (0_i64, true);
        while posted {
            let open = self.begin().await?;
            posted = post_chunk(&open, take, &mut after).await?;
            open.commit().await?;
        }
        Ok(())
    }

    /// Takes in absolute values.
    pub(crate) async fn import(&self, body: &[u8]) -> Done<()> {
        let values: BTreeMap<String, BTreeMap<String, i64>> = serde_json::from_slice(body)?;
        for articles in values.values() {
            let articles: Vec<(&str, i64)> = articles
                .iter()
                .map(|(article, quantity)| (article.as_str(), quantity * UNIT))
                .collect();
            for (number, chunk) in articles.chunks(1_000).enumerate() {
                let open = self.begin().await?;
                let (names, quantities): (Vec<&str>, Vec<i64>) = chunk.iter().copied().unzip();
                let rows = open
                    .rows(
                        "SELECT p.id, w.quantity FROM unnest($2::text[], $3::bigint[]) AS w(article, quantity) \
                         JOIN product AS p ON p.organisation = $1 AND p.article = w.article",
                        &[&ORGANISATION, &names, &quantities],
                    )
                    .await?;
                if rows.len() != chunk.len() {
                    return Err("an article is not known".into());
                }
                reset(&open, &column::<Uuid>(&rows, 0), &column::<i64>(&rows, 1)).await?;
                open.remember(&format!("import/{}/{number}", open.at), "done")
                    .await?;
                open.commit().await?;
            }
        }
        Ok(())
    }

    /// A page of lines after a line, with what is on hand.
    pub(crate) async fn page(&self, take: Uuid, after: i64, limit: i64) -> Done<usize> {
        let open = self.connection().await?;
        let rows = open
            .rows(
                "SELECT i.line, i.id, i.version, i.product, i.variant, i.place, i.batch, i.serial, i.article, i.name, \
                 i.description, i.barcode, i.brand, i.brand_name, i.category, i.category_name, i.counted, i.expected, \
                 i.counted_at, i.adjustment_minor, l.quantity, l.reserved \
                 FROM item AS i LEFT JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
                 AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
                 AND l.serial = i.serial AND l.stocked = 1 \
                 WHERE i.organisation = $1 AND i.take = $2 AND i.line > $3 ORDER BY i.line, i.id LIMIT $4",
                &[&ORGANISATION, &take, &after, &limit],
            )
            .await?;
        let read: Vec<(String, String, Option<i64>, Option<i64>)> = rows
            .iter()
            .map(|row| (row.get(8), row.get(9), row.get(16), row.get(20)))
            .collect();
        Ok(read.len())
    }

    pub(crate) async fn totals(&self, take: Uuid) -> Done<(i64, i64)> {
        let open = self.connection().await?;
        let rows = open
            .rows(
                "SELECT sum(items)::bigint, sum(adjustment_minor)::bigint FROM total \
                 WHERE organisation = $1 AND take = $2",
                &[&ORGANISATION, &take],
            )
            .await?;
        let row = rows.first().ok_or("a sum is a row")?;
        Ok((row.get(0), row.get(1)))
    }
}

/// A column of some rows.
fn column<'a, T: stocktake::postgres::tokio_postgres::types::FromSql<'a>>(
    rows: &'a [Row],
    nth: usize,
) -> Vec<T> {
    rows.iter().map(|row| row.get(nth)).collect()
}
