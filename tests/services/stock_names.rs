//! Which stock is meant where a document names no stock place: one rule for S2, S3 and S5.

use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, CountType, ImportMode, InventoryCountDetails, InventoryOrderDetails,
    MovementPolicy, NamePart, Ordered, Product, ProductId, Quantity, StockKey, Tracking,
};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, Error, Movement, NewCountItem, NewInventoryOrder, NewMovement, NewOrderItem,
    NewStockAdjustment, ReceiptLine, ReceiveRequest, StockName,
};
use stocktake::testing::{FaultStore, Shop};
use uuid::Uuid;

/// A document that names stock by less than a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    Count,
    Adjustment,
    Order,
    Import,
}

const DOCUMENTS: [Document; 4] = [
    Document::Count,
    Document::Adjustment,
    Document::Order,
    Document::Import,
];

struct World {
    store: FaultStore<MemoryStore>,
    shop: Shop,
    product: Product,
}

fn number(n: u128) -> ProductId {
    ProductId::new(Uuid::from_u128(n))
}

impl World {
    async fn open(tracking: Tracking) -> Self {
        let store = FaultStore::new(MemoryStore::new());
        let shop = Shop::on(Arc::new(store.clone()));
        shop.open_empty().await.unwrap();
        let product = Product {
            tracking,
            unit_costs: stocktake::domain::UnitCosts::of(
                "gbp".parse().unwrap(),
                "2".parse().unwrap(),
            ),
            suppliers: shop.products[0].suppliers.clone(),
            ..Product::new(
                number(70),
                shop.site.organisation,
                "P".parse().unwrap(),
                "P".parse().unwrap(),
            )
        };
        let world = Self {
            store,
            shop,
            product,
        };
        let products = vec![world.product.clone()];
        let catalogue = world.shop.stocktake.catalogue();
        catalogue
            .put_products(&world.manager(), products)
            .await
            .unwrap();
        world
    }

    fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    /// A key as the tables write it: `V@A#L` is variant V at place A in batch L; before it, `-` is delisted and `0` has none
    /// left.
    fn key(&self, text: &str) -> StockKey {
        let (text, batch) = split(text, '#');
        let (variant, place) = split(text, '@');
        StockKey {
            variant: Some(variant)
                .filter(|it| !it.is_empty())
                .map(|it| it.parse().unwrap()),
            place: place.map(|it| it.parse().unwrap()),
            batch: batch.map(|it| it.parse().unwrap()),
            ..StockKey::plain(self.shop.site.id, self.product.id)
        }
    }

    async fn stock(&self, keys: &[&str]) {
        let mut movements: Vec<NewMovement> = Vec::new();
        for text in keys {
            let key = self.key(text.trim_start_matches(['-', '0']));
            let receipt = Movement::Receipt {
                key: key.clone(),
                quantity: Quantity::ONE,
                unit_cost: None,
            };
            movements.push(receipt.into());
            if text.starts_with('-') {
                movements.push(Movement::Remove { key }.into());
            } else if text.starts_with('0') {
                let quantity = Quantity::ONE;
                movements.push(Movement::Issue { key, quantity }.into());
            }
        }
        if movements.is_empty() {
            return;
        }
        let stock = self.shop.stocktake.stock();
        stock
            .record(&self.manager(), self.shop.site.id, &movements)
            .await
            .unwrap();
    }

    /// A name as the tables write it: as a key, and `~` is that there is none.
    fn name(&self, text: &str) -> StockName {
        let (variant, place) = split(text, '@');
        let said = |part: Option<&str>| {
            let written = part.map(|text| if text == "~" { "" } else { text });
            NamePart::from_text(written).unwrap()
        };
        StockName {
            variant: said(Some(variant).filter(|it| !it.is_empty())),
            place: said(place),
            ..StockName::of(self.product.id)
        }
    }

    /// The key that a document finds by a name; or the code of its refusal.
    async fn found(&self, document: Document, name: &str) -> Result<StockKey, String> {
        let name = self.name(name);
        let (library, caller, site) = (&self.shop.stocktake, self.manager(), self.shop.site.id);
        let told = |error: Error| error.code().to_owned();
        match document {
            Document::Count => {
                let counts = library.inventory_counts();
                let details = InventoryCountDetails {
                    name: "count".parse().unwrap(),
                    kind: CountType::Spot,
                    notes: None,
                    movement_policy: MovementPolicy::default(),
                };
                let count = counts.start(&caller, site, details).await.unwrap().id();
                let item = counts
                    .count(&caller, count, NewCountItem::of(name, Quantity::ONE))
                    .await;
                item.map(|item| item.key).map_err(told)
            }
            Document::Adjustment => {
                let reason = "found".parse().unwrap();
                let new =
                    NewStockAdjustment::of(name, AdjustmentType::Found, Quantity::ONE, reason);
                let adjustment = library.stock_adjustments().create(&caller, site, new).await;
                adjustment.map(|it| it.key().clone()).map_err(told)
            }
            Document::Order => {
                let orders = library.inventory_orders();
                let new = NewInventoryOrder {
                    site,
                    supplier: self.shop.supplier.id,
                    details: InventoryOrderDetails {
                        purchase_order_number: None,
                        supplier_email: None,
                    },
                };
                let order = orders.create(&caller, new).await.unwrap().id();
                let item = NewOrderItem {
                    product: name.product,
                    variant: name.variant.code().cloned(),
                    ordered: Ordered {
                        quantity: Quantity::ONE,
                        unit_price_minor: 200,
                    },
                };
                let item = orders.add_item(&caller, order, item).await.unwrap();
                orders.submit(&caller, order).await.unwrap();
                let line = ReceiptLine {
                    variant: name.variant,
                    place: name.place,
                    ..ReceiptLine::of(item.id(), Quantity::ONE)
                };
                let request = ReceiveRequest::of(vec![line]);
                let received = orders.receive(&caller, order, request).await;
                received.map_err(told)?;
                Ok(self.last_key().await)
            }
            Document::Import => {
                let body = match name.variant.as_text() {
                    None => r#"{"store-1": {"P": 1}}"#.to_owned(),
                    Some(variant) => format!(r#"{{"store-1": {{"P": {{"{variant}": 1}}}}}}"#),
                };
                let imports = library.stock_imports();
                let mode = ImportMode::Adjustment;
                let body = body.as_bytes();
                let started = imports.begin_at(&caller, mode, body, false, name.place);
                let started = started.await;
                let id = started.map_err(told)?.import.id();
                self.shop.run_jobs().await.unwrap();
                let import = imports.get(&caller, id).await.unwrap();
                match import.report().problems.as_slice() {
                    [] => Ok(self.last_key().await),
                    [problem, ..] => Err(problem.code.clone()),
                }
            }
        }
    }

    /// The key of the newest event.
    async fn last_key(&self) -> StockKey {
        let (stock, manager) = (self.shop.stocktake.stock(), self.manager());
        let ledger = stock.ledger(&manager, self.shop.site.id, 0, 1_000);
        let ledger = ledger.await.unwrap();
        ledger.last().unwrap().event.key.clone()
    }
}

/// What stands before a sign, and what after it.
fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

async fn hold(tracking: Tracking, document: Document, rows: &[Row<'_>]) {
    for (stocked, name, expected) in rows {
        let world = World::open(tracking).await;
        world.stock(stocked).await;
        let found = world.found(document, name).await;
        let expected = expected.map(|key| world.key(key)).map_err(str::to_owned);
        assert_eq!(found, expected, "{document:?}: {name:?} of {stocked:?}");
    }
}

/// What is stocked, the name that the document has, and the key that it means.
type Row<'a> = (&'a [&'a str], &'a str, Result<&'a str, &'a str>);

const AMBIGUOUS: Result<&str, &str> = Err("ambiguous_stock");

#[tokio::test]
async fn s2_3_s2_9_s3_6_s5_1_a_name_means_the_only_stocked_key_that_fits_it() {
    let rows: &[Row<'_>] = &[
        // With none, the key without a stock place is made.
        (&[], "", Ok("")),
        (&[], "V", Ok("V")),
        (&["-@A"], "", Ok("")),
        (&["@A"], "V", Ok("V")),
        (&["W@A"], "V", Ok("V")),
        // The only one is meant, whatever the name leaves open.
        (&[""], "", Ok("")),
        (&["@A"], "", Ok("@A")),
        (&["V"], "", Ok("V")),
        (&["V@A"], "", Ok("V@A")),
        (&["V@A"], "V", Ok("V@A")),
        (&["V@A", "W", ""], "V", Ok("V@A")),
        (&["@A", "-@B"], "", Ok("@A")),
        // With several, none is.
        (&["", "@A"], "", AMBIGUOUS),
        (&["@A", "@B"], "", AMBIGUOUS),
        (&["", "V"], "", AMBIGUOUS),
        (&["V", "W"], "", AMBIGUOUS),
        (&["V@A", "V@B", "W"], "V", AMBIGUOUS),
    ];
    for document in DOCUMENTS {
        hold(Tracking::None, document, rows).await;
    }
}

/// A shelf that was cleared does not stand in the way of the one that has the goods.
#[tokio::test]
async fn s2_3_s2_9_s3_6_s5_1_of_several_the_only_one_that_holds_something_is_meant() {
    let rows: &[Row<'_>] = &[
        (&["0@A"], "", Ok("@A")),
        (&["@A", "0@B"], "", Ok("@A")),
        (&["0@A", "@B", "0"], "", Ok("@B")),
        (&["0V@A", "V@B", "W"], "V", Ok("V@B")),
        // What is named is meant, empty or not.
        (&["@A", "0@B"], "@B", Ok("@B")),
        (&["@A", "0"], "@~", Ok("")),
        (&["0@A", "0@B"], "", AMBIGUOUS),
        (&["@A", "@B", "0@C"], "", AMBIGUOUS),
    ];
    for document in DOCUMENTS {
        hold(Tracking::None, document, rows).await;
    }
}

/// Leaving a part out and saying that there is none are two things.
#[tokio::test]
async fn s2_3_s2_9_s3_6_s5_1_stock_at_no_place_or_of_no_variant_can_be_named() {
    let rows: &[Row<'_>] = &[
        (&["", "@A"], "@~", Ok("")),
        (&["", "@A"], "@A", Ok("@A")),
        (&["@A"], "@~", Ok("")),
        (&["V", "V@A"], "V@~", Ok("V")),
        (&["V", "@A"], "@~", Ok("V")),
        (&["", "V", "@A"], "@~", AMBIGUOUS),
        (&["", "V", "@A"], "~@~", Ok("")),
    ];
    for document in DOCUMENTS {
        hold(Tracking::None, document, rows).await;
    }
    let rows: &[Row<'_>] = &[(&["", "V"], "~", Ok("")), (&["V"], "~", Ok(""))];
    for document in DOCUMENTS {
        hold(Tracking::None, document, rows).await;
    }
}

/// Whoever removes an article that was at two places may well mean the empty one.
#[tokio::test]
async fn s5_3_removing_never_chooses_among_places() {
    let world = World::open(Tracking::None).await;
    world.stock(&["@A", "0@B"]).await;
    let (imports, caller) = (world.shop.stocktake.stock_imports(), world.manager());
    let (mode, body) = (ImportMode::Remove, br#"{"store-1": {"P": 0}}"#);
    let unclear = imports.begin(&caller, mode, body, false).await.unwrap_err();
    assert_eq!(unclear.code(), "ambiguous_stock");
    let place = NamePart::Is("B".parse().unwrap());
    let started = imports.begin_at(&caller, mode, body, false, place).await;
    started.unwrap();
    world.shop.run_jobs().await.unwrap();
    let left = world.shop.on_hand(&world.key("@A")).await.unwrap();
    assert_eq!(left, Quantity::ONE);
    // Now it is the only one.
    imports.begin(&caller, mode, body, false).await.unwrap();
}

#[tokio::test]
async fn s2_3_s2_9_s5_1_the_only_batch_is_meant_and_s3_6_new_goods_name_theirs() {
    let required = Err("batch_required");
    for document in DOCUMENTS {
        let is_order = document == Document::Order;
        let unless_new = |meant| if is_order { required } else { meant };
        let rows: &[Row<'_>] = &[
            (&[], "", required),
            (&["@A#L"], "", unless_new(Ok("@A#L"))),
            (&["V@A#L"], "", unless_new(Ok("V@A#L"))),
            (&["@A#L", "0@A#M"], "", unless_new(Ok("@A#L"))),
            (&["#L", "#M"], "", unless_new(AMBIGUOUS)),
            (&["@A#L"], "V", required),
        ];
        hold(Tracking::Batch, document, rows).await;
    }
}

/// However many lines a document has, their keys are found by the same number of reads.
#[tokio::test]
async fn s3_6_s5_1_names_are_looked_up_together() {
    for document in [Document::Order, Document::Import] {
        let mut calls = Vec::new();
        for lines in [2_u128, 60] {
            let world = World::open(Tracking::None).await;
            let products: Vec<Product> = (0..lines)
                .map(|n| Product {
                    id: number(100 + n),
                    article_id: format!("P-{n}").parse().unwrap(),
                    ..world.product.clone()
                })
                .collect();
            calls.push(world.calls_of(document, &products).await);
        }
        assert_eq!(calls[0], calls[1], "{document:?}");
    }
}

impl World {
    /// How often the store is asked to take in one of each product.
    async fn calls_of(&self, document: Document, products: &[Product]) -> u64 {
        let (library, caller) = (&self.shop.stocktake, self.manager());
        let catalogue = library.catalogue();
        catalogue
            .put_products(&caller, products.to_vec())
            .await
            .unwrap();
        if document == Document::Import {
            let values: Vec<String> = products
                .iter()
                .map(|product| format!(r#""{}": 1"#, product.article_id))
                .collect();
            let body = format!(r#"{{"store-1": {{{}}}}}"#, values.join(", "));
            let imports = library.stock_imports();
            let mode = ImportMode::Absolute;
            imports
                .begin(&caller, mode, body.as_bytes(), false)
                .await
                .unwrap();
            let before = self.store.calls();
            self.shop.run_jobs().await.unwrap();
            return self.store.calls() - before;
        }
        let orders = library.inventory_orders();
        let new = NewInventoryOrder {
            site: self.shop.site.id,
            supplier: self.shop.supplier.id,
            details: InventoryOrderDetails {
                purchase_order_number: None,
                supplier_email: None,
            },
        };
        let order = orders.create(&caller, new).await.unwrap().id();
        for product in products {
            let item = NewOrderItem {
                product: product.id,
                variant: None,
                ordered: Ordered {
                    quantity: Quantity::ONE,
                    unit_price_minor: 200,
                },
            };
            orders.add_item(&caller, order, item).await.unwrap();
        }
        orders.submit(&caller, order).await.unwrap();
        let before = self.store.calls();
        orders
            .receive(&caller, order, ReceiveRequest::all())
            .await
            .unwrap();
        self.store.calls() - before
    }
}
