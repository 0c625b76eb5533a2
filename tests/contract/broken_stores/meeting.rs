//! Where calls that run at once wait for each other, so that a race that can be lost is lost.

use std::sync::atomic::{AtomicU64, Ordering};

/// So often a call that is alone looks for another one.
const PATIENCE: u32 = 20;

/// A place that calls come by.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    present: AtomicU64,
    met: AtomicU64,
}

/// Leaves when it is dropped.
struct Presence<'a>(&'a Meeting);

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Meeting {
    /// Waits until another call comes by, or gives up. Tells whether another one was waiting already.
    pub(crate) async fn wait(&self) -> bool {
        let met = self.met.load(Ordering::SeqCst);
        let others = self.present.fetch_add(1, Ordering::SeqCst);
        let _here = Presence(self);
        if others > 0 {
            self.met.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        for _ in 0..PATIENCE {
            if self.met.load(Ordering::SeqCst) != met {
                break;
            }
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
        false
    }
}
