//! Lines of takes in the making, and the pages of them.

use std::sync::Arc;

use stocktake::documents::{ReportHeading, ReportLine, ReportOptions, VarianceReport};
use stocktake::domain::{
    Actor, Beginning, BrandId, CategoryId, CountMoment, Currency, Entered, InitialState,
    LineOutcome, LinePosting, MovementPolicy, Named, OrganisationId, Product, ProductId, Quantity,
    Role, Site, SiteAccess, SiteId, SitePolicy, Stamp, StockKey, StockTake, StockTakeDetails,
    StockTakeId, StockTakeItem, StockTakePlace, Timestamp, UnitCost, UserId, UserSummary, Value,
    ValueSum,
};
use stocktake::store::{StockTakeItemView, Version, Versioned};
use uuid::Uuid;

/// 5 January 2026, 12:00.
pub(super) const NOON: i64 = 1_767_614_400_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(super) fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128((kind << 96) | number as u128)
}

pub(super) fn site(currency: &str, name: &str) -> Site {
    Site {
        id: SiteId::new(id(2, 1)),
        organisation: OrganisationId::new(id(1, 1)),
        external_id: "store-1".parse().unwrap(),
        name: name.parse().unwrap(),
        currency: currency.parse().unwrap(),
        policy: SitePolicy::default(),
    }
}

pub(super) fn take(site: &Site, name: &str) -> StockTake {
    let place = StockTakePlace {
        organisation: site.organisation,
        site: site.id,
        currency: site.currency,
    };
    let details = StockTakeDetails {
        name: None,
        description: Some(name.parse().unwrap()),
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::default(),
    };
    let user = UserSummary {
        id: UserId::new(id(9, 0)),
        email: None,
        first_name: "Mary".to_owned(),
        last_name: String::new(),
    };
    let stamp = Stamp {
        actor: Actor {
            organisation: site.organisation,
            user,
            role: Role::Manager,
            sites: SiteAccess::All,
        },
        at: at(NOON),
    };
    StockTake::create(
        StockTakeId::new(id(5, 1)),
        place,
        details,
        InitialState::Ongoing,
        &stamp,
    )
}

/// A line in the making.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) category: Option<String>,
    pub(super) brand: Option<String>,
    pub(super) account: Option<String>,
    pub(super) book: Quantity,
    pub(super) counted: Option<Quantity>,
    pub(super) cost: Option<UnitCost>,
    pub(super) counter: usize,
    pub(super) after: i64,
}

impl Given {
    pub(super) fn of(book: &str, counted: &str, cost: &str) -> Self {
        Self {
            name: "Tea".to_owned(),
            category: None,
            brand: None,
            account: None,
            book: book.parse().unwrap(),
            counted: Some(counted.parse().unwrap()),
            cost: Some(cost.parse().unwrap()),
            counter: 1,
            after: 0,
        }
    }

    pub(super) fn uncounted(book: &str, cost: &str) -> Self {
        Self {
            counted: None,
            ..Self::of(book, "0", cost)
        }
    }

    pub(super) fn line(&self, number: usize, currency: Currency) -> StockTakeItemView {
        let organisation = OrganisationId::new(id(1, 1));
        let product = ProductId::new(id(3, number));
        let article = format!("SKU-{number:05}").parse().unwrap();
        let mut details = Product::new(product, organisation, article, self.name.parse().unwrap());
        details.category = self.category.as_ref().map(|name| Named {
            id: CategoryId::new(Uuid::new_v5(&id(6, 1), name.as_bytes())),
            name: name.parse().unwrap(),
        });
        details.brand = self.brand.as_ref().map(|name| Named {
            id: BrandId::new(Uuid::new_v5(&id(7, 1), name.as_bytes())),
            name: name.parse().unwrap(),
        });
        details.account = self
            .account
            .as_ref()
            .map(|account| account.parse().unwrap());
        details.unit_costs.set(currency, self.cost);
        let key = StockKey::plain(SiteId::new(id(2, 1)), product).at("A-01".parse().unwrap());
        let now = at(NOON + self.after);
        let line = StockTakeItem::new(
            StockTakeId::new(id(5, 1)),
            number as u64 + 1,
            key,
            Arc::new(details),
            Beginning::default(),
            at(NOON),
        );
        let line = match self.counted {
            None => line,
            Some(counted) => {
                let moment = CountMoment {
                    at: now,
                    clock: now,
                    known: 0,
                    ahead: false,
                    stated: false,
                    sequence: 1,
                    told: 1,
                    book: self.book,
                };
                let by = (UserId::new(id(9, self.counter)), now);
                line.counted(Entered::Set(counted), moment, self.cost, currency, by)
                    .unwrap()
            }
        };
        view(line, self.book)
    }
}

pub(super) fn view(line: StockTakeItem, on_hand: Quantity) -> StockTakeItemView {
    StockTakeItemView {
        item: Versioned {
            version: Version::FIRST,
            value: Arc::new(line),
        },
        on_hand: Some(on_hand),
        reserved: None,
    }
}

pub(super) fn report_of(
    lines: &[StockTakeItemView],
    site: &Site,
    name: &str,
    options: &ReportOptions,
) -> VarianceReport {
    let take = take(site, name);
    let heading = ReportHeading::of_stock_take(&take, site);
    let mut report = VarianceReport::new(heading, at(NOON + 9 * HOUR), options.clone());
    for line in lines {
        report.add(&ReportLine::of_stock_take(line, site.currency));
    }
    report
}

pub(super) fn report(given: &[Given], currency: &str) -> String {
    let site = site(currency, "High Street");
    let lines = given.iter().enumerate();
    let lines: Vec<_> = lines
        .map(|(number, it)| it.line(number, site.currency))
        .collect();
    report_of(&lines, &site, "January", &ReportOptions::default()).finish()
}

/// What a line is like after posting.
pub(super) fn posted(given: &Given, number: usize, outcome: LineOutcome) -> StockTakeItemView {
    let line = given.line(number, "gbp".parse().unwrap());
    let change = match outcome {
        LineOutcome::Adjusted => line.item.variance().unwrap_or_default(),
        _ => Quantity::ZERO,
    };
    let posting = LinePosting {
        adjustment_minor: if change.is_zero() {
            0
        } else {
            line.item.adjustment_minor()
        },
        outcome,
        zeroed: false,
        expected: given.book,
        change,
        event: None,
        learned: None,
        moves: Vec::new(),
        sequence: 1,
        on_hand: given.book,
        reserved: Quantity::ZERO,
        layers: Vec::new(),
        standard_value: ValueSum::ZERO,
        fifo_value: Value::ZERO,
    };
    let item = StockTakeItem {
        posting: Some(posting),
        ..(*line.item.value).clone()
    };
    view(item, given.book)
}
