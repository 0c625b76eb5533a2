//! Steps that move stock: each becomes one batch of movements, which lands whole.

use stocktake::domain::{
    Cause, Note, Quantity, StockEvent, StockEventKind, StockKey, Timestamp, UnitCost, Value,
};
use stocktake::service::{Movement, NewMovement};

use super::commands::Command;
use super::trouble::{Refusal, Tried, Trouble};
use super::words::Words;
use super::world::World;

/// The steps of this file.
pub(crate) const OPS: &[&str] = &[
    "receive",
    "receive_dated",
    "receive_as",
    "receive_lot",
    "receive_serial",
    "issue",
    "issue_dated",
    "issue_at",
    "issue_matching",
    "transfer",
    "transfer_batch",
    "batch_issue",
    "adjust",
    "adjust_as",
    "reset",
    "reduce_to_zero",
    "revalue",
    "return_to_supplier",
    "customer_return",
    "reverse",
    "adjust_via",
    "set_via",
];

/// Kinds of movement of the vocabulary, by the library's.
fn kind_of(kind: &str) -> Tried<StockEventKind> {
    let own = match kind {
        "received" | "receive" => "receipt",
        "shipped" | "ship" | "issued" => "issue",
        "adjusted" | "adjust" => "external_adjustment",
        other => other,
    };
    // Any other kind is for the library to know: it reads its own names.
    serde_json::from_value(serde_json::Value::from(own)).map_err(|error| {
        Trouble::Refused(Refusal {
            codes: vec!["validation"],
            told: format!("`{kind}` is no kind of movement: {error}"),
            while_reading: true,
            ..Refusal::default()
        })
    })
}

/// Why a step moves stock, if it says so. A reason that is null is an empty one.
pub(crate) fn reason_of(words: &Words) -> Tried<Option<Note>> {
    if words.is_null("reason") {
        return Note::new("").map(Some).map_err(Trouble::no_reason);
    }
    match words.text("reason")? {
        Some(text) => Note::new(text).map(Some).map_err(Trouble::no_reason),
        None => Ok(None),
    }
}

fn said(
    movement: Movement,
    at: Option<Timestamp>,
    reason: Option<&Note>,
    reference: Option<&str>,
) -> Tried<NewMovement> {
    let mut new = NewMovement::from(movement);
    if let Some(at) = at {
        new = new.at(at);
    }
    if let Some(reason) = reason {
        new = new.because(reason.clone());
    }
    if let Some(reference) = reference {
        new = new.with_reference(reference.parse()?);
    }
    Ok(new)
}

impl World {
    /// The batch that a step asks for.
    pub(crate) async fn movements_of(&mut self, op: &str, words: &Words) -> Tried<Command> {
        let caller = self.actor(words)?;
        let moves = !op.ends_with("_dated") && !op.ends_with("_as");
        let at = self.stated_time(words, moves)?;
        // That the library has no date for a past absolute value is told by `reset`.
        words.flag("backdated")?;
        if let (true, Some(at)) = (op.ends_with("_as"), at)
            && at < self.now()
            && !caller.actor().is_some_and(is_manager)
        {
            let word =
                format!("{op}.date in the past: nobody has a right of their own to back-date");
            return Err(Trouble::unsupported(word));
        }
        let movements = match op {
            "receive" | "receive_dated" | "receive_as" | "receive_lot" | "receive_serial" => {
                self.receipts(op, words).await?
            }
            "issue" | "issue_dated" | "issue_at" => self.issues(words).await?,
            "issue_matching" => self.issues_matching(words).await?,
            "transfer" => self.transfers(words).await?,
            "transfer_batch" => {
                let mut movements = Vec::new();
                for line in words.need_objects("lines")? {
                    let line = line
                        .with_default("from", words.text("from")?)
                        .with_default("to", words.text("to")?);
                    movements.extend(self.transfers(&line).await?);
                }
                movements
            }
            "batch_issue" => {
                let mut movements = Vec::new();
                for line in words.need_objects("lines")? {
                    let line = line.with_default("location", words.text("location")?);
                    movements.extend(self.issues(&line).await?);
                }
                movements
            }
            "adjust" | "adjust_as" | "adjust_via" if words.names("set_to") => {
                self.setting(words, "set_to").await?
            }
            "adjust" | "adjust_as" | "adjust_via" => vec![Movement::Adjust {
                key: self.key(words).await?,
                change: words.need_quantity("delta")?,
                unit_cost: words.cost("unit_cost")?,
            }],
            "reset" | "reduce_to_zero" => self.reset(op, words, at).await?,
            "revalue" => vec![self.revalue(words).await?],
            "set_via" => vec![self.set_via(words).await?],
            "return_to_supplier" => vec![Movement::SupplierReturn {
                key: self.key(words).await?,
                quantity: words.need_quantity("qty")?,
                receipt: match words.step("of_step")? {
                    Some(step) => self.events_of(step)?.first().map(|event| event.id),
                    None => None,
                },
            }],
            "customer_return" => vec![self.customer_return(words).await?],
            "reverse" => self.reversals(words)?,
            _ => return Err(Trouble::unsupported(format!("op {op}"))),
        };
        let atomic = words.flag("atomic")?.unwrap_or(true);
        let (reason, reference) = (reason_of(words)?, words.text("reference")?);
        let mut batch = Vec::with_capacity(movements.len());
        for movement in movements {
            batch.push(said(movement, at, reason.as_ref(), reference.as_deref())?);
        }
        let site = self.site_of_batch(words)?;
        Ok(Command::Record {
            caller,
            site,
            movements: batch,
            atomic,
        })
    }

    fn site_of_batch(&self, words: &Words) -> Tried<stocktake::domain::SiteId> {
        let lines = words.objects("lines")?.or(words.objects("rows")?);
        let mut named = vec![words.either(&["location", "from"])?, words.text("to")?];
        for line in lines.unwrap_or_default() {
            named.push(line.either(&["location", "from"])?);
            named.push(line.text("to")?);
        }
        let mut sites = Vec::new();
        for location in named.into_iter().flatten() {
            sites.push(self.site(&location)?);
        }
        sites.sort();
        sites.dedup();
        match sites.as_slice() {
            [] => self.site("A"),
            [only] => Ok(*only),
            _ => Err(Trouble::unsupported("a movement over several sites")),
        }
    }

    async fn receipts(&mut self, op: &str, words: &Words) -> Tried<Vec<Movement>> {
        let unit_cost = words.cost("unit_cost")?;
        if let Some(serials) = words.texts("serials")? {
            let mut movements = Vec::new();
            words.quantity("qty")?;
            for serial in serials {
                let key = self
                    .key(&words.with_default("serial", Some(serial)))
                    .await?;
                movements.push(Movement::Receipt {
                    key,
                    quantity: Quantity::ONE,
                    unit_cost,
                });
            }
            return Ok(movements);
        }
        let key = self.key(words).await?;
        let quantity = match words.quantity("qty")? {
            Some(quantity) => quantity,
            None if op == "receive_serial" => Quantity::ONE,
            None => words.need_quantity("qty")?,
        };
        Ok(vec![received(words, key, quantity, unit_cost)?])
    }

    /// Goods that leave; serial numbers each for itself.
    async fn issues(&mut self, words: &Words) -> Tried<Vec<Movement>> {
        let mut movements = Vec::new();
        for words in each_serial(words)? {
            movements.push(self.issue(&words).await?);
        }
        Ok(movements)
    }

    async fn transfers(&mut self, words: &Words) -> Tried<Vec<Movement>> {
        let mut movements = Vec::new();
        for words in each_serial(words)? {
            movements.push(self.transfer(&words).await?);
        }
        Ok(movements)
    }

    async fn issue(&mut self, words: &Words) -> Tried<Movement> {
        Ok(Movement::Issue {
            key: self.key(words).await?,
            quantity: words.need_quantity("qty")?,
        })
    }

    /// Goods of a lot, or of all lots that cost so much. Which lots these are, the host finds in the list of levels;
    /// they are issued in one batch. A lot of several costs has no counterpart: inside a key the oldest leave first.
    async fn issues_matching(&mut self, words: &Words) -> Tried<Vec<Movement>> {
        let Some(cost) = words.cost("unit_cost")? else {
            return Ok(vec![self.issue(words).await?]);
        };
        let chosen = self.chosen(words).await?;
        let mut needed = words.need_quantity("qty")?;
        let mut matching = Vec::new();
        for level in self.levels(None).await? {
            let layers = level.valuation().layers();
            let of_cost = layers.iter().filter(|it| it.left.unit_cost == cost).count();
            if !self.is_chosen(&chosen, level.key()) || of_cost == 0 {
                continue;
            }
            if of_cost < layers.len() {
                let word = "issue_matching inside a lot of several costs";
                return Err(Trouble::unsupported(word));
            }
            matching.push(level);
        }
        if matching.is_empty() {
            return Err(Trouble::Refused(Refusal {
                codes: vec!["not_found"],
                told: format!("no lot costs {cost}: the list of levels has none"),
                ..Refusal::default()
            }));
        }
        let mut movements = Vec::new();
        let last = matching.len() - 1;
        for (number, level) in matching.into_iter().enumerate() {
            // The last one is asked for all that is missing, so that the library says when it is too much.
            let quantity = if number == last {
                needed
            } else {
                needed.min(level.quantity())
            };
            needed = needed.checked_sub(quantity)?;
            if quantity.is_positive() || number == 0 {
                let key = level.key().clone();
                movements.push(Movement::Issue { key, quantity });
            }
        }
        Ok(movements)
    }

    async fn transfer(&mut self, words: &Words) -> Tried<Movement> {
        let (from, to) = (words.need("from")?, words.need("to")?);
        let quantity = words.need_quantity("qty")?;
        Ok(Movement::Transfer {
            from: self.key_at(words, &from).await?,
            to: self.key_at(words, &to).await?,
            quantity,
        })
    }

    async fn reset(
        &mut self,
        op: &str,
        words: &Words,
        at: Option<Timestamp>,
    ) -> Tried<Vec<Movement>> {
        let key = self.key(words).await?;
        let quantity = match words.quantity("qty")? {
            None if op == "reduce_to_zero" => Quantity::ZERO,
            Some(quantity) => quantity,
            None => words.need_quantity("qty")?,
        };
        let unit_cost = words.cost("unit_cost")?;
        if at.is_some() {
            return Err(Trouble::unsupported(format!(
                "{op} on another date (an absolute value is known now)"
            )));
        }
        self.set_to(key, quantity, unit_cost, words.quantity("expected")?)
            .await
    }

    /// An absolute value, and what it says of the cost. That of the library is of what the book did not know; where the
    /// case states another cost of what is on hand, the host records a revaluation beside it.
    pub(crate) async fn set_to(
        &self,
        key: StockKey,
        quantity: Quantity,
        unit_cost: Option<UnitCost>,
        expected: Option<Quantity>,
    ) -> Tried<Vec<Movement>> {
        let level = self.level(&key).await?;
        let other = unit_cost.filter(|cost| {
            level.is_some_and(|level| {
                let known = level.valuation().current_cost(level.quantity(), None);
                known != Some(*cost) && level.quantity().is_positive() && quantity.is_positive()
            })
        });
        let revaluation = other.map(|unit_cost| Movement::Revalue {
            key: key.clone(),
            unit_cost,
        });
        let reset = Movement::Reset {
            key,
            quantity,
            unit_cost,
            expected,
        };
        Ok(std::iter::once(reset).chain(revaluation).collect())
    }

    /// What is on hand is worth so much a unit, so much together, or so much more. The library takes what one unit costs;
    /// where there is nothing, a host that is told a total has no such cost.
    async fn revalue(&mut self, words: &Words) -> Tried<Movement> {
        let key = self.key(words).await?;
        if let Some(unit_cost) = words.cost("unit_cost")? {
            return Ok(Movement::Revalue { key, unit_cost });
        }
        let level = self.level(&key).await?;
        let (quantity, value) = level.map_or((Quantity::ZERO, Value::ZERO), |level| {
            (level.quantity(), level.valuation().value())
        });
        let total = match words.worth(&["added_value"])? {
            Some(more) => value.checked_add(more)?,
            None => match words.worth(&["total_value", "total_cost", "value", "amount"])? {
                Some(total) => total,
                None => return Err(Trouble::unsupported("revalue without a cost")),
            },
        };
        if !quantity.is_positive() {
            return Err(Trouble::Refused(Refusal {
                codes: vec!["invalid_quantity", "invalid_state", "validation"],
                told: "there is nothing whose cost could follow from a total".to_owned(),
                ..Refusal::default()
            }));
        }
        let each = (total.to_decimal() / quantity.to_decimal()).round_dp(6);
        let unit_cost = UnitCost::from_decimal(each).map_err(Trouble::unreadable)?;
        Ok(Movement::Revalue { key, unit_cost })
    }

    /// A handle sets what it believes to know: the library compares.
    async fn set_via(&mut self, words: &Words) -> Tried<Movement> {
        let handle = words.either(&["handle", "via"])?.unwrap_or_default();
        let key = self.key(words).await?;
        let read = self.handles.get(&handle).and_then(|it| it.get(&key));
        Ok(Movement::Reset {
            expected: read.copied(),
            quantity: words.need_quantity("qty")?,
            unit_cost: words.cost("unit_cost")?,
            key,
        })
    }

    async fn customer_return(&mut self, words: &Words) -> Tried<Movement> {
        let Some(step) = words.step("of_step")? else {
            return Err(Trouble::unsupported("customer_return without an issue"));
        };
        let wanted = self.key(words).await?;
        let issue = self
            .events_of(step)?
            .into_iter()
            .find(|event| event.key.product == wanted.product)
            .ok_or_else(|| Trouble::broken(format!("step {step} moved none of it")))?;
        let same_place = issue.key.place == wanted.place && issue.key.site == wanted.site;
        // Goods go back to where they came from, lot and serial number included, unless the step says otherwise.
        let unnamed = wanted.batch.is_none() && wanted.serial.is_none();
        let key = if same_place && unnamed {
            issue.key
        } else {
            wanted
        };
        Ok(Movement::CustomerReturn {
            key,
            quantity: words.need_quantity("qty")?,
            of: issue.id,
        })
    }

    /// The events of a step that was played.
    pub(crate) fn events_of(&self, step: usize) -> Tried<Vec<StockEvent>> {
        self.played
            .get(step)
            .map(|played| played.events.clone())
            .ok_or_else(|| Trouble::broken(format!("there is no step {step} yet")))
    }

    fn reversals(&self, words: &Words) -> Tried<Vec<Movement>> {
        let step = words.need_step("of_step")?;
        let mut movements = Vec::new();
        for event in self.events_of(step)? {
            match (event.cause, event.kind) {
                (_, StockEventKind::TransferIn | StockEventKind::Absorption) => {}
                (Cause::Movement, _) => movements.push(Movement::Reversal { of: event.id }),
                (_, _) => {
                    let op = self
                        .played
                        .get(step)
                        .map_or("", |played| played.op.as_str());
                    return Err(Trouble::unsupported(format!("reverse of {op}")));
                }
            }
        }
        if movements.is_empty() {
            return Err(Trouble::broken(format!("step {step} moved nothing")));
        }
        Ok(movements)
    }

    /// A movement of a kind that the step names. What is adjusted is a stock adjustment (S2.9), which wants a reason.
    pub(crate) async fn movement(&mut self, words: &Words) -> Tried<Command> {
        let caller = self.actor(words)?;
        let kind = kind_of(&words.need("kind")?)?;
        let quantity = words.need_quantity("qty")?;
        if kind == StockEventKind::ExternalAdjustment {
            return self.adjustment_of(words, "CORRECTION", quantity).await;
        }
        let (key, unit_cost) = (self.key(words).await?, words.cost("unit_cost")?);
        let movement = match kind {
            StockEventKind::Receipt => received(words, key, quantity, unit_cost)?,
            StockEventKind::Issue => Movement::Issue { key, quantity },
            StockEventKind::SupplierReturn => Movement::SupplierReturn {
                key,
                quantity,
                receipt: None,
            },
            StockEventKind::ExternalReset => Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected: None,
            },
            other => {
                let word = format!("movement of kind {}", other.as_str());
                return Err(Trouble::unsupported(word));
            }
        };
        let at = self.stated_time(words, true)?;
        Ok(Command::Record {
            caller,
            site: self.site_of_batch(words)?,
            movements: vec![said(movement, at, reason_of(words)?.as_ref(), None)?],
            atomic: true,
        })
    }

    /// A level that the host sets: to be forced is to be allowed for this once.
    pub(crate) async fn set_level(&mut self, words: &Words) -> Tried<()> {
        let (caller, key) = (self.actor(words)?, self.key(words).await?);
        let force = words.flag("force")?;
        let movements = self.setting(words, "qty").await?;
        let forbidden = !self.policy.allow_negative && force == Some(true);
        if forbidden {
            self.policy.allow_negative = true;
            self.keep_policy().await?;
        }
        let reason = reason_of(words)?;
        let mut batch = Vec::with_capacity(movements.len());
        for movement in movements {
            batch.push(said(movement, None, reason.as_ref(), None)?);
        }
        let stock = self.library.stock();
        let done = stock.record(&caller, key.site, &batch).await;
        if forbidden {
            self.policy.allow_negative = false;
            self.keep_policy().await?;
        }
        Ok(done.map(drop)?)
    }

    /// A level that is set to what a field says.
    async fn setting(&mut self, words: &Words, field: &str) -> Tried<Vec<Movement>> {
        let (key, quantity) = (self.key(words).await?, words.need_quantity(field)?);
        let unit_cost = words.cost("unit_cost")?;
        let level = self.level(&key).await?;
        let now = level.map_or(Quantity::ZERO, |level| level.quantity());
        let change = quantity.checked_sub(now)?;
        // An absolute value of the library is zero or more, and an adjustment that says where to is one by so much.
        if quantity.is_negative() || (field == "set_to" && !change.is_zero()) {
            return Ok(vec![Movement::Adjust {
                key,
                change,
                unit_cost,
            }]);
        }
        self.set_to(key, quantity, unit_cost, words.quantity("expected")?)
            .await
    }

    /// Goods that were told apart by nothing get serial numbers: they move to the serials' keys.
    pub(crate) async fn serialise(&mut self, words: &Words) -> Tried<Command> {
        let caller = self.actor(words)?;
        let serials = words.texts("serials")?.unwrap_or_default();
        let quantity = words.need_quantity("qty")?;
        let told = u32::try_from(serials.len()).map(Quantity::from);
        if told != Ok(quantity) {
            // The library takes the serials; a number beside them has no counterpart.
            return Err(Trouble::unsupported("serialise.qty other than the serials"));
        }
        let from = self.key(words).await?;
        let mut movements = Vec::new();
        for serial in serials {
            movements.push(NewMovement::from(Movement::Transfer {
                from: from.clone(),
                to: from.clone().with_serial(serial.parse()?),
                quantity: Quantity::ONE,
            }));
        }
        Ok(Command::Record {
            caller,
            site: from.site,
            movements,
            atomic: true,
        })
    }
}

/// What comes in: at a unit cost, or at what all of it costs together.
fn received(
    words: &Words,
    key: StockKey,
    quantity: Quantity,
    unit_cost: Option<UnitCost>,
) -> Tried<Movement> {
    let total = words.worth(&["total_cost", "total_value", "total"])?;
    Ok(match total {
        Some(total) => Movement::ReceiptAtTotal {
            key,
            quantity,
            total,
        },
        None => Movement::Receipt {
            key,
            quantity,
            unit_cost,
        },
    })
}

/// The same words for each serial number that they list, one unit each.
pub(crate) fn each_serial(words: &Words) -> Tried<Vec<Words>> {
    let Some(serials) = words.texts("serials")? else {
        return Ok(vec![words.clone()]);
    };
    // How many they are is told by the list.
    words.quantity("qty")?;
    let one = |serial| {
        words
            .with_default("serial", Some(serial))
            .with("qty", "1".to_owned())
    };
    Ok(serials.into_iter().map(one).collect())
}

fn is_manager(actor: &stocktake::domain::Actor) -> bool {
    actor.role == stocktake::domain::Role::Manager
}
