//! The `PostgreSQL` store on tables that are spread by organisation, as they are on a cluster, and without advisory locks,
//! which clusters lack: the whole suite, and that no statement but the one that leases jobs goes beyond one part. And that,
//! where tables are whole, no statement looks for a row by less than its key, whatever the server knows of its tables.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::postgres_server::{Schemas, config};
use serde_json::Value;
use stocktake::conformance::{cases, run};
use stocktake::postgres::Locks;
use stocktake::postgres::tokio_postgres::{Client, NoTls};
use tokio::task::JoinSet;

const PARTS: u32 = 4;
/// So many cases at once: each waits for the server most of the time.
const AT_ONCE: usize = 4;
/// What only a table with pages of its own can have.
const ROOM: &str = " WITH (fillfactor = 50)";

/// The tables of a schema, each with its columns, keys and indexes, without what engines call differently.
fn outline(schema: &str) -> BTreeSet<String> {
    let statements = schema.split(";\n").map(|statement| {
        // Which rows an index has is a matter of how an engine chooses among indexes, where it has all of them.
        let whole = statement.rsplit_once("WHERE ");
        let whole =
            whole.filter(|(_, rows)| rows.ends_with("IS NOT NULL") && !rows.starts_with("due"));
        let statement = whole.map_or(statement, |(index, _)| index);
        let lines = statement.lines().filter(|line| !line.starts_with("--"));
        let words = lines.flat_map(str::split_whitespace);
        let said: Vec<&str> = words
            .filter(|word| {
                !["COLLATE", "\"C\"", "STRICT,", "STRICT", "WITHOUT", "ROWID"].contains(word)
            })
            .map(|word| match word {
                "BLOB" | "BYTEA" => "UUID",
                "BLOB," | "BYTEA," => "UUID,",
                "INTEGER" => "BIGINT",
                "INTEGER," => "BIGINT,",
                word => word,
            })
            .collect();
        said.join(" ")
    });
    let own = |it: &String| {
        let is_other = [
            "TRIGGER",
            "BEGIN",
            "SELECT",
            "END",
            "stk_hold",
            "stk_change",
        ];
        !it.is_empty() && !is_other.iter().any(|word| it.contains(word))
    };
    statements.filter(own).collect()
}

#[test]
fn both_engines_have_the_same_tables() {
    let postgres = outline(&include_str!("../../src/postgres/schema_1.sql").replace(ROOM, ""));
    let sqlite = outline(include_str!("../../src/sqlite/schema_1.sql"));
    assert!(sqlite.len() > 30, "there are tables");
    let differences: Vec<_> = postgres.symmetric_difference(&sqlite).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The library's own tables, each in parts. It is possible because every unique key has the organisation.
fn spread(schema: &str) -> String {
    let own = include_str!("../../src/postgres/schema_1.sql").replace(ROOM, "");
    let mut tables = format!(
        "CREATE SCHEMA {schema}; SET search_path = {schema}; \
         CREATE TABLE stk_schema (only_one BIGINT PRIMARY KEY, version BIGINT NOT NULL, locks TEXT NOT NULL); \
         INSERT INTO stk_schema VALUES (1, 1, 'rows');\n"
    );
    for statement in own.split_inclusive(";\n") {
        let Some((_, rest)) = statement.split_once("CREATE TABLE ") else {
            tables.push_str(statement);
            continue;
        };
        let name = rest.split(' ').next().unwrap();
        tables.push_str(statement.trim_end().trim_end_matches(';'));
        tables.push_str(" PARTITION BY HASH (organisation);\n");
        for part in 0..PARTS {
            let of = format!("MODULUS {PARTS}, REMAINDER {part}");
            let named = format!("CREATE TABLE {name}_p{part} PARTITION OF {name} ");
            tables.extend([&named, "FOR VALUES WITH (", &of, ");\n"]);
        }
    }
    tables.push_str("RESET search_path");
    tables
}

/// Values for the parameters of a statement, by the types that it casts them to.
fn arguments(text: &str) -> String {
    let one = "00000000-0000-0000-0000-00000000000a";
    let count = (1..=99)
        .take_while(|nth| text.contains(&format!("${nth}")))
        .count();
    let values: Vec<String> = (1..=count)
        .map(|nth| {
            let sign = format!("${nth}::");
            let cast = text.split_once(&sign).map_or("", |(_, rest)| rest);
            let cast = cast.split(|it: char| !it.is_ascii_alphanumeric() && !"[]".contains(it));
            match cast.into_iter().next().unwrap() {
                "uuid" => format!("'{one}'"),
                "uuid[]" => format!("ARRAY['{one}']::uuid[]"),
                "bigint" => "1".to_owned(),
                "bigint[]" => "ARRAY[1]::bigint[]".to_owned(),
                "text" | "bytea" => "'x'".to_owned(),
                "text[]" => "ARRAY['x']".to_owned(),
                "bytea[]" => "ARRAY['x'::bytea]".to_owned(),
                "" => "NULL".to_owned(),
                cast => panic!("a parameter is cast to {cast}"),
            }
        })
        .collect();
    if values.is_empty() {
        return String::new();
    }
    format!("({})", values.join(", "))
}

/// The tables that a plan reads.
fn relations(plan: &Value, found: &mut BTreeSet<String>) {
    match plan {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("Relation Name") {
                found.insert(name.clone());
            }
            fields.values().for_each(|field| relations(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| relations(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How a statement is to be run.
async fn plan(client: &Client, text: &str) -> Value {
    client
        .batch_execute(&format!("PREPARE one AS {text}"))
        .await
        .unwrap();
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE one{}", arguments(text));
    let row = client.simple_query(&explain).await.unwrap();
    client.batch_execute("DEALLOCATE one").await.unwrap();
    let plan = row.iter().find_map(|message| match message {
        stocktake::postgres::tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    serde_json::from_str(plan.unwrap()).unwrap()
}

/// The parts that a statement touches.
async fn parts(client: &Client, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    relations(&plan(client, text).await, &mut found);
    let parts = found
        .iter()
        .filter_map(|name| Some(name.rsplit_once("_p")?.1.to_owned()));
    parts.filter(|part| part.parse::<u32>().is_ok()).collect()
}

/// What a plan looks for in rows that no index has ruled out.
fn filters(plan: &Value, found: &mut BTreeSet<String>) {
    match plan {
        Value::Object(fields) => {
            if let Some(Value::String(table)) = fields.get("Relation Name") {
                let said = |name| fields.get(name).and_then(Value::as_str);
                found.extend(said("Filter").map(str::to_owned));
                if said("Node Type") == Some("Seq Scan") {
                    found.insert(format!("all of {table}"));
                }
            }
            fields.values().for_each(|field| filters(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| filters(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What lists are narrowed to, and what the state of a single row decides. An article or a place leads along its index as
/// soon as the server has looked at the table.
const NARROWED: [&str; 20] = [
    "state",
    "kind",
    "stocked",
    "counted",
    "brand",
    "category",
    "place",
    "article_order",
    "place_order",
    "batch",
    "serial",
    "updated_at",
    "changed",
    "discrepancy",
    "significant",
    "digest",
    "leased_until",
    "progress_done",
    "strpos",
    "search",
];

/// In a database that nothing is in, where every index seems as good as another, no statement looks for a row by less
/// than its whole key.
async fn finds_by_whole_keys(client: &Client, texts: &BTreeSet<String>) {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    let store = crate::postgres_server::open(crate::postgres_server::pool(2), options).await;
    let schema = &store.options().schema;
    let ready = format!(
        "SET search_path = {schema}; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
         SET enable_sort = off; SET max_parallel_workers_per_gather = 0; SET jit = off"
    );
    client.batch_execute(&ready).await.unwrap();
    let mut seen = 0;
    for text in texts {
        let mut found = BTreeSet::new();
        filters(&plan(client, text).await, &mut found);
        for filter in found {
            let unquoted: String = filter.split('\'').step_by(2).collect();
            let words = unquoted.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
            let columns = words.filter(|it| it.starts_with(|it: char| it.is_ascii_lowercase()));
            for column in columns.filter(|it| *it != "text") {
                let is_known = NARROWED.contains(&column);
                assert!(is_known, "{column} is looked for one by one by {text}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} filters were seen");
}

#[test]
fn the_whole_suite_holds_and_each_statement_stays_with_one_organisation() {
    let texts: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let heard = Arc::clone(&texts);
    let mut schemas = Schemas::new();
    schemas.made_by = Some(spread);
    schemas.options.locks = Some(Locks::Rows);
    schemas.options.plan_once = false;
    schemas.options.on_statement = Some(Arc::new(move |text| {
        heard.lock().unwrap().insert(text.to_owned());
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let schemas = Arc::new(schemas);
    runtime.block_on(async {
        let mut rows = JoinSet::new();
        for row in 0..AT_ONCE {
            let schemas = Arc::clone(&schemas);
            rows.spawn(async move {
                for case in cases().iter().skip(row).step_by(AT_ONCE) {
                    if let Err(failure) = run(case, &*schemas).await {
                        panic!("{failure}");
                    }
                }
            });
        }
        while let Some(row) = rows.join_next().await {
            row.unwrap();
        }
        let (options, _) = schemas.make();
        let (client, connection) = config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = &options.schema;
        let ready = format!("SET search_path = {schema}; SET plan_cache_mode = force_custom_plan");
        client.batch_execute(&ready).await.unwrap();
        let texts = texts.lock().unwrap().clone();
        let (mut narrow, all) = (0, usize::try_from(PARTS).unwrap());
        for text in &texts {
            let parts = parts(&client, text).await;
            if text.contains("SKIP LOCKED") {
                assert_eq!(parts.len(), all, "jobs are leased across organisations");
                continue;
            }
            if text.contains("GROUP BY t.organisation") {
                assert_eq!(
                    parts.len(),
                    all,
                    "a worker that keeps house asks which there are"
                );
                continue;
            }
            assert!(parts.len() <= 1, "{parts:?} are touched by {text}");
            narrow += parts.len();
        }
        let leasing = texts.iter().filter(|text| text.contains("SKIP LOCKED"));
        assert_eq!(leasing.count(), 2, "of jobs of any kind, and of some kinds");
        assert!(
            narrow > 60,
            "{narrow} statements were seen to stay in one part"
        );
        println!("{} statements, {narrow} of them read", texts.len());
        finds_by_whole_keys(&client, &texts).await;
    });
}
