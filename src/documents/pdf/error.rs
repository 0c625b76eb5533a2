//! Why a document can't be printed.

use std::fmt;

use crate::domain::Code;

/// Why a document can't be printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    /// No font has these letters. Give one that has them ([`PrintOptions::fonts`](super::PrintOptions::fonts)), or change
    /// the text.
    #[error("no font has {} of {of}", Named(.letters))]
    Letters {
        /// The letters, each once.
        letters: Vec<char>,
        /// Where they stand.
        of: PrintedPart,
    },
    /// A text is too long for a page, or a letter of a given font too wide for a column. Change the text, or give
    /// another font.
    #[error("{of} does not fit on a page")]
    Room {
        /// What does not fit.
        of: PrintedPart,
    },
    /// A given font is none that can be read, or one that can't be put into a PDF.
    #[error("font {number} is not a TrueType or OpenType font that can be used")]
    Font {
        /// Which of the given ones: 1 is the first.
        number: usize,
    },
    /// A receipt tells what a posting came to, and there has been none.
    #[error("the stock take has not been posted")]
    NotPosted,
    /// The line is one of another take or order.
    #[error("the line of {article} belongs to another document")]
    OtherDocument {
        /// The article of the line.
        article: Code,
    },
    /// A sum of the lines leaves its range.
    #[error("a sum leaves its range")]
    OutOfRange,
    /// The PDF could not be put together. It is a fault of the library or of a given font.
    #[error("the PDF could not be put together: {reason}")]
    Pdf {
        /// What was told of it.
        reason: String,
    },
}

/// A part of a printed document, in the reader's words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrintedPart {
    /// The line of an article, by its article id.
    Article(Code),
    /// What stands above or below the lines, by the word that stands beside it: "Title", "Site", "Supplier", "Totals".
    Head(&'static str),
}

impl fmt::Display for PrintedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Article(id) => write!(f, "article {id}"),
            Self::Head(what) => write!(f, "{what:?}"),
        }
    }
}

/// Letters with their code points, so that they can be told also where nothing shows them.
struct Named<'a>(&'a [char]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, letter) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}'{}' (U+{:04X})",
                letter.escape_debug(),
                u32::from(*letter)
            )?;
        }
        Ok(())
    }
}
