//! Pages as a PDF file.

use chrono::{Datelike as _, Timelike as _};
use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::Font;

use super::bars::DOT;
use super::fonts::Fonts;
use super::page::{Item, Page};
use super::{Paper, PrintError};
use crate::domain::Timestamp;

/// Writes pages as a file. The same pages, title and time are the same bytes.
pub(super) fn write(
    paper: Paper,
    mut fonts: Fonts,
    pages: Vec<Page>,
    title: String,
    at: Timestamp,
) -> Result<Vec<u8>, PrintError> {
    let faces = fonts.for_pdf()?;
    let mut document = Document::new();
    document.set_metadata(
        Metadata::new()
            .title(title)
            .language("en".to_owned())
            .creator("stocktake".to_owned())
            .creation_date(date(at)),
    );
    let (width, height) = paper.size();
    for page in pages {
        let settings =
            PageSettings::from_wh(width, height).ok_or_else(|| fault("the paper has no size"))?;
        let mut sheet = document.start_page_with(settings);
        let mut surface = sheet.surface();
        draw(&mut surface, &page, &mut fonts, &faces)?;
        surface.finish();
        sheet.finish();
    }
    document.finish().map_err(|error| PrintError::Pdf {
        reason: error.to_string(),
    })
}

fn fault(reason: &str) -> PrintError {
    PrintError::Pdf {
        reason: reason.to_owned(),
    }
}

fn date(at: Timestamp) -> DateTime {
    let at = at.to_datetime();
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
}

fn draw(
    surface: &mut Surface<'_>,
    page: &Page,
    fonts: &mut Fonts,
    faces: &[Font],
) -> Result<(), PrintError> {
    let mut shade_now = None;
    for item in &page.items {
        let shade = match item {
            Item::Text { shade, .. } | Item::Area { shade, .. } => *shade,
            Item::Bars { .. } => 0,
        };
        if shade_now != Some(shade) {
            surface.set_fill(Some(Fill {
                paint: luma::Color::new(shade).into(),
                ..Fill::default()
            }));
            shade_now = Some(shade);
        }
        match *item {
            Item::Area {
                x,
                y,
                width,
                height,
                ..
            } => {
                let area = Rect::from_xywh(x, y, width, height);
                fill(surface, [area])?;
            }
            Item::Bars {
                x,
                y,
                height,
                module,
                widths,
            } => {
                // In dots, so that the file has whole numbers and a printer whole dots.
                let scale = Transform::from_row(DOT, 0.0, 0.0, 1.0, x, y);
                surface.push_transform(&scale);
                fill(surface, bars(page.text(widths), module, height))?;
                surface.pop();
            }
            Item::Text {
                x,
                y,
                size,
                weight,
                right_to_left,
                text,
                ..
            } => {
                let text = page.text(text);
                let runs = fonts
                    .set(text, weight, right_to_left)
                    .map_err(|_| fault("a letter that was set can't be drawn"))?;
                let mut x = x;
                for run in runs {
                    let font = faces.get(run.face).cloned();
                    let font = font.ok_or_else(|| fault("a font is missing"))?;
                    let part = text.get(run.range).unwrap_or_default();
                    let at = Point::from_xy(x, y);
                    surface.draw_glyphs(at, &run.glyphs, font, part, size, false);
                    x += run.width * size;
                }
            }
        }
    }
    Ok(())
}

/// The rectangles of a code's bars: widths of bar and space in turn.
fn bars(widths: &str, module: u16, height: f32) -> impl Iterator<Item = Option<Rect>> {
    let module = f32::from(module);
    let mut x = 0.0;
    let mut is_bar = false;
    widths.bytes().filter_map(move |width| {
        let width = f32::from(width.saturating_sub(b'0')) * module;
        let left = x;
        x += width;
        is_bar = !is_bar;
        is_bar.then(|| Rect::from_xywh(left, 0.0, width, height))
    })
}

fn fill(
    surface: &mut Surface<'_>,
    areas: impl IntoIterator<Item = Option<Rect>>,
) -> Result<(), PrintError> {
    let mut path = PathBuilder::new();
    for area in areas {
        path.push_rect(area.ok_or_else(|| fault("an area has no size"))?);
    }
    let path = path.finish().ok_or_else(|| fault("an area has no size"))?;
    surface.draw_path(&path);
    Ok(())
}
