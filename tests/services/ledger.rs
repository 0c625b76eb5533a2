//! The ledger of a site, read from its beginning and from its end back (S6.11).

use stocktake::domain::{LedgerEntry, Quantity};
use stocktake::service::{Caller, ErrorKind};
use stocktake::testing::shop;

/// However long the ledger is, wherever one begins and however many one asks for: the same entries, the other way round.
#[tokio::test]
async fn the_ledger_is_read_from_its_end_back() {
    let shop = shop();
    shop.open_empty().await.unwrap();
    let manager = Caller::of(&shop.manager);
    let stock = shop.stocktake.stock();
    for length in 0..=17_u64 {
        let ledger = stock.ledger(&manager, shop.site.id, 0, 100).await.unwrap();
        assert_eq!(ledger.len() as u64, length);
        let befores = (0..length + 3).map(Some);
        for before in befores.chain([None, Some(u64::MAX >> 1), Some(u64::MAX)]) {
            for limit in [0, 1, 3, 16, u32::MAX] {
                let most = usize::try_from(limit.max(1)).unwrap();
                let is_before = |it: &&LedgerEntry| before.is_none_or(|end| it.position < end);
                let expected = ledger.iter().rev().filter(is_before).take(most);
                let back = stock.ledger_back(&manager, shop.site.id, before, limit);
                let back = back.await.unwrap();
                let told = format!("{limit} before {before:?} of {length}");
                assert_eq!(back, expected.cloned().collect::<Vec<_>>(), "{told}");
            }
        }
        let one = [shop.receipt(0, Quantity::ONE)];
        stock.record(&manager, shop.site.id, &one).await.unwrap();
    }
    let stranger = Caller::of(&shop.stranger);
    let hidden = stock.ledger_back(&stranger, shop.site.id, None, 1);
    assert_eq!(hidden.await.unwrap_err().kind(), ErrorKind::NotFound);
}
