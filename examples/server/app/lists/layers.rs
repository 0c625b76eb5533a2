//! The cost layers of finished lists: what they came from, and who took it in.

use std::collections::HashMap;

use serde::Serialize;
use stocktake::domain::{
    Cause, CostLayer, InventoryOrder, InventoryOrderId, StockEvent, StockEventId, SupplierId,
    UserId,
};
use stocktake::service::{Caller, Error};
use stocktake::store::StockTakeItemView;
use utoipa::ToSchema;

use crate::app::App;
use crate::app::number::Number;

/// How many events are read at once.
const CHUNK: usize = 10_000;

/// The document's `FIFO`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fifo {
    #[schema(value_type = Uuid)]
    id: StockEventId,
    /// Unix milliseconds.
    date: i64,
    /// What came in.
    amount: Number,
    /// What of it is there.
    amount_in_stock: Number,
    #[schema(value_type = Option<Uuid>, required)]
    supplier_id: Option<SupplierId>,
    #[schema(required)]
    supplier_name: Option<String>,
    /// In major units.
    purchase_price: Number,
    /// The purchase is in the site's own currency: always 1.
    purchase_rate: u32,
    #[schema(value_type = Option<Uuid>, required)]
    supplier_order_id: Option<InventoryOrderId>,
    #[schema(required)]
    po_ref: Option<String>,
    #[schema(required)]
    description: Option<String>,
    #[schema(value_type = Option<Uuid>, required)]
    user_id: Option<UserId>,
    #[schema(required)]
    user_name: Option<String>,
}

/// What the layers of some lines came from.
#[derive(Debug, Default)]
pub(super) struct Origins {
    events: HashMap<StockEventId, StockEvent>,
    orders: HashMap<InventoryOrderId, InventoryOrder>,
}

/// The layers of a line as it was posted; none before.
fn layers(line: &StockTakeItemView) -> &[CostLayer] {
    line.item
        .value
        .posting
        .as_ref()
        .map_or(&[], |posting| &posting.layers)
}

impl Origins {
    /// Reads the events and orders behind the layers of some lines.
    pub(super) async fn of(
        app: &App,
        caller: &Caller,
        lines: &[StockTakeItemView],
    ) -> Result<Self, Error> {
        let mut origins = Self::default();
        let layers = || lines.iter().flat_map(layers);
        let ids: Vec<StockEventId> = layers().map(|layer| layer.left.source).collect();
        for ids in ids.chunks(CHUNK) {
            let entries = app.stocktake.stock().events(caller, ids).await?;
            let events = entries.into_iter().map(|entry| entry.event);
            origins.events.extend(events.map(|event| (event.id, event)));
        }
        for layer in layers() {
            let Cause::Order { order, .. } = layer.left.cause else {
                continue;
            };
            if origins.orders.contains_key(&order) {
                continue;
            }
            match app.stocktake.inventory_orders().get(caller, order).await {
                Ok(found) => drop(origins.orders.insert(order, found)),
                Err(Error::NotFound { .. }) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(origins)
    }

    /// The layers of a line, the oldest first; nothing before it is posted.
    pub(super) fn fifos(&self, app: &App, line: &StockTakeItemView) -> Option<Vec<Fifo>> {
        line.item.value.posting.as_ref()?;
        Some(layers(line).iter().map(|it| self.fifo(app, it)).collect())
    }

    fn fifo(&self, app: &App, layer: &CostLayer) -> Fifo {
        let left = &layer.left;
        let event = self.events.get(&left.source);
        let order = match left.cause {
            Cause::Order { order, .. } => self.orders.get(&order),
            _ => None,
        };
        let user = event.map(|event| event.recorded_by);
        let number = order.and_then(InventoryOrder::purchase_order_number);
        Fifo {
            id: left.source,
            date: left.received_at.to_datetime().timestamp_millis(),
            amount: layer.received.into(),
            amount_in_stock: left.quantity.into(),
            supplier_id: order.map(|order| order.supplier().id),
            supplier_name: order.map(|order| order.supplier().name.to_string()),
            purchase_price: left.unit_cost.into(),
            purchase_rate: 1,
            supplier_order_id: order.map(InventoryOrder::id),
            po_ref: number.map(ToString::to_string),
            description: event.and_then(|it| Some(it.reason.as_ref()?.to_string())),
            user_id: user,
            user_name: user.and_then(|user| Some(app.people.name(user)?.to_owned())),
        }
    }
}
