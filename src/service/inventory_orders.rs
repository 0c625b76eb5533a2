//! Inventory orders (S3): the header, from creation to removal.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::{
    InventoryOrder, InventoryOrderDetails, InventoryOrderId, InventoryOrderState, JobId, Label,
    Note, OrganisationId, PurchaseOrderNumber, Site, SiteId, Stamp, Supplier, SupplierId,
    is_email_address,
};
use crate::store::{
    Digest, InventoryOrderFilter, JobTask, NewJob, Outcome, Page, PageRequest, RepositoryExt,
    Versioned,
};

use super::access::{Operation, sees_supplier_email};
use super::call::{Call, Once, Step};
use super::order_sending::{NO_ADDRESS, OrderSending, letter_job};
use super::queued_jobs::told;
use super::{Caller, Edit, Error, Pending, Stocktake};

/// How often sending an order is tried before its job ends dead.
const SEND_ATTEMPTS: u32 = 10;

/// Inventory orders (S3): what was ordered from a supplier, and what of it has come.
///
/// # Example
///
/// ```
/// use stocktake::domain::{InventoryOrderDetails, InventoryOrderState, Ordered};
/// use stocktake::service::{Caller, NewInventoryOrder, NewOrderItem, ReceiveRequest};
/// use stocktake::testing::shop;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let shop = shop();
/// shop.open_empty().await?;
/// let manager = Caller::of(&shop.manager);
/// let orders = shop.stocktake.inventory_orders();
///
/// let details = InventoryOrderDetails { purchase_order_number: Some("PO123".parse()?), ..Default::default() };
/// let new = NewInventoryOrder { site: shop.site.id, supplier: shop.supplier.id, details };
/// let order = orders.create(&manager, new).await?;
/// let ordered = Ordered { quantity: 10.into(), unit_price_minor: 199 };
/// let line = NewOrderItem { product: shop.products[0].id, variant: None, ordered };
/// orders.add_item(&manager, order.id(), line).await?;
/// assert_eq!(orders.get(&manager, order.id()).await?.subtotal_minor(), 1_990);
///
/// orders.submit(&manager, order.id()).await?;
/// let received = orders.receive(&manager, order.id(), ReceiveRequest::all()).await?;
/// assert_eq!(received.state(), InventoryOrderState::Received);
/// assert_eq!(shop.on_hand(&shop.key(0)).await?, 10.into());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InventoryOrders<'a> {
    pub(super) library: &'a Stocktake,
}

/// An order to be put together (S3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInventoryOrder {
    /// The site whose stock it is for.
    pub site: SiteId,
    /// A supplier of that site.
    pub supplier: SupplierId,
    /// The words on it.
    pub details: InventoryOrderDetails,
}

/// What is changed on an order (S3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InventoryOrderUpdate {
    /// Another supplier of the site, as long as no line is there; without it, it stays.
    pub supplier: Option<SupplierId>,
    /// The words on it, all of them: what is missing is taken away.
    pub details: InventoryOrderDetails,
}

/// What is changed on an order (S3.3); what is missing stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InventoryOrderAmendment {
    /// Another supplier of the site, as long as no line is there. Without a new address, the order is then sent to
    /// the supplier's own.
    pub supplier: Option<SupplierId>,
    /// The number of the purchase order.
    pub purchase_order_number: Edit<PurchaseOrderNumber>,
    /// Where the order is sent; taken away, it is the supplier's own address.
    pub supplier_email: Edit<Label>,
}

impl<'a> InventoryOrders<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Creates an order, still a draft without lines (S3.2).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site, [`Error::Forbidden`], [`Error::Invalid`] for a supplier that is not one
    /// of the site (`unknown_supplier`, whether it exists elsewhere or not) or an e-mail address that is none
    /// (`invalid_email`), [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn create<'c>(
        &'c self,
        caller: &'c Caller,
        new: NewInventoryOrder,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("create_inventory_order")
                .field(new.site)
                .field(new.supplier)
                .request(&new.details);
            let mut call = library.begin(caller, "create_inventory_order", digest)?;
            let site = library.visible_site(&call.stamp, new.site).await?;
            call.require(Operation::EditOrder)?;
            if let Some(outcome) = library.replay(&call).await? {
                return order_of(outcome);
            }
            check_email(new.details.supplier_email.as_ref())?;
            let supplier = self
                .supplier_of(call.organisation(), site.id, new.supplier)
                .await?;
            let id = InventoryOrderId::new(library.ids.next());
            let order = InventoryOrder::create(id, &site, &supplier, new.details, &call.stamp)?;
            let outcome = Outcome::InventoryOrder(Arc::new(order.clone()));
            loop {
                let step = library.commit(&mut call, outcome.clone(), |changes| {
                    changes.insert(order.clone());
                });
                if let Step::Done(outcome) = step.await? {
                    return order_of(outcome);
                }
            }
        })
    }

    /// Reads an order (S3.3).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn get<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let order = self.visible(&stamp, id).await?.value;
            let site = self
                .library
                .site(order.organisation(), order.site())
                .await?;
            Ok(shown(order, &stamp, &site))
        })
    }

    /// A site's orders, the oldest first (S3.1): in some states, when any are named, and with a text in the
    /// purchase order number, whatever its case. Removed ones are on no list.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site; failures of the store, an invalid cursor among them.
    #[inline(never)]
    pub fn list<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: &'c InventoryOrderFilter,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<InventoryOrder>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let read = self.library.visible_site(&stamp, site).await?;
            let mut listed = filter.clone();
            let only_removed =
                listed.states.remove(&InventoryOrderState::Removed) && listed.states.is_empty();
            if only_removed {
                return Ok(Page {
                    items: Vec::new(),
                    total: page.with_total.then_some(0),
                    next: None,
                });
            }
            let found = self
                .library
                .repository
                .inventory_orders(stamp.actor.organisation, site, &listed, page)
                .await?;
            Ok(found.map(|order| shown(order.value, &stamp, &read)))
        })
    }

    /// Changes the words on an order, or its supplier (S3.3). One that was submitted can be submitted again
    /// then. The same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] as when creating, [`Error::Transition`] once
    /// it is received, and for another supplier when lines are there; failures of the store.
    #[inline(never)]
    pub fn update<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        update: InventoryOrderUpdate,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let digest = Digest::of("update_inventory_order")
                .field(id)
                .request(&update);
            let call = self
                .library
                .begin(caller, "update_inventory_order", digest)?;
            self.rewrite(call, id, |_| update.clone()).await
        })
    }

    /// Changes some of the words on an order and leaves the others, or its supplier (S3.3).
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    #[inline(never)]
    pub fn amend<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        amendment: InventoryOrderAmendment,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let digest = Digest::of("amend_inventory_order")
                .field(id)
                .request(&amendment);
            let call = self
                .library
                .begin(caller, "amend_inventory_order", digest)?;
            self.rewrite(call, id, |order| {
                let asked = amendment.clone();
                let (number, supplier) = (order.purchase_order_number(), order.supplier());
                let other = asked.supplier.is_some_and(|other| other != supplier.id);
                let email = supplier.email.clone().filter(|_| !other);
                InventoryOrderUpdate {
                    supplier: asked.supplier,
                    details: InventoryOrderDetails {
                        purchase_order_number: asked
                            .purchase_order_number
                            .applied_to(number.cloned()),
                        supplier_email: asked.supplier_email.applied_to(email),
                    },
                }
            })
            .await
        })
    }

    /// Writes the words on an order anew, as they follow from those that are there.
    async fn rewrite(
        &self,
        mut call: Call,
        id: InventoryOrderId,
        update: impl Fn(&InventoryOrder) -> InventoryOrderUpdate,
    ) -> Result<InventoryOrder, Error> {
        let library = self.library;
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let read = match library.once(&call, Operation::EditOrder, seen).await? {
                Once::First(read) => read,
                Once::Again(outcome) => return order_of(outcome),
            };
            let order = &read.value;
            let update = update(order);
            check_email(update.details.supplier_email.as_ref())?;
            let supplier = update.supplier.unwrap_or(order.supplier().id);
            let supplier = self
                .supplier_of(call.organisation(), order.site(), supplier)
                .await?;
            let next = order.update(&supplier, update.details, &call.stamp)?;
            let outcome = Outcome::InventoryOrder(Arc::new(next.clone()));
            let step = library.commit(&mut call, outcome, |changes| {
                if next != read.value {
                    changes.update(read.version, next);
                }
            });
            if let Step::Done(outcome) = step.await? {
                return order_of(outcome);
            }
        }
    }

    /// Removes an order of which nothing has come (S3.3): it is on no list any more, and is not sent any more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when anything was received; failures of
    /// the store.
    #[inline(never)]
    pub fn remove<'c>(&'c self, caller: &'c Caller, id: InventoryOrderId) -> Pending<'c, ()> {
        Box::pin(async move {
            let digest = Digest::of("remove_inventory_order").field(id);
            let call = self
                .library
                .begin(caller, "remove_inventory_order", digest)?;
            if self.library.replay(&call).await?.is_some() {
                return Ok(());
            }
            self.change(call, id, Operation::EditOrder, |order, stamp| {
                Ok((order.remove(stamp)?, None))
            })
            .await
            .map(drop)
        })
    }

    /// Submits an order (S3.5), for the first time or again, edited or not, because a letter can get lost: `submitted_at` is
    /// of the first time, `last_submitted_at` of the last. A job sends it to the supplier; how that goes is told by
    /// [`sending`](Self::sending), at once where the order has no address to be mailed to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] without a line; failures of the store.
    #[inline(never)]
    pub fn submit<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let digest = Digest::of("submit_inventory_order").field(id);
            let call = self
                .library
                .begin(caller, "submit_inventory_order", digest)?;
            self.change(call, id, Operation::SubmitOrder, |order, stamp| {
                let next = order.submit(stamp)?;
                let job = Self::sending_job(&next).map(|job| NewJob {
                    id: job,
                    site: next.site(),
                    task: JobTask::SendInventoryOrder { order: id },
                    requested_by: stamp.actor.clone(),
                    run_at: stamp.at,
                    max_attempts: SEND_ATTEMPTS,
                });
                Ok((next, job))
            })
            .await
        })
    }

    /// The job that sends an order as it was last submitted, to be read with [`Stocktake::job`].
    pub fn sending_job(order: &InventoryOrder) -> Option<JobId> {
        let submission = order.submissions();
        (submission > 0).then(|| letter_job(order.id(), submission))
    }

    /// Reads whether an order went out to its supplier as it was last submitted, and if not, why: nothing for one that was
    /// never submitted.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn sending<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
    ) -> Pending<'c, Option<OrderSending>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let order = self.visible(&stamp, id).await?.value;
            let Some(job) = Self::sending_job(&order) else {
                return Ok(None);
            };
            let queue = &self.library.queue;
            let queued = queue.job(stamp.actor.organisation, job).await?;
            let failure = queued.and_then(|queued| told(queued, &stamp).last_error);
            let without_address = order.supplier().email.is_none();
            let problem = match order.sent_at() {
                Some(_) => order.sent_without().map(str::to_owned),
                None => failure.or_else(|| without_address.then(|| NO_ADDRESS.to_owned())),
            };
            Ok(Some(OrderSending {
                job,
                sent_at: order.sent_at(),
                problem,
            }))
        })
    }

    /// Gives up what is outstanding (S3.6): the order is received, nothing more will come.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] for a draft, or when nothing is
    /// outstanding; failures of the store.
    #[inline(never)]
    pub fn close_short<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        reason: Option<Note>,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let digest = Digest::of("close_inventory_order")
                .field(id)
                .optional(reason.as_ref());
            let call = self
                .library
                .begin(caller, "close_inventory_order", digest)?;
            self.change(call, id, Operation::SubmitOrder, |order, stamp| {
                Ok((order.close_short(reason.clone(), stamp)?, None))
            })
            .await
        })
    }

    /// One transition of the header, and the job that goes with it.
    async fn change(
        &self,
        mut call: Call,
        id: InventoryOrderId,
        operation: Operation,
        transition: impl Fn(&InventoryOrder, &Stamp) -> Result<(InventoryOrder, Option<NewJob>), Error>,
    ) -> Result<InventoryOrder, Error> {
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let read = match self.library.once(&call, operation, seen).await? {
                Once::First(read) => read,
                Once::Again(outcome) => return order_of(outcome),
            };
            let (next, job) = transition(&read.value, &call.stamp)?;
            let outcome = Outcome::InventoryOrder(Arc::new(next.clone()));
            let step = self.library.commit(&mut call, outcome, |changes| {
                changes.update(read.version, next);
                if let Some(job) = job {
                    changes.job(job);
                }
            });
            if let Step::Done(outcome) = step.await? {
                return order_of(outcome);
            }
        }
    }

    /// A supplier of the site: one of another site is told from none by nothing.
    async fn supplier_of(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        id: SupplierId,
    ) -> Result<Supplier, Error> {
        let supplier = self.library.repository.supplier(organisation, id).await?;
        supplier
            .map(|read| read.value)
            .filter(|supplier| supplier.site == site)
            .ok_or_else(|| {
                Error::invalid(
                    "supplier",
                    "unknown_supplier",
                    "the site has no such supplier",
                )
            })
    }

    /// An order that the actor can see, and that is not removed.
    pub(super) async fn visible(
        &self,
        stamp: &Stamp,
        id: InventoryOrderId,
    ) -> Result<Versioned<InventoryOrder>, Error> {
        let organisation = stamp.actor.organisation;
        let order = self
            .library
            .repository
            .inventory_order(organisation, id)
            .await?;
        order
            .filter(|order| {
                stamp.actor.sees(order.value.site())
                    && order.value.state() != InventoryOrderState::Removed
            })
            .ok_or(Error::not_found("inventory order"))
    }
}

pub(super) fn order_of(outcome: Outcome) -> Result<InventoryOrder, Error> {
    outcome
        .inventory_order()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}

/// An order as an actor is shown it.
pub(super) fn shown(order: InventoryOrder, stamp: &Stamp, site: &Site) -> InventoryOrder {
    if sees_supplier_email(stamp.actor.role, &site.policy) {
        order
    } else {
        order.without_email()
    }
}

/// One address, if there is one.
fn check_email(email: Option<&Label>) -> Result<(), Error> {
    if email.is_none_or(|email| is_email_address(email.as_str())) {
        return Ok(());
    }
    Err(Error::invalid(
        "supplier_email",
        "invalid_email",
        "not an e-mail address",
    ))
}
