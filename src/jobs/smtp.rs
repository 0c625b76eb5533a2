//! Mail over SMTP.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Attachment as Part, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::domain::is_email_address;

use super::{Mail, MailError, Mailer};

/// Answers of a server that won't let us in: what is wrong there is not the mail.
const NOT_LET_IN: [u16; 5] = [530, 534, 535, 538, 454];

/// How a connection to a mail server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte, usually on port 465.
    Implicit,
    /// TLS after a greeting in the clear (`STARTTLS`), usually on port 587. Where a server does not offer it, nothing is
    /// sent.
    StartTls,
    /// None: only to a server on this machine (`localhost`, 127.0.0.1, ::1).
    None,
}

/// A mail server, and who sends.
///
/// # Example
///
/// ```
/// use stocktake::jobs::{SmtpOptions, SmtpTls};
///
/// let options = SmtpOptions::from_url("smtps://shop:s3cret@mail.example.com", "stock@example.com")?;
/// assert_eq!((options.port, options.tls), (465, SmtpTls::Implicit));
/// assert!(!format!("{options:?}").contains("s3cret"));
///
/// let options = SmtpOptions::from_url("smtp://localhost:2525", "stock@example.com")?;
/// assert_eq!(options.tls, SmtpTls::None);
/// # Ok::<(), stocktake::jobs::InvalidSmtp>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SmtpOptions {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: SmtpTls,
    /// User and password, if the server wants them.
    pub login: Option<(String, String)>,
    /// The address that mails come from.
    pub from: String,
    /// How long sending one mail may take, connecting included: a minute, unless told.
    pub time_limit: Duration,
    /// A certificate authority to trust beside the public ones, as PEM: a company's own.
    pub authority: Option<Vec<u8>>,
}

impl SmtpOptions {
    /// A server, its usual port, and who sends.
    pub fn new(host: impl Into<String>, tls: SmtpTls, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: match tls {
                SmtpTls::Implicit => 465,
                SmtpTls::StartTls => 587,
                SmtpTls::None => 25,
            },
            tls,
            login: None,
            from: from.into(),
            time_limit: Duration::from_mins(1),
            authority: None,
        }
    }

    /// A server as an address: `smtps://user:password@host:port` for TLS from the first byte, `smtp://` for `STARTTLS`, or
    /// nothing to a server on this machine. User, password and port may be missing; what has no place in an
    /// address is written as `%` and two digits.
    ///
    /// # Errors
    ///
    /// [`InvalidSmtp`]: it says what is wrong, and repeats nothing of the address.
    pub fn from_url(url: &str, from: &str) -> Result<Self, InvalidSmtp> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or(InvalidSmtp("an address begins with smtp:// or smtps://"))?;
        let (login, server) = match rest.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, rest),
        };
        let server = server.strip_suffix('/').unwrap_or(server);
        let (host, port) = split_port(server)?;
        let tls = match scheme {
            "smtps" => SmtpTls::Implicit,
            "smtp" if is_loopback(host) => SmtpTls::None,
            "smtp" => SmtpTls::StartTls,
            _ => return Err(InvalidSmtp("an address begins with smtp:// or smtps://")),
        };
        let mut options = Self::new(host, tls, from);
        options.port = port.unwrap_or(options.port);
        options.login = match login {
            None => None,
            Some(login) => {
                let (user, password) = login
                    .split_once(':')
                    .ok_or(InvalidSmtp("a user is followed by : and a password"))?;
                Some((decoded(user)?, decoded(password)?))
            }
        };
        Ok(options)
    }
}

impl fmt::Debug for SmtpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("with_login", &self.login.is_some())
            .finish_non_exhaustive()
    }
}

/// What is wrong with the options of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSmtp(&'static str);

/// Sends mail over SMTP (feature `smtp`). It needs a runtime of tokio with its clock and its network, and opens a connection
/// for each mail.
#[derive(Clone, Debug)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    time_limit: Duration,
}

impl SmtpMailer {
    /// A mailer for a server. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`InvalidSmtp`]: an address that is none, a certificate that can't be read, or no TLS to another machine.
    pub fn new(options: SmtpOptions) -> Result<Self, InvalidSmtp> {
        if !is_email_address(&options.from) {
            return Err(InvalidSmtp("the sender is not an e-mail address"));
        }
        let from = options
            .from
            .parse()
            .map_err(|_| InvalidSmtp("the sender is not an e-mail address"))?;
        if options.tls == SmtpTls::None && !is_loopback(&options.host) {
            return Err(InvalidSmtp(
                "without TLS, mail goes to a server on this machine only",
            ));
        }
        let tls = match options.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::Implicit => Tls::Wrapper(tls_parameters(&options)?),
            SmtpTls::StartTls => Tls::Required(tls_parameters(&options)?),
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(options.host.as_str())
                .port(options.port)
                .tls(tls)
                .timeout(Some(options.time_limit));
        if let Some((user, password)) = options.login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: builder.build(),
            from,
            time_limit: options.time_limit,
        })
    }

    /// A mail in the form of the wire.
    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let to: Mailbox = mail.to.parse().map_err(MailError::refused)?;
        let id = format!("<{}@{}>", mail.id, self.from.email.domain());
        let mut parts = MultiPart::mixed().singlepart(SinglePart::plain(mail.text.clone()));
        for file in &mail.attachments {
            let kind = ContentType::parse(&file.content_type).map_err(MailError::refused)?;
            let part = Part::new(file.name.clone()).body(file.bytes.to_vec(), kind);
            parts = parts.singlepart(part);
        }
        Message::builder()
            .message_id(Some(id))
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .multipart(parts)
            .map_err(MailError::refused)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        mail.check()?;
        let message = self.message(mail)?;
        let sending = self.transport.send(message);
        match tokio::time::timeout(self.time_limit, sending).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(told(error)),
            Err(_) => Err(MailError::unavailable("the server took too long")),
        }
    }
}

/// Whether a failure is of the mail, for good, or of the server.
fn told(error: SmtpError) -> MailError {
    let code = error.status().map(u16::from);
    let is_let_in = code.is_none_or(|code| !NOT_LET_IN.contains(&code));
    if error.is_permanent() && is_let_in {
        MailError::refused(error)
    } else {
        MailError::unavailable(error)
    }
}

fn tls_parameters(options: &SmtpOptions) -> Result<TlsParameters, InvalidSmtp> {
    let wrong = |_| InvalidSmtp("the certificate of the authority can't be read");
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(authority) = &options.authority {
        builder = builder.add_root_certificate(Certificate::from_pem(authority).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}

/// Whether a name means this machine, whatever a server of names says.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// A host and its port, if one is named; an IPv6 address stands in brackets.
fn split_port(server: &str) -> Result<(&str, Option<u16>), InvalidSmtp> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or(InvalidSmtp("a bracket of the host is not closed"))?;
            (host, after.strip_prefix(':'))
        }
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    if host.is_empty() {
        return Err(InvalidSmtp("the host is missing"));
    }
    let port = port
        .map(str::parse)
        .transpose()
        .map_err(|_| InvalidSmtp("the port is not a number up to 65535"))?;
    Ok((host, port))
}

/// A part of an address, with what is written as `%` and two digits in place.
fn decoded(text: &str) -> Result<String, InvalidSmtp> {
    let wrong = InvalidSmtp("a % is followed by two digits from 0 to f, of UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or(wrong)?, rest.next().ok_or(wrong)?];
        let digits = std::str::from_utf8(&digits).map_err(|_| wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong)?);
    }
    String::from_utf8(bytes).map_err(|_| wrong)
}
