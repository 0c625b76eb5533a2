//! Setting up what a case takes as given.
//!
//! Stock is brought in by receipts in the order of the facts, each on its own date, so that a layer which is told
//! late but is older is recorded late with an older date. What is below zero is issued while the site allows that.

use stocktake::domain::{Quantity, StockKey, Tracking, UnitCost};
use stocktake::service::{Movement, NewMovement};

use super::calendar::{end_of, morning};
use super::people::Person;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::World;

/// Facts in the order in which they are set up: what is about the site, the catalogue, stock, and documents.
const ORDER: &[&str] = &[
    "currency",
    "today",
    "actor",
    "user",
    "location",
    "supplier_products",
    "product",
    "default_cost",
    "lot",
    "stock",
    "stock_total_value",
    "serials",
    "reserved",
    "count",
    "order",
    "period",
];

/// Where a fact stands in the order, if there is such a fact.
pub(crate) fn rank(fact: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == fact)
}

impl World {
    /// Sets everything up.
    pub(crate) async fn set_up(&mut self, given: &[Words]) -> Tried<()> {
        for words in given {
            // The first site that is named for a document is the one that all of this is about.
            if self.site_name.is_none() && ["count", "order"].iter().any(|it| words.names(it)) {
                self.site_name = words.text("site")?;
            }
        }
        let mut facts: Vec<(usize, String, &Words)> = Vec::new();
        for words in given {
            if let Some(policy) = words.text("policy")? {
                let value = words.need("value")?;
                self.set_policy(&policy, &value).await?;
            } else {
                let fact = words.need("fact")?;
                let rank =
                    rank(&fact).ok_or_else(|| Trouble::unsupported(format!("fact {fact}")))?;
                facts.push((rank, fact, words));
            }
        }
        facts.sort_by_key(|(rank, _, _)| *rank);
        // What is given is there, whatever the policy says about how it may come about.
        let allow_negative = std::mem::replace(&mut self.policy.allow_negative, true);
        self.keep_policy().await?;
        for (_, fact, words) in facts {
            self.clock.advance_seconds(1);
            self.set_up_one(&fact, words).await?;
        }
        self.policy.allow_negative = allow_negative;
        self.keep_policy().await?;
        for words in given {
            if let Some(field) = words.unread().first() {
                let fact = words.either(&["fact", "policy"])?.unwrap_or_default();
                return Err(Trouble::unsupported(format!("fact {fact}.{field}")));
            }
        }
        self.begin_here().await
    }

    async fn set_up_one(&mut self, fact: &str, words: &Words) -> Tried<()> {
        match fact {
            "currency" => {
                // The case file was opened in this currency; its digits are checked here.
                words.need("code")?;
                match words.whole("minor_digits")? {
                    Some(digits) if i64::from(self.currency.minor_digits()) != digits => Err(
                        Trouble::unsupported(format!("currency with {digits} minor digits")),
                    ),
                    Some(_) | None => Ok(()),
                }
            }
            "today" => {
                let day = self.calendar.day(&words.need("date")?)?;
                self.clock.set(morning(day));
                self.calendar.is_fixed = true;
                Ok(())
            }
            "actor" | "user" => {
                let person = Person::of(words)?;
                let name = person.name().unwrap_or_default().to_owned();
                self.people.insert(name, person);
                Ok(())
            }
            "location" => {
                // A location below another one is named so: `A/sub`.
                words.either(&["parent", "within"])?;
                self.site(&words.need("location")?).map(drop)
            }
            "supplier_products" => {
                let products = words.texts("products")?.unwrap_or_default();
                self.supplied.insert(words.need("supplier")?, products);
                Ok(())
            }
            "product" => self.set_up_product(words).await,
            "default_cost" => {
                let cost = words.cost("unit_cost")?;
                let product = words.text("product")?;
                let product = product.as_deref().unwrap_or("P");
                let currency = self.currency;
                self.change_product(product, |product| product.unit_costs.set(currency, cost))
                    .await
                    .map(drop)
            }
            "lot" => self.key(words).await.map(drop),
            "stock" => self.set_up_stock(words).await,
            "stock_total_value" => self.set_up_total(words).await,
            "serials" => {
                let cost = words.cost("unit_cost")?;
                let serials = words.texts("serials")?.unwrap_or_default();
                for serial in serials {
                    let words = words.with_default("serial", Some(serial));
                    let key = self.key(&words).await?;
                    self.bring_in(key, Quantity::ONE, cost, words.clone())
                        .await?;
                }
                Ok(())
            }
            "reserved" => {
                let (key, quantity) = (self.key(words).await?, words.need_quantity("qty")?);
                let stock = self.library.stock();
                Ok(stock.set_reserved(&self.host(), &key, quantity).await?)
            }
            "count" => self.set_up_count(words).await,
            "order" => self.set_up_order(words).await,
            "period" => {
                let until = self.calendar.day(&words.need("until")?)?;
                match words.text("state")?.as_deref() {
                    None | Some("closed") => self.policy.closed_until = Some(end_of(until)),
                    Some("open") => self.policy.closed_until = None,
                    Some(state) => {
                        return Err(Trouble::unsupported(format!("period state {state}")));
                    }
                }
                self.keep_policy().await
            }
            _ => Err(Trouble::unsupported(format!("fact {fact}"))),
        }
    }

    async fn set_up_product(&mut self, words: &Words) -> Tried<()> {
        let tracking = match words.text("tracking")?.as_deref() {
            None | Some("none" | "untracked") => Tracking::None,
            Some("lot" | "batch") => Tracking::Batch,
            Some("serial") => Tracking::Serial,
            Some(other) => return Err(Trouble::unsupported(format!("tracking {other}"))),
        };
        let cost = words.cost("unit_cost")?;
        let product = words.need("product")?;
        if words.names("tracking") {
            self.is_tracked(&product);
        }
        let currency = self.currency;
        self.change_product(&product, |product| {
            product.tracking = tracking;
            if cost.is_some() {
                product.unit_costs.set(currency, cost);
            }
        })
        .await
        .map(drop)
    }

    async fn set_up_stock(&mut self, words: &Words) -> Tried<()> {
        let key = self.key(words).await?;
        let cost = words.cost("unit_cost")?;
        let quantity = words.need_quantity("qty")?;
        self.bring_in(key.clone(), quantity, cost, words.clone())
            .await?;
        if let Some(reserved) = words.quantity("reserved")? {
            let stock = self.library.stock();
            stock.set_reserved(&self.host(), &key, reserved).await?;
        }
        Ok(())
    }

    /// A layer of which only the total is known.
    async fn set_up_total(&mut self, words: &Words) -> Tried<()> {
        let key = self.key(words).await?;
        let quantity = words.need_quantity("qty")?;
        let total = words.worth(&["total_value", "value", "amount", "total"])?;
        let total = total.ok_or_else(|| Trouble::broken("the total value is not there"))?;
        let receipt = Movement::ReceiptAtTotal {
            key,
            quantity,
            total,
        };
        self.record_given(vec![receipt], words).await
    }

    /// Puts stock there that is given.
    async fn bring_in(
        &mut self,
        key: StockKey,
        quantity: Quantity,
        unit_cost: Option<UnitCost>,
        words: Words,
    ) -> Tried<()> {
        let receipt = |quantity| Movement::Receipt {
            key: key.clone(),
            quantity,
            unit_cost,
        };
        let movements = if quantity.is_positive() {
            vec![receipt(quantity)]
        } else if quantity.is_negative() {
            // One in and out again, so that what is missing is known to have cost that much.
            let (one, missing) = (Quantity::ONE, quantity.abs().checked_add(Quantity::ONE)?);
            let issue = Movement::Issue {
                key: key.clone(),
                quantity: missing,
            };
            vec![receipt(one), issue]
        } else {
            vec![Movement::Reset {
                key: key.clone(),
                quantity,
                unit_cost,
                expected: None,
            }]
        };
        self.record_given(movements, &words).await
    }

    async fn record_given(&mut self, movements: Vec<Movement>, words: &Words) -> Tried<()> {
        let at = self.stated_time(words, true)?;
        let location = words.text("location")?.unwrap_or_else(|| "A".to_owned());
        let site = self.site(&location)?;
        let movements: Vec<NewMovement> = movements
            .into_iter()
            .map(|movement| {
                let dated = !matches!(movement, Movement::Reset { .. });
                let new = NewMovement::from(movement);
                match at.filter(|_| dated) {
                    Some(at) => new.at(at),
                    None => new,
                }
            })
            .collect();
        let stock = self.library.stock();
        stock.record(&self.host(), site, &movements).await?;
        Ok(())
    }
}
