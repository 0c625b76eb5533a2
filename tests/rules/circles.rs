//! No file of a room needs a file that needs it: each can be read after those that it builds on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::sources::{Source, room};

/// The rooms that this is held in. The door of a room (`mod.rs`) names all of its files and is no part of a circle.
const ROOMS: [&str; 6] = ["service", "sql", "sqlite", "postgres", "store", "jobs"];

/// Which files of a room each file names.
fn needs(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let inside = |source: &&Source| !source.path.ends_with("/mod.rs");
    let name = |source: &Source| source.module().join("::");
    let files: BTreeSet<String> = sources.iter().filter(inside).map(name).collect();
    let named = |source: &Source| {
        let own = name(source);
        let paths = source.references().into_iter().filter_map(|reference| {
            let path = reference.path.strip_prefix(&["crate".to_owned()])?;
            let mut ends = (1..=path.len()).rev();
            ends.find_map(|end| files.get(&path[..end].join("::")).cloned())
        });
        (own.clone(), paths.filter(|it| *it != own).collect())
    };
    sources.iter().filter(inside).map(named).collect()
}

/// The files from which a way leads back to them.
fn in_circles(needs: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reached = |from: &String| {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&String> = needs[from].iter().collect();
        while let Some(file) = waiting.pop() {
            if found.insert(file) {
                waiting.extend(needs.get(file).into_iter().flatten());
            }
        }
        found
    };
    let is_back = |from: &&String| reached(from).contains(from);
    needs.keys().filter(is_back).cloned().collect()
}

#[test]
fn no_file_needs_a_file_that_needs_it() -> io::Result<()> {
    for name in ROOMS {
        let needs = needs(&room(name)?);
        assert!(
            needs.values().any(|of| !of.is_empty()),
            "{name}: no file names another"
        );
        let circles = in_circles(&needs);
        assert!(circles.is_empty(), "{name}: in circles are {circles:?}");
    }
    Ok(())
}

#[test]
fn a_circle_is_found_also_over_a_third_file() {
    let file = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let mut files = vec![
        file(
            "src/a/mod.rs",
            "mod one; mod two; mod three; pub use one::One;",
        ),
        file("src/a/one.rs", "use super::{two::Two, Three};"),
        file("src/a/two.rs", "use super::three::Three;"),
        file("src/a/three.rs", "use super::One;"),
    ];
    assert_eq!(in_circles(&needs(&files)), [""; 0]);
    files[3].text = "fn f() { crate::a::one::g() }".to_owned();
    assert_eq!(in_circles(&needs(&files)), ["a::one", "a::three", "a::two"]);
}
