//! The numbers of operations that documentation names are those of one page.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use super::sources::sources;

const PAGE: &str = "src/operations.rs";

/// The numbers in a text: a capital S, a digit, a full stop, and one or two digits, standing by themselves.
fn numbers(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '.');
    let words = words.map(|word| word.trim_matches('.'));
    let is_number = |word: &&str| {
        word.strip_prefix('S')
            .and_then(|rest| rest.split_once('.'))
            .is_some_and(|(document, operation)| {
                let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
                document.len() == 1
                    && digits(document)
                    && (1..=2).contains(&operation.len())
                    && digits(operation)
            })
    };
    words.filter(is_number).map(str::to_owned).collect()
}

#[test]
fn every_operation_that_is_named_is_defined_on_its_page() -> io::Result<()> {
    let sources = sources("src")?;
    let page = sources.iter().find(|source| source.path == PAGE);
    let page = page.map(|source| source.text.as_str()).unwrap_or_default();
    let defined: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("//! | S"))
        .filter_map(|row| row.split_once(' '))
        .map(|(number, _)| format!("S{number}"))
        .collect();
    let distinct: BTreeSet<String> = defined.iter().cloned().collect();
    assert_eq!(defined.len(), distinct.len(), "a number is defined twice");
    assert_eq!(defined.len(), 12 + 10 + 7 + 15 + 6 + 22);
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))?;
    let mut named = 0;
    let texts = sources
        .iter()
        .map(|source| (source.path.as_str(), source.text.as_str()));
    for (path, text) in texts.chain([("README.md", readme.as_str())]) {
        for number in numbers(text) {
            named += usize::from(path != PAGE);
            assert!(
                distinct.contains(&number),
                "{path} names {number}, which is not on {PAGE}"
            );
        }
    }
    assert!(named > 100, "only {named} numbers were found");
    Ok(())
}
