//! Holding one check against what is there, and against how the steps ended.

use std::collections::BTreeSet;

use serde_json::Value;
use stocktake::domain::InventoryOrderItem;

use super::trouble::{Refusal, Tried, Trouble};
use super::words::Words;
use super::world::{Played, World};
use super::{document_checks, ledger_checks, stock_checks};

/// The checks of this file: how a step ended.
const CHECKS: &[&str] = &["ok", "error", "warning_or_error", "one_of"];

/// The error codes of the vocabulary.
const CODES: &[&str] = &[
    "insufficient_stock",
    "would_go_negative",
    "invalid_quantity",
    "invalid_state",
    "not_found",
    "validation",
    "duplicate",
    "conflict",
    "locked",
    "no_lines",
    "lot_required",
    "serial_conflict",
    "over_receipt",
    "permission_denied",
    "requires_approval",
    "reason_required",
];

/// Whether the library has a counterpart for a check.
pub(crate) fn is_check(check: &str) -> bool {
    [
        CHECKS,
        stock_checks::CHECKS,
        ledger_checks::CHECKS,
        document_checks::CHECKS,
    ]
    .iter()
    .any(|checks| checks.contains(&check))
}

/// The checks inside a check: the options of `one_of`.
fn options(check: &Value) -> &[Value] {
    check
        .get("options")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Every check of a list, those inside others included.
pub(crate) fn all_checks(checks: &[Value]) -> Vec<&Value> {
    checks
        .iter()
        .flat_map(|check| {
            let inner = all_checks(options(check));
            std::iter::once(check).chain(inner)
        })
        .collect()
}

/// The steps whose end some checks speak of: what is refused elsewhere, nobody expects.
pub(crate) fn steps_spoken_of(checks: &[Value]) -> BTreeSet<usize> {
    let of_an_end = ["error", "warning_or_error", "row_error", "import_result"];
    all_checks(checks)
        .into_iter()
        .filter(|check| {
            let name = check.get("check").and_then(Value::as_str);
            name.is_some_and(|name| of_an_end.contains(&name))
        })
        .flat_map(|check| [check.get("step"), check.get("alt_step")])
        .flatten()
        .filter_map(Value::as_u64)
        .filter_map(|step| usize::try_from(step).ok())
        .collect()
}

impl Played {
    /// How the library refused, whichever of the tasks it was.
    fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        let whole = self.outcome.as_ref().err().into_iter();
        whole.chain(self.attempts.iter().filter_map(|it| it.as_ref().err()))
    }
}

impl World {
    /// Holds one check against the world as it is now.
    pub(crate) async fn check(&mut self, check: &Value) -> Tried<()> {
        let words = Words::of(check)?;
        let name = words.need("check")?;
        words.step("after")?;
        // What a check requires was looked at before the case was played.
        words.text("requires")?;
        self.check_named(&name, &words).await?;
        match words.unread().first() {
            Some(field) => Err(Trouble::unsupported(format!("check {name}.{field}"))),
            None => Ok(()),
        }
    }

    async fn check_named(&mut self, name: &str, words: &Words) -> Tried<()> {
        if stock_checks::CHECKS.contains(&name) {
            return self.check_stock(name, words).await;
        }
        if ledger_checks::CHECKS.contains(&name) {
            return self.check_ledger(name, words).await;
        }
        if document_checks::CHECKS.contains(&name) {
            return self.check_document(name, words).await;
        }
        match name {
            "ok" => {
                let step = words.need_step("step")?;
                match self.played_step(step)?.refusals().next() {
                    Some(refusal) => Err(Trouble::broken(format!(
                        "step {step} was refused: {}",
                        refusal.told
                    ))),
                    None => Ok(()),
                }
            }
            "error" | "warning_or_error" => self.check_error(words).await,
            "one_of" => self.check_one_of(words).await,
            _ => Err(Trouble::unsupported(format!("check {name}"))),
        }
    }

    /// A step was refused with a code; where the case says so, an earlier one may have been instead.
    async fn check_error(&mut self, words: &Words) -> Tried<()> {
        let code = words.need("code")?;
        if !CODES.contains(&code.as_str()) {
            return Err(Trouble::unsupported(format!("code {code}")));
        }
        let step = words.need_step("step")?;
        let others = words.step("alt_step")?;
        let unchanged = words.flag("state_unchanged")?.unwrap_or(false);
        let mut found = Vec::new();
        for step in [Some(step), others].into_iter().flatten() {
            let played = self.played_step(step)?;
            if played.refusals().any(|refusal| refusal.answers_to(&code)) {
                if unchanged && played.before != played.after {
                    let what = format!("step {step} was refused and left something behind");
                    return Err(Trouble::broken(what));
                }
                return match words.text("line")? {
                    Some(line) => self.check_line_at_fault(step, &line).await,
                    None => Ok(()),
                };
            }
            found.push(match played.refusals().next() {
                Some(refusal) => format!("step {step} was refused: {}", refusal.told),
                None => format!("step {step} went through"),
            });
        }
        let found = found.join(", ");
        Err(Trouble::broken(format!("expected {code}, but {found}")))
    }

    /// The refusal of a step names the line that is at fault: one of an order by its name, else by its number from 0.
    async fn check_line_at_fault(&mut self, step: usize, line: &str) -> Tried<()> {
        let played = self.played_step(step)?;
        let step_words = Words::of(&played.step)?;
        let refusals: Vec<Refusal> = played.refusals().cloned().collect();
        let is_of_order = played.op.starts_with("order_");
        let of_rows: Vec<usize> = played
            .import
            .iter()
            .flat_map(|it| it.rows.keys())
            .copied()
            .collect();
        let is_told = if is_of_order {
            let (_, order) = self.order_named(&step_words)?;
            let words = step_words.with("line", line.to_owned());
            let id = self.order_line_id(&order, &words).await?;
            let lines = self.order_lines(order.id).await?;
            let number = lines
                .iter()
                .find(|it| it.id() == id)
                .map(InventoryOrderItem::line);
            let name = number.map(|number| format!("line {number}, "));
            let codes = ["not_found", "no_lines"];
            refusals.iter().any(|refusal| {
                // What is not there has no name in the library.
                let is_told = |name: &String| refusal.told.contains(name);
                name.as_ref().is_some_and(is_told) || codes.iter().any(|it| refusal.answers_to(it))
            })
        } else if let (Ok(number), false) = (line.parse::<usize>(), of_rows.is_empty()) {
            of_rows.contains(&number)
        } else {
            let lines = match step_words.objects("lines")? {
                Some(lines) => lines,
                None => step_words.objects("rows")?.unwrap_or_default(),
            };
            let number = line.parse::<usize>().ok();
            let Some(line) = number.and_then(|number| lines.get(number)) else {
                return Err(Trouble::unsupported("error.line of this step"));
            };
            let chosen = self.chosen(line).await?;
            let mut keys = refusals.iter().flat_map(|refusal| &refusal.keys);
            keys.any(|key| self.is_chosen(&chosen, key))
        };
        if is_told {
            return Ok(());
        }
        let told: Vec<&str> = refusals.iter().map(|it| it.told.as_str()).collect();
        let told = told.join("; ");
        Err(Trouble::broken(format!(
            "step {step} names no line {line}: {told}"
        )))
    }

    async fn check_one_of(&mut self, words: &Words) -> Tried<()> {
        let mut told = Vec::new();
        for option in words.list("options")?.unwrap_or_default() {
            match Box::pin(self.check(&option)).await {
                Ok(()) => return Ok(()),
                Err(Trouble::Unsupported(word)) => return Err(Trouble::Unsupported(word)),
                Err(other) => told.push(other.to_string()),
            }
        }
        Err(Trouble::broken(format!("none of: {}", told.join("; "))))
    }
}
