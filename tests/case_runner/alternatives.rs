//! What the notes of a case allow instead of what it expects.
//!
//! A case passes when all that it expects holds, or all of an alternative that its own notes name: each entry is found
//! by the words of the notes, and is gone when they are. Nothing else is ever let through.

use serde_json::{Value, json};

/// An alternative: the words of the notes, and what is expected then instead.
struct Alternative {
    notes: &'static str,
    instead: fn(&[Value], &[Value]) -> Vec<Value>,
}

/// Without the checks of a name.
fn without(checks: &[Value], names: &[&str]) -> Vec<Value> {
    let is_named = |check: &&Value| {
        let name = check.get("check").and_then(Value::as_str);
        !name.is_some_and(|name| names.contains(&name))
    };
    checks.iter().filter(is_named).cloned().collect()
}

fn with(mut checks: Vec<Value>, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    checks.extend(more);
    checks
}

/// The steps that move nothing.
fn of_zero_quantity(steps: &[Value]) -> impl Iterator<Item = usize> + '_ {
    steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.get("qty").and_then(Value::as_str) == Some("0"))
        .map(|(index, _)| index)
}

fn refused(step: usize, code: &str) -> Value {
    json!({"check": "error", "step": step, "code": code, "state_unchanged": true})
}

const ALTERNATIVES: &[Alternative] = &[
    // FIFO-08: a movement of nothing is refused, and nothing moves either way.
    Alternative {
        notes: "may instead reject a zero-quantity movement",
        instead: |steps, checks| {
            let zero = of_zero_quantity(steps).map(|step| refused(step, "invalid_quantity"));
            with(checks.to_vec(), zero)
        },
    },
    // CNT-24: adopt, or document: the library's rule is that a take with nothing counted posts nothing and is complete.
    Alternative {
        notes: "Not specified there; adopt or document.",
        instead: |_, checks| {
            with(
                without(checks, &["error", "state"]),
                [
                    json!({"check": "ok", "step": 1}),
                    json!({"check": "movements", "step": 1, "lines": []}),
                    json!({"check": "state", "object": "count:K", "value": "complete"}),
                ],
            )
        },
    },
    // CNT-31: counted again is updated, never a second line.
    Alternative {
        notes: "either update or refuse, never two lines",
        instead: |_, checks| {
            with(
                without(checks, &["error"]),
                [json!({"check": "ok", "step": 1})],
            )
        },
    },
    // CNT-51: the ledger has a sequence of its own, so an instant need not be unique. A movement of nothing, with which
    // the case stamps the instant, is refused.
    Alternative {
        notes: "A ledger with a sequence number does not need this; then expect +3",
        instead: |steps, checks| {
            let zero = of_zero_quantity(steps).map(|step| refused(step, "invalid_quantity"));
            let posted = [
                json!({"check": "movements", "step": 3, "lines": [{"product": "P", "delta": "3"}]}),
                json!({"check": "on_hand", "product": "P", "qty": "33"}),
            ];
            with(without(checks, &["error"]), zero.chain(posted))
        },
    },
    // ORD-04: the same product twice is two lines.
    Alternative {
        notes: "(two lines are also acceptable)",
        instead: |_, checks| {
            let two = json!({"check": "line_count", "order": "O", "value": 2, "after": 3});
            with(without(checks, &["line_count"]), [two])
        },
    },
    // ORD-11: a fully received order is received, and over.
    Alternative {
        notes: "the update must be refused instead (invalid_state)",
        instead: |_, checks| {
            with(
                without(checks, &["order_line"]),
                [
                    refused(1, "invalid_state"),
                    json!({"check": "order_line", "order": "O", "line": "1", "received": "5", "outstanding": "0"}),
                ],
            )
        },
    },
    // ORD-13: of "units or lines" the library decides for lines.
    Alternative {
        notes: "5 units or 2 lines is ambiguous",
        instead: |_, checks| {
            let is_count =
                |check: &&Value| check.get("field").and_then(Value::as_str) != Some("item_count");
            let others: Vec<Value> = checks.iter().filter(is_count).cloned().collect();
            let lines = json!({"check": "field", "object": "order:O", "field": "item_count", "value": 2, "after": 0});
            with(others, [lines])
        },
    },
    // IMP-06: an import of nothing is taken, and says that it is of nothing.
    Alternative {
        notes: "decide between error and \"Import of 0 stock value(s)\"",
        instead: |_, checks| {
            let is_of_nothing = |check: &&Value| check.get("step") != Some(&json!(0));
            let others: Vec<Value> = checks.iter().filter(is_of_nothing).cloned().collect();
            let told = [
                json!({"check": "ok", "step": 0}),
                json!({"check": "import_message", "step": 0, "text": "Import of 0 stock value(s) initiated"}),
                json!({"check": "import_result", "step": 0, "accepted": 0, "rejected": 0}),
            ];
            with(others, told)
        },
    },
    // ORD-15: an empty order is not submitted; the library's word for that is that it has no lines.
    Alternative {
        notes: "refusing to submit an empty order (validation) is equally acceptable",
        instead: |_, checks| with(checks.to_vec(), [refused(0, "no_lines")]),
    },
];

/// What a case may be held against, beside what it expects.
pub(crate) fn alternatives(notes: &str, steps: &[Value], checks: &[Value]) -> Vec<Vec<Value>> {
    ALTERNATIVES
        .iter()
        .filter(|alternative| notes.contains(alternative.notes))
        .map(|alternative| (alternative.instead)(steps, checks))
        .collect()
}
