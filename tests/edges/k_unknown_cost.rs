//! Unknown cost is not zero.
