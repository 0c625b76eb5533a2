//! In which bars a barcode is drawn, and what check digits check.

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::domain::{Barcode, Symbology, ends_in_its_check_digit};

#[test]
fn the_digits_decide_unless_code_128_is_asked_for() {
    let cases = [
        ("4006381333931", "EAN13", Symbology::Ean13),
        ("4006381333931", "ean-13", Symbology::Ean13),
        ("4006381333931", "GTIN", Symbology::Ean13),
        ("4006381333931", "CODE128", Symbology::Code128),
        ("4006381333931", "code-128", Symbology::Code128),
        ("4006381333930", "EAN13", Symbology::Code128),
        ("036000291452", "UPC-A", Symbology::UpcA),
        ("036000291452", "EAN13", Symbology::UpcA),
        ("036000291453", "UPC-A", Symbology::Code128),
        ("96385074", "EAN8", Symbology::Ean8),
        ("96385075", "EAN8", Symbology::Code128),
        ("14006381333938", "ITF14", Symbology::Code128),
        ("0", "EAN13", Symbology::Code128),
        ("４００６３８１３３３９３１", "EAN13", Symbology::Code128),
        ("SKU-1", "EAN13", Symbology::Code128),
    ];
    for (value, symbology, drawn_as) in cases {
        let barcode = Barcode {
            value: value.parse().unwrap(),
            symbology: symbology.parse().unwrap(),
        };
        assert_eq!(barcode.drawn_as(), drawn_as, "{value} as {symbology}");
    }
}

proptest! {
    #![proptest_config(certain(256))]

    /// Of the ten digits that may follow a number exactly one checks it, and no other digit can stand in its place.
    #[test]
    fn one_digit_checks_a_number(number in "[0-9]{1,17}", at in 0_usize..17, other in 0_u8..10) {
        let checked: Vec<String> = (0..10)
            .map(|digit| format!("{number}{digit}"))
            .filter(|text| ends_in_its_check_digit(text))
            .collect();
        prop_assert_eq!(checked.len(), 1);
        let mut wrong = checked[0].clone().into_bytes();
        let at = at % wrong.len();
        let digit = b'0' + other;
        if wrong[at] != digit {
            wrong[at] = digit;
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert!(!ends_in_its_check_digit(&wrong), "{}", wrong);
        }
    }
}
