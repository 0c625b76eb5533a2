//! What is shown agrees with itself.
