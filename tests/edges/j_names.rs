//! Names are as people and scanners give them.
