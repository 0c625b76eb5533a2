//! Mail over SMTP (`--smtp`): what the example sends arrives at a mail server.

use std::collections::BTreeMap;

use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::app::{MailChoice, Options};
use crate::s3_orders::ordered;
use crate::s4_lists::listed;
use crate::shop::{Shop, stores};
use crate::smtp_server::{MailServer, Manner, Offers, Received};

/// A mail server that takes whatever comes, on a thread of its own.
fn mail_server() -> (Runtime, MailServer) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(MailServer::start(Offers::Nothing, Manner::Takes));
    (runtime, server)
}

fn over(server: &MailServer) -> Options {
    let url = format!("smtp://{}", server.address);
    Options {
        mail: MailChoice::Smtp(url, "stock@example.com".to_owned()),
        ..Options::default()
    }
}

/// Whom a mail went to, and the text of its only file, a PDF.
fn read(received: &Received) -> (String, String) {
    assert_eq!(received.from, "stock@example.com");
    let mail = MessageParser::default().parse(&received.data).unwrap();
    assert_eq!(mail.attachment_count(), 1);
    let file = mail.attachments().next().unwrap();
    let kind = file.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("application", Some("pdf")));
    let text = pdf_extract::extract_text_from_mem(file.contents()).unwrap();
    (received.to.join(","), text)
}

#[test]
fn s3_05_a_submitted_order_arrives_with_its_pdf() {
    let (_runtime, mail) = mail_server();
    for store in stores() {
        let before = mail.received().len();
        let shop = Shop::of(Options {
            store,
            ..over(&mail)
        });
        let (order, _) = ordered(&shop, &[(1, 10, 200)]);
        let path = format!("/inventory/orders/{order}");
        let submitted = shop.post(&format!("{path}/submit"), &json!({})).gives(200);
        let job = shop.job(&submitted["sending_job_id"]);
        assert_eq!(job["status"], "succeeded", "{job}");
        let order = shop.get(&path).gives(200);
        assert!(order["sent_at"].is_string(), "{order}");
        assert!(order["sent_without"].is_null(), "{order}");
        let received = mail.received();
        assert_eq!(received.len(), before + 1);
        let (to, text) = read(received.last().unwrap());
        assert_eq!(to, "orders@example.com");
        for told in ["PO123", "Cleansing balm", "20.00"] {
            assert!(text.contains(told), "{told} in {text}");
        }
    }
}

#[test]
fn s4_12_a_sheet_of_over_1_000_articles_arrives_as_pdf() {
    let (_runtime, mail) = mail_server();
    let shop = Shop::of(over(&mail));
    let articles: BTreeMap<String, u32> = (0..1_001).map(|it| (format!("A-{it:04}"), 1)).collect();
    let body = json!({ "store-1": articles });
    let imported = shop.post("/imports/stock", &body).gives(200);
    assert_eq!(shop.job(&imported["job_id"])["status"], "succeeded");
    let list = listed(&shop, &[]);
    shop.list("POST", &format!("/{list}/articles/all"))
        .expect(200);
    let path = format!("/{list}/print?email=ann@example.com");
    let queued = shop.list("GET", &path).gives(202);
    let job = shop.job(&queued["job"]["id"]);
    assert_eq!(job["status"], "succeeded", "{job}");
    let received = mail.received();
    assert_eq!(received.len(), 1);
    let (to, text) = read(&received[0]);
    assert_eq!(to, "ann@example.com");
    for told in ["A-0000", "A-1000", "Cleansing balm"] {
        assert!(text.contains(told), "{told}");
    }
}
