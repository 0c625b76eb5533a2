//! Controls that must not be walked around, and answers that hold only what their reader may see.
