//! Texts in columns: broken into lines, cut to one line, or made smaller.

use super::fonts::{Fonts, Weight, clusters, is_right_to_left, prepared};
use super::{PrintError, PrintedPart};

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    /// In points.
    pub(super) size: f32,
    pub(super) weight: Weight,
    /// From 0, black, to 255, white.
    pub(super) shade: u8,
}

impl Style {
    pub(super) const fn regular(size: f32) -> Self {
        Self {
            size,
            weight: Weight::Regular,
            shade: 0,
        }
    }

    pub(super) const fn bold(size: f32) -> Self {
        Self {
            weight: Weight::Bold,
            ..Self::regular(size)
        }
    }

    /// The same in grey, dark enough for any printer.
    pub(super) const fn grey(self) -> Self {
        Self { shade: 80, ..self }
    }

    /// From one line to the next.
    pub(super) fn line_height(self) -> f32 {
        self.size * 1.24
    }

    /// From the top of a line down to where its letters stand.
    pub(super) fn baseline(self) -> f32 {
        self.size * 0.96
    }

    /// How much lower its line begins than one of another style, for both to stand on the same height.
    pub(super) fn lower_than(self, other: Self) -> f32 {
        other.baseline() - self.baseline()
    }
}

/// A line of text and how it looks.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) right_to_left: bool,
    /// How wide it is, in points.
    pub(super) width: f32,
}

/// No number is printed smaller than this many points.
const SMALLEST: f32 = 5.0;

/// No text has more characters: the longest that the library keeps has 2,000, and names of users come from outside.
const LONGEST: usize = 4_000;

/// Sets the texts of one part of a document.
pub(super) struct Setter<'a> {
    fonts: &'a mut Fonts,
    /// What errors name.
    part: &'a PrintedPart,
}

impl<'a> Setter<'a> {
    pub(super) fn new(fonts: &'a mut Fonts, part: &'a PrintedPart) -> Self {
        Self { fonts, part }
    }

    fn width(&mut self, text: &str, style: Style, right_to_left: bool) -> Result<f32, PrintError> {
        match self.fonts.width(text, style.weight, right_to_left) {
            Ok(ems) => Ok(ems * style.size),
            Err(letters) => Err(PrintError::Letters {
                letters,
                of: self.part.clone(),
            }),
        }
    }

    fn no_room(&self) -> PrintError {
        PrintError::Room {
            of: self.part.clone(),
        }
    }

    /// One line, however wide it is.
    pub(super) fn line(&mut self, text: &str, style: Style) -> Result<Line, PrintError> {
        if text.chars().nth(LONGEST).is_some() {
            return Err(self.no_room());
        }
        let text = prepared(text);
        let text = self.fonts.readable(text, style.weight, self.part);
        let right_to_left = is_right_to_left(&text);
        let width = self.width(&text, style, right_to_left)?;
        Ok(Line {
            text,
            style,
            right_to_left,
            width,
        })
    }

    /// As many lines as a text needs: broken between words, within them where one is too long.
    pub(super) fn wrapped(
        &mut self,
        text: &str,
        style: Style,
        width: f32,
    ) -> Result<Vec<Line>, PrintError> {
        let whole = self.line(text, style)?;
        let mut lines = Vec::new();
        let mut rest = whole.text.as_str();
        while !rest.is_empty() {
            let rest_width = self.width(rest, style, whole.right_to_left)?;
            let (text, line_width, next) = if rest_width <= width {
                (rest, rest_width, "")
            } else {
                self.first_line(rest, style, whole.right_to_left, width)?
            };
            lines.push(Line {
                text: text.to_owned(),
                width: line_width,
                ..whole.clone()
            });
            rest = next;
        }
        Ok(lines)
    }

    /// The first line of a text that is too wide for one, its width, and the rest.
    fn first_line<'t>(
        &mut self,
        text: &'t str,
        style: Style,
        right_to_left: bool,
        width: f32,
    ) -> Result<(&'t str, f32, &'t str), PrintError> {
        let anywhere = || clusters(text).into_iter().map(|it| it.end).collect();
        for cuts in [between_words(text), anywhere()] {
            let cut = self.last_that_fits(text, &cuts, style, right_to_left, width)?;
            if let Some((cut, line_width)) = cut {
                let (line, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
                return Ok((line.trim_end(), line_width, rest.trim_start()));
            }
        }
        Err(self.no_room())
    }

    /// The last of the places where a text may be cut so that what is before it fits.
    fn last_that_fits(
        &mut self,
        text: &str,
        cuts: &[usize],
        style: Style,
        right_to_left: bool,
        width: f32,
    ) -> Result<Option<(usize, f32)>, PrintError> {
        let (mut low, mut high) = (0, cuts.len());
        let mut best = None;
        while low < high {
            let middle = low.midpoint(high);
            let Some(cut) = cuts.get(middle).copied() else {
                break;
            };
            let line = text.get(..cut).unwrap_or_default().trim_end();
            let line_width = self.width(line, style, right_to_left)?;
            if line_width <= width {
                best = Some((cut, line_width));
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(best)
    }

    /// One line: what is too long for it is cut, and three dots say so.
    pub(super) fn cut(&mut self, text: &str, style: Style, width: f32) -> Result<Line, PrintError> {
        let whole = self.line(text, style)?;
        if whole.width <= width {
            return Ok(whole);
        }
        let dots = self.line("…", style)?;
        let cuts: Vec<usize> = clusters(&whole.text).into_iter().map(|it| it.end).collect();
        let fits = self.last_that_fits(
            &whole.text,
            &cuts,
            style,
            whole.right_to_left,
            width - dots.width,
        )?;
        let cut = fits.map_or(0, |(cut, _)| cut);
        let mut text = whole
            .text
            .get(..cut)
            .unwrap_or_default()
            .trim_end()
            .to_owned();
        text.push('…');
        let width = self.width(&text, style, whole.right_to_left)?;
        Ok(Line {
            text,
            width,
            ..whole
        })
    }

    /// A number: on one line, smaller and never bold where it must be; in lines only when it would be too small to read.
    pub(super) fn number(
        &mut self,
        number: &str,
        style: Style,
        width: f32,
    ) -> Result<Vec<Line>, PrintError> {
        let normal = self.line(number, style)?;
        if normal.width <= width {
            return Ok(vec![normal]);
        }
        let weight = Weight::Regular;
        let light = self.line(number, Style { weight, ..style })?;
        // A little less, so that rounding can't make it wider than the column.
        let size = (style.size * width / light.width * 0.999).clamp(SMALLEST, style.size);
        let style = Style {
            size,
            weight,
            ..style
        };
        self.wrapped(number, style, width)
    }
}

/// Where a text may go on in the next line: after white space, hyphens and slashes, and beside letters of East Asia.
fn between_words(text: &str) -> Vec<usize> {
    let wide = |c: char| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}');
    let mut cuts = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((_, c)) = letters.next() {
        let Some((next_at, next)) = letters.peek().copied() else {
            break;
        };
        if c == ' '
            || (matches!(c, '-' | '/' | '‐' | '–' | '—') && next != ' ')
            || wide(c)
            || wide(next)
        {
            cuts.push(next_at);
        }
    }
    cuts
}
