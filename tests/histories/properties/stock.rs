//! A model of stock, from the rules: facts and knowledge. The level of a key is what was known last, and what has
//! moved since; nothing here follows the order in which the library books.

use std::collections::{BTreeMap, BTreeSet};

use stocktake::domain::{
    Cause, Code, Product, ProductId, Site, StockEvent, StockEventId, StockKey, Tracking,
};
use stocktake::service::NewMovement;

use booking::consume_reversals;
pub(crate) use feed::Feed;
pub(crate) use key::{Beginning, Key};
pub(crate) use moment::{AHEAD, Knower, Known, Moment};
use staged::{NotPlayed, Staged};

mod booking;
mod effects;
mod feed;
mod goods;
mod key;
mod ledger;
mod moment;
mod staged;

/// Stable codes of errors, any of which may be told.
pub(crate) type Codes = Vec<&'static str>;

/// The rules that a key is under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) site: &'a Site,
    pub(crate) product: &'a Product,
    /// Whether some of the product is at the site: it tells what one costs.
    pub(crate) elsewhere: bool,
    /// Now.
    pub(crate) now: i64,
}

impl Policy<'_> {
    pub(crate) fn is_closed(&self, at: i64) -> bool {
        self.site
            .policy
            .closed_until
            .is_some_and(|closed| at < closed.micros())
    }
}

/// A serial number of a product.
pub(crate) type Serial = (ProductId, Code);

/// The serial number of a key.
pub(crate) fn serial_of(key: &StockKey) -> Option<Serial> {
    key.serial.clone().map(|serial| (key.product, serial))
}

/// A site's stock.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) keys: BTreeMap<StockKey, Key>,
    /// Serial numbers that other sites have on hand.
    pub(crate) abroad: BTreeSet<Serial>,
    /// The ledger.
    pub(crate) ledger: Vec<StockEvent>,
    /// By id: where in the ledger.
    places: BTreeMap<StockEventId, usize>,
    /// What was returned.
    returns: Vec<Return>,
}

/// Goods that came back, or went back.
#[derive(Clone, Debug)]
struct Return {
    issue: StockEventId,
    id: StockEventId,
    key: StockKey,
    change: i64,
}

/// Every product by its id.
pub(crate) type Products = BTreeMap<ProductId, Product>;

impl Stock {
    pub(crate) fn key(&self, key: &StockKey) -> Key {
        self.keys.get(key).cloned().unwrap_or_default()
    }

    /// Whether some of a product is on hand.
    pub(crate) fn holds(&self, product: ProductId) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|(key, model)| key.product == product && model.level() > 0)
    }

    /// The serial numbers that are on hand.
    pub(crate) fn serials(&self) -> impl Iterator<Item = Serial> {
        let on_hand = self.keys.iter().filter(|(_, model)| model.level() > 0);
        on_hand.filter_map(|(key, _)| serial_of(key))
    }

    /// The other keys of the site with the serial number of a key.
    pub(crate) fn twins(&self, key: &StockKey) -> impl Iterator<Item = &StockKey> {
        let serial = serial_of(key);
        self.keys
            .keys()
            .filter(move |other| *other != key && serial.is_some() && serial_of(other) == serial)
    }

    /// Whether another site has the serial number of a key.
    pub(crate) fn is_abroad(&self, key: &StockKey) -> bool {
        serial_of(key).is_some_and(|serial| self.abroad.contains(&serial))
    }

    pub(crate) fn event(&self, id: StockEventId) -> Option<&StockEvent> {
        self.ledger.get(*self.places.get(&id)?)
    }

    /// What a batch would be refused with, if it would.
    pub(crate) fn would_refuse(
        &self,
        movements: &[NewMovement],
        (site, products, now): (&Site, &Products, i64),
    ) -> Option<Codes> {
        let mut staged = Staged {
            stock: self,
            keys: BTreeMap::new(),
            returns: Vec::new(),
            site,
            products,
            now,
        };
        for movement in movements {
            if let Err(NotPlayed::Refused(codes)) = staged.play(movement, &mut Feed::dry()) {
                return Some(codes);
            }
        }
        None
    }

    /// Applies a batch that the library has booked with these events.
    pub(crate) fn record(
        &mut self,
        movements: &[NewMovement],
        events: &[StockEvent],
        (site, products, now): (&Site, &Products, i64),
    ) -> Result<(), String> {
        let mut staged = Staged {
            stock: self,
            keys: BTreeMap::new(),
            returns: Vec::new(),
            site,
            products,
            now,
        };
        let mut feed = Feed::of(events);
        for movement in movements {
            staged
                .play(movement, &mut feed)
                .map_err(|problem| match problem {
                    NotPlayed::Refused(codes) => format!("booked, and to be refused: {codes:?}"),
                    NotPlayed::Wrong(text) => text,
                })?;
        }
        feed.end()?;
        let Staged { keys, returns, .. } = staged;
        self.keys.extend(keys);
        self.returns.extend(returns);
        Ok(())
    }

    /// Takes what a posted line knew back.
    pub(crate) fn take_back_line(
        &mut self,
        key: &StockKey,
        cause: Cause,
        posted: Option<StockEventId>,
        (feed, now): (&mut Feed<'_>, i64),
    ) -> Result<(), String> {
        let model = self.keys.entry(key.clone()).or_default();
        model.forget(Knower::Line(cause));
        model.notice(now);
        consume_reversals(&mut [(key, model)], posted.as_slice(), feed)
    }
}

/// What is wrong with a key. What is there of it stays reachable, whatever became of its product.
pub(crate) fn key_refusals(key: &StockKey, site: &Site, products: &Products, there: bool) -> Codes {
    if key.site != site.id {
        return vec!["another_site"];
    }
    let Some(product) = products.get(&key.product) else {
        return vec!["not_found"];
    };
    if there {
        return Codes::new();
    }
    if !product.is_stock {
        return vec!["not_stocked"];
    }
    match product.tracking {
        Tracking::Batch if key.batch.is_none() => vec!["batch_required"],
        Tracking::Serial if key.serial.is_none() => vec!["serial_required"],
        Tracking::None if key.batch.is_some() => vec!["batch_untracked"],
        Tracking::None | Tracking::Batch if key.serial.is_some() => vec!["serial_untracked"],
        Tracking::None | Tracking::Batch | Tracking::Serial => Codes::new(),
    }
}
