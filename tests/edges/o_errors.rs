//! Errors tell what is wrong in the words of who reads them: names instead of ids, and no more than one sentence.

use stocktake::domain::{
    AdjustmentType, CountError, DecimalError, InventoryOrderDetails, KeyError, Label, LineProblem,
    MovementPolicy, Ordered, Quantity, SerialScope, StockError, StockKey, StockTakeItemId,
    TextError, Tracking,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NamedKey, NewInventoryOrder, NewMovement, NewOrderItem,
    NewStockAdjustment, NewStockTake, ReceiptLine, ReceiveRequest,
};
use stocktake::store::{
    Cursor, InventoryOrderItemFilter, PageRequest, StockAdjustmentFilter, StoreError,
    StoreErrorKind,
};
use stocktake::testing::Shop;

use super::shops::{manager, shop_on};
use super::stores::{Kind, Stores};

/// What every text of an error is: short, lower case, without a full stop, ids, SQL or the inside of a type.
fn is_plain(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.lines().count() == 1, "{text:?}");
    assert!(!text.ends_with('.'), "{text:?}");
    for inside in ["Some(", "None", "{ ", "SELECT", "INSERT", "CREATE"] {
        assert!(!text.contains(inside), "{text:?} has {inside:?}");
    }
    let is_id = |word: &str| uuid::Uuid::try_parse(word.trim_matches([':', ';', ','])).is_ok();
    assert!(!text.split_whitespace().any(is_id), "{text:?} has an id");
    let source = error.source();
    if let Some(source) = source {
        assert!(
            !text.contains(&source.to_string()),
            "{text:?} repeats its source"
        );
        is_plain(source);
    }
}

async fn shops() -> Vec<(Kind, Stores, super::stores::Store, Shop)> {
    let mut shops = Vec::new();
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        shops.push((*kind, stores, store, shop));
    }
    shops
}

#[tokio::test]
async fn fault_o_sold_out_tells_article_place_batch_and_site() {
    let stores = Stores::of(Kind::Memory);
    let shop = shop_on(&stores.fresh().await);
    shop.open().await.unwrap();
    let key = shop
        .key(0)
        .at("A-01".parse().unwrap())
        .in_batch("LOT-7".parse().unwrap());
    let issue = NewMovement::from(Movement::Issue {
        key: key.clone(),
        quantity: 1.into(),
    });
    let arrival = NewMovement::from(Movement::Receipt {
        key: key.clone(),
        quantity: Quantity::ONE,
        unit_cost: None,
    });
    let stock = shop.stocktake.stock();
    let by = manager(&shop);
    let movements = [arrival, issue.clone(), issue];
    let refused = stock
        .record(&by, shop.site.id, &movements)
        .await
        .unwrap_err();
    let told = refused.to_string();
    let expected = "SKU-0, stock place A-01, batch LOT-7 at High Street: ";
    assert!(told.starts_with(expected), "{told}");
    is_plain(&refused);
    let new = NewStockAdjustment::of(
        shop.key(1),
        AdjustmentType::Damage,
        "-41".parse().unwrap(),
        "gone".parse().unwrap(),
    );
    let adjustments = shop.stocktake.stock_adjustments();
    let refused = adjustments
        .create(&by, shop.site.id, new)
        .await
        .unwrap_err();
    let told = refused.to_string();
    assert!(told.starts_with("SKU-1 at High Street: "), "{told}");
    is_plain(&refused);
}

#[tokio::test]
async fn fault_o_a_bad_cursor_is_a_mistake_of_the_client() {
    for (kind, _stores, _store, shop) in shops().await {
        let by = manager(&shop);
        let filter = StockAdjustmentFilter::default();
        let adjustments = shop.stocktake.stock_adjustments();
        for text in [
            "",
            "nonsense",
            "00000000000000000000000000000000.x",
            "\u{feff}.",
        ] {
            let page = PageRequest::after(Cursor::from(text.to_owned()), 10);
            let refused = adjustments.list(&by, shop.site.id, &filter, &page).await;
            let error = refused.unwrap_err();
            assert_eq!(error.code(), "invalid_cursor", "{kind:?} {text:?}");
            assert_eq!(error.kind().status(), 422);
            assert!(!error.is_retryable());
            let told = "the request is not valid: cursor: not a cursor of this list";
            assert_eq!(error.to_string(), told);
        }
    }
}

#[test]
fn fault_o_a_text_is_refused_under_its_own_name() {
    for (text, code) in [
        (String::new(), "empty_text"),
        ("x".repeat(256), "text_too_long"),
        ("\u{7}".to_owned(), "control_character"),
    ] {
        let refused = Label::new(text).map_err(|error| Error::text("description", error));
        let error = refused.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains("description: must"), "{error}");
        is_plain(&error);
    }
}

#[tokio::test]
async fn fault_o_a_serial_number_elsewhere_tells_article_place_and_site() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let mut shop = shop_on(&store);
        for number in [3, 4] {
            shop.products[number].tracking = Tracking::Serial;
        }
        shop.site.policy.serials = SerialScope::Global;
        shop.open_empty().await.unwrap();
        let (by, site) = (manager(&shop), shop.site.id);
        let key = |product: usize, place: &str| {
            let key = shop.key(product).at(place.parse().unwrap());
            key.with_serial("SN-1".parse().unwrap())
        };
        let receipt = |key: StockKey| -> NewMovement {
            Movement::Receipt {
                key,
                quantity: Quantity::ONE,
                unit_cost: None,
            }
            .into()
        };
        let stock = shop.stocktake.stock();
        let there = [receipt(key(3, "A-1"))];
        stock.record(&by, site, &there).await.unwrap();
        let expected = "SKU-4, stock place B-1, serial number SN-1 at High Street: the serial number is on hand \
                        elsewhere: SKU-3, stock place A-1, serial number SN-1 at High Street";
        let refused = stock.record(&by, site, &[receipt(key(4, "B-1"))]).await;
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), expected, "{kind:?}");
        is_plain(&error);
        let new = NewStockAdjustment::of(
            key(4, "B-1"),
            AdjustmentType::Found,
            Quantity::ONE,
            "found".parse().unwrap(),
        );
        let adjustments = shop.stocktake.stock_adjustments();
        let error = adjustments.create(&by, site, new).await.unwrap_err();
        assert_eq!(error.to_string(), expected, "{kind:?}");
    }
}

/// Every error that can be made without a store, and those of a store of every kind.
#[tokio::test]
async fn every_error_is_plain() {
    let stores = Stores::of(Kind::Memory);
    let mut shop = shop_on(&stores.fresh().await);
    shop.products[2].tracking = Tracking::Batch;
    shop.products[3].tracking = Tracking::Serial;
    shop.open_empty().await.unwrap();
    let by = manager(&shop);
    let receipt = |number: usize, place: &str| -> NewMovement {
        Movement::Receipt {
            key: shop.key(number).at(place.parse().unwrap()),
            quantity: Quantity::ONE,
            unit_cost: None,
        }
        .into()
    };
    let stock = shop.stocktake.stock();
    for number in [2, 3] {
        let refused = stock
            .record(&by, shop.site.id, &[receipt(number, "A-1")])
            .await;
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Key { .. }), "{error:?}");
        let expected = format!("SKU-{number}, stock place A-1 at High Street: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        is_plain(&error);
    }
    let kinds = [
        StoreErrorKind::Unavailable,
        StoreErrorKind::Busy,
        StoreErrorKind::Corrupt,
        StoreErrorKind::InvalidCursor,
        StoreErrorKind::Misconfigured,
    ];
    for kind in kinds {
        is_plain(&StoreError::new(kind, "commit"));
        is_plain(&Error::from(StoreError::new(kind, "commit")));
        is_plain(&Error::OutcomeUnknown(StoreError::new(kind, "commit")));
    }
    let errors = [
        Error::Unauthenticated,
        Error::NotFound { what: "stock take" },
        Error::invalid("change", "zero_quantity", "the change must not be zero"),
        Error::Count(CountError::OutOfRange),
        Error::Expectation {
            key: Box::new(shop.key(0)),
            name: "SKU-0 at High Street".into(),
            expected: Quantity::ONE,
            actual: Quantity::ZERO,
        },
        Error::SelfApproval,
        Error::Conflict,
        Error::Taken { what: "article id" },
        Error::KeyReused,
        Error::TooLarge { limit: 1_000 },
        Error::text("reason", TextError::Empty),
        Error::from(DecimalError::TooPrecise),
        Error::Key {
            key: Box::new(shop.key(0)),
            name: "SKU-0".into(),
            problem: KeyError::NotStocked,
        },
        Error::Line {
            index: 4,
            item: StockTakeItemId::new(uuid::Uuid::from_u128(7)),
            name: "SKU-0".into(),
            problem: Box::new(Error::Conflict),
        },
        Error::SerialElsewhere {
            key: Box::new(NamedKey {
                key: shop.key(0).with_serial("SN-1".parse().unwrap()),
                name: "SKU-0, serial number SN-1 at High Street".into(),
            }),
            at: None,
        },
        Error::Stock {
            key: Box::new(shop.key(0)),
            name: "SKU-0 at High Street".into(),
            problem: StockError::CostUnknown,
        },
    ];
    for error in errors {
        is_plain(&error);
    }
    let at = shop.key(0).at("A-1".parse().unwrap());
    let problems = [
        LineProblem::Moved { moves: Vec::new() },
        LineProblem::CostUnknown,
        LineProblem::GivenUp,
        LineProblem::SerialElsewhere { at: None },
        LineProblem::SerialElsewhere {
            at: Some(Box::new(at)),
        },
    ];
    for problem in problems {
        is_plain(&problem);
    }
    let viewer = Caller::of(&shop.viewer);
    let refused = stock
        .record(&viewer, shop.site.id, &[receipt(0, "A-1")])
        .await;
    is_plain(&refused.unwrap_err());
}

/// A line of a document that is refused is told by its article and where that is.
#[tokio::test]
async fn fault_o_a_refused_line_tells_its_article() {
    let stores = Stores::of(Kind::Memory);
    let shop = shop_on(&stores.fresh().await);
    shop.open().await.unwrap();
    let (library, by, site) = (&shop.stocktake, manager(&shop), shop.site.id);
    let take = NewStockTake {
        site,
        description: "Told".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = library.stock_takes();
    let take = takes.create(&by, take).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let count = |number: usize, quantity: &str| {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        (line, CountRequest::set(quantity.parse().unwrap()))
    };
    let counts = [count(0, "1"), count(1, "-1")];
    let refused = takes.count_lines(&by, take, &counts).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.starts_with("count 2 of the call, SKU-1: "), "{told}");
    is_plain(&refused);
    let reset = Movement::Reset {
        key: shop.key(2),
        quantity: Quantity::ONE,
        unit_cost: None,
        expected: Some(7.into()),
    };
    let refused = library.stock().record(&by, site, &[reset.into()]).await;
    let told = refused.unwrap_err().to_string();
    assert_eq!(told, "SKU-2 at High Street: 7 was expected, 40 is there");
    let order = ordered(&shop, &by).await;
    let line = library
        .inventory_orders()
        .items(
            &by,
            order,
            &InventoryOrderItemFilter::default(),
            &PageRequest::first(9),
        )
        .await
        .unwrap()
        .items
        .remove(0);
    let request = ReceiveRequest::of(vec![ReceiptLine::of(line.id(), 9.into())]);
    let orders = library.inventory_orders();
    let refused = orders.receive(&by, order, request).await.unwrap_err();
    assert!(
        refused.to_string().contains("SKU-0: 3 were ordered"),
        "{refused}"
    );
    is_plain(&refused);
}

/// A submitted order of three pieces.
async fn ordered(shop: &Shop, by: &Caller) -> stocktake::domain::InventoryOrderId {
    let orders = shop.stocktake.inventory_orders();
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let order = orders.create(by, new).await.unwrap().id();
    let line = NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: 3.into(),
            unit_price_minor: 125,
        },
    };
    orders.add_item(by, order, line).await.unwrap();
    orders.submit(by, order).await.unwrap();
    order
}

/// What an order brought is not taken back as a movement: the refusal says what to do, and that can be done.
#[tokio::test]
async fn fault_o_what_an_order_brought_goes_back_as_the_refusal_says() {
    for (_, _stores, _store, shop) in shops().await {
        let by = manager(&shop);
        let order = ordered(&shop, &by).await;
        let orders = shop.stocktake.inventory_orders();
        let all = ReceiveRequest::all();
        orders.receive(&by, order, all).await.unwrap();
        let (stock, site) = (shop.stocktake.stock(), shop.site.id);
        let ledger = stock.ledger(&by, site, 0, 1_000).await.unwrap();
        let receipt = ledger.last().unwrap().event.id;
        let reversal = Movement::Reversal { of: receipt };
        let refused = stock.record(&by, site, &[reversal.into()]).await;
        let told = refused.unwrap_err().to_string();
        let says = "goes back with a return to the supplier that names the receipt";
        assert!(told.contains(says), "{told}");
        let goes_back = Movement::SupplierReturn {
            key: shop.key(0),
            quantity: 3.into(),
            receipt: Some(receipt),
        };
        let returned = stock.record(&by, site, &[goes_back.into()]).await.unwrap();
        assert_eq!(returned[0].of, Some(receipt));
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), 40.into());
    }
}
