//! An event that a return names is a claim, and is checked.
