//! What is drawn on the pages of a PDF, as a reader draws it: letters and areas, with where they stand.

use pdf_extract::{
    ColorSpace, Document, MediaBox, Object, OutputDev, OutputError, Path, PathOp, Transform,
    output_doc,
};

/// A rectangle, in points from the top left corner of its page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Place {
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// How much of two rectangles is the same.
    pub(super) fn shared(&self, other: &Self) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }
}

/// A letter, as wide as it is and as high as its capitals.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) text: String,
    pub(super) place: Place,
}

/// What is drawn on a page.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) letters: Vec<Letter>,
    /// Barcodes, each the places of its bars: rectangles that are filled together.
    pub(super) codes: Vec<Vec<Place>>,
    /// Other filled rectangles: rules, and the sides of boxes.
    pub(super) rules: Vec<Place>,
    /// Filled rectangles that texts stand on.
    pub(super) grounds: Vec<Place>,
}

impl Drawn {
    /// All letters in the order of drawing, without white space.
    pub(super) fn letters(&self) -> String {
        let letters = self.letters.iter().flat_map(|letter| letter.text.chars());
        letters.filter(|c| !c.is_whitespace()).collect()
    }
}

/// Reads the pages of a PDF.
pub(super) fn read(pdf: &[u8]) -> Vec<Drawn> {
    let mut document = Document::load_mem(pdf).unwrap();
    for object in document.objects.values_mut() {
        if let Ok(widths) = object
            .as_dict_mut()
            .and_then(|it| it.get_mut(b"W")?.as_array_mut())
        {
            *widths = one_by_one(widths);
        }
    }
    let mut reader = Reader(Vec::new());
    output_doc(&document, &mut reader).unwrap();
    reader.0
}

/// The widths of a font's glyphs, each by itself. In the file stand ranges, first and last glyph and their width, which
/// `pdf_extract` takes for something else.
fn one_by_one(ranges: &[Object]) -> Vec<Object> {
    let mut widths = Vec::new();
    for range in ranges.chunks(3) {
        let [first, last, width] = range else {
            panic!("a range of glyphs has three parts: {range:?}");
        };
        for glyph in first.as_i64().unwrap()..=last.as_i64().unwrap() {
            widths.push(Object::Integer(glyph));
            widths.push(Object::Array(vec![width.clone()]));
        }
    }
    widths
}

struct Reader(Vec<Drawn>);

impl Reader {
    fn page(&mut self) -> &mut Drawn {
        self.0.last_mut().unwrap()
    }
}

impl OutputDev for Reader {
    fn begin_page(
        &mut self,
        _: u32,
        page: &MediaBox,
        _: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.0.push(Drawn {
            width: page.urx - page.llx,
            height: page.ury - page.lly,
            ..Drawn::default()
        });
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        at: &Transform,
        width: f64,
        _: f64,
        size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        let page = self.page();
        let size = size * at.m11;
        let baseline = page.height - at.m32;
        page.letters.push(Letter {
            text: text.to_owned(),
            place: Place {
                left: at.m31,
                top: baseline - 0.73 * size,
                right: at.m31 + width * size,
                bottom: baseline,
            },
        });
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn fill(
        &mut self,
        at: &Transform,
        _: &ColorSpace,
        _: &[f64],
        path: &Path,
    ) -> Result<(), OutputError> {
        let page = self.page();
        let height = page.height;
        let point = |x: f64, y: f64| {
            let across = at.m11 * x + at.m21 * y + at.m31;
            (across, height - (at.m12 * x + at.m22 * y + at.m32))
        };
        let mut filled: Vec<Place> = Vec::new();
        for op in &path.ops {
            match *op {
                PathOp::MoveTo(x, y) => {
                    let (x, y) = point(x, y);
                    filled.push(Place {
                        left: x,
                        top: y,
                        right: x,
                        bottom: y,
                    });
                }
                PathOp::LineTo(x, y) => {
                    let (x, y) = point(x, y);
                    let place = filled.last_mut().unwrap();
                    place.left = place.left.min(x);
                    place.right = place.right.max(x);
                    place.top = place.top.min(y);
                    place.bottom = place.bottom.max(y);
                }
                PathOp::Close => {}
                PathOp::CurveTo(..) | PathOp::Rect(..) => panic!("not drawn by this library"),
            }
        }
        match filled.as_slice() {
            [one] if one.height() > 10.0 && one.width() > 10.0 => page.grounds.push(*one),
            [one] => page.rules.push(*one),
            _ => page.codes.push(filled),
        }
        Ok(())
    }
}
