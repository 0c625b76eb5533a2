//! The lines of an inventory order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::is_over_percent;
use super::fixed::FRACTION_DIGITS;
use super::{
    Code, Currency, DecimalError, InventoryOrder, InventoryOrderId, InventoryOrderItemId, Product,
    Quantity, Timestamp, UnitCost, Value,
};

/// The most units of one line.
pub const MAX_ORDERED: u32 = 1_000_000_000;
/// The highest unit price, in the minor unit.
pub const MAX_UNIT_PRICE_MINOR: i64 = 1_000_000_000_000;

/// One line of an order: a product, how many, at what price. It is checked when it is made, and changes only
/// by its methods; the order takes the change over
/// ([`add_item`](InventoryOrder::add_item), [`update_item`](InventoryOrder::update_item),
/// [`delete_item`](InventoryOrder::delete_item), [`receive`](InventoryOrder::receive)), so that both land in
/// one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryOrderItem {
    id: InventoryOrderItemId,
    order: InventoryOrderId,
    line: u64,
    product: Arc<Product>,
    variant: Option<Code>,
    ordered: Ordered,
    total_minor: i64,
    received: Quantity,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// How many, at what price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// How many: a whole number from 1 to [`MAX_ORDERED`].
    pub quantity: Quantity,
    /// The price of one in the minor unit: 0 to [`MAX_UNIT_PRICE_MINOR`].
    pub unit_price_minor: i64,
}

/// What a site takes in beyond what it ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptPolicy {
    /// How much more than ordered a line may receive in all, in percent. Default: nothing.
    pub over_receipt_percent: Quantity,
}

/// What a receipt does to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    before: InventoryOrderItem,
    after: InventoryOrderItem,
    quantity: Quantity,
    unit_cost: UnitCost,
}

/// Why a line was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderItemError {
    /// Order a whole number within the bounds.
    #[error("an ordered quantity is a whole number from 1 to {MAX_ORDERED}, not {quantity}")]
    Quantity {
        /// What was asked.
        quantity: Quantity,
    },
    /// State a price within the bounds.
    #[error("a unit price is from 0 to {MAX_UNIT_PRICE_MINOR} minor units, not {minor}")]
    UnitPrice {
        /// What was asked.
        minor: i64,
    },
    /// The order's supplier does not sell the product: link the two, or order elsewhere.
    #[error("the product is not linked to the order's supplier")]
    NotLinked,
    /// More has come already: order at least that.
    #[error("{received} have been received already, {quantity} can't be ordered")]
    BelowReceived {
        /// What was asked.
        quantity: Quantity,
        /// What has come.
        received: Quantity,
    },
    /// What comes of a line that was ordered in whole numbers is a whole number, and more than nothing.
    #[error("a received quantity is a whole number above zero, not {quantity}")]
    Received {
        /// What was asked.
        quantity: Quantity,
    },
    /// The line has received all that was ordered.
    #[error("nothing is outstanding")]
    NothingOutstanding,
    /// More would come than was ordered, beyond what the policy tolerates.
    #[error("{ordered} were ordered and {received} received, {quantity} more are too many")]
    OverReceipt {
        /// What was ordered.
        ordered: Quantity,
        /// What had come.
        received: Quantity,
        /// What was to come.
        quantity: Quantity,
    },
    /// The line's total, or what it has received, would leave its range.
    #[error("the line's total, or what it has received, would leave its range")]
    OutOfRange,
}

impl OrderItemError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Quantity { .. } | Self::Received { .. } => "invalid_quantity",
            Self::UnitPrice { .. } => "invalid_unit_price",
            Self::NotLinked => "supplier_not_linked",
            Self::BelowReceived { .. } => "below_received",
            Self::NothingOutstanding => "nothing_outstanding",
            Self::OverReceipt { .. } => "over_receipt",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl From<DecimalError> for OrderItemError {
    fn from(_: DecimalError) -> Self {
        Self::OutOfRange
    }
}

impl Ordered {
    /// Checks the bounds and tells the total in the minor unit. No line is worth more than a key may be: all of it can
    /// come in one go.
    fn total_minor(self, currency: Currency) -> Result<i64, OrderItemError> {
        let Self {
            quantity,
            unit_price_minor,
        } = self;
        let in_bounds = (Quantity::ONE..=Quantity::from(MAX_ORDERED)).contains(&quantity);
        if !in_bounds || !quantity.is_whole() {
            return Err(OrderItemError::Quantity { quantity });
        }
        if !(0..=MAX_UNIT_PRICE_MINOR).contains(&unit_price_minor) {
            return Err(OrderItemError::UnitPrice {
                minor: unit_price_minor,
            });
        }
        let cost = self.unit_cost(currency)?;
        Value::of(quantity, cost, currency)?.of_one_line(currency)?;
        quantity
            .micros()
            .checked_div(Quantity::ONE.micros())
            .and_then(|units| units.checked_mul(unit_price_minor))
            .ok_or(OrderItemError::OutOfRange)
    }

    /// The price of one as a unit cost in the major unit, exactly.
    ///
    /// # Errors
    ///
    /// [`DecimalError`] when it leaves the range of a cost.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{Ordered, Quantity};
    ///
    /// let ordered = Ordered { quantity: Quantity::from(10), unit_price_minor: 1_999 };
    /// for (currency, cost) in [("gbp", "19.99"), ("jpy", "1999"), ("kwd", "1.999")] {
    ///     assert_eq!(ordered.unit_cost(currency.parse()?)?, cost.parse()?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unit_cost(self, currency: Currency) -> Result<UnitCost, DecimalError> {
        let micros_in_minor = FRACTION_DIGITS
            .checked_sub(currency.minor_digits())
            .and_then(|digits| 10_i64.checked_pow(digits))
            .ok_or(DecimalError::TooPrecise)?;
        self.unit_price_minor
            .checked_mul(micros_in_minor)
            .ok_or(DecimalError::OutOfRange)
            .and_then(UnitCost::from_micros)
    }
}

impl InventoryOrderItem {
    /// A new line, the next of its order (S3.4), of a product that the order's supplier sells.
    ///
    /// # Errors
    ///
    /// [`OrderItemError`].
    pub fn new(
        id: InventoryOrderItemId,
        order: &InventoryOrder,
        product: Arc<Product>,
        variant: Option<Code>,
        ordered: Ordered,
        at: Timestamp,
    ) -> Result<Self, OrderItemError> {
        let supplier = order.supplier().id;
        if !product.suppliers.iter().any(|linked| linked.id == supplier) {
            return Err(OrderItemError::NotLinked);
        }
        Ok(Self {
            id,
            order: order.id(),
            line: order.next_line(),
            product,
            variant,
            ordered,
            total_minor: ordered.total_minor(order.currency())?,
            received: Quantity::ZERO,
            created_at: at,
            updated_at: at,
        })
    }

    /// Its id.
    pub const fn id(&self) -> InventoryOrderItemId {
        self.id
    }

    /// Its order.
    pub const fn order(&self) -> InventoryOrderId {
        self.order
    }

    /// Its place in the order: 1, 2, 3 ... in the order of adding.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// The product as it was when the line was added: renaming it never rewrites an order.
    pub const fn product(&self) -> &Arc<Product> {
        &self.product
    }

    /// The variant of the product.
    pub const fn variant(&self) -> Option<&Code> {
        self.variant.as_ref()
    }

    /// How many, at what price.
    pub const fn ordered(&self) -> Ordered {
        self.ordered
    }

    /// Quantity times unit price, in the minor unit.
    pub const fn total_minor(&self) -> i64 {
        self.total_minor
    }

    /// What has come so far.
    pub const fn received(&self) -> Quantity {
        self.received
    }

    /// What was ordered and has not come; the order knows whether it still will
    /// ([`InventoryOrder::outstanding`]).
    pub fn missing(&self) -> Quantity {
        // Neither is negative, so the difference of the two always fits.
        self.ordered
            .quantity
            .checked_sub(self.received)
            .unwrap_or(Quantity::ZERO)
            .max(Quantity::ZERO)
    }

    /// When it was added.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Orders more or fewer, or at another price, in the order's currency. The same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`OrderItemError`]; never fewer than have been received.
    pub fn update(
        &self,
        ordered: Ordered,
        currency: Currency,
        at: Timestamp,
    ) -> Result<Self, OrderItemError> {
        if ordered == self.ordered {
            return Ok(self.clone());
        }
        let total_minor = ordered.total_minor(currency)?;
        if ordered.quantity != self.ordered.quantity && ordered.quantity < self.received {
            return Err(OrderItemError::BelowReceived {
                quantity: ordered.quantity,
                received: self.received,
            });
        }
        Ok(Self {
            ordered,
            total_minor,
            updated_at: self.updated_at.max(at),
            ..self.clone()
        })
    }

    /// Whether so many can come at all: more than none, and no part of a unit of what was ordered in whole ones.
    pub fn can_receive(&self, quantity: Quantity) -> bool {
        let is_divisible = !self.ordered.quantity.is_whole();
        quantity.is_positive() && (quantity.is_whole() || is_divisible)
    }

    /// Receives a quantity, or all that is missing (S3.6): what that does to the line, and what comes in at
    /// which cost.
    ///
    /// # Errors
    ///
    /// [`OrderItemError`]; more than ordered only as far as the policy tolerates.
    pub fn receive(
        &self,
        quantity: Option<Quantity>,
        policy: ReceiptPolicy,
        currency: Currency,
        at: Timestamp,
    ) -> Result<Receipt, OrderItemError> {
        let quantity = match quantity {
            Some(quantity) if self.can_receive(quantity) => quantity,
            Some(quantity) => return Err(OrderItemError::Received { quantity }),
            None if self.missing().is_zero() => return Err(OrderItemError::NothingOutstanding),
            None => self.missing(),
        };
        let ordered = self.ordered.quantity;
        let received = self.received.checked_add(quantity)?;
        let over = received.checked_sub(ordered)?.max(Quantity::ZERO);
        if over.is_positive() && is_over_percent(over, ordered, policy.over_receipt_percent)? {
            return Err(OrderItemError::OverReceipt {
                ordered,
                received: self.received,
                quantity,
            });
        }
        let after = Self {
            received,
            updated_at: self.updated_at.max(at),
            ..self.clone()
        };
        Ok(Receipt {
            before: self.clone(),
            after,
            quantity,
            unit_cost: self.ordered.unit_cost(currency)?,
        })
    }
}

impl Receipt {
    /// The line before it.
    pub const fn before(&self) -> &InventoryOrderItem {
        &self.before
    }

    /// The line after it.
    pub const fn after(&self) -> &InventoryOrderItem {
        &self.after
    }

    /// How many come in.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What one of them costs: the ordered unit price.
    pub const fn unit_cost(&self) -> UnitCost {
        self.unit_cost
    }
}
