//! Counts.

use stocktake::postgres::tokio_postgres::Row;
use uuid::Uuid;

use super::ledger::Level;
use super::{Done, ORGANISATION, Open, Opponent, Parameters, UNIT, USER, column};

/// What counts do to the totals, and the adjustments that they would come to.
fn judged(rows: &[Row], quantity: i64) -> ([[i64; 2]; 2], Vec<i64>) {
    let mut totals = [[0_i64; 2]; 2];
    let mut adjustments = Vec::with_capacity(rows.len());
    for row in rows {
        let (before, adjustment_before): (Option<i64>, i64) = (row.get(1), row.get(2));
        let level = Level {
            quantity: row.get(4),
            sequence: row.get(5),
            value: row.get(6),
        };
        let cost = if level.quantity == 0 {
            row.get::<_, Option<i64>>(3).unwrap_or_default()
        } else {
            level.cost()
        };
        let adjustment = (quantity - level.quantity) / UNIT * cost / 10_000;
        let was = usize::from(before.is_some());
        totals[was][0] -= 1;
        totals[was][1] -= adjustment_before;
        totals[1][0] += 1;
        totals[1][1] += adjustment;
        adjustments.push(adjustment);
    }
    (totals, adjustments)
}

impl Opponent {
    /// Counts lines in one transaction, in four round trips: begin and lock, read, write, commit.
    pub(crate) async fn count(&self, take: Uuid, items: &[Uuid], quantity: i64) -> Done<()> {
        let open = self.connection().await?;
        let at = open.at;
        let quantity = quantity * UNIT;
        let rows = hold_and_read(&open, take, items).await?;
        let (totals, adjustments) = judged(&rows, quantity);
        let ids: Vec<Uuid> = column(&rows, 0);
        let entries: Vec<Uuid> = ids.iter().map(|_| Uuid::now_v7()).collect();
        let (books, sequences): (Vec<i64>, Vec<i64>) = (column(&rows, 4), column(&rows, 5));
        let first = items.first().ok_or("nothing to count")?;
        let (key, outcome) = (
            format!("count/{first}/{at}"),
            format!("{{\"item\":\"{first}\",\"quantity\":{quantity}}}"),
        );
        let line: Parameters<'_> = &[
            &ORGANISATION,
            &take,
            &quantity,
            &at,
            &USER,
            &ids,
            &books,
            &sequences,
            &adjustments,
        ];
        let entry: Parameters<'_> = &[
            &ORGANISATION,
            &take,
            &quantity,
            &at,
            &USER,
            &ids,
            &books,
            &entries,
        ];
        let [was_not, was] = totals;
        let (lines, entered, remembered, first, second) = tokio::join!(
            biased;
            open.run(
                "UPDATE item AS i SET counted = $3, expected = w.book, sequence = w.sequence, counted_at = $4, \
                 counted_by = $5, adjustment_minor = w.adjustment, updated_at = $4, version = i.version + 1 \
                 FROM unnest($6::uuid[], $7::bigint[], $8::bigint[], $9::bigint[]) \
                 AS w(id, book, sequence, adjustment) \
                 WHERE i.organisation = $1 AND i.take = $2 AND i.id = w.id",
                line,
            ),
            open.run(
                "INSERT INTO entry SELECT $1, $2, w.item, COALESCE((SELECT max(number) FROM entry AS e \
                 WHERE e.organisation = $1 AND e.take = $2 AND e.item = w.item), 0) + 1, w.id, $3, $3, w.book, $4, $5, \
                 NULL FROM unnest($6::uuid[], $7::bigint[], $8::uuid[]) AS w(item, book, id)",
                entry,
            ),
            open.remember(&key, &outcome),
            added(&open, take, 0, was_not),
            added(&open, take, 1, was),
        );
        if lines? != u64::try_from(ids.len())? {
            return Err("a line has changed".into());
        }
        entered?;
        remembered?;
        first?;
        second?;
        open.commit().await?;
        Ok(())
    }
}

/// Begins, keeps the take from changing its phase, and reads the lines.
async fn hold_and_read(open: &Open, take: Uuid, items: &[Uuid]) -> Done<Vec<Row>> {
    let (lock, _) = take.as_u64_pair();
    let lock = i64::from_be_bytes(lock.to_be_bytes());
    let lock_shared = open
        .prepared("SELECT pg_advisory_xact_lock_shared($1)")
        .await?;
    let connection = &open.connection;
    let lock: Parameters<'_> = &[&lock];
    let (begun, held) = tokio::join!(
        biased;
        connection.batch_execute("BEGIN"),
        connection.query(&lock_shared, lock),
    );
    begun?;
    held?;
    let rows = open
        .rows(
            "SELECT i.id, i.counted, i.adjustment_minor, i.unit_cost, l.quantity, l.sequence, l.value, \
             t.state = 'ongoing' FROM take AS t JOIN item AS i ON i.organisation = t.organisation \
             AND i.take = t.id JOIN level AS l ON l.organisation = i.organisation AND l.site = i.site \
             AND l.product = i.product AND l.variant = i.variant AND l.place = i.place AND l.batch = i.batch \
             AND l.serial = i.serial WHERE t.organisation = $1 AND t.id = $2 AND i.id = ANY($3) \
             ORDER BY i.id FOR UPDATE OF i",
            &[&ORGANISATION, &take, &items],
        )
        .await?;
    if rows.len() != items.len() || !rows.iter().all(|row| row.get(7)) {
        return Err("the take is not ongoing, or a line is gone".into());
    }
    Ok(rows)
}

async fn added(open: &Open, take: Uuid, counted: i64, [lines, adjustment]: [i64; 2]) -> Done<()> {
    if (lines, adjustment) != (0, 0) {
        open.add_totals(take, counted, (lines, adjustment)).await?;
    }
    Ok(())
}
