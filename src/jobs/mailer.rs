//! Mail: what is sent, and who sends it.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::is_email_address;

/// The longest subject, in bytes: with it a header stays one that every server takes.
const MOST_SUBJECT: usize = 500;
/// The longest name of an attached file, in bytes, as file systems have it.
const MOST_NAME: usize = 255;

/// A mail to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The same for the same mail sent again, so that who gets it twice can be shown it once.
    pub id: Uuid,
    /// The address that it goes to.
    pub to: String,
    /// One line that says what it is.
    pub subject: String,
    /// What it says, in lines that end with `\n`.
    pub text: String,
    /// The files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, without a folder.
    pub name: String,
    /// What kind of file it is, as in `application/pdf`.
    pub content_type: String,
    /// What is in it.
    pub bytes: Arc<[u8]>,
}

impl Mail {
    /// Whether it can be sent at all: one address, a subject and names of files of one line each and not too long. Nothing
    /// that passes can end a header of a mail and begin another one.
    ///
    /// # Errors
    ///
    /// [`MailError::Refused`], which says what is wrong.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::jobs::Mail;
    ///
    /// let mail = Mail {
    ///     id: uuid::Uuid::from_u128(1),
    ///     to: "orders@example.com".to_owned(),
    ///     subject: "Purchase order PO123".to_owned(),
    ///     text: "Ten of them, please.\n".to_owned(),
    ///     attachments: Vec::new(),
    /// };
    /// assert!(mail.check().is_ok());
    /// let two = Mail { subject: "Hello\r\nBcc: all@example.com".to_owned(), ..mail };
    /// assert!(!two.check().unwrap_err().is_retryable());
    /// ```
    pub fn check(&self) -> Result<(), MailError> {
        let is_line =
            |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
        if !is_email_address(&self.to) {
            return Err(MailError::refused("not an e-mail address"));
        }
        if !is_line(&self.subject, MOST_SUBJECT) {
            return Err(MailError::refused("the subject is not one line"));
        }
        for file in &self.attachments {
            if !is_line(&file.name, MOST_NAME) || file.name.contains(['/', '\\', '"']) {
                return Err(MailError::refused("the name of a file is not one"));
            }
            if !is_line(&file.content_type, MOST_NAME) {
                return Err(MailError::refused("the type of a file is not one"));
            }
        }
        Ok(())
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It is not taken, now or later: the address does not exist, say. Trying again does not help.
    #[error("the mail was refused")]
    Refused(#[source] Box<dyn StdError + Send + Sync>),
    /// It can't be sent now, or nobody knows whether it was: the server is away, busy, or does not let us in. Try again
    /// later.
    #[error("the mail can't be sent now")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl MailError {
    /// Refused, and why.
    pub fn refused(why: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Refused(why.into())
    }

    /// Not sent now, and why.
    pub fn unavailable(why: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(why.into())
    }

    /// Whether trying again may help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A stable code for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "mail_refused",
            Self::Unavailable(_) => "mail_unavailable",
        }
    }
}

/// Sends mail: over SMTP (feature `smtp`), or by whatever the host uses.
///
/// # Example
///
/// ```
/// use stocktake::jobs::{Mail, MailError, Mailer};
///
/// /// Mail on a terminal.
/// #[derive(Debug)]
/// struct Printed;
///
/// #[async_trait::async_trait]
/// impl Mailer for Printed {
///     async fn send(&self, mail: &Mail) -> Result<(), MailError> {
///         println!("to {}: {}", mail.to, mail.subject);
///         Ok(())
///     }
/// }
/// # let _ = Printed;
/// ```
#[async_trait]
pub trait Mailer: Debug + Send + Sync + 'static {
    /// Sends a mail. It may be asked to send the same one again, with the same id: when a process died after sending.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped may have sent it or not.
    ///
    /// # Errors
    ///
    /// [`MailError`]: it was not sent, or nobody knows whether it was.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}
