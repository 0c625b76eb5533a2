//! What the take leaves for people: files in a folder.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use stocktake::documents::ReportOptions;
use stocktake::domain::StockTakeId;

use crate::failure::Failure;
use crate::screen::{grouped, more, phase};
use crate::shop::GiftShop;

/// Writes the files of a take to a folder, and tells where each is.
pub(crate) async fn write(
    shop: &GiftShop,
    take: StockTakeId,
    folder: &Path,
) -> Result<(), Failure> {
    let began = Instant::now();
    let failed = |error: io::Error| {
        let told = format!("{} can't be written to: {error}", folder.display());
        Failure::Unfit(told)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let report = report(shop, take).await?;
    let files = [(
        "variance_report.html",
        "the variance report, for a browser",
        report.into_bytes(),
    )];
    for (name, _, bytes) in &files {
        fs::write(folder.join(name), bytes).map_err(failed)?;
    }
    let told = format!(
        "{} in {}",
        crate::screen::of(files.len(), "file", "files"),
        folder.display()
    );
    phase("written", began, &told)?;
    for (name, what, bytes) in &files {
        let kilobytes = grouped(bytes.len().div_ceil(1_000));
        more(format_args!("{:<24}{what}, {kilobytes} kB", name))?;
    }
    Ok(())
}

/// The variance report, with the counters' names.
async fn report(shop: &GiftShop, take: StockTakeId) -> Result<String, Failure> {
    let mut options = ReportOptions::default();
    for (user, name) in &shop.names {
        options = options.naming(*user, *name);
    }
    let takes = shop.library.stock_takes();
    Ok(takes.variance_report(&shop.manager, take, options).await?)
}
