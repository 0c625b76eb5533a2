//! The till: turns the month's sales and returns into movements, and takes the goods off the shelves.

use std::collections::HashMap;
use std::sync::Arc;

use indicatif::ProgressBar;
use stocktake::domain::{Code, Quantity, StockEvent, StockEventId};
use stocktake::service::{Movement, NewMovement};
use stocktake::store::IdempotencyKey;

use crate::failure::{Checks, Failure};
use crate::pace::Pace;
use crate::retail::Happening;
use crate::shop::{BATCH, GiftShop};

/// While goods are counted, the line to the library is bad: every so many invoices the till does not hear
/// the answer, and sends again.
const SENT_TWICE: usize = 20;

/// The till, and what it remembers of the sales.
#[derive(Debug)]
pub(crate) struct Till {
    shop: Arc<GiftShop>,
    /// The last sale of each article.
    sold: HashMap<String, Sold>,
    /// The number of its last batch: what it is known by when it is sent again.
    last_batch: usize,
    /// How many invoices it has sold while goods were counted, and how many lines.
    invoices: usize,
    pub(crate) lines: usize,
    /// What it has done since it was asked last.
    pub(crate) done: Done,
}

/// A sale that goods may come back from.
#[derive(Debug)]
struct Sold {
    event: StockEventId,
    /// How many have not come back.
    left: i64,
}

/// What a till has done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Lines that were sold.
    pub(crate) sales: usize,
    /// Lines that came back and were traced to their sale.
    pub(crate) returns: usize,
    /// Lines that came back from an earlier sale than the book knows.
    pub(crate) untraced: usize,
    /// Commits that it took.
    pub(crate) batches: usize,
    /// Of these, sent twice.
    pub(crate) sent_twice: usize,
    /// What it checked.
    pub(crate) checks: Checks,
}

impl Till {
    /// A till that has sold nothing.
    pub(crate) fn of(shop: &Arc<GiftShop>) -> Self {
        Self {
            shop: Arc::clone(shop),
            sold: HashMap::new(),
            last_batch: 0,
            invoices: 0,
            lines: 0,
            done: Done::default(),
        }
    }

    /// Replays the trade before the take, a day at a time, each movement with its own time.
    pub(crate) async fn replay_days(&mut self, bar: &ProgressBar) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let trade = trade(shop.month.split().before);
        let same_day =
            |one: &Happening, other: &Happening| one.at().date_naive() == other.at().date_naive();
        for batch in batches(&trade, same_day) {
            if let Some(last) = batch.last() {
                shop.clock.move_on_to(last.at());
            }
            self.record(batch, true).await?;
            bar.inc(u64::try_from(batch.len()).unwrap_or(0));
        }
        Ok(())
    }

    /// Sells once more what an earlier run had sold while goods were counted, before anybody counts: it is booked
    /// already, and only leaves the shelves of this run.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let booked = shop.booked_by_till().await?;
        let booked = booked.saturating_sub(trade(shop.month.split().before).len());
        let trade = trade(shop.month.split().during);
        for batch in batches(&trade, |one, other| invoice(one) == invoice(other)) {
            if self.lines >= booked {
                break;
            }
            self.sell(batch).await?;
        }
        Ok(())
    }

    /// Sells an invoice: the clock moves on to its time, and its goods leave now.
    async fn sell(&mut self, batch: &[&Happening]) -> Result<(), Failure> {
        if let Some(last) = batch.last() {
            self.shop.clock.move_on_to(last.at());
        }
        self.record(batch, false).await?;
        self.invoices += 1;
        self.lines += batch.len();
        Ok(())
    }

    /// Goes on selling while the take is counted, an invoice at a time.
    pub(crate) async fn sell_invoices(
        &mut self,
        pace: &Pace,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let trade = trade(shop.month.split().during);
        let batches = batches(&trade, |one, other| invoice(one) == invoice(other));
        for batch in batches.into_iter().skip(self.invoices) {
            pace.may_sell().await;
            self.sell(batch).await?;
            pace.sold(batch.len());
            bar.inc(u64::try_from(batch.len()).unwrap_or(0));
        }
        Ok(())
    }

    /// Records a batch as one commit, and takes its goods off the shelves meanwhile.
    async fn record(&mut self, batch: &[&Happening], timed: bool) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let mut goods = shop.goods_of(batch.iter().map(|line| line.code())).await?;
        let mut movements = Vec::with_capacity(batch.len());
        for line in batch {
            let number = shop.number_of(line.code())?;
            if let Some(there) = goods.get_mut(&number) {
                **there += line.delta();
                self.done.checks.hold(**there >= 0, || {
                    format!(
                        "{}: less than nothing on the shelf at {}",
                        line.code(),
                        line.at()
                    )
                });
            }
            let movement = self.movement(line, number)?;
            movements.push(if timed {
                movement.at(line.at().into())
            } else {
                movement
            });
        }
        self.done.batches += 1;
        self.last_batch += 1;
        let key = format!("till-1/{}", self.last_batch);
        let key = IdempotencyKey::new(&key).map_err(stocktake::service::Error::from)?;
        let caller = shop.till.clone().with_key(key);
        let (stock, site) = (shop.library.stock(), shop.site.id);
        let events = stock.record(&caller, site, &movements).await?;
        if !timed && self.last_batch.is_multiple_of(SENT_TWICE) {
            let again = stock.record(&caller, site, &movements).await?;
            self.done.sent_twice += 1;
            self.done.checks.hold(again == events, || {
                format!("batch {}: sent twice, booked twice", self.last_batch)
            });
        }
        self.remember(batch, &events);
        Ok(())
    }

    /// What a line is to the library.
    fn movement(&mut self, line: &Happening, number: usize) -> Result<NewMovement, Failure> {
        let bay = self.shop.bays.get(number);
        let key = bay.map(|bay| bay.key.clone());
        let key = key.ok_or_else(|| Failure::Unfit(format!("{}: no bay", line.code())))?;
        let quantity = Quantity::try_from(line.delta().abs())?;
        let movement = if line.delta() < 0 {
            self.done.sales += 1;
            Movement::Issue { key, quantity }
        } else {
            let sold = self.sold.get_mut(line.code());
            if let Some(sold) = sold.filter(|sold| sold.left >= line.delta()) {
                // They come back at the cost that they left with.
                sold.left -= line.delta();
                self.done.returns += 1;
                let of = sold.event;
                Movement::CustomerReturn { key, quantity, of }
            } else {
                // Sold before the month began.
                self.done.untraced += 1;
                let unit_cost = None;
                Movement::Receipt {
                    key,
                    quantity,
                    unit_cost,
                }
            }
        };
        let mut movement = NewMovement::from(movement);
        movement.reference = Code::new(invoice(line)).ok();
        Ok(movement)
    }

    /// Keeps which event each article was sold with last. There is one event for each line.
    fn remember(&mut self, batch: &[&Happening], events: &[StockEvent]) {
        for (line, event) in batch.iter().zip(events) {
            if line.delta() < 0 {
                let sold = Sold {
                    event: event.id,
                    left: -line.delta(),
                };
                self.sold.insert(line.code().to_owned(), sold);
            }
        }
    }
}

/// What customers did; the staff's corrections are for the counters to find.
pub(crate) fn trade(happenings: &[Happening]) -> Vec<&Happening> {
    happenings
        .iter()
        .filter(|happening| !matches!(happening, Happening::Correction { .. }))
        .collect()
}

/// The number on the invoice or credit note.
fn invoice(line: &Happening) -> &str {
    match line {
        Happening::Sale { invoice, .. }
        | Happening::Return { invoice, .. }
        | Happening::Correction { invoice, .. } => invoice,
    }
}

/// Cuts the lines into batches of what belongs together, a thousand at most. What comes back is never in
/// one batch with its sale: it refers to the sale's event, which must be there by then.
fn batches<'a, 'b>(
    lines: &'b [&'a Happening],
    together: impl Fn(&Happening, &Happening) -> bool,
) -> Vec<&'b [&'a Happening]> {
    let mut batches = Vec::new();
    let mut begin = 0;
    for (end, line) in lines.iter().enumerate() {
        let batch = lines.get(begin..end).unwrap_or_default();
        let returned = line.delta() > 0 && batch.iter().any(|sold| sold.code() == line.code());
        let apart = batch.last().is_some_and(|last| !together(last, line));
        if returned || apart || batch.len() >= BATCH {
            batches.push(batch);
            begin = end;
        }
    }
    batches.extend(lines.get(begin..).filter(|batch| !batch.is_empty()));
    batches
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{BATCH, batches, invoice};
    use crate::retail::Happening;

    fn line(code: &str, delta: i64, invoice: &str) -> Happening {
        let (code, at, invoice) = (code.to_owned(), DateTime::UNIX_EPOCH, invoice.to_owned());
        if delta < 0 {
            let quantity = -delta;
            Happening::Sale {
                code,
                quantity,
                at,
                invoice,
            }
        } else {
            let quantity = delta;
            Happening::Return {
                code,
                quantity,
                at,
                invoice,
            }
        }
    }

    fn sizes(lines: &[Happening]) -> Vec<usize> {
        let lines: Vec<&Happening> = lines.iter().collect();
        let batches = batches(&lines, |one, other| invoice(one) == invoice(other));
        assert_eq!(batches.concat(), lines);
        batches.iter().map(|batch| batch.len()).collect()
    }

    #[test]
    fn a_batch_ends_with_its_invoice_at_a_thousand_lines_and_before_a_return() {
        assert_eq!(sizes(&[]), [0; 0]);
        let mixed = [
            line("a", -1, "1"),
            line("b", -1, "1"),
            line("a", -1, "2"),
            line("b", 1, "2"),
            line("a", 1, "2"),
            line("a", 1, "2"),
        ];
        assert_eq!(sizes(&mixed), [2, 2, 1, 1]);
        let many: Vec<Happening> = (0..=BATCH).map(|_| line("a", -1, "1")).collect();
        assert_eq!(sizes(&many), [BATCH, 1]);
    }
}
