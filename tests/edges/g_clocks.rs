//! Clocks that jump, and what is known from the future.
