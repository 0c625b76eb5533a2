//! Opening a SQLite file.
