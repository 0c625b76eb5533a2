//! What is there: quantities, values, cost layers.

use std::collections::BTreeSet;

use rust_decimal::{Decimal, RoundingStrategy};
use stocktake::domain::{ProductId, Quantity, StockKey, StockLevel};

use super::calendar::{day_of, end_of};
use super::count_opening::is_below;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::World;

/// The checks of this file.
pub(crate) const CHECKS: &[&str] = &[
    "on_hand",
    "on_hand_untracked",
    "available",
    "reserved",
    "on_order",
    "balance_at",
    "balances",
    "serials_on_hand",
    "stock_record",
    "stock_record_exists",
    "stock_records",
    "value",
    "value_derived",
    "unit_cost",
    "cost_as_of",
    "layers",
    "remaining_layer_date",
];

/// A check that does not hold.
pub(crate) fn differs(
    what: impl std::fmt::Display,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> Trouble {
    Trouble::broken(format!("{what}: expected {expected}, found {found}"))
}

/// Which stock some words are about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    product: String,
    ids: Vec<ProductId>,
    locations: Option<Vec<String>>,
    and_below: bool,
    batch: Option<String>,
    serial: Option<String>,
    variant: Option<String>,
}

/// Quantities and costs of layers, where equal costs that follow each other are one.
pub(crate) type Layers = Vec<(Decimal, Decimal)>;

pub(crate) fn merged(layers: impl Iterator<Item = (Decimal, Decimal)>) -> Layers {
    let mut merged: Layers = Vec::new();
    for (quantity, cost) in layers {
        match merged.last_mut() {
            Some((sum, last)) if *last == cost => *sum += quantity,
            _ => merged.push((quantity, cost)),
        }
    }
    merged
}

/// The layers that a check expects.
pub(crate) fn expected_layers(words: &Words) -> Tried<Layers> {
    let broken = || Trouble::broken("a layer is a quantity and a cost");
    let mut layers = Vec::new();
    for layer in words.list("layers")?.unwrap_or_default() {
        let texts: Vec<&str> = layer
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str)
            .collect();
        let [quantity, cost] = texts.as_slice() else {
            return Err(broken());
        };
        let number = |text: &str| text.parse::<Decimal>().map_err(|_| broken());
        layers.push((number(quantity)?, number(cost)?));
    }
    Ok(merged(layers.into_iter()))
}

/// Compares layers, their costs rounded where the check says so.
pub(crate) fn compare_layers(
    what: &str,
    words: &Words,
    expected: &Layers,
    found: &Layers,
) -> Tried<()> {
    let digits = words.step("dp")?.map(u32::try_from);
    let rounded = |layers: &Layers| match digits {
        Some(Ok(digits)) => {
            let layers = layers.iter();
            merged(layers.map(|(quantity, cost)| (*quantity, half_up(*cost, digits))))
        }
        Some(Err(_)) | None => layers.clone(),
    };
    if rounded(expected) == rounded(found) {
        return Ok(());
    }
    Err(differs(what, told(expected), told(found)))
}

fn told(layers: &Layers) -> String {
    let each: Vec<String> = layers
        .iter()
        .map(|(quantity, cost)| format!("{} @ {}", quantity.normalize(), cost.normalize()))
        .collect();
    format!("[{}]", each.join(", "))
}

pub(crate) fn half_up(number: Decimal, digits: u32) -> Decimal {
    number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

/// Whether a number is as near to what is expected as the check asks for.
fn is_within(words: &Words, expected: Decimal, found: Decimal) -> Tried<bool> {
    let tolerance = words.decimal("tolerance")?;
    Ok(tolerance.is_some_and(|tolerance| (expected - found).abs() <= tolerance))
}

fn sum(quantities: impl Iterator<Item = Quantity>) -> Decimal {
    quantities.map(Quantity::to_decimal).sum()
}

impl World {
    pub(crate) async fn chosen(&self, words: &Words) -> Tried<Chosen> {
        let product = words.text("product")?.unwrap_or_else(|| "P".to_owned());
        let locations = match words.text("location")? {
            Some(location) => Some(vec![location]),
            None => words.texts("locations")?,
        };
        let mut ids: Vec<ProductId> = self.find_product(&product).await?.into_iter().collect();
        for member in self.families.get(&product).into_iter().flatten() {
            ids.extend(self.find_product(member).await?);
        }
        Ok(Chosen {
            ids,
            product,
            and_below: words.flag("include_sublocations")?.unwrap_or(false),
            locations,
            batch: words.either(&["lot", "batch"])?,
            serial: words.text("serial")?,
            variant: words.text("variant")?,
        })
    }

    pub(crate) fn is_chosen(&self, chosen: &Chosen, key: &StockKey) -> bool {
        self.is_chosen_of(chosen, key, false)
    }

    /// Whether a key is one of those that are chosen, of their product or of any.
    pub(crate) fn is_chosen_of(&self, chosen: &Chosen, key: &StockKey, any_product: bool) -> bool {
        let fits = |wanted: &Option<String>, is: Option<&stocktake::domain::Code>| {
            wanted.is_none() || wanted.as_deref() == is.map(stocktake::domain::Code::as_str)
        };
        let is_there = |location: &String| {
            self.is_at(key, location)
                || (chosen.and_below && is_below(&self.location_of(key), location))
        };
        (any_product || chosen.ids.contains(&key.product))
            && fits(&chosen.batch, key.batch.as_ref())
            && fits(&chosen.serial, key.serial.as_ref())
            && fits(&chosen.variant, key.variant.as_ref())
            && chosen
                .locations
                .as_ref()
                .is_none_or(|at| at.iter().any(is_there))
    }

    pub(crate) async fn chosen_levels(&self, chosen: &Chosen) -> Tried<Vec<StockLevel>> {
        let mut levels = Vec::new();
        for product in &chosen.ids {
            levels.extend(self.levels(Some(*product)).await?);
        }
        levels.retain(|level| self.is_chosen(chosen, level.key()));
        Ok(levels)
    }

    /// Compares an amount: exactly, or rounded to the digits that the check names, else to those of the currency (or
    /// its own, if it has more), as an amount is when it leaves the library.
    pub(crate) fn compare_amount(&self, what: &str, words: &Words, found: Decimal) -> Tried<()> {
        // The currency of a check is the case's.
        words.text("currency")?;
        let expected = words.need_decimal("amount")?;
        let own = self.currency.minor_digits().max(expected.scale());
        let digits = match words.whole("dp")? {
            Some(digits) => u32::try_from(digits).unwrap_or(own),
            None => own,
        };
        let round = |number: Decimal| half_up(number, digits);
        let is_near = is_within(words, expected, found)?;
        if expected == found || is_near || round(expected) == round(found) {
            return Ok(());
        }
        Err(differs(what, expected, found.normalize()))
    }

    fn compare_quantity(what: &str, words: &Words, found: Decimal) -> Tried<()> {
        let expected = words.need_decimal("qty")?;
        let is_near = is_within(words, expected, found)?;
        let is_rounded = match words.whole("dp")?.map(u32::try_from) {
            Some(Ok(digits)) => half_up(expected, digits) == half_up(found, digits),
            Some(Err(_)) | None => false,
        };
        if expected == found || is_near || is_rounded {
            return Ok(());
        }
        Err(differs(what, expected, found.normalize()))
    }

    pub(crate) async fn check_stock(&self, check: &str, words: &Words) -> Tried<()> {
        let chosen = self.chosen(words).await?;
        let what = format!("{check} of {}", chosen.product);
        let levels = self.chosen_levels(&chosen).await?;
        let on_hand = sum(levels.iter().map(StockLevel::quantity));
        match check {
            "on_hand" => Self::compare_quantity(&what, words, on_hand),
            "on_hand_untracked" => {
                let untracked = levels
                    .iter()
                    .filter(|level| level.key().batch.is_none() && level.key().serial.is_none());
                let found = sum(untracked.map(StockLevel::quantity));
                Self::compare_quantity(&what, words, found)
            }
            "available" => {
                let mut found = Decimal::ZERO;
                for level in &levels {
                    found += level.available()?.to_decimal();
                }
                Self::compare_quantity(&what, words, found)
            }
            "reserved" => {
                let found = sum(levels.iter().map(StockLevel::reserved));
                Self::compare_quantity(&what, words, found)
            }
            "on_order" => {
                let found = self.on_order(&chosen.product).await?;
                Self::compare_quantity(&what, words, found.to_decimal())
            }
            "balance_at" => {
                let found = self.as_of(words, &chosen)?.0;
                Self::compare_quantity(&what, words, found)
            }
            "balances" => self.check_balances(words, &chosen).await,
            "serials_on_hand" => Self::check_serials(words, &levels),
            "stock_record" => {
                let level = levels.first();
                level.ok_or_else(|| differs(&what, "a record", "none"))?;
                match words.decimal("qty")? {
                    Some(_) => Self::compare_quantity(&what, words, on_hand),
                    None => Ok(()),
                }
            }
            "stock_record_exists" => {
                let expected = words.flag("value")?.unwrap_or(true);
                let found = !levels.is_empty();
                (expected == found)
                    .then_some(())
                    .ok_or_else(|| differs(&what, expected, found))
            }
            "stock_records" => Self::check_records(words, &levels),
            "value" | "value_derived" => {
                let values = levels
                    .iter()
                    .map(|level| level.valuation().value().to_decimal());
                self.compare_amount(&what, words, values.sum())
            }
            "unit_cost" => match self.unit_cost(&chosen, &levels).await? {
                Some(found) => self.compare_amount(&what, words, found),
                None => Err(differs(&what, words.need("amount")?, "no known cost")),
            },
            "cost_as_of" => {
                let (quantity, value) = self.as_of(words, &chosen)?;
                match value.checked_div(quantity) {
                    Some(found) => self.compare_amount(&what, words, found),
                    None => Err(differs(&what, words.need("amount")?, "nothing on hand")),
                }
            }
            "layers" => Self::check_layers(&what, words, &levels),
            "remaining_layer_date" => self.check_layer_date(&what, words, &levels),
            _ => Err(Trouble::unsupported(format!("check {check}"))),
        }
    }

    /// What one is worth: the average of what is on hand, else the last known cost, else the standard cost.
    async fn unit_cost(&self, chosen: &Chosen, levels: &[StockLevel]) -> Tried<Option<Decimal>> {
        let standard = match chosen.ids.first() {
            Some(id) => {
                let catalogue = self.library.catalogue();
                catalogue
                    .product(&self.host(), *id)
                    .await?
                    .standard_cost(self.currency)
            }
            None => None,
        };
        if let [only] = levels {
            let cost = only.valuation().current_cost(only.quantity(), standard);
            return Ok(cost.map(stocktake::domain::UnitCost::to_decimal));
        }
        let on_hand = sum(levels.iter().map(StockLevel::quantity));
        let value: Decimal = levels
            .iter()
            .map(|level| level.valuation().value().to_decimal())
            .sum();
        if on_hand > Decimal::ZERO {
            return Ok(value.checked_div(on_hand));
        }
        let newest = levels.iter().max_by_key(|level| level.updated_at());
        let last = newest.and_then(|level| level.valuation().last_cost());
        Ok(last
            .or(standard)
            .map(stocktake::domain::UnitCost::to_decimal))
    }

    /// Quantity and value at the end of a day, by when things happened.
    fn as_of(&self, words: &Words, chosen: &Chosen) -> Tried<(Decimal, Decimal)> {
        let end = end_of(self.calendar.day(&words.need("date")?)?);
        let events = self
            .events
            .iter()
            .filter(|event| event.occurred_at < end && self.is_chosen(chosen, &event.key));
        Ok(events.fold(
            (Decimal::ZERO, Decimal::ZERO),
            |(quantity, value), event| {
                (
                    quantity + event.change.to_decimal(),
                    value + event.value_change.to_decimal(),
                )
            },
        ))
    }

    /// Several quantities at once: of several places and lots, or one after another as the ledger has them.
    async fn check_balances(&self, words: &Words, chosen: &Chosen) -> Tried<()> {
        if let Some(lines) = words.objects("lines")? {
            for line in lines {
                let line = line.with_default("product", Some(chosen.product.clone()));
                let one = self.chosen(&line).await?;
                let levels = self.chosen_levels(&one).await?;
                let found = sum(levels.iter().map(StockLevel::quantity));
                Self::compare_quantity("balances", &line, found)?;
            }
            return Ok(());
        }
        let expected = match words.texts("qtys")? {
            Some(texts) => Some(texts),
            None => words.texts("values")?,
        };
        let Some(expected) = expected else {
            return Err(Trouble::unsupported("balances without lines or quantities"));
        };
        let mut events = self.events.clone();
        events.retain(|event| self.is_chosen(chosen, &event.key));
        match words.text("ignoring")?.as_deref() {
            None => {}
            Some("reversed events") => {
                let reversed: BTreeSet<_> = events
                    .iter()
                    .filter_map(|event| event.reverses.map(|link| link.event))
                    .collect();
                events.retain(|it| it.reverses.is_none() && !reversed.contains(&it.id));
            }
            Some(other) => {
                return Err(Trouble::unsupported(format!("balances.ignoring {other}")));
            }
        }
        let mut on_hand = Decimal::ZERO;
        let (mut found, mut of_steps) = (Vec::new(), Vec::new());
        for event in &events {
            on_hand += event.change.to_decimal();
            let told = on_hand.normalize().to_string();
            if !self.opening.contains(&event.id) {
                of_steps.push(told.clone());
            }
            found.push(told);
        }
        // With what was given as the first balance, or from the first step on.
        (expected == found || expected == of_steps)
            .then_some(())
            .ok_or_else(|| differs("balances", expected.join(", "), found.join(", ")))
    }

    fn check_serials(words: &Words, levels: &[StockLevel]) -> Tried<()> {
        let expected: BTreeSet<String> = words
            .texts("serials")?
            .unwrap_or_default()
            .into_iter()
            .collect();
        let found: BTreeSet<String> = levels
            .iter()
            .filter(|level| level.quantity().is_positive())
            .filter_map(|level| level.key().serial.as_ref().map(ToString::to_string))
            .collect();
        (expected == found).then_some(()).ok_or_else(|| {
            differs(
                "serials_on_hand",
                format!("{expected:?}"),
                format!("{found:?}"),
            )
        })
    }

    fn check_records(words: &Words, levels: &[StockLevel]) -> Tried<()> {
        let mut expected = Vec::new();
        for text in words.texts("quantities")?.unwrap_or_default() {
            let quantity: Decimal = text
                .parse()
                .map_err(|_| Trouble::broken(format!("`{text}` is no quantity")))?;
            expected.push(quantity);
        }
        let mut found: Vec<Decimal> = levels
            .iter()
            .map(|level| level.quantity().to_decimal())
            .collect();
        expected.sort();
        found.sort();
        (expected == found).then_some(()).ok_or_else(|| {
            differs(
                "stock_records",
                format!("{expected:?}"),
                format!("{found:?}"),
            )
        })
    }

    fn check_layers(what: &str, words: &Words, levels: &[StockLevel]) -> Tried<()> {
        let expected = expected_layers(words)?;
        let mut layers: Vec<&stocktake::domain::CostLayer> = levels
            .iter()
            .flat_map(|level| level.valuation().layers())
            .collect();
        if levels.len() > 1 {
            layers.sort_by_key(|layer| layer.left.received_at);
        }
        // What is missing has no layers: it is told as one, at what it was booked out for.
        let missing = levels.iter().filter(|level| level.quantity().is_negative());
        let missing = missing.map(|level| {
            let quantity = level.quantity().to_decimal();
            let value = level.valuation().value().to_decimal();
            (quantity, value.checked_div(quantity).unwrap_or_default())
        });
        let there = layers.into_iter().map(|layer| {
            let left = &layer.left;
            (left.quantity.to_decimal(), left.unit_cost.to_decimal())
        });
        compare_layers(what, words, &expected, &merged(missing.chain(there)))
    }

    fn check_layer_date(&self, what: &str, words: &Words, levels: &[StockLevel]) -> Tried<()> {
        let expected = self.calendar.day(&words.need("date")?)?;
        let layers: Vec<_> = levels
            .iter()
            .flat_map(|level| level.valuation().layers())
            .map(|layer| (day_of(layer.left.received_at), layer.left.quantity))
            .collect();
        let told = format!("{layers:?}");
        let is_there = match words.decimal("qty")? {
            Some(quantity) => {
                let of_day = layers.iter().filter(|(day, _)| *day == expected);
                sum(of_day.map(|(_, quantity)| *quantity)) == quantity
            }
            None => layers.iter().map(|(day, _)| *day).min() == Some(expected),
        };
        is_there
            .then_some(())
            .ok_or_else(|| differs(what, expected, told))
    }
}
