//! The smallest thing with a quantity.

use serde::{Deserialize, Serialize};

use super::{Code, Product, ProductId, Quantity, SiteId, Tracking};

/// Site, product and, where they apply, variant, stock place, batch and serial number.
///
/// Keys order by their fields, texts by their bytes; that order is what pages of levels follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StockKey {
    /// The site.
    pub site: SiteId,
    /// The product.
    pub product: ProductId,
    /// The variant.
    pub variant: Option<Code>,
    /// The shelf or bin.
    pub place: Option<Code>,
    /// The batch (lot).
    pub batch: Option<Code>,
    /// The serial number.
    pub serial: Option<Code>,
}

/// Why a key can't hold stock of its product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The product is not kept on stock (`is_stock` is false).
    #[error("the product is not kept on stock")]
    NotStocked,
    /// The product is tracked by batch: name one.
    #[error("the product is tracked by batch: a batch is required")]
    BatchRequired,
    /// The product is tracked by serial number: name one.
    #[error("the product is tracked by serial number: a serial number is required")]
    SerialRequired,
    /// The product is not tracked by batch: name none.
    #[error("the product is not tracked by batch: no batch can be named")]
    BatchUntracked,
    /// The product is not tracked by serial number: name none.
    #[error("the product is not tracked by serial number: no serial number can be named")]
    SerialUntracked,
}

impl KeyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotStocked => "not_stocked",
            Self::BatchRequired => "batch_required",
            Self::SerialRequired => "serial_required",
            Self::BatchUntracked => "batch_untracked",
            Self::SerialUntracked => "serial_untracked",
        }
    }
}

impl StockKey {
    /// The plain key of a product at a site.
    pub const fn plain(site: SiteId, product: ProductId) -> Self {
        Self {
            site,
            product,
            variant: None,
            place: None,
            batch: None,
            serial: None,
        }
    }

    /// The same key at a stock place.
    #[must_use]
    pub fn at(mut self, place: Code) -> Self {
        self.place = Some(place);
        self
    }

    /// The same key of a variant.
    #[must_use]
    pub fn of_variant(mut self, variant: Code) -> Self {
        self.variant = Some(variant);
        self
    }

    /// The same key of a batch.
    #[must_use]
    pub fn in_batch(mut self, batch: Code) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The same key of one serial number.
    #[must_use]
    pub fn with_serial(mut self, serial: Code) -> Self {
        self.serial = Some(serial);
        self
    }

    /// Whether the key tells what its product is tracked by, and nothing that it is not: a batch of a product that nobody
    /// tracks by batch would be stock that the plain name of the product no longer means. Things with serial numbers may
    /// come in batches.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn check(&self, product: &Product) -> Result<(), KeyError> {
        if !product.is_stock {
            return Err(KeyError::NotStocked);
        }
        match product.tracking {
            Tracking::Batch if self.batch.is_none() => Err(KeyError::BatchRequired),
            Tracking::Serial if self.serial.is_none() => Err(KeyError::SerialRequired),
            Tracking::None if self.batch.is_some() => Err(KeyError::BatchUntracked),
            Tracking::None | Tracking::Batch if self.serial.is_some() => {
                Err(KeyError::SerialUntracked)
            }
            Tracking::None | Tracking::Batch | Tracking::Serial => Ok(()),
        }
    }

    /// Whether the level of this key may change so, from what was on hand, if it was stocked, to what is. What comes in anew
    /// follows the product as it is now ([`check`](Self::check)); what is on hand under a form of key that the product had
    /// before stays reachable: it can leave, be counted and be delisted.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn check_change(
        &self,
        product: &Product,
        (was_stocked, before): (bool, Quantity),
        after: Quantity,
    ) -> Result<(), KeyError> {
        let comes_in = after > before.max(Quantity::ZERO);
        if was_stocked && !comes_in {
            return Ok(());
        }
        self.check(product)
    }

    /// A text that is the same for equal keys and no others: what derived ids are made of.
    pub fn canonical(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{}/{}", self.site, self.product);
        for part in [&self.variant, &self.place, &self.batch, &self.serial] {
            // Lengths keep `a` + `b/` apart from `a/` + `b`.
            let written = match part {
                Some(part) => write!(text, "/{}:{part}", part.as_str().len()),
                None => write!(text, "/-"),
            };
            debug_assert!(written.is_ok(), "writing to a string does not fail");
        }
        text
    }

    /// The codes that tell it from other keys of its product at its site, each with what it is, for people.
    pub(crate) fn codes(&self) -> impl Iterator<Item = (&'static str, &Code)> {
        let parts = [
            ("variant", &self.variant),
            ("stock place", &self.place),
            ("batch", &self.batch),
            ("serial number", &self.serial),
        ];
        let parts = parts.into_iter();
        parts.filter_map(|(what, code)| Some((what, code.as_ref()?)))
    }

    /// What tells it from other keys of its product at its site, for people.
    pub(crate) fn whereabouts(&self) -> String {
        let codes: Vec<String> = self
            .codes()
            .map(|(what, code)| format!("{what} {code}"))
            .collect();
        if codes.is_empty() {
            "no stock place".to_owned()
        } else {
            codes.join(", ")
        }
    }
}

impl std::fmt::Display for StockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.canonical())
    }
}
