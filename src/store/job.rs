//! Queued work.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Actor, InventoryCountId, InventoryOrderId, JobId, OrganisationId, SiteId, StockImportId,
    StockTakeId, Timestamp,
};

/// What is to be done. It holds ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobTask {
    /// Add the lines of a stock take (S1.2, S4.5).
    PopulateStockTake {
        /// The take.
        take: StockTakeId,
    },
    /// Post a stock take (S1.6).
    PostStockTake {
        /// The take.
        take: StockTakeId,
    },
    /// Reverse a stock take's posting (S4.9).
    ReopenStockTake {
        /// The take.
        take: StockTakeId,
    },
    /// Complete an inventory count (S2.5).
    CompleteInventoryCount {
        /// The count.
        count: InventoryCountId,
    },
    /// Send an inventory order to its supplier (S3.5).
    SendInventoryOrder {
        /// The order.
        order: InventoryOrderId,
    },
    /// Take in a stock import (S5.5).
    ImportStock {
        /// The import.
        import: StockImportId,
    },
    /// Make the file of an export (S1.12, S3.7); what it is of is kept under the job's id.
    Export,
    /// Make the file of what is printed, kept as an export is, and mail it (S4.12).
    Print,
}

impl JobTask {
    /// Its kind.
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::PopulateStockTake { .. } => JobKind::PopulateStockTake,
            Self::PostStockTake { .. } => JobKind::PostStockTake,
            Self::ReopenStockTake { .. } => JobKind::ReopenStockTake,
            Self::CompleteInventoryCount { .. } => JobKind::CompleteInventoryCount,
            Self::SendInventoryOrder { .. } => JobKind::SendInventoryOrder,
            Self::ImportStock { .. } => JobKind::ImportStock,
            Self::Export => JobKind::Export,
            Self::Print => JobKind::Print,
        }
    }
}

/// The kinds of jobs. A worker asks for the kinds that it can do (clause Q11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum JobKind {
    /// [`JobTask::PopulateStockTake`].
    PopulateStockTake,
    /// [`JobTask::PostStockTake`].
    PostStockTake,
    /// [`JobTask::ReopenStockTake`].
    ReopenStockTake,
    /// [`JobTask::CompleteInventoryCount`].
    CompleteInventoryCount,
    /// [`JobTask::SendInventoryOrder`].
    SendInventoryOrder,
    /// [`JobTask::ImportStock`].
    ImportStock,
    /// [`JobTask::Export`].
    Export,
    /// [`JobTask::Print`].
    Print,
}

impl JobKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::PopulateStockTake,
        Self::PostStockTake,
        Self::ReopenStockTake,
        Self::CompleteInventoryCount,
        Self::SendInventoryOrder,
        Self::ImportStock,
        Self::Export,
        Self::Print,
    ];

    /// Its stable name, for filters and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PopulateStockTake => "populate_stock_take",
            Self::PostStockTake => "post_stock_take",
            Self::ReopenStockTake => "reopen_stock_take",
            Self::CompleteInventoryCount => "complete_inventory_count",
            Self::SendInventoryOrder => "send_inventory_order",
            Self::ImportStock => "import_stock",
            Self::Export => "export",
            Self::Print => "print",
        }
    }
}

/// Which jobs that have ended are purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedJobs {
    /// Those that succeeded or were refused.
    Over,
    /// Those that are dead, which nobody can queue again then.
    Dead,
}

/// A job on its way into the queue: born in the commit that needs it (clause Q1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    /// Its id; also the command id of its effect.
    pub id: JobId,
    /// The site that it works for.
    pub site: SiteId,
    /// What is to be done.
    pub task: JobTask,
    /// Who asked for it; it runs with this actor's rights.
    pub requested_by: Actor,
    /// Not before this moment.
    pub run_at: Timestamp,
    /// How often it may be tried.
    pub max_attempts: u32,
}

/// A job in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The organisation.
    pub organisation: OrganisationId,
    /// The site that it works for.
    pub site: SiteId,
    /// What is to be done.
    pub task: JobTask,
    /// Who asked for it.
    pub requested_by: Actor,
    /// Where it stands.
    pub state: JobState,
    /// How often it was leased, without the leases that were handed back.
    pub attempts: u32,
    /// How often it may be.
    pub max_attempts: u32,
    /// Not before this moment.
    pub run_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
    /// Why the last attempt failed; at most 2,000 bytes.
    pub last_error: Option<String>,
    /// When it was born: the moment of the command of its commit, or when the queue took it over.
    pub created_at: Timestamp,
    /// When it ended: the moment of the command that ended it, or the `now` of the call.
    pub finished_at: Option<Timestamp>,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker, or for its time.
    Queued,
    /// A worker has it.
    Running {
        /// Which.
        worker: String,
        /// Until when; then another one may have it.
        until: Timestamp,
    },
    /// Done.
    Succeeded,
    /// It ended because what it was for was refused; the document tells why.
    Refused,
    /// Every attempt failed: it stays listed until it is queued again.
    Dead,
}

/// How far work is. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// The right to work on a job: fenced by the attempt, whatever the clock says (clause Q4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseToken {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The job.
    pub job: JobId,
    /// The attempt: one more with each lease.
    pub attempt: u32,
}

/// A leased job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The right to work on it.
    pub token: LeaseToken,
    /// The job as it was leased.
    pub job: Job,
}

/// How a commit ends the job that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAck {
    /// The holder of the lease is done; a stale token fails the whole commit.
    Leased(LeaseToken),
    /// What the job was for is done, by whomever: the job has succeeded, and a lease on it is lost.
    Settled(JobId),
    /// What the job was for was refused, and its document tells why: the job ends, is not tried again, and a
    /// lease on it is lost.
    Refused(JobId),
}

/// A step of a job, told in the commit that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobProgress {
    /// The job.
    pub job: JobId,
    /// How far it is.
    pub progress: Progress,
}
