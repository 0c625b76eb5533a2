//! The audit finds what is wrong, and nothing else, while stock moves.
