//! Barcodes as bars.

use barcoders::sym::code128::Code128;
use barcoders::sym::ean8::EAN8;
use barcoders::sym::ean13::EAN13;

use crate::domain::{Barcode, Symbology};

/// One dot of a printer with 300 of them to an inch, in points. Bars are whole dots wide, so that all of one width are
/// printed alike.
pub(super) const DOT: f32 = 0.24;
/// How wide the narrowest bar may be, in dots, the best first: 0.34 mm as in shops, or 0.25 mm, which every scanner in
/// the hand still reads.
const MODULES: [u16; 2] = [4, 3];
/// The least and the greatest height of bars, in points (7 and 14 mm).
const HEIGHTS: (f32, f32) = (20.0, 40.0);

/// The bars of a code, in modules: the narrowest bar is one wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bars {
    /// The widths of bar, space, bar ..., each 1 to 4, as digits.
    pub(super) widths: String,
    /// The sum of the widths.
    modules: u16,
    /// What must stay white on the left and on the right.
    quiet: (u16, u16),
}

/// How large bars are printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarSize {
    /// The width of a module in dots.
    pub(super) module: u16,
    /// From the left end to the first bar, in points.
    pub(super) inset: f32,
    /// With what must stay white, in points.
    pub(super) width: f32,
    /// In points.
    pub(super) height: f32,
}

impl Bars {
    /// The bars of a product's barcode; `None` when no bars can say it, because it has letters beyond ASCII.
    pub(super) fn of(barcode: &Barcode) -> Option<Self> {
        let value = barcode.value.as_str();
        match barcode.drawn_as() {
            Symbology::Ean13 => Self::new(&EAN13::new(value).ok()?.encode(), (11, 7)),
            // The bars of UPC-A are those of EAN-13 after a zero.
            Symbology::UpcA => Self::new(&EAN13::new(format!("0{value}")).ok()?.encode(), (9, 9)),
            Symbology::Ean8 => Self::new(&EAN8::new(value).ok()?.encode(), (7, 7)),
            Symbology::Code128 => Self::code_128(value),
        }
    }

    /// The bars of any text of ASCII as Code 128.
    pub(super) fn code_128(text: &str) -> Option<Self> {
        let printable = !text.is_empty() && text.chars().all(|c| matches!(c, ' '..='~'));
        let text = printable.then(|| in_character_sets(text))?;
        Self::new(&Code128::new(text).ok()?.encode(), (10, 10))
    }

    fn new(modules: &[u8], quiet: (u16, u16)) -> Option<Self> {
        let widths: Option<String> = modules
            .chunk_by(|one, next| one == next)
            .map(|bar| char::from_digit(u32::try_from(bar.len()).ok()?, 10))
            .collect();
        Some(Self {
            widths: widths?,
            modules: u16::try_from(modules.len()).ok()?,
            quiet,
        })
    }

    /// How large they are printed in a column; `None` when they are too wide for it.
    pub(super) fn fitting(&self, column: f32) -> Option<(&Self, BarSize)> {
        let (left, right) = self.quiet;
        let modules = self.modules.saturating_add(left).saturating_add(right);
        MODULES.into_iter().find_map(|module| {
            let points = |modules: u16| f32::from(modules) * f32::from(module) * DOT;
            let width = points(modules);
            let size = BarSize {
                module,
                inset: points(left),
                width,
                // Who holds a scanner in the hand holds it askew: wide bars are higher.
                height: (points(self.modules) * 0.15).clamp(HEIGHTS.0, HEIGHTS.1),
            };
            (width <= column).then_some((self, size))
        })
    }
}

/// The character sets that `barcoders` switches by these letters.
const SET_B: char = 'Ɓ';
const SET_C: char = 'Ć';

/// A text with the letters before it, and within it, that say which character set follows: pairs of digits, which take
/// half as much room, where at least four of them stand at an end or six in the middle, all else letter by letter.
fn in_character_sets(text: &str) -> String {
    let mut set = String::new();
    let mut now = None;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .len()
            .saturating_sub(rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        let at_an_end = set.is_empty() || digits == rest.len();
        let pairs = digits.saturating_sub(digits % 2);
        let (which, length) = if digits >= if at_an_end { 4 } else { 6 } {
            // An odd digit stands before the pairs, unless they begin the text.
            if digits == pairs || set.is_empty() {
                (SET_C, pairs)
            } else {
                (SET_B, 1)
            }
        } else {
            (SET_B, digits.max(1))
        };
        if now != Some(which) {
            set.push(which);
            now = Some(which);
        }
        let (part, next) = rest.split_at_checked(length).unwrap_or((rest, ""));
        set.push_str(part);
        rest = next;
    }
    set
}
