//! A mail server on the loopback, of its own words: it takes mail and keeps it, refuses, is busy, or hangs up.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Who a client may trust to know this server.
pub(super) const AUTHORITY: &[u8] = include_bytes!("authority.pem");

/// How the server keeps a connection private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offers {
    Nothing,
    StartTls,
    Implicit,
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Takes,
    /// Takes mail of who says the password.
    Asks,
    /// Answers a command (its first word) with a code.
    Answers(&'static str, u16),
    /// Hangs up when it hears a command.
    HangsUpAt(&'static str),
    /// Takes a whole mail and hangs up instead of saying so.
    HangsUpAfterMail,
    /// Never says a word.
    IsSilent,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) data: Vec<u8>,
    pub(super) is_private: bool,
}

pub(super) struct MailServer {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    listening: JoinHandle<()>,
}

impl MailServer {
    pub(super) async fn start(offers: Offers, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                // What a client does wrong, or hangs up on, is for its test to see.
                tokio::spawn(async move { drop(Session::run(stream, offers, manner, kept).await) });
            }
        });
        Self {
            address,
            received,
            listening,
        }
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Session {
    stream: BufReader<Box<dyn Stream>>,
    offers: Offers,
    manner: Manner,
    is_private: bool,
    kept: Arc<Mutex<Vec<Received>>>,
}

impl Session {
    async fn run(
        stream: TcpStream,
        offers: Offers,
        manner: Manner,
        kept: Arc<Mutex<Vec<Received>>>,
    ) -> io::Result<()> {
        let is_private = offers == Offers::Implicit;
        let stream: Box<dyn Stream> = if is_private {
            Box::new(acceptor().accept(stream).await?)
        } else {
            Box::new(stream)
        };
        let mut session = Self {
            stream: BufReader::new(stream),
            offers,
            manner,
            is_private,
            kept,
        };
        if manner == Manner::IsSilent {
            // Until the client hangs up.
            return session.line().await.map(drop);
        }
        session.say("220 test").await?;
        session.talk().await
    }

    async fn talk(mut self) -> io::Result<()> {
        let (mut from, mut to, mut is_known) = (String::new(), Vec::new(), false);
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let word = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            match self.manner {
                Manner::HangsUpAt(at) if at == word => return Ok(()),
                Manner::Answers(to, code) if to == word => {
                    self.say(&format!("{code} no")).await?;
                    continue;
                }
                _ => {}
            }
            match word.as_str() {
                "EHLO" => {
                    let more = if self.offers == Offers::StartTls && !self.is_private {
                        "250-STARTTLS\r\n"
                    } else {
                        ""
                    };
                    self.say(&format!("250-test\r\n{more}250-8BITMIME\r\n250 AUTH PLAIN"))
                        .await?;
                }
                "STARTTLS" => {
                    self.say("220 go on").await?;
                    let stream = acceptor().accept(self.stream.into_inner()).await?;
                    self.stream = BufReader::new(Box::new(stream));
                    self.is_private = true;
                }
                "AUTH" => {
                    // "\0shop\0s3cret" in base 64.
                    is_known = line.ends_with("AHNob3AAczNjcmV0");
                    let answer = if is_known { "235 welcome" } else { "535 who?" };
                    self.say(answer).await?;
                }
                "MAIL" if self.manner == Manner::Asks && !is_known => {
                    self.say("530 who are you?").await?;
                }
                "MAIL" => {
                    from = address(&line);
                    self.say("250 ok").await?;
                }
                "RCPT" => {
                    to.push(address(&line));
                    self.say("250 ok").await?;
                }
                "DATA" => {
                    self.say("354 go on").await?;
                    let data = self.data().await?;
                    self.kept.lock().unwrap().push(Received {
                        from: from.clone(),
                        to: std::mem::take(&mut to),
                        data,
                        is_private: self.is_private,
                    });
                    if self.manner == Manner::HangsUpAfterMail {
                        return Ok(());
                    }
                    self.say("250 kept").await?;
                }
                "QUIT" => return self.say("221 bye").await,
                _ => self.say("500 what?").await?,
            }
        }
        Ok(())
    }

    /// A mail up to the dot, with the doubled dots as they were. A line that is longer than the standard permits is no mail.
    async fn data(&mut self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        while let Some(line) = self.line().await? {
            if line == b".\r\n" {
                return Ok(data);
            }
            if line.len() > 1_000 || !line.ends_with(b"\r\n") {
                break;
            }
            data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        Ok((!line.is_empty()).then_some(line))
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }
}

/// The address between the angles.
fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap_or_default();
    rest.split('>').next().unwrap_or_default().to_owned()
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
