//! What the expansions of [`keep_repository`](super::keep_repository) and [`keep_job_queue`](super::keep_job_queue) name.

pub(crate) use std::collections::BTreeSet;
pub(crate) use std::sync::Arc;

pub(crate) use async_trait::async_trait;

pub(crate) use super::commit::settle;
pub(crate) use super::purging::purge;
pub(crate) use super::table::tables;
pub(crate) use super::{
    Engine, articles, by_key, changes, documents, jobs, mending, product_codes, reads, take_lines,
    totals, unlike,
};
pub(crate) use crate::domain::*;
pub(crate) use crate::store::*;
