//! A stock adjustment: a change by hand, with a reason and, when it is large, a second pair of eyes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transition::{edge, named_states, step};
use super::{
    ApprovalPolicy, Cause, Change, Code, Currency, DecimalError, Edge, IncomingCost,
    InventoryCount, InventoryCountId, InventoryCountItem, InventoryCountItemId, Machine, Note,
    OrganisationId, Pick, Quantity, Site, SiteId, Stamp, StockAdjustmentId, StockEvent,
    StockEventId, StockEventKind, StockKey, Timestamp, TransitionError, Unapproved, UnitCost,
    UserSummary, Value, Variance,
};

named_states! {
    /// Why stock is adjusted.
    AdjustmentType {
        /// Broken, spilled, spoiled.
        Damage = "DAMAGE",
        /// Stolen.
        Theft = "THEFT",
        /// Past its date.
        Expired = "EXPIRED",
        /// Turned up.
        Found = "FOUND",
        /// The book was wrong.
        Correction = "CORRECTION",
        /// Came back, or went back.
        Return = "RETURN",
    }
}

named_states! {
    /// Where an adjustment stands.
    StockAdjustmentState {
        /// It waits for a manager; the ledger knows nothing of it.
        Pending = "pending",
        /// It is in the ledger: approved, or none was needed.
        Applied = "applied",
        /// A manager said no.
        Rejected = "rejected",
    }
}

named_states! {
    /// What can be asked of an adjustment.
    StockAdjustmentCommand {
        /// Apply it without an approval.
        Apply = "apply",
        /// Approve and apply it (S2.10).
        Approve = "approve",
        /// Turn it down (S2.10).
        Reject = "reject",
    }
}

impl AdjustmentType {
    /// Whether stock may change so for this reason: what is lost goes out, what is found comes in.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `wrong_direction`.
    pub const fn may_change(self, change: Quantity) -> Result<(), TransitionError> {
        let message = match self {
            Self::Damage | Self::Theft | Self::Expired if change.is_positive() => {
                "damage, theft and what expired only take out"
            }
            Self::Found if change.is_negative() => "what is found only comes in",
            Self::Damage
            | Self::Theft
            | Self::Expired
            | Self::Found
            | Self::Correction
            | Self::Return => return Ok(()),
        };
        Err(TransitionError::Rule {
            code: "wrong_direction",
            message,
        })
    }
}

use StockAdjustmentCommand as Command;
use StockAdjustmentState as State;

/// What leads where. Everything else is refused.
pub const STOCK_ADJUSTMENT_TRANSITIONS: &[Edge<StockAdjustmentState, StockAdjustmentCommand>] = &[
    edge(State::Pending, Command::Apply, State::Applied),
    edge(State::Pending, Command::Approve, State::Applied),
    edge(State::Pending, Command::Reject, State::Rejected),
];

impl StockAdjustmentId {
    /// The id of the adjustment that a line of a count makes. It follows from the line, so that a line makes
    /// one, however often it is tried.
    pub fn for_count_item(item: InventoryCountItemId) -> Self {
        Self::new(Uuid::new_v5(&item.as_uuid(), b"adjustment"))
    }
}

/// A stock adjustment. It changes only by its transitions.
///
/// Deciding and applying are one step, and land in one commit: check with [`may_apply`](Self::may_apply) or
/// [`may_approve`](Self::may_approve), put [`ledger_change`](Self::ledger_change) through the level, and hand
/// the event to [`apply`](Self::apply) or [`approve`](Self::approve), which keep what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockAdjustment {
    id: StockAdjustmentId,
    organisation: OrganisationId,
    site: SiteId,
    currency: Currency,
    key: StockKey,
    kind: AdjustmentType,
    change: Quantity,
    reason: Note,
    notes: Option<Note>,
    reference: Option<Code>,
    unit_cost: Option<UnitCost>,
    cost_is_stated: bool,
    cost_impact: Value,
    cost_impact_minor: i64,
    requires_approval: bool,
    policy: Option<ApprovalPolicy>,
    count: Option<InventoryCountId>,
    state: StockAdjustmentState,
    applied: Option<AppliedChange>,
    created_by: UserSummary,
    created_at: Timestamp,
    decided_by: Option<UserSummary>,
    decided_at: Option<Timestamp>,
    decision_notes: Option<Note>,
}

/// What is asked for (S2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRequest {
    /// What to adjust.
    pub key: StockKey,
    /// Why, as a type.
    pub kind: AdjustmentType,
    /// By how much; never zero.
    pub change: Quantity,
    /// Why, in words.
    pub reason: Note,
    /// More about it.
    pub notes: Option<Note>,
    /// The host's reference (a damage report).
    pub reference: Option<Code>,
    /// What it costs, as far as that is known.
    pub cost: AdjustmentCost,
    /// What the same person has adjusted of the product today without anybody's approval.
    pub unapproved: Unapproved,
}

/// What an adjustment costs. The greatest of what is known decides on the approval: whoever states a cost makes an
/// adjustment no smaller than the book says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdjustmentCost {
    /// What one unit costs, as who asks says. What comes in is booked at this cost; without it, at what the book says
    /// when it is applied.
    pub stated: Option<UnitCost>,
    /// What one unit costs, as the book says now.
    pub book: Option<UnitCost>,
    /// What the book would lose or gain if it were applied now, where it can be.
    pub change: Option<Value>,
}

impl AdjustmentCost {
    /// Whether it is known what a change costs. What goes out costs what the book says, whatever is stated.
    const fn is_known(&self, change: Quantity) -> bool {
        self.book.is_some() || (self.stated.is_some() && change.is_positive())
    }

    /// The greatest of what a change comes to, with its sign.
    fn impact(&self, change: Quantity, currency: Currency) -> Result<Value, DecimalError> {
        let mut greatest = self.change.unwrap_or(Value::ZERO);
        for cost in [self.stated, self.book].into_iter().flatten() {
            let worth = Value::of(change, cost, currency)?;
            if worth.abs() > greatest.abs() {
                greatest = worth;
            }
        }
        Ok(greatest)
    }
}

/// What an adjustment did when it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedChange {
    /// The ledger event.
    pub event: StockEventId,
    /// What was on hand before.
    pub before: Quantity,
    /// What was on hand after.
    pub after: Quantity,
    /// By how much the value changed, under the site's costing method.
    pub value_change: Value,
    /// When.
    pub at: Timestamp,
}

impl AppliedChange {
    /// What an event did.
    pub const fn of(event: &StockEvent) -> Self {
        Self {
            event: event.id,
            before: event.before,
            after: event.after,
            value_change: event.value_change,
            at: event.recorded_at,
        }
    }
}

impl StockAdjustment {
    /// A new adjustment (S2.9), judged by the policy as it is now. It waits, either for a manager or, when it
    /// [needs no approval](Self::requires_approval), to be applied in the same commit.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`]: `no_change` for a change of zero, `wrong_direction` for a loss that is up or a find
    /// that is down, `other_site` when the key is not the
    /// site's, `out_of_range` when the cost impact leaves its range.
    pub fn request(
        id: StockAdjustmentId,
        site: &Site,
        request: AdjustmentRequest,
        policy: &ApprovalPolicy,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        if request.change.is_zero() {
            return Err(TransitionError::Rule {
                code: "no_change",
                message: "an adjustment changes the quantity",
            });
        }
        if request.key.site != site.id {
            return Err(TransitionError::Rule {
                code: "other_site",
                message: "the stock is of another site",
            });
        }
        request.kind.may_change(request.change)?;
        let cost_impact = request.cost.impact(request.change, site.currency)?;
        let cost_impact_minor = cost_impact.to_money(site.currency).minor();
        let cost_impact_minor =
            i64::try_from(cost_impact_minor).map_err(|_| DecimalError::OutOfRange)?;
        let sum = request.unapproved.and(request.change, cost_impact)?;
        let requires_approval = !request.cost.is_known(request.change)
            || policy.requires_approval(request.kind, request.change, cost_impact)
            || policy.daily.is_passed_by(sum);
        Ok(Self {
            id,
            organisation: site.organisation,
            site: site.id,
            currency: site.currency,
            requires_approval,
            key: request.key,
            kind: request.kind,
            change: request.change,
            reason: request.reason,
            notes: request.notes,
            reference: request.reference,
            unit_cost: request.cost.stated.or(request.cost.book),
            cost_is_stated: request.cost.stated.is_some(),
            cost_impact,
            cost_impact_minor,
            policy: Some(policy.clone()),
            count: None,
            state: State::Pending,
            applied: None,
            created_by: stamp.actor.user.clone(),
            created_at: stamp.at,
            decided_by: None,
            decided_at: None,
            decision_notes: None,
        })
    }

    /// The record of what completing a count changed on a line (S2.5): approved beforehand by who completes
    /// the count, however large it is, and applied by `event`.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`] unless the count is completing; [`TransitionError::Rule`]: `other_event`
    /// when the event is not the count's or not of the line's key, `no_change` when it changed nothing,
    /// `out_of_range`.
    pub fn of_count(
        count: &InventoryCount,
        item: &InventoryCountItem,
        event: &StockEvent,
        reason: Note,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let by = count.completing_by()?;
        if event.cause != Cause::InventoryCount(count.id())
            || item.count != count.id()
            || item.key != event.key
        {
            return Err(OTHER_EVENT);
        }
        if event.change.is_zero() {
            return Err(TransitionError::Rule {
                code: "no_change",
                message: "an adjustment changes the quantity",
            });
        }
        let unit_cost = item.counted.unit_cost;
        let worth = Variance::of(Quantity::ZERO, event.change, unit_cost, count.currency())?;
        Ok(Self {
            id: StockAdjustmentId::for_count_item(item.id),
            organisation: count.organisation(),
            site: count.site(),
            currency: count.currency(),
            key: item.key.clone(),
            kind: AdjustmentType::Correction,
            change: event.change,
            reason,
            notes: item.notes.clone(),
            reference: None,
            unit_cost,
            cost_is_stated: false,
            cost_impact: worth.value(),
            cost_impact_minor: worth.minor(),
            requires_approval: false,
            policy: None,
            count: Some(count.id()),
            state: State::Applied,
            applied: Some(AppliedChange::of(event)),
            created_by: by.clone(),
            created_at: at,
            decided_by: Some(by.clone()),
            decided_at: Some(at),
            decision_notes: None,
        })
    }

    /// Its id.
    pub const fn id(&self) -> StockAdjustmentId {
        self.id
    }

    /// Its organisation.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// Its site.
    pub const fn site(&self) -> SiteId {
        self.site
    }

    /// The currency of its cost impact.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// What is adjusted.
    pub const fn key(&self) -> &StockKey {
        &self.key
    }

    /// Why, as a type.
    pub const fn kind(&self) -> AdjustmentType {
        self.kind
    }

    /// By how much.
    pub const fn change(&self) -> Quantity {
        self.change
    }

    /// Why, in words.
    pub const fn reason(&self) -> &Note {
        &self.reason
    }

    /// More about it.
    pub const fn notes(&self) -> Option<&Note> {
        self.notes.as_ref()
    }

    /// The host's reference.
    pub const fn reference(&self) -> Option<&Code> {
        self.reference.as_ref()
    }

    /// The cost of one unit that it was judged by.
    pub const fn unit_cost(&self) -> Option<UnitCost> {
        self.unit_cost
    }

    /// What it costs as it was judged, exactly: what the book would lose or gain, or change times the stated cost if
    /// that is more. What the ledger booked when it was
    /// applied is in [`applied`](Self::applied).
    pub const fn cost_impact(&self) -> Value {
        self.cost_impact
    }

    /// The same in the minor unit, rounded once.
    pub const fn cost_impact_minor(&self) -> i64 {
        self.cost_impact_minor
    }

    /// Whether it needs, or needed, a manager's approval.
    pub const fn requires_approval(&self) -> bool {
        self.requires_approval
    }

    /// The policy that it was judged by; `None` for what a count found.
    pub const fn policy(&self) -> Option<&ApprovalPolicy> {
        self.policy.as_ref()
    }

    /// The count that made it.
    pub const fn count(&self) -> Option<InventoryCountId> {
        self.count
    }

    /// Where it stands.
    pub const fn state(&self) -> StockAdjustmentState {
        self.state
    }

    /// What it did, once it is applied.
    pub const fn applied(&self) -> Option<&AppliedChange> {
        self.applied.as_ref()
    }

    /// Who asked for it.
    pub const fn created_by(&self) -> &UserSummary {
        &self.created_by
    }

    /// When it was asked for.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Who approved or rejected it; nobody when it needed no approval.
    pub const fn decided_by(&self) -> Option<&UserSummary> {
        self.decided_by.as_ref()
    }

    /// When it was approved or rejected.
    pub const fn decided_at(&self) -> Option<Timestamp> {
        self.decided_at
    }

    /// What was said about the decision; the reason of a rejection.
    pub const fn decision_notes(&self) -> Option<&Note> {
        self.decision_notes.as_ref()
    }

    /// When it last changed.
    pub fn updated_at(&self) -> Timestamp {
        let applied_at = self.applied.map(|applied| applied.at);
        let later = self.decided_at.max(applied_at);
        later.map_or(self.created_at, |at| at.max(self.created_at))
    }

    /// Whether the state allows a command.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`].
    pub fn allows(
        &self,
        command: StockAdjustmentCommand,
    ) -> Result<StockAdjustmentState, TransitionError> {
        step(
            STOCK_ADJUSTMENT_TRANSITIONS,
            Machine::StockAdjustment,
            self.state,
            command,
        )
    }

    fn take_step(&self, command: StockAdjustmentCommand) -> Result<Self, TransitionError> {
        Ok(Self {
            state: self.allows(command)?,
            ..self.clone()
        })
    }

    /// Whether it may be applied without a manager.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `approval_required` when it may not.
    pub fn may_apply(&self) -> Result<(), TransitionError> {
        self.allows(Command::Apply)?;
        if self.requires_approval {
            return Err(TransitionError::Rule {
                code: "approval_required",
                message: "the adjustment needs a manager's approval",
            });
        }
        Ok(())
    }

    /// Whether the actor may approve it: nobody approves their own, unless the policy that it was judged by
    /// says so.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`] when it is decided already; [`TransitionError::Rule`] `self_approval`.
    pub fn may_approve(&self, stamp: &Stamp) -> Result<(), TransitionError> {
        self.allows(Command::Approve)?;
        let allowed = self
            .policy
            .as_ref()
            .is_some_and(|policy| policy.self_approval);
        if !allowed && stamp.actor.user.id == self.created_by.id {
            return Err(TransitionError::Rule {
                code: "self_approval",
                message: "nobody approves their own adjustment",
            });
        }
        Ok(())
    }

    /// The change to the level that it asks for, as the event `event`: it happens when it is applied.
    pub fn ledger_change(&self, event: StockEventId) -> Change {
        Change {
            id: event,
            kind: StockEventKind::Adjustment,
            quantity: self.change,
            cost: match self.unit_cost {
                Some(cost) if self.cost_is_stated => IncomingCost::PerUnit(cost),
                Some(_) | None => IncomingCost::Current,
            },
            pick: Pick::Oldest,
            occurred_at: None,
            reason: Some(self.reason.clone()),
            reference: self.reference.clone(),
            cause: Cause::Adjustment(self.id),
            of: None,
            reverses: None,
        }
    }

    /// It is applied without an approval, by `event`.
    ///
    /// # Errors
    ///
    /// As [`may_apply`](Self::may_apply); [`TransitionError::Rule`] `other_event` when the event is not what
    /// it asked for.
    pub fn apply(&self, event: &StockEvent) -> Result<Self, TransitionError> {
        self.may_apply()?;
        self.applied_by(Command::Apply, event)
    }

    /// It is approved, and with that applied, by `event` (S2.10).
    ///
    /// # Errors
    ///
    /// As [`may_approve`](Self::may_approve); [`TransitionError::Rule`] `other_event` when the event is not
    /// what it asked for.
    pub fn approve(
        &self,
        event: &StockEvent,
        notes: Option<Note>,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        self.may_approve(stamp)?;
        Ok(Self {
            decided_by: Some(stamp.actor.user.clone()),
            decided_at: Some(stamp.at),
            decision_notes: notes,
            ..self.applied_by(Command::Approve, event)?
        })
    }

    fn applied_by(
        &self,
        command: StockAdjustmentCommand,
        event: &StockEvent,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(command)?;
        if event.cause != Cause::Adjustment(self.id)
            || event.key != self.key
            || event.change != self.change
        {
            return Err(OTHER_EVENT);
        }
        Ok(Self {
            applied: Some(AppliedChange::of(event)),
            ..next
        })
    }

    /// A manager turns it down (S2.10). Who asked for it may, too.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn reject(&self, reason: Note, stamp: &Stamp) -> Result<Self, TransitionError> {
        Ok(Self {
            decided_by: Some(stamp.actor.user.clone()),
            decided_at: Some(stamp.at),
            decision_notes: Some(reason),
            ..self.take_step(Command::Reject)?
        })
    }
}

/// An event that belongs to something else was handed in.
const OTHER_EVENT: TransitionError = TransitionError::Rule {
    code: "other_event",
    message: "the ledger event belongs to something else",
};
