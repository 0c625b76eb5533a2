//! Who may do what: one table.

use crate::domain::{Role, SitePolicy};

/// What can be asked of the library, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Read anything of a site.
    Read,
    /// Tell the library about sites, products and suppliers.
    EditCatalogue,
    /// Record movements, reserve stock.
    MoveStock,
    /// Check the ledger against the levels.
    VerifyLedger,
    /// Make levels and what stands beside records follow from the ledger again.
    RebuildStock,
    /// Create a stock take (S1.2, S4.2).
    CreateStockTake,
    /// Copy a stock take (S4.3).
    CopyStockTake,
    /// Change the words on a stock take (S1.4, S4.4).
    UpdateStockTake,
    /// Remove a stock take (S1.5, S4.4).
    RemoveStockTake,
    /// Add lines to a stock take and remove them before it starts (S4.5), add what was found.
    EditStockTakeItems,
    /// Start a stock take (S4.6).
    StartStockTake,
    /// Count a line (S1.10, S4.7).
    CountItem,
    /// Delete a line while counting (S1.11).
    DeleteStockTakeItem,
    /// Post a stock take (S1.6, S1.7, S4.8), and what was left over.
    PostStockTake,
    /// Reopen a stock take (S4.9).
    ReopenStockTake,
    /// Start or cancel an inventory count, or complete it without adjusting anything (S2.2, S2.5, S2.6).
    RunCount,
    /// Complete an inventory count with its adjustments: whoever does approves them (S2.5).
    ApplyCount,
    /// Count on an inventory count (S2.3).
    CountInventory,
    /// Ask for a stock adjustment (S2.9).
    CreateAdjustment,
    /// Approve or reject a stock adjustment (S2.10).
    DecideAdjustment,
    /// Create, update or delete an inventory order, and its lines (S3.2 to S3.4).
    EditOrder,
    /// Submit an inventory order, close it short (S3.5, S3.6).
    SubmitOrder,
    /// Receive an inventory order (S3.6).
    ReceiveOrder,
    /// Import stock (S5).
    ImportStock,
    /// Export a take or an order (S1.12, S3.7).
    Export,
    /// Print a take, its receipt or an order (S4.12).
    Print,
    /// Print a count sheet that says what is expected: who counts by it counts blind.
    PrintExpected,
    /// See dead jobs and queue them again.
    ManageJobs,
}

impl std::fmt::Display for Operation {
    /// As in: you may not *post a stock take*.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::EditCatalogue => "change the catalogue",
            Self::MoveStock => "move stock",
            Self::VerifyLedger => "verify the ledger",
            Self::RebuildStock => "rebuild stock from the ledger",
            Self::CreateStockTake => "create a stock take",
            Self::CopyStockTake => "copy a stock take",
            Self::UpdateStockTake => "change a stock take",
            Self::RemoveStockTake => "remove a stock take",
            Self::EditStockTakeItems => "add or remove lines of a stock take",
            Self::StartStockTake => "start a stock take",
            Self::CountItem => "count",
            Self::DeleteStockTakeItem => "delete a line of a stock take",
            Self::PostStockTake => "post a stock take",
            Self::ReopenStockTake => "reopen a stock take",
            Self::RunCount => "start, complete or cancel an inventory count",
            Self::ApplyCount => "complete an inventory count with its adjustments",
            Self::CountInventory => "count in an inventory count",
            Self::CreateAdjustment => "ask for an adjustment",
            Self::DecideAdjustment => "approve or reject an adjustment",
            Self::EditOrder => "change an order",
            Self::SubmitOrder => "submit an order",
            Self::ReceiveOrder => "receive an order",
            Self::ImportStock => "import stock",
            Self::Export => "export",
            Self::Print => "print",
            Self::PrintExpected => "print what is expected",
            Self::ManageJobs => "manage jobs",
        })
    }
}

/// The matrix: for each operation whether viewer, counter, manager and service may do it.
///
/// Whatever is outside of the actor's organisation and sites does not
/// exist for any role.
///
/// A service is a machine: it runs takes, counts and imports like a manager, and approves nothing, because nobody has
/// looked. Neither does it submit orders, nor look after jobs and the ledger.
pub const ACCESS: &[(Operation, [bool; 4])] = &[
    (Operation::Read, [true, true, true, true]),
    (Operation::EditCatalogue, [false, false, true, true]),
    (Operation::MoveStock, [false, false, true, true]),
    (Operation::VerifyLedger, [false, false, true, false]),
    (Operation::RebuildStock, [false, false, true, false]),
    (Operation::CreateStockTake, [false, false, true, true]),
    (Operation::CopyStockTake, [false, false, true, true]),
    (Operation::UpdateStockTake, [false, true, true, true]),
    (Operation::RemoveStockTake, [false, false, true, true]),
    (Operation::EditStockTakeItems, [false, true, true, true]),
    (Operation::StartStockTake, [false, false, true, true]),
    (Operation::CountItem, [false, true, true, true]),
    (Operation::DeleteStockTakeItem, [false, false, true, true]),
    (Operation::PostStockTake, [false, false, true, true]),
    (Operation::ReopenStockTake, [false, false, true, true]),
    (Operation::RunCount, [false, false, true, true]),
    (Operation::ApplyCount, [false, false, true, false]),
    (Operation::CountInventory, [false, true, true, true]),
    (Operation::CreateAdjustment, [false, true, true, true]),
    (Operation::DecideAdjustment, [false, false, true, false]),
    (Operation::EditOrder, [false, false, true, true]),
    (Operation::SubmitOrder, [false, false, true, false]),
    (Operation::ReceiveOrder, [false, true, true, true]),
    (Operation::ImportStock, [false, false, true, true]),
    (Operation::Export, [true, true, true, true]),
    (Operation::Print, [true, true, true, true]),
    (Operation::PrintExpected, [true, false, true, true]),
    (Operation::ManageJobs, [false, false, true, false]),
];

/// Whether a role may do an operation. What the table does not list, nobody may.
///
/// # Example
///
/// ```
/// use stocktake::domain::Role;
/// use stocktake::service::access::{Operation, allows};
///
/// assert!(allows(Role::Counter, Operation::CountItem));
/// assert!(!allows(Role::Counter, Operation::PostStockTake));
/// ```
pub fn allows(role: Role, operation: Operation) -> bool {
    ACCESS
        .iter()
        .any(|(listed, [viewer, counter, manager, service])| {
            *listed == operation
                && match role {
                    Role::Viewer => *viewer,
                    Role::Counter => *counter,
                    Role::Manager => *manager,
                    Role::Service => *service,
                }
        })
}

/// Whether a role is shown the e-mail addresses of a site's suppliers.
pub(super) fn sees_supplier_email(role: Role, policy: &SitePolicy) -> bool {
    role != Role::Viewer || !policy.mask_supplier_email
}
