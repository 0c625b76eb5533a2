//! Steps with rows, each of which may be at fault: stock in bulk, and the lines of an order from a file.
//!
//! What can't be read, and what a row names that is not there, is told by its row; then nothing of the rows is done,
//! unless they are asked for one by one (`atomic` false, `skip_bad`).

use std::collections::BTreeMap;

use stocktake::domain::{InventoryOrderItemId, StockKey};
use stocktake::service::{Caller, Movement, NewMovement, OrderItemUpdate};

use super::order_steps::OrderAs;
use super::trouble::{Refusal, Tried, Trouble};
use super::words::Words;
use super::world::{Imported, RowRefusal, World};

/// The steps of this file.
pub(crate) const OPS: &[&str] = &["bulk", "order_import_lines"];

/// What is wrong with rows.
#[derive(Debug, Default)]
struct Mistakes {
    rows: BTreeMap<usize, RowRefusal>,
    codes: Vec<&'static str>,
    told: Vec<String>,
}

impl Mistakes {
    /// Keeps what a row is refused for; the rest is for the player of the case.
    fn keep<T>(&mut self, row: usize, field: &'static str, tried: Tried<T>) -> Tried<Option<T>> {
        let refusal = match tried {
            Ok(read) => return Ok(Some(read)),
            Err(Trouble::Refused(refusal)) => refusal,
            Err(other) => return Err(other),
        };
        let known = self.rows.entry(row).or_default();
        known.codes.extend(&refusal.codes);
        known.fields.push(field);
        known.told.push(refusal.told.clone());
        self.codes.extend(&refusal.codes);
        self.told.push(format!("row {row}: {}", refusal.told));
        Ok(None)
    }

    /// How it ended, when so many rows went through.
    fn end(self, accepted: usize, total: usize) -> (Imported, Tried<()>) {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let imported = Imported {
            accepted: count(accepted),
            rejected: count(total.saturating_sub(accepted)),
            message: None,
            rows: self.rows,
        };
        let outcome = if self.told.is_empty() {
            Ok(())
        } else {
            Err(Trouble::Refused(Refusal {
                codes: self.codes,
                told: self.told.join("; "),
                ..Refusal::default()
            }))
        };
        (imported, outcome)
    }
}

impl World {
    pub(crate) async fn play_rows(&mut self, op: &str, words: &Words) -> Tried<()> {
        let caller = self.actor(words)?;
        let rows = words.need_objects("rows")?;
        let one_by_one =
            !words.flag("atomic")?.unwrap_or(true) || words.flag("skip_bad")?.unwrap_or(false);
        let (imported, outcome) = match op {
            "bulk" => self.bulk(&caller, words, rows, one_by_one).await?,
            "order_import_lines" => self.import_lines(&caller, words, rows, one_by_one).await?,
            _ => return Err(Trouble::unsupported(format!("op {op}"))),
        };
        self.imported = Some(imported);
        outcome
    }

    /// A product that a row names: one that is in the catalogue.
    async fn row_key(
        &mut self,
        row: &Words,
        mistakes: &mut Mistakes,
        at: usize,
    ) -> Tried<Option<StockKey>> {
        let Some(name) = mistakes.keep(at, "product", row.need("product"))? else {
            return Ok(None);
        };
        if name.trim().is_empty() {
            let empty = name.parse::<stocktake::domain::Code>();
            let told = empty.map(drop).map_err(Trouble::from);
            return Ok(mistakes.keep(at, "product", told)?.and(None));
        }
        if self.is_unknown(&name) {
            let product = self.look_up(&name).await;
            return Ok(mistakes.keep(at, "product", product)?.and(None));
        }
        let key = self.key(row).await;
        mistakes.keep(at, "location", key)
    }

    async fn bulk(
        &mut self,
        caller: &Caller,
        words: &Words,
        rows: Vec<Words>,
        one_by_one: bool,
    ) -> Tried<(Imported, Tried<()>)> {
        let action = words.need("action")?;
        let mut mistakes = Mistakes::default();
        let mut movements: Vec<(usize, Vec<Movement>)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let row = row.with_default("location", words.text("location")?);
            let key = self.row_key(&row, &mut mistakes, at).await?;
            let quantity = mistakes.keep(at, "qty", row.need_quantity("qty"))?;
            let unit_cost = mistakes.keep(at, "unit_cost", row.cost("unit_cost"))?;
            let (Some(key), Some(quantity), Some(unit_cost)) = (key, quantity, unit_cost) else {
                continue;
            };
            let of_row = match action.as_str() {
                "remove" | "issue" => vec![Movement::Issue { key, quantity }],
                "add" | "receive" => vec![Movement::Receipt {
                    key,
                    quantity,
                    unit_cost,
                }],
                "count" | "set" => self.set_to(key, quantity, unit_cost, None).await?,
                other => return Err(Trouble::unsupported(format!("bulk action {other}"))),
            };
            movements.push((at, of_row));
        }
        let mut accepted = 0;
        let site = self.site(words.text("location")?.as_deref().unwrap_or("A"))?;
        let at_site = movements
            .first()
            .and_then(|(_, of_row)| of_row.first().and_then(site_of));
        let site = at_site.unwrap_or(site);
        if one_by_one {
            for (at, of_row) in movements {
                let new: Vec<NewMovement> = of_row.into_iter().map(NewMovement::from).collect();
                let done = self.library.stock().record(caller, site, &new).await;
                let done = done.map(drop).map_err(Trouble::from);
                accepted += usize::from(mistakes.keep(at, "qty", done)?.is_some());
            }
        } else if mistakes.told.is_empty() {
            let new: Vec<NewMovement> = movements
                .into_iter()
                .flat_map(|(_, of_row)| of_row)
                .map(NewMovement::from)
                .collect();
            self.library.stock().record(caller, site, &new).await?;
            accepted = rows.len();
        }
        Ok(mistakes.end(accepted, rows.len()))
    }

    /// Rows that set quantity and price of lines. The library sets them line by line: rows of which a later one is
    /// refused by it, after others went through, have no counterpart.
    async fn import_lines(
        &mut self,
        caller: &Caller,
        words: &Words,
        rows: Vec<Words>,
        one_by_one: bool,
    ) -> Tried<(Imported, Tried<()>)> {
        let (_, order) = self.order_named(words)?;
        let mut mistakes = Mistakes::default();
        let mut updates: Vec<(usize, InventoryOrderItemId, OrderItemUpdate)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let line = self.row_line(&order, row).await;
            // A line that has no name of its own is named by its product.
            let field = if row.names("line") { "line" } else { "product" };
            let line = mistakes.keep(at, field, line)?;
            let quantity = mistakes.keep(at, "qty", row.quantity("qty"))?;
            let price = mistakes.keep(at, "unit_price_minor", price_of(row))?;
            if let (Some(line), Some(quantity), Some(unit_price_minor)) = (line, quantity, price) {
                let update = OrderItemUpdate {
                    quantity: order.still_to_come(line, quantity)?,
                    unit_price_minor,
                };
                updates.push((at, line, update));
            }
        }
        let mut accepted = 0;
        if one_by_one || mistakes.told.is_empty() {
            for (at, line, update) in updates {
                let orders = self.library.inventory_orders();
                let done = orders.update_item(caller, order.id, line, update).await;
                let done = done.map(drop).map_err(Trouble::from);
                let is_done = mistakes.keep(at, "qty", done)?.is_some();
                if !is_done && !one_by_one && accepted > 0 {
                    let word = "order_import_lines of which a later row is refused";
                    return Err(Trouble::unsupported(word));
                }
                accepted += usize::from(is_done);
            }
        }
        Ok(mistakes.end(accepted, rows.len()))
    }

    async fn row_line(&mut self, order: &OrderAs, row: &Words) -> Tried<InventoryOrderItemId> {
        if !row.names("line") {
            row.need("product")?;
        }
        let line = self.order_line_id(order, row).await?;
        let orders = self.library.inventory_orders();
        Ok(orders.item(&self.host(), order.id, line).await?.id())
    }
}

/// A price that a row states: a whole number.
fn price_of(row: &Words) -> Tried<Option<i64>> {
    match row.whole("unit_price_minor") {
        Err(Trouble::Broken(told)) => Err(Trouble::Refused(Refusal {
            codes: vec!["validation"],
            told,
            ..Refusal::default()
        })),
        read => read,
    }
}

fn site_of(movement: &Movement) -> Option<stocktake::domain::SiteId> {
    match movement {
        Movement::Issue { key, .. }
        | Movement::Receipt { key, .. }
        | Movement::Reset { key, .. } => Some(key.site),
        _ => None,
    }
}
