//! What a stocktake list looks like.

use serde::Serialize;
use stocktake::domain::{SiteId, StockTakeId, StockTakeState};
use stocktake::service::StockTakeSummary;
use utoipa::ToSchema;

use crate::app::number::Number;

/// The document's `StocktakesResponse`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct StocktakesResponse {
    stocktakes: Vec<Stocktake>,
}

/// The document's `Stocktake`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stocktake {
    #[schema(value_type = Uuid)]
    id: StockTakeId,
    name: String,
    #[schema(value_type = Uuid)]
    store_id: SiteId,
    /// Empty for a list without one.
    description: String,
    /// Unix milliseconds.
    #[schema(required)]
    due_date: Option<i64>,
    items_total: u64,
    items_left: u64,
    annual_account: bool,
    /// `NEW`, `ONGOING` or `FINISHED`.
    state: &'static str,
    /// By first in, first out; once it is finished.
    #[serde(rename = "stockValueFIFO")]
    #[schema(required)]
    stock_value_fifo: Option<Number>,
    /// At standard cost; once it is finished.
    #[schema(required)]
    stock_value: Option<Number>,
    /// By first in, first out; once it is finished.
    #[schema(required)]
    accounts: Option<Vec<Account>>,
}

/// The value under an account.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    /// Empty for products without one.
    account: String,
    value: Number,
}

impl StocktakesResponse {
    pub(super) fn of(found: &[StockTakeSummary]) -> Self {
        Self {
            stocktakes: found.iter().map(Stocktake::of).collect(),
        }
    }
}

impl Stocktake {
    fn of(found: &StockTakeSummary) -> Self {
        let (take, totals) = (&found.take, &found.totals);
        let (details, currency, result) = (take.details(), take.currency(), take.result());
        let money = |value| Number::rounded(value, currency);
        Self {
            id: take.id(),
            name: details
                .name
                .as_ref()
                .map_or_else(|| details.title().to_owned(), ToString::to_string),
            store_id: take.site(),
            description: details
                .description
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            due_date: details.due_at.map(|at| at.to_datetime().timestamp_millis()),
            items_total: totals.items,
            items_left: totals.uncounted(),
            annual_account: details.annual,
            state: match take.state() {
                StockTakeState::New => "NEW",
                StockTakeState::Ongoing | StockTakeState::Posting => "ONGOING",
                StockTakeState::Finished | StockTakeState::Reopening | StockTakeState::Removed => {
                    "FINISHED"
                }
            },
            stock_value_fifo: result.map(|result| money(result.fifo_value)),
            stock_value: result.map(|result| money(result.standard_value)),
            accounts: result.map(|result| {
                let account = |(account, value): (&String, &stocktake::domain::ValueSum)| Account {
                    account: account.clone(),
                    value: money(*value),
                };
                result.accounts.iter().map(account).collect()
            }),
        }
    }
}

/// The states of the library that a state of the document stands for, in whatever case it is written.
pub(super) const fn states(state: &str) -> Option<&'static [StockTakeState]> {
    if state.eq_ignore_ascii_case("NEW") {
        Some(&[StockTakeState::New])
    } else if state.eq_ignore_ascii_case("ONGOING") {
        Some(&[StockTakeState::Ongoing, StockTakeState::Posting])
    } else if state.eq_ignore_ascii_case("FINISHED") {
        Some(&[StockTakeState::Finished, StockTakeState::Reopening])
    } else {
        None
    }
}
