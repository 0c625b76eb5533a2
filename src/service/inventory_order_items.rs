//! The lines of inventory orders (S3.4). A line and its header are written in one commit, each with its version, so
//! that subtotal and item count always equal their lines'.

use std::sync::Arc;

use crate::domain::{
    Code, InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId,
    OrderItemError, Ordered, Product, ProductId, Quantity, Stamp, TransitionError,
};
use crate::store::{
    DeletableKey, Digest, InventoryOrderItemFilter, Outcome, Page, PageRequest, RepositoryExt,
    Versioned,
};

use super::access::Operation;
use super::call::{Call, Once, Step};
use super::each_row::each_row;
use super::inventory_orders::InventoryOrders;
use super::{Caller, Error, Pending};

/// A line to be added (S3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrderItem {
    /// A product that the order's supplier sells.
    pub product: ProductId,
    /// The variant of it.
    pub variant: Option<Code>,
    /// How many, at what price.
    pub ordered: Ordered,
}

/// What is changed on a line; what is missing stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderItemUpdate {
    /// How many: a whole number of one or more, and not fewer than have come.
    pub quantity: Option<Quantity>,
    /// The price of one in the minor unit: zero or more.
    pub unit_price_minor: Option<i64>,
}

/// An order after one of its lines has changed: both are written, or neither.
struct Edited {
    order: InventoryOrder,
    /// The line as it becomes; nothing when it is deleted.
    item: Option<InventoryOrderItem>,
}

impl InventoryOrders<'_> {
    /// The lines of an order in the order in which they were added, of some brands and categories, when any are
    /// named (S3.4).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store, an invalid cursor among them.
    #[inline(never)]
    pub fn items<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        filter: &'c InventoryOrderItemFilter,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<InventoryOrderItem>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            filter.check()?;
            let found = self
                .library
                .repository
                .inventory_order_items(stamp.actor.organisation, id, filter, page)
                .await?;
            Ok(found.map(|read| read.value))
        })
    }

    /// One line by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another order; failures of the store.
    #[inline(never)]
    pub fn item<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        item: InventoryOrderItemId,
    ) -> Pending<'c, InventoryOrderItem> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            self.line(&stamp, id, item).await.map(|read| read.value)
        })
    }

    /// Adds a line (S3.4). An order that was submitted can be submitted again then.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for a product that the order's supplier does
    /// not sell (`not_of_supplier`, whether it exists or not) or that is not kept on stock, for a quantity that is
    /// not a whole number of one or more, and for a price below zero or out of range; [`Error::Transition`] once
    /// the order is received, and beyond 5,000 lines; failures of the store.
    #[inline(never)]
    pub fn add_item<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        new: NewOrderItem,
    ) -> Pending<'c, InventoryOrderItem> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("add_order_item")
                .field(id)
                .field(new.product)
                .optional(new.variant.as_ref())
                .field(new.ordered.quantity)
                .field(new.ordered.unit_price_minor);
            let mut call = library.begin(caller, "add_order_item", digest)?;
            let item_id = InventoryOrderItemId::new(library.ids.next());
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let read = match library.once(&call, Operation::EditOrder, seen).await? {
                    Once::First(read) => read,
                    Once::Again(outcome) => return item_of(outcome),
                };
                let product = self.product(&call.stamp, new.product).await?;
                let (variant, at) = (new.variant.clone(), call.stamp.at);
                let item = InventoryOrderItem::new(
                    item_id,
                    &read.value,
                    product,
                    variant,
                    new.ordered,
                    at,
                )
                .map_err(refused)?;
                if !item.product().is_stock {
                    return Err(Error::invalid(
                        "product",
                        "not_stocked",
                        "the product is not kept on stock",
                    ));
                }
                let order = read.value.add_item(&item, &call.stamp).map_err(subtotal)?;
                let outcome = Outcome::InventoryOrderItem(Arc::new(item.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.update(read.version, order);
                    changes.insert(item);
                });
                if let Step::Done(outcome) = step.await? {
                    return item_of(outcome);
                }
            }
        })
    }

    /// Changes how many are ordered, or at what price (S3.4). The same again, and an empty change, change
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another order, [`Error::Forbidden`], [`Error::Invalid`] as when
    /// adding, and for fewer than have come (`below_received`); [`Error::Transition`] once the order is received;
    /// failures of the store.
    #[inline(never)]
    pub fn update_item<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        item: InventoryOrderItemId,
        update: OrderItemUpdate,
    ) -> Pending<'c, InventoryOrderItem> {
        Box::pin(async move {
            let digest = Digest::of("update_order_item")
                .field(id)
                .field(item)
                .optional(update.quantity)
                .optional(update.unit_price_minor);
            let call = self.library.begin(caller, "update_order_item", digest)?;
            let outcome = self
                .edit_item(call, (id, item), |order, before, stamp| {
                    let earlier = before.ordered();
                    let ordered = Ordered {
                        quantity: update.quantity.unwrap_or(earlier.quantity),
                        unit_price_minor: update
                            .unit_price_minor
                            .unwrap_or(earlier.unit_price_minor),
                    };
                    let after = before
                        .update(ordered, order.currency(), stamp.at)
                        .map_err(refused)?;
                    Ok(Edited {
                        order: order.update_item(before, &after, stamp).map_err(subtotal)?,
                        item: Some(after),
                    })
                })
                .await?;
            item_of(outcome)
        })
    }

    /// Deletes a line (S3.4).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another order, [`Error::Forbidden`], [`Error::Transition`] once the
    /// order is received, when something of the line has come, and for the last line of an order that was
    /// submitted; failures of the store.
    #[inline(never)]
    pub fn delete_item<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        item: InventoryOrderItemId,
    ) -> Pending<'c, ()> {
        Box::pin(async move {
            let digest = Digest::of("delete_order_item").field(id).field(item);
            let call = self.library.begin(caller, "delete_order_item", digest)?;
            self.edit_item(call, (id, item), |order, before, stamp| {
                Ok(Edited {
                    order: order.delete_item(before, stamp)?,
                    item: None,
                })
            })
            .await
            .map(drop)
        })
    }

    /// Changes one line and the header with it.
    async fn edit_item(
        &self,
        mut call: Call,
        (id, item): (InventoryOrderId, InventoryOrderItemId),
        edit: impl Fn(&InventoryOrder, &InventoryOrderItem, &Stamp) -> Result<Edited, Error>,
    ) -> Result<Outcome, Error> {
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let read = match self.library.once(&call, Operation::EditOrder, seen).await? {
                Once::First(read) => read,
                Once::Again(outcome) => return Ok(outcome),
            };
            let before = self.line(&call.stamp, id, item).await?;
            let edited = match edit(&read.value, &before.value, &call.stamp) {
                Ok(edited) => edited,
                Err(refusal) if self.is_current(&read).await? => return Err(refusal),
                // The two were not read at one moment: decide anew.
                Err(_) => continue,
            };
            let outcome = edited.item.clone().map_or(Outcome::Done, |item| {
                Outcome::InventoryOrderItem(Arc::new(item))
            });
            let step = self.library.commit(&mut call, outcome, |changes| {
                if edited.order != read.value {
                    changes.update(read.version, edited.order);
                }
                match edited.item {
                    Some(after) if after == before.value => {}
                    Some(after) => changes.update(before.version, after),
                    None => {
                        changes.delete(before.version, DeletableKey::InventoryOrderItem(id, item));
                    }
                }
            });
            if let Step::Done(outcome) = step.await? {
                return Ok(outcome);
            }
        }
    }

    /// A line of an order.
    async fn line(
        &self,
        stamp: &Stamp,
        id: InventoryOrderId,
        item: InventoryOrderItemId,
    ) -> Result<Versioned<InventoryOrderItem>, Error> {
        let repository = &self.library.repository;
        let read = repository
            .inventory_order_item(stamp.actor.organisation, id, item)
            .await?;
        read.ok_or(Error::not_found("inventory order item"))
    }

    /// All lines of an order. They are of one moment only if the order [is still as it was
    /// read](Self::is_current).
    pub(super) async fn all_items(
        &self,
        order: &InventoryOrder,
    ) -> Result<Vec<Versioned<InventoryOrderItem>>, Error> {
        let (repository, all) = (
            &self.library.repository,
            &InventoryOrderItemFilter::default(),
        );
        let (organisation, id) = (order.organisation(), order.id());
        let read = |page| async move {
            repository
                .inventory_order_items(organisation, id, all, &page)
                .await
        };
        let mut items = Vec::new();
        let keep = |item| {
            items.push(item);
            Ok(())
        };
        each_row(read, keep).await?;
        Ok(items)
    }

    /// Whether an order is still as it was read. Whatever changes a line changes its order too: what was read
    /// between the two is of one moment then.
    pub(super) async fn is_current(&self, read: &Versioned<InventoryOrder>) -> Result<bool, Error> {
        let (organisation, id) = (read.value.organisation(), read.value.id());
        let repository = &self.library.repository;
        let now = repository.inventory_order(organisation, id).await?;
        Ok(now.is_some_and(|now| now.version == read.version))
    }

    /// A product of the organisation. An unknown one, and one of another supplier, are told apart by nothing.
    async fn product(&self, stamp: &Stamp, id: ProductId) -> Result<Arc<Product>, Error> {
        let repository = &self.library.repository;
        let found = repository.products(stamp.actor.organisation, &[id]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .map(|read| read.value)
            .ok_or_else(|| refused(OrderItemError::NotLinked))
    }
}

/// A refusal of a line, told by the field that is wrong.
pub(super) fn refused(error: OrderItemError) -> Error {
    match error {
        OrderItemError::Quantity { .. }
        | OrderItemError::BelowReceived { .. }
        | OrderItemError::Received { .. }
        | OrderItemError::OverReceipt { .. }
        | OrderItemError::OutOfRange => Error::invalid("quantity", error.code(), error),
        OrderItemError::UnitPrice { .. } => Error::invalid("unit_price", error.code(), error),
        OrderItemError::NotLinked => Error::invalid("product", "not_of_supplier", error),
        OrderItemError::NothingOutstanding => Error::Transition(TransitionError::Rule {
            code: "nothing_outstanding",
            message: "nothing of the line is outstanding",
        }),
    }
}

/// A subtotal that does not fit is the fault of the line, not of the order's state.
fn subtotal(error: TransitionError) -> Error {
    if let TransitionError::Rule { code, .. } = error
        && code == "out_of_range"
    {
        return refused(OrderItemError::OutOfRange);
    }
    error.into()
}

fn item_of(outcome: Outcome) -> Result<InventoryOrderItem, Error> {
    outcome
        .inventory_order_item()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}
