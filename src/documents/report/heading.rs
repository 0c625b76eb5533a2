//! What stands above the figures: which document it is, where, when and by whom.

use std::collections::BTreeMap;

use crate::domain::{
    Currency, InventoryCount, InventoryCountState, Label, Site, StockTake, StockTakeState,
    Timestamp, UserId, UserSummary, ValueSum,
};

/// What a report is about: a stock take or an inventory count, at its site.
#[derive(Clone, Debug)]
pub struct ReportHeading {
    /// What kind of document.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// More about it.
    pub(super) about: Option<String>,
    pub(super) site: String,
    pub(super) currency: Currency,
    pub(super) state: &'static str,
    /// Whether its figures are final until it is reopened.
    pub(super) is_posted: bool,
    /// What happened, when and by whom.
    pub(super) happened: Vec<(&'static str, Timestamp, Option<UserId>)>,
    /// What the whole scope is worth after posting: at standard cost, and by first in, first out.
    pub(super) worth: Option<(ValueSum, ValueSum)>,
    /// Something that its reader should know first.
    pub(super) warning: Option<String>,
    /// What the people on it are called.
    pub(super) people: BTreeMap<UserId, String>,
}

impl ReportHeading {
    /// Of a stock take.
    pub fn of_stock_take(take: &StockTake, site: &Site) -> Self {
        let details = take.details();
        let name = details.name.as_ref().map_or(details.title(), Label::as_str);
        let about = details.description.as_ref().map(Label::as_str);
        let mut happened = vec![("Created", take.created_at(), Some(take.created_by().id))];
        if let Some(began) = take.began_at().filter(|began| *began != take.created_at()) {
            happened.push(("Counting began", began, None));
        }
        if let Some(due) = details.due_at {
            happened.push(("Due", due, None));
        }
        if let Some(posted) = take.posted_at() {
            happened.push(("Posted", posted, take.posted_by().map(|user| user.id)));
        }
        let is_posted = take.state() == StockTakeState::Finished;
        let result = take.result().filter(|_| is_posted);
        let refused = take.refusal().map(|refusal| match refusal.given_up_by {
            Some(_) => "A posting was given up. Nothing was posted.".to_owned(),
            None => format!(
                "A posting was refused: {} of the lines can\u{2019}t be posted. Nothing was posted.",
                refusal.total
            ),
        });
        Self {
            kind: "Stock take",
            name: name.to_string(),
            about: about.filter(|about| *about != name).map(str::to_owned),
            site: site.name.to_string(),
            currency: take.currency(),
            state: match take.state() {
                StockTakeState::New => "Being put together",
                StockTakeState::Ongoing => "Being counted",
                StockTakeState::Posting => "Being posted",
                StockTakeState::Finished => "Posted",
                StockTakeState::Reopening => "Being reopened",
                StockTakeState::Removed => "Removed",
            },
            is_posted,
            happened,
            worth: result.map(|result| (result.standard_value, result.fifo_value)),
            warning: refused.filter(|_| take.state() == StockTakeState::Ongoing),
            people: people([Some(take.created_by()), take.posted_by()]),
        }
    }

    /// Of an inventory count.
    pub fn of_inventory_count(count: &InventoryCount, site: &Site) -> Self {
        let details = count.details();
        let mut happened = vec![("Started", count.started_at(), Some(count.started_by().id))];
        if let Some(completed) = count.completed_at() {
            let by = count.completed_by().map(|user| user.id);
            happened.push(("Completed", completed, by));
        }
        if let Some(cancelled) = count.cancelled_at() {
            let by = count.cancelled_by().map(|user| user.id);
            happened.push(("Cancelled", cancelled, by));
        }
        Self {
            kind: "Inventory count",
            name: details.name.to_string(),
            about: details.notes.as_ref().map(ToString::to_string),
            site: site.name.to_string(),
            currency: count.currency(),
            state: match count.state() {
                InventoryCountState::InProgress => "In progress",
                InventoryCountState::Completing => "Being completed",
                InventoryCountState::Completed => "Completed",
                InventoryCountState::Cancelled => "Cancelled: nothing was posted",
            },
            is_posted: count.state() == InventoryCountState::Completed,
            happened,
            worth: None,
            warning: None,
            people: people([
                Some(count.started_by()),
                count.completed_by(),
                count.cancelled_by(),
            ]),
        }
    }
}

fn people<'a>(
    known: impl IntoIterator<Item = Option<&'a UserSummary>>,
) -> BTreeMap<UserId, String> {
    let named = |user: &UserSummary| (user.id, user.shown_name());
    known.into_iter().flatten().map(named).collect()
}
