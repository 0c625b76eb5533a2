//! What moves stock: postings and absolute values, computed here and written as arrays.

use std::collections::HashMap;

use stocktake::postgres::tokio_postgres::Row;
use uuid::Uuid;

use super::{CHUNK, Done, ORGANISATION, Open, SITE, UNIT, USER};

/// What is known of a level.
#[derive(Clone, Copy, Default)]
pub(super) struct Level {
    pub(super) quantity: i64,
    pub(super) sequence: i64,
    pub(super) value: i64,
}

impl Level {
    /// What a unit is worth, in millionths.
    pub(super) fn cost(self) -> i64 {
        self.value / (self.quantity / UNIT).max(1)
    }
}

/// A change of a key's stock.
struct Change {
    product: Uuid,
    level: Level,
    by: i64,
    cost: i64,
    occurred_at: i64,
    document: Option<Uuid>,
    item: Option<Uuid>,
}

impl Change {
    fn event(&self) -> Uuid {
        match (self.document, self.item) {
            (Some(document), Some(item)) => Uuid::new_v5(&document, item.as_bytes()),
            _ => Uuid::now_v7(),
        }
    }
}

/// Posts the next lines; whether there were any. What was counted is what was there then: what moved since is kept.
pub(super) async fn post_chunk(open: &Open, take: Uuid, after: &mut i64) -> Done<bool> {
    let rows = open
        .rows(
            "SELECT i.line, i.id, i.product, i.counted, i.sequence, i.counted_at, l.quantity, l.sequence, l.value \
             FROM item AS i JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
             AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
             AND l.serial = i.serial WHERE i.organisation = $1 AND i.take = $2 AND i.line > $3 \
             ORDER BY i.line LIMIT $4 FOR UPDATE OF l",
            &[&ORGANISATION, &take, &*after, &CHUNK],
        )
        .await?;
    let Some(last) = rows.last() else {
        open.run(
            "UPDATE take SET state = 'finished', version = version + 1 WHERE organisation = $1 AND id = $2",
            &[&ORGANISATION, &take],
        )
        .await?;
        return Ok(false);
    };
    *after = last.get(0);
    let moved = moved_since(open, &rows).await?;
    let (mut changes, mut known) = (Vec::new(), (Vec::new(), Vec::new()));
    let (mut items, mut events) = (Vec::new(), Vec::new());
    for row in &rows {
        let (item, product): (Uuid, Uuid) = (row.get(1), row.get(2));
        let level = Level {
            quantity: row.get(6),
            sequence: row.get(7),
            value: row.get(8),
        };
        let mut event = None;
        if let (Some(counted), Some(at)) =
            (row.get::<_, Option<i64>>(3), row.get::<_, Option<i64>>(5))
        {
            let moved = moved.get(&product).copied().unwrap_or_default();
            let change = counted + moved - level.quantity;
            known.0.push(product);
            known.1.push(at);
            if change != 0 {
                let change = Change {
                    product,
                    level,
                    by: change,
                    cost: level.cost(),
                    occurred_at: at,
                    document: Some(take),
                    item: Some(item),
                };
                event = Some(change.event());
                changes.push(change);
            }
        }
        items.push(item);
        events.push(event);
    }
    let at = open.at;
    append(open, "count_variance", &changes).await?;
    let (products, by, values) = summed(&changes);
    open.run(
        "UPDATE level AS l SET quantity = l.quantity + COALESCE(c.change, 0), value = l.value + COALESCE(c.value, 0), \
         sequence = l.sequence + CASE WHEN c.product IS NULL THEN 0 ELSE 1 END, known_at = w.known_at, \
         updated_at = $3, version = l.version + 1 FROM unnest($4::uuid[], $5::bigint[]) AS w(product, known_at) \
         LEFT JOIN unnest($6::uuid[], $7::bigint[], $8::bigint[]) AS c(product, change, value) \
         ON c.product = w.product WHERE l.organisation = $1 AND l.site = $2 AND l.product = w.product \
         AND l.variant = '' AND l.place = '' AND l.batch = '' AND l.serial = ''",
        &[&ORGANISATION, &SITE, &at, &known.0, &known.1, &products, &by, &values],
    )
    .await?;
    open.run(
        "UPDATE item AS i SET posted = 1, event = w.event, updated_at = $3, version = i.version + 1 \
         FROM unnest($4::uuid[], $5::uuid[]) AS w(id, event) \
         WHERE i.organisation = $1 AND i.take = $2 AND i.id = w.id",
        &[&ORGANISATION, &take, &at, &items, &events],
    )
    .await?;
    open.remember(&format!("post/{take}/{after}"), "done")
        .await?;
    Ok(true)
}

/// What happened to the keys of lines since they were counted.
async fn moved_since(open: &Open, lines: &[Row]) -> Done<HashMap<Uuid, i64>> {
    let (mut products, mut sequences) = (Vec::<Uuid>::new(), Vec::<i64>::new());
    for row in lines {
        let counted_at: Option<i64> = row.get(4);
        if let Some(sequence) = counted_at.filter(|sequence| *sequence != row.get::<_, i64>(7)) {
            products.push(row.get(2));
            sequences.push(sequence);
        }
    }
    if products.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = open
        .rows(
            "SELECT e.product, sum(e.change)::bigint FROM unnest($3::uuid[], $4::bigint[]) AS w(product, sequence) \
             JOIN event AS e ON e.organisation = $1 AND e.site = $2 AND e.product = w.product AND e.variant = '' \
             AND e.place = '' AND e.batch = '' AND e.serial = '' AND e.sequence > w.sequence GROUP BY e.product",
            &[&ORGANISATION, &SITE, &products, &sequences],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn summed(changes: &[Change]) -> (Vec<Uuid>, Vec<i64>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for it in changes {
        columns.0.push(it.product);
        columns.1.push(it.by);
        columns.2.push(it.by / UNIT * it.cost);
    }
    columns
}

/// Writes events, and what they do to the layers: found goods are a layer more; missing ones leave the oldest layers.
async fn append(open: &Open, kind: &str, changes: &[Change]) -> Done<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let at = open.at;
    let count = i64::try_from(changes.len())?;
    let first = open.positions(count).await? + 1;
    let positions: Vec<i64> = (first..first + count).collect();
    let (products, by, values) = summed(changes);
    let ids: Vec<Uuid> = changes.iter().map(Change::event).collect();
    let sequences: Vec<i64> = changes.iter().map(|it| it.level.sequence + 1).collect();
    let befores: Vec<i64> = changes.iter().map(|it| it.level.quantity).collect();
    let costs: Vec<i64> = changes.iter().map(|it| it.cost).collect();
    let times: Vec<i64> = changes.iter().map(|it| it.occurred_at).collect();
    let documents: Vec<Option<Uuid>> = changes.iter().map(|it| it.document).collect();
    let items: Vec<Option<Uuid>> = changes.iter().map(|it| it.item).collect();
    open.run(
        "INSERT INTO event SELECT $1, $2, w.position, w.id, w.product, '', '', '', '', w.sequence, $3, w.change, \
         w.before, w.before + w.change, w.cost, w.value, w.occurred_at, $4, $5, w.document, w.item, 1 \
         FROM unnest($6::bigint[], $7::uuid[], $8::uuid[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], \
         $13::bigint[], $14::bigint[], $15::uuid[], $16::uuid[]) AS w(position, id, product, sequence, change, before, \
         cost, value, occurred_at, document, item)",
        &[
            &ORGANISATION,
            &SITE,
            &kind,
            &at,
            &USER,
            &positions,
            &ids,
            &products,
            &sequences,
            &by,
            &befores,
            &costs,
            &values,
            &times,
            &documents,
            &items,
        ],
    )
    .await?;
    let (mut found, mut quantities, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    let mut missing: HashMap<Uuid, i64> = HashMap::new();
    for it in changes {
        if it.by > 0 {
            found.push(it.product);
            quantities.push(it.by);
            costs.push(it.cost);
        } else if it.by < 0 {
            missing.insert(it.product, -it.by);
        }
    }
    if !found.is_empty() {
        open.run(
            "INSERT INTO layer SELECT $1, $2, w.product, '', '', '', '', $3, 0, w.quantity, w.cost \
             FROM unnest($4::uuid[], $5::bigint[], $6::bigint[]) AS w(product, quantity, cost)",
            &[&ORGANISATION, &SITE, &at, &found, &quantities, &costs],
        )
        .await?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let products: Vec<Uuid> = missing.keys().copied().collect();
    let layers = open
        .rows(
            "SELECT l.product, l.received_at, l.number, l.quantity FROM unnest($3::uuid[]) AS w(product) \
             JOIN layer AS l ON l.organisation = $1 AND l.site = $2 AND l.product = w.product AND l.variant = '' \
             AND l.place = '' AND l.batch = '' AND l.serial = '' AND l.quantity > 0 \
             ORDER BY l.product, l.received_at, l.number",
            &[&ORGANISATION, &SITE, &products],
        )
        .await?;
    let mut taken = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &layers {
        let product: Uuid = row.get(0);
        let Some(left) = missing.get_mut(&product).filter(|left| **left > 0) else {
            continue;
        };
        let amount = (*left).min(row.get(3));
        *left -= amount;
        taken.0.push(product);
        taken.1.push(row.get::<_, i64>(1));
        taken.2.push(row.get::<_, i64>(2));
        taken.3.push(amount);
    }
    open.run(
        "UPDATE layer AS l SET quantity = l.quantity - w.taken \
         FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[]) AS w(product, received_at, number, taken) \
         WHERE l.organisation = $1 AND l.site = $2 AND l.product = w.product AND l.variant = '' AND l.place = '' \
         AND l.batch = '' AND l.serial = '' AND l.received_at = w.received_at AND l.number = w.number",
        &[&ORGANISATION, &SITE, &taken.0, &taken.1, &taken.2, &taken.3],
    )
    .await?;
    Ok(())
}

/// Sets keys to absolute values.
pub(super) async fn reset(open: &Open, products: &[Uuid], quantities: &[i64]) -> Done<()> {
    let cost = 2_500_000;
    let at = open.at;
    let rows = open
        .rows(
            "SELECT l.product, l.quantity, l.sequence, l.value FROM unnest($3::uuid[]) AS w(product) \
             JOIN level AS l ON l.organisation = $1 AND l.site = $2 AND l.product = w.product AND l.variant = '' \
             AND l.place = '' AND l.batch = '' AND l.serial = '' ORDER BY l.product FOR UPDATE OF l",
            &[&ORGANISATION, &SITE, &products],
        )
        .await?;
    let mut levels: HashMap<Uuid, Level> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let level = Level {
            quantity: row.get(1),
            sequence: row.get(2),
            value: row.get(3),
        };
        levels.insert(row.get(0), level);
    }
    let changes: Vec<Change> = products
        .iter()
        .zip(quantities)
        .map(|(product, quantity)| {
            let level = levels.get(product).copied().unwrap_or_default();
            Change {
                product: *product,
                level,
                by: quantity - level.quantity,
                cost,
                occurred_at: at,
                document: None,
                item: None,
            }
        })
        .collect();
    append(open, "external_reset", &changes).await?;
    let values: Vec<i64> = quantities.iter().map(|it| it / UNIT * cost).collect();
    open.run(
        "INSERT INTO level SELECT $1, $2, w.product, '', '', '', '', 1, w.quantity, 0, 1, w.value, 1, $3, $3 \
         FROM unnest($4::uuid[], $5::bigint[], $6::bigint[]) AS w(product, quantity, value) \
         ON CONFLICT (organisation, site, product, variant, place, batch, serial) DO UPDATE SET \
         version = level.version + 1, quantity = excluded.quantity, value = excluded.value, \
         sequence = level.sequence + 1, known_at = excluded.known_at, updated_at = excluded.updated_at, stocked = 1",
        &[&ORGANISATION, &SITE, &at, &products, &quantities, &values],
    )
    .await?;
    Ok(())
}
