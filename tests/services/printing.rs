//! Printing through the service (S4.12): at once, or by a job that mails it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

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
    ArticleColumn, ArticleSort, CountSheetForm, IdempotencyKey, JobState, JobTask,
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
async fn until_it_dies(worker: &Worker, store: &FaultStore<MemoryStore>) {
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
async fn asked_for(store: &FaultStore<MemoryStore>) -> (Shop, Stocktake, JobId) {
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
    let store = FaultStore::new(MemoryStore::new());
    let (_shop, library, _) = asked_for(&store).await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&library, "clean").with_mailer(mailer.clone());
    worker.run_once().await.unwrap();
    let calls = store.calls();
    assert!(calls > 5, "{:?}", store.log());
    for fault in [
        Fault::HangBefore,
        Fault::HangAfter,
        Fault::Before,
        Fault::After,
        Fault::Unknown,
        Fault::Late,
        Fault::Conflict,
    ] {
        for call in 1..=calls {
            let store = FaultStore::new(MemoryStore::new());
            let (shop, library, job) = asked_for(&store).await;
            let mailer = Arc::new(RecordingMailer::default());
            let worker = Worker::new(&library, "mortal").with_mailer(mailer.clone());
            store.fail_at(call, fault);
            until_it_dies(&worker, &store).await;
            store.heal();
            let heir = Worker::new(&library, "heir").with_mailer(mailer.clone());
            let read = async || library.job(&manager(&shop), job).await.unwrap();
            for _ in 0..5 {
                shop.clock.advance_seconds(120);
                heir.run_once().await.unwrap();
            }
            assert_eq!(
                read().await.state,
                JobState::Succeeded,
                "{fault:?} at {call}"
            );
            let file = library.exports().file(&manager(&shop), job).await.unwrap();
            let bytes = file.bytes.unwrap();
            assert!(text(&bytes).contains("Product 9"));
            let sent = mailer.sent();
            assert!((1..=2).contains(&sent.len()), "{fault:?} at {call}");
            for mail in sent {
                assert_eq!(*mail.attachments[0].bytes, *bytes, "{fault:?} at {call}");
            }
        }
    }
}
