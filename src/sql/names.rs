//! What the expansion of [`keep_contract`](super::keep_contract) names.

pub(crate) use std::collections::BTreeSet;
pub(crate) use std::sync::Arc;

pub(crate) use async_trait::async_trait;

pub(crate) use super::commit::{purge, settle};
pub(crate) use super::table::tables;
pub(crate) use super::{Engine, documents, jobs, reads, take_lines, totals};
pub(crate) use crate::domain::*;
pub(crate) use crate::store::*;
