//! An inventory order: what was ordered from a supplier, and what of it has come.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::transition::{edge, named_states, step};
use super::{
    Currency, DecimalError, Edge, InventoryOrderId, InventoryOrderItem, Label, Machine, Note,
    OrganisationId, Quantity, Receipt, Site, SiteId, Stamp, Supplier, SupplierId, Text, Timestamp,
    TransitionError, UserSummary,
};

named_states! {
    /// Where an inventory order stands.
    InventoryOrderState {
        /// Being put together.
        Draft = "draft",
        /// Sent to the supplier; something is outstanding.
        Submitted = "submitted",
        /// Nothing is outstanding: all has come, or the rest was closed short.
        Received = "received",
        /// Removed: it is on no list.
        Removed = "removed",
    }
}

named_states! {
    /// What can be asked of an inventory order.
    InventoryOrderCommand {
        /// Change the words on it (S3.3).
        Update = "update",
        /// Add a line (S3.4).
        AddItem = "add item",
        /// Change a line.
        UpdateItem = "update item",
        /// Delete a line.
        DeleteItem = "delete item",
        /// Send it to the supplier (S3.5).
        Submit = "submit",
        /// Receive a part of it (S3.6).
        Receive = "receive",
        /// Receive the rest; also an edit after which nothing is outstanding any more.
        ReceiveRest = "receive the rest",
        /// Give up what is outstanding (S3.6).
        CloseShort = "close short",
        /// Remove it (S3.3).
        Remove = "remove",
    }
}

use InventoryOrderCommand as Command;
use InventoryOrderState as State;

/// What leads where. Everything else is refused.
pub const INVENTORY_ORDER_TRANSITIONS: &[Edge<InventoryOrderState, InventoryOrderCommand>] = &[
    edge(State::Draft, Command::Update, State::Draft),
    edge(State::Draft, Command::AddItem, State::Draft),
    edge(State::Draft, Command::UpdateItem, State::Draft),
    edge(State::Draft, Command::DeleteItem, State::Draft),
    edge(State::Draft, Command::Submit, State::Submitted),
    edge(State::Draft, Command::Remove, State::Removed),
    edge(State::Submitted, Command::Update, State::Submitted),
    edge(State::Submitted, Command::AddItem, State::Submitted),
    edge(State::Submitted, Command::UpdateItem, State::Submitted),
    edge(State::Submitted, Command::DeleteItem, State::Submitted),
    edge(State::Submitted, Command::Submit, State::Submitted),
    edge(State::Submitted, Command::Receive, State::Submitted),
    edge(State::Submitted, Command::ReceiveRest, State::Received),
    edge(State::Submitted, Command::CloseShort, State::Received),
    edge(State::Submitted, Command::Remove, State::Removed),
    edge(State::Received, Command::Remove, State::Removed),
];

/// The most lines of an order.
pub const MAX_ORDER_ITEMS: u64 = 5_000;

/// The number of a purchase order: 1 to 64 characters.
pub type PurchaseOrderNumber = Text<64, true>;

/// An inventory order. It changes only by its transitions; those that change lines take the lines before and
/// after, so that subtotal and item count always equal their items'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryOrder {
    id: InventoryOrderId,
    organisation: OrganisationId,
    site: SiteId,
    currency: Currency,
    purchase_order_number: Option<PurchaseOrderNumber>,
    supplier: OrderSupplier,
    state: InventoryOrderState,
    totals: Totals,
    last_line: u64,
    edited: bool,
    submissions: u32,
    closed_short: Option<ClosedShort>,
    created_by: UserSummary,
    created_at: Timestamp,
    updated_at: Timestamp,
    submitted_at: Option<Timestamp>,
    last_submitted_at: Option<Timestamp>,
    received_at: Option<Timestamp>,
    #[serde(default)]
    sent_at: Option<Timestamp>,
    #[serde(default)]
    sent_without: Option<String>,
}

/// The words on an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryOrderDetails {
    /// The number of the purchase order.
    pub purchase_order_number: Option<PurchaseOrderNumber>,
    /// Where the order is sent; without one, to the supplier's own address.
    pub supplier_email: Option<Label>,
}

/// The supplier as it was when it was named on the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSupplier {
    /// The supplier.
    pub id: SupplierId,
    /// Its name.
    pub name: Label,
    /// Where the order is sent.
    pub email: Option<Label>,
}

/// The end of an order of which something never came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedShort {
    /// When.
    pub at: Timestamp,
    /// Who closed it.
    pub by: UserSummary,
    /// Why.
    pub reason: Option<Note>,
}

/// What the lines of an order come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    /// Lines.
    items: u64,
    /// The sum of their totals.
    subtotal_minor: i128,
    /// Lines of which something is missing.
    missing: u64,
    /// Lines of which something has come.
    received: u64,
}

impl Totals {
    fn of(item: &InventoryOrderItem) -> Self {
        Self {
            items: 1,
            subtotal_minor: item.total_minor().into(),
            missing: u64::from(item.missing().is_positive()),
            received: u64::from(item.received().is_positive()),
        }
    }

    /// A line more. There are at most [`MAX_ORDER_ITEMS`], so that nothing leaves its range.
    fn plus(self, item: &InventoryOrderItem) -> Self {
        let more = Self::of(item);
        Self {
            items: self.items.saturating_add(more.items),
            subtotal_minor: self.subtotal_minor.saturating_add(more.subtotal_minor),
            missing: self.missing.saturating_add(more.missing),
            received: self.received.saturating_add(more.received),
        }
    }

    fn minus(self, item: &InventoryOrderItem) -> Result<Self, DecimalError> {
        let less = Self::of(item);
        let rest = |one: u64, less: u64| one.checked_sub(less).ok_or(DecimalError::OutOfRange);
        Ok(Self {
            items: rest(self.items, less.items)?,
            subtotal_minor: self.subtotal_minor.saturating_sub(less.subtotal_minor),
            missing: rest(self.missing, less.missing)?,
            received: rest(self.received, less.received)?,
        })
    }
}

impl InventoryOrder {
    /// The same order with the sums of these lines, which are all that it has: what it should be if its own are wrong.
    #[must_use]
    pub fn summed_up<'a>(&self, lines: impl IntoIterator<Item = &'a InventoryOrderItem>) -> Self {
        let totals = lines.into_iter().fold(Totals::default(), Totals::plus);
        Self {
            totals,
            ..self.clone()
        }
    }
}

impl InventoryOrder {
    /// A new order, still a draft (S3.2).
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `other_supplier` when the supplier is not one of the site.
    pub fn create(
        id: InventoryOrderId,
        site: &Site,
        supplier: &Supplier,
        details: InventoryOrderDetails,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        Ok(Self {
            id,
            organisation: site.organisation,
            site: site.id,
            currency: site.currency,
            purchase_order_number: details.purchase_order_number,
            supplier: OrderSupplier::of(
                supplier,
                details.supplier_email,
                site.organisation,
                site.id,
            )?,
            state: State::Draft,
            totals: Totals::default(),
            last_line: 0,
            edited: false,
            submissions: 0,
            closed_short: None,
            created_by: stamp.actor.user.clone(),
            created_at: stamp.at,
            updated_at: stamp.at,
            submitted_at: None,
            last_submitted_at: None,
            received_at: None,
            sent_at: None,
            sent_without: None,
        })
    }

    /// Its id.
    pub const fn id(&self) -> InventoryOrderId {
        self.id
    }

    /// Its organisation.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// The site whose stock it is for.
    pub const fn site(&self) -> SiteId {
        self.site
    }

    /// The currency of its prices.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The number of the purchase order.
    pub const fn purchase_order_number(&self) -> Option<&PurchaseOrderNumber> {
        self.purchase_order_number.as_ref()
    }

    /// The supplier.
    pub const fn supplier(&self) -> &OrderSupplier {
        &self.supplier
    }

    /// The same order without the address of its supplier, to be shown.
    #[must_use]
    pub fn without_email(mut self) -> Self {
        self.supplier.email = None;
        self
    }

    /// Where it stands.
    pub const fn state(&self) -> InventoryOrderState {
        self.state
    }

    /// The sum of its lines' totals, in the minor unit.
    pub const fn subtotal_minor(&self) -> i128 {
        self.totals.subtotal_minor
    }

    /// How many lines it has.
    pub const fn item_count(&self) -> u64 {
        self.totals.items
    }

    /// Whether it has any lines.
    pub const fn items_added(&self) -> bool {
        self.totals.items > 0
    }

    /// Of how many lines something will still come.
    pub const fn outstanding_items(&self) -> u64 {
        match self.closed_short {
            Some(_) => 0,
            None => self.totals.missing,
        }
    }

    /// Whether anything of it has come.
    pub const fn is_anything_received(&self) -> bool {
        self.totals.received > 0
    }

    /// What of a line will still come: nothing once the rest was closed short.
    pub fn outstanding(&self, item: &InventoryOrderItem) -> Quantity {
        match self.closed_short {
            Some(_) => Quantity::ZERO,
            None => item.missing(),
        }
    }

    /// The place of the line that is added next.
    pub const fn next_line(&self) -> u64 {
        self.last_line.saturating_add(1)
    }

    /// Whether the supplier does not know it as it is: a draft, or edited since it was sent.
    pub fn needs_submission(&self) -> bool {
        self.state == State::Draft || (self.state == State::Submitted && self.edited)
    }

    /// How often it was submitted.
    pub const fn submissions(&self) -> u32 {
        self.submissions
    }

    /// How the rest was given up.
    pub const fn closed_short(&self) -> Option<&ClosedShort> {
        self.closed_short.as_ref()
    }

    /// Who created it.
    pub const fn created_by(&self) -> &UserSummary {
        &self.created_by
    }

    /// When it was created.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// When it was submitted first.
    pub const fn submitted_at(&self) -> Option<Timestamp> {
        self.submitted_at
    }

    /// When it was submitted last.
    pub const fn last_submitted_at(&self) -> Option<Timestamp> {
        self.last_submitted_at
    }

    /// When it went out to the supplier as it was last submitted: nothing as long as it has not.
    pub const fn sent_at(&self) -> Option<Timestamp> {
        self.sent_at
    }

    /// Why the letter went out without the order as a file, if it did: a code, and what is wrong.
    pub fn sent_without(&self) -> Option<&str> {
        self.sent_without.as_deref()
    }

    /// When nothing was outstanding any more.
    pub const fn received_at(&self) -> Option<Timestamp> {
        self.received_at
    }

    /// Whether the state allows a command.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`].
    pub fn allows(
        &self,
        command: InventoryOrderCommand,
    ) -> Result<InventoryOrderState, TransitionError> {
        step(
            INVENTORY_ORDER_TRANSITIONS,
            Machine::InventoryOrder,
            self.state,
            command,
        )
    }

    fn take_step(
        &self,
        command: InventoryOrderCommand,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let to = self.allows(command)?;
        let received_now = to == State::Received && self.state != State::Received;
        Ok(Self {
            state: to,
            updated_at: self.updated_at.max(at),
            received_at: if received_now {
                Some(at)
            } else {
                self.received_at
            },
            ..self.clone()
        })
    }

    /// The order after an edit. One that was sent must be sent again, unless nothing of it is outstanding any
    /// more: then it is received.
    fn edit(
        &self,
        command: InventoryOrderCommand,
        totals: Totals,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let next = Self {
            totals,
            edited: true,
            ..self.take_step(command, at)?
        };
        if next.state == State::Submitted && totals.missing == 0 {
            return next.take_step(Command::ReceiveRest, at);
        }
        Ok(next)
    }

    fn check_item(&self, item: &InventoryOrderItem) -> Result<(), TransitionError> {
        if item.order() == self.id {
            Ok(())
        } else {
            Err(TransitionError::Rule {
                code: "other_order",
                message: "the line is of another order",
            })
        }
    }

    /// Changes the words on it (S3.3). The same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `other_supplier` when the supplier is not one of the site,
    /// `supplier_has_lines` when it is another one than before and lines are there.
    pub fn update(
        &self,
        supplier: &Supplier,
        details: InventoryOrderDetails,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        self.allows(Command::Update)?;
        let email = details.supplier_email;
        let supplier = OrderSupplier::of(supplier, email, self.organisation, self.site)?;
        let purchase_order_number = details.purchase_order_number;
        if supplier == self.supplier && purchase_order_number == self.purchase_order_number {
            return Ok(self.clone());
        }
        if supplier.id != self.supplier.id && self.items_added() {
            return Err(TransitionError::Rule {
                code: "supplier_has_lines",
                message: "the lines are of products of the order's supplier",
            });
        }
        Ok(Self {
            purchase_order_number,
            supplier,
            ..self.edit(Command::Update, self.totals, stamp.at)?
        })
    }

    /// A line is added (S3.4): the next one.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `other_order`, `other_line` when it is not the next one or has received
    /// something, `too_many_lines` beyond [`MAX_ORDER_ITEMS`].
    pub fn add_item(
        &self,
        item: &InventoryOrderItem,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        self.allows(Command::AddItem)?;
        self.check_item(item)?;
        if item.line() != self.next_line() || !item.received().is_zero() {
            return Err(OTHER_LINE);
        }
        if self.totals.items >= MAX_ORDER_ITEMS {
            return Err(TransitionError::Rule {
                code: "too_many_lines",
                message: "the order has as many lines as it can have",
            });
        }
        let next = self.edit(Command::AddItem, self.totals.plus(item), stamp.at)?;
        Ok(Self {
            last_line: item.line(),
            ..next
        })
    }

    /// A line is changed (S3.4): before and after. The same again changes nothing. An order that was sent must
    /// be sent again; when nothing of it is outstanding any more, it is received.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `other_order`, `other_line` when the two are not the same line with the same
    /// receipts, `out_of_range` when they are not lines of this order's totals.
    pub fn update_item(
        &self,
        before: &InventoryOrderItem,
        after: &InventoryOrderItem,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        self.allows(Command::UpdateItem)?;
        self.check_item(before)?;
        self.check_item(after)?;
        if before.id() != after.id() || before.received() != after.received() {
            return Err(OTHER_LINE);
        }
        if before == after {
            return Ok(self.clone());
        }
        let totals = self.totals.minus(before)?.plus(after);
        self.edit(Command::UpdateItem, totals, stamp.at)
    }

    /// A line is deleted (S3.4). An order that was sent must be sent again; when nothing of it is outstanding
    /// any more, it is received.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `other_order`, `item_received` when something of the line has come,
    /// `last_line` when it is the only one of an order that was sent.
    pub fn delete_item(
        &self,
        item: &InventoryOrderItem,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        self.allows(Command::DeleteItem)?;
        self.check_item(item)?;
        if !item.received().is_zero() {
            return Err(TransitionError::Rule {
                code: "item_received",
                message: "something of the line has been received",
            });
        }
        let totals = self.totals.minus(item)?;
        if self.state == State::Submitted && totals.items == 0 {
            return Err(TransitionError::Rule {
                code: "last_line",
                message: "an order that was submitted keeps a line",
            });
        }
        self.edit(Command::DeleteItem, totals, stamp.at)
    }

    /// It is to be sent to the supplier (S3.5), for the first time or again, edited or not: a letter can get lost.
    ///
    /// # Errors
    ///
    /// [`TransitionError::NoLines`] without a line.
    pub fn submit(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Submit, stamp.at)?;
        if !self.items_added() {
            return Err(TransitionError::NoLines {
                machine: Machine::InventoryOrder,
            });
        }
        Ok(Self {
            edited: false,
            submissions: self.submissions.saturating_add(1),
            submitted_at: self.submitted_at.or(Some(stamp.at)),
            last_submitted_at: Some(stamp.at),
            sent_at: None,
            sent_without: None,
            ..next
        })
    }

    /// The letter of a submission went out; `without` tells why the order as a file did not go with it. Nothing when it is known
    /// already, or when the order was submitted again since: that letter is another one.
    #[must_use]
    pub fn sent(&self, submission: u32, at: Timestamp, without: Option<String>) -> Option<Self> {
        let is_news = self.submissions == submission && submission > 0 && self.sent_at.is_none();
        is_news.then(|| Self {
            sent_at: Some(at),
            sent_without: without,
            ..self.clone()
        })
    }

    /// Something of it comes (S3.6): one receipt, of one or more lines, each once. It is received when nothing
    /// is outstanding any more.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `other_order`, `other_line` when a line is there twice, `nothing_to_receive`
    /// without a line.
    pub fn receive(&self, receipts: &[Receipt], stamp: &Stamp) -> Result<Self, TransitionError> {
        self.allows(Command::Receive)?;
        if receipts.is_empty() {
            return Err(TransitionError::Rule {
                code: "nothing_to_receive",
                message: "nothing is to be received",
            });
        }
        let mut lines = BTreeSet::new();
        let mut totals = self.totals;
        for receipt in receipts {
            self.check_item(receipt.before())?;
            if !lines.insert(receipt.before().id()) {
                return Err(OTHER_LINE);
            }
            totals = totals.minus(receipt.before())?.plus(receipt.after());
        }
        let command = if totals.missing == 0 {
            Command::ReceiveRest
        } else {
            Command::Receive
        };
        Ok(Self {
            totals,
            ..self.take_step(command, stamp.at)?
        })
    }

    /// Gives up what is outstanding (S3.6): nothing more will come.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn close_short(
        &self,
        reason: Option<Note>,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        Ok(Self {
            closed_short: Some(ClosedShort {
                at: stamp.at,
                by: stamp.actor.user.clone(),
                reason,
            }),
            ..self.take_step(Command::CloseShort, stamp.at)?
        })
    }

    /// Removes it (S3.3).
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `order_received` when anything of it has come.
    pub fn remove(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Remove, stamp.at)?;
        if self.is_anything_received() {
            return Err(TransitionError::Rule {
                code: "order_received",
                message: "something of the order has been received",
            });
        }
        Ok(next)
    }
}

impl OrderSupplier {
    /// A supplier of a site, and where to send the order.
    fn of(
        supplier: &Supplier,
        email: Option<Label>,
        organisation: OrganisationId,
        site: SiteId,
    ) -> Result<Self, TransitionError> {
        if supplier.organisation != organisation || supplier.site != site {
            return Err(TransitionError::Rule {
                code: "other_supplier",
                message: "the supplier is not one of the site",
            });
        }
        Ok(Self {
            id: supplier.id,
            name: supplier.name.clone(),
            email: email.or_else(|| supplier.email.clone()),
        })
    }
}

/// A line that does not fit the command was handed in.
const OTHER_LINE: TransitionError = TransitionError::Rule {
    code: "other_line",
    message: "the line does not belong there",
};
