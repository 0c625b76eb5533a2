//! What a supplier is sent (S3.5), and whether it went out.

use std::fmt::Write as _;

use crate::domain::{
    InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderState, JobId, Money,
    OrganisationId, Site, Stamp,
};
use crate::store::{CommandId, JobAck, Outcome, RepositoryExt, StoreError, StoreErrorKind};

use super::call::Step;
use super::order_sending::letter_job;
use super::{Error, InventoryOrders, Stocktake};

/// How often an order is read for a letter, each time because it changed meanwhile, before the job is tried again later.
const MOST_READINGS: u32 = 20;
/// What a supplier is sent: the order and all of its lines, as they are when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderLetter {
    /// The order; [`submissions`](InventoryOrder::submissions) tells one letter from an earlier one.
    pub order: InventoryOrder,
    /// Its lines, in their order.
    pub items: Vec<InventoryOrderItem>,
    /// The site that orders.
    pub site: Site,
}

impl OrderLetter {
    /// One line that says what it is.
    pub fn subject(&self) -> String {
        let site = &self.site.name;
        match self.order.purchase_order_number() {
            Some(number) => format!("Purchase order {number}, {site}"),
            None => format!("Purchase order, {site}"),
        }
    }

    /// The order in words, with every line.
    pub fn text(&self) -> String {
        let (order, currency) = (&self.order, self.order.currency());
        let mut text = format!("{}\n", self.subject());
        if order.submissions() > 1 {
            text.push_str("This replaces what we sent before under this order.\n");
        }
        text.push('\n');
        for item in &self.items {
            let (product, ordered) = (item.product(), item.ordered());
            let unit = product.unit.as_ref().map_or("x", |unit| unit.name.as_str());
            let variant = item.variant().map(|variant| format!(" ({variant})"));
            let price = Money::new(ordered.unit_price_minor.into(), currency).major();
            let total = Money::new(item.total_minor().into(), currency).major();
            // Writing to a text can't fail.
            let _ = writeln!(
                text,
                "{}. {} {unit} {} {}{}, at {price}: {total}",
                item.line(),
                ordered.quantity,
                product.article_id,
                product.name,
                variant.unwrap_or_default(),
            );
        }
        let total = Money::new(order.subtotal_minor(), currency).major();
        let currency = currency.to_string().to_uppercase();
        let _ = writeln!(text, "\nTotal: {total} {currency}\n\nOrder {}", order.id());
        text
    }
}

impl Stocktake {
    /// What a job sends to a supplier: nothing when the order is not waited for any more (removed, received,
    /// closed short), went out already, or when a later submission has a job of its own.
    pub(crate) async fn order_letter(
        &self,
        organisation: OrganisationId,
        id: InventoryOrderId,
        job: JobId,
    ) -> Result<Option<OrderLetter>, Error> {
        // The lines are to be those of the header: it may change while they are read.
        for _ in 0..MOST_READINGS {
            let read = self.repository.inventory_order(organisation, id).await?;
            let is_due = |order: &InventoryOrder| {
                order.state() == InventoryOrderState::Submitted
                    && order.sent_at().is_none()
                    && InventoryOrders::sending_job(order) == Some(job)
            };
            let Some(read) = read else {
                return Ok(None);
            };
            if !is_due(&read.value) {
                // The job was born when the order was submitted. An order that knows nothing of it was read as it
                // was before: whoever gave the job up for that would send nothing at all.
                if submission_of(&read.value, job).is_some() {
                    return Ok(None);
                }
                let outdated = StoreError::new(StoreErrorKind::Unavailable, "inventory_order");
                return Err(Error::Store(outdated));
            }
            let items = self.inventory_orders().all_items(&read.value).await?;
            if self.inventory_orders().is_current(&read).await? {
                let site = self.site(organisation, read.value.site()).await?.value;
                return Ok(Some(OrderLetter {
                    order: read.value,
                    items: items.into_iter().map(|item| item.value).collect(),
                    site,
                }));
            }
        }
        Err(Error::Conflict)
    }

    /// Keeps that the letter of a job went out, and why the order as a file did not go with it, and ends the job.
    pub(crate) async fn order_sent(
        &self,
        stamp: &Stamp,
        id: InventoryOrderId,
        job: JobId,
        without: Option<String>,
    ) -> Result<(), Error> {
        let mut call = Self::begin_derived(stamp.clone(), CommandId::new("order_sent", job));
        loop {
            let read = self
                .repository
                .inventory_order(call.organisation(), id)
                .await?;
            let Some(read) = read else {
                return Ok(());
            };
            let submission = submission_of(&read.value, job).unwrap_or_default();
            let next = read.value.sent(submission, stamp.at, without.clone());
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                if let Some(next) = next {
                    changes.update(read.version, next);
                }
                changes.ack(JobAck::Settled(job));
            });
            if let Step::Done(_) = step.await? {
                return Ok(());
            }
        }
    }
}

/// Which submission of an order a job sends.
fn submission_of(order: &InventoryOrder, job: JobId) -> Option<u32> {
    (1..=order.submissions()).find(|submission| letter_job(order.id(), *submission) == job)
}
