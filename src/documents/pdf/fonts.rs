//! Text in several fonts: which letter is set in which, in what order the parts of a line stand, how wide it is.

use std::ops::Range;
use std::sync::Arc;

use krilla::text::{Font, KrillaGlyph};
use unicode_bidi::{BidiClass, Level, ParagraphBidiInfo, bidi_class};
use unicode_normalization::UnicodeNormalization as _;

use super::typeface::Typeface;
use super::{LackingLetters, PrintError, PrintedPart};
use crate::domain::is_invisible;

/// DejaVu Sans Condensed: its licence stands beside it.
const REGULAR: &[u8] = include_bytes!("font/DejaVuSansCondensed.ttf");
const BOLD: &[u8] = include_bytes!("font/DejaVuSansCondensed-Bold.ttf");

/// How heavy letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// What stands for a letter that no font has.
const INSTEAD: char = '?';

/// All fonts of a document: regular, bold, then those that were given.
pub(super) struct Fonts {
    faces: Vec<Typeface>,
    letters: LackingLetters,
    /// Where letters were replaced, and which.
    replaced: Vec<(PrintedPart, Vec<char>)>,
}

/// A part of a line in one font.
pub(super) struct Run {
    /// Which font.
    pub(super) face: usize,
    /// Which part of the text.
    pub(super) range: Range<usize>,
    /// Its glyphs, from left to right; their ranges are those within the part.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// How wide it is, in ems.
    pub(super) width: f32,
}

impl Fonts {
    pub(super) fn new(given: &[Arc<[u8]>], letters: LackingLetters) -> Result<Self, PrintError> {
        let own = [REGULAR, BOLD]
            .into_iter()
            .map(|bytes| Typeface::new(Arc::new(bytes)));
        let given = given
            .iter()
            .map(|bytes| Typeface::new(Arc::new(bytes.clone())));
        let faces: Vec<Option<Typeface>> = own.chain(given).collect();
        // The library's own two are read by every test; the number is that of a given one.
        faces
            .into_iter()
            .enumerate()
            .map(|(number, face)| {
                face.ok_or(PrintError::Font {
                    number: number.saturating_sub(1),
                })
            })
            .collect::<Result<_, _>>()
            .map(|faces| Self {
                faces,
                letters,
                replaced: Vec::new(),
            })
    }

    /// A [prepared](prepared) text with something else for letters that no font has, if that is asked for.
    pub(super) fn readable(&mut self, text: String, weight: Weight, of: &PrintedPart) -> String {
        if self.letters == LackingLetters::Refuse || text.is_ascii() {
            return text;
        }
        let mut readable = String::with_capacity(text.len());
        let mut lacking = Vec::new();
        for cluster in clusters(&text) {
            let letters = text.get(cluster).unwrap_or_default();
            if self.face(letters, weight).is_some() {
                readable.push_str(letters);
            } else {
                readable.push(INSTEAD);
                lacking.extend(letters.chars().filter(|c| !is_invisible(*c)));
            }
        }
        if lacking.is_empty() {
            return text;
        }
        match self.replaced.last_mut() {
            Some((last, known)) if last == of => known.extend(lacking),
            _ => self.replaced.push((of.clone(), lacking)),
        }
        readable
    }

    /// Where letters were replaced since this was last asked, and which: in each part each of them once.
    pub(super) fn replaced(&mut self) -> Vec<(PrintedPart, Vec<char>)> {
        let replaced = std::mem::take(&mut self.replaced).into_iter();
        let once = replaced.map(|(part, letters)| (part, each_once(letters)));
        once.collect()
    }

    /// The fonts for a PDF, in their order.
    pub(super) fn for_pdf(&self) -> Result<Vec<Font>, PrintError> {
        self.faces
            .iter()
            .enumerate()
            .map(|(number, face)| {
                face.font().ok_or(PrintError::Font {
                    number: number.saturating_sub(1),
                })
            })
            .collect()
    }

    /// The parts of a line of [prepared](prepared) text from left to right.
    ///
    /// # Errors
    ///
    /// The letters that no font has.
    pub(super) fn set(
        &mut self,
        text: &str,
        weight: Weight,
        right_to_left: bool,
    ) -> Result<Vec<Run>, Vec<char>> {
        let plain = text.chars().all(is_plain);
        if plain && !right_to_left {
            return self.set_part(text, 0..text.len(), weight, None);
        }
        let mut runs = Vec::new();
        for (range, level) in parts(text, right_to_left) {
            let part = self.set_part(text, range, weight, Some(level.is_rtl()))?;
            runs.extend(part);
        }
        Ok(runs)
    }

    /// How wide a line is at a size of one point.
    pub(super) fn width(
        &mut self,
        text: &str,
        weight: Weight,
        right_to_left: bool,
    ) -> Result<f32, Vec<char>> {
        let runs = self.set(text, weight, right_to_left)?;
        Ok(runs.iter().map(|run| run.width).sum())
    }

    /// Sets a part of one direction; `None` for letters that stand by themselves, from left to right.
    fn set_part(
        &mut self,
        text: &str,
        range: Range<usize>,
        weight: Weight,
        shaped: Option<bool>,
    ) -> Result<Vec<Run>, Vec<char>> {
        let mut runs = Vec::new();
        for (face, range) in self.faces(text, range, weight)? {
            let part = text.get(range.clone()).unwrap_or_default();
            let typeface = self.faces.get_mut(face);
            let glyphs = typeface.and_then(|typeface| match shaped {
                None => typeface.set_plain(part),
                Some(right_to_left) => typeface.set_shaped(part, right_to_left),
            });
            let glyphs = glyphs.ok_or_else(|| each_once(part.chars()))?;
            if glyphs.is_empty() {
                // Nothing but characters that say how others are set.
                continue;
            }
            let width = glyphs.iter().map(|glyph| glyph.x_advance).sum();
            runs.push(Run {
                face,
                range,
                glyphs,
                width,
            });
        }
        if shaped == Some(true) {
            runs.reverse();
        }
        Ok(runs)
    }

    /// Which font each stretch of letters is set in.
    fn faces(
        &mut self,
        text: &str,
        range: Range<usize>,
        weight: Weight,
    ) -> Result<Vec<(usize, Range<usize>)>, Vec<char>> {
        let mut stretches: Vec<(usize, Range<usize>)> = Vec::new();
        let mut lacking = Vec::new();
        let part = text.get(range.clone()).unwrap_or_default();
        for cluster in clusters(part) {
            let letters = part.get(cluster.clone()).unwrap_or_default();
            let Some(face) = self.face(letters, weight) else {
                lacking.extend(letters.chars().filter(|c| !is_invisible(*c)));
                continue;
            };
            let start = range.start.saturating_add(cluster.start);
            let end = range.start.saturating_add(cluster.end);
            match stretches.last_mut() {
                Some((last, stretch)) if *last == face => stretch.end = end,
                _ => stretches.push((face, start..end)),
            }
        }
        if lacking.is_empty() {
            Ok(stretches)
        } else {
            Err(each_once(lacking))
        }
    }

    /// The first font that has a letter and the marks on it.
    fn face(&mut self, letters: &str, weight: Weight) -> Option<usize> {
        let regular_first = weight == Weight::Regular;
        let own = if regular_first { [0, 1] } else { [1, 0] };
        let given = 2..self.faces.len();
        own.into_iter().chain(given).find(|face| {
            self.faces
                .get_mut(*face)
                .is_some_and(|face| letters.chars().all(|c| is_invisible(c) || face.has(c)))
        })
    }
}

/// A text as it is set: letters and their marks composed where there is one letter for both, white space of any kind is a space, none stands around it, and characters that nobody sees are
/// left out but for those that say how letters join and in what direction they run.
pub(super) fn prepared(text: &str) -> String {
    let spaced = text.nfc().filter_map(|c| match c {
        _ if c.is_whitespace() => Some(' '),
        '\u{200c}'..='\u{200f}' | '\u{61c}' => Some(c),
        _ if is_invisible(c) => None,
        _ => Some(c),
    });
    spaced.collect::<String>().trim().to_owned()
}

/// Whether a text begins, by its first letter that has a direction, from the right.
pub(super) fn is_right_to_left(text: &str) -> bool {
    text.chars()
        .map(bidi_class)
        .find(|class| matches!(class, BidiClass::L | BidiClass::R | BidiClass::AL))
        .is_some_and(|class| class != BidiClass::L)
}

/// Letters with the marks that stand on them, which are never taken apart.
pub(super) fn clusters(text: &str) -> Vec<Range<usize>> {
    let mut clusters: Vec<Range<usize>> = Vec::new();
    let mut joined = false;
    for (at, c) in text.char_indices() {
        let end = at.saturating_add(c.len_utf8());
        let belongs = joined || bidi_class(c) == BidiClass::NSM || is_invisible(c);
        joined = c == '\u{200d}';
        match clusters.last_mut() {
            Some(last) if belongs => last.end = end,
            _ => clusters.push(at..end),
        }
    }
    clusters
}

/// The parts of a line that run in one direction, from left to right.
fn parts(text: &str, right_to_left: bool) -> Vec<(Range<usize>, Level)> {
    if text.is_empty() {
        return Vec::new();
    }
    let base = if right_to_left {
        Level::rtl()
    } else {
        Level::ltr()
    };
    let order = ParagraphBidiInfo::new(text, Some(base));
    let (levels, runs) = order.visual_runs(0..text.len());
    runs.into_iter()
        .map(|range| {
            let level = levels.get(range.start).copied().unwrap_or(base);
            (range, level)
        })
        .collect()
}

/// Whether a letter looks the same wherever it stands, and runs from left to right: most of Europe and East Asia. The
/// rest is shaped, which takes long.
fn is_plain(c: char) -> bool {
    matches!(c,
        ' '..='~'
        | '\u{a0}'..='\u{ac}'
        | '\u{ae}'..='\u{2ff}'
        | '\u{370}'..='\u{482}'
        | '\u{48a}'..='\u{58a}'
        | '\u{10a0}'..='\u{10ff}'
        | '\u{1e00}'..='\u{1fff}'
        | '\u{2010}'..='\u{2027}'
        | '\u{202f}'..='\u{205e}'
        | '\u{2070}'..='\u{20cf}'
        | '\u{2100}'..='\u{2bff}'
        | '\u{3001}'..='\u{3029}'
        | '\u{3030}'..='\u{3096}'
        | '\u{309b}'..='\u{312f}'
        | '\u{3190}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff01}'..='\u{ff9f}'
        | '\u{ffe0}'..='\u{ffe6}'
    )
}

/// Each letter once, in the order in which they come.
fn each_once(letters: impl IntoIterator<Item = char>) -> Vec<char> {
    let mut known = Vec::new();
    for letter in letters {
        if !known.contains(&letter) {
            known.push(letter);
        }
    }
    known
}
