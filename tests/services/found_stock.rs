//! Articles by any of their barcodes, and what is found that a take does not have.

use stocktake::domain::{Barcode, Entered, MovementPolicy, NamePart, StockTakeId};
use stocktake::service::{
    ArticleName, Caller, FoundProduct, FoundStock, InventoryRequest, NewStockTakeList,
};
use stocktake::testing::{Shop, shop};

use crate::counting::q;

/// A shop whose first two products share a barcode, and have one of their own each.
async fn opened() -> Shop {
    let mut shop = shop();
    for (number, own) in [(0, "400"), (1, "401")] {
        let barcode = |value: &str| Barcode {
            value: value.parse().unwrap(),
            symbology: "EAN13".parse().unwrap(),
        };
        shop.products[number].barcodes = vec![barcode(own), barcode("500")];
    }
    shop.open().await.unwrap();
    shop
}

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn list(shop: &Shop) -> StockTakeId {
    let new = NewStockTakeList {
        site: shop.site.id,
        name: "Spring".parse().unwrap(),
        description: None,
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    takes.create_list(&manager(shop), new).await.unwrap().id()
}

#[tokio::test]
async fn s4_5_articles_come_and_go_by_their_barcodes() {
    let shop = opened().await;
    let (takes, by, id) = (
        shop.stocktake.stock_takes(),
        manager(&shop),
        list(&shop).await,
    );
    let code = |text: &str| text.parse().unwrap();
    assert_eq!(
        takes.add_articles(&by, id, &[code("400")]).await.unwrap(),
        1
    );
    assert_eq!(
        takes.add_articles(&by, id, &[code("SKU-0")]).await.unwrap(),
        0
    );
    let shared = takes
        .add_articles(&by, id, &[code("500")])
        .await
        .unwrap_err();
    assert_eq!(shared.code(), "ambiguous_article");
    assert!(
        shared
            .to_string()
            .contains("500 is the barcode of SKU-0, SKU-1"),
        "{shared}"
    );
    let unknown = takes.add_articles(&by, id, &[code("9"), code("400")]).await;
    assert!(unknown.unwrap_err().to_string().contains("unknown: 9"));
    let removed = takes.remove_article(&by, id, code("500")).await;
    assert!(removed.unwrap_err().to_string().contains("SKU-0, SKU-1"));
    assert_eq!(takes.remove_article(&by, id, code("400")).await.unwrap(), 1);
    let gone = takes.remove_article(&by, id, code("400")).await;
    assert_eq!(gone.unwrap_err().code(), "not_found");
    // Whoever can't see the list learns nothing of barcodes.
    let stranger = Caller::of(&shop.stranger);
    for text in ["500", "400", "9"] {
        let hidden = takes.remove_article(&stranger, id, code(text)).await;
        assert_eq!(hidden.unwrap_err().code(), "not_found", "{text}");
    }
}

#[tokio::test]
async fn s4_7_a_shared_barcode_means_what_the_take_has_of_it() {
    let shop = opened().await;
    let (takes, by, id) = (
        shop.stocktake.stock_takes(),
        manager(&shop),
        list(&shop).await,
    );
    let name = |text: &str| ArticleName::of(text.parse().unwrap());
    takes
        .add_articles(&by, id, &["SKU-1".parse().unwrap()])
        .await
        .unwrap();
    takes.start(&by, id).await.unwrap();
    let count = |text: &str| InventoryRequest {
        article: name(text),
        entered: Entered::Add(q("2")),
        counted_at: None,
    };
    for (text, counted) in [("500", "2"), ("401", "4"), ("SKU-1", "6")] {
        let line = takes.inventory(&by, id, count(text)).await.unwrap();
        assert_eq!(line.counted_quantity(), Some(q(counted)), "{text}");
        assert_eq!(
            takes.article(&by, id, name(text)).await.unwrap().len(),
            1,
            "{text}"
        );
    }
    let cleared = InventoryRequest {
        entered: Entered::Clear,
        ..count("500")
    };
    let line = takes.inventory(&by, id, cleared).await.unwrap();
    assert_eq!(line.counted_quantity(), None);
    let other = takes.inventory(&by, id, count("400")).await;
    assert_eq!(other.unwrap_err().code(), "not_found");

    let found = |product: FoundProduct| FoundStock {
        product,
        variant: NamePart::Any,
        place: NamePart::Any,
        batch: NamePart::Any,
        serial: NamePart::Any,
    };
    let shared = found(FoundProduct::Barcode("500".parse().unwrap()));
    let shared = takes.add_found_stock(&by, id, &shared).await.unwrap_err();
    assert!(shared.to_string().contains("SKU-0, SKU-1"), "{shared}");
    let own = found(FoundProduct::Barcode("400".parse().unwrap()));
    let added = takes.add_found_stock(&by, id, &own).await.unwrap();
    let same = found(FoundProduct::Id(shop.products[0].id));
    assert_eq!(takes.add_found_stock(&by, id, &same).await.unwrap(), added);
    let viewer = Caller::of(&shop.viewer);
    let refused = takes.add_found_stock(&viewer, id, &own).await;
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    // Now both are on the take.
    let both = takes.inventory(&by, id, count("500")).await.unwrap_err();
    assert!(both.to_string().contains("one of"), "{both}");
}
