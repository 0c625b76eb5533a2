//! Each kind of fault that people's bug reports and attacks found has a test that is named after it: a letter for its subject,
//! and a number where a subject has several.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The letters, and how many kinds of fault each has; none where the letter is one kind.
const SUBJECTS: &[(char, u32)] = &[
    ('a', 3),
    ('b', 2),
    ('c', 4),
    ('d', 4),
    ('e', 2),
    ('f', 0),
    ('g', 0),
    ('h', 4),
    ('i', 3),
    ('j', 0),
    ('k', 3),
    ('l', 5),
    ('m', 3),
    ('n', 6),
    ('o', 0),
    ('p', 0),
];

/// The names of all tests that begin with `fault_`, without that.
fn named(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn fault_").skip(1);
            let name = |rest: &str| -> String {
                let is_of_name = |c: &char| c.is_alphanumeric() || *c == '_';
                rest.chars().take_while(is_of_name).collect()
            };
            found.extend(names.map(name));
        }
    }
}

#[test]
fn every_fault_has_a_test_that_is_named_after_it() {
    let mut found = BTreeSet::new();
    named(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut found,
    );
    let mut missing = Vec::new();
    for (letter, kinds) in SUBJECTS {
        let lines: Vec<String> = match kinds {
            0 => vec![format!("{letter}_")],
            kinds => (1..=*kinds).map(|n| format!("{letter}{n}_")).collect(),
        };
        missing.extend(lines.into_iter().filter(|line| {
            let of_line = |name: &String| name.starts_with(line.as_str());
            !found.iter().any(of_line)
        }));
    }
    assert_eq!(missing, Vec::<String>::new());
}
