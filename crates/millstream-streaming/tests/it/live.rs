//! Records that know how many of them live.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// A number that is counted as long as it, or a clone of it, is in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) number: i64,
    #[serde(skip)]
    #[expect(dead_code, reason = "its clones and drops are what counts")]
    alive: Alive,
}

#[derive(Debug, Default)]
struct Alive(Option<Arc<AtomicUsize>>);

/// Makes counted records and tells how many live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn record(&self, number: i64) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted { number, alive: Alive(Some(Arc::clone(&self.0))) }
    }

    pub(crate) fn live(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clone for Alive {
    fn clone(&self) -> Self {
        if let Some(count) = &self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Alive(self.0.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
