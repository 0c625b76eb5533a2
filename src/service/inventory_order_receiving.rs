//! Receiving inventory orders (S3.6): header, lines, levels and ledger events land in one commit, each with its
//! version, so that two receipts at once never take in more than one would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::domain::{
    Cause, Change, Code, IncomingCost, InventoryOrder, InventoryOrderCommand, InventoryOrderId,
    InventoryOrderItem, InventoryOrderItemId, NamePart, OrderItemError, Pick, Product, ProductId,
    Quantity, Receipt, Site, SiteId, Stamp, StockEventId, StockEventKind, StockKey, Timestamp,
    Value,
};
use crate::store::{Digest, Guard, Outcome, RepositoryExt, Version, Versioned};

use super::access::Operation;
use super::call::{Once, Step};
use super::error::dated;
use super::inventory_order_items::refused;
use super::inventory_orders::{InventoryOrders, order_of};
use super::movement::{Movement, NewMovement};
use super::movement_batch::Batch;
use super::stock_key_lookup::{Unclear, checked};
use super::{Caller, Error, FieldError, Pending, StockName};

/// The most lines in one receipt: a line may be named once for each batch or serial number that came.
const MAX_RECEIPT_LINES: usize = 10_000;

/// What has come of an order (S3.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReceiveRequest {
    /// Of which lines how many; without it, all that is outstanding.
    pub lines: Option<Vec<ReceiptLine>>,
    /// When it came; without it, it comes now, after all that is known.
    pub occurred_at: Option<Timestamp>,
}

/// What has come of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptLine {
    /// The line. It may be named several times with different keys, each time with its quantity.
    pub item: InventoryOrderItemId,
    /// How many; without it, all that is outstanding of the line.
    pub quantity: Option<Quantity>,
    /// Where they went. Without it, what is named beside it tells, and where no stock place is named, the site's place for
    /// what arrives ([`SitePolicy::receiving_place`](crate::domain::SitePolicy)): the only key at the site that fits all
    /// of that, or the one of just what is named ([`StockChoice`](super::StockChoice)). Goods that stay at no stock place
    /// although the site has one for what arrives are named so ([`NamePart::Without`]). What is tracked by batch or
    /// serial number needs [`batch`](Self::batch) or [`serial`](Self::serial): new goods are of a batch, or have numbers,
    /// of their own.
    pub key: Option<StockKey>,
    /// Their variant, where no key is named; without it, that of the line, if it has one.
    pub variant: NamePart,
    /// Their stock place, where no key is named.
    pub place: NamePart,
    /// Their batch, where no key is named.
    pub batch: NamePart,
    /// Their serial number, where no key is named.
    pub serial: NamePart,
}

impl ReceiveRequest {
    /// All that is outstanding.
    pub fn all() -> Self {
        Self::default()
    }

    /// These lines.
    pub fn of(lines: Vec<ReceiptLine>) -> Self {
        Self {
            lines: Some(lines),
            ..Self::default()
        }
    }
}

impl ReceiptLine {
    /// So many of a line.
    pub const fn of(item: InventoryOrderItemId, quantity: Quantity) -> Self {
        Self {
            item,
            quantity: Some(quantity),
            key: None,
            variant: NamePart::Any,
            place: NamePart::Any,
            batch: NamePart::Any,
            serial: NamePart::Any,
        }
    }

    /// The same, gone to a stock key.
    #[must_use]
    pub fn to(mut self, key: StockKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// A line with what has come of it, before it is clear where it goes.
struct Coming {
    version: Version,
    receipt: Receipt,
    /// How many go where.
    parts: Vec<Part>,
}

/// So many of a line, and what is named of where they go.
#[derive(Clone, Debug, Default)]
struct Part {
    quantity: Quantity,
    key: Option<StockKey>,
    variant: NamePart,
    place: NamePart,
    batch: NamePart,
    serial: NamePart,
}

/// What a receipt writes, beside levels and events.
struct Decided {
    order: InventoryOrder,
    lines: Vec<(Version, InventoryOrderItem)>,
}

impl InventoryOrders<'_> {
    /// Receives an order, all that is outstanding or a part of it (S3.6), in one receipt or several: stock rises
    /// by one event a line, with a cost layer at the ordered unit price. It lands whole, or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another order, [`Error::Forbidden`], [`Error::Invalid`] naming
    /// every line that can't be received (`over_receipt` beyond what the site tolerates,
    /// [`ReceiptPolicy`](crate::domain::ReceiptPolicy)) and keys when a product is at several
    /// (`ambiguous_stock`), [`Error::Key`] for a missing batch or serial number, [`Error::Stock`],
    /// [`Error::SerialElsewhere`], [`Error::Transition`] for a draft or when nothing is outstanding,
    /// [`Error::TooLarge`], [`Error::Conflict`]; failures of the store.
    #[inline(never)]
    pub fn receive<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryOrderId,
        request: ReceiveRequest,
    ) -> Pending<'c, InventoryOrder> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("receive_inventory_order")
                .field(id)
                .request(&request);
            let mut call = library.begin(caller, "receive_inventory_order", digest)?;
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let read = match library.once(&call, Operation::ReceiveOrder, seen).await? {
                    Once::First(read) => read,
                    Once::Again(outcome) => return order_of(outcome),
                };
                check_request(&request)?;
                dated("occurred_at", request.occurred_at)?;
                let stamp = call.stamp.clone();
                let site = library.site(call.organisation(), read.value.site()).await?;
                let (decided, batch) = match self.decide(&read, &request, &site, &stamp).await {
                    Ok(decided) => decided,
                    Err(refusal) if self.is_current(&read).await? => {
                        return Err(library.with_names(call.organisation(), refusal).await);
                    }
                    // Header and lines were not read at one moment: decide anew.
                    Err(_) => continue,
                };
                let outcome = Outcome::InventoryOrder(Arc::new(decided.order.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.guard(Guard::site(&site));
                    changes.update(read.version, decided.order);
                    for (version, item) in decided.lines {
                        changes.update(version, item);
                    }
                    batch.write(changes);
                });
                if let Step::Done(outcome) = step.await? {
                    return order_of(outcome);
                }
            }
        })
    }

    /// What a receipt comes to, as things are.
    async fn decide<'s>(
        &self,
        read: &Versioned<InventoryOrder>,
        request: &ReceiveRequest,
        site: &'s Site,
        stamp: &'s Stamp,
    ) -> Result<(Decided, Batch<'s>), Error> {
        let order = &read.value;
        order.allows(InventoryOrderCommand::Receive)?;
        let items = self.all_items(order).await?;
        let coming = coming(order, items, request.lines.as_deref(), site, stamp)?;
        let receipts: Vec<Receipt> = coming.iter().map(|line| line.receipt.clone()).collect();
        let next = order.receive(&receipts, stamp)?;
        let arrivals = self
            .arrivals(&coming, (order, site), stamp, request)
            .await?;
        let movements: Vec<NewMovement> = arrivals
            .iter()
            .map(|(key, change)| as_movement(key, change))
            .collect();
        let mut batch = self.library.read_batch(site, stamp, &movements).await?;
        for (key, change) in arrivals {
            batch.change(&key, change)?;
        }
        let lines = coming
            .into_iter()
            .map(|line| (line.version, line.receipt.after().clone()))
            .collect();
        Ok((Decided { order: next, lines }, batch))
    }

    /// What comes in at which key.
    async fn arrivals(
        &self,
        coming: &[Coming],
        (order, site): (&InventoryOrder, &Site),
        stamp: &Stamp,
        request: &ReceiveRequest,
    ) -> Result<Vec<(StockKey, Change)>, Error> {
        let library = self.library;
        let organisation = stamp.actor.organisation;
        let ids: BTreeSet<ProductId> = coming
            .iter()
            .filter(|line| line.parts.iter().any(|part| part.key.is_none()))
            .map(|line| line.receipt.before().product().id)
            .collect();
        let products: Vec<ProductId> = ids.iter().copied().collect();
        let products = library.repository.products(organisation, &products).await?;
        let products: BTreeMap<ProductId, Arc<Product>> = products
            .into_iter()
            .flatten()
            .map(|read| (read.value.id, read.value))
            .collect();
        let unnamed: Vec<(SiteId, StockName)> = coming
            .iter()
            .flat_map(|line| {
                let unnamed = line.parts.iter().filter(|part| part.key.is_none());
                unnamed.map(|part| (site.id, name_of(line.receipt.before(), part, site)))
            })
            .collect();
        let meant = library.resolve_keys(organisation, &unnamed).await?;
        let mut meant = unnamed.into_iter().zip(meant);
        let mut arrivals = Vec::new();
        let mut ambiguous: Vec<FieldError> = Vec::new();
        for line in coming {
            let item = line.receipt.before();
            for (number, part) in line.parts.iter().enumerate() {
                let key = if let Some(key) = &part.key {
                    named_key(key, item, site)?
                } else {
                    let product = products.get(&item.product().id);
                    let product = product.ok_or(Error::not_found("product"))?;
                    let ((_, name), meant) = meant.next().ok_or(Error::not_found("stock"))?;
                    // New goods are of a batch, or have numbers, of their own, whatever is there already.
                    checked(name.plain(site.id), product)?;
                    match meant.of(product) {
                        Ok(key) => key,
                        Err(unfit @ Unclear::Key { .. }) => return Err(unfit.into()),
                        Err(several @ Unclear::Several(_)) => {
                            ambiguous.push(FieldError {
                                field: "product".into(),
                                code: several.code(),
                                message: format!("{}: {several}", told_line(item)),
                            });
                            continue;
                        }
                    }
                };
                let change = Change {
                    id: event_id(item.id(), line.version, number),
                    kind: StockEventKind::Receipt,
                    quantity: part.quantity,
                    cost: IncomingCost::PerUnit(line.receipt.unit_cost()),
                    pick: Pick::Oldest,
                    occurred_at: request.occurred_at,
                    reason: None,
                    reference: reference_of(order),
                    cause: Cause::Order {
                        order: item.order(),
                        item: item.id(),
                    },
                    of: None,
                    reverses: None,
                };
                arrivals.push((key, change));
            }
        }
        if ambiguous.is_empty() {
            Ok(arrivals)
        } else {
            Err(Error::Invalid(ambiguous))
        }
    }
}

/// Refuses what no order could be received by.
fn check_request(request: &ReceiveRequest) -> Result<(), Error> {
    match request.lines.as_deref() {
        Some([]) => Err(Error::invalid(
            "lines",
            "nothing_to_receive",
            "nothing is to be received",
        )),
        Some(lines) if lines.len() > MAX_RECEIPT_LINES => Err(Error::TooLarge {
            limit: MAX_RECEIPT_LINES,
        }),
        Some(_) | None => Ok(()),
    }
}

/// What has come of each line; every line that can't be received is told.
fn coming(
    order: &InventoryOrder,
    items: Vec<Versioned<InventoryOrderItem>>,
    lines: Option<&[ReceiptLine]>,
    site: &Site,
    stamp: &Stamp,
) -> Result<Vec<Coming>, Error> {
    let mut asked: BTreeMap<InventoryOrderItemId, Vec<&ReceiptLine>> = BTreeMap::new();
    for line in lines.unwrap_or_default() {
        asked.entry(line.item).or_default().push(line);
    }
    let mut coming = Vec::new();
    let mut problems: Vec<FieldError> = Vec::new();
    for read in items {
        let item = &read.value;
        let parts = match (lines, asked.remove(&item.id())) {
            (Some(_), None) => continue,
            (None, _) if item.missing().is_zero() => continue,
            (None, _) => Vec::new(),
            (Some(_), Some(parts)) => parts,
        };
        let received = total(item, &parts).and_then(|quantity| {
            item.receive(quantity, site.policy.receipts, order.currency(), stamp.at)
                .map_err(refused)
        });
        match received {
            Ok(receipt) => coming.push(Coming {
                version: read.version,
                parts: parts_of(&parts, receipt.quantity()),
                receipt,
            }),
            Err(Error::Invalid(fields)) => {
                problems.extend(fields.into_iter().map(|field| FieldError {
                    message: format!("{}: {}", told_line(item), field.message),
                    ..field
                }));
            }
            Err(other) => return Err(other),
        }
    }
    if !asked.is_empty() {
        return Err(Error::not_found("inventory order item"));
    }
    if problems.is_empty() {
        Ok(coming)
    } else {
        Err(Error::Invalid(problems))
    }
}

/// What has come of a line in all; nothing stands for what is outstanding.
fn total(item: &InventoryOrderItem, parts: &[&ReceiptLine]) -> Result<Option<Quantity>, Error> {
    let ordered = item.variant();
    let fits = |part: &&ReceiptLine| ordered.is_none() || part.variant.fits(ordered);
    if !parts.iter().all(fits) {
        let message = "the line is of another variant";
        return Err(Error::invalid("variant", "another_variant", message));
    }
    if let [] | [ReceiptLine { quantity: None, .. }] = parts {
        return Ok(None);
    }
    let invalid = |message: &str| Error::invalid("quantity", "invalid_quantity", message);
    let mut sum = Quantity::ZERO;
    for part in parts {
        let quantity = part
            .quantity
            .filter(|quantity| quantity.is_positive())
            .ok_or_else(|| invalid("each part that is named has a quantity above zero"))?;
        if !item.can_receive(quantity) {
            return Err(refused(OrderItemError::Received { quantity }));
        }
        sum = sum
            .checked_add(quantity)
            .map_err(|_| invalid("the parts leave the range"))?;
    }
    Ok(Some(sum))
}

/// How many go where.
fn parts_of(parts: &[&ReceiptLine], all: Quantity) -> Vec<Part> {
    if parts.is_empty() {
        let whole = Part {
            quantity: all,
            ..Part::default()
        };
        return vec![whole];
    }
    let part = |line: &&ReceiptLine| Part {
        quantity: line.quantity.unwrap_or(all),
        key: line.key.clone(),
        variant: line.variant.clone(),
        place: line.place.clone(),
        batch: line.batch.clone(),
        serial: line.serial.clone(),
    };
    parts.iter().map(part).collect()
}

/// What a line and its part name of their stock.
fn name_of(item: &InventoryOrderItem, part: &Part, site: &Site) -> StockName {
    let arrivals = site.policy.receiving_place.as_ref();
    StockName {
        variant: part.variant.or(item.variant()),
        place: part.place.or(arrivals),
        batch: part.batch.clone(),
        serial: part.serial.clone(),
        ..StockName::of(item.product().id)
    }
}

/// A key that was named: one of the line's product, and of its variant if it has one.
fn named_key(key: &StockKey, item: &InventoryOrderItem, site: &Site) -> Result<StockKey, Error> {
    let fits = key.site == site.id
        && key.product == item.product().id
        && (item.variant().is_none() || key.variant.as_ref() == item.variant());
    if fits {
        return Ok(key.clone());
    }
    Err(Error::invalid(
        "key",
        "another_product",
        "the key is not one of the line's product at the order's site",
    ))
}

/// The id of the event of a receipt follows from the line as it was: no line is received twice from there.
fn event_id(item: InventoryOrderItemId, version: Version, part: usize) -> StockEventId {
    let name = format!("receipt/{version}/{part}");
    StockEventId::new(Uuid::new_v5(&item.as_uuid(), name.as_bytes()))
}

fn reference_of(order: &InventoryOrder) -> Option<Code> {
    order
        .purchase_order_number()
        .and_then(|number| Code::new(number.as_str()).ok())
}

/// The same as a movement: what a batch reads the levels by. Its cost is the order's.
fn as_movement(key: &StockKey, change: &Change) -> NewMovement {
    Movement::ReceiptAtTotal {
        key: key.clone(),
        quantity: change.quantity,
        total: Value::ZERO,
    }
    .into()
}

/// A line of an order, for people: its number there, and what it is of.
fn told_line(item: &InventoryOrderItem) -> String {
    format!("line {}, {}", item.line(), item.product().article_id)
}
