//! Paper and fonts.

use std::sync::Arc;

/// The size of a page, upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Paper {
    /// 210 by 297 mm.
    #[default]
    A4,
    /// 8.5 by 11 inches.
    Letter,
}

impl Paper {
    /// Width and height in points of 1/72 inch.
    pub const fn size(self) -> (f32, f32) {
        match self {
            Self::A4 => (595.276, 841.89),
            Self::Letter => (612.0, 792.0),
        }
    }
}

/// On what and with which letters a document is printed. The default is A4, with the font of the library.
///
/// # Example
///
/// ```
/// use stocktake::documents::pdf::{Paper, PrintOptions};
///
/// let mut options = PrintOptions::default();
/// options.paper = Paper::Letter;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PrintOptions {
    /// The size of the pages.
    pub paper: Paper,
    /// TrueType or OpenType fonts for letters that the library's own does not have, each the bytes of a file with one
    /// font; the first that has a letter is taken. The library's has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew
    /// and Arabic, and many signs.
    pub fonts: Vec<Arc<[u8]>>,
    /// What becomes of letters that none of the fonts has.
    pub letters: LackingLetters,
}

/// What becomes of letters that no font has. They are never printed as a box, and never left out without a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LackingLetters {
    /// The document is not printed; the error names them and where they stand
    /// ([`PrintError::Letters`](super::PrintError::Letters)).
    #[default]
    Refuse,
    /// A question mark stands for each of them, and a note behind the lines names the articles and the letters, by their
    /// Unicode numbers. Article ids, barcodes and numbers tell what is meant: one name in another script does not keep a
    /// shop from counting.
    Replace,
}
