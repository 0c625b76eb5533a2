//! A mailer that sends nothing and remembers everything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::jobs::{Mail, MailError, Mailer};

/// Remembers mails instead of sending them, and can be told to fail.
///
/// # Example
///
/// ```
/// use stocktake::testing::{MailFault, RecordingMailer};
/// use stocktake::jobs::{Mail, Mailer};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let mail = Mail { id: uuid::Uuid::from_u128(1), to: "ann@example.com".into(), subject: "Hello".into(), text: String::new(), attachments: Vec::new() };
/// let mailer = RecordingMailer::default();
/// mailer.fail_with(Some(MailFault::Away));
/// assert!(mailer.send(&mail).await.unwrap_err().is_retryable());
/// mailer.fail_with(None);
/// mailer.send(&mail).await?;
/// assert_eq!(mailer.sent(), [mail]);
/// # Ok::<(), stocktake::jobs::MailError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct RecordingMailer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Mail>,
    fault: Option<MailFault>,
}

/// How a [`RecordingMailer`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// Every address is refused: [`MailError::Refused`].
    Refuses,
    /// The server is away: [`MailError::Unavailable`].
    Away,
    /// The mail goes out, but the server is gone before it says so: [`MailError::Unavailable`].
    LosesAnswer,
}

impl RecordingMailer {
    /// Fails from now on, or not any more.
    pub fn fail_with(&self, fault: Option<MailFault>) {
        self.state().fault = fault;
    }

    /// What was sent, in its order.
    pub fn sent(&self) -> Vec<Mail> {
        self.state().sent.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for RecordingMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        mail.check()?;
        let mut state = self.state();
        match state.fault {
            Some(MailFault::Refuses) => Err(MailError::refused("no such mailbox")),
            Some(MailFault::Away) => Err(MailError::unavailable("nobody answers")),
            Some(MailFault::LosesAnswer) => {
                state.sent.push(mail.clone());
                Err(MailError::unavailable("the connection was cut"))
            }
            None => {
                state.sent.push(mail.clone());
                Ok(())
            }
        }
    }
}
