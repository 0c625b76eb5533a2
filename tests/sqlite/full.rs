//! A disk that is full, at every page that a story needs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use stocktake::service::Error;
use stocktake::sqlite::SqliteStore;
use stocktake::store::{CommitError, CommitOutcome, Repository, RepositoryExt, StoreErrorKind};

use super::script::{COMMANDS, Phase, Script, Size};
use super::state::State;
use super::{ORGANISATION, added, assert_intact, changes, nowhere, open, quick, raw, site};

fn bytes(path: &Path) -> (u64, u64) {
    let number = |pragma: &str| {
        let pragma = format!("PRAGMA {pragma}");
        let number = raw(path).query_row(&pragma, [], |row| row.get::<_, u32>(0));
        u64::from(number.unwrap())
    };
    (number("page_count"), number("page_size"))
}

fn with_at_most(path: &Path, max_bytes: u64) -> SqliteStore {
    let mut options = quick();
    options.max_bytes = Some(max_bytes);
    SqliteStore::open_with(path, &options).unwrap()
}

/// Populating, counting, posting, importing, with a page more of space each time: what does not fit is refused and
/// leaves nothing, and when there is space again the story goes on and ends as it would have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_whole_and_done_once_there_is_space() {
    let (folder, template) = nowhere();
    // Small pages, so that everything needs new ones.
    let small = "PRAGMA page_size = 512; CREATE TABLE sized (x); DROP TABLE sized";
    raw(&template).execute_batch(small).unwrap();
    let script = Script::on(Arc::new(open(&template)), Size::Small, 0);
    script.prepare().await;
    drop(script);
    let undisturbed = folder.path().join("undisturbed.db");
    fs::copy(&template, &undisturbed).unwrap();
    let script = Script::on(Arc::new(open(&undisturbed)), Size::Small, 1);
    let mut states = vec![State::of(&script).await];
    for number in 0..COMMANDS {
        script.run(number, &|_| {}).await.unwrap();
        states.push(State::of(&script).await);
    }
    drop(script);
    let ((first, page), (last, _)) = (bytes(&template), bytes(&undisturbed));
    assert!(last > first + 10, "{first} to {last}");

    let mut refused = std::collections::BTreeSet::new();
    for pages in first..=last {
        let path = folder.path().join(format!("{pages}.db"));
        fs::copy(&template, &path).unwrap();
        let store = with_at_most(&path, pages * page);
        let script = Script::on(Arc::new(store), Size::Small, 1);
        let mut number = 0;
        let error = loop {
            if number == COMMANDS {
                break None;
            }
            match script.run(number, &|_| {}).await {
                Ok(_) => number += 1,
                Err(error) => break Some(error),
            }
        };
        let state = State::of(&script).await;
        drop(script);
        assert_intact(&path);
        let at = usize::try_from(number).unwrap();
        if let Some(error) = error {
            let is_unavailable = matches!(&error, Error::Store(error) if error.kind() == StoreErrorKind::Unavailable);
            assert!(is_unavailable, "{number}, {pages}: {error:?}");
            let command = super::script::Command::of(number);
            refused.insert(command.phase());
            if command.is_long(Size::Small) {
                state.assert_between(&states[at], &states[at + 1]);
            } else {
                assert!(state == states[at], "{}", state.difference(&states[at]));
            }
        } else {
            assert!(state == states[at], "{}", state.difference(&states[at]));
        }
        let script = Script::on(Arc::new(open(&path)), Size::Small, 2);
        for number in number..COMMANDS {
            script.run(number, &|_| {}).await.unwrap();
        }
        let (state, end) = (State::of(&script).await, states.last().unwrap());
        assert!(state == *end, "{}", state.difference(end));
    }
    assert!(refused.len() >= Phase::ALL.len() - 1, "{refused:?}");
}

/// One that is too large does not take down those that it is written with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_is_kept_beside_what_does_not() {
    let (_folder, path) = nowhere();
    drop(open(&path));
    let (pages, page) = bytes(&path);
    let store = with_at_most(&path, (pages + 12) * page);
    let mut large = changes("too much");
    for number in 1_000..3_000 {
        large.insert(site(number));
    }
    let mut commits = tokio::task::JoinSet::new();
    for number in 0..40_u128 {
        let (store, large) = (store.clone(), large.clone());
        commits.spawn(async move {
            let changes = if number % 8 == 3 {
                large
            } else {
                added(number + 1)
            };
            (number, store.commit(&changes).await)
        });
    }
    while let Some(ended) = commits.join_next().await {
        let (number, result) = ended.unwrap();
        match result {
            Ok(outcome) => {
                assert_eq!(outcome, CommitOutcome::Applied);
                assert_ne!(number % 8, 3);
            }
            Err(CommitError::Store(error)) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                assert_eq!(number % 8, 3);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        store.site(ORGANISATION, site(1_000).id).await.unwrap(),
        None
    );
    for number in (0..40_u128).filter(|number| number % 8 != 3) {
        let read = store.site(ORGANISATION, site(number + 1).id).await.unwrap();
        assert_eq!(read.unwrap().value, site(number + 1));
    }
    drop(store);
    assert_intact(&path);
}

#[test]
fn no_limit_is_too_small_or_too_large_to_be_told() {
    for limit in [0, 1, 4_095, u64::MAX] {
        let (_folder, path) = nowhere();
        drop(open(&path));
        drop(with_at_most(&path, limit));
        assert_intact(&path);
    }
}
