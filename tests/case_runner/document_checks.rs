//! What documents say: counts, adjustments, orders, imports.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use stocktake::domain::{Cause, InventoryOrderState, Quantity, StockAdjustmentState};
use stocktake::store::StockTakeItemFilter;

use super::count_steps::{CountDocument, is_count_state};
use super::stock_checks::differs;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::{Imported, RowRefusal, World};

/// The checks of this file.
pub(crate) const CHECKS: &[&str] = &[
    "snapshot",
    "counted",
    "variance",
    "variance_value",
    "progress",
    "line_count",
    "over_threshold",
    "discrepancy_percent",
    "adjustments_created",
    "adjustment",
    "requires_approval",
    "order_line",
    "order_subtotal_minor",
    "receipts",
    "import_result",
    "import_message",
    "row_error",
    "state",
    "field",
];

fn holds(holds: bool, otherwise: impl FnOnce() -> Trouble) -> Tried<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn shown(quantity: Option<Quantity>) -> String {
    quantity.map_or_else(|| "nothing".to_owned(), |it| it.to_string())
}

/// Compares a quantity that may be missing on both sides.
fn compare(what: &str, expected: Option<Decimal>, found: Option<Quantity>) -> Tried<()> {
    holds(expected == found.map(Quantity::to_decimal), || {
        let expected = expected.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
        differs(what, expected, shown(found))
    })
}

fn compare_adjustment_state(expected: &str, found: StockAdjustmentState) -> Tried<()> {
    let words: &[&str] = match found {
        StockAdjustmentState::Pending => &["pending", "pending_approval"],
        StockAdjustmentState::Applied => &["applied", "approved", "complete"],
        StockAdjustmentState::Rejected => &["rejected"],
    };
    holds(words.contains(&expected), || {
        differs("state of an adjustment", expected, found)
    })
}

impl World {
    pub(crate) async fn check_document(&mut self, check: &str, words: &Words) -> Tried<()> {
        match check {
            "snapshot" => {
                let found = self.count_line(words).await?.expected;
                compare(check, words.decimal("expected_qty")?, found)
            }
            "counted" => {
                let found = self.count_line(words).await?.counted;
                compare(check, words.decimal("qty")?, found)
            }
            "variance" => {
                let found = self.count_line(words).await?.variance;
                compare(check, words.decimal("delta")?, found)
            }
            "variance_value" => {
                let minor = self.count_line(words).await?.variance_minor;
                let minor = minor.ok_or_else(|| differs(check, "a value", "nothing counted"))?;
                let found = Decimal::new(minor, self.currency.minor_digits());
                self.compare_amount(check, words, found)
            }
            "over_threshold" => {
                let line = self.count_line(words).await?;
                let found = match (&self.tolerance, line.expected, line.counted) {
                    (Some(tolerance), Some(expected), Some(counted)) => {
                        let minor = line.variance_minor.unwrap_or(0);
                        let value = Decimal::new(minor, self.currency.minor_digits());
                        let value = value.to_string().parse().map_err(Trouble::unreadable)?;
                        Some(tolerance.exceeded_by(expected, counted, value)?)
                    }
                    (_, _, _) => line.significant,
                };
                let expected = words.flag("value")?;
                holds(expected == found, || {
                    differs(check, format!("{expected:?}"), format!("{found:?}"))
                })
            }
            "discrepancy_percent" => self.check_percent(check, words).await,
            "progress" => self.check_progress(words).await,
            "line_count" => {
                let found = if words.names("order") {
                    self.order_of(words).await?.item_count()
                } else {
                    self.count_lines(words).await?
                };
                let found = usize::try_from(found).unwrap_or(usize::MAX);
                Self::compare_count(check, words, found)
            }
            "adjustments_created" => self.check_adjustments(words).await,
            "adjustment" => self.check_adjustment(words).await,
            "requires_approval" => {
                let step = words.need_step("step")?;
                let found = self.adjustment(step).await?.requires_approval();
                let expected = words.flag("value")?.unwrap_or(true);
                holds(expected == found, || {
                    differs(format!("{check} of step {step}"), expected, found)
                })
            }
            "order_line" => self.check_order_line(words).await,
            "order_subtotal_minor" => {
                let found = self.order_of(words).await?.subtotal_minor();
                let expected = words.whole("amount")?;
                holds(expected.map(i128::from) == Some(found), || {
                    differs(check, format!("{expected:?}"), found)
                })
            }
            "receipts" => {
                let order = self.order_of(words).await?.id();
                // What comes together is recorded at one moment.
                let moments: BTreeSet<_> = self
                    .events
                    .iter()
                    .filter(|it| matches!(it.cause, Cause::Order { order: of, .. } if of == order))
                    .map(|event| event.recorded_at)
                    .collect();
                Self::compare_count(check, words, moments.len())
            }
            "import_result" => self.check_import_result(words),
            "import_message" => {
                let found = self.import_of(words)?.message.clone();
                let expected = words.text("text")?;
                holds(expected == found, || {
                    differs(check, format!("{expected:?}"), format!("{found:?}"))
                })
            }
            "row_error" => self.check_row(words),
            "state" => self.check_state(words).await,
            "field" => self.check_field(words).await,
            _ => Err(Trouble::unsupported(format!("check {check}"))),
        }
    }

    /// By how much of what was expected a line is off.
    async fn check_percent(&mut self, check: &str, words: &Words) -> Tried<()> {
        let line = self.count_line(words).await?;
        let (Some(expected), Some(variance)) = (line.expected, line.variance) else {
            return Err(differs(check, "a percentage", "nothing counted"));
        };
        let hundred = Decimal::ONE_HUNDRED;
        let variance = variance.to_decimal().abs();
        let part = variance.checked_div(expected.to_decimal().abs());
        // What nobody expected is off as a whole.
        let of_nothing = if variance.is_zero() {
            Decimal::ZERO
        } else {
            hundred
        };
        let found = part.map_or(of_nothing, |part| part * hundred);
        let expected = words.either(&["value", "percent", "amount"])?;
        let words = words.with_default("amount", expected);
        self.compare_amount(check, &words, found)
    }

    // ---- counts ----------------------------------------------------------------------------------

    async fn count_lines(&self, words: &Words) -> Tried<u64> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let lines = match self.counted_as(&name)?.document {
            CountDocument::Take(take) => self.take_lines(take).await?.len(),
            CountDocument::Count(count) => self.document_lines(count).await?.len(),
        };
        Ok(u64::try_from(lines).unwrap_or(u64::MAX))
    }

    async fn check_progress(&self, words: &Words) -> Tried<()> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let CountDocument::Take(take) = self.counted_as(&name)?.document else {
            return Err(Trouble::unsupported("progress of an inventory count (S2)"));
        };
        let takes = self.library.stock_takes();
        let all = StockTakeItemFilter::default();
        let totals = takes.totals(&self.host(), take, &all).await?;
        let left = totals.items.saturating_sub(totals.counted);
        let fields = [
            ("total", totals.items),
            ("left", left),
            ("counted", totals.counted),
        ];
        for (field, found) in fields {
            if let Some(expected) = words.step(field)?
                && u64::try_from(expected) != Ok(found)
            {
                return Err(differs(format!("progress.{field}"), expected, found));
            }
        }
        Ok(())
    }

    /// The adjustment records that counts have made.
    async fn check_adjustments(&self, words: &Words) -> Tried<()> {
        let made: Vec<_> = self
            .adjustments()
            .await?
            .into_iter()
            .filter(|adjustment| adjustment.count().is_some())
            .collect();
        // Each count is posted once; the step is the one that did.
        words.step("step")?;
        let lines = words.need_objects("lines")?;
        if lines.len() != made.len() {
            return Err(differs("adjustments_created", lines.len(), made.len()));
        }
        for line in lines {
            let chosen = self.chosen(&line).await?;
            let found = made.iter().find(|it| self.is_chosen(&chosen, it.key()));
            let found = found.ok_or_else(|| differs("adjustments_created", "a record", "none"))?;
            compare(
                "adjustments_created.delta",
                line.decimal("delta")?,
                Some(found.change()),
            )?;
            let flags = [
                ("approved", found.state() == StockAdjustmentState::Applied),
                ("requires_approval", found.requires_approval()),
            ];
            for (field, found) in flags {
                let expected = line.flag(field)?;
                holds(expected.is_none_or(|it| it == found), || {
                    differs(format!("adjustments_created.{field}"), !found, found)
                })?;
            }
        }
        Ok(())
    }

    async fn check_adjustment(&self, words: &Words) -> Tried<()> {
        let adjustment = self.adjustment(words.need_step("of_step")?).await?;
        let applied = adjustment.applied();
        let quantities = [
            ("qty_before", applied.map(|it| it.before)),
            ("qty_after", applied.map(|it| it.after)),
            ("delta", Some(adjustment.change())),
        ];
        for (field, found) in quantities {
            if words.names(field) {
                compare(&format!("adjustment.{field}"), words.decimal(field)?, found)?;
            }
        }
        if words.names("cost_impact") {
            let impact = words.text("cost_impact")?;
            let amount = words.with_default("amount", impact);
            let found = adjustment.cost_impact().to_decimal();
            self.compare_amount("adjustment.cost_impact", &amount, found)?;
        }
        let flags = [
            (
                "approved",
                adjustment.state() == StockAdjustmentState::Applied,
            ),
            ("requires_approval", adjustment.requires_approval()),
        ];
        for (field, found) in flags {
            let expected = words.flag(field)?;
            holds(expected.is_none_or(|it| it == found), || {
                differs(format!("adjustment.{field}"), !found, found)
            })?;
        }
        match words.text("state")? {
            Some(state) => compare_adjustment_state(&state, adjustment.state()),
            None => Ok(()),
        }
    }

    // ---- orders ----------------------------------------------------------------------------------

    async fn check_order_line(&mut self, words: &Words) -> Tried<()> {
        let (line, [received, outstanding, ordered]) = self.order_line(words).await?;
        let quantities = [
            ("received", received),
            ("outstanding", outstanding),
            ("qty", ordered),
        ];
        for (field, found) in quantities {
            if words.names(field) {
                let what = format!("order_line.{field}");
                compare(&what, words.decimal(field)?, Some(found))?;
            }
        }
        let minors = [
            ("unit_price_minor", line.ordered().unit_price_minor),
            ("total_minor", line.total_minor()),
        ];
        for (field, found) in minors {
            let expected = words.whole(field)?;
            holds(expected.is_none_or(|it| it == found), || {
                differs(
                    format!("order_line.{field}"),
                    format!("{expected:?}"),
                    found,
                )
            })?;
        }
        Ok(())
    }

    // ---- imports ---------------------------------------------------------------------------------

    fn import_of(&self, words: &Words) -> Tried<&Imported> {
        let step = words.need_step("step")?;
        self.played_step(step)?
            .import
            .as_ref()
            .ok_or_else(|| Trouble::broken(format!("step {step} imported nothing")))
    }

    fn check_import_result(&self, words: &Words) -> Tried<()> {
        let import = self.import_of(words)?;
        let numbers = [("accepted", import.accepted), ("rejected", import.rejected)];
        for (field, found) in numbers {
            if let Some(expected) = words.step(field)?
                && u64::try_from(expected) != Ok(found)
            {
                return Err(differs(format!("import_result.{field}"), expected, found));
            }
        }
        Ok(())
    }

    fn check_row(&self, words: &Words) -> Tried<()> {
        let (row, code) = (words.step("row")?.unwrap_or(0), words.need("code")?);
        let step = words.need_step("step")?;
        let played = self.played_step(step)?;
        let what = format!("error of row {row} of step {step}");
        let of_row = played
            .import
            .as_ref()
            .and_then(|import| import.rows.get(&row));
        let found = match (of_row, &played.outcome) {
            (Some(found), _) => found.clone(),
            // A batch that lands whole is refused whole, whatever row it is about.
            (None, Err(refusal)) => RowRefusal {
                codes: refusal.codes.clone(),
                told: vec![refusal.told.clone()],
                fields: Vec::new(),
            },
            (None, Ok(())) => RowRefusal::default(),
        };
        holds(found.codes.contains(&code.as_str()), || {
            differs(&what, code, format!("{:?}: {:?}", found.codes, found.told))
        })?;
        if let Some(field) = words.text("field")? {
            let is_named = found.fields.is_empty() || found.fields.contains(&field.as_str());
            holds(is_named, || {
                differs(
                    &what,
                    &field,
                    format!("{:?}: {:?}", found.fields, found.told),
                )
            })?;
        }
        match words.text("shown_as")? {
            Some(shown) => holds(found.told.iter().any(|told| told.contains(&shown)), || {
                differs(&what, shown, format!("{:?}", found.told))
            }),
            None => Ok(()),
        }
    }

    // ---- states and fields -----------------------------------------------------------------------

    async fn check_state(&self, words: &Words) -> Tried<()> {
        let (object, expected) = (words.need("object")?, words.need("value")?);
        let differ = |found: &str| differs(format!("state of {object}"), &expected, found);
        match object.split_once(':') {
            Some(("count", name)) => {
                let found = self.count_state(name).await?;
                if ["pending_approval", "pending", "approved"].contains(&expected.as_str()) {
                    return Err(Trouble::unsupported(format!("state {expected} of a count")));
                }
                holds(is_count_state(&found, &expected), || differ(&found))
            }
            Some(("order", name)) => {
                let found = self.order_state(name).await?;
                if found == InventoryOrderState::Removed.as_str() {
                    let is = ["removed", "deleted"].contains(&expected.as_str());
                    return holds(is, || differ(&found));
                }
                let order = self.order_of(&words.with("order", name.to_owned())).await?;
                let is_over = order.state() == InventoryOrderState::Received;
                let is = match expected.as_str() {
                    "complete" | "completed" | "closed" | "done" => is_over,
                    "partially_received" | "partial" => {
                        order.state() == InventoryOrderState::Submitted
                            && order.is_anything_received()
                    }
                    "cancelled" | "canceled" => is_over && order.closed_short().is_some(),
                    "draft" | "submitted" | "received" | "removed" | "deleted" => found == expected,
                    other => {
                        return Err(Trouble::unsupported(format!("state {other} of an order")));
                    }
                };
                holds(is, || differ(&found))
            }
            Some(("adjustment", step)) => {
                let step: usize = step
                    .parse()
                    .map_err(|_| Trouble::broken(format!("{object} names no step")))?;
                let found = self.adjustment(step).await?.state();
                compare_adjustment_state(&expected, found)
            }
            _ => Err(Trouble::unsupported(format!("state of {object}"))),
        }
    }

    async fn check_field(&self, words: &Words) -> Tried<()> {
        let (object, field) = (words.need("object")?, words.need("field")?);
        let expected = words.text("value")?;
        let unsupported = || Trouble::unsupported(format!("field {object}.{field}"));
        let found = match object.split_once(':') {
            Some(("count", name)) => {
                let CountDocument::Take(take) = self.counted_as(name)?.document else {
                    return Err(unsupported());
                };
                let take = self
                    .library
                    .stock_takes()
                    .get(&self.host(), take)
                    .await?
                    .take;
                let person = |user: &stocktake::domain::UserSummary| user.full_name();
                match field.as_str() {
                    "description" => Some(take.details().title().to_owned()),
                    "name" => take.details().name.as_ref().map(ToString::to_string),
                    "created_by" => Some(person(take.created_by())),
                    "posted_by" => take.posted_by().map(person),
                    _ => return Err(unsupported()),
                }
            }
            Some(("order", _)) => {
                let name = object.trim_start_matches("order:").to_owned();
                let order = self.order_of(&words.with("order", name)).await?;
                match field.as_str() {
                    "item_count" => Some(order.item_count().to_string()),
                    "subtotal" | "subtotal_minor" => Some(order.subtotal_minor().to_string()),
                    "number" | "purchase_order_number" => {
                        order.purchase_order_number().map(ToString::to_string)
                    }
                    "supplier" => Some(order.supplier().name.to_string()),
                    "currency" => Some(order.currency().to_string().to_lowercase()),
                    "created_by" => Some(order.created_by().full_name()),
                    _ => return Err(unsupported()),
                }
            }
            Some(("adjustment", step)) => {
                let step: usize = step.parse().map_err(|_| unsupported())?;
                let adjustment = self.adjustment(step).await?;
                match field.as_str() {
                    "reason" => Some(adjustment.reason().to_string()),
                    "delta" => Some(adjustment.change().to_string()),
                    "requires_approval" => Some(adjustment.requires_approval().to_string()),
                    "created_by" => Some(adjustment.created_by().full_name()),
                    _ => return Err(unsupported()),
                }
            }
            Some(("product", name)) => {
                let product = self.find_product(name).await?.ok_or_else(unsupported)?;
                let catalogue = self.library.catalogue();
                let product = catalogue.product(&self.host(), product).await?;
                match field.as_str() {
                    "name" => Some(product.name.to_string()),
                    "unit_cost" => product
                        .standard_cost(self.currency)
                        .map(|cost| cost.to_string()),
                    _ => return Err(unsupported()),
                }
            }
            _ => return Err(unsupported()),
        };
        holds(expected == found, || {
            differs(
                format!("{field} of {object}"),
                format!("{expected:?}"),
                format!("{found:?}"),
            )
        })
    }
}
