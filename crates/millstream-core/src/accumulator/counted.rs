//! Which partitions of a stage have been counted.

use std::sync::{Arc, Mutex, PoisonError};

/// Which partitions of a shuffle's map side, or of an action, have been counted; shared by all runs of it.
#[derive(Clone, Default)]
#[doc(hidden)]
pub struct Counted(Arc<Mutex<Vec<bool>>>);

impl Counted {
    /// Returns whether a partition is counted now for the first time.
    pub(crate) fn claim(&self, partition: usize) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() <= partition {
            counted.resize(partition + 1, false);
        }
        counted.get_mut(partition).is_some_and(|counted| !std::mem::replace(counted, true))
    }
}
