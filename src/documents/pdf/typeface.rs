//! One font: which letters it has, how wide they are, how they stand together.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::ttf_parser;
use rustybuzz::{BufferFlags, Direction, UnicodeBuffer};

/// The bytes of a font file.
type FontData = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A font and what was looked up in it.
pub(super) struct Typeface {
    data: FontData,
    units_per_em: f32,
    letters: HashMap<char, Option<Letter>>,
}

/// The glyph of a letter that stands by itself.
#[derive(Clone, Copy)]
struct Letter {
    glyph: u16,
    /// How far the next one is, in ems.
    advance: f32,
}

impl Typeface {
    /// Reads a font; `None` if it can't be used.
    pub(super) fn new(data: FontData) -> Option<Self> {
        let bytes = (*data).as_ref();
        Font::new(krilla::Data::from(data.clone()), 0)?;
        rustybuzz::Face::from_slice(bytes, 0)?;
        let units_per_em = f32::from(ttf_parser::Face::parse(bytes, 0).ok()?.units_per_em());
        Some(Self {
            data,
            units_per_em,
            letters: HashMap::new(),
        })
    }

    /// The font for a PDF.
    pub(super) fn font(&self) -> Option<Font> {
        Font::new(krilla::Data::from(self.data.clone()), 0)
    }

    fn letter(&mut self, c: char) -> Option<Letter> {
        if let Some(known) = self.letters.get(&c) {
            return *known;
        }
        let letter = ttf_parser::Face::parse((*self.data).as_ref(), 0)
            .ok()
            .and_then(|face| {
                let glyph = face.glyph_index(c).filter(|glyph| glyph.0 != 0)?;
                let advance = f32::from(face.glyph_hor_advance(glyph)?) / self.units_per_em;
                Some(Letter {
                    glyph: glyph.0,
                    advance,
                })
            });
        self.letters.insert(c, letter);
        letter
    }

    /// Whether it has a letter.
    pub(super) fn has(&mut self, c: char) -> bool {
        self.letter(c).is_some()
    }

    /// The glyphs of letters that stand by themselves; `None` when it lacks one.
    pub(super) fn set_plain(&mut self, text: &str) -> Option<Vec<KrillaGlyph>> {
        text.char_indices()
            .map(|(at, c)| {
                let Letter { glyph, advance } = self.letter(c)?;
                let end = at.saturating_add(c.len_utf8());
                let id = GlyphId::new(glyph.into());
                Some(KrillaGlyph::new(id, advance, 0.0, 0.0, 0.0, at..end, None))
            })
            .collect()
    }

    /// The glyphs of any text of one direction, in the order from left to right: letters that join, marks that stand on
    /// others. `None` when it lacks one.
    pub(super) fn set_shaped(&self, text: &str, right_to_left: bool) -> Option<Vec<KrillaGlyph>> {
        let face = rustybuzz::Face::from_slice((*self.data).as_ref(), 0)?;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(if right_to_left {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        buffer.set_flags(BufferFlags::REMOVE_DEFAULT_IGNORABLES);
        let set = rustybuzz::shape(&face, &[], buffer);
        let (infos, positions) = (set.glyph_infos(), set.glyph_positions());
        let mut starts: Vec<usize> = infos.iter().filter_map(|it| cluster(it.cluster)).collect();
        starts.sort_unstable();
        starts.dedup();
        infos
            .iter()
            .zip(positions)
            .map(|(info, position)| {
                let em = |units: i32| {
                    i16::try_from(units)
                        .ok()
                        .map(|it| f32::from(it) / self.units_per_em)
                };
                (info.glyph_id != 0).then_some(())?;
                Some(KrillaGlyph::new(
                    GlyphId::new(info.glyph_id),
                    em(position.x_advance)?,
                    em(position.x_offset)?,
                    em(position.y_offset)?,
                    em(position.y_advance)?,
                    range(&starts, cluster(info.cluster)?, text.len()),
                    None,
                ))
            })
            .collect()
    }
}

fn cluster(start: u32) -> Option<usize> {
    usize::try_from(start).ok()
}

/// From where a cluster starts to where the next one does.
fn range(starts: &[usize], start: usize, end: usize) -> Range<usize> {
    let next = starts.iter().copied().find(|next| *next > start);
    start..next.unwrap_or(end)
}
