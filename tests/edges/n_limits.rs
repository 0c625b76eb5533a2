//! Limits: what no request means is refused where it enters.

use stocktake::domain::{BrandId, CategoryId, SupplierId, Timestamp};
use stocktake::service::{
    Edit, Error, Movement, NewInventoryOrder, NewMovement, NewStockTakeList, StockTakeAmendment,
};
use stocktake::store::{
    ArticleSort, ExportForm, InventoryCountFilter, InventoryOrderItemFilter, StockAdjustmentFilter,
    StockTakeItemFilter,
};
use stocktake::testing::shop;
use uuid::Uuid;

use super::shops::{all, manager};

fn code<T>(result: Result<T, Error>) -> (&'static str, String) {
    match result {
        Ok(_) => ("accepted", String::new()),
        Err(error) => (error.code(), error.to_string()),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .into()
}

fn ids<T: From<Uuid> + Ord>(count: u128) -> std::collections::BTreeSet<T> {
    (0..count).map(|id| T::from(Uuid::from_u128(id))).collect()
}

/// The ends of the calendar, and the moments at both sides of each bound.
fn moments() -> Vec<(Timestamp, bool)> {
    vec![
        (chrono::DateTime::<chrono::Utc>::MIN_UTC.into(), false),
        (at("1899-12-31T23:59:59.999999Z"), false),
        (at("1900-01-01T00:00:00Z"), true),
        (at("2200-12-31T23:59:59.999999Z"), true),
        (at("2201-01-01T00:00:00Z"), false),
        (chrono::DateTime::<chrono::Utc>::MAX_UTC.into(), false),
    ]
}

#[tokio::test]
async fn fault_n5_dates_of_other_centuries_are_refused_where_they_enter() {
    for (moment, allowed) in moments() {
        assert_eq!(moment.is_plausible(), allowed, "{moment}");
        let shop = shop();
        shop.open().await.unwrap();
        let (by, page) = (manager(&shop), all());
        let library = &shop.stocktake;
        let mut told = Vec::new();

        let receipt = NewMovement::from(Movement::Receipt {
            key: shop.key(0),
            quantity: 1.into(),
            unit_cost: None,
        });
        let dated = [receipt.at(moment)];
        let moved = library.stock().record(&by, shop.site.id, &dated).await;
        told.push(("occurred_at", code(moved)));

        let takes = library.stock_takes();
        let list = |due_at| NewStockTakeList {
            site: shop.site.id,
            name: "spring".parse().unwrap(),
            description: None,
            due_at,
            annual: false,
            movement_policy: stocktake::domain::MovementPolicy::default(),
        };
        told.push((
            "due_at",
            code(takes.create_list(&by, list(Some(moment))).await),
        ));
        let take = takes.create_list(&by, list(None)).await.unwrap();
        let amendment = StockTakeAmendment {
            due_at: Edit::Set(moment),
            ..StockTakeAmendment::default()
        };
        told.push(("due_at", code(takes.amend(&by, take.id(), amendment).await)));

        let mut site = shop.site.clone();
        site.policy.closed_until = Some(moment);
        told.push((
            "closed_until",
            code(library.catalogue().put_site(&by, site).await),
        ));

        let counts = library.inventory_counts();
        let filter = InventoryCountFilter {
            from: Some(moment),
            ..InventoryCountFilter::default()
        };
        told.push((
            "from",
            code(counts.list(&by, shop.site.id, &filter, &page).await),
        ));
        let summary = counts.summary(&by, shop.site.id, None, Some(moment)).await;
        told.push(("to", code(summary)));
        let filter = StockAdjustmentFilter {
            to: Some(moment),
            ..StockAdjustmentFilter::default()
        };
        let adjustments = library.stock_adjustments();
        told.push((
            "to",
            code(adjustments.list(&by, shop.site.id, &filter, &page).await),
        ));

        for (field, (code, text)) in told {
            assert_eq!(
                code == "date_out_of_range",
                !allowed,
                "{field} {moment}: {code}"
            );
            assert!(allowed || text.contains(&format!("{field}: ")), "{text}");
        }
    }
}

#[tokio::test]
async fn fault_n5_a_filter_takes_a_hundred_ids() {
    let shop = shop();
    shop.open().await.unwrap();
    let (by, page) = (manager(&shop), all());
    let takes = shop.stocktake.stock_takes();
    let take = NewStockTakeList {
        site: shop.site.id,
        name: "spring".parse().unwrap(),
        description: None,
        due_at: None,
        annual: false,
        movement_policy: stocktake::domain::MovementPolicy::default(),
    };
    let take = takes.create_list(&by, take).await.unwrap().id();
    let orders = shop.stocktake.inventory_orders();
    let order = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: stocktake::domain::InventoryOrderDetails::default(),
    };
    let order = orders.create(&by, order).await.unwrap().id();
    let exports = shop.stocktake.exports();
    for count in [100, 101] {
        let expected = if count > 100 {
            "too_many_ids"
        } else {
            "accepted"
        };
        let of_brands = StockTakeItemFilter {
            brands: ids::<BrandId>(count),
            ..StockTakeItemFilter::default()
        };
        let of_categories = StockTakeItemFilter {
            categories: ids::<CategoryId>(count),
            ..StockTakeItemFilter::default()
        };
        let of_suppliers = StockTakeItemFilter {
            suppliers: ids::<SupplierId>(count),
            ..StockTakeItemFilter::default()
        };
        let sort = ArticleSort::default();
        for (name, filter) in [
            ("brands", of_brands),
            ("categories", of_categories),
            ("suppliers", of_suppliers),
        ] {
            let (told, text) = code(takes.items(&by, take, &filter, sort, &page).await);
            assert_eq!(told, expected, "{name}");
            assert!(
                told == "accepted" || text.contains(&format!("{name}: at most 100 ids")),
                "{text}"
            );
            assert_eq!(
                code(takes.totals(&by, take, &filter).await).0,
                expected,
                "{name}"
            );
            assert_eq!(
                code(
                    exports
                        .stock_take(&by, take, filter, ExportForm::default())
                        .await
                )
                .0,
                expected,
                "{name}"
            );
        }
        for filter in [
            InventoryOrderItemFilter {
                brands: ids(count),
                ..InventoryOrderItemFilter::default()
            },
            InventoryOrderItemFilter {
                categories: ids(count),
                ..InventoryOrderItemFilter::default()
            },
        ] {
            assert_eq!(
                code(orders.items(&by, order, &filter, &page).await).0,
                expected
            );
            assert_eq!(
                code(
                    exports
                        .inventory_order(&by, order, filter, ExportForm::default())
                        .await
                )
                .0,
                expected
            );
        }
    }
}
