//! Tasks that begin together.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::checks::Wrong;
use super::seed::number_from_environment;

/// How often a race is run.
pub(super) fn rounds() -> u64 {
    number_from_environment("STOCKTAKE_RACE_ROUNDS").unwrap_or(50)
}

/// Tasks of their own that wait for each other before they begin.
pub(super) struct Race<T> {
    start: Arc<Barrier>,
    tasks: Vec<JoinHandle<Result<T, Wrong>>>,
}

impl<T: Send + 'static> Race<T> {
    /// A race of so many tasks: each of them must enter.
    pub(super) fn new(tasks: usize) -> Self {
        Self {
            start: Arc::new(Barrier::new(tasks)),
            tasks: Vec::new(),
        }
    }

    /// Enters a task that does what a service does: on a broken store that may go round and round, which is told.
    pub(super) fn enter_service(
        &mut self,
        task: impl Future<Output = Result<T, Wrong>> + Send + 'static,
    ) {
        const POLLS: u32 = 5_000;
        let mut task = Box::pin(task);
        let mut polls = 0_u32;
        self.enter(poll_fn(move |context| {
            polls += 1;
            match task.as_mut().poll(context) {
                Poll::Pending if polls > POLLS => {
                    Poll::Ready(Err("a service goes on and on".into()))
                }
                polled => polled,
            }
        }));
    }

    /// Enters a task.
    pub(super) fn enter(&mut self, task: impl Future<Output = Result<T, Wrong>> + Send + 'static) {
        let start = Arc::clone(&self.start);
        self.tasks.push(tokio::spawn(async move {
            start.wait().await;
            task.await
        }));
    }

    /// What each came to, in the order of entering. When one goes wrong, the others are stopped: they may wait for
    /// what will never be.
    pub(super) async fn run(mut self) -> Result<Vec<T>, Wrong> {
        let mut all: Vec<Option<T>> = self.tasks.iter().map(|_| None).collect();
        poll_fn(|context| {
            for (task, came) in self.tasks.iter_mut().zip(&mut all) {
                if came.is_none()
                    && let Poll::Ready(done) = Pin::new(task).poll(context)
                {
                    match done {
                        Ok(Ok(done)) => *came = Some(done),
                        Ok(Err(wrong)) => return Poll::Ready(Err(wrong)),
                        Err(error) => return Poll::Ready(Err(error.into())),
                    }
                }
            }
            if all.iter().all(Option::is_some) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await?;
        Ok(all.into_iter().flatten().collect())
    }
}

impl<T> Drop for Race<T> {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
