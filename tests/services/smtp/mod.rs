//! Mail over SMTP, against a server on the loopback, read back by a parser that is not the writer's.

mod server;

use std::time::Duration;

use mail_parser::{MessageParser, MimeHeaders};
use stocktake::jobs::{Attachment, Mail, MailError, Mailer, SmtpMailer, SmtpOptions, SmtpTls};
use uuid::Uuid;

use server::{AUTHORITY, MailServer, Manner, Offers};

fn mail() -> Mail {
    Mail {
        id: Uuid::from_u128(7),
        to: "orders@example.com".to_owned(),
        subject: "Order PO123".to_owned(),
        text: "Ten of them.\n".to_owned(),
        attachments: Vec::new(),
    }
}

fn options(server: &MailServer, tls: SmtpTls) -> SmtpOptions {
    let mut options = SmtpOptions::new("localhost", tls, "stock@example.com");
    options.port = server.address.port();
    options.authority = Some(AUTHORITY.to_vec());
    options
}

fn mailer(options: SmtpOptions) -> SmtpMailer {
    SmtpMailer::new(options).unwrap()
}

/// Every kind of text and of bytes comes out as it went in.
#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let texts = [
        "Ten of them.\n".to_owned(),
        "Zehn Stück für 12,50 €: Crème brûlée, 抹茶, 🍵\n\n.\n..\n.dots\nFrom here\n".to_owned(),
        format!("{}\n", "x".repeat(998)),
        format!("{}\n", "long ".repeat(5_000)),
        "no end of line".to_owned(),
        String::new(),
    ];
    let subjects = [
        "Order PO123",
        "Bestellung für Bücher: Ærø, Łódź, 抹茶 🍵",
        "Order: \"quoted\", with (comment) <angle> and a very long line that goes on and on, over what a line of a header may have",
    ];
    let names = [
        "order.pdf",
        "Bestellung für Łódź 抹茶.pdf",
        "it's 100% (new), really; yes=no.pdf",
    ];
    let server = MailServer::start(Offers::Nothing, Manner::Takes).await;
    let mailer = mailer(options(&server, SmtpTls::None));
    let mut sent = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        sent.push(Mail {
            subject: subjects[at % subjects.len()].to_owned(),
            text: text.clone(),
            attachments: names[..at % 4]
                .iter()
                .map(|name| Attachment {
                    name: (*name).to_owned(),
                    content_type: "application/pdf".to_owned(),
                    bytes: every_byte.as_slice().into(),
                })
                .collect(),
            ..mail()
        });
    }
    for mail in &sent {
        mailer.send(mail).await.unwrap();
    }
    let received = server.received();
    assert_eq!(received.len(), sent.len());
    for (received, sent) in received.iter().zip(&sent) {
        assert_eq!(received.from, "stock@example.com");
        assert_eq!(received.to, [sent.to.as_str()]);
        let read = MessageParser::default().parse(&received.data).unwrap();
        let address = |who: Option<&mail_parser::Address<'_>>| {
            who.and_then(|who| who.first())
                .and_then(|who| who.address())
                .map(str::to_owned)
        };
        assert_eq!(address(read.to()).as_deref(), Some(sent.to.as_str()));
        assert_eq!(address(read.from()).as_deref(), Some("stock@example.com"));
        assert_eq!(read.subject(), Some(sent.subject.as_str()));
        let id = format!("{}@example.com", sent.id);
        assert_eq!(read.message_id(), Some(id.as_str()));
        assert!(read.date().is_some());
        let text = read.body_text(0).unwrap().replace("\r\n", "\n");
        assert_eq!(text.trim_end(), sent.text.trim_end());
        assert_eq!(read.attachment_count(), sent.attachments.len());
        for (read, sent) in read.attachments().zip(&sent.attachments) {
            assert_eq!(read.attachment_name(), Some(sent.name.as_str()));
            assert_eq!(read.contents(), &*sent.bytes);
            let kind = read.content_type().unwrap();
            assert_eq!((kind.ctype(), kind.subtype()), ("application", Some("pdf")));
        }
    }
}

/// What would end a header and begin another one does not get as far as the server.
#[tokio::test]
async fn nothing_gets_into_the_headers() {
    let server = MailServer::start(Offers::Nothing, Manner::Takes).await;
    let mailer = mailer(options(&server, SmtpTls::None));
    let file = |name: &str, kind: &str| {
        vec![Attachment {
            name: name.to_owned(),
            content_type: kind.to_owned(),
            bytes: Vec::new().into(),
        }]
    };
    let bad = "a\r\nBcc: all@example.com";
    let mails = [
        Mail {
            to: format!("orders@example.com\r\n{bad}"),
            ..mail()
        },
        Mail {
            to: "orders@example.com, all@example.com".to_owned(),
            ..mail()
        },
        Mail {
            to: "Ann <ann@example.com>".to_owned(),
            ..mail()
        },
        Mail {
            to: "nobody".to_owned(),
            ..mail()
        },
        Mail {
            subject: bad.to_owned(),
            ..mail()
        },
        Mail {
            subject: "a\nb".to_owned(),
            ..mail()
        },
        Mail {
            subject: "a\0b".to_owned(),
            ..mail()
        },
        Mail {
            subject: "x".repeat(501),
            ..mail()
        },
        Mail {
            attachments: file(bad, "application/pdf"),
            ..mail()
        },
        Mail {
            attachments: file("../a.pdf", "application/pdf"),
            ..mail()
        },
        Mail {
            attachments: file("a\".pdf", "application/pdf"),
            ..mail()
        },
        Mail {
            attachments: file("a.pdf", bad),
            ..mail()
        },
        Mail {
            attachments: file("a.pdf", "no type"),
            ..mail()
        },
    ];
    for mail in mails {
        let refused = mailer.send(&mail).await.unwrap_err();
        assert!(
            matches!(refused, MailError::Refused(_)),
            "{mail:?}: {refused:?}"
        );
    }
    assert!(server.received().is_empty());
}

/// Whether it helps to try again follows from what the server did.
#[tokio::test]
async fn a_failure_says_whether_trying_again_helps() {
    let cases = [
        (Manner::Answers("RCPT", 550), false),
        (Manner::Answers("RCPT", 553), false),
        (Manner::Answers("RCPT", 450), true),
        (Manner::Answers("RCPT", 452), true),
        (Manner::Answers("MAIL", 552), false),
        (Manner::Answers("MAIL", 451), true),
        (Manner::Answers("DATA", 554), false),
        (Manner::Answers("DATA", 421), true),
        (Manner::Answers("EHLO", 421), true),
        (Manner::Asks, true),
        (Manner::HangsUpAt("EHLO"), true),
        (Manner::HangsUpAt("RCPT"), true),
        (Manner::HangsUpAt("DATA"), true),
        (Manner::HangsUpAfterMail, true),
        (Manner::IsSilent, true),
    ];
    for (manner, is_retryable) in cases {
        let server = MailServer::start(Offers::Nothing, manner).await;
        let mut options = options(&server, SmtpTls::None);
        if manner == Manner::IsSilent {
            options.time_limit = Duration::from_millis(50);
        }
        let error = mailer(options).send(&mail()).await.unwrap_err();
        assert_eq!(error.is_retryable(), is_retryable, "{manner:?}: {error:?}");
        let may_have_arrived = usize::from(manner == Manner::HangsUpAfterMail);
        assert_eq!(server.received().len(), may_have_arrived, "{manner:?}");
    }
    let server = MailServer::start(Offers::Nothing, Manner::Takes).await;
    let nobody = options(&server, SmtpTls::None);
    drop(server);
    tokio::task::yield_now().await;
    let error = mailer(nobody).send(&mail()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

/// With TLS nothing is said in the clear, and a server that is not the one it should be gets nothing.
#[tokio::test]
async fn tls_is_what_was_asked_for_or_nothing_is_sent() {
    for (offers, asked, arrives) in [
        (Offers::StartTls, SmtpTls::StartTls, true),
        (Offers::Implicit, SmtpTls::Implicit, true),
        (Offers::Nothing, SmtpTls::StartTls, false),
        (Offers::Nothing, SmtpTls::None, true),
    ] {
        let server = MailServer::start(offers, Manner::Takes).await;
        let sent = mailer(options(&server, asked)).send(&mail()).await;
        assert_eq!(sent.is_ok(), arrives, "{offers:?}, {asked:?}: {sent:?}");
        assert_eq!(server.received().len(), usize::from(arrives));
        let is_private = server.received().iter().all(|it| it.is_private);
        assert_eq!(is_private, asked != SmtpTls::None, "{offers:?}");
    }
    for tls in [SmtpTls::StartTls, SmtpTls::Implicit] {
        let offers = if tls == SmtpTls::StartTls {
            Offers::StartTls
        } else {
            Offers::Implicit
        };
        let server = MailServer::start(offers, Manner::Takes).await;
        let mut unknown = options(&server, tls);
        unknown.authority = None;
        let error = mailer(unknown).send(&mail()).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn who_has_to_log_in_does() {
    let server = MailServer::start(Offers::StartTls, Manner::Asks).await;
    let mut known = options(&server, SmtpTls::StartTls);
    known.login = Some(("shop".to_owned(), "s3cret".to_owned()));
    mailer(known.clone()).send(&mail()).await.unwrap();
    known.login = Some(("shop".to_owned(), "wrong".to_owned()));
    let error = mailer(known).send(&mail()).await.unwrap_err();
    assert!(
        error.is_retryable(),
        "the mail is not what is wrong: {error:?}"
    );
    assert_eq!(server.received().len(), 1);
}

#[test]
fn what_a_server_is_addressed_by() {
    let read = |url: &str| {
        SmtpOptions::from_url(url, "stock@example.com")
            .map(|it| (it.host.clone(), it.port, it.tls, it.login))
            .map_err(|error| error.to_string())
    };
    let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    let cases = [
        (
            "smtps://mail.example.com",
            "mail.example.com",
            465,
            SmtpTls::Implicit,
            None,
        ),
        (
            "smtp://mail.example.com",
            "mail.example.com",
            587,
            SmtpTls::StartTls,
            None,
        ),
        (
            "smtp://mail.example.com:25/",
            "mail.example.com",
            25,
            SmtpTls::StartTls,
            None,
        ),
        (
            "smtp://localhost:2525",
            "localhost",
            2_525,
            SmtpTls::None,
            None,
        ),
        ("smtp://[::1]:2525", "::1", 2_525, SmtpTls::None, None),
        ("smtp://127.0.0.1", "127.0.0.1", 25, SmtpTls::None, None),
        (
            "smtp://localhost.example.com",
            "localhost.example.com",
            587,
            SmtpTls::StartTls,
            None,
        ),
        (
            "smtps://shop%40example.com:p%3Aa%2fss@word@mail.example.com",
            "mail.example.com",
            465,
            SmtpTls::Implicit,
            login("shop@example.com", "p:a/ss@word"),
        ),
    ];
    for (url, host, port, tls, login) in cases {
        assert_eq!(read(url), Ok((host.to_owned(), port, tls, login)), "{url}");
    }
    for wrong in [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://:25",
        "smtp://host:port",
        "smtp://host:65536",
        "smtp://[::1",
        "smtps://user@host",
        "smtps://user:%f@host",
        "smtps://user:%ff@host",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for from in ["nobody", "Ann <ann@example.com>", "a@b\r\nBcc: c@d"] {
        let options = SmtpOptions::new("localhost", SmtpTls::None, from);
        assert!(SmtpMailer::new(options).is_err(), "{from}");
    }
    let elsewhere = SmtpOptions::new("mail.example.com", SmtpTls::None, "stock@example.com");
    assert!(
        SmtpMailer::new(elsewhere).is_err(),
        "in the clear to another machine"
    );
}
