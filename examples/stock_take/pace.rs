//! Keeps selling and counting abreast: both take the same days, however fast the machine is.

use tokio::sync::watch;

/// How far the days of counting are.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How many lines are sold in these days.
    sales: usize,
    /// How many lines each person counts.
    shares: Vec<usize>,
    sold: watch::Sender<usize>,
    counted: watch::Sender<usize>,
}

impl Pace {
    /// The beginning.
    pub(crate) fn new(sales: usize, shares: Vec<usize>) -> Self {
        Self {
            sales,
            shares,
            sold: watch::Sender::new(0),
            counted: watch::Sender::new(0),
        }
    }

    /// Waits until the shop is as far with selling as somebody is who has counted `done` lines of a share.
    pub(crate) async fn may_count(&self, done: usize, share: usize) {
        let due = self.sales * done / share.max(1);
        // Never an error: the other end is this very value.
        let _ = self.sold.subscribe().wait_for(|sold| *sold >= due).await;
    }

    /// Waits until everybody is as far with counting as the shop is with selling. Each of them may count
    /// that far by then, so that nobody waits for ever.
    pub(crate) async fn may_sell(&self) {
        let sold = *self.sold.borrow();
        let abreast = |share: &usize| (sold * share).checked_div(self.sales).unwrap_or(0);
        let due: usize = self.shares.iter().map(abreast).sum();
        let _ = self
            .counted
            .subscribe()
            .wait_for(|counted| *counted >= due)
            .await;
    }

    /// So many lines more are sold.
    pub(crate) fn sold(&self, lines: usize) {
        self.sold.send_modify(|sold| *sold += lines);
    }

    /// A line more is done with, counted or left out.
    pub(crate) fn counted(&self) {
        self.counted.send_modify(|counted| *counted += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Pace;

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        for (sales, shares) in [
            (0, vec![3]),
            (7, vec![]),
            (100, vec![1, 0, 7]),
            (3, vec![50, 49]),
        ] {
            let pace = Arc::new(Pace::new(sales, shares.clone()));
            let mut tasks = tokio::task::JoinSet::new();
            for share in shares {
                let pace = Arc::clone(&pace);
                tasks.spawn(async move {
                    for done in 0..share {
                        pace.may_count(done, share).await;
                        pace.counted();
                    }
                });
            }
            tasks.spawn(async move {
                for _ in 0..sales {
                    pace.may_sell().await;
                    pace.sold(1);
                }
            });
            tasks.join_all().await;
        }
    }
}
