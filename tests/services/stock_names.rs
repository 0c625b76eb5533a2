//! Which stock is meant where a document names no stock place: one rule for S2, S3 and S5.

use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, CountType, ImportMode, InventoryCountDetails, InventoryOrderDetails,
    MovementPolicy, Ordered, Product, ProductId, Quantity, StockKey, Tracking,
};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, Error, Movement, NewCountItem, NewInventoryOrder, NewMovement, NewOrderItem,
    NewStockAdjustment, ReceiveRequest, StockName,
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

    /// A key as the tables write it: `V@A#L` is variant V at place A in batch L; `-` is delisted.
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
            let key = self.key(text.trim_start_matches('-'));
            let receipt = Movement::Receipt {
                key: key.clone(),
                quantity: Quantity::ONE,
                unit_cost: None,
            };
            movements.push(receipt.into());
            if text.starts_with('-') {
                movements.push(Movement::Remove { key }.into());
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

    /// The key that a document finds by the product and, maybe, a variant; or the code of its refusal.
    async fn found(&self, document: Document, variant: Option<&str>) -> Result<StockKey, String> {
        let name = StockName {
            variant: variant.map(|it| it.parse().unwrap()),
            ..StockName::of(self.product.id)
        };
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
                    variant: name.variant,
                    ordered: Ordered {
                        quantity: Quantity::ONE,
                        unit_price_minor: 200,
                    },
                };
                orders.add_item(&caller, order, item).await.unwrap();
                orders.submit(&caller, order).await.unwrap();
                let received = orders.receive(&caller, order, ReceiveRequest::all()).await;
                received.map_err(told)?;
                Ok(self.last_key().await)
            }
            Document::Import => {
                let body = match variant {
                    None => r#"{"store-1": {"P": 1}}"#.to_owned(),
                    Some(variant) => format!(r#"{{"store-1": {{"P": {{"{variant}": 1}}}}}}"#),
                };
                let imports = library.stock_imports();
                let mode = ImportMode::Adjustment;
                let started = imports.begin(&caller, mode, body.as_bytes(), false).await;
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
    for (stocked, variant, expected) in rows {
        let world = World::open(tracking).await;
        world.stock(stocked).await;
        let found = world.found(document, *variant).await;
        let expected = expected.map(|key| world.key(key)).map_err(str::to_owned);
        assert_eq!(found, expected, "{document:?}: {variant:?} of {stocked:?}");
    }
}

/// What is stocked, the variant that the document names, and the key that it means.
type Row<'a> = (&'a [&'a str], Option<&'a str>, Result<&'a str, &'a str>);

#[tokio::test]
async fn s2_3_s2_9_s3_6_s5_1_a_name_means_the_only_stocked_key_that_fits_it() {
    let ambiguous = Err("ambiguous_stock");
    let rows: &[Row<'_>] = &[
        // With none, the key without a stock place is made.
        (&[], None, Ok("")),
        (&[], Some("V"), Ok("V")),
        (&["-@A"], None, Ok("")),
        (&["@A"], Some("V"), Ok("V")),
        (&["W@A"], Some("V"), Ok("V")),
        // The only one is meant, whatever the name leaves open.
        (&[""], None, Ok("")),
        (&["@A"], None, Ok("@A")),
        (&["V"], None, Ok("V")),
        (&["V@A"], None, Ok("V@A")),
        (&["V@A#L"], None, Ok("V@A#L")),
        (&["V@A"], Some("V"), Ok("V@A")),
        (&["V@A", "W", ""], Some("V"), Ok("V@A")),
        (&["@A", "-@B"], None, Ok("@A")),
        // With several, none is.
        (&["", "@A"], None, ambiguous),
        (&["@A", "@B"], None, ambiguous),
        (&["", "V"], None, ambiguous),
        (&["V", "W"], None, ambiguous),
        (&["#L", "#M"], None, ambiguous),
        (&["V@A", "V@B", "W"], Some("V"), ambiguous),
    ];
    for document in DOCUMENTS {
        hold(Tracking::None, document, rows).await;
    }
}

#[tokio::test]
async fn s2_3_s2_9_s5_1_the_only_batch_is_meant_and_s3_6_new_goods_name_theirs() {
    let required = Err("batch_required");
    for document in DOCUMENTS {
        let only = if document == Document::Order {
            required
        } else {
            Ok("@A#L")
        };
        let rows: &[Row<'_>] = &[
            (&[], None, required),
            (&["@A#L"], None, only),
            (&["@A#L"], Some("V"), required),
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
