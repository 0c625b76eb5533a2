//! Steps that order and receive (S3).

use std::collections::BTreeMap;

use stocktake::domain::{
    Cause, InventoryOrderDetails, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId,
    InventoryOrderState, NamePart, Ordered, Quantity, StockEvent, StockEventKind, StockKey,
};
use stocktake::service::{
    Caller, Error, Movement, NewInventoryOrder, NewMovement, NewOrderItem, OrderItemUpdate,
    ReceiptLine, ReceiveRequest,
};
use stocktake::store::{InventoryOrderItemFilter, PageRequest};

use super::commands::Command;
use super::stock_steps::{each_serial, reason_of};
use super::trouble::{Tried, Trouble};
use super::words::{Words, formula};
use super::world::{World, id};

/// The steps of this file.
pub(crate) const OPS: &[&str] = &[
    "order_submit",
    "order_add_line",
    "order_update_line",
    "order_delete_line",
    "order_receive",
    "order_receive_all",
    "order_return",
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
    /// What had come of lines while the order was a draft, which the library does not know: its lines are of what will
    /// still come.
    had_come: BTreeMap<InventoryOrderItemId, Quantity>,
}

impl OrderAs {
    /// A line that the order does not have.
    pub(crate) fn unknown_line(&self) -> InventoryOrderItemId {
        InventoryOrderItemId::new(id("order line", &self.id.to_string()))
    }

    /// What the library's line is of, when the order's is to be of so many.
    pub(crate) fn still_to_come(
        &self,
        item: InventoryOrderItemId,
        quantity: Option<Quantity>,
    ) -> Tried<Option<Quantity>> {
        Ok(match quantity {
            Some(quantity) => Some(quantity.checked_sub(self.had_come(item))?),
            None => None,
        })
    }

    fn had_come(&self, item: InventoryOrderItemId) -> Quantity {
        self.had_come.get(&item).copied().unwrap_or(Quantity::ZERO)
    }
}

impl World {
    pub(crate) fn order_named(&self, words: &Words) -> Tried<(String, OrderAs)> {
        let name = words.text("order")?.unwrap_or_else(|| "O".to_owned());
        let order = self
            .orders
            .get(&name)
            .cloned()
            .ok_or_else(|| Trouble::broken(format!("there is no order {name}")))?;
        Ok((name, order))
    }

    /// The line that some words name: by its name, or by its product if that is on one line. One that the order does not
    /// have is for the library to refuse.
    pub(crate) async fn order_line_id(
        &mut self,
        order: &OrderAs,
        words: &Words,
    ) -> Tried<InventoryOrderItemId> {
        if let (None, Some(product)) = (words.text("line")?, words.text("product")?) {
            let product = self.find_product(&product).await?;
            let mut lines = self.order_lines(order.id).await?;
            lines.retain(|line| Some(line.product().id) == product);
            return Ok(match lines.as_slice() {
                [only] => only.id(),
                _ => order.unknown_line(),
            });
        }
        let line = words.need("line")?;
        if let Some(item) = order.lines.get(&line) {
            return Ok(*item);
        }
        let of_another = self
            .orders
            .values()
            .find_map(|other| other.lines.get(&line));
        if of_another.is_some() {
            // For the library it is not there; to name a line of another order is a mistake besides.
            self.also.push("validation");
        }
        Ok(of_another.copied().unwrap_or_else(|| order.unknown_line()))
    }

    pub(crate) async fn set_up_order(&mut self, words: &Words) -> Tried<()> {
        let name = words.text("order")?.unwrap_or_else(|| "O".to_owned());
        // It is of the case's currency, which was opened with it; how many lines it has, its lines tell.
        words.text("currency")?;
        words.whole("item_count")?;
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
            had_come: BTreeMap::new(),
        };
        let mut received = Vec::new();
        let state = words.text("state")?;
        let is_draft = matches!(state.as_deref(), None | Some("draft"));
        for line in words.objects("lines")?.unwrap_or_default() {
            let quantity = line.quantity("received")?.unwrap_or(Quantity::ZERO);
            if quantity.is_positive() && is_draft {
                let left = line.need_quantity("qty")?.checked_sub(quantity)?;
                if !left.is_positive() {
                    let word = "a draft order of which a line has come as a whole";
                    return Err(Trouble::unsupported(word));
                }
                let line = line.with("qty", left.to_string());
                let added = self.add_order_line(&host, &mut order, &line).await?;
                order.had_come.insert(added, quantity);
                continue;
            }
            let added = self.add_order_line(&host, &mut order, &line).await?;
            if quantity.is_positive() {
                received.push((added, quantity, self.key_at(&line, &location).await?));
            }
        }
        if words.names("generated_lines") {
            let generated = words.inner("generated_lines")?;
            self.generate_lines(&mut order, &generated).await?;
        }
        match state.as_deref() {
            None | Some("draft") => {}
            Some("submitted" | "partially_received" | "received" | "cancelled") => {
                self.library.inventory_orders().submit(&host, id).await?;
            }
            Some(other) => return Err(Trouble::unsupported(format!("order state {other}"))),
        }
        self.set_up_receipts(&host, id, received).await?;
        let orders = self.library.inventory_orders();
        match state.as_deref() {
            Some("received") => {
                orders.receive(&host, id, ReceiveRequest::all()).await?;
            }
            Some("cancelled") => {
                orders.close_short(&host, id, None).await?;
            }
            Some(_) | None => {}
        }
        self.orders.insert(name, order);
        Ok(())
    }

    /// So many lines, each of a product of its own; the name of the product stands for all of them.
    async fn generate_lines(&mut self, order: &mut OrderAs, words: &Words) -> Tried<()> {
        let count = words.need_step("count")?;
        let formula_of_quantity = words.need("qty_formula")?;
        let formula_of_price = words.text("unit_price_minor_formula")?;
        let price = words.text("unit_price_minor")?;
        let family = words.text("product")?.unwrap_or_else(|| "P".to_owned());
        let host = self.host();
        for number in 0..count {
            let product = format!("{family}-{number}");
            let mut line = words
                .with("product", product.clone())
                .with("line", format!("{}", number + 1))
                .with("qty", formula(&formula_of_quantity, number)?);
            if let Some(text) = &formula_of_price {
                line = line.with("unit_price_minor", formula(text, number)?);
            } else if let Some(price) = &price {
                line = line.with("unit_price_minor", price.clone());
            }
            self.add_order_line(&host, order, &line).await?;
            self.families
                .entry(family.clone())
                .or_default()
                .push(product);
        }
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
                let line = self.order_line_id(&order, words).await?;
                let quantity = order.still_to_come(line, update.quantity)?;
                let update = OrderItemUpdate { quantity, ..update };
                let orders = self.library.inventory_orders();
                orders.update_item(&caller, id, line, update).await?;
            }
            "order_delete_line" => {
                let line = self.order_line_id(&order, words).await?;
                let orders = self.library.inventory_orders();
                orders.delete_item(&caller, id, line).await?;
            }
            "order_cancel_outstanding" => {
                let orders = self.library.inventory_orders();
                let reason = reason_of(words)?;
                orders.close_short(&caller, id, reason).await?;
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
        if op == "order_receive" && words.names("lines") {
            // Lines that are null are none: nothing is to be received.
            for line in words.objects("lines")?.unwrap_or_default() {
                let item = self.order_line_id(&order, &line).await?;
                let at = line.text("location")?.unwrap_or_else(|| location.clone());
                for line in each_serial(&line)? {
                    let quantity = line.quantity("qty")?;
                    let key = self.receipt_key(&order, item, &line, &at).await?;
                    lines.push(ReceiptLine {
                        item,
                        quantity,
                        key,
                        variant: NamePart::Any,
                        place: NamePart::Any,
                        batch: NamePart::Any,
                        serial: NamePart::Any,
                    });
                }
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
                        key,
                        variant: NamePart::Any,
                        place: NamePart::Any,
                        batch: NamePart::Any,
                        serial: NamePart::Any,
                    });
                }
            }
        }
        let all = lines.is_empty() && !words.names("lines");
        let request = ReceiveRequest {
            lines: (!all).then_some(lines),
            occurred_at,
        };
        if words.flag("affects_received")? == Some(false) {
            return self.receipt_beside(words, request).await;
        }
        Ok(Command::Receive {
            caller,
            order: order.id,
            request,
        })
    }

    /// Goods that go back to the supplier: each line's name the receipts with which they came, the first one first. What is
    /// outstanding of the order stays as it is.
    pub(crate) async fn return_of(&mut self, words: &Words) -> Tried<Command> {
        let (caller, (_, order)) = (self.actor(words)?, self.order_named(words)?);
        if words.flag("affects_received")?.unwrap_or(true) {
            let word = "order_return after which it is outstanding again";
            return Err(Trouble::unsupported(word));
        }
        let mut movements = Vec::new();
        for line in words.need_objects("lines")? {
            let item = self.order_line_id(&order, &line).await?;
            let mut left = line.need_quantity("qty")?;
            let of_line = |event: &&StockEvent| {
                let is_of_line = matches!(event.cause, Cause::Order { item: of, .. } if of == item);
                is_of_line && event.kind == StockEventKind::Receipt
            };
            let receipts: Vec<&StockEvent> = self.events.iter().filter(of_line).collect();
            let Some(last) = receipts.last() else {
                return Err(Error::NotFound { what: "receipt" }.into());
            };
            for receipt in &receipts {
                // The last one is asked for all that is missing, so that the library says when it is too much.
                let quantity = if receipt.id == last.id {
                    left
                } else {
                    left.min(receipt.change)
                };
                left = left.checked_sub(quantity)?;
                if quantity.is_positive() {
                    movements.push(NewMovement::from(Movement::SupplierReturn {
                        key: receipt.key.clone(),
                        quantity,
                        receipt: Some(receipt.id),
                    }));
                }
            }
        }
        let site = self.site(words.text("location")?.as_deref().unwrap_or("A"))?;
        Ok(Command::Record {
            caller,
            site,
            movements,
            atomic: true,
        })
    }

    /// What comes beside an order: at its price, but not as what was ordered.
    async fn receipt_beside(&mut self, words: &Words, request: ReceiveRequest) -> Tried<Command> {
        let (caller, (_, order)) = (self.actor(words)?, self.order_named(words)?);
        let mut movements = Vec::new();
        let mut site = self.site(words.text("location")?.as_deref().unwrap_or("A"))?;
        for line in request.lines.unwrap_or_default() {
            let orders = self.library.inventory_orders();
            let item = orders.item(&self.host(), order.id, line.item).await?;
            let (Some(key), Some(quantity)) = (line.key, line.quantity) else {
                return Err(Trouble::unsupported(
                    "goods beside an order without a quantity",
                ));
            };
            site = key.site;
            let receipt = NewMovement::from(Movement::Receipt {
                key,
                quantity,
                unit_cost: Some(item.ordered().unit_cost(self.currency)?),
            });
            movements.push(match request.occurred_at {
                Some(at) => receipt.at(at),
                None => receipt,
            });
        }
        Ok(Command::Record {
            caller,
            site,
            movements,
            atomic: true,
        })
    }

    async fn receipt_key(
        &self,
        order: &OrderAs,
        item: InventoryOrderItemId,
        words: &Words,
        location: &str,
    ) -> Tried<Option<StockKey>> {
        let lines = self.order_lines(order.id).await?;
        let Some(line) = lines.iter().find(|line| line.id() == item) else {
            return Ok(None);
        };
        let (batch, serial) = (words.either(&["lot", "batch"])?, words.text("serial")?);
        Ok(Some(StockKey {
            variant: line.variant().cloned(),
            place: self.place(location)?,
            batch: batch.map(|text| text.parse()).transpose()?,
            serial: serial.map(|text| text.parse()).transpose()?,
            ..StockKey::plain(self.site(location)?, line.product().id)
        }))
    }

    async fn order(&self, id: InventoryOrderId) -> Tried<stocktake::domain::InventoryOrder> {
        Ok(self
            .library
            .inventory_orders()
            .get(&self.host(), id)
            .await?)
    }

    pub(crate) async fn order_lines(&self, id: InventoryOrderId) -> Tried<Vec<InventoryOrderItem>> {
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

    /// A line of an order, and how much of it has come, will still come, and was ordered.
    pub(crate) async fn order_line(
        &mut self,
        words: &Words,
    ) -> Tried<(InventoryOrderItem, [Quantity; 3])> {
        let (_, order) = self.order_named(words)?;
        let item = self.order_line_id(&order, words).await?;
        let orders = self.library.inventory_orders();
        let line = orders.item(&self.host(), order.id, item).await?;
        let outstanding = self.order(order.id).await?.outstanding(&line);
        let had_come = order.had_come(item);
        let received = line.received().checked_add(had_come)?;
        let ordered = line.ordered().quantity.checked_add(had_come)?;
        Ok((line, [received, outstanding, ordered]))
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
