//! The seed file: sites, people, products and the first stock. It is loaded once: each step has an idempotency key of
//! its own, so that loading it again, or after a crash, does what is left and nothing twice.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use stocktake::domain::{
    Actor, Barcode, BrandId, CategoryId, Code, Currency, Label, Named, Note, OrganisationId, Price,
    Product, ProductId, Quantity, Role, Site, SiteAccess, SiteId, SitePolicy, StockKey, Supplier,
    SupplierId, Timestamp, Tracking, Unit, UnitCost, UnitCosts, UserId, UserSummary,
};
use stocktake::service::{
    Caller, Clock as _, Error, Movement, NewMovement, Stocktake, SystemClock,
};
use stocktake::store::IdempotencyKey;
use uuid::Uuid;

use super::body::filled;

/// How many rows of stock are recorded at once.
const CHUNK: usize = 5_000;

/// What a seed file holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seed {
    sites: Vec<SeedSite>,
    pub(super) users: Vec<SeedUser>,
    pub(super) api_keys: Vec<SeedKey>,
    suppliers: Vec<SeedSupplier>,
    products: Vec<SeedProduct>,
    stock: Vec<SeedStock>,
}

#[derive(Debug, Deserialize)]
struct SeedSite {
    id: SiteId,
    organisation_id: OrganisationId,
    external_id: Code,
    name: Label,
    currency: Currency,
    /// Where goods go that arrive and name no stock place.
    #[serde(default, deserialize_with = "filled")]
    receiving_place: Option<Code>,
}

/// A person.
#[derive(Debug, Deserialize)]
pub(super) struct SeedUser {
    pub(super) id: UserId,
    pub(super) organisation_id: OrganisationId,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) site_ids: Vec<SiteId>,
    pub(super) role: Role,
    pub(super) token: String,
    pub(super) email: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
}

/// A machine.
#[derive(Debug, Deserialize)]
pub(super) struct SeedKey {
    pub(super) key: String,
    pub(super) organisation_id: OrganisationId,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) site_ids: Vec<SiteId>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) role: KeyRole,
}

/// What a machine may do.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyRole {
    /// Reads.
    Viewer,
    /// Counts.
    Counter,
    /// Runs stock takes, counts and imports; a manager but for approvals, which are a person's.
    #[default]
    Manager,
}

impl KeyRole {
    /// The same for the library.
    pub(super) const fn to_role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Counter => Role::Counter,
            Self::Manager => Role::Service,
        }
    }
}

#[derive(Debug, Deserialize)]
struct SeedSupplier {
    id: SupplierId,
    site_id: SiteId,
    name: Label,
    #[serde(default, deserialize_with = "filled")]
    email: Option<Label>,
}

#[derive(Debug, Deserialize)]
struct SeedProduct {
    id: ProductId,
    organisation_id: OrganisationId,
    article_id: Code,
    name: Label,
    #[serde(default, deserialize_with = "filled")]
    description: Option<Note>,
    #[serde(default, deserialize_with = "or_default")]
    barcodes: Vec<SeedBarcode>,
    brand: Option<Named<BrandId>>,
    category: Option<Named<CategoryId>>,
    unit: Option<Unit>,
    #[serde(default, deserialize_with = "or_default")]
    supplier_ids: Vec<SupplierId>,
    unit_cost: Option<Exact<UnitCost>>,
    #[serde(default, deserialize_with = "filled")]
    account: Option<Code>,
    #[serde(default, deserialize_with = "or_default")]
    tracking: Tracking,
    active: Option<bool>,
    is_stock: Option<bool>,
    bundled: Option<bool>,
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    article_type: i32,
    price: Option<Exact<UnitCost>>,
    stock_warning: Option<Exact<Quantity>>,
}

#[derive(Debug, Deserialize)]
struct SeedBarcode {
    value: Code,
    #[serde(rename = "type")]
    symbology: Code,
}

#[derive(Debug, Deserialize)]
struct SeedStock {
    site_id: SiteId,
    product_id: ProductId,
    #[serde(default, deserialize_with = "filled")]
    variant: Option<Code>,
    #[serde(default, deserialize_with = "filled")]
    stock_place: Option<Code>,
    #[serde(default, deserialize_with = "filled")]
    batch_id: Option<Code>,
    #[serde(default, deserialize_with = "filled")]
    serial_nr: Option<Code>,
    quantity: Exact<Quantity>,
    unit_cost: Option<Exact<UnitCost>>,
    received_at: Option<DateTime<Utc>>,
    /// How much of it is promised.
    reserved: Option<Exact<Quantity>>,
}

/// A decimal, as a text or a number.
#[derive(Clone, Copy, Debug)]
struct Exact<T>(T);

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for Exact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        text.parse()
            .map(Self)
            .map_err(|error| D::Error::custom(format_args!("{text}: {error}")))
    }
}

/// Null is the same as missing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Seed {
    /// Reads a seed file.
    ///
    /// # Errors
    ///
    /// What is wrong and where, in words.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read(path).map_err(|error| told(&error))?;
        let unmarked = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let mut json = serde_json::Deserializer::from_slice(unmarked);
        serde_path_to_error::deserialize(&mut json).map_err(|error| told(&error))
    }

    /// Loads it, unless it is there.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) async fn load(&self, stocktake: &Stocktake) -> Result<(), String> {
        let organisation_of: HashMap<SiteId, OrganisationId> = self
            .sites
            .iter()
            .map(|site| (site.id, site.organisation_id))
            .collect();
        let of_site = |site: SiteId| {
            let organisation = organisation_of.get(&site).copied();
            organisation.ok_or_else(|| format!("the seed has no site {site}"))
        };
        let catalogue = stocktake.catalogue();
        for site in &self.sites {
            let loader = loader(site.organisation_id, &format!("site/{}", site.id))?;
            there(
                "site",
                site.id,
                catalogue.put_site(&loader, site.to_site()).await,
            )?;
        }
        for supplier in &self.suppliers {
            let organisation = of_site(supplier.site_id)?;
            let loader = loader(organisation, &format!("supplier/{}", supplier.id))?;
            let put = catalogue.put_supplier(&loader, supplier.to_supplier(organisation));
            there("supplier", supplier.id, put.await)?;
        }
        for (organisation, products) in self.products()? {
            let loader = loader(organisation, "products")?;
            let put = catalogue.put_products(&loader, products).await;
            there("products of", organisation, put)?;
        }
        let mut rows: BTreeMap<SiteId, Vec<NewMovement>> = BTreeMap::new();
        for row in &self.stock {
            rows.entry(row.site_id).or_default().push(row.to_movement());
        }
        for (site, movements) in rows {
            for (number, chunk) in movements.chunks(CHUNK).enumerate() {
                let loader = loader(of_site(site)?, &format!("stock/{site}/{number}"))?;
                let recorded = stocktake.stock().record(&loader, site, chunk).await;
                there("stock of", site, recorded.map(drop))?;
            }
        }
        for (number, row) in self.stock.iter().enumerate() {
            if let Some(Exact(reserved)) = row.reserved.filter(|it| !it.0.is_zero()) {
                let loader = loader(of_site(row.site_id)?, &format!("reserved/{number}"))?;
                let stock = stocktake.stock();
                let set = stock.set_reserved(&loader, &row.key(), reserved).await;
                there("reserved stock of", row.site_id, set)?;
            }
        }
        Ok(())
    }

    /// The products of each organisation.
    fn products(&self) -> Result<BTreeMap<OrganisationId, Vec<Product>>, String> {
        let suppliers: HashMap<SupplierId, &Label> = self
            .suppliers
            .iter()
            .map(|supplier| (supplier.id, &supplier.name))
            .collect();
        let mut products: BTreeMap<OrganisationId, Vec<Product>> = BTreeMap::new();
        for product in &self.products {
            let linked = product.supplier_ids.iter().map(|id| {
                let name = suppliers.get(id).copied().cloned();
                let name = name.ok_or_else(|| format!("the seed has no supplier {id}"))?;
                Ok(Named { id: *id, name })
            });
            let linked = linked.collect::<Result<_, String>>()?;
            let of = products.entry(product.organisation_id).or_default();
            let mut sites = self.sites.iter();
            let first = sites.find(|site| site.organisation_id == product.organisation_id);
            of.push(product.to_product(linked, first.map(|site| site.currency)));
        }
        Ok(products)
    }
}

impl SeedSite {
    fn to_site(&self) -> Site {
        Site {
            id: self.id,
            organisation: self.organisation_id,
            external_id: self.external_id.clone(),
            name: self.name.clone(),
            currency: self.currency,
            policy: SitePolicy {
                receiving_place: self.receiving_place.clone(),
                ..SitePolicy::default()
            },
        }
    }
}

impl SeedSupplier {
    fn to_supplier(&self, organisation: OrganisationId) -> Supplier {
        Supplier {
            id: self.id,
            organisation,
            site: self.site_id,
            name: self.name.clone(),
            email: self.email.clone(),
        }
    }
}

impl SeedProduct {
    /// The file has one cost and one price without a currency: they are in that of the organisation's first site.
    fn to_product(&self, suppliers: Vec<Named<SupplierId>>, first: Option<Currency>) -> Product {
        let barcode = |it: &SeedBarcode| Barcode {
            value: it.value.clone(),
            symbology: it.symbology.clone(),
        };
        let (article, name) = (self.article_id.clone(), self.name.clone());
        let unit_costs = self.unit_cost.as_ref().zip(first);
        let unit_costs = unit_costs.map(|(cost, currency)| UnitCosts::of(currency, cost.0));
        Product {
            description: self.description.clone(),
            barcodes: self.barcodes.iter().map(barcode).collect(),
            brand: self.brand.clone(),
            category: self.category.clone(),
            unit: self.unit.clone(),
            suppliers,
            unit_costs: unit_costs.unwrap_or_default(),
            account: self.account.clone(),
            tracking: self.tracking,
            price: self
                .price
                .as_ref()
                .zip(first)
                .map(|(price, currency)| Price {
                    amount: price.0,
                    currency,
                }),
            article_type: self.article_type,
            active: self.active.unwrap_or(true),
            is_stock: self.is_stock.unwrap_or(true),
            bundled: self.bundled.unwrap_or(false),
            stock_warning: self.stock_warning.as_ref().map(|warning| warning.0),
            ..Product::new(self.id, self.organisation_id, article, name)
        }
    }
}

impl SeedStock {
    fn key(&self) -> StockKey {
        StockKey {
            site: self.site_id,
            product: self.product_id,
            variant: self.variant.clone(),
            place: self.stock_place.clone(),
            batch: self.batch_id.clone(),
            serial: self.serial_nr.clone(),
        }
    }

    fn to_movement(&self) -> NewMovement {
        let key = self.key();
        let (quantity, unit_cost) = (self.quantity.0, self.unit_cost.as_ref().map(|cost| cost.0));
        if quantity.is_zero() {
            // Kept on stock, and nothing there.
            return NewMovement::from(Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected: None,
            });
        }
        let receipt = NewMovement::from(Movement::Receipt {
            key,
            quantity,
            unit_cost,
        });
        // What is dated ahead of this machine's clock comes now.
        match self.received_at.map(Timestamp::from) {
            Some(at) if at <= SystemClock.now() => receipt.at(at),
            Some(_) | None => receipt,
        }
    }
}

/// Whom the first stock of a seed file is recorded by.
pub(super) fn seed_user() -> UserSummary {
    UserSummary {
        id: UserId::new(Uuid::nil()),
        email: None,
        first_name: "Seed file".to_owned(),
        last_name: String::new(),
    }
}

/// Who loads the seed of an organisation, one step of it once.
fn loader(organisation: OrganisationId, step: &str) -> Result<Caller, String> {
    let actor = Actor {
        organisation,
        user: seed_user(),
        role: Role::Manager,
        sites: SiteAccess::All,
    };
    let key = IdempotencyKey::new(&format!("seed/{step}")).map_err(|error| error.to_string())?;
    Ok(Caller::of(&actor).with_key(key))
}

/// Whether a step is done: now, or before by this seed or an earlier one of it.
fn there(what: &str, which: impl std::fmt::Display, done: Result<(), Error>) -> Result<(), String> {
    match done {
        Ok(()) | Err(Error::KeyReused) => Ok(()),
        Err(error) => Err(format!("{what} {which}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stocktake::memory::MemoryStore;

    use super::*;

    const SITE: &str = "00000002-0000-4000-8000-000000000001";

    fn seed(change: impl Fn(&mut serde_json::Value)) -> Result<Seed, String> {
        let mut json = serde_json::from_str(include_str!("../seed.json")).unwrap();
        change(&mut json);
        serde_path_to_error::deserialize(json).map_err(|error| error.to_string())
    }

    async fn ledger(stocktake: &Stocktake) -> Vec<(String, String)> {
        let organisation = "00000001-0000-4000-8000-000000000001".parse().unwrap();
        let reader = loader(organisation, "read").unwrap();
        let site = SITE.parse().unwrap();
        let entries = stocktake.stock().ledger(&reader, site, 0, 100).await;
        let told = |it: &stocktake::domain::StockEvent| {
            (it.kind.as_str().to_owned(), it.after.to_string())
        };
        entries
            .unwrap()
            .iter()
            .map(|entry| told(&entry.event))
            .collect()
    }

    #[tokio::test]
    async fn a_seed_is_loaded_once_and_a_store_that_has_it_is_left_as_it_is() {
        let stocktake = Stocktake::new(Arc::new(MemoryStore::new()));
        seed(|_| ()).unwrap().load(&stocktake).await.unwrap();
        let first = ledger(&stocktake).await;
        assert_eq!(first.len(), 9);
        let told = |kind: &str, after: &str| (kind.to_owned(), after.to_owned());
        assert_eq!(first[..2], [told("receipt", "30"), told("receipt", "40")]);
        // Nothing on hand, and on stock all the same.
        assert!(first.contains(&told("external_reset", "0")));
        seed(|_| ()).unwrap().load(&stocktake).await.unwrap();
        let other = seed(|json| json["stock"][0]["quantity"] = "7".into());
        other.unwrap().load(&stocktake).await.unwrap();
        assert_eq!(ledger(&stocktake).await, first);
    }

    #[tokio::test]
    async fn what_is_missing_is_null_or_empty() {
        let stocktake = Stocktake::new(Arc::new(MemoryStore::new()));
        let bare = seed(|json| {
            let product = serde_json::json!({"id": json["products"][0]["id"], "article_id": "SKU-1", "name": "Balm",
                "organisation_id": json["products"][0]["organisation_id"]});
            let stock = serde_json::json!({"site_id": SITE, "product_id": product["id"], "quantity": 2.5,
                "unit_cost": "1", "received_at": "2999-01-01T00:00:00Z"});
            json["products"] = serde_json::json!([product]);
            json["stock"] = serde_json::json!([stock]);
            json["api_keys"] = serde_json::Value::Array(Vec::new());
        });
        bare.unwrap().load(&stocktake).await.unwrap();
        assert_eq!(
            ledger(&stocktake).await,
            [("receipt".to_owned(), "2.5".to_owned())]
        );
        assert!(seed(|json| *json = serde_json::json!({})).is_ok());
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_with_its_place() {
        let wrong = seed(|json| json["products"][1]["unit_cost"] = "1e3".into()).unwrap_err();
        assert!(
            wrong.contains("products[1].unit_cost") && wrong.contains("1e3"),
            "{wrong}"
        );
        let wrong = seed(|json| json["sites"][0]["currency"] = "xyz".into()).unwrap_err();
        assert!(wrong.contains("sites[0].currency"), "{wrong}");
        let stocktake = Stocktake::new(Arc::new(MemoryStore::new()));
        for (list, field) in [
            ("stock", "site_id"),
            ("suppliers", "site_id"),
            ("stock", "product_id"),
        ] {
            let lost =
                seed(|json| json[list][0][field] = "00000000-0000-4000-8000-00000000dead".into());
            assert!(
                lost.unwrap().load(&stocktake).await.is_err(),
                "{list} {field}"
            );
        }
        let twice = seed(|json| json["users"][1]["token"] = json["users"][0]["token"].clone());
        let people = crate::app::people::People::of(&twice.unwrap());
        assert!(people.unwrap_err().contains("the token is taken"));
    }
}
