//! A site, a supplier, a product and the people, for tests of the domain.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

use std::sync::Arc;

use stocktake::domain::{
    Actor, Code, Label, Named, Note, OrganisationId, Product, ProductId, Role, Site, SiteAccess,
    SiteId, SitePolicy, Stamp, StockKey, Supplier, SupplierId, Timestamp, UnitCosts, UserId,
    UserSummary,
};
use uuid::Uuid;

pub(crate) const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));

/// The site, in pounds.
pub(crate) fn site() -> Site {
    Site {
        id: SiteId::new(Uuid::from_u128(2)),
        organisation: ORGANISATION,
        external_id: Code::new("store-1").unwrap(),
        name: Label::new("High Street").unwrap(),
        currency: "gbp".parse().unwrap(),
        policy: SitePolicy::default(),
    }
}

/// The supplier of the site that sells [`product`].
pub(crate) fn supplier() -> Supplier {
    Supplier {
        id: SupplierId::new(Uuid::from_u128(3)),
        organisation: ORGANISATION,
        site: site().id,
        name: Label::new("Elemis").unwrap(),
        email: Some(Label::new("orders@example.com").unwrap()),
    }
}

pub(crate) fn product() -> Arc<Product> {
    let supplier = supplier();
    let mut product = Product::new(
        ProductId::new(Uuid::from_u128(4)),
        ORGANISATION,
        Code::new("SKU-1").unwrap(),
        Label::new("Cleansing balm").unwrap(),
    );
    product.unit_costs = UnitCosts::of("gbp".parse().unwrap(), "12.50".parse().unwrap());
    product.suppliers = vec![Named {
        id: supplier.id,
        name: supplier.name,
    }];
    Arc::new(product)
}

pub(crate) fn key() -> StockKey {
    StockKey::plain(site().id, product().id)
}

/// So many seconds into the test.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.later_by(second.saturating_mul(1_000_000))
}

/// Done by a manager: `who` tells one from another.
pub(crate) fn by(who: u128, second: i64) -> Stamp {
    Stamp {
        actor: Actor {
            organisation: ORGANISATION,
            user: UserSummary {
                id: UserId::new(Uuid::from_u128(who)),
                email: None,
                first_name: "Dan".into(),
                last_name: "Johnson".into(),
            },
            role: Role::Manager,
            sites: SiteAccess::All,
        },
        at: at(second),
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note::new(text).unwrap()
}
