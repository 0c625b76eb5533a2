//! Documents to print, as PDF: the [count sheet](CountSheet) of a take, the [receipt](TakeReceipt) of a finished one, and
//! the [order](OrderSheet) as its supplier gets it.
//!
//! Each takes its lines one after the other, so that they can be read from a store in pages, and gives the bytes of a
//! file at the end. The same lines, options and [`Stamp`](crate::domain::Stamp) give the same bytes. Times are in UTC,
//! amounts in major units.
//!
//! # Letters
//!
//! The library's own font, DejaVu Sans Condensed, has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and many
//! signs; only what a document uses of it gets into the file. Letters that it lacks are taken from the fonts that are
//! [given](PrintOptions::fonts), letter by letter. What none of them has is an [error](PrintError::Letters) that names
//! the letters and where they stand: no letter is replaced by a box. Text from right to left, and letters with marks on
//! them, are set as they are written. A name that is too long for its column goes on in the next line.
//!
//! # Barcodes
//!
//! [`Barcode::drawn_as`](crate::domain::Barcode::drawn_as) says in which bars a code is drawn. Bars are whole dots of a
//! printer with 300 dots to the inch wide, four of them or, where that would be too wide, three: print at 100 %, not
//! fitted to the page. A code of letters beyond ASCII, and one that is too long for the page even so (about 60 letters),
//! is printed as text only.

mod article;
mod bars;
mod block;
mod count_sheet;
mod error;
mod flow;
mod fonts;
mod head;
mod options;
mod order_sheet;
mod page;
mod pdf_file;
mod table;
mod take_receipt;
mod text;
mod typeface;

pub use count_sheet::{CountSheet, CountSheetOptions};
pub use error::{PrintError, PrintedPart};
pub use options::{LackingLetters, Paper, PrintOptions};
pub use order_sheet::OrderSheet;
pub use take_receipt::TakeReceipt;
