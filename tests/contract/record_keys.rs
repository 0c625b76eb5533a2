//! Keys of records as bytes: they are in the order of the keys, and come back.

use proptest::prelude::*;
use stocktake::domain::{Code, ProductId, StockKey};
use stocktake::store::RecordKey;
use uuid::Uuid;

use crate::certain::certain;

/// Ids that share bytes, so that what follows them decides.
fn id() -> impl Strategy<Value = Uuid> {
    prop_oneof![
        (0_u128..3).prop_map(Uuid::from_u128),
        (0_u128..3).prop_map(|n| Uuid::from_u128(n << 120)),
    ]
}

fn product() -> impl Strategy<Value = ProductId> {
    id().prop_map(ProductId::from)
}

/// Codes of which some begin others, in letters of one to four bytes.
fn code() -> impl Strategy<Value = Code> {
    "[a!~é\u{20ac}\u{10fffd}]{1,3}".prop_map(|text| Code::new(text).unwrap())
}

fn maybe() -> impl Strategy<Value = Option<Code>> {
    proptest::option::of(code())
}

fn part() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(255), Just(256), Just(u32::MAX)]
}

fn key() -> impl Strategy<Value = RecordKey> {
    let level = (id(), product(), maybe(), maybe(), maybe(), maybe());
    prop_oneof![
        id().prop_map(|id| RecordKey::Site(id.into())),
        id().prop_map(|id| RecordKey::Product(id.into())),
        id().prop_map(|id| RecordKey::Supplier(id.into())),
        id().prop_map(|id| RecordKey::StockTake(id.into())),
        (id(), id()).prop_map(|(of, id)| RecordKey::StockTakeItem(of.into(), id.into())),
        id().prop_map(|id| RecordKey::InventoryCount(id.into())),
        id().prop_map(|id| RecordKey::OpenCount(id.into())),
        (id(), id()).prop_map(|(of, id)| RecordKey::InventoryCountItem(of.into(), id.into())),
        id().prop_map(|id| RecordKey::StockAdjustment(id.into())),
        id().prop_map(|id| RecordKey::InventoryOrder(id.into())),
        (id(), id()).prop_map(|(of, id)| RecordKey::InventoryOrderItem(of.into(), id.into())),
        id().prop_map(|id| RecordKey::StockImport(id.into())),
        (id(), part()).prop_map(|(of, part)| RecordKey::ImportChunk(of.into(), part)),
        id().prop_map(|id| RecordKey::Export(id.into())),
        (id(), part()).prop_map(|(of, part)| RecordKey::ExportChunk(of.into(), part)),
        level.prop_map(|(site, product, variant, place, batch, serial)| {
            RecordKey::StockLevel(StockKey {
                site: site.into(),
                product,
                variant,
                place,
                batch,
                serial,
            })
        }),
        (code(), proptest::option::of(product()))
            .prop_map(|(serial, product)| RecordKey::SerialMark(serial, product)),
    ]
}

/// Two keys, mostly of one kind.
fn pair() -> impl Strategy<Value = (RecordKey, RecordKey)> {
    (key(), proptest::collection::vec(key(), 24)).prop_map(|(one, others)| {
        let kind = std::mem::discriminant(&one);
        let alike = others.iter().find(|it| std::mem::discriminant(*it) == kind);
        let other = alike.unwrap_or(&others[0]).clone();
        (one, other)
    })
}

proptest! {
    #![proptest_config(certain(4096))]

    #[test]
    fn bytes_are_in_the_order_of_keys((one, other) in pair()) {
        prop_assert_eq!(one.to_bytes().cmp(&other.to_bytes()), one.cmp(&other));
    }

    #[test]
    fn a_key_comes_back_and_nothing_else_is_one(key in key(), more in any::<u8>()) {
        let mut bytes = key.to_bytes();
        prop_assert_eq!(RecordKey::from_bytes(&bytes), Ok(key.clone()));
        for end in 0..bytes.len() {
            prop_assert!(RecordKey::from_bytes(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= more.max(1);
            if let Ok(other_key) = RecordKey::from_bytes(&other) {
                prop_assert_eq!(other_key.to_bytes(), other);
            }
        }
        bytes.push(more);
        prop_assert!(RecordKey::from_bytes(&bytes).is_err());
    }
}

/// The form never changes.
#[test]
fn the_bytes_of_a_key_are_these() {
    let id = Uuid::from_u128(0x0102);
    let nil = "00".repeat(14);
    let level = StockKey::plain(id.into(), id.into())
        .at(Code::new("A\u{e9}").unwrap())
        .with_serial(Code::new("7").unwrap());
    let keys = [
        (RecordKey::Site(id.into()), format!("01{nil}0102")),
        (
            RecordKey::StockTakeItem(id.into(), id.into()),
            format!("05{nil}0102{nil}0102"),
        ),
        (
            RecordKey::ImportChunk(id.into(), 258),
            format!("0d{nil}010200000102"),
        ),
        (
            RecordKey::StockLevel(level),
            format!("10{nil}0102{nil}0102000141c3a90000013700"),
        ),
        (
            RecordKey::SerialMark(Code::new("7").unwrap(), Some(id.into())),
            format!("11370001{nil}0102"),
        ),
        (
            RecordKey::SerialMark(Code::new("7").unwrap(), None),
            "11370000".to_owned(),
        ),
    ];
    for (key, bytes) in keys {
        let byte = |at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
        let due: Vec<u8> = (0..bytes.len()).step_by(2).map(byte).collect();
        assert_eq!(key.to_bytes(), due, "{key:?}");
    }
}
