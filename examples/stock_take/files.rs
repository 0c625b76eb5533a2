//! What the take leaves for people: files in a folder.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use stocktake::documents::ReportOptions;
use stocktake::domain::{StockTake, StockTakeId};
use stocktake::service::Error;
use stocktake::store::{ExportForm, ExportFormat, ExportStyle, StockTakeItemFilter};

use crate::closing;
use crate::failure::Failure;
#[cfg(feature = "pdf")]
use crate::printing;
use crate::screen::{grouped, more, of, phase};
use crate::shop::GiftShop;

/// The lines for people.
const WORKBOOK: &str = "lines.xlsx";
/// How wide a file's name is on the screen.
const NAME: usize = 22;

/// A file to be written.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is, in a few words.
    pub(crate) what: &'static str,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

/// What is printed before anybody counts.
#[cfg(feature = "pdf")]
pub(crate) async fn to_count_with(shop: &GiftShop, take: &StockTake) -> Result<Vec<File>, Failure> {
    Ok(vec![printing::count_sheet(shop, take).await?])
}

/// Nothing can be printed.
#[cfg(not(feature = "pdf"))]
pub(crate) async fn to_count_with(_: &GiftShop, _: &StockTake) -> Result<Vec<File>, Failure> {
    Ok(Vec::new())
}

/// Writes the files of a posted take to a folder, with those that were made before, and tells where each is and what was
/// left out.
pub(crate) async fn write(
    shop: &Arc<GiftShop>,
    take: StockTakeId,
    folder: &Path,
    before: Vec<File>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let failed = |error: io::Error| {
        let told = format!("{} can't be written to: {error}", folder.display());
        Failure::Unfit(told)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut files = vec![report(shop, take).await?];
    files.extend(lines(shop, take).await?);
    files.extend(before);
    #[cfg(feature = "pdf")]
    files.push(printing::receipt(shop, take).await?);
    let has_workbook = files.iter().any(|file| file.name == WORKBOOK);
    for file in &files {
        fs::write(folder.join(file.name), &file.bytes).map_err(failed)?;
    }
    let told = format!(
        "{} in {}",
        of(files.len(), "file", "files"),
        folder.display()
    );
    phase("written", began, &told)?;
    for file in &files {
        let kilobytes = grouped(file.bytes.len().div_ceil(1_000));
        more(format_args!(
            "{:<NAME$}{}, {kilobytes} kB",
            file.name, file.what
        ))?;
    }
    if !has_workbook {
        more("left out: a workbook, which needs the feature xlsx")?;
    }
    if !cfg!(feature = "pdf") {
        more("left out: a count sheet and a receipt, which need the feature pdf")?;
    }
    Ok(())
}

/// The variance report.
async fn report(shop: &GiftShop, take: StockTakeId) -> Result<File, Failure> {
    let options = ReportOptions::default();
    let takes = shop.library.stock_takes();
    let page = takes.variance_report(&shop.manager, take, options).await?;
    Ok(File {
        name: "variance_report.html",
        what: "the variance report, for a browser",
        bytes: page.into_bytes(),
    })
}

/// The lines as tables, which a worker writes as exports: all columns for programs, and a workbook for people.
async fn lines(shop: &Arc<GiftShop>, take: StockTakeId) -> Result<Vec<File>, Failure> {
    let for_programs = (
        "lines.csv",
        "the lines, for programs",
        ExportForm::default(),
    );
    let for_people = (
        WORKBOOK,
        "the lines, for people, as a workbook",
        ExportForm {
            format: ExportFormat::Xlsx,
            style: ExportStyle::People,
        },
    );
    let mut files = Vec::new();
    for (name, what, form) in [for_programs, for_people] {
        let (exports, all) = (shop.library.exports(), StockTakeItemFilter::default());
        let job = match exports.stock_take(&shop.manager, take, all, form).await {
            // A form that the library is not built with.
            Err(Error::Invalid(_)) => continue,
            asked => asked?,
        };
        closing::run_until_over(Arc::clone(shop), job).await?;
        let file = exports.file(&shop.manager, job).await?;
        let Some(bytes) = file.bytes else {
            let told = file.job.last_error.unwrap_or_default();
            return Err(Failure::Unfit(format!("{name} was not written: {told}")));
        };
        files.push(File { name, what, bytes });
    }
    Ok(files)
}
