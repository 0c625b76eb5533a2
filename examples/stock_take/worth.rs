//! What the stock is worth: by first in, first out, at standard cost, and by account.

use std::collections::{BTreeMap, BTreeSet};

use stocktake::domain::{Currency, PostingResult, UnitCost, ValueSum};

use crate::failure::{Checks, Failure};
use crate::screen::{line, pounds, table};
use crate::shop::{ACCOUNTS, GiftShop};

/// What the stock of a take's lines is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Worth {
    /// By first in, first out.
    fifo: ValueSum,
    /// At standard cost.
    standard: ValueSum,
    /// By first in, first out, under each account.
    accounts: BTreeMap<String, ValueSum>,
}

impl Worth {
    /// What the levels of some bays say now.
    pub(crate) async fn of_bays(shop: &GiftShop, bays: &BTreeSet<usize>) -> Result<Self, Failure> {
        let mut worth = Self::default();
        for level in shop.levels().await? {
            let bay = shop.bay_of(level.key());
            let Some((_, bay)) = bay.filter(|(number, _)| bays.contains(number)) else {
                continue;
            };
            let fifo = level.valuation().fifo_value();
            let cost = UnitCost::from_decimal(bay.article.unit_cost)?;
            let standard = ValueSum::at_cost(level.quantity(), cost, shop.currency());
            worth.fifo = worth.fifo.plus(fifo);
            worth.standard = worth.standard.plus(standard);
            let account = worth.accounts.entry(bay.account().to_owned()).or_default();
            *account = account.plus(fifo);
        }
        Ok(worth)
    }

    /// What a posted take says.
    pub(crate) fn of_take(result: &PostingResult) -> Self {
        Self {
            fifo: result.fifo_value,
            standard: result.standard_value,
            accounts: result.accounts.clone(),
        }
    }

    fn under(&self, account: &str) -> ValueSum {
        self.accounts.get(account).copied().unwrap_or_default()
    }
}

/// Prints the worth before and after posting.
/// What it was worth before is not known to a run that continues a posting.
pub(crate) fn print(shop: &GiftShop, before: Option<&Worth>, after: &Worth) -> Result<(), Failure> {
    let Some(before) = before else {
        let worth = told(after.fifo, shop.currency());
        return Ok(line(format_args!(
            "\nThe stock is worth {worth} after the last posting."
        ))?);
    };
    let row = |name: &str, before: ValueSum, after: ValueSum| -> Result<Vec<String>, Failure> {
        let change = after.minus(before);
        let mut cells = vec![name.to_owned()];
        for value in [before, after, change] {
            cells.push(told(value, shop.currency()));
        }
        Ok(cells)
    };
    let mut rows = Vec::new();
    for (account, name, _) in ACCOUNTS {
        let (before, after) = (before.under(account), after.under(account));
        if !(before.is_zero() && after.is_zero()) {
            rows.push(row(&format!("{account} {name}"), before, after)?);
        }
    }
    rows.sort();
    rows.push(row("all, first in, first out", before.fifo, after.fifo)?);
    rows.push(row(
        "all, at standard cost",
        before.standard,
        after.standard,
    )?);
    let header = ["account", "before", "after", "change"];
    let title = "What the stock is worth, before the first posting and after the last";
    Ok(table(title, &header, 3, rows)?)
}

/// An amount as people write it.
pub(crate) fn told(value: impl Into<ValueSum>, currency: Currency) -> String {
    pounds(value.into().to_money(currency).minor())
}

/// Checks that what a posted take says is what the levels say.
pub(crate) async fn check(
    shop: &GiftShop,
    bays: &BTreeSet<usize>,
    posted: &Worth,
    checks: &mut Checks,
) -> Result<(), Failure> {
    let levels = Worth::of_bays(shop, bays).await?;
    checks.hold(levels == *posted, || {
        format!("the take says the stock is worth {posted:?}, the levels say {levels:?}")
    });
    let accounts = posted
        .accounts
        .values()
        .fold(ValueSum::ZERO, |sum, value| sum.plus(*value));
    checks.hold(accounts == posted.fifo, || {
        format!(
            "the accounts add up to {accounts}, and not to {}",
            posted.fifo
        )
    });
    Ok(())
}
