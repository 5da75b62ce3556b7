//! What the map tasks of a shuffle have made, waiting for the reducers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Bucket;
use super::map_output::OneBucket;
use crate::data::Data;
use crate::error::{Error, Result};

/// All buckets of a shuffle, by reducer and then by map task.
pub(crate) struct ShuffleOutputs {
    /// Nothing where a reducer has taken its buckets.
    by_reducer: Vec<Mutex<Option<Vec<Bucket>>>>,
    /// Whether reducers copy instead of take, because later jobs want the buckets too.
    kept: bool,
}

impl ShuffleOutputs {
    /// Arranges the outputs of the map tasks, each with one bucket per reducer.
    pub(crate) fn new(map_outputs: Vec<Vec<Bucket>>, reducers: usize, kept: bool) -> Self {
        let mut by_reducer: Vec<Vec<Bucket>> =
            (0..reducers).map(|_| Vec::with_capacity(map_outputs.len())).collect();
        for output in map_outputs {
            for (buckets, bucket) in by_reducer.iter_mut().zip(output) {
                buckets.push(bucket);
            }
        }
        ShuffleOutputs {
            by_reducer: by_reducer.into_iter().map(|buckets| Mutex::new(Some(buckets))).collect(),
            kept,
        }
    }

    /// Holds the buckets of one reducer only, as a task in another process is given them.
    pub(crate) fn of_one(buckets: Vec<Bucket>, reducer: usize) -> Self {
        let mut by_reducer: Vec<Mutex<Option<Vec<Bucket>>>> =
            (0..reducer).map(|_| Mutex::new(None)).collect();
        by_reducer.push(Mutex::new(Some(buckets)));
        ShuffleOutputs { by_reducer, kept: false }
    }

    /// Returns whether a reducer's buckets are still here.
    pub(crate) fn is_there(&self, reducer: usize) -> bool {
        self.slot(reducer).is_ok_and(|slot| slot.is_some())
    }

    /// Returns a reducer's buckets: taken away, or to be copied if they are kept.
    pub(crate) fn read<B: Data>(&self, reducer: usize) -> Result<Vec<OneBucket<B>>> {
        let mut slot = self.slot(reducer)?;
        if self.kept {
            let buckets = slot.as_ref().ok_or_else(taken)?;
            let copied = |b: &Bucket| b.downcast_ref().map(OneBucket::copied).ok_or_else(foreign);
            return buckets.iter().map(copied).collect();
        }
        let buckets = slot.take().ok_or_else(taken)?;
        drop(slot);
        buckets.into_iter().map(|b| b.downcast().map(|b| *b).map_err(|_| foreign())).collect()
    }

    /// Calls `f` with each of a reducer's buckets, without taking them.
    pub(crate) fn look<R>(&self, reducer: usize, f: impl FnMut(&Bucket) -> Result<R>) -> Result<Vec<R>> {
        self.slot(reducer)?.as_ref().ok_or_else(taken)?.iter().map(f).collect()
    }

    fn slot(&self, reducer: usize) -> Result<MutexGuard<'_, Option<Vec<Bucket>>>> {
        let slot = self.by_reducer.get(reducer);
        let slot = slot.ok_or_else(|| Error::poisoned(format!("a shuffle has no reducer {reducer}")))?;
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The scheduler looks before it launches, so this is a race it lost against an attempt it had given up; the job is then
/// planned again.
fn taken() -> Error {
    Error::Freed
}

fn foreign() -> Error {
    Error::poisoned("a bucket of another shuffle")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(kept: bool) -> ShuffleOutputs {
        let bucket = |numbers: &[i32]| Box::new(OneBucket::of(numbers.to_vec())) as Bucket;
        ShuffleOutputs::new(
            vec![vec![bucket(&[1]), bucket(&[])], vec![bucket(&[2, 3]), bucket(&[4])]],
            2,
            kept,
        )
    }

    fn records(outputs: &ShuffleOutputs, reducer: usize) -> Vec<Vec<i32>> {
        outputs.read::<i32>(reducer).unwrap().iter().map(|bucket| bucket.copy().unwrap()).collect()
    }

    #[test]
    fn buckets_are_taken_once() {
        let outputs = outputs(false);
        assert!(outputs.is_there(0));
        assert_eq!(records(&outputs, 0), [vec![1], vec![2, 3]]);
        assert!(!outputs.is_there(0));
        assert!(outputs.read::<i32>(0).is_err());
        assert_eq!(records(&outputs, 1), [vec![], vec![4]]);
    }

    #[test]
    fn kept_buckets_are_copied() {
        let outputs = outputs(true);
        for _ in 0..2 {
            assert_eq!(records(&outputs, 0), [vec![1], vec![2, 3]]);
        }
    }

    #[test]
    fn another_record_type_is_refused() {
        assert!(outputs(true).read::<u8>(0).is_err());
        assert!(outputs(false).read::<i32>(7).is_err());
    }
}
