//! Stock adjustments (S2.8 to S2.10).

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, Code, Note, Product, ProductId, Quantity,
    Site, SiteId, Stamp, StockAdjustment, StockAdjustmentId, StockAdjustmentState, StockError,
    StockEvent, StockEventId, StockKey, StockLevel, Terms, TransitionError, Unapproved, UnitCost,
};
use crate::store::{
    ChangeSet, Digest, Guard, Outcome, Page, PageRequest, RepositoryExt, StockAdjustmentFilter,
    Versioned,
};

use super::access::Operation;
use super::call::{Once, Step};
use super::each_row::each_row;
use super::error::{dated, named};
use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;
use super::{Caller, Error, Pending, StockChoice, Stocktake};

/// Stock adjustments (S2.8 to S2.10): a change by hand, with a reason and, when it is large, a second pair of eyes.
///
/// # Example
///
/// ```
/// use stocktake::domain::{AdjustmentType, StockAdjustmentState};
/// use stocktake::service::{Caller, NewStockAdjustment};
/// # let shop = stocktake::testing::shop();
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # shop.open().await?;
/// # let (stocktake, product) = (&shop.stocktake, shop.products[0].id);
/// # let (manager, counter) = (Caller::of(&shop.manager), Caller::of(&shop.counter));
///
/// let adjustments = stocktake.stock_adjustments();
/// let broken = NewStockAdjustment::of(product, AdjustmentType::Damage, "-2".parse()?, "dropped".parse()?);
/// let applied = adjustments.create(&counter, shop.site.id, broken).await?;
/// assert_eq!(applied.applied().map(|it| (it.before, it.after)), Some(("40".parse()?, "38".parse()?)));
///
/// // Theft always waits for a manager, who is somebody else.
/// let stolen = NewStockAdjustment::of(product, AdjustmentType::Theft, "-3".parse()?, "gone".parse()?);
/// let pending = adjustments.create(&counter, shop.site.id, stolen).await?;
/// assert_eq!(pending.state(), StockAdjustmentState::Pending);
/// let approved = adjustments.approve(&manager, pending.id(), None).await?;
/// assert_eq!(approved.applied().map(|it| it.after), Some("35".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StockAdjustments<'a> {
    pub(super) library: &'a Stocktake,
}

/// What is asked for (S2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStockAdjustment {
    /// Of what.
    pub stock: StockChoice,
    /// Why, as a type.
    pub kind: AdjustmentType,
    /// By how much; not zero.
    pub change: Quantity,
    /// Why, in words.
    pub reason: Note,
    /// More about it.
    pub notes: Option<Note>,
    /// The host's reference (a damage report).
    pub reference: Option<Code>,
    /// What one costs: what comes in is booked at it. Without it, what the book says. The approval is decided by the
    /// larger of the two.
    pub unit_cost: Option<UnitCost>,
}

impl NewStockAdjustment {
    /// A change, and why.
    pub fn of(
        stock: impl Into<StockChoice>,
        kind: AdjustmentType,
        change: Quantity,
        reason: Note,
    ) -> Self {
        Self {
            stock: stock.into(),
            kind,
            change,
            reason,
            notes: None,
            reference: None,
            unit_cost: None,
        }
    }
}

impl<'a> StockAdjustments<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Asks for an adjustment (S2.9). It is applied at once, unless the site's approval policy wants a manager
    /// first: then it waits, and the ledger knows nothing of it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site, [`Error::Forbidden`], [`Error::Invalid`] for a change of zero, a loss that is up,
    /// a find that is down, an unknown
    /// product or one that is kept at several places, [`Error::Key`], [`Error::Stock`],
    /// [`Error::SerialElsewhere`], [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn create<'c>(
        &'c self,
        caller: &'c Caller,
        at: SiteId,
        new: NewStockAdjustment,
    ) -> Pending<'c, StockAdjustment> {
        Box::pin(async move {
            let library = self.library;
            let operation = "create_stock_adjustment";
            let digest = Digest::of(operation)
                .field(at)
                .request(&new.stock)
                .field(new.kind)
                .field(new.change)
                .field(&new.reason)
                .optional(new.notes.as_ref())
                .optional(new.reference.as_ref())
                .optional(new.unit_cost);
            let mut call = library.begin(caller, operation, digest)?;
            let fresh = StockAdjustmentId::new(library.ids.next());
            loop {
                let site = library.visible_site(&call.stamp, at).await?;
                call.require(Operation::CreateAdjustment)?;
                if let Some(outcome) = library.replay(&call).await? {
                    return adjustment_of(outcome);
                }
                if new.change.is_zero() {
                    return Err(Error::invalid(
                        "change",
                        "zero_quantity",
                        "the change must not be zero",
                    ));
                }
                let (key, product) = library
                    .chosen_stock(site.organisation, site.id, &new.stock)
                    .await?;
                let (id, unapproved) = if site.policy.approval.daily.is_set() {
                    let today = library.adjusted_today(&call.stamp, site.id, product.id);
                    today.await?
                } else {
                    (fresh, Unapproved::default())
                };
                let stock = library.adjusted_stock(&site, key, product).await?;
                let (asked, moved) = stock.asked(id, &new, unapproved, &call.stamp)?;
                let (next, moved) = if asked.requires_approval() {
                    (asked, None)
                } else {
                    let moved = match moved {
                        Ok(moved) => moved,
                        Err(error) => {
                            return Err(library.with_names(site.organisation, error).await);
                        }
                    };
                    (asked.apply(&moved.event)?, Some(moved))
                };
                let outcome = Outcome::StockAdjustment(Arc::new(next.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.guard(Guard::site(&site));
                    changes.insert(next);
                    stock.write(changes, moved);
                });
                if let Step::Done(outcome) = step.await? {
                    return adjustment_of(outcome);
                }
            }
        })
    }

    /// Approves an adjustment (S2.10): it is applied at this moment, and what was on hand before and after is taken
    /// now. A second approval changes nothing, and says so.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::SelfApproval`], [`Error::Transition`] when it is decided
    /// already, [`Error::Stock`], [`Error::SerialElsewhere`], [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn approve<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockAdjustmentId,
        notes: Option<Note>,
    ) -> Pending<'c, StockAdjustment> {
        Box::pin(async move {
            let library = self.library;
            let operation = "approve_stock_adjustment";
            let digest = Digest::of(operation).field(id).optional(notes.as_ref());
            let mut call = library.begin(caller, operation, digest)?;
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let read = match library
                    .once(&call, Operation::DecideAdjustment, seen)
                    .await?
                {
                    Once::First(read) => read,
                    Once::Again(outcome) => return adjustment_of(outcome),
                };
                let asked = &read.value;
                asked.may_approve(&call.stamp).map_err(four_eyes)?;
                let site = library.site(asked.organisation(), asked.site()).await?;
                let (key, product) = library
                    .chosen_stock(site.organisation, site.id, &asked.key().clone().into())
                    .await?;
                let stock = library.adjusted_stock(&site, key, product).await?;
                let moved = match stock.moved_by(asked, &call.stamp) {
                    Ok(moved) => moved,
                    Err(error) => {
                        return Err(library.with_names(site.organisation, error).await);
                    }
                };
                let next = asked.approve(&moved.event, notes.clone(), &call.stamp)?;
                let outcome = Outcome::StockAdjustment(Arc::new(next.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.guard(Guard::site(&site));
                    changes.update(read.version, next);
                    stock.write(changes, Some(moved));
                });
                if let Step::Done(outcome) = step.await? {
                    return adjustment_of(outcome);
                }
            }
        })
    }

    /// Turns an adjustment down, with a reason (S2.10). Who asked for it may, too.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when it is decided already,
    /// [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn reject<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockAdjustmentId,
        reason: Note,
    ) -> Pending<'c, StockAdjustment> {
        Box::pin(async move {
            let library = self.library;
            let operation = "reject_stock_adjustment";
            let digest = Digest::of(operation).field(id).field(&reason);
            let mut call = library.begin(caller, operation, digest)?;
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let read = match library
                    .once(&call, Operation::DecideAdjustment, seen)
                    .await?
                {
                    Once::First(read) => read,
                    Once::Again(outcome) => return adjustment_of(outcome),
                };
                let next = read.value.reject(reason.clone(), &call.stamp)?;
                let outcome = Outcome::StockAdjustment(Arc::new(next.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.update(read.version, next);
                });
                if let Step::Done(outcome) = step.await? {
                    return adjustment_of(outcome);
                }
            }
        })
    }

    /// Reads an adjustment.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn get<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockAdjustmentId,
    ) -> Pending<'c, StockAdjustment> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await.map(|read| read.value)
        })
    }

    /// A site's adjustments, the oldest first (S2.8), those that counts made among them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site; failures of the store, an invalid cursor among them.
    #[inline(never)]
    pub fn list<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: &'c StockAdjustmentFilter,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockAdjustment>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.library.visible_site(&stamp, site).await?;
            dated("from", filter.from)?;
            dated("to", filter.to)?;
            let found = self
                .library
                .repository
                .stock_adjustments(stamp.actor.organisation, site, filter, page)
                .await?;
            Ok(found.map(|read| read.value))
        })
    }

    /// A site's adjustments that wait for a manager, the oldest first (S2.8).
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    #[inline(never)]
    pub fn pending<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockAdjustment>> {
        Box::pin(async move {
            let filter = StockAdjustmentFilter {
                states: [StockAdjustmentState::Pending].into(),
                ..StockAdjustmentFilter::default()
            };
            self.list(caller, site, &filter, page).await
        })
    }

    /// The adjustments of one product at a site, the oldest first (S2.8).
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), and [`Error::NotFound`] for an unknown product.
    #[inline(never)]
    pub fn of_product<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        product: ProductId,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockAdjustment>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.library.visible_site(&stamp, site).await?;
            let known = self
                .library
                .repository
                .products(stamp.actor.organisation, &[product])
                .await?;
            if known.iter().flatten().next().is_none() {
                return Err(Error::not_found("product"));
            }
            let filter = StockAdjustmentFilter {
                product: Some(product),
                ..StockAdjustmentFilter::default()
            };
            self.list(caller, site, &filter, page).await
        })
    }

    /// An adjustment that the actor can see.
    async fn visible(
        &self,
        stamp: &Stamp,
        id: StockAdjustmentId,
    ) -> Result<Versioned<StockAdjustment>, Error> {
        let adjustment = self
            .library
            .repository
            .stock_adjustment(stamp.actor.organisation, id)
            .await?;
        adjustment
            .filter(|adjustment| stamp.actor.sees(adjustment.value.site()))
            .ok_or(Error::not_found("stock adjustment"))
    }
}

/// The stock that an adjustment changes, as it was read.
struct AdjustedStock<'a> {
    site: &'a Site,
    key: StockKey,
    product: Arc<Product>,
    level: Option<Versioned<StockLevel>>,
    /// What a unit costs at the product's other keys, as far as this one knows nothing.
    elsewhere: Option<UnitCost>,
    serials: SerialMarks,
}

/// What an adjustment makes of its stock.
struct Moved {
    level: StockLevel,
    event: StockEvent,
    /// All, in order.
    events: Vec<StockEvent>,
    serials: SerialMarks,
}

impl Stocktake {
    /// What the actor has adjusted of a product today without an approval, and the id of the next adjustment. The id
    /// follows from how many there are: of two that are asked for at the same moment one finds its id taken, and
    /// looks again.
    async fn adjusted_today(
        &self,
        stamp: &Stamp,
        site: SiteId,
        product: ProductId,
    ) -> Result<(StockAdjustmentId, Unapproved), Error> {
        let (from, to) = stamp.at.day();
        let filter = StockAdjustmentFilter {
            from: Some(from),
            to,
            product: Some(product),
            ..StockAdjustmentFilter::default()
        };
        let (mut number, mut sum) = (0_u64, Unapproved::default());
        let (repository, filter) = (&self.repository, &filter);
        let (organisation, by) = (stamp.actor.organisation, stamp.actor.user.id);
        let read = |page| async move {
            repository
                .stock_adjustments(organisation, site, filter, &page)
                .await
        };
        each_row(read, |found| {
            let one = found.value;
            if one.created_by().id == by && one.count().is_none() {
                number = number.saturating_add(1);
                if one.applied().is_some() && !one.requires_approval() {
                    sum = sum.and(one.change(), one.cost_impact())?;
                }
            }
            Ok(())
        })
        .await?;
        let name = format!("{site}/{product}/{from}/{number}");
        let id = Uuid::new_v5(&stamp.actor.user.id.as_uuid(), name.as_bytes());
        Ok((StockAdjustmentId::new(id), sum))
    }

    async fn adjusted_stock<'a>(
        &self,
        site: &'a Site,
        key: StockKey,
        product: Arc<Product>,
    ) -> Result<AdjustedStock<'a>, Error> {
        let keys = std::slice::from_ref(&key);
        let levels = self.repository.levels(site.organisation, keys).await?;
        let serials = self
            .serial_marks(site.organisation, keys, site.policy.serials)
            .await?;
        let level = levels.into_iter().flatten().next();
        let knows = level.as_ref().is_some_and(|read| read.value.knows_cost());
        let unknown = Some(key.product).filter(|_| !knows);
        let mut costs = SiteCosts::default();
        self.add_site_costs(
            &mut costs,
            (site.organisation, site.id),
            unknown.into_iter().collect(),
        )
        .await?;
        Ok(AdjustedStock {
            elsewhere: costs.unit_cost(site.id, key.product),
            site,
            key,
            product,
            level,
            serials,
        })
    }
}

impl AdjustedStock<'_> {
    fn standard(&self) -> Option<UnitCost> {
        self.product.standard_cost(self.site.currency)
    }

    /// The adjustment, and what it makes of the stock, if it can be applied. It is judged also by what the book would
    /// lose or gain.
    fn asked(
        &self,
        id: StockAdjustmentId,
        new: &NewStockAdjustment,
        unapproved: Unapproved,
        stamp: &Stamp,
    ) -> Result<(StockAdjustment, Result<Moved, Error>), Error> {
        let policy = &self.site.policy.approval;
        let mut request = self.request(new, unapproved);
        let ask = |request| {
            StockAdjustment::request(id, self.site, request, policy, stamp)
                .map_err(requested_wrongly)
        };
        let moved = self.moved_by(&ask(request.clone())?, stamp);
        if let Err(Error::Stock { problem, .. }) = &moved
            && *problem == StockError::CostUnknown
        {
            // Nobody's approval makes it known.
            return Err(self.refused(StockError::CostUnknown));
        }
        request.cost.change = moved.as_ref().ok().map(|moved| moved.event.value_change);
        Ok((ask(request)?, moved))
    }

    fn refused(&self, problem: StockError) -> Error {
        Error::stock(&self.key, Some(&self.product), self.site, problem)
    }

    fn request(&self, new: &NewStockAdjustment, unapproved: Unapproved) -> AdjustmentRequest {
        let otherwise = self.elsewhere.or(self.standard());
        let book = match self.level.as_ref().map(|read| &read.value) {
            Some(level) => level.valuation().current_cost(level.quantity(), otherwise),
            None => otherwise,
        };
        AdjustmentRequest {
            key: self.key.clone(),
            kind: new.kind,
            change: new.change,
            reason: new.reason.clone(),
            notes: new.notes.clone(),
            reference: new.reference.clone(),
            cost: AdjustmentCost {
                stated: new.unit_cost,
                book,
                change: None,
            },
            unapproved,
        }
    }

    fn moved_by(&self, adjustment: &StockAdjustment, stamp: &Stamp) -> Result<Moved, Error> {
        let terms = Terms {
            site: self.site,
            standard: self.standard(),
            elsewhere: self.elsewhere,
            at: stamp.at,
            by: stamp.actor.user.id,
        };
        let blank = StockLevel::new(self.key.clone(), stamp.at);
        let level = self.level.as_ref().map_or(&blank, |read| &read.value);
        // The id follows from the adjustment, so that no store with unique ids applies it twice.
        let event = StockEventId::new(Uuid::new_v5(&adjustment.id().as_uuid(), b"applied"));
        let (next, events) = level
            .apply(adjustment.ledger_change(event), &terms)
            .map_err(|problem| self.refused(problem))?;
        let refused = |problem| Error::Key {
            key: Box::new(self.key.clone()),
            name: named(&self.key, Some(&self.product), Some(self.site)).into(),
            problem,
        };
        let before = (level.is_stocked(), level.quantity());
        self.key
            .check_change(&self.product, before, next.quantity())
            .map_err(refused)?;
        let mut serials = self.serials.clone();
        serials
            .moved(level.quantity(), &next, self.site.policy.serials)
            .map_err(|elsewhere| elsewhere.error(&stamp.actor))?;
        // It states no time of its own, so the last event is the adjustment's, after at most a revaluation.
        let event = events.last().cloned().ok_or(Error::Conflict)?;
        Ok(Moved {
            level: next,
            event,
            events,
            serials,
        })
    }

    fn write(&self, changes: &mut ChangeSet, moved: Option<Moved>) {
        if let Some(moved) = moved {
            changes.put(self.level.as_ref(), moved.level);
            for event in moved.events {
                changes.event(event);
            }
            moved.serials.write(changes);
        }
    }
}

/// What is wrong with a request is no matter of a state.
fn requested_wrongly(error: TransitionError) -> Error {
    match error {
        TransitionError::Rule { code, message }
            if code == "wrong_direction" || code == "out_of_range" =>
        {
            Error::invalid("change", code, message)
        }
        TransitionError::Rule { .. }
        | TransitionError::State { .. }
        | TransitionError::ItemsBeingAdded
        | TransitionError::NoLines { .. } => Error::Transition(error),
    }
}

/// Who may approve is a matter of rights, not of the state.
fn four_eyes(error: TransitionError) -> Error {
    if is_rule(&error, "self_approval") {
        Error::SelfApproval
    } else {
        Error::Transition(error)
    }
}

fn is_rule(error: &TransitionError, expected: &str) -> bool {
    matches!(error, TransitionError::Rule { code, .. } if *code == expected)
}

fn adjustment_of(outcome: Outcome) -> Result<StockAdjustment, Error> {
    outcome
        .stock_adjustment()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}
