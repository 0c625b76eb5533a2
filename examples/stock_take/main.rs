//! A stock take from opening stock to a ledger that has been corrected twice, on a month of real trade.
//!
//! ```text
//! cargo run --release --features sqlite,pdf,xlsx --example stock_take                  # a small sample
//! cargo run --release --features sqlite,pdf,xlsx --example stock_take -- --data DIR    # the Online Retail files in DIR
//! ```
//!
//! The month is replayed into the library: opening stock, sales and returns, each at its own time. Then a
//! take is opened. A worker adds its lines, and eight people count them **while the till goes on selling**:
//! what the counters see on the shelves is the book's quantity, moved by every sale up to that instant, and
//! off by what the real staff of the shop later had to correct. The report tells those differences by line,
//! by reason and by category, and the take is posted through the job queue. A sales slip turns up that was
//! forgotten, and a mistake in the count: the take is reopened, corrected and posted again.
//!
//! Nothing of this is believed. The example keeps the goods themselves beside the book, and at the end
//! compares every level with its shelf, has the ledger verified, and reads the change feed from end to end.
//! Whatever does not agree is named, and the exit code is 1. Then it writes what people need of the take to a folder:
//! the variance report, the lines as tables, the count sheet and the receipt (without the features `pdf` and `xlsx` it
//! tells which of them it left out).
//!
//! Everything is kept in a SQLite file, or with `--memory` in memory. Kill it whenever you like (`kill -9`) and run
//! it again: every command has a key and is done once, so it asks for everything again, is told what had been
//! done, and goes on where it stopped.
//!
//! Where to look for what: [`story`] the whole in order, [`shop`] the catalogue and the shelves, [`till`]
//! movements, [`counting`] counts by many people at once, [`report`] variances, [`closing`] posting and
//! reopening, [`worth`] valuation, [`feed`] the change feed, [`truth`] the comparison, [`files`] what is written for
//! people; [`retail`] reads the files, [`storage`] opens the store.

mod arguments;
mod clock;
mod closing;
mod counting;
mod failure;
mod feed;
mod files;
mod pace;
#[cfg(feature = "pdf")]
mod printing;
mod report;
mod retail;
mod screen;
mod shop;
mod storage;
mod story;
mod till;
mod truth;
mod worth;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use crate::arguments::{HELP, Request};
use crate::failure::Failure;
use crate::screen::line;
use crate::shop::GiftShop;

fn main() -> ExitCode {
    match run(env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_unheard() {
                eprintln!("error: {failure}");
            }
            failure.exit_code()
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let (data, storage, files) = match Request::of(arguments)? {
        Request::Help => return Ok(line(HELP)?),
        Request::Run {
            data,
            storage,
            files,
        } => (data, storage, files),
    };
    let data = data.or_else(|| {
        env::var_os("STOCKTAKE_DATA")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
    });
    let began = Instant::now();
    let month = retail::load(data.as_deref())?;
    let opens_at = month.split().opens_at;
    line(format_args!(
        "Stock take of a gift shop, {}\nData: {}\n",
        opens_at.format("%B %Y"),
        month.source
    ))?;
    story::tell_month(&month, began)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()?
        .block_on(async {
            let opened = storage::open(storage, &month).await?;
            let shop = Arc::new(GiftShop::of(month, opened)?);
            story::tell(&shop, &files).await
        })
}
