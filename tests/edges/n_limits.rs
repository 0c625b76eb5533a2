//! Limits, expiry and housekeeping.
