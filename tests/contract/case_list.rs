//! The list of cases in the documentation of the suite is that of the code: every case, its clauses, and what its comment says.

use std::fmt::Write;
use std::path::Path;

use stocktake::conformance::cases;

/// What the comment of a case says, out of the file that it stands in.
fn holds(sources: &[String], case: &str) -> String {
    let begins = format!("pub(super) async fn {case}(");
    let source = sources.iter().find(|source| source.contains(&begins));
    let before = source.and_then(|source| source.split(&begins).next());
    let mut lines: Vec<&str> = before
        .unwrap_or_default()
        .lines()
        .rev()
        .map_while(|line| line.strip_prefix("///"))
        .map(str::trim)
        .collect();
    lines.reverse();
    lines.join(" ")
}

fn written(sources: &[String]) -> String {
    let mut text =
        String::from("# The cases\n\n| case | clauses | what it holds |\n| --- | --- | --- |\n");
    for case in cases() {
        let clauses: Vec<_> = case.clauses().collect();
        let (name, holds) = (case.name(), holds(sources, case.name()));
        assert!(!holds.is_empty(), "{name} does not say what it holds");
        writeln!(text, "| `{name}` | {} | {holds} |", clauses.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_documentation_lists_every_case_with_its_clauses_and_what_it_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let files = std::fs::read_dir(&folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let sources: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let due = written(&sources);
    let listed = std::fs::read_to_string(folder.join("cases.md")).unwrap();
    let differs = due.lines().zip(listed.lines()).find(|(due, is)| due != is);
    assert!(
        due == listed,
        "src/conformance/cases.md is to be, from the first line that differs ({differs:?}):\n{due}"
    );
}
