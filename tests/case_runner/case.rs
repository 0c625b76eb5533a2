//! One case: read from its file, looked through for words that the library does not have, and played.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::alternatives::alternatives;
use super::checks::{all_checks, is_check, steps_spoken_of};
use super::facts;
use super::steps::is_op;
use super::trouble::Trouble;
use super::words::Words;
use super::world::{Layout, World, is_policy};
use crate::stores::Stores;

/// Features that cases may require, of those that the library has.
const FEATURES: &[&str] = &[
    "reservation",
    "reservations",
    "partial_receipts",
    "variants",
];

/// Policies that say how far a count may be off.
const TOLERANCES: &[&str] = &[
    "discrepancy_threshold_percent",
    "count_quantity_tolerance",
    "count_line_cost_threshold",
];

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// What did not hold.
    Failed(Vec<String>),
    /// The words that have no counterpart.
    Unsupported(Vec<String>),
}

/// A case as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) applicability: String,
    notes: String,
    given: Vec<Value>,
    steps: Vec<Value>,
    expect: Vec<Value>,
}

impl Case {
    /// Reads a case. What can't be read is told with the name of the file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&name, &text)
    }

    /// Reads the text of a case.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let unreadable = |why: String| format!("{name}: {why}");
        let value: Value =
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let list = |field: &str| value.get(field).and_then(Value::as_array).cloned();
        let missing = |field: &str| unreadable(format!("no `{field}`"));
        Ok(Self {
            id: text("id").ok_or_else(|| missing("id"))?,
            applicability: text("applicability").ok_or_else(|| missing("applicability"))?,
            notes: text("notes").unwrap_or_default(),
            given: list("given").unwrap_or_default(),
            steps: list("steps").ok_or_else(|| missing("steps"))?,
            expect: list("expect").ok_or_else(|| missing("expect"))?,
        })
    }

    /// Every step, those inside others included.
    fn all_steps(&self) -> Vec<&Value> {
        let inner = self.steps.iter().filter_map(|step| step.get("step"));
        let inner = inner.filter(|step| step.is_object());
        self.steps.iter().chain(inner).collect()
    }

    /// The words that the library has no counterpart for, as far as they can be told by reading.
    fn unknown_words(&self) -> Vec<String> {
        let mut unknown = BTreeSet::new();
        let mut look = |known: bool, word: String| {
            if !known {
                unknown.insert(word);
            }
        };
        let text = |value: &Value, field: &str| match value.get(field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        for given in &self.given {
            if let Some(fact) = text(given, "fact") {
                look(facts::rank(&fact).is_some(), format!("fact {fact}"));
            }
            if let Some(policy) = text(given, "policy") {
                let value = text(given, "value").unwrap_or_default();
                look(
                    self.is_policy(&policy, &value),
                    format!("policy {policy}={value}"),
                );
            }
        }
        for step in self.all_steps() {
            let op = text(step, "op").unwrap_or_default();
            look(is_op(&op), format!("op {op}"));
            if op == "set_policy" {
                let policy = text(step, "policy").unwrap_or_default();
                let value = text(step, "value").unwrap_or_default();
                look(
                    self.is_policy(&policy, &value),
                    format!("policy {policy}={value}"),
                );
            }
        }
        look(
            !self.waits_for_approval(),
            "approval of counts over a tolerance".to_owned(),
        );
        let checks = all_checks(&self.expect);
        for check in &checks {
            let name = text(check, "check").unwrap_or_default();
            look(is_check(&name), format!("check {name}"));
        }
        let requiring = self.given.iter().chain(self.all_steps()).chain(checks);
        for feature in requiring.filter_map(|value| text(value, "requires")) {
            look(
                FEATURES.contains(&feature.as_str()),
                format!("requires {feature}"),
            );
        }
        unknown.into_iter().collect()
    }

    /// Whether the case says how far a count may be off.
    fn has_tolerance(&self) -> bool {
        let mut policies = self
            .given
            .iter()
            .filter_map(|it| it.get("policy")?.as_str());
        policies.any(|policy| TOLERANCES.contains(&policy))
    }

    /// Whether what is over the tolerance of counts is to wait for somebody.
    fn waits_for_approval(&self) -> bool {
        let words = ["requires_approval", "pending_approval", "permission_denied"];
        let checks = all_checks(&self.expect);
        let mut said = checks
            .iter()
            .flat_map(|check| [check.get("code"), check.get("value")])
            .flatten()
            .filter_map(Value::as_str);
        self.has_tolerance() && said.any(|word| words.contains(&word))
    }

    /// Whether the library has a counterpart for a policy. Values are kept for each place and lot of a product: what is
    /// to be valued over several of them has none, unless the case has only one.
    fn is_policy(&self, policy: &str, value: &str) -> bool {
        if policy == "valuation_scope" && ["product", "location"].contains(&value) {
            let (places, is_told_apart) = self.places();
            return !is_told_apart && (value == "location" || places.len() <= 1);
        }
        is_policy(policy, value)
    }

    /// Every place that stock is named at, and whether lots or serial numbers are told apart.
    fn places(&self) -> (BTreeSet<String>, bool) {
        let mut places = BTreeSet::new();
        let mut is_told_apart = false;
        for value in self.given.iter().chain(&self.steps) {
            collect_locations(value, &mut places);
            is_told_apart |= ["lot", "batch", "serial", "serials", "present"]
                .iter()
                .any(|field| names(value, field));
        }
        (places, is_told_apart)
    }

    /// Products that are named only in steps which are to find nothing: the catalogue has none of that name.
    fn unknown_products(&self) -> BTreeSet<String> {
        let finds_nothing: BTreeSet<usize> = all_checks(&self.expect)
            .into_iter()
            .filter(|check| check.get("code").and_then(Value::as_str) == Some("not_found"))
            .filter_map(|check| check.get("step")?.as_u64())
            .filter_map(|step| usize::try_from(step).ok())
            .collect();
        let (mut known, mut doubtful) = (BTreeSet::from(["P".to_owned()]), BTreeSet::new());
        for given in &self.given {
            collect_products(given, &mut known);
        }
        for (number, step) in self.steps.iter().enumerate() {
            let found = if finds_nothing.contains(&number) {
                &mut doubtful
            } else {
                &mut known
            };
            collect_products(step, found);
        }
        doubtful.difference(&known).cloned().collect()
    }

    /// The currency: that of the facts, else the first that is named.
    fn currency(&self) -> String {
        let named = |values: &[Value], field: &str| {
            let found = values.iter().find_map(|value| value.get(field)?.as_str());
            found.map(str::to_owned)
        };
        let stated = self
            .given
            .iter()
            .find(|fact| fact.get("fact").and_then(Value::as_str) == Some("currency"))
            .and_then(|fact| fact.get("code")?.as_str().map(str::to_owned));
        stated
            .or_else(|| named(&self.given, "currency"))
            .or_else(|| named(&self.expect, "currency"))
            .unwrap_or_else(|| "usd".to_owned())
    }

    /// What a location is. An import names sites. There are those of the facts and of the steps that move stock; where
    /// the facts name none, also those where something is expected to be.
    fn layout(&self) -> Layout {
        let is_import = |step: &&Value| {
            let op = step.get("op").and_then(Value::as_str);
            op.is_some_and(|op| ["import", "import_raw"].contains(&op))
        };
        let steps = self.all_steps();
        if !steps.iter().any(is_import) {
            return Layout::Places;
        }
        let mut sites = BTreeSet::new();
        for fact in &self.given {
            collect_locations(fact, &mut sites);
        }
        let facts_name_them = !sites.is_empty();
        for step in steps.iter().filter(|step| !is_import(step)) {
            collect_locations(step, &mut sites);
        }
        if !facts_name_them {
            let is_there = |check: &&&Value| {
                let name = check.get("check").and_then(Value::as_str);
                name.is_some_and(|name| {
                    ["on_hand", "available", "reserved", "value"].contains(&name)
                })
            };
            for check in all_checks(&self.expect).iter().filter(is_there) {
                collect_locations(check, &mut sites);
            }
        }
        sites.insert("A".to_owned());
        Layout::Sites(sites)
    }

    /// Plays the case.
    pub(crate) async fn play(&self, stores: &Stores) -> Verdict {
        let unknown = self.unknown_words();
        if !unknown.is_empty() {
            return Verdict::Unsupported(unknown);
        }
        match self.play_all(stores).await {
            Ok(verdict) => verdict,
            Err(Trouble::Unsupported(word)) => Verdict::Unsupported(vec![word]),
            Err(other) => Verdict::Failed(vec![other.to_string()]),
        }
    }

    async fn play_all(&self, stores: &Stores) -> Result<Verdict, Trouble> {
        let checks = all_checks(&self.expect);
        let has_tolerance = self.has_tolerance();
        let documents = checks.iter().any(|check| {
            match check.get("check").and_then(Value::as_str) {
                // Only an inventory count (S2) makes adjustment records, and flags lines by the site's policy.
                Some("adjustments_created") => true,
                Some("over_threshold") => !has_tolerance,
                Some(_) | None => false,
            }
        });
        let mut world = World::open(
            stores,
            &self.currency(),
            self.layout(),
            documents,
            self.unknown_products(),
        )
        .await?;
        let given: Result<Vec<Words>, Trouble> = self.given.iter().map(Words::of).collect();
        world
            .set_up(&given?)
            .await
            .map_err(|trouble| at("given", trouble))?;
        let mut lists = vec![self.expect.clone()];
        lists.extend(alternatives(&self.notes, &self.steps, &self.expect));
        let mut failures: Vec<Vec<String>> = vec![Vec::new(); lists.len()];
        for (number, step) in self.steps.iter().enumerate() {
            world
                .play_step(step)
                .await
                .map_err(|trouble| at(&format!("step {number}"), trouble))?;
            for (list, failures) in lists.iter().zip(&mut failures) {
                let due = list.iter().filter(|check| after(check) == Some(number));
                hold(&mut world, due, failures).await?;
            }
        }
        let unsound = world.verify().await?;
        for (list, failures) in lists.iter().zip(&mut failures) {
            let due = list.iter().filter(|check| after(check).is_none());
            hold(&mut world, due, failures).await?;
            failures.extend(unexpected(&world, list));
            // Whatever a case expects, levels, values and layers follow from the ledger.
            failures.extend(unsound.clone());
        }
        if failures.iter().any(Vec::is_empty) {
            return Ok(Verdict::Passed);
        }
        let mut told = failures.first().cloned().unwrap_or_default();
        for other in failures.iter().skip(1) {
            told.push(format!(
                "nor what its notes allow instead: {}",
                other.join("; ")
            ));
        }
        Ok(Verdict::Failed(told))
    }
}

/// After which step a check is due.
fn after(check: &Value) -> Option<usize> {
    let step = check.get("after")?.as_u64()?;
    usize::try_from(step).ok()
}

fn at(place: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Unsupported(word) => Trouble::Unsupported(word),
        other => Trouble::broken(format!("{place}: {other}")),
    }
}

async fn hold(
    world: &mut World,
    checks: impl Iterator<Item = &Value>,
    failures: &mut Vec<String>,
) -> Result<(), Trouble> {
    for check in checks {
        match world.check(check).await {
            Ok(()) => {}
            Err(Trouble::Unsupported(missing)) => return Err(Trouble::Unsupported(missing)),
            Err(other) => {
                let when =
                    after(check).map_or_else(String::new, |it| format!(" (after step {it})"));
                failures.push(format!("{other}{when}"));
            }
        }
    }
    Ok(())
}

/// Refusals that no check speaks of. Of several tasks at once some may lose.
fn unexpected(world: &World, checks: &[Value]) -> Vec<String> {
    let spoken_of = steps_spoken_of(checks);
    world
        .played
        .iter()
        .enumerate()
        .filter(|(step, _)| !spoken_of.contains(step))
        .filter_map(|(step, played)| {
            let refusal = played.outcome.as_ref().err()?;
            Some(format!("step {step} was refused: {}", refusal.told))
        })
        .collect()
}

/// Whether a field stands anywhere in a value.
fn names(value: &Value, field: &str) -> bool {
    match value {
        Value::Object(object) => object
            .iter()
            .any(|(name, value)| name == field || names(value, field)),
        Value::Array(list) => list.iter().any(|value| names(value, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Every product that a fact or a step names.
fn collect_products(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(
                object
                    .get("product")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            for value in object.values() {
                collect_products(value, found);
            }
        }
        Value::Array(list) => {
            for value in list {
                collect_products(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every location that a fact, a step or a check names.
fn collect_locations(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (field, value) in object {
                match (field.as_str(), value) {
                    ("location" | "from" | "to", Value::String(location)) => {
                        found.insert(location.clone());
                    }
                    ("locations", Value::Array(locations)) => {
                        let names = locations.iter().filter_map(Value::as_str);
                        found.extend(names.map(str::to_owned));
                    }
                    _ => collect_locations(value, found),
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                collect_locations(value, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    //! The player is itself played, so that it can't pass by looking away.

    use serde_json::{Value, json};

    use super::{Case, Stores, Verdict};
    use crate::stores::Kind;

    async fn verdict(case: Value) -> Verdict {
        let case = Case::parse("a test", &case.to_string()).unwrap();
        case.play(&Stores::of(Kind::Memory)).await
    }

    fn case(steps: &Value, expect: &Value) -> Value {
        json!({"id": "T-01", "applicability": "core", "steps": steps, "expect": expect})
    }

    fn receipt() -> Value {
        json!({"op": "receive", "qty": "2", "unit_cost": "3"})
    }

    #[tokio::test]
    async fn what_holds_passes() {
        let expect = json!([{"check": "value", "amount": "6"}, {"check": "on_hand", "qty": "2"}]);
        assert_eq!(
            verdict(case(&json!([receipt()]), &expect)).await,
            Verdict::Passed
        );
    }

    #[tokio::test]
    async fn what_does_not_hold_fails_with_what_was_found() {
        let expect = json!([{"check": "on_hand", "qty": "3", "after": 0}]);
        let told = "on_hand of P: expected 3, found 2 (after step 0)".to_owned();
        let failed = Verdict::Failed(vec![told]);
        assert_eq!(verdict(case(&json!([receipt()]), &expect)).await, failed);
    }

    #[tokio::test]
    async fn a_refusal_that_nobody_expects_fails() {
        let issue = json!({"op": "issue", "qty": "1"});
        let expect = json!([{"check": "on_hand", "qty": "0"}]);
        let found = verdict(case(&json!([issue]), &expect)).await;
        assert!(matches!(found, Verdict::Failed(_)), "{found:?}");
    }

    #[tokio::test]
    async fn a_refusal_of_another_code_fails() {
        let issue = json!({"op": "issue", "qty": "1"});
        let of = |code: &str| json!([{"check": "error", "step": 0, "code": code, "state_unchanged": true}]);
        let steps = json!([issue]);
        let right = verdict(case(&steps, &of("insufficient_stock"))).await;
        assert_eq!(right, Verdict::Passed);
        let wrong = verdict(case(&steps, &of("permission_denied"))).await;
        assert!(matches!(wrong, Verdict::Failed(_)), "{wrong:?}");
    }

    #[tokio::test]
    async fn an_expected_refusal_that_does_not_come_fails() {
        let expect = json!([{"check": "error", "step": 0, "code": "validation"}]);
        let found = verdict(case(&json!([receipt()]), &expect)).await;
        assert!(matches!(found, Verdict::Failed(_)), "{found:?}");
    }

    #[tokio::test]
    async fn words_without_a_counterpart_are_told() {
        let expect =
            json!([{"check": "smell"}, {"check": "on_hand", "qty": "0", "requires": "legs"}]);
        let found = verdict(case(&json!([{"op": "juggle"}]), &expect)).await;
        let words = ["check smell", "op juggle", "requires legs"].map(str::to_owned);
        assert_eq!(found, Verdict::Unsupported(words.to_vec()));
    }

    #[tokio::test]
    async fn a_field_that_nobody_reads_is_told() {
        let step = json!({"op": "receive", "qty": "2", "colour": "red", "note": "a remark"});
        let found = verdict(case(&json!([step]), &json!([]))).await;
        assert_eq!(
            found,
            Verdict::Unsupported(vec!["receive.colour".to_owned()])
        );
        let expect = json!([{"check": "on_hand", "qty": "2", "colour": "red"}]);
        let found = verdict(case(&json!([receipt()]), &expect)).await;
        assert_eq!(
            found,
            Verdict::Unsupported(vec!["check on_hand.colour".to_owned()])
        );
    }

    #[test]
    fn what_is_no_case_is_told_by_the_name_of_its_file() {
        for text in ["{", "[]", "{\"id\": \"T-01\"}"] {
            let why = Case::parse("broken.json", text).unwrap_err();
            assert!(why.starts_with("broken.json: "), "{why}");
        }
    }
}
