//! An order as a mail.

use crate::domain::JobId;
use crate::service::{NO_ADDRESS, OrderLetter};

use super::Mail;

/// The order has no address that it could be mailed to.
pub(super) struct NoAddress(pub(super) &'static str);

/// The mail of a letter.
pub(super) fn order_mail(letter: &OrderLetter, job: JobId) -> Result<Mail, NoAddress> {
    let to = (letter.order.supplier().email.as_ref()).ok_or(NoAddress(NO_ADDRESS))?;
    Ok(Mail {
        id: job.as_uuid(),
        to: to.to_string(),
        subject: letter.subject(),
        text: letter.text(),
        attachments: Vec::new(),
    })
}
