//! Every state machine, cell by cell: each command in each state, on an object that is really in that state.
//!
//! What a table lists leads where it says; what it does not list is refused by the state, and nothing changes.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::shop::{at, by, key, note, product, site, supplier};
use stocktake::domain::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, ApprovalPolicy, CompletionOptions,
    CompletionStage, CountType, Edge, INVENTORY_COUNT_TRANSITIONS, INVENTORY_ORDER_TRANSITIONS,
    ImportMode, ImportProblem, InitialState, InventoryCount, InventoryCountCommand,
    InventoryCountDetails, InventoryCountId, InventoryCountState, InventoryOrder,
    InventoryOrderCommand, InventoryOrderDetails, InventoryOrderId, InventoryOrderItem,
    InventoryOrderItemId, InventoryOrderState, JobId, Label, Machine, MovementPolicy, Ordered,
    Population, PopulationSource, PostingOptions, PostingResult, Quantity, ReceiptPolicy, Run,
    STOCK_ADJUSTMENT_TRANSITIONS, STOCK_IMPORT_TRANSITIONS, STOCK_TAKE_TRANSITIONS, Stamp,
    StockAdjustment, StockAdjustmentCommand, StockAdjustmentId, StockAdjustmentState, StockEvent,
    StockEventId, StockImport, StockImportCommand, StockImportId, StockImportState, StockLevel,
    StockTake, StockTakeCommand, StockTakeDetails, StockTakeId, StockTakePlace, StockTakeState,
    Terms, TransitionError, Unapproved,
};
use uuid::Uuid;

/// A machine under test.
struct Walk<T, S: 'static, C: 'static> {
    machine: Machine,
    table: &'static [Edge<S, C>],
    states: &'static [S],
    commands: &'static [C],
    /// The states that an object can begin in.
    initial: &'static [S],
    /// Objects that are in the state, by legal transitions only. Between them, they are ready for every
    /// command that the state allows.
    examples: fn(S) -> Vec<T>,
    state_of: fn(&T) -> S,
    call: fn(&T, C) -> Result<T, TransitionError>,
}

impl<T, S, C> Walk<T, S, C>
where
    T: Clone + PartialEq + Debug,
    S: Copy + PartialEq + Ord + Debug + Into<&'static str>,
    C: Copy + PartialEq + Debug,
{
    fn check(&self) {
        self.rows_are_unique();
        self.states_are_reachable();
        let mut cells = 0;
        for state in self.states {
            let examples = (self.examples)(*state);
            assert!(!examples.is_empty(), "{state:?}: no example");
            for command in self.commands {
                self.check_cell(*state, *command, &examples);
                cells += 1;
            }
        }
        assert_eq!(cells, self.states.len() * self.commands.len());
    }

    fn rows_are_unique(&self) {
        for (n, edge) in self.table.iter().enumerate() {
            let again = self.table.iter().skip(n + 1).any(|other| {
                let Edge { from, command, .. } = other;
                *from == edge.from && *command == edge.command
            });
            assert!(!again, "{edge:?} is there twice");
        }
    }

    fn states_are_reachable(&self) {
        let mut reached: BTreeSet<S> = self.initial.iter().copied().collect();
        loop {
            let more: BTreeSet<S> = self
                .table
                .iter()
                .filter(|edge| reached.contains(&edge.from))
                .map(|edge| edge.to)
                .chain(reached.iter().copied())
                .collect();
            if more == reached {
                break;
            }
            reached = more;
        }
        for state in self.states {
            assert!(reached.contains(state), "{state:?} is never reached");
        }
    }

    fn check_cell(&self, state: S, command: C, examples: &[T]) {
        let row = self
            .table
            .iter()
            .find(|edge| edge.from == state && edge.command == command);
        let cell = format!("{:?}: {command:?} in {state:?}", self.machine);
        let mut led_on = false;
        for example in examples {
            assert_eq!((self.state_of)(example), state, "{cell}: not an example");
            let before = example.clone();
            let result = (self.call)(example, command);
            assert_eq!(*example, before, "{cell}: the object has changed");
            match (row, result) {
                (Some(edge), Ok(next)) => {
                    assert_eq!((self.state_of)(&next), edge.to, "{cell}");
                    led_on = true;
                }
                // The example is in the state, but not ready for this command; another one is.
                (Some(_), Err(error)) => {
                    let refused = matches!(error, TransitionError::State { .. });
                    assert!(!refused, "{cell}: {error}");
                }
                (None, Ok(next)) => panic!("{cell}: led to {:?}", (self.state_of)(&next)),
                (None, Err(error)) => {
                    let TransitionError::State {
                        machine,
                        state: in_,
                        ..
                    } = error
                    else {
                        panic!("{cell}: refused by {error}, not by the state");
                    };
                    assert_eq!((machine, in_), (self.machine, state.into()), "{cell}");
                }
            }
        }
        assert!(row.is_none() || led_on, "{cell}: no example was ready");
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn job() -> JobId {
    JobId::new(id(0x10b))
}

// ---- stock takes -------------------------------------------------------------------------------

#[test]
fn stock_takes() {
    Walk {
        machine: Machine::StockTake,
        table: STOCK_TAKE_TRANSITIONS,
        states: StockTakeState::ALL,
        commands: StockTakeCommand::ALL,
        initial: &[StockTakeState::New, StockTakeState::Ongoing],
        examples: takes_in,
        state_of: StockTake::state,
        call: ask_take,
    }
    .check();
}

fn details() -> StockTakeDetails {
    StockTakeDetails {
        name: None,
        description: Some(Label::new("Spring").unwrap()),
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::default(),
    }
}

fn take(state: InitialState) -> StockTake {
    let site = site();
    let place = StockTakePlace {
        organisation: site.organisation,
        site: site.id,
        currency: site.currency,
    };
    StockTake::create(StockTakeId::new(id(9)), place, details(), state, &by(1, 0))
}

fn run() -> Run {
    let posting =
        take(InitialState::Ongoing).begin_posting(PostingOptions::default(), job(), &by(1, 1));
    posting.unwrap().run().unwrap().clone()
}

fn posted(unposted: u64) -> StockTake {
    let take = take(InitialState::Ongoing);
    let posting = take.begin_posting(PostingOptions::default(), job(), &by(1, 1));
    let posting = posting.unwrap();
    let mut run = posting.run().unwrap().clone();
    run.tally = PostingResult {
        unposted,
        ..PostingResult::default()
    };
    let posted = posting.advance(run, at(2)).unwrap();
    posted.complete_posting(at(3)).unwrap()
}

fn takes_in(state: StockTakeState) -> Vec<StockTake> {
    let ongoing = take(InitialState::Ongoing);
    match state {
        StockTakeState::New => vec![take(InitialState::New)],
        StockTakeState::Ongoing => vec![
            take(InitialState::New).start(1, &by(1, 1)).unwrap(),
            ongoing,
        ],
        StockTakeState::Posting => vec![
            ongoing
                .begin_posting(PostingOptions::default(), job(), &by(1, 1))
                .unwrap(),
            posted(1).begin_left_over(job(), &by(1, 4)).unwrap(),
        ],
        StockTakeState::Finished => vec![posted(0), posted(1)],
        StockTakeState::Reopening => {
            vec![posted(0).begin_reopening(job(), None, &by(1, 4)).unwrap()]
        }
        StockTakeState::Removed => vec![
            ongoing.remove(&by(1, 1)).unwrap(),
            posted(0).remove(&by(1, 4)).unwrap(),
        ],
    }
}

fn ask_take(take: &StockTake, command: StockTakeCommand) -> Result<StockTake, TransitionError> {
    use StockTakeCommand as Command;
    let stamp = by(2, 10);
    let population = Population {
        source: PopulationSource::Stocked,
        job: job(),
        after: None,
        done: 0,
        total: 0,
    };
    match command {
        Command::Update => take.update(details(), &stamp),
        Command::AddItems => take.begin_populating(command, population, &stamp),
        Command::Populate => take.populate(None, 1, stamp.at),
        Command::AddFound => take.add_lines(command, 1, &stamp),
        // Lines are removed and counted without the header: it is asked, not written.
        Command::RemoveItems | Command::DeleteItem | Command::Count => {
            take.allows(command).map(|_| take.clone())
        }
        Command::Start => take.start(1, &stamp),
        Command::BeginPosting => take.begin_posting(PostingOptions::default(), job(), &stamp),
        Command::Advance => take.advance(run(), stamp.at),
        Command::AbandonPosting => take.abandon_posting(stamp.at),
        Command::CompletePosting => take.complete_posting(stamp.at),
        Command::PostLeftOver => take.begin_left_over(job(), &stamp),
        Command::DismissLeftOver => take.dismiss_left_over(&stamp),
        Command::BeginReopening => take.begin_reopening(job(), None, &stamp),
        Command::AbandonReopening => take.abandon_reopening(stamp.at),
        Command::CompleteReopening => take.complete_reopening(stamp.at),
        Command::Remove => take.remove(&stamp),
    }
}

#[test]
fn the_epoch_of_a_take_changes_exactly_with_its_state() {
    for state in StockTakeState::ALL {
        for take in takes_in(*state) {
            for command in StockTakeCommand::ALL {
                if let Ok(next) = ask_take(&take, *command) {
                    let moved = next.state() != take.state();
                    assert_eq!(next.epoch(), take.epoch() + u64::from(moved), "{command}");
                }
            }
        }
    }
}

// ---- inventory counts --------------------------------------------------------------------------

#[test]
fn inventory_counts() {
    Walk {
        machine: Machine::InventoryCount,
        table: INVENTORY_COUNT_TRANSITIONS,
        states: InventoryCountState::ALL,
        commands: InventoryCountCommand::ALL,
        initial: &[InventoryCountState::InProgress],
        examples: counts_in,
        state_of: InventoryCount::state,
        call: ask_count,
    }
    .check();
}

fn count() -> InventoryCount {
    let details = InventoryCountDetails {
        name: Label::new("March").unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    InventoryCount::start(InventoryCountId::new(id(8)), &site(), details, &by(1, 0))
}

fn completing(stage: CompletionStage) -> InventoryCount {
    let options = CompletionOptions {
        apply_adjustments: true,
        skip_unpostable: stage == CompletionStage::Apply,
    };
    let completing = count().begin_completing(options, None, job(), &by(1, 1));
    let completing = completing.unwrap();
    assert_eq!(completing.completion().unwrap().stage, stage);
    completing
}

fn counts_in(state: InventoryCountState) -> Vec<InventoryCount> {
    let checking = completing(CompletionStage::Check);
    let applying = completing(CompletionStage::Apply);
    match state {
        InventoryCountState::InProgress => {
            vec![count(), checking.abandon_completing(at(2)).unwrap()]
        }
        InventoryCountState::Completing => vec![checking, applying],
        InventoryCountState::Completed => vec![applying.finish_completing(at(2)).unwrap()],
        InventoryCountState::Cancelled => vec![count().cancel(&by(1, 1)).unwrap()],
    }
}

fn ask_count(
    count: &InventoryCount,
    command: InventoryCountCommand,
) -> Result<InventoryCount, TransitionError> {
    use InventoryCountCommand as Command;
    let stamp = by(2, 10);
    let under_way = || count.completion().cloned();
    let completion = under_way().or(completing(CompletionStage::Apply).completion().cloned());
    match command {
        Command::Count => count.allows(command).map(|_| count.clone()),
        Command::BeginCompleting => {
            count.begin_completing(CompletionOptions::default(), None, job(), &stamp)
        }
        Command::Advance => count.advance(completion.unwrap(), stamp.at),
        Command::AbandonCompleting => count.abandon_completing(stamp.at),
        Command::FinishCompleting => count.finish_completing(stamp.at),
        Command::Cancel => count.cancel(&stamp),
    }
}

#[test]
fn the_epoch_of_a_count_changes_exactly_with_its_state() {
    for state in InventoryCountState::ALL {
        for count in counts_in(*state) {
            for command in InventoryCountCommand::ALL {
                if let Ok(next) = ask_count(&count, *command) {
                    let moved = next.state() != count.state();
                    assert_eq!(next.epoch(), count.epoch() + u64::from(moved), "{command}");
                }
            }
        }
    }
}

// ---- stock adjustments -------------------------------------------------------------------------

#[test]
fn stock_adjustments() {
    Walk {
        machine: Machine::StockAdjustment,
        table: STOCK_ADJUSTMENT_TRANSITIONS,
        states: StockAdjustmentState::ALL,
        commands: StockAdjustmentCommand::ALL,
        initial: &[StockAdjustmentState::Pending],
        examples: adjustments_in,
        state_of: StockAdjustment::state,
        call: ask_adjustment,
    }
    .check();
}

fn adjustment(kind: AdjustmentType) -> StockAdjustment {
    let request = AdjustmentRequest {
        key: key(),
        kind,
        change: match kind {
            AdjustmentType::Theft => Quantity::ONE.negated(),
            _ => Quantity::ONE,
        },
        reason: note("behind the shelf"),
        notes: None,
        reference: None,
        cost: AdjustmentCost {
            book: product().standard_cost("gbp".parse().unwrap()),
            ..AdjustmentCost::default()
        },
        unapproved: Unapproved::default(),
    };
    let policy = ApprovalPolicy::default();
    let id = StockAdjustmentId::new(id(7));
    StockAdjustment::request(id, &site(), request, &policy, &by(1, 0)).unwrap()
}

/// Puts the adjustment through an empty level, as a service does.
fn event_of(adjustment: &StockAdjustment, stamp: &Stamp) -> StockEvent {
    let mut site = site();
    site.policy.allow_negative = true;
    let terms = Terms {
        site: &site,
        standard: product().standard_cost("gbp".parse().unwrap()),
        elsewhere: None,
        at: stamp.at,
        by: stamp.actor.user.id,
    };
    let change = adjustment.ledger_change(StockEventId::new(id(70)));
    let (_, events) = StockLevel::new(key(), at(0)).apply(change, &terms).unwrap();
    events.into_iter().next().unwrap()
}

fn adjustments_in(state: StockAdjustmentState) -> Vec<StockAdjustment> {
    let (found, theft) = (
        adjustment(AdjustmentType::Found),
        adjustment(AdjustmentType::Theft),
    );
    let stamp = by(2, 1);
    match state {
        StockAdjustmentState::Pending => vec![found, theft],
        StockAdjustmentState::Applied => vec![
            found.apply(&event_of(&found, &stamp)).unwrap(),
            theft
                .approve(&event_of(&theft, &stamp), None, &stamp)
                .unwrap(),
        ],
        StockAdjustmentState::Rejected => vec![theft.reject(note("no"), &stamp).unwrap()],
    }
}

fn ask_adjustment(
    adjustment: &StockAdjustment,
    command: StockAdjustmentCommand,
) -> Result<StockAdjustment, TransitionError> {
    use StockAdjustmentCommand as Command;
    let stamp = by(2, 10);
    let event = event_of(adjustment, &stamp);
    match command {
        Command::Apply => adjustment.apply(&event),
        Command::Approve => adjustment.approve(&event, Some(note("yes")), &stamp),
        Command::Reject => adjustment.reject(note("no"), &stamp),
    }
}

// ---- inventory orders --------------------------------------------------------------------------

/// An order and its lines.
type OrderWithItems = (InventoryOrder, Vec<InventoryOrderItem>);

#[test]
fn inventory_orders() {
    Walk {
        machine: Machine::InventoryOrder,
        table: INVENTORY_ORDER_TRANSITIONS,
        states: InventoryOrderState::ALL,
        commands: InventoryOrderCommand::ALL,
        initial: &[InventoryOrderState::Draft],
        examples: orders_in,
        state_of: |(order, _)| order.state(),
        call: ask_order,
    }
    .check();
}

fn order(lines: u128) -> OrderWithItems {
    let details = InventoryOrderDetails::default();
    let order_id = InventoryOrderId::new(id(6));
    let order = InventoryOrder::create(order_id, &site(), &supplier(), details, &by(1, 0)).unwrap();
    (0..lines).fold((order, Vec::new()), |(order, mut items), _| {
        let item = another_item(&order);
        let order = order.add_item(&item, &by(1, 1)).unwrap();
        items.push(item);
        (order, items)
    })
}

fn another_item(order: &InventoryOrder) -> InventoryOrderItem {
    let ordered = Ordered {
        quantity: Quantity::from(10),
        unit_price_minor: 200,
    };
    let item_id = InventoryOrderItemId::new(id(600 + u128::from(order.next_line())));
    InventoryOrderItem::new(item_id, order, product(), None, ordered, at(1)).unwrap()
}

fn submitted() -> OrderWithItems {
    let (order, items) = order(2);
    (order.submit(&by(1, 2)).unwrap(), items)
}

/// Receives a quantity, or all that is missing, of every line.
fn receive(
    (order, items): &OrderWithItems,
    quantity: Option<Quantity>,
) -> Result<OrderWithItems, TransitionError> {
    let stamp = by(2, 10);
    let receipts: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let policy = ReceiptPolicy::default();
            item.receive(quantity, policy, order.currency(), stamp.at)
                .ok()
        })
        .collect();
    let order = order.receive(&receipts, &stamp)?;
    let items = receipts.iter().map(|it| it.after().clone()).collect();
    Ok((order, items))
}

fn orders_in(state: InventoryOrderState) -> Vec<OrderWithItems> {
    use InventoryOrderCommand as Command;
    let stamp = by(1, 3);
    let (sent, items) = submitted();
    let edited = ask_order(&(sent.clone(), items.clone()), Command::UpdateItem).unwrap();
    let partly = receive(&submitted(), Some(Quantity::ONE)).unwrap();
    let closed = sent.close_short(None, &stamp).unwrap();
    let removed = sent.remove(&stamp).unwrap();
    match state {
        InventoryOrderState::Draft => vec![order(0), order(2)],
        InventoryOrderState::Submitted => vec![(sent, items), edited, partly],
        InventoryOrderState::Received => {
            vec![receive(&submitted(), None).unwrap(), (closed, items)]
        }
        InventoryOrderState::Removed => vec![
            (removed, items.clone()),
            (closed.remove(&stamp).unwrap(), items),
        ],
    }
}

fn ask_order(
    (order, items): &OrderWithItems,
    command: InventoryOrderCommand,
) -> Result<OrderWithItems, TransitionError> {
    use InventoryOrderCommand as Command;
    let stamp = by(2, 10);
    // A command on a line of an order that has none is tried on a line that was never added.
    let item = items.first().cloned().unwrap_or(another_item(order));
    let next = match command {
        Command::Update => {
            let details = InventoryOrderDetails {
                purchase_order_number: Some("PO123".parse().unwrap()),
                supplier_email: None,
            };
            order.update(&supplier(), details, &stamp)?
        }
        Command::AddItem => order.add_item(&another_item(order), &stamp)?,
        Command::UpdateItem => {
            let ordered = Ordered {
                quantity: Quantity::from(11),
                unit_price_minor: 201,
            };
            let after = item.update(ordered, order.currency(), stamp.at).unwrap();
            let next = order.update_item(&item, &after, &stamp)?;
            let others = items.iter().skip(1).cloned();
            return Ok((next, std::iter::once(after).chain(others).collect()));
        }
        Command::DeleteItem => order.delete_item(&item, &stamp)?,
        Command::Submit => order.submit(&stamp)?,
        Command::Receive => {
            return receive(&(order.clone(), items.clone()), Some(Quantity::ONE));
        }
        Command::ReceiveRest => return receive(&(order.clone(), items.clone()), None),
        Command::CloseShort => order.close_short(Some(note("discontinued")), &stamp)?,
        Command::Remove => order.remove(&stamp)?,
    };
    Ok((next, items.clone()))
}

// ---- stock imports -----------------------------------------------------------------------------

#[test]
fn stock_imports() {
    Walk {
        machine: Machine::StockImport,
        table: STOCK_IMPORT_TRANSITIONS,
        states: StockImportState::ALL,
        commands: StockImportCommand::ALL,
        initial: &[StockImportState::Pending],
        examples: imports_in,
        state_of: StockImport::state,
        call: ask_import,
    }
    .check();
}

fn imports_in(state: StockImportState) -> Vec<StockImport> {
    let mode = ImportMode::Absolute;
    let import_id = StockImportId::new(id(5));
    let new = StockImport::create(import_id, crate::shop::ORGANISATION, mode, 2, &by(1, 0));
    let taken_in = new.advance(1, problems(1), at(1)).unwrap();
    match state {
        StockImportState::Pending => vec![new, taken_in],
        StockImportState::Applied => vec![taken_in.apply(at(2)).unwrap()],
        StockImportState::Rejected => vec![new.reject(note("no such place"), at(2)).unwrap()],
    }
}

fn ask_import(
    import: &StockImport,
    command: StockImportCommand,
) -> Result<StockImport, TransitionError> {
    match command {
        StockImportCommand::Advance => import.advance(1, Vec::new(), at(3)),
        StockImportCommand::Apply => import.apply(at(3)),
        StockImportCommand::Reject => import.reject(note("no such place"), at(3)),
    }
}

/// So many values that can't be applied.
fn problems(number: u64) -> Vec<ImportProblem> {
    let problem = |row| ImportProblem {
        row,
        place: "store-1/SKU-1".to_owned(),
        code: "out_of_range".to_owned(),
        message: "out of range".to_owned(),
    };
    (0..number).map(problem).collect()
}
