//! Files for people and machines, opened in the readers of the field.
