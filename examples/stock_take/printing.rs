//! What the take leaves on paper: the sheet that it is counted with, and the receipt of what came of it.

use stocktake::documents::pdf::{
    CountSheet, CountSheetOptions, PrintError, TakeReceipt, TakeReceiptOptions,
};
use stocktake::domain::{CountStatus, Stamp, StockTake, StockTakeId};
use stocktake::service::Clock as _;

use crate::counting::lines_of;
use crate::failure::Failure;
use crate::files::File;
use crate::shop::GiftShop;

impl From<PrintError> for Failure {
    fn from(error: PrintError) -> Self {
        Self::Unfit(format!("the take can't be printed: {error}"))
    }
}

/// The sheet to count a take with. Its lines come by stock place, as somebody walks past them.
pub(crate) async fn count_sheet(shop: &GiftShop, take: &StockTake) -> Result<File, Failure> {
    let mut options = CountSheetOptions::default();
    options.by_place = true;
    let mut sheet = CountSheet::new(take, &shop.site, &printed(shop), &options)?;
    for line in lines_of(shop, take.id(), CountStatus::All).await? {
        sheet.add(&line)?;
    }
    Ok(File {
        name: "count_sheet.pdf",
        what: "the sheet to count with: by shelf, with barcodes",
        bytes: sheet.finish()?,
    })
}

/// The receipt of a posted take.
pub(crate) async fn receipt(shop: &GiftShop, take: StockTakeId) -> Result<File, Failure> {
    let posted = shop
        .library
        .stock_takes()
        .get(&shop.manager, take)
        .await?
        .take;
    let mut options = TakeReceiptOptions::default();
    let people = shop.names.iter();
    options.people = people
        .map(|(user, name)| (*user, (*name).to_owned()))
        .collect();
    let mut receipt = TakeReceipt::new(&posted, &shop.site, &printed(shop), &options)?;
    for line in lines_of(shop, take, CountStatus::All).await? {
        receipt.add(&line)?;
    }
    Ok(File {
        name: "receipt.pdf",
        what: "the receipt of the posted take",
        bytes: receipt.finish()?,
    })
}

/// Who prints, and when.
fn printed(shop: &GiftShop) -> Stamp {
    Stamp {
        actor: shop.mary.clone(),
        at: shop.clock.now(),
    }
}
