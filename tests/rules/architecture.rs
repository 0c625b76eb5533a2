//! The walls of the house, held by a test.
//!
//! The crate is split into rooms (`src/domain`, `src/store`, ..) and each room may know only some of
//! the others. The compiler does not hold those walls inside one crate, so this test reads the
//! sources as text and does. Comments don't count, so documentation may link wherever it likes; a
//! string that is a path does count, because serde's `with = "crate::.."` is an import too. Unit
//! tests inside a room live behind the same walls as the room.
//!
//! The checker is itself checked, in [`checker`], so that it can't pass by finding nothing.

use std::path::Path;
use std::{fs, io};

use super::sources::{Source, everything, is_item, references, room, root, sources};

/// Fewer files than this in `src`, and the walk is broken rather than the house small.
const LEAST_SOURCES: usize = 10;

/// A longer file holds two things.
const MOST_LINES: usize = 900;

/// What the core depends on. Everything else is optional, behind a feature.
const CORE_DEPENDENCIES: [&str; 8] = [
    "async-trait",
    "chrono",
    "iso_currency",
    "rust_decimal",
    "serde",
    "thiserror",
    "unicode-normalization",
    "uuid",
];

/// The crates that the domain may name.
const DOMAIN_CRATES: [&str; 9] = [
    "alloc",
    "chrono",
    "core",
    "rust_decimal",
    "serde",
    "std",
    "thiserror",
    "unicode_normalization",
    "uuid",
];

/// The parts of the standard library that reach outside of the program.
const OUTSIDE: [&str; 5] = ["env", "fs", "net", "process", "thread"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "types", "helpers"];

/// What the rooms may know of each other.
enum Wall {
    /// These rooms and no others.
    Only(&'static [&'static str]),
    /// Every room but these; and by their rooms, not by the front door's re-exports, which would
    /// hide where a name comes from.
    AllBut(&'static [&'static str]),
}

#[test]
fn domain_imports_no_other_room() -> io::Result<()> {
    hold_wall("domain", &Wall::Only(&["domain"]))
}

#[test]
fn store_imports_only_domain() -> io::Result<()> {
    hold_wall("store", &Wall::Only(&["domain", "store"]))
}

#[test]
fn backends_import_only_store_and_domain() -> io::Result<()> {
    hold_wall("memory", &Wall::Only(&["domain", "store", "memory"]))?;
    hold_wall("sqlite", &Wall::Only(&["domain", "store", "sql", "sqlite"]))?;
    hold_wall(
        "postgres",
        &Wall::Only(&["domain", "store", "sql", "postgres"]),
    )
}

/// What the SQL backends share knows neither of them.
#[test]
fn sql_imports_only_store_and_domain() -> io::Result<()> {
    hold_wall("sql", &Wall::Only(&["domain", "store", "sql"]))
}

#[test]
fn files_import_only_store_and_domain() -> io::Result<()> {
    hold_wall("files", &Wall::Only(&["domain", "store", "files"]))
}

#[test]
fn documents_import_only_store_and_domain() -> io::Result<()> {
    hold_wall("documents", &Wall::Only(&["domain", "store", "documents"]))
}

#[test]
fn service_knows_no_backend_no_jobs_and_no_testing() -> io::Result<()> {
    let refused = &[
        "memory",
        "sql",
        "sqlite",
        "postgres",
        "jobs",
        "testing",
        "conformance",
    ];
    hold_wall("service", &Wall::AllBut(refused))
}

#[test]
fn jobs_import_only_service_store_and_domain() -> io::Result<()> {
    let allowed = &["domain", "store", "service", "jobs"];
    hold_wall("jobs", &Wall::Only(allowed))
}

#[test]
fn domain_uses_only_its_crates() -> io::Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let known: Vec<String> = dependencies(&manifest)
        .into_iter()
        .map(|dependency| dependency.name.replace('-', "_"))
        .collect();
    hold(&room("domain")?, |source| foreign_crates(source, &known));
    Ok(())
}

#[test]
fn domain_is_pure() -> io::Result<()> {
    hold(&room("domain")?, impurities);
    Ok(())
}

#[test]
fn names_say_what_is_inside() -> io::Result<()> {
    hold(&everything()?, empty_names);
    Ok(())
}

#[test]
fn source_files_hold_one_thing() -> io::Result<()> {
    hold(&sources("src")?, |source| too_long(source, MOST_LINES));
    Ok(())
}

#[test]
fn nothing_is_left_unfinished() -> io::Result<()> {
    hold(&everything()?, unfinished);
    Ok(())
}

#[test]
fn every_snippet_is_compiled() -> io::Result<()> {
    hold(&everything()?, ignored_snippets);
    Ok(())
}

#[test]
fn every_property_is_certain() -> io::Result<()> {
    hold(&everything()?, uncertain_properties);
    Ok(())
}

#[test]
fn core_dependencies_are_the_named_ones() -> io::Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    assert_eq!(
        core_dependencies(&manifest),
        CORE_DEPENDENCIES,
        "Cargo.toml: a dependency of the core is named here, any other is optional"
    );
    Ok(())
}

#[test]
fn the_walk_finds_the_sources() -> io::Result<()> {
    let found = sources("src")?.len();
    assert!(
        found >= LEAST_SOURCES,
        "found {found} files in src, expected at least {LEAST_SOURCES}"
    );
    assert!(
        !room("domain")?.is_empty(),
        "src/domain is the one room that is always there"
    );
    let own = Path::new(file!()).file_name();
    assert!(
        sources("tests")?
            .iter()
            .any(|source| Path::new(&source.path).file_name() == own),
        "the walk of tests does not find this file"
    );
    Ok(())
}

// ---- the rules -------------------------------------------------------------------------------

/// Fails with every violation that `rule` finds, one a line.
fn hold(sources: &[Source], rule: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(
        found.is_empty(),
        "{} found:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn hold_wall(name: &str, wall: &Wall) -> io::Result<()> {
    hold(&room(name)?, |source| trespasses(source, wall));
    Ok(())
}

/// Paths into rooms that the source's room may not know.
fn trespasses(source: &Source, wall: &Wall) -> Vec<String> {
    let mut found = Vec::new();
    for reference in source.references() {
        let Some(("crate", inside)) = reference.split() else {
            continue;
        };
        let Some(target) = inside.first() else {
            // `pub(crate)` is no import, `use crate::*` and `use crate as c` are one of everything.
            if reference.imported {
                found.push(source.at(
                    reference.line,
                    "`use` of the crate's root: name the room that is meant",
                ));
            }
            continue;
        };
        let complaint = match wall {
            Wall::Only(rooms) if rooms.contains(&target.as_str()) => continue,
            Wall::Only(rooms) => format!("this room imports only {}", rooms.join(", ")),
            Wall::AllBut(rooms) if rooms.contains(&target.as_str()) => {
                format!("this room knows none of {}", rooms.join(", "))
            }
            Wall::AllBut(_) if is_item(target) => {
                "name the room that it comes from, not the front door".to_owned()
            }
            Wall::AllBut(_) => continue,
        };
        found.push(source.at(reference.line, &format!("`{reference}`: {complaint}")));
    }
    found
}

/// Crates that a file of the domain may not name; `known` are the crates of the manifest.
fn foreign_crates(source: &Source, known: &[String]) -> Vec<String> {
    let declared = source.declared();
    let is_currency = Path::new(&source.path)
        .file_stem()
        .is_some_and(|stem| stem == "currency");
    let mut found = Vec::new();
    for reference in source.references() {
        let Some((first, rest)) = reference.split() else {
            continue;
        };
        let allowed = first == "crate"
            || DOMAIN_CRATES.contains(&first)
            || (first == "iso_currency" && is_currency)
            || declared.iter().any(|name| name == first);
        // A `use` begins with a crate, unless with an enum in scope (`use Status::*`); a path
        // elsewhere begins with whatever is in scope, and is a crate's only if the manifest has it.
        let is_crate = if reference.imported {
            !is_item(first)
        } else {
            !rest.is_empty() && known.iter().any(|name| name == first)
        };
        if is_crate && !allowed {
            let why = if first == "iso_currency" {
                "only the currency file uses iso_currency".to_owned()
            } else {
                format!("the domain uses only {}", DOMAIN_CRATES.join(", "))
            };
            found.push(source.at(reference.line, &format!("`{reference}`: {why}")));
        }
    }
    found
}

/// Clocks, fresh identities, tasks and the outside world: the domain gets them as values.
fn impurities(source: &Source) -> Vec<String> {
    const WORDS: [&str; 4] = ["async", "await", "tokio", "SystemTime"];
    const CLOCKS: [&str; 3] = ["Utc", "Local", "Instant"];
    let mut found = Vec::new();
    for reference in source.references() {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        let pairs = || path.iter().zip(path.iter().skip(1));
        let complaint = if path.iter().any(|word| WORDS.contains(word))
            || pairs().any(|(owner, name)| CLOCKS.contains(owner) && *name == "now")
        {
            "the domain is synchronous and has no clock: time comes in a stamp"
        } else if pairs().any(|(owner, name)| *owner == "Uuid" && makes_identity(name)) {
            "the domain makes no identities: they come in a stamp"
        } else if path.first() == Some(&"std") && path.get(1).is_some_and(|it| OUTSIDE.contains(it))
        {
            "the domain does not reach outside of itself"
        } else {
            continue;
        };
        found.push(source.at(reference.line, &format!("`{reference}`: {complaint}")));
    }
    found
}

/// Whether `Uuid::name` reads a clock or a random source. The hashed versions, 3 and 5, don't.
fn makes_identity(name: &str) -> bool {
    ["new_v1", "new_v4", "new_v6", "new_v7", "now_v"]
        .iter()
        .any(|maker| name.starts_with(maker))
}

fn empty_names(source: &Source) -> Vec<String> {
    Path::new(&source.path)
        .with_extension("")
        .iter()
        .filter(|part| EMPTY_NAMES.iter().any(|name| part == name))
        .map(|part| {
            let part = part.display();
            let rule = format!("a file or folder is named for what it holds, not `{part}`");
            source.at(1, &rule)
        })
        .collect()
}

fn too_long(source: &Source, most: usize) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= most {
        return Vec::new();
    }
    let rule =
        format!("the file has {lines} lines, at most {most} are allowed: it holds two things");
    vec![source.at(lines, &rule)]
}

/// Work put off. The needles are written in two parts, so that this file does not match itself.
fn unfinished(source: &Source) -> Vec<String> {
    let needles = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[", "ignore"),
    ];
    source
        .numbered_lines()
        .flat_map(|(number, line)| {
            needles
                .into_iter()
                .filter(move |needle| line.contains(needle))
                .map(move |needle| source.at(number, &format!("`{needle}`: finish it or drop it")))
        })
        .collect()
}

/// Snippets of documentation that are fenced off from the compiler, as `ignore` or `rust,ignore`.
fn ignored_snippets(source: &Source) -> Vec<String> {
    source
        .numbered_lines()
        .filter(|(_, line)| {
            let text = line.trim_start_matches([' ', '\t', '/', '!', '*']);
            ["```", "~~~"]
                .iter()
                .filter_map(|fence| text.strip_prefix(fence))
                .flat_map(|info| info.trim_start_matches(['`', '~']).split([',', ' ']))
                .any(|word| word.starts_with("ignore"))
        })
        .map(|(number, _)| source.at(number, "a snippet is compiled, never fenced off"))
        .collect()
}

/// Properties whose inputs differ from run to run: what finds a fault once must find it always.
fn uncertain_properties(source: &Source) -> Vec<String> {
    let lines: Vec<(usize, &str)> = source.numbered_lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0].1.trim() == "proptest! {" && !pair[1].1.contains("(certain("))
        .map(|pair| {
            source.at(
                pair[0].0,
                "a property has `proptest_config(certain(cases))`",
            )
        })
        .collect()
}

// ---- the manifest ----------------------------------------------------------------------------

/// A line of `[dependencies]`, `[dev-dependencies]` or their kind.
struct Dependency {
    name: String,
    /// Compiled into every host, whatever it enables.
    core: bool,
}

fn core_dependencies(manifest: &str) -> Vec<String> {
    let mut names: Vec<String> = dependencies(manifest)
        .into_iter()
        .filter(|dependency| dependency.core)
        .map(|dependency| dependency.name)
        .collect();
    names.sort();
    names
}

/// Reads the dependencies of a manifest: `[dependencies]`, `[dependencies.name]`, and the same for
/// one target or for development. As much TOML as a manifest needs.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section = "";
    let mut open_brackets = 0_usize;
    for line in manifest.lines() {
        let line = line.trim().split(" #").next().unwrap_or_default();
        let mut name = None;
        if open_brackets == 0 && line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            name = section.split_once("dependencies.").map(|(_, name)| name);
        } else if open_brackets == 0 && section.ends_with("dependencies") && !line.starts_with('#')
        {
            name = line.split_once(['=', '.']).map(|(key, _)| key);
        }
        if let Some(name) = name.map(|name| name.trim().trim_matches('"'))
            // `name.version` and `name.features` on two lines are one dependency.
            && found.last().is_none_or(|last| last.name != name)
        {
            found.push(Dependency {
                name: name.to_owned(),
                core: !section.contains("dev-dep") && !section.contains("build-dep"),
            });
        }
        // `optional = true` belongs to the entry that is open, on whichever of its lines it stands.
        if section.contains("dependencies")
            && line.replace(' ', "").contains("optional=true")
            && let Some(last) = found.last_mut()
        {
            last.core = false;
        }
        if !line.starts_with('[') || open_brackets > 0 {
            open_brackets += line.matches(['[', '{']).count();
            open_brackets = open_brackets.saturating_sub(line.matches([']', '}']).count());
        }
    }
    found
}

// ---- the checker, checked --------------------------------------------------------------------

/// Each rule finds what it is for, and lets pass what it should.
mod checker {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn trespasses_in(text: &str, wall: &Wall) -> Vec<String> {
        trespasses(&source("src/domain/stock/level.rs", text), wall)
    }

    fn foreign_in(path: &str, text: &str) -> Vec<String> {
        let known = ["tokio", "iso_currency", "async_trait"].map(str::to_owned);
        foreign_crates(&source(path, text), &known)
    }

    fn names(text: &str) -> Vec<String> {
        let module = ["domain".to_owned(), "stock".to_owned()];
        references(text, &module)
            .iter()
            .filter(|reference| reference.imported || reference.path.len() > 1)
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_group_gives_each_of_its_leaves() {
        assert_eq!(
            names("use crate::{domain::x, store::{self, y as z, w::*}};\npub use a as b;"),
            [
                "crate::domain::x",
                "crate::store",
                "crate::store::y",
                "crate::store::w",
                "a"
            ]
        );
    }

    #[test]
    fn relative_paths_are_written_out() {
        assert_eq!(
            names(
                "use self::a::B; use super::c; \
                 mod tests { use super::d; fn f() { super::super::e::g() } } \
                 fn h() { self::i::j(); super::store::k(); stocktake::l::m(); }"
            ),
            [
                "crate::domain::stock::a::B",
                "crate::domain::c",
                "crate::domain::stock::d",
                "crate::domain::e::g",
                "crate::domain::stock::i::j",
                "crate::domain::store::k",
                "crate::l::m",
            ]
        );
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = r##"
            // use crate::store::a;
            /// [`crate::store::b`]
            /* use crate::store::c;
               use crate::store::d; */
            const E: &str = "// not a comment, use crate::store::e; \" still not";
            const F: &str = r#"use crate::store::f; " "#;
            const G: (char, char, u8) = ('"', '\'', b'"');
            fn h<'a>(i: &'a str) -> impl Sized + use<'a> { j::k(i) }
            #[serde(with = "crate::store::l")]
        "##;
        assert_eq!(names(text), ["j::k", "crate::store::l"]);
    }

    #[test]
    fn a_violation_names_its_line() {
        let text = "use std::fmt;\n\nuse crate::{\n    domain::x,\n    store::y,\n};\n";
        assert_eq!(
            trespasses_in(text, &Wall::Only(&["domain"])),
            ["src/domain/stock/level.rs:5: `crate::store::y`: \
              this room imports only domain"]
        );
    }

    #[test]
    fn a_wall_of_few_rooms_refuses_the_others() {
        let wall = Wall::Only(&["domain", "store"]);
        for refused in [
            "use crate::service::Service;",
            "use crate::{domain::x, sqlite::y};",
            "use crate::Repository;",
            "use crate::*;",
            "use crate as root;",
            "use super::super::super::memory::Memory;",
            "fn f() { crate::jobs::run() }",
            "fn f(x: &dyn crate::service::Y) {}",
            "#[serde(with = \"crate::service::z\")] struct S;",
            "macro_rules! m { () => { $crate::memory::x() } }",
        ] {
            assert_eq!(trespasses_in(refused, &wall).len(), 1, "{refused}");
        }
        for allowed in [
            "use crate::{domain::{x, y::Z}, store::w};",
            "use super::level::X; use super::super::*; use self::inner::Y;",
            "pub(crate) fn f() {} pub(super) fn g() {} pub(in crate::domain) fn h() {}",
            "use tokio::sync::Mutex; // crate::service::Service",
        ] {
            assert!(trespasses_in(allowed, &wall).is_empty(), "{allowed}");
        }
    }

    #[test]
    fn a_wall_against_some_rooms_lets_the_others_pass() {
        let wall = Wall::AllBut(&["memory", "testing"]);
        for refused in ["use crate::{store::X, memory::Y};", "use crate::Memory;"] {
            assert_eq!(trespasses_in(refused, &wall).len(), 1, "{refused}");
        }
        assert!(trespasses_in("use crate::{store::X, documents::y};", &wall).is_empty());
    }

    #[test]
    fn the_domain_names_only_its_crates() {
        let file = "src/domain/stock.rs";
        for refused in [
            "use tokio::sync::Mutex;",
            "use serde_json::Value;",
            "use async_trait::async_trait;",
            "extern crate csv;",
            "#[async_trait::async_trait] trait T {}",
            "fn f() { ::tokio::spawn(g()) }",
            "use iso_currency::Currency;",
        ] {
            assert_eq!(foreign_in(file, refused).len(), 1, "{refused}");
        }
        for allowed in [
            "use std::{fmt, collections::BTreeMap}; use serde::{Serialize, Deserialize};",
            "mod key; pub use key::StockKey; use Status::*; use crate::domain::id::Id;",
            "macro_rules! id { () => {} } pub(crate) use id;",
            "#[derive(thiserror::Error)] struct E(rust_decimal::Decimal, u64);",
            "fn f() { u64::from(1_u8); Self::g(); chrono::DateTime::from_timestamp(0, 0); }",
        ] {
            assert!(foreign_in(file, allowed).is_empty(), "{allowed}");
        }
        let currency = "use iso_currency::Currency;";
        assert!(foreign_in("src/domain/currency.rs", currency).is_empty());
    }

    #[test]
    fn the_domain_is_pure() {
        for refused in [
            "async fn f() {}",
            "fn f() { chrono::Utc::now(); }",
            "fn f() { ids.map(Uuid::now_v7); }",
            "fn f() { uuid::Uuid::new_v4(); }",
            "use std::time::SystemTime;",
            "use std::time::{Duration, Instant};\nfn f() { Instant::now() }",
            "use std::{fmt, fs};",
        ] {
            let found = impurities(&source("src/domain/stock.rs", refused));
            assert_eq!(found.len(), 1, "{refused}: {found:?}");
        }
        for allowed in [
            "/// Not `async`, no `Utc::now()`.\nfn f(at: DateTime<Utc>) {}",
            "fn f() { Uuid::new_v5(&space, name); Uuid::from_u128(7); }",
            "fn now() -> Now { self.stamp.now() }",
        ] {
            assert!(impurities(&source("src/domain/stock.rs", allowed)).is_empty());
        }
    }

    #[test]
    fn names_are_looked_at_in_every_part_of_the_path() {
        for refused in ["src/store/utils.rs", "src/helpers/a.rs", "tests/common.rs"] {
            assert_eq!(empty_names(&source(refused, "")).len(), 1, "{refused}");
        }
        assert!(empty_names(&source("src/domain/entry_types.rs", "")).is_empty());
    }

    #[test]
    fn length_is_allowed_up_to_the_bound() {
        assert!(too_long(&source("src/a.rs", &"\n".repeat(7)), 7).is_empty());
        assert_eq!(too_long(&source("src/a.rs", &"\n".repeat(8)), 7).len(), 1);
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_comments() {
        for refused in [
            concat!("// TO", "DO: later"),
            concat!("/* FIX", "ME */"),
            concat!("fn f() { to", "do!() }"),
            concat!("fn f() { unimple", "mented!(\"later\") }"),
            concat!("#[", "ignore = \"slow\"]"),
        ] {
            assert_eq!(unfinished(&source("src/a.rs", refused)).len(), 1);
        }
        assert!(unfinished(&source("src/a.rs", "fn ignore_case() {}")).is_empty());
    }

    #[test]
    fn properties_of_other_inputs_each_time_are_found() {
        let block = |inside: &str| format!("proptest! {{\n{inside}\n}}");
        let refused = block("    #[test]");
        assert_eq!(
            uncertain_properties(&source("tests/a.rs", &refused)).len(),
            1
        );
        let allowed = block("    #![proptest_config(certain(64))]");
        assert!(uncertain_properties(&source("tests/a.rs", &allowed)).is_empty());
    }

    #[test]
    fn fenced_off_snippets_are_found() {
        for info in ["ignore", "rust,ignore", "ignore-windows", "no_run, ignore"] {
            for (before, fence) in [("    /// ", "```"), ("//! ", "~~~"), ("", "````")] {
                let text = format!("{before}{fence}{info}");
                let found = ignored_snippets(&source("src/a.rs", &text));
                assert_eq!(found.len(), 1, "{text}");
            }
        }
        for allowed in ["/// ```no_run", "/// ```text", "/// ignore ``` this"] {
            assert!(ignored_snippets(&source("src/a.rs", allowed)).is_empty());
        }
    }

    #[test]
    fn the_manifest_is_read_in_all_its_forms() {
        let manifest = r#"
            [package]
            name = "stocktake"
            [dependencies]
            # plain = "1"
            plain = "1"
            table = { version = "1", features = [
                "a",
                "b",
            ] } # optional = true
            off = { version = "1", optional = true }
            late = { version = "1", features = [
                "a",
            ], optional = true }
            dotted.version = "1"
            dotted.features = ["a"]
            [dependencies.alone]
            version = "1"
            [dependencies.alone-off]
            version = "1"
            optional = true
            [target.'cfg(unix)'.dependencies]
            unix = "1"
            [dev-dependencies]
            criterion = "1"
            [features]
            default = []
        "#;
        assert_eq!(
            core_dependencies(manifest),
            ["alone", "dotted", "plain", "table", "unix"]
        );
        let all = dependencies(manifest).len();
        assert_eq!(all, 9, "off, late, alone-off and criterion too");
    }
}
