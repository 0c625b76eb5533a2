//! What the take leaves on paper: the sheet that it is counted with, and the receipt of what came of it.

use stocktake::domain::{StockTake, StockTakeId};
use stocktake::service::{PrintPolicy, Printed, Stocktake};
use stocktake::store::{ArticleColumn, ArticleSort, CountSheetForm};

use crate::failure::Failure;
use crate::files::File;
use crate::shop::GiftShop;

/// The sheet to count a take with. Its lines come by stock place, as somebody walks past them.
pub(crate) async fn count_sheet(shop: &GiftShop, take: &StockTake) -> Result<File, Failure> {
    let sheet = CountSheetForm {
        sort: ArticleSort {
            column: ArticleColumn::StockPlaceArticle,
            descending: false,
        },
        ..CountSheetForm::default()
    };
    let library = printing_at_once(shop);
    let printing = library.printing();
    let printed = printing.count_sheet(&shop.manager, take.id(), sheet, None);
    file(
        "count_sheet.pdf",
        "the sheet to count with: by shelf, with barcodes",
        printed.await?,
    )
}

/// The receipt of a posted take.
pub(crate) async fn receipt(shop: &GiftShop, take: StockTakeId) -> Result<File, Failure> {
    let library = printing_at_once(shop);
    let printed = library
        .printing()
        .receipt(&shop.manager, take, None)
        .await?;
    file("receipt.pdf", "the receipt of the posted take", printed)
}

/// Prints at once, however long it is: nobody waits here for a mail.
fn printing_at_once(shop: &GiftShop) -> Stocktake {
    let mut policy = PrintPolicy::default();
    policy.at_once = u64::MAX;
    shop.library.clone().with_print_policy(policy)
}

fn file(name: &'static str, what: &'static str, printed: Printed) -> Result<File, Failure> {
    match printed {
        Printed::File(file) => Ok(File {
            name,
            what,
            bytes: file.bytes,
        }),
        Printed::Job(job) => Err(Failure::Unfit(format!("{name} is left to job {job}"))),
    }
}
