//! Policies and the catalogue change under stock.
