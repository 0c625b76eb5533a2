//! Texts and numbers at the edges of what is kept, and the fields that hold them.

/// Texts that stores lose, fold, trim or take for something else. Each fits in a purchase order number.
pub(super) const TEXTS: &[&str] = &[
    "e\u{301}",
    "\u{e9}",
    "\u{1F4E6} 'quoted' \"twice\" %_\\",
    "\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\
     \u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\
     \u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\
     \u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
    " not trimmed ",
    "'; drop table sites; --",
    "{\"a\": [1, null]}",
    "\u{10FFFD}\u{200D}\u{FEFF}x",
    "null",
    "007",
    "-",
];

/// Few texts, near each other.
pub(super) const NEAR_TEXTS: &[&str] = &[
    "Soap",
    "soap",
    "B.~alm",
    "\u{c5}nga",
    "A\u{30a}nga",
    "Comb 50%",
    "comb_",
    "Stra\u{df}e",
    "STRASSE",
    "7",
    "O'B\\n",
];

/// Fields that hold text; what else is a string is a decimal number.
pub(super) const TEXT_FIELDS: &[&str] = &[
    "account",
    "accounts",
    "article",
    "article_id",
    "batch",
    "code",
    "completion_notes",
    "decision_notes",
    "description",
    "device",
    "email",
    "external_id",
    "first_name",
    "last_name",
    "message",
    "name",
    "notes",
    "place",
    "purchase_order_number",
    "reason",
    "reference",
    "serial",
    "symbology",
    "variant",
];

/// Numbers that any decimal can hold, below zero or not.
pub(super) const DECIMALS: &[&str] = &[
    "12.000001",
    "0",
    "0.000001",
    "999999999999.999999",
    "1000000000000",
];

/// Fields that hold quantities below zero as well.
pub(super) const SIGNED_FIELDS: &[&str] = &["before", "book", "change", "expected", "on_hand"];

pub(super) const SIGNED_DECIMALS: &[&str] = &[
    "-1000000000000",
    "-0.000001",
    "999999999999.999999",
    "-999999999999.999999",
];

/// Fields that hold values: wider, and with four digits more.
pub(super) const VALUE_FIELDS: &[&str] = &[
    "cost_impact",
    "difference",
    "fifo_value",
    "standard_value",
    "value_change",
];

pub(super) const VALUES: &[&str] = &[
    "-99999999999999999.9999999999",
    "99999999999999999.9999999999",
    "-0.0000000001",
    "1.0000000001",
];
