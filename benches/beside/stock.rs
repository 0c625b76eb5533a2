//! A shop with as many articles as are asked for, and a take of them all.

use stocktake::domain::{
    MovementPolicy, Product, ProductId, Quantity, StockKey, StockTakeId, UnitCost,
};
use stocktake::jobs::Worker;
use stocktake::service::{Caller, Movement, NewMovement, NewStockTake};
use stocktake::testing::Shop;
use uuid::Uuid;

pub(crate) type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Products that look like the shop's first one, and forty of each.
pub(crate) async fn stock_up(shop: &Shop, manager: &Caller, lines: usize) -> Done<()> {
    let like = &shop.products[0];
    let unit_cost: UnitCost = "2.50".parse()?;
    for first in (0..lines).step_by(1_000) {
        let mut products = Vec::with_capacity(1_000);
        let mut movements: Vec<NewMovement> = Vec::with_capacity(1_000);
        for number in first..lines.min(first + 1_000) {
            let id = ProductId::new(Uuid::from_u128((0xbe << 96) | number as u128));
            products.push(Product {
                id,
                article_id: format!("BULK-{number:07}").parse()?,
                name: format!("Bulk article {number}").parse()?,
                brand: shop.products[number % 10].brand.clone(),
                ..like.clone()
            });
            let receipt = Movement::Receipt {
                key: StockKey::plain(shop.site.id, id),
                quantity: Quantity::from(40),
                unit_cost: Some(unit_cost),
            };
            movements.push(receipt.into());
        }
        let catalogue = shop.stocktake.catalogue();
        catalogue.put_products(manager, products).await?;
        let stock = shop.stocktake.stock();
        stock.record(manager, shop.site.id, &movements).await?;
    }
    Ok(())
}

/// A take of everything that is on stock, with its lines.
pub(crate) async fn take_of(shop: &Shop) -> Done<StockTakeId> {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let new = NewStockTake {
        site: shop.site.id,
        description: "Everything".parse()?,
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await?.id();
    Worker::new(&shop.stocktake, "bench").run_all_due().await?;
    Ok(take)
}
