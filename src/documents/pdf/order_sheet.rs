//! The order as a supplier gets it.

use std::fmt;

use super::article;
use super::block::{Block, Column, Side, columns};
use super::flow::Flow;
use super::head::{self, Fact};
use super::pdf_file;
use super::table;
use super::take_receipt::upper;
use super::text::Style;
use super::{PrintError, PrintOptions, PrintedPart};
use crate::domain::{InventoryOrder, InventoryOrderItem, Money, Site, Stamp, Timestamp};

/// A supplier's order: who orders what, how many, at what price, and the sum.
///
/// It takes lines one after the other. The sum is that of the lines it was given; when those are not all lines of the
/// order, it says so.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::documents::pdf::{OrderSheet, PrintOptions};
/// use stocktake::domain::*;
/// use uuid::Uuid;
///
/// let organisation = OrganisationId::new(Uuid::from_u128(1));
/// let site = Site {
///     id: SiteId::new(Uuid::from_u128(2)), organisation, external_id: "store-1".parse()?,
///     name: "High Street".parse()?, currency: "gbp".parse()?, policy: SitePolicy::default(),
/// };
/// let user = UserSummary { id: UserId::new(Uuid::from_u128(3)), email: None, first_name: "Ann".into(), last_name: "Lee".into() };
/// let actor = Actor { organisation, user, role: Role::Manager, sites: SiteAccess::All };
/// let stamp = Stamp { actor, at: Timestamp::EPOCH };
/// let supplier = Supplier {
///     id: SupplierId::new(Uuid::from_u128(4)), organisation, site: site.id, name: "Elemis".parse()?, email: None,
/// };
/// let tea = Product {
///     suppliers: vec![Named { id: supplier.id, name: supplier.name.clone() }],
///     ..Product::new(ProductId::new(Uuid::from_u128(5)), organisation, "TEA".parse()?, "Grüner Tee · Τσάι · Чай".parse()?)
/// };
/// let id = InventoryOrderId::new(Uuid::from_u128(6));
/// let order = InventoryOrder::create(id, &site, &supplier, InventoryOrderDetails::default(), &stamp)?;
/// let ordered = Ordered { quantity: 12.into(), unit_price_minor: 250 };
/// let line = InventoryOrderItem::new(InventoryOrderItemId::new(Uuid::from_u128(7)), &order, Arc::new(tea), None, ordered, stamp.at)?;
/// let order = order.add_item(&line, &stamp)?;
///
/// let mut sheet = OrderSheet::new(&order, &site, &stamp, &PrintOptions::default())?;
/// sheet.add(&line)?;
/// let pdf: Vec<u8> = sheet.finish()?;
/// assert!(pdf.starts_with(b"%PDF"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OrderSheet {
    flow: Flow,
    title: String,
    at: Timestamp,
    order: InventoryOrder,
    table: Table,
    lines: u64,
    sum: Money,
}

/// The columns of a line.
#[derive(Clone, Copy)]
struct Table {
    line: Column,
    article: Column,
    quantity: Column,
    unit: Column,
    price: Column,
    total: Column,
}

impl Table {
    fn new(width: f32) -> Self {
        let number = |width| (width, Side::Right);
        let all = [
            number(26.0),
            (0.0, Side::Left),
            number(64.0),
            (44.0, Side::Left),
            number(72.0),
            number(80.0),
        ];
        let [line, article, quantity, unit, price, total] = columns(width, 8.0, all);
        Self {
            line,
            article,
            quantity,
            unit,
            price,
            total,
        }
    }

    /// The columns and their names.
    fn named(&self) -> [(Column, &'static str); 6] {
        [
            (self.line, "Line"),
            (self.article, "Article"),
            (self.quantity, "Quantity"),
            (self.unit, "Unit"),
            (self.price, "Unit price"),
            (self.total, "Total"),
        ]
    }
}

impl OrderSheet {
    /// Begins the sheet of an order; `printed` says who prints it and when.
    ///
    /// # Errors
    ///
    /// [`PrintError::Font`], [`PrintError::Letters`], [`PrintError::Room`].
    pub fn new(
        order: &InventoryOrder,
        site: &Site,
        printed: &Stamp,
        options: &PrintOptions,
    ) -> Result<Self, PrintError> {
        let number = order.purchase_order_number();
        let name = number.map_or_else(|| order.id().to_string(), ToString::to_string);
        let title = format!("Purchase order {name}");
        let running = format!("{title} · {}", site.name);
        let foot = format!("Order {}", order.id());
        let mut flow = Flow::new(options, &running, &foot)?;
        put_head(&mut flow, order, site, printed, &name)?;
        let table = Table::new(flow.width());
        let heading = table::heading(&mut flow, &table.named())?;
        let part = PrintedPart::Head("Columns");
        flow.begin_rows(heading, &part)?;
        Ok(Self {
            flow,
            title,
            at: printed.at,
            order: order.clone(),
            table,
            lines: 0,
            sum: Money::zero(order.currency()),
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// [`PrintError::Letters`], [`PrintError::Room`], [`PrintError::OutOfRange`]; [`PrintError::OtherDocument`] for a
    /// line of another order.
    pub fn add(&mut self, item: &InventoryOrderItem) -> Result<(), PrintError> {
        let article = item.product().article_id.clone();
        if item.order() != self.order.id() {
            return Err(PrintError::OtherDocument { article });
        }
        let part = PrintedPart::Article(article);
        let total = Money::new(item.total_minor().into(), self.order.currency());
        self.sum = self
            .sum
            .checked_add(total)
            .map_err(|_| PrintError::OutOfRange)?;
        let row = self.row(item, total, &part)?;
        self.flow.put(&row, &part)?;
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    fn row(
        &mut self,
        item: &InventoryOrderItem,
        total: Money,
        part: &PrintedPart,
    ) -> Result<Block, PrintError> {
        const TOP: f32 = 4.0;
        let (table, width) = (self.table, self.flow.width());
        let mut setter = self.flow.setter(part);
        let mut block = Block::default();
        let product = item.product();
        let variant = item.variant().map(|it| ("Variant", it.as_str()));
        let details: Vec<(&str, &str)> = variant.into_iter().collect();
        article::describe(
            &mut block,
            &mut setter,
            table.article,
            TOP,
            product,
            &details,
        )?;
        if let Some(unit) = &product.unit {
            let style = Style::regular(8.0);
            let lines = setter.wrapped(unit.name.as_str(), style, table.unit.width)?;
            block.text(table.unit, TOP + style.lower_than(article::ID), lines);
        }
        let ordered = item.ordered();
        let price = Money::new(ordered.unit_price_minor.into(), total.currency());
        let (small, normal) = (Style::regular(7.5).grey(), Style::regular(8.5));
        for (column, number, style) in [
            (table.line, item.line().to_string(), small),
            (table.quantity, ordered.quantity.to_string(), normal),
            (table.price, price.major(), normal),
            (table.total, total.major(), normal),
        ] {
            let lines = setter.number(&number, style, column.width)?;
            block.text(column, TOP + style.lower_than(article::ID), lines);
        }
        Ok(table::end_of_row(block, width))
    }

    /// Puts the sum below the lines, numbers the pages and gives the file.
    ///
    /// # Errors
    ///
    /// [`PrintError::Letters`], [`PrintError::Room`], [`PrintError::Pdf`].
    pub fn finish(mut self) -> Result<Vec<u8>, PrintError> {
        let part = PrintedPart::Head("Total");
        let all = self.order.item_count();
        let name = if self.lines == all {
            format!("Total {}", upper(self.sum.currency()))
        } else {
            format!(
                "Total of {} of {all} lines {}",
                self.lines,
                upper(self.sum.currency())
            )
        };
        let width = self.flow.width();
        let [name_column, sum_column] =
            columns(width, 8.0, [(0.0, Side::Right), (110.0, Side::Right)]);
        let mut setter = self.flow.setter(&part);
        let mut block = Block::default();
        let lines = setter.wrapped(&name, Style::bold(10.0), name_column.width)?;
        block.text(name_column, 8.0, lines);
        let sum = setter.number(&self.sum.major(), Style::bold(10.0), sum_column.width)?;
        block.text(sum_column, 8.0, sum);
        self.flow.put(&block, &part)?;
        let (paper, fonts, pages) = self.flow.finish()?;
        pdf_file::write(paper, fonts, pages, self.title, self.at)
    }
}

impl fmt::Debug for OrderSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderSheet")
            .field("order", &self.order.id())
            .finish_non_exhaustive()
    }
}

/// The head of the first page: who orders from whom, and when.
fn put_head(
    flow: &mut Flow,
    order: &InventoryOrder,
    site: &Site,
    printed: &Stamp,
    name: &str,
) -> Result<(), PrintError> {
    let part = PrintedPart::Head("Head");
    let title = head::title(flow, "PURCHASE ORDER", name)?;
    flow.put(&title, &part)?;
    let supplier = order.supplier();
    let mut known = vec![
        Fact::new("Supplier", supplier.name.as_str()),
        Fact::site(site),
    ];
    known.extend(
        supplier
            .email
            .as_ref()
            .map(|email| Fact::new("E-mail", email.as_str())),
    );
    known.push(Fact::done(
        "Created",
        order.created_at(),
        order.created_by(),
    ));
    let ordered = order.last_submitted_at().or(order.submitted_at());
    known.push(Fact::new(
        "Ordered",
        ordered.map_or_else(|| "not yet".to_owned(), head::minute),
    ));
    known.push(Fact::printed(printed));
    known.push(Fact::new("Prices in", upper(order.currency())));
    let width = flow.width();
    let facts = head::facts(flow, width, &known)?;
    flow.put(&facts.with_room(12.0), &part)
}
