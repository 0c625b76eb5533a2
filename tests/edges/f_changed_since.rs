//! What changed since is told at least once, and never missed.
