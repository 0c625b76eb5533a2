//! Whatever the service can be asked is in a table of permissions: what is added without a row fails here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use stocktake::domain::{ImportMode, StockEventId};
use stocktake::service::Caller;
use stocktake::testing::shop;

/// What has no row of its own, and the test that asks it instead.
const ELSEWHERE: &[(&str, &str)] = &[
    // Of all sites at once, for who sees all of them: `edges/jobs_and_files.rs`.
    ("stocktake", "housekeeping"),
    // A role may print some sheets and not others: `printing.rs`.
    ("printing", "count_sheet"),
    ("printing", "order"),
    ("printing", "receipt"),
    // Both answer otherwise than the tables expect: below.
    ("stock", "events"),
    ("stock_imports", "cancel"),
];

/// The public functions of the service that name a caller: the group that they are in, and their name.
fn public_operations() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let service = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service");
    for entry in fs::read_dir(service).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut group = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("impl") {
                let rest = rest.trim_start_matches("<'a>").trim_start_matches("<'_>");
                let name: String = rest
                    .trim()
                    .chars()
                    .take_while(|c| c.is_alphanumeric())
                    .collect();
                group = snake_case(&name);
            }
            let Some(rest) = line.strip_prefix("    pub fn ") else {
                continue;
            };
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let mut head = rest.to_owned();
            while !head.contains('{') && !head.contains(';') {
                let Some(more) = lines.next() else { break };
                head.push_str(more);
            }
            if head.contains("caller: &'c Caller") && head.contains("-> Pending<") {
                found.insert((group.clone(), name));
            }
        }
    }
    found
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[test]
fn every_public_operation_has_a_row_in_a_table_of_permissions() {
    let tables = [
        include_str!("bad_input.rs"),
        include_str!("document_permissions.rs"),
    ];
    let tables: String = tables.concat().split_whitespace().collect();
    let operations = public_operations();
    assert!(operations.len() > 90, "{operations:?}");
    let has_row = |group: &str, name: &str| {
        let asked = match group {
            "stocktake" => format!("stocktake.{name}(c"),
            _ => format!("{group}().{name}(c"),
        };
        tables.contains(&asked)
    };
    let missing: Vec<_> = operations
        .iter()
        .filter(|(group, name)| !has_row(group, name))
        .map(|(group, name)| (group.as_str(), name.as_str()))
        .collect();
    let mut expected = ELSEWHERE.to_vec();
    expected.sort_unstable();
    assert_eq!(
        missing, expected,
        "a public operation without a row, or a row too many"
    );
}

/// Events by id are told to who sees their site; the others are left out, by whatever id they are asked for.
#[tokio::test]
async fn events_of_other_sites_are_left_out() {
    let shop = shop();
    shop.open().await.unwrap();
    let stock = shop.stocktake.stock();
    let manager = Caller::of(&shop.manager);
    let ledger = stock.ledger(&manager, shop.site.id, 0, 100).await.unwrap();
    let ids: Vec<StockEventId> = ledger.iter().map(|entry| entry.event.id).collect();
    assert_eq!(stock.events(&manager, &ids).await.unwrap(), ledger);
    for actor in [&shop.elsewhere, &shop.stranger] {
        let told = stock.events(&Caller::of(actor), &ids).await.unwrap();
        assert_eq!(told, [], "{:?}", actor.organisation);
    }
}

/// An import can be cancelled by who sees what it is of; for the others it is not there.
#[tokio::test]
async fn an_import_of_another_site_is_not_there_to_be_cancelled() {
    let shop = shop();
    shop.open().await.unwrap();
    let imports = shop.stocktake.stock_imports();
    let manager = Caller::of(&shop.manager);
    let body = format!(
        r#"{{"{}":{{"{}":7}}}}"#,
        shop.site.external_id, shop.products[0].article_id
    );
    let begun = imports.begin(&manager, ImportMode::Absolute, body.as_bytes(), false);
    let import = begun.await.unwrap().import.id();
    for actor in [&shop.elsewhere, &shop.stranger] {
        let refused = imports
            .cancel(&Caller::of(actor), import)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "not_found");
    }
    imports.cancel(&manager, import).await.unwrap();
}
