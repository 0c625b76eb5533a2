//! Taking back does the opposite to quantity and value.
