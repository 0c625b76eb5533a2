//! The file itself: what it says of itself, that it is always the same, how large it gets.

use pdf_extract::{Dictionary, Document, Object};
use stocktake::documents::pdf::{CountSheet, CountSheetOptions, Paper, PrintError, PrintOptions};
use stocktake::domain::Stamp;

use super::drawn::read;
use super::samples::{line, product, site, stamp, take};

fn sheet(lines: u32, printed: &Stamp, options: &CountSheetOptions) -> Vec<u8> {
    let site = site("gbp");
    let mut sheet = CountSheet::new(&take(&site), &site, printed, options).unwrap();
    for number in 1..=lines {
        let product = product(number, &format!("SKU-{number}"), "Green tea, loose");
        sheet.add(&line(number.into(), product, |_| {})).unwrap();
    }
    sheet.finish().unwrap()
}

fn dictionary<'a>(document: &'a Document, object: &'a Object) -> &'a Dictionary {
    match object {
        Object::Reference(id) => document.get_dictionary(*id).unwrap(),
        other => other.as_dict().unwrap(),
    }
}

#[test]
fn it_says_its_title_language_and_date() {
    let pdf = sheet(1, &stamp(), &CountSheetOptions::default());
    let document = Document::load_mem(&pdf).unwrap();
    let info = dictionary(&document, document.trailer.get(b"Info").unwrap());
    let title = pdf_extract::decode_text_string(info.get(b"Title").unwrap()).unwrap();
    assert_eq!(title, "Count sheet: January 2026, whole shop");
    let date = pdf_extract::decode_text_string(info.get(b"CreationDate").unwrap()).unwrap();
    assert!(date.starts_with("D:20260105120000"), "{date}");
    let root = dictionary(&document, document.trailer.get(b"Root").unwrap());
    let language = pdf_extract::decode_text_string(root.get(b"Lang").unwrap()).unwrap();
    assert_eq!(language, "en");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let options = CountSheetOptions::default();
    let first = sheet(50, &stamp(), &options);
    assert_eq!(first, sheet(50, &stamp(), &options));
    let later = Stamp {
        at: stamp().at.later_by(60_000_000),
        ..stamp()
    };
    assert_ne!(first, sheet(50, &later, &options));
}

#[test]
fn pages_are_numbered_to_the_last_and_repeat_their_heads() {
    for paper in [Paper::A4, Paper::Letter] {
        let mut options = CountSheetOptions::default();
        options.print.paper = paper;
        let pages = read(&sheet(100, &stamp(), &options));
        assert!(pages.len() > 4);
        for (number, page) in (1..).zip(&pages) {
            let letters = page.letters();
            let (width, height) = paper.size();
            assert!((page.width - f64::from(width)).abs() < 0.01);
            assert!((page.height - f64::from(height)).abs() < 0.01);
            assert!(letters.contains(&format!("Page{number}of{}", pages.len())));
            assert!(letters.contains("LineArticleBarcodeCountedUnit"));
            assert!(letters.contains("January2026,wholeshop"));
        }
    }
}

#[test]
fn a_sheet_without_lines_says_so() {
    let pages = read(&sheet(0, &stamp(), &CountSheetOptions::default()));
    assert!(pages[0].letters().contains("Nolines."));
}

/// Only what is used of the fonts is in the file, and each line adds a few hundred bytes.
#[test]
fn files_are_small() {
    let options = CountSheetOptions::default();
    let (few, many) = (
        sheet(10, &stamp(), &options).len(),
        sheet(1_010, &stamp(), &options).len(),
    );
    assert!(few < 60_000, "{few}");
    assert!(many - few < 1_000 * 400, "{}", many - few);
}

#[test]
fn a_font_that_is_none_is_told_by_its_number() {
    let mut options = PrintOptions::default();
    let good: &[u8] = include_bytes!("../../../src/documents/pdf/font/DejaVuSansCondensed.ttf");
    options.fonts = vec![good.into(), b"no font".as_slice().into()];
    let mut sheet = CountSheetOptions::default();
    sheet.print = options;
    let site = site("gbp");
    let error = CountSheet::new(&take(&site), &site, &stamp(), &sheet).unwrap_err();
    assert!(matches!(error, PrintError::Font { number: 2 }), "{error}");
}

/// How many lines the longest sheet of these tests has: 100,000 in the gate, fewer where nobody asks for them.
fn many_lines() -> u32 {
    std::env::var("STOCKTAKE_TEST_LINES").map_or(2_000, |lines| lines.parse().unwrap())
}

/// Prints a long sheet in a process of its own, and tells how much memory that took at most.
#[cfg(target_os = "linux")]
#[test]
fn a_long_sheet_takes_little_memory() {
    const CHILD: &str = "STOCKTAKE_TEST_PRINTS";
    let lines = many_lines();
    if std::env::var_os(CHILD).is_some() {
        let pdf = sheet(lines, &stamp(), &CountSheetOptions::default());
        assert!(pdf.starts_with(b"%PDF") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        println!("\n{peak}");
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "pdf::file::a_long_sheet_takes_little_memory",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{told}");
    let peak = told
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // 2 KiB a line beside what the program, its fonts and the packing of a file are.
    let most = 80_000 + 2 * u64::from(lines);
    assert!(kib < most, "{kib} KiB for {lines} lines, at most {most}");
}
