//! The files of the crate, and the paths that they name.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One file of the crate, as text.
pub(super) struct Source {
    /// From the root of the crate, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn at(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }

    pub(super) fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The path of the file's module: `src/domain/stock/level.rs` is `domain, stock, level`.
    pub(super) fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        path.split('/')
            .filter(|part| !matches!(*part, "mod" | "lib"))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn references(&self) -> Vec<Reference> {
        references(&self.text, &self.module())
    }

    /// Names of the modules and macros that the file declares; a path may begin with one.
    pub(super) fn declared(&self) -> Vec<String> {
        let code = code(&self.text);
        let tokens: Vec<&str> = tokens(&code).iter().map(|token| token.text).collect();
        tokens
            .windows(3)
            .filter_map(|window| match window {
                ["mod", name, _] | ["macro_rules", "!", name] => Some((*name).to_owned()),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder of the crate, in order; none if there is no such folder.
pub(super) fn sources(folder: &str) -> io::Result<Vec<Source>> {
    let mut waiting: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root()).unwrap_or(&path);
                found.push(Source {
                    path: inside.to_string_lossy().replace('\\', "/"),
                    text: fs::read_to_string(&path)?,
                });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// The files of one room: `src/name.rs` and everything in `src/name`.
pub(super) fn room(name: &str) -> io::Result<Vec<Source>> {
    let mut found = sources("src")?;
    found.retain(|source| source.module().first().is_some_and(|room| room == name));
    Ok(found)
}

pub(super) fn everything() -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        found.extend(sources(folder)?);
    }
    Ok(found)
}

// ---- the paths in a source -------------------------------------------------------------------

/// A path as the code names it, resolved as far as text allows: `super` and `self` are written out
/// from `crate`, and a group in a `use` gives one path for each of its leaves.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
    /// Named by a `use` or an `extern crate`.
    pub(super) imported: bool,
}

impl Reference {
    pub(super) fn split(&self) -> Option<(&str, &[String])> {
        let (first, rest) = self.path.split_first()?;
        Some((first, rest))
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path.join("::"))
    }
}

/// An item by its initial (`Repository`, `MAX`), as opposed to a module or a crate.
pub(super) fn is_item(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// Every path that a file of module `module` names outside of comments.
pub(super) fn references(text: &str, module: &[String]) -> Vec<Reference> {
    let code = code(text);
    let mut reader = Reader {
        tokens: tokens(&code),
        at: 0,
        module: module.to_vec(),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// The module at this point of the file, inline modules included.
    module: Vec<String>,
    found: Vec<Reference>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> &'a str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |token| token.text)
    }

    fn read(&mut self) {
        // For each open brace, whether it opened an inline module.
        let mut braces = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            match (token.text, self.peek(1), self.peek(2)) {
                ("mod", name, "{") => {
                    self.module.push(name.to_owned());
                    braces.push(true);
                    self.at += 3;
                }
                ("{", ..) => {
                    braces.push(false);
                    self.at += 1;
                }
                ("}", ..) => {
                    if braces.pop() == Some(true) {
                        self.module.pop();
                    }
                    self.at += 1;
                }
                // `impl Trait + use<'a>` captures a lifetime and imports nothing.
                ("use", next, _) if next != "<" => {
                    self.at += 1;
                    self.path(Vec::new(), true);
                }
                ("extern", "crate", _) => {
                    self.at += 2;
                    self.path(Vec::new(), true);
                }
                (text, ..) if is_word(text) => self.path(Vec::new(), false),
                _ => self.at += 1,
            }
        }
    }

    /// Reads one path, or the tree of a `use`, and records each of its leaves under `path`.
    fn path(&mut self, mut path: Vec<String>, imported: bool) {
        if self.peek(0) == "::" {
            self.at += 1;
        }
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.peek(0) {
                "{" if imported => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        self.path(path.clone(), true);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" if imported => self.at += 1,
                word if is_word(word) => {
                    path.push(word.to_owned());
                    self.at += 1;
                    let goes_on =
                        is_word(self.peek(1)) || (imported && matches!(self.peek(1), "{" | "*"));
                    if self.peek(0) == "::" && goes_on {
                        self.at += 1;
                        continue;
                    }
                }
                // Nothing that a path is made of: step over it, never stand still.
                _ => self.at += 1,
            }
            break;
        }
        if imported && self.peek(0) == "as" {
            self.at += 2;
        }
        self.record(line, path, imported);
    }

    fn record(&mut self, line: usize, mut path: Vec<String>, imported: bool) {
        // `{self, ..}` in a group means what stands before the group.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        // The crate by its own name is the crate, too.
        let own = ["crate", "self", "super", env!("CARGO_PKG_NAME")];
        if path
            .first()
            .is_some_and(|first| own.contains(&first.as_str()))
        {
            let mut base = self.module.clone();
            let mut rest = path.as_slice();
            while let Some((first, after)) = rest.split_first() {
                match first.as_str() {
                    "self" => {}
                    "super" => drop(base.pop()),
                    first if own.contains(&first) => base.clear(),
                    _ => break,
                }
                rest = after;
            }
            path = [&["crate".to_owned()], base.as_slice(), rest].concat();
        }
        if !path.is_empty() {
            self.found.push(Reference {
                line,
                path,
                imported,
            });
        }
    }
}

/// A word, a `::`, or any other single character that is not a space.
struct Token<'a> {
    line: usize,
    text: &'a str,
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (line, mut rest) in (1..).zip(code.lines()) {
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_word(rest) => word_length(rest),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            let (text, after) = rest.split_at(length);
            if !first.is_whitespace() {
                found.push(Token { line, text });
            }
            rest = after;
        }
    }
    found
}

/// Whether the text begins with a word; numbers aren't words.
fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn word_length(text: &str) -> usize {
    text.find(|next: char| !next.is_alphanumeric() && next != '_')
        .unwrap_or(text.len())
}

/// The source with comments and literals blanked, line for line. A string that is nothing but a path
/// stays: attributes name paths in strings.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, kind) = lexeme(rest);
        let (piece, after) = rest.split_at(length);
        let inside = piece.split('"').nth(1).unwrap_or_default();
        match kind {
            Kind::Code => out.push_str(piece),
            Kind::Text if inside.contains("::") && inside.chars().all(is_path_character) => {
                out.push(' ');
                out.push_str(inside);
                out.push(' ');
            }
            Kind::Text | Kind::Comment => {
                out.extend(piece.chars().map(|it| if it == '\n' { it } else { ' ' }));
            }
        }
        rest = after;
    }
    out
}

fn is_path_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | ':')
}

enum Kind {
    Code,
    Comment,
    Text,
}

/// The length and the kind of what a source begins with.
fn lexeme(rest: &str) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        let length = rest.find("*/").map_or(rest.len(), |at| at + 2);
        return (length, Kind::Comment);
    }
    let prefix = if is_word(rest) { word_length(rest) } else { 0 };
    let (word, after) = rest.split_at(prefix);
    if matches!(word, "r" | "br" | "cr") {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after.trim_start_matches('#').starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let opening = prefix + hashes + 1;
            let body = rest.get(opening..).unwrap_or_default();
            let length = body.find(&end).map_or(body.len(), |at| at + end.len());
            return (opening + length, Kind::Text);
        }
    }
    if matches!(word, "" | "b" | "c") && after.starts_with('"') {
        return (prefix + quoted_length(after, '"'), Kind::Text);
    }
    if word.is_empty() && rest.starts_with('\'') {
        let mut characters = rest.chars().skip(1);
        let is_literal = characters.next() == Some('\\') || characters.next() == Some('\'');
        return if is_literal {
            (quoted_length(rest, '\''), Kind::Text)
        } else {
            (1, Kind::Code) // a lifetime
        };
    }
    let first = rest.chars().next().map_or(0, char::len_utf8);
    (prefix.max(first), Kind::Code)
}

/// The length of a literal that begins with a quote, up to the next one that is not escaped.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
