//! Whether an order went out to its supplier (S3.5).

use uuid::Uuid;

use crate::domain::{InventoryOrderId, JobId, Timestamp};

/// Why a letter can't be mailed.
pub(crate) const NO_ADDRESS: &str =
    "no_address: neither the order nor its supplier has an e-mail address";

/// Whether an order went out to its supplier as it was last submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSending {
    /// The job that sends it.
    pub job: JobId,
    /// When it went out.
    pub sent_at: Option<Timestamp>,
    /// Why it has not gone out yet: a code, and for who looks after jobs, what the mail server or whoever brings it said.
    /// Nothing as long as it merely waits. An order without any address has the code `no_address`; where orders are not
    /// mailed, it may go out all the same. Of one that went out it tells why the PDF did not go with it: `letters_missing` with
    /// the letters that no font has, say. Its words and lines are in the mail all the same; with a font that has them,
    /// [submit](super::InventoryOrders::submit) it again.
    pub problem: Option<String>,
}

/// The job that sends an order as it was submitted the first time, the second time and so on.
pub(super) fn letter_job(order: InventoryOrderId, submission: u32) -> JobId {
    let name = format!("send/{submission}");
    JobId::new(Uuid::new_v5(&order.as_uuid(), name.as_bytes()))
}
