//! No read and no phase fails because a sum is large.
