//! What the rules need to know of sites, products and suppliers. The host keeps the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ApprovalPolicy, BrandId, CategoryId, Code, Currency, Label, Note, OrganisationId, ProductId,
    Quantity, ReceiptPolicy, SiteId, SupplierId, Timestamp, UnitCost, UnitId,
};

/// One shop or warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// What the outside calls it (the import's `stock_location_id`); unique within the organisation.
    pub external_id: Code,
    /// Its name.
    pub name: Label,
    /// The currency of all its costs and values.
    pub currency: Currency,
    /// How stock is valued and moved here.
    pub policy: SitePolicy,
}

/// How a site keeps its stock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a decision of the host's by itself, named where it is made"
)]
pub struct SitePolicy {
    /// How what leaves is costed.
    pub costing: CostingMethod,
    /// Whether a level may fall below zero. Default: no.
    pub allow_negative: bool,
    /// Whether what has no known cost comes in, or goes out beyond what is there, at a cost of zero, which is its known
    /// cost then. Default: no. It is refused; only an import, which can't state a cost, takes it in as of unknown cost.
    pub allow_zero_cost: bool,
    /// By how many milliseconds clocks may differ: those of tills and devices that state times, and those of the machines
    /// that record. A movement that is told late and dated up to so long before a count, or another moment at which the
    /// truth was known, counts as after it, and is marked so: a till that dates to the whole second needs 1,000. Default:
    /// none.
    pub clock_tolerance_millis: u32,
    /// Whether goods of unknown cost are revalued at the product's standard cost once that is known, when their key is
    /// touched next. Default: no. They are worth nothing until a cost is stated
    /// ([`StockLevel::restate`](super::StockLevel::restate)).
    pub revalue_unknown: bool,
    /// Nothing may happen before this moment: the books are closed up to it.
    pub closed_until: Option<Timestamp>,
    /// Which adjustments need a manager's approval, and which discrepancies are flagged.
    pub approval: ApprovalPolicy,
    /// What is taken in beyond what was ordered.
    pub receipts: ReceiptPolicy,
    /// Among what the serial numbers that come on hand here are unique. Default: their product.
    pub serials: SerialScope,
    /// Whether viewers are shown suppliers and orders without the supplier's e-mail address. Default: with it.
    pub mask_supplier_email: bool,
    /// Where goods go that arrive and name no stock place of their own. Default: to where the product is kept.
    #[serde(default)]
    pub receiving_place: Option<Code>,
}

/// How what leaves a stock key is costed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostingMethod {
    /// First in, first out: the oldest cost layer leaves first.
    #[default]
    Fifo,
    /// The average of what is on hand.
    WeightedAverage,
    /// The product's standard unit cost; what differs stays until the key is drained.
    Standard,
}

/// Among what a serial number is on hand in one place only, at whatever site of the organisation (S6.7).
///
/// It decides when a number comes on hand; what is on hand already stays, whatever is said later.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SerialScope {
    /// Among the units of its product: another product may have the same number.
    #[default]
    Product,
    /// Among the units of all products: what comes in here has a number that no other unit on hand has.
    Global,
}

/// What is kept on stock. A product with variants has one stock key for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The article id (SKU); unique within the organisation.
    pub article_id: Code,
    /// The name that people search.
    pub name: Label,
    /// More about it.
    pub description: Option<Note>,
    /// Barcodes with their symbology.
    pub barcodes: Vec<Barcode>,
    /// The brand.
    pub brand: Option<Named<BrandId>>,
    /// The category.
    pub category: Option<Named<CategoryId>>,
    /// The unit of measure.
    pub unit: Option<Unit>,
    /// Who sells it to us.
    pub suppliers: Vec<Named<SupplierId>>,
    /// The standard unit cost, in each currency in which there is one. At a site of another currency there is none:
    /// amounts are never converted.
    pub unit_costs: UnitCosts,
    /// The price it sells for, in one currency; only shown and sorted by.
    pub price: Option<Price>,
    /// The account its value is kept under.
    pub account: Option<Code>,
    /// What tells units apart.
    pub tracking: Tracking,
    /// Whether it is still sold.
    pub active: bool,
    /// Whether stock of it is kept at all; what is not never enters a take.
    pub is_stock: bool,
    /// Whether it is a bundle of other products.
    pub bundled: bool,
    /// Warn below this quantity.
    pub stock_warning: Option<Quantity>,
    /// A number of the host's own for the kind of article (S4's `type`).
    pub article_type: i32,
}

impl Product {
    /// A product with nothing but what it must have: active, on stock, untracked.
    pub fn new(id: ProductId, organisation: OrganisationId, article_id: Code, name: Label) -> Self {
        Self {
            id,
            organisation,
            article_id,
            name,
            description: None,
            barcodes: Vec::new(),
            brand: None,
            category: None,
            unit: None,
            suppliers: Vec::new(),
            unit_costs: UnitCosts::default(),
            price: None,
            account: None,
            tracking: Tracking::None,
            active: true,
            is_stock: true,
            bundled: false,
            stock_warning: None,
            article_type: 0,
        }
    }
}

impl Product {
    /// The standard unit cost at sites of a currency.
    pub fn standard_cost(&self, currency: Currency) -> Option<UnitCost> {
        self.unit_costs.get(currency)
    }

    /// The price, if it is in this currency.
    pub fn price_in(&self, currency: Currency) -> Option<UnitCost> {
        let price = self.price.filter(|price| price.currency == currency);
        price.map(|price| price.amount)
    }
}

/// What one unit costs, by currency.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Currency, UnitCosts};
///
/// let (pounds, yen): (Currency, Currency) = ("gbp".parse()?, "jpy".parse()?);
/// let costs = UnitCosts::of(pounds, "10.50".parse()?);
/// assert_eq!(costs.get(pounds), Some("10.50".parse()?));
/// assert_eq!(costs.get(yen), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitCosts(BTreeMap<Currency, UnitCost>);

impl UnitCosts {
    /// One cost, in one currency.
    pub fn of(currency: Currency, cost: UnitCost) -> Self {
        Self(BTreeMap::from([(currency, cost)]))
    }

    /// The cost in a currency.
    pub fn get(&self, currency: Currency) -> Option<UnitCost> {
        self.0.get(&currency).copied()
    }

    /// Sets the cost in a currency, or forgets it.
    pub fn set(&mut self, currency: Currency, cost: Option<UnitCost>) {
        match cost {
            Some(cost) => self.0.insert(currency, cost),
            None => self.0.remove(&currency),
        };
    }
}

/// What one unit sells for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// How much, in major units.
    pub amount: UnitCost,
    /// In this currency.
    pub currency: Currency,
}

/// A barcode.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Barcode {
    /// What it says.
    pub value: Code,
    /// Its symbology (`EAN13`, `CODE128`).
    pub symbology: Code,
}

/// A thing of the host's: its id and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Named<Id> {
    /// The id.
    pub id: Id,
    /// The name.
    pub name: Label,
}

/// A unit of measure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// Its id.
    pub id: UnitId,
    /// Its name (`pcs`).
    pub name: Label,
    /// What the outside calls it (`PCE`).
    #[serde(default)]
    pub external_id: Option<Code>,
}

/// What tells the units of a product apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracking {
    /// Nothing: one unit is as good as another.
    #[default]
    None,
    /// A batch (lot).
    Batch,
    /// A serial number for each unit: such a key holds one unit or none.
    Serial,
}

/// Who sells to a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supplier {
    /// Its id.
    pub id: SupplierId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The site that it supplies.
    pub site: SiteId,
    /// Its name.
    pub name: Label,
    /// Where orders are sent.
    pub email: Option<Label>,
}
