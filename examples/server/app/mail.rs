//! Where mail goes: to a server of mail, into a folder, or as a line on the terminal.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use stocktake::jobs::{Mail, MailError, Mailer, SmtpMailer, SmtpOptions};

/// Who sends mail, as the program is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum MailChoice {
    /// Nobody: what would be sent is said on the terminal.
    #[default]
    Said,
    /// Each mail is a few files in this folder.
    Folder(PathBuf),
    /// A mail server: its address, and who sends.
    Smtp(String, String),
}

impl MailChoice {
    /// The mailer that was chosen.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn mailer(&self) -> Result<Arc<dyn Mailer>, String> {
        match self {
            Self::Said => Ok(Arc::new(SaidMail)),
            Self::Folder(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
                Ok(Arc::new(FolderMail(folder.clone())))
            }
            Self::Smtp(url, from) => {
                let mailer = SmtpOptions::from_url(url, from).and_then(SmtpMailer::new);
                let mailer = mailer.map_err(|error| format!("--smtp: {error}"))?;
                Ok(Arc::new(mailer))
            }
        }
    }
}

/// Stands where an application's mail is: it says what it would send.
#[derive(Debug)]
struct SaidMail;

#[async_trait]
impl Mailer for SaidMail {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        mail.check()?;
        eprintln!("to {} would be sent: {}", mail.to, mail.subject);
        Ok(())
    }
}

/// Puts mail into a folder: the words as `ID.txt`, each file as `ID-NAME`.
#[derive(Debug)]
struct FolderMail(PathBuf);

#[async_trait]
impl Mailer for FolderMail {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        mail.check()?;
        let put = |name: String, bytes: &[u8]| {
            std::fs::write(self.0.join(name), bytes).map_err(MailError::unavailable)
        };
        for file in &mail.attachments {
            put(format!("{}-{}", mail.id, file.name), &file.bytes)?;
        }
        // The words last: whoever sees them finds the files.
        let words = format!(
            "To: {}\nSubject: {}\n\n{}",
            mail.to, mail.subject, mail.text
        );
        put(format!("{}.txt", mail.id), words.as_bytes())
    }
}
