//! Letters of other scripts: in what order they stand, and in which font.

use std::sync::Arc;

use stocktake::documents::pdf::{CountSheet, CountSheetOptions, PrintError};

use super::drawn::{Drawn, Letter, Place, read};
use super::samples::{line, product, site, stamp, take};

fn named(name: &str, fonts: Vec<Arc<[u8]>>) -> Result<Drawn, PrintError> {
    let site = site("gbp");
    let mut options = CountSheetOptions::default();
    options.print.fonts = fonts;
    let mut sheet = CountSheet::new(&take(&site), &site, &stamp(), &options)?;
    sheet.add(&line(1, product(1, "SKU-1", name), |_| {}))?;
    Ok(read(&sheet.finish()?).swap_remove(0))
}

/// Where a letter first stands below the head of the page.
fn in_the_row(page: &Drawn, letter: char) -> Place {
    let is_id = |letters: &[Letter]| {
        letters
            .iter()
            .map(|it| it.text.as_str())
            .eq(["S", "K", "U", "-", "1"])
    };
    let id = page.letters.windows(5).position(is_id);
    let row = &page.letters[id.unwrap() + 5..];
    let found = row.iter().find(|it| it.text.starts_with(letter));
    found.unwrap().place
}

/// The letters of a name as they stand from left to right.
fn from_left_to_right(name: &str) -> String {
    let page = named(name, Vec::new()).unwrap();
    let baseline = in_the_row(&page, name.chars().next().unwrap()).bottom;
    let mut line: Vec<_> = page
        .letters
        .iter()
        .filter(|it| (it.place.bottom - baseline).abs() < 0.1)
        .filter(|it| (60.0..270.0).contains(&it.place.left))
        .collect();
    line.sort_by(|one, other| one.place.left.total_cmp(&other.place.left));
    let line: String = line.iter().map(|letter| letter.text.as_str()).collect();
    line.replace(' ', "")
}

#[test]
fn europe_is_written_as_it_is() {
    for name in [
        "Čaj zelený – 250 g",
        "Τσάι πράσινο",
        "Чай зелёный",
        "Ծաղիկ",
        "ჩაი",
        "Räkning №1 ½ € ™",
    ] {
        let page = named(name, Vec::new()).unwrap();
        let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(page.letters().contains(&name), "{name} is missing");
    }
}

#[test]
fn hebrew_runs_from_right_to_left_and_its_numbers_do_not() {
    assert_eq!(from_left_to_right("תה 250 גרם"), "םרג250הת");
    assert_eq!(from_left_to_right("Tea תה 250"), "Tea250הת");
}

/// Letters and marks are one letter where there is one for both; marks that are left stand on their letter.
#[test]
fn marks_stand_on_their_letters() {
    let composed = named("Crème brûlée", Vec::new()).unwrap();
    let apart = named("Cre\u{300}me bru\u{302}le\u{301}e", Vec::new()).unwrap();
    assert_eq!(composed.letters(), apart.letters());
    let page = named("x\u{323}y", Vec::new()).unwrap();
    let (x, y) = (in_the_row(&page, 'x'), in_the_row(&page, 'y'));
    assert!((x.right - y.left).abs() < 0.1, "the mark takes no room");
}

#[test]
fn arabic_is_set_and_its_letters_can_be_told() {
    let page = named("شاي أخضر", Vec::new()).unwrap();
    let letters = page.letters();
    for letter in "شايأخضر".chars() {
        assert!(letters.contains(letter), "{letter} is missing in {letters}");
    }
}

/// The library's own font with its last letter called by another name, one that the font has not.
fn font_with(letter: char) -> Arc<[u8]> {
    let own: &[u8] = include_bytes!("../../../src/documents/pdf/font/DejaVuSansCondensed.ttf");
    let mut font = own.to_vec();
    let number = |font: &[u8], at: usize| {
        usize::try_from(u32::from_be_bytes(font[at..at + 4].try_into().unwrap())).unwrap()
    };
    let tables = usize::from(u16::from_be_bytes([font[4], font[5]]));
    let entry = (0..tables)
        .map(|table| 12 + 16 * table)
        .find(|at| &font[*at..*at + 4] == b"cmap")
        .unwrap();
    let map = number(&font, entry + 8);
    let maps = usize::from(u16::from_be_bytes([font[map + 2], font[map + 3]]));
    // The map of all planes is a list of groups: first letter, last letter, glyph of the first.
    let groups = (0..maps)
        .map(|it| map + number(&font, map + 4 + 8 * it + 4))
        .find(|at| font[*at..*at + 2] == [0, 12])
        .unwrap();
    let last = groups + 16 + 12 * (number(&font, groups + 12) - 1);
    let code = u32::from(letter).to_be_bytes();
    font[last..last + 4].copy_from_slice(&code);
    font[last + 4..last + 8].copy_from_slice(&code);
    font.into()
}

/// The first font that has a letter is taken for it; only with none it is an error.
#[test]
fn letters_fall_back_to_the_fonts_that_are_given() {
    let error = named("Tea 𠜎", Vec::new()).unwrap_err();
    assert!(matches!(error, PrintError::Letters { letters, .. } if letters == ['𠜎']));
    let page = named("Tea 𠜎", vec![font_with('本'), font_with('𠜎')]).unwrap();
    assert!(page.letters().contains("Tea𠜎"), "{}", page.letters());
}
