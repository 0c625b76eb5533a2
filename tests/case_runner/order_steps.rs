//! Steps that order and receive (S3).

use std::collections::BTreeMap;

use stocktake::domain::{
    InventoryOrderDetails, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId,
    InventoryOrderState, Ordered, Quantity, StockKey,
};
use stocktake::service::{
    Caller, Error, Movement, NewInventoryOrder, NewMovement, NewOrderItem, OrderItemUpdate,
    ReceiptLine, ReceiveRequest,
};
use stocktake::store::{InventoryOrderItemFilter, PageRequest};

use super::commands::Command;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::World;

/// The steps of this file.
pub(crate) const OPS: &[&str] = &[
    "order_submit",
    "order_add_line",
    "order_update_line",
    "order_delete_line",
    "order_receive",
    "order_receive_all",
    "order_cancel_outstanding",
    "order_delete",
    "order_get",
];

/// What an order of a case is in the library.
#[derive(Clone, Debug)]
pub(crate) struct OrderAs {
    pub(crate) id: InventoryOrderId,
    /// Its lines by their names.
    lines: BTreeMap<String, InventoryOrderItemId>,
}

impl World {
    fn order_named(&self, words: &Words) -> Tried<(String, OrderAs)> {
        let name = words.text("order")?.unwrap_or_else(|| "O".to_owned());
        let order = self
            .orders
            .get(&name)
            .cloned()
            .ok_or_else(|| Trouble::broken(format!("there is no order {name}")))?;
        Ok((name, order))
    }

    fn order_line_id(order: &OrderAs, words: &Words) -> Tried<InventoryOrderItemId> {
        let line = words.need("line")?;
        order
            .lines
            .get(&line)
            .copied()
            .ok_or_else(|| Trouble::broken(format!("the order has no line {line}")))
    }

    pub(crate) async fn set_up_order(&mut self, words: &Words) -> Tried<()> {
        let name = words.text("order")?.unwrap_or_else(|| "O".to_owned());
        // It is of the case's currency, which was opened with it.
        words.text("currency")?;
        let location = words.text("location")?.unwrap_or_else(|| "A".to_owned());
        let site = self.site(&location)?;
        let supplier = words.text("supplier")?;
        let supplier = self.supplier(supplier.as_deref(), site).await?;
        let number = words.either(&["number", "purchase_order_number"])?;
        let details = InventoryOrderDetails {
            purchase_order_number: number.map(|text| text.parse()).transpose()?,
            supplier_email: None,
        };
        let host = self.host();
        let new = NewInventoryOrder {
            site,
            supplier,
            details,
        };
        let orders = self.library.inventory_orders();
        let id = orders.create(&host, new).await?.id();
        let mut order = OrderAs {
            id,
            lines: BTreeMap::new(),
        };
        let mut received = Vec::new();
        for line in words.objects("lines")?.unwrap_or_default() {
            let added = self.add_order_line(&host, &mut order, &line).await?;
            let quantity = line.quantity("received")?.unwrap_or(Quantity::ZERO);
            if quantity.is_positive() {
                received.push((added, quantity, self.key_at(&line, &location).await?));
            }
        }
        let state = words.text("state")?;
        match state.as_deref() {
            None | Some("draft") => {}
            Some("submitted" | "received") => {
                self.library.inventory_orders().submit(&host, id).await?;
            }
            Some(other) => return Err(Trouble::unsupported(format!("order state {other}"))),
        }
        self.set_up_receipts(&host, id, received).await?;
        if state.as_deref() == Some("received") {
            let orders = self.library.inventory_orders();
            orders.receive(&host, id, ReceiveRequest::all()).await?;
        }
        self.orders.insert(name, order);
        Ok(())
    }

    /// What has come before the case begins is not on hand any more: what is on hand is given as stock.
    async fn set_up_receipts(
        &self,
        host: &Caller,
        id: InventoryOrderId,
        received: Vec<(InventoryOrderItemId, Quantity, StockKey)>,
    ) -> Tried<()> {
        for (item, quantity, key) in received {
            let line = ReceiptLine::of(item, quantity).to(key.clone());
            let orders = self.library.inventory_orders();
            orders
                .receive(host, id, ReceiveRequest::of(vec![line]))
                .await?;
            let site = key.site;
            let gone = NewMovement::from(Movement::Issue { key, quantity });
            self.library.stock().record(host, site, &[gone]).await?;
        }
        Ok(())
    }

    async fn add_order_line(
        &mut self,
        caller: &Caller,
        order: &mut OrderAs,
        words: &Words,
    ) -> Tried<InventoryOrderItemId> {
        let product = words.text("product")?.unwrap_or_else(|| "P".to_owned());
        let variant = words.text("variant")?;
        let ordered = Ordered {
            quantity: words.need_quantity("qty")?,
            unit_price_minor: words.whole("unit_price_minor")?.unwrap_or(0),
        };
        let new = NewOrderItem {
            product: self.product(&product).await?,
            variant: variant.map(|text| text.parse()).transpose()?,
            ordered,
        };
        let name = match words.text("line")? {
            Some(name) => name,
            None => (order.lines.len() + 1).to_string(),
        };
        let orders = self.library.inventory_orders();
        let item = orders.add_item(caller, order.id, new).await?.id();
        order.lines.insert(name, item);
        Ok(item)
    }

    pub(crate) async fn play_order(&mut self, op: &str, words: &Words) -> Tried<()> {
        let caller = self.actor(words)?;
        let (name, mut order) = self.order_named(words)?;
        let id = order.id;
        match op {
            "order_submit" => {
                self.library.inventory_orders().submit(&caller, id).await?;
            }
            "order_add_line" => {
                let done = self.add_order_line(&caller, &mut order, words).await;
                self.orders.insert(name, order);
                done?;
            }
            "order_update_line" => {
                let update = OrderItemUpdate {
                    quantity: words.quantity("qty")?,
                    unit_price_minor: words.whole("unit_price_minor")?,
                };
                let line = Self::order_line_id(&order, words)?;
                let orders = self.library.inventory_orders();
                orders.update_item(&caller, id, line, update).await?;
            }
            "order_delete_line" => {
                let line = Self::order_line_id(&order, words)?;
                let orders = self.library.inventory_orders();
                orders.delete_item(&caller, id, line).await?;
            }
            "order_cancel_outstanding" => {
                let orders = self.library.inventory_orders();
                orders.close_short(&caller, id, None).await?;
            }
            "order_delete" => self.library.inventory_orders().remove(&caller, id).await?,
            "order_get" => {
                self.library.inventory_orders().get(&caller, id).await?;
            }
            _ => return Err(Trouble::unsupported(format!("op {op}"))),
        }
        Ok(())
    }

    /// What `order_receive` and `order_receive_all` ask for, ready to be made.
    pub(crate) async fn receipt_of(&mut self, op: &str, words: &Words) -> Tried<Command> {
        let (caller, (_, order)) = (self.actor(words)?, self.order_named(words)?);
        let occurred_at = self.stated_time(words, true)?;
        let location = words.text("location")?.unwrap_or_else(|| "A".to_owned());
        let mut lines = Vec::new();
        if op == "order_receive" {
            for line in words.need_objects("lines")? {
                let item = Self::order_line_id(&order, &line)?;
                let quantity = line.quantity("qty")?;
                let at = line.text("location")?.unwrap_or_else(|| location.clone());
                let key = self.receipt_key(&order, item, &line, &at).await?;
                lines.push(ReceiptLine {
                    item,
                    quantity,
                    key: Some(key),
                    batch: None,
                    serial: None,
                });
            }
        } else {
            for item in self.order_lines(order.id).await? {
                let key = self
                    .receipt_key(&order, item.id(), words, &location)
                    .await?;
                let state = self.order(order.id).await?;
                // A line that has come already needs no place; the library says when nothing is left.
                if state.outstanding(&item).is_positive() {
                    lines.push(ReceiptLine {
                        item: item.id(),
                        quantity: None,
                        key: Some(key),
                        batch: None,
                        serial: None,
                    });
                }
            }
        }
        let all = op == "order_receive_all" && lines.is_empty();
        Ok(Command::Receive {
            caller,
            order: order.id,
            request: ReceiveRequest {
                lines: (!all).then_some(lines),
                occurred_at,
            },
        })
    }

    async fn receipt_key(
        &self,
        order: &OrderAs,
        item: InventoryOrderItemId,
        words: &Words,
        location: &str,
    ) -> Tried<StockKey> {
        let orders = self.library.inventory_orders();
        let line = orders.item(&self.host(), order.id, item).await?;
        let (batch, serial) = (words.either(&["lot", "batch"])?, words.text("serial")?);
        Ok(StockKey {
            variant: line.variant().cloned(),
            place: self.place(location)?,
            batch: batch.map(|text| text.parse()).transpose()?,
            serial: serial.map(|text| text.parse()).transpose()?,
            ..StockKey::plain(self.site(location)?, line.product().id)
        })
    }

    async fn order(&self, id: InventoryOrderId) -> Tried<stocktake::domain::InventoryOrder> {
        Ok(self
            .library
            .inventory_orders()
            .get(&self.host(), id)
            .await?)
    }

    async fn order_lines(&self, id: InventoryOrderId) -> Tried<Vec<InventoryOrderItem>> {
        let (filter, page) = (
            InventoryOrderItemFilter::default(),
            PageRequest::first(10_000),
        );
        let orders = self.library.inventory_orders();
        Ok(orders.items(&self.host(), id, &filter, &page).await?.items)
    }

    /// The state of an order, in the library's word; `removed` when it is gone.
    pub(crate) async fn order_state(&self, name: &str) -> Tried<String> {
        let order = self.orders.get(name);
        let order = order.ok_or_else(|| Trouble::broken(format!("there is no order {name}")))?;
        let orders = self.library.inventory_orders();
        match orders.get(&self.host(), order.id).await {
            Ok(order) => Ok(order.state().to_string()),
            Err(Error::NotFound { .. }) => Ok(InventoryOrderState::Removed.to_string()),
            Err(error) => Err(error.into()),
        }
    }

    /// An order with its lines, to compare.
    pub(crate) async fn order_picture(&self, name: &str) -> Tried<String> {
        let state = self.order_state(name).await?;
        if state == InventoryOrderState::Removed.as_str() {
            return Ok(state);
        }
        match self.orders.get(name) {
            Some(order) => Ok(format!("{state} {:?}", self.order_lines(order.id).await?)),
            None => Ok(state),
        }
    }

    // ---- what checks ask -------------------------------------------------------------------------

    /// The library's order of a check.
    pub(crate) async fn order_of(&self, words: &Words) -> Tried<stocktake::domain::InventoryOrder> {
        let (_, order) = self.order_named(words)?;
        self.order(order.id).await
    }

    /// A line of an order, and what of it will still come.
    pub(crate) async fn order_line(&self, words: &Words) -> Tried<(InventoryOrderItem, Quantity)> {
        let (_, order) = self.order_named(words)?;
        let item = Self::order_line_id(&order, words)?;
        let orders = self.library.inventory_orders();
        let line = orders.item(&self.host(), order.id, item).await?;
        let outstanding = self.order(order.id).await?.outstanding(&line);
        Ok((line, outstanding))
    }

    /// How much of a product is ordered and has not come, drafts included.
    pub(crate) async fn on_order(&self, product: &str) -> Tried<Quantity> {
        let mut sum = Quantity::ZERO;
        let Some(product) = self.find_product(product).await? else {
            return Ok(sum);
        };
        for (name, order) in &self.orders {
            if self.order_state(name).await? == InventoryOrderState::Removed.as_str() {
                continue;
            }
            let header = self.order(order.id).await?;
            for line in self.order_lines(order.id).await? {
                if line.product().id == product {
                    sum = sum.checked_add(header.outstanding(&line))?;
                }
            }
        }
        Ok(sum)
    }
}
