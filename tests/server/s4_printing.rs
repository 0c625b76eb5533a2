//! S4.12: printing, at once or by mail.

use std::path::Path;

use serde_json::json;

use crate::app::{MailChoice, Options, StoreChoice};
use crate::client::Answer;
use crate::s4_lists::{counted, started};
use crate::shop::{ANN, COUNTER, MANAGER, NOTHING, Shop, VIEWER, each_store, stores};

fn text(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "application/pdf");
    pdf_extract::extract_text_from_mem(&answer.bytes).unwrap()
}

#[test]
fn s4_12_a_sheet_and_a_receipt_are_pdf() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1"]);
        let path = format!("/v1/stocktake/{list}/print");
        let sheet = text(&shop.list("GET", &format!("/{list}/print")).expect(200));
        assert!(sheet.contains("Cleansing balm"), "{sheet}");
        assert!(!sheet.contains("Expected"), "{sheet}");
        let expected = format!("{path}?expected=true&sort_column=stock_place");
        assert!(text(&shop.get_by(VIEWER, &expected).expect(200)).contains("Expected"));
        assert!(text(&shop.get_by(COUNTER, &path).expect(200)).contains("Cleansing balm"));
        shop.get_by(COUNTER, &expected).expect(403);
        for wrong in ["sort_column=colour", "email=nobody", "expected=maybe"] {
            shop.get_by(MANAGER, &format!("{path}?{wrong}")).expect(422);
        }
        shop.list("GET", &format!("/{NOTHING}/print")).expect(404);

        let receipt = format!("/finished/{list}/receipt/print");
        shop.list("GET", &receipt).expect(404);
        counted(shop, &list, "SKU-1", &json!(38));
        shop.list("PUT", &format!("/{list}/finish"))
            .by(ANN)
            .expect(200);
        let receipt = text(&shop.list("GET", &receipt).expect(200));
        assert!(receipt.contains("38"), "{receipt}");
    });
}

/// A shop counts also when one article's name is in a script that the font lacks.
#[test]
fn s4_12_letters_that_no_font_has_do_not_stop_a_print() {
    each_store(|shop| {
        let body = json!({"store-1": {"\u{62b9}\u{8336}-7": 3}});
        let started_job = shop.post("/imports/stock", &body).gives(200);
        shop.job(&started_job["job_id"]);
        let list = started(shop, &["SKU-1", "\u{62b9}\u{8336}-7"]);
        let sheet = text(&shop.list("GET", &format!("/{list}/print")).expect(200));
        for told in ["Cleansing balm", "??-7", "U+62B9", "U+8336"] {
            assert!(sheet.contains(told), "{told} in {sheet}");
        }
        // Nor does a blind sheet say what somebody has counted.
        counted(shop, &list, "SKU-1", &json!(31));
        let sheet = text(&shop.list("GET", &format!("/{list}/print")).expect(200));
        assert!(!sheet.contains("so far"), "{sheet}");
        let open = shop.list("GET", &format!("/{list}/print?expected=true"));
        let open = text(&open.expect(200));
        assert!(open.contains("Counted so far: 31"), "{open}");
    });
}

/// The words and the files of the mails in a folder.
fn mails(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut mails = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(id) = path
            .to_str()
            .unwrap()
            .strip_suffix(".txt")
            .map(str::to_owned)
        else {
            continue;
        };
        let files = std::fs::read_dir(folder).unwrap();
        let file = files
            .map(|entry| entry.unwrap().path())
            .find(|file| file.to_str().unwrap().starts_with(&format!("{id}-")));
        let words = std::fs::read_to_string(path).unwrap();
        mails.push((words, std::fs::read(file.unwrap()).unwrap()));
    }
    mails.sort();
    mails
}

#[test]
fn s4_12_what_has_many_articles_is_mailed() {
    for store in stores() {
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::of(Options {
            store,
            mail: MailChoice::Folder(folder.path().to_owned()),
            printed_at_once: 1,
            ..Options::default()
        });
        let list = started(&shop, &["SKU-1", "SKU-2"]);
        let path = format!("/v1/stocktake/{list}/print");
        let own = shop.get_by(MANAGER, &path).gives(202);
        let asked = shop
            .get_by(MANAGER, &format!("{path}?email=ann@example.com"))
            .gives(202);
        for queued in [own, asked] {
            let job = shop.job(&queued["job"]["id"]);
            assert_eq!(job["status"], "succeeded", "{job}");
            assert_eq!(job["kind"], "print");
            let file = job["result"]["url"].as_str().unwrap();
            assert!(text(&shop.get_by(VIEWER, file).expect(200)).contains("Cleansing balm"));
        }
        // A machine has no address of its own.
        shop.nobody("GET", &path)
            .header("store", "store-1")
            .header("api_key", "machine-key")
            .expect(422);
        let mails = mails(folder.path());
        let to: Vec<&str> = mails
            .iter()
            .filter_map(|(words, _)| words.lines().next())
            .collect();
        assert_eq!(to, ["To: ann@example.com", "To: manager-token@example.com"]);
        for (words, file) in mails {
            assert!(words.contains("Subject: Count sheet: "), "{words}");
            let told = pdf_extract::extract_text_from_mem(&file).unwrap();
            assert!(told.contains("Cleansing balm"), "{told}");
        }
    }
}

#[test]
fn s4_12_nobody_starts_with_mail_that_can_t_be() {
    for wrong in [
        MailChoice::Smtp("http://localhost".to_owned(), "a@example.com".to_owned()),
        MailChoice::Smtp("smtp://localhost".to_owned(), "nobody".to_owned()),
    ] {
        let options = Options {
            store: StoreChoice::Memory,
            mail: wrong,
            ..Options::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let refused = runtime.block_on(crate::app::Server::open(&options));
        assert!(refused.unwrap_err().starts_with("--smtp: "));
    }
}
