//! All cases of a folder, and what there is to say about them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::case::{Case, Verdict};
use crate::stores::Stores;

/// What the cases came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    /// Cases and files that failed, and why.
    failed: Vec<(String, Vec<String>)>,
    /// Unsupported cases that hold for any correct implementation, and the words.
    unsupported_core: Vec<(String, Vec<String>)>,
    /// The other unsupported cases.
    unsupported: Vec<(String, Vec<String>)>,
}

/// The cases of a folder, in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Report {
    /// Plays every case of a folder.
    pub(crate) async fn of(folder: &Path, stores: &Stores) -> io::Result<Self> {
        let mut report = Self::default();
        for path in files(folder)? {
            let case = match Case::read(&path) {
                Ok(case) => case,
                Err(why) => {
                    let name = path.display().to_string();
                    report.failed.push((name, vec![why]));
                    continue;
                }
            };
            let name = format!("{} ({})", case.id, case.applicability);
            match case.play(stores).await {
                Verdict::Passed => report.passed += 1,
                Verdict::Failed(why) => report.failed.push((name, why)),
                Verdict::Unsupported(words) if case.applicability == "core" => {
                    report.unsupported_core.push((name, words));
                }
                Verdict::Unsupported(words) => report.unsupported.push((name, words)),
            }
        }
        Ok(report)
    }

    /// Whether there are cases and none failed.
    pub(crate) fn is_good(&self) -> bool {
        let unsupported = self.unsupported.len() + self.unsupported_core.len();
        self.failed.is_empty() && self.passed + unsupported > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, why) in &self.failed {
            writeln!(f, "FAILED {name}")?;
            for line in why {
                writeln!(f, "    {line}")?;
            }
        }
        if !self.unsupported_core.is_empty() {
            writeln!(f, "CORE CASES THAT ARE NOT SUPPORTED:")?;
        }
        for (name, words) in &self.unsupported_core {
            writeln!(f, "    {name}: {}", words.join(", "))?;
        }
        if !self.unsupported.is_empty() {
            writeln!(f, "not supported:")?;
        }
        for (name, words) in &self.unsupported {
            writeln!(f, "    {name}: {}", words.join(", "))?;
        }
        write!(
            f,
            "cases: {} passed, {} failed, {} unsupported",
            self.passed,
            self.failed.len(),
            self.unsupported.len() + self.unsupported_core.len()
        )
    }
}
