//! Printing through the service (S4.12): at once, or by a job that mails it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use stocktake::documents::ReportOptions;
use stocktake::domain::{
    JobId, MovementPolicy, PostingOptions, Role, StockTakeId, StockTakeItemId,
};
use stocktake::files::FolderFiles;
use stocktake::jobs::{Ran, Worker};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, CountRequest, ErrorKind, NewStockTake, PrintPolicy, Printed, Stocktake,
};
use stocktake::store::{
    ArticleColumn, ArticleSort, CountSheetForm, ExportForm, ExportFormat, ExportStyle,
    IdempotencyKey, JobQueue, JobState, JobTask, Repository, StockEventFilter, StockTakeItemFilter,
};
use stocktake::testing::{
    Fault, FaultStore, MailFault, ManualClock, RecordingMailer, SequentialIds, Shop,
};

use crate::stores::{Kind, Stores};

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn take(shop: &Shop) -> StockTakeId {
    shop.open().await.unwrap();
    let new = NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    let take = takes.create(&manager(shop), new).await.unwrap();
    shop.run_jobs().await.unwrap();
    take.id()
}

/// The same library, for which ten lines are too many to be printed at once.
fn small(library: &Stocktake) -> Stocktake {
    let mut policy = PrintPolicy::default();
    policy.at_once = 9;
    library.clone().with_print_policy(policy)
}

fn text(bytes: &[u8]) -> String {
    pdf_extract::extract_text_from_mem(bytes).unwrap()
}

fn blind() -> CountSheetForm {
    CountSheetForm::default()
}

fn job(printed: Printed) -> JobId {
    match printed {
        Printed::Job(job) => job,
        Printed::File(file) => panic!("{} was printed at once", file.name),
    }
}

fn file(printed: Printed) -> Vec<u8> {
    match printed {
        Printed::File(file) => file.bytes,
        Printed::Job(job) => panic!("job {job} was queued"),
    }
}

#[tokio::test]
async fn s4_12_a_sheet_is_printed_at_once_up_to_the_limit() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SequentialIds::default());
        let library = Stocktake::with(
            store.repository.clone(),
            store.queue.clone(),
            clock.clone(),
            ids,
        );
        let shop = Shop::with(library, clock);
        let take = take(&shop).await;
        let printing = shop.stocktake.printing();
        let sheet = CountSheetForm {
            expected: false,
            sort: ArticleSort {
                column: ArticleColumn::Name,
                descending: true,
            },
        };
        let printed = printing
            .count_sheet(&Caller::of(&shop.counter), take, sheet, None)
            .await;
        let told = text(&file(printed.unwrap()));
        let places: Vec<_> = (0..10)
            .map(|number| told.find(&format!("Product {number}")).unwrap())
            .collect();
        assert!(places.is_sorted_by(|a, b| a > b), "{}: {told}", kind.name());
        assert!(!told.contains("Expected"), "{told}");

        let refused = printing
            .receipt(&manager(&shop), take, None)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::Conflict, "not_finished")
        );
        let takes = shop.stocktake.stock_takes();
        let line = StockTakeItemId::for_key(take, &shop.key(0));
        let three = CountRequest::set(3.into());
        takes
            .count(&manager(&shop), take, line, three)
            .await
            .unwrap();
        takes
            .submit(&manager(&shop), take, PostingOptions::default())
            .await
            .unwrap();
        let printed = printing
            .receipt(&Caller::of(&shop.viewer), take, None)
            .await;
        let told = text(&file(printed.unwrap()));
        assert!(told.contains("-37"), "{told}");
    }
}

#[tokio::test]
async fn s4_12_who_may_print_what() {
    let shop = stocktake::testing::shop();
    let take = take(&shop).await;
    let expected = CountSheetForm {
        expected: true,
        ..blind()
    };
    for library in [shop.stocktake.clone(), small(&shop.stocktake)] {
        for actor in [&shop.manager, &shop.counter, &shop.viewer, &shop.service] {
            let to = Some("ann@example.com");
            let printed = library
                .printing()
                .count_sheet(&Caller::of(actor), take, expected, to)
                .await;
            assert_eq!(
                printed.is_ok(),
                actor.role != Role::Counter,
                "{:?}",
                actor.role
            );
            let printed = library
                .printing()
                .count_sheet(&Caller::of(actor), take, blind(), to)
                .await;
            assert!(printed.is_ok(), "{:?}: {printed:?}", actor.role);
        }
        for actor in [&shop.elsewhere, &shop.stranger] {
            let printed = library
                .printing()
                .count_sheet(&Caller::of(actor), take, blind(), None)
                .await;
            assert_eq!(printed.unwrap_err().kind(), ErrorKind::NotFound);
        }
        let nobody = library
            .printing()
            .count_sheet(&Caller::nobody(), take, blind(), None)
            .await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Unauthenticated);
        for wrong in ["nobody", "a@b\r\nBcc: c@d", "a@b, c@d"] {
            let printed = library
                .printing()
                .count_sheet(&manager(&shop), take, blind(), Some(wrong))
                .await;
            assert_eq!(printed.unwrap_err().code(), "invalid_email");
        }
    }
    // What was made with what is expected is not for who counts, whoever asked for it.
    let library = small(&shop.stocktake);
    let asker = manager(&shop);
    let printing = library.printing();
    let printed = printing.count_sheet(&asker, take, expected, Some("ann@example.com"));
    let job = job(printed.await.unwrap());
    let mailer = Arc::new(RecordingMailer::default());
    Worker::new(&library, "mail")
        .with_mailer(mailer)
        .run_all_due()
        .await
        .unwrap();
    let exports = library.exports();
    assert!(
        exports
            .file(&Caller::of(&shop.viewer), job)
            .await
            .unwrap()
            .bytes
            .is_some()
    );
    let hidden = exports
        .file(&Caller::of(&shop.counter), job)
        .await
        .unwrap_err();
    assert_eq!(hidden.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn s4_12_what_is_large_is_mailed() {
    let shop = stocktake::testing::shop();
    let take = take(&shop).await;
    let library = small(&shop.stocktake);
    let mut nowhere = shop.manager.clone();
    nowhere.user.email = None;
    let printed = library
        .printing()
        .count_sheet(&Caller::of(&nowhere), take, blind(), None)
        .await;
    assert_eq!(printed.unwrap_err().code(), "no_address");
    let mut here = shop.manager.clone();
    here.user.email = Some("dan@example.com".to_owned());
    let here = Caller::of(&here);
    let printing = library.printing();
    let keyed = here
        .clone()
        .with_key(IdempotencyKey::new("print-1").unwrap());
    let own = job(printing
        .count_sheet(&keyed, take, blind(), None)
        .await
        .unwrap());
    let again = job(printing
        .count_sheet(&keyed, take, blind(), None)
        .await
        .unwrap());
    assert_eq!(own, again, "the same request is one job");
    let asked = printing.count_sheet(&here, take, blind(), Some("ann@example.com"));
    let asked = job(asked.await.unwrap());

    let mailer = Arc::new(RecordingMailer::default());
    let without = Worker::new(&library, "without");
    assert_eq!(without.run_all_due().await.unwrap(), 0, "it has no mail");
    let worker = Worker::new(&library, "mail").with_mailer(mailer.clone());
    assert_eq!(worker.run_all_due().await.unwrap(), 2);
    let sent = mailer.sent();
    let to: Vec<_> = sent
        .iter()
        .map(|mail| (mail.id, mail.to.as_str()))
        .collect();
    assert!(to.contains(&(own.as_uuid(), "dan@example.com")), "{to:?}");
    assert!(to.contains(&(asked.as_uuid(), "ann@example.com")), "{to:?}");
    assert_eq!(sent[0].subject, "Count sheet: Quarterly");
    let attached = &sent[0].attachments[0];
    assert_eq!(attached.content_type, "application/pdf");
    assert!(text(&attached.bytes).contains("Product 9"));
    let status = library.exports().status(&here, own).await.unwrap();
    assert_eq!(
        (status.job.state, status.job.task),
        (JobState::Succeeded, JobTask::Print)
    );
    assert_eq!(
        (status.job.progress.done, status.job.progress.total),
        (10, 10)
    );
}

/// What was not mailed is told on the job; its file is whole and can be fetched, and goes when it is mailed again.
#[tokio::test]
async fn s4_12_what_was_not_mailed_is_told_and_mailed_again() {
    let shop = stocktake::testing::shop();
    let take = take(&shop).await;
    let folder = tempfile::tempdir().unwrap();
    let files = Arc::new(FolderFiles::open(folder.path()).unwrap());
    let library = small(&shop.stocktake).with_files(files);
    let to = Some("ann@example.com");
    let printed = library
        .printing()
        .count_sheet(&manager(&shop), take, blind(), to)
        .await;
    let job = job(printed.unwrap());
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&library, "mail").with_mailer(mailer.clone());
    mailer.fail_with(Some(MailFault::LosesAnswer));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
    shop.clock.advance_seconds(60);
    mailer.fail_with(Some(MailFault::Refuses));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Dead(job));
    let told = library.job(&manager(&shop), job).await.unwrap();
    assert!(told.last_error.unwrap().starts_with("mail_refused: "));
    let read = library.exports().file(&manager(&shop), job).await.unwrap();
    let bytes = read.bytes.unwrap();
    mailer.fail_with(None);
    assert!(library.requeue_job(&manager(&shop), job).await.unwrap());
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
    let sent = mailer.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1], "the same mail");
    assert_eq!(*sent[0].attachments[0].bytes, *bytes);
    // A removed take is mailed to nobody.
    let printed = library
        .printing()
        .count_sheet(&manager(&shop), take, blind(), to)
        .await;
    let gone = self::job(printed.unwrap());
    library
        .stock_takes()
        .remove(&manager(&shop), take)
        .await
        .unwrap();
    worker.run_all_due().await.unwrap();
    assert_eq!(mailer.sent().len(), 2);
    let told = library.job(&manager(&shop), gone).await.unwrap();
    assert_eq!(told.state, JobState::Refused);
}

/// A turn of a worker up to where it ends, or where its process dies.
async fn until_it_dies<S>(worker: &Worker, store: &FaultStore<S>) {
    let mut turn = worker.run_once();
    poll_fn(|context| match turn.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending if store.is_hanging() => Poll::Ready(()),
        Poll::Pending => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// A large sheet that was asked for, and who mails it.
async fn asked_for<S: Repository + JobQueue>(store: &FaultStore<S>) -> (Shop, Stocktake, JobId) {
    let shared = Arc::new(store.clone());
    let clock = Arc::new(ManualClock::default());
    let ids = Arc::new(SequentialIds::default());
    let library = Stocktake::with(shared.clone(), shared, clock.clone(), ids);
    let shop = Shop::with(library, clock);
    let take = take(&shop).await;
    let library = small(&shop.stocktake);
    let to = Some("ann@example.com");
    let printed = library
        .printing()
        .count_sheet(&manager(&shop), take, blind(), to)
        .await;
    let job = job(printed.unwrap());
    store.heal();
    (shop, library, job)
}

/// Wherever the process dies or the store fails: no half file, and what is mailed is the whole file.
#[tokio::test]
async fn s4_12_a_job_that_dies_anywhere_mails_whole_files_only() {
    let faults = [
        Fault::HangBefore,
        Fault::HangAfter,
        Fault::Before,
        Fault::After,
        Fault::Unknown,
        Fault::Late,
        Fault::Conflict,
    ];
    dies_anywhere(&faults, MemoryStore::new).await;
}

/// The same on a file, for a process that dies.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn s4_12_a_job_that_dies_anywhere_leaves_no_half_file_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let fresh = || {
        number.set(number.get() + 1);
        let name = format!("{}.db", number.get());
        stocktake::sqlite::SqliteStore::open(folder.path().join(name)).unwrap()
    };
    dies_anywhere(&[Fault::HangBefore, Fault::HangAfter], fresh).await;
}

async fn dies_anywhere<S: Repository + JobQueue>(faults: &[Fault], fresh: impl Fn() -> S) {
    let store = FaultStore::new(fresh());
    let (_shop, library, _) = asked_for(&store).await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&library, "clean").with_mailer(mailer.clone());
    worker.run_once().await.unwrap();
    let calls = store.calls();
    assert!(calls > 5, "{:?}", store.log());
    for fault in faults {
        for call in 1..=calls {
            let store = FaultStore::new(fresh());
            let (shop, library, job) = asked_for(&store).await;
            let mailer = Arc::new(RecordingMailer::default());
            let worker = Worker::new(&library, "mortal").with_mailer(mailer.clone());
            store.fail_at(call, *fault);
            until_it_dies(&worker, &store).await;
            store.heal();
            // What is there now is whole, or is not read.
            let exports = library.exports();
            let left = exports.file(&manager(&shop), job).await.unwrap();
            let is_whole = |bytes: &Vec<u8>| text(bytes).contains("Product 9");
            assert!(
                left.bytes.as_ref().is_none_or(is_whole),
                "{fault:?} at {call}"
            );
            let heir = Worker::new(&library, "heir").with_mailer(mailer.clone());
            for _ in 0..5 {
                shop.clock.advance_seconds(120);
                heir.run_once().await.unwrap();
            }
            let read = library.job(&manager(&shop), job).await.unwrap();
            assert_eq!(read.state, JobState::Succeeded, "{fault:?} at {call}");
            let file = exports.file(&manager(&shop), job).await.unwrap();
            let bytes = file.bytes.unwrap();
            assert!(is_whole(&bytes));
            assert!(
                left.bytes.is_none_or(|left| left == bytes),
                "{fault:?} at {call}"
            );
            let sent = mailer.sent();
            assert!((1..=2).contains(&sent.len()), "{fault:?} at {call}");
            for mail in sent {
                assert_eq!(*mail.attachments[0].bytes, *bytes, "{fault:?} at {call}");
            }
        }
    }
}

/// Who asks again before it was mailed has the same job; who asks again afterwards wants it again.
#[tokio::test]
async fn s4_12_the_same_request_is_the_same_job_until_it_is_mailed() {
    let shop = stocktake::testing::shop();
    let take = take(&shop).await;
    let library = small(&shop.stocktake);
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&library, "mail").with_mailer(mailer.clone());
    let ask = async |caller: &Caller, sheet: CountSheetForm, to: &str| {
        let printing = library.printing();
        let printed = printing.count_sheet(caller, take, sheet, Some(to));
        job(printed.await.unwrap())
    };
    let (manager, counter) = (manager(&shop), Caller::of(&shop.counter));
    let first = ask(&manager, blind(), "ann@example.com").await;
    assert_eq!(ask(&manager, blind(), "ann@example.com").await, first);
    // Another address, another sheet, somebody else, who is named on it: another document.
    let by_name = CountSheetForm {
        sort: ArticleSort {
            column: ArticleColumn::Name,
            descending: false,
        },
        ..blind()
    };
    let others = [
        ask(&manager, blind(), "bob@example.com").await,
        ask(&manager, by_name, "ann@example.com").await,
        ask(&counter, blind(), "ann@example.com").await,
    ];
    assert!(!others.contains(&first));

    // It was refused: asking again sends it again, under the same job.
    mailer.fail_with(Some(MailFault::Refuses));
    while worker.run_once().await.unwrap() != Ran::Nothing {}
    let state = async |job| library.job(&manager, job).await.unwrap().state;
    assert_eq!(state(first).await, JobState::Dead);
    mailer.fail_with(None);
    assert_eq!(ask(&manager, blind(), "ann@example.com").await, first);
    worker.run_all_due().await.unwrap();
    assert_eq!(state(first).await, JobState::Succeeded);
    assert_eq!(mailer.sent().len(), 1);

    // It went out: a mail can get lost.
    let second = ask(&manager, blind(), "ann@example.com").await;
    assert_ne!(second, first);
    assert_eq!(ask(&manager, blind(), "ann@example.com").await, second);
    worker.run_all_due().await.unwrap();
    assert_eq!(mailer.sent().len(), 2);

    // A line has changed meanwhile: it is another sheet.
    let third = ask(&manager, blind(), "ann@example.com").await;
    let line = StockTakeItemId::for_key(take, &shop.key(0));
    let takes = shop.stocktake.stock_takes();
    takes
        .count(&manager, take, line, CountRequest::set(3.into()))
        .await
        .unwrap();
    assert_ne!(ask(&manager, blind(), "ann@example.com").await, third);
}

/// Of who counted the library keeps the id: the host says what they are called, on every file for people.
#[tokio::test]
async fn people_are_shown_by_name() {
    let shop = stocktake::testing::shop();
    let take = take(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let (manager, counter) = (manager(&shop), Caller::of(&shop.counter));
    for (number, caller) in [(0, &counter), (1, &manager)] {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        let three = CountRequest::set(3.into());
        takes.count(caller, take, line, three).await.unwrap();
    }
    let posted = takes.submit(&manager, take, PostingOptions::default());
    posted.await.unwrap();
    let (eve, dan) = (shop.counter.user.id, shop.manager.user.id);
    let names = [(eve, "Eve Adams".to_owned()), (dan, "Dan Adams".to_owned())];
    let library = shop
        .stocktake
        .clone()
        .with_people(Arc::new(BTreeMap::from(names)));
    for (library, eve, dan) in [
        (&shop.stocktake, eve.to_string(), dan.to_string()),
        (&library, "Eve Adams".to_owned(), "Dan Adams".to_owned()),
    ] {
        let printing = library.printing();
        let receipt = printing.receipt(&manager, take, None);
        let receipt = text(&file(receipt.await.unwrap()));
        // The take knows by itself who created and posted it.
        for name in [&eve, "Dan Johnson"] {
            assert!(receipt.contains(name), "{name} in {receipt}");
        }
        let options = ReportOptions::default();
        let takes = library.stock_takes();
        let report = takes.variance_report(&manager, take, options);
        assert!(report.await.unwrap().contains(&eve));
        let form = ExportForm {
            format: ExportFormat::Csv,
            style: ExportStyle::People,
        };
        let (exports, all) = (library.exports(), StockTakeItemFilter::default());
        let lines = exports.stock_take(&manager, take, all, form);
        let lines = lines.await.unwrap();
        let all = StockEventFilter::default();
        let ledger = exports.stock_events(&manager, shop.site.id, all, form);
        let ledger = ledger.await.unwrap();
        Worker::new(library, "files").run_all_due().await.unwrap();
        for (job, word, shown) in [
            (lines, "Counted by", [&eve, "Dan Johnson"].as_slice()),
            (ledger, "Recorded by", &[&dan]),
        ] {
            let file = exports.file(&manager, job).await.unwrap();
            let rows = String::from_utf8(file.bytes.unwrap()).unwrap();
            for told in shown.iter().chain([&word]) {
                assert!(rows.contains(&format!("{told}\r\n")), "{told} in {rows}");
            }
        }
        // Asking again sooner would give the same files.
        shop.clock.advance_seconds(3 * 24 * 60 * 60);
    }
}
