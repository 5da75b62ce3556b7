//! `reduce_by_key_and_window`: one value per key of the last batches.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::{AnyRdd, Compute, Dependency};
use millstream_core::shuffle::CombineTable;
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::shuffle::partitioner::PartitionedBy;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Key, Partitioner, Rdd, TaskContext};

use super::{misfit, usable};
use crate::dstream::DStream;
use crate::dstream::node::{AnyDStream, Node, all};
use crate::error::Result;
use crate::time::Time;

/// Merges two values, or takes one out of another.
type Merge<V> = Arc<dyn Fn(V, V) -> V + Send + Sync>;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Merges the values of each key over the last `window`, anew each `slide`; `None` for the slide means this stream's own.
    ///
    /// Each batch is reduced once and kept; a window merges the reduced batches, so a slide costs the keys of all batches
    /// of the window. With an inverse function it costs the keys of the batches that enter and leave:
    /// [`reduce_by_key_and_window_with_inverse`](DStream::reduce_by_key_and_window_with_inverse).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[(1, 10)], [(1, 20)], []],
    ///     |s| s.reduce_by_key_and_window(|a, b| a + b, 2 * second, second),
    ///     batches![[(1, 10)], [(1, 30)], [(1, 20)]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        self.reduce_by_key_and_window_with(f, window, slide, self.context().default_parallelism())
    }

    /// Merges the values of each key over the last `window`, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[(1, 10)], [(1, 20)], []],
    ///     |s| s.reduce_by_key_and_window_with(|a, b| a + b, Duration::from_secs(2), None, 3),
    ///     batches![[(1, 10)], [(1, 30)], [(1, 20)]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> DStream<(K, V)> {
        let f: Merge<V> = Arc::new(f);
        let partitioner = partitioner.into();
        let merge = |f: &Merge<V>| {
            let f = Arc::clone(f);
            move |a, b| f(a, b)
        };
        self.reduce_by_key_with(merge(&f), partitioner.clone())
            .window(window, slide)
            .reduce_by_key_with(merge(&f), partitioner)
    }

    /// Merges the values of each key over the last `window`, by merging what enters the window and taking out what leaves.
    ///
    /// `inverse(f(a, b), b)` must be `a`. As in Spark, a key stays with the value it has left when its last batch leaves the
    /// window (e.g. 0); filter such keys out of the result. A slide costs the keys that are known, not the records.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[(1, 10)], [(1, 20)], [], []],
    ///     |s| s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 2 * second, second),
    ///     batches![[(1, 10)], [(1, 30)], [(1, 20)], [(1, 0)]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_with_inverse(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        let partitions = self.context().default_parallelism();
        self.reduce_by_key_and_window_keeping(f, inverse, window, slide, partitions, WindowKeys::All)
    }

    /// Merges the values of each key like
    /// [`reduce_by_key_and_window_with_inverse`](DStream::reduce_by_key_and_window_with_inverse), with a partitioner or a number
    /// of partitions, and only the keys that `keys` says: the others are forgotten, and begin anew when they come again.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::WindowKeys;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(
    ///     batches![[(1, 10)], [(1, -10)], [], []],
    ///     |s| {
    ///         let (add, take) = (|a, b| a + b, |a, b| a - b);
    ///         s.reduce_by_key_and_window_keeping(add, take, 2 * second, second, 1, WindowKeys::InWindow)
    ///     },
    ///     batches![[(1, 10)], [(1, 0)], [(1, -10)], []], // 0 is a sum like any other; a key without records is none
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_keeping(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
        partitioner: impl Into<Partitioner<K>>,
        keys: WindowKeys<K, V>,
    ) -> DStream<(K, V)> {
        let slide = slide.into().unwrap_or(self.slide_duration());
        let partitioner = partitioner.into();
        let keep = match keys {
            WindowKeys::All => None,
            WindowKeys::Only(keep) => Some(keep),
            WindowKeys::InWindow => {
                // Each value goes with the number of batches it was merged from, which the inverse takes back as well.
                let counted = self.map_values(|value| (value, 1_u64));
                let merged = counted.reduced_window(
                    Arc::new(move |(a, n), (b, m)| (f(a, b), n + m)),
                    Arc::new(move |(a, n), (b, m)| (inverse(a, b), n - m)),
                    (window, slide),
                    partitioner,
                    Some(Arc::new(|_: &K, (_, batches): &(V, u64)| *batches > 0)),
                );
                return merged.map_values(|(value, _)| value);
            }
        };
        self.reduced_window(Arc::new(f), Arc::new(inverse), (window, slide), partitioner, keep)
    }

    #[track_caller]
    fn reduced_window(
        &self,
        f: Merge<V>,
        inverse: Merge<V>,
        (window, slide): (Duration, Duration),
        partitioner: Partitioner<K>,
        keep: Option<Keep<K, V>>,
    ) -> DStream<(K, V)> {
        let reduced = {
            let f = Arc::clone(&f);
            self.reduce_by_key_with(move |a, b| f(a, b), partitioner.clone())
        };
        reduced.keep();
        let node =
            ReducedWindow { reduced, partitioner, f, inverse, keep, window, slide: usable(self, slide) };
        let windowed = DStream::new(self.graph(), "reduce_by_key_and_window", node);
        if let Some(problem) = misfit(self, window, slide) {
            self.graph().problem(windowed.any().operator(), problem);
        }
        windowed
    }
}

/// Whether a key stays in a window, by its value.
type Keep<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// Which keys a window with an inverse function holds on to.
///
/// An inverse function can not tell a key without records from one whose values cancel out, hence there is a choice.
#[derive(Clone, Default)]
pub enum WindowKeys<K, V> {
    /// Every key that was ever seen, as Spark does without a filter: memory grows with the number of different keys.
    #[default]
    All,
    /// The keys of the batches in the window: memory is bounded by them.
    InWindow,
    /// The keys for which this holds, as Spark's `filterFunc`; see [`only`](WindowKeys::only).
    Only(Keep<K, V>),
}

impl<K, V> WindowKeys<K, V> {
    /// Holds on to the keys for which `keep` holds of the key and its value.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::WindowKeys;
    /// let counted: WindowKeys<String, u64> = WindowKeys::only(|_, count| *count > 0);
    /// assert!(matches!(counted, WindowKeys::Only(_)));
    /// ```
    pub fn only(keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        WindowKeys::Only(Arc::new(keep))
    }
}

struct ReducedWindow<K: Key, V: Data> {
    reduced: DStream<(K, V)>,
    partitioner: Partitioner<K>,
    f: Merge<V>,
    inverse: Merge<V>,
    keep: Option<Keep<K, V>>,
    window: Duration,
    slide: Duration,
}

impl<K: Key, V: Data> ReducedWindow<K, V> {
    /// How many batches leave the window each slide, and as many enter it; those between two windows do neither.
    fn changing(&self) -> usize {
        let millis = self.reduced.slide_duration().as_millis().max(1);
        usize::try_from(self.slide.min(self.window).as_millis() / millis).unwrap_or(usize::MAX)
    }
}

impl<K: Key, V: Data> Node<(K, V)> for ReducedWindow<K, V> {
    fn parents(&self) -> Vec<AnyDStream> {
        vec![self.reduced.any()]
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    /// The window before, the batches that have left since, those that have entered; each is there, be it without
    /// partitions, so that a place tells what it is.
    fn inputs(&self, own: &DStream<(K, V)>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        let step = self.reduced.slide_duration();
        let nothing = || self.reduced.context().empty_rdd::<(K, V)>().any();
        let mut inputs = vec![own.rdd(batch - self.slide)?.map_or_else(nothing, |rdd| rdd.any())];
        let first_left = batch - self.slide - self.window + step;
        let first_entered = batch - self.slide.min(self.window) + step;
        for first in [first_left, first_entered] {
            let mut at = first;
            for _ in 0..self.changing() {
                inputs.push(self.reduced.rdd(at)?.map_or_else(nothing, |rdd| rdd.any()));
                at = at + step;
            }
        }
        Ok(Some(inputs))
    }

    fn make(&self, inputs: Vec<AnyRdd>, _: Time) -> Result<Rdd<(K, V)>> {
        let mut inputs = all(inputs)?;
        let entered = inputs.split_off(inputs.len().min(1 + self.changing()));
        let left = inputs.split_off(inputs.len().min(1));
        let slid = Slid {
            before: inputs.pop(),
            left,
            entered,
            partitioner: self.partitioner.clone(),
            f: Arc::clone(&self.f),
            inverse: Arc::clone(&self.inverse),
            keep: self.keep.clone(),
        };
        let context = self.reduced.context();
        // Made of the window before it, and so on without end: what it was made of must be forgotten.
        Ok(Rdd::from_compute(context, "reduce_by_key_and_window", slid).local_checkpoint())
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn parents_remember(&self, own: Duration) -> Duration {
        own.saturating_add(self.window)
    }
}

/// A window made of the one before it. All RDDs are spread by the same partitioner, or have no partitions.
struct Slid<K: Key, V: Data> {
    before: Option<Rdd<(K, V)>>,
    left: Vec<Rdd<(K, V)>>,
    entered: Vec<Rdd<(K, V)>>,
    partitioner: Partitioner<K>,
    f: Merge<V>,
    inverse: Merge<V>,
    keep: Option<Keep<K, V>>,
}

impl<K: Key, V: Data> Slid<K, V> {
    /// Merges a partition of several batches; each key occurs once in each.
    fn merged(
        &self,
        batches: &[Rdd<(K, V)>],
        partition: usize,
        task: &TaskContext,
    ) -> millstream_core::Result<CombineTable<K, V>> {
        let mut table = CombineTable::new();
        for batch in batches.iter().filter(|batch| batch.num_partitions() > 0) {
            stream::drain(batch.stream(partition, task)?, |chunk| {
                chunk.for_each(|(key, value)| {
                    table.merge(pinned_hash(key), key.clone(), value.clone(), |value| value, &*self.f);
                });
                Ok(())
            })?;
        }
        Ok(table)
    }
}

impl<K: Key, V: Data> Compute<(K, V)> for Slid<K, V> {
    fn partitions(&self) -> usize {
        self.partitioner.partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        let rdds = self.before.iter().chain(&self.left).chain(&self.entered);
        rdds.filter(|rdd| rdd.num_partitions() > 0).map(|rdd| Dependency::Narrow(rdd.any())).collect()
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> millstream_core::Result<ChunkStream<(K, V)>> {
        let mut window = self.merged(self.before.as_slice(), partition, task)?;
        // As in Spark: what leaves is merged first and then taken out at once; then what enters is merged in at once.
        for (hash, key, value) in self.merged(&self.left, partition, task)?.into_entries() {
            window.merge(hash, key, value, |value| value, &*self.inverse);
        }
        for (hash, key, value) in self.merged(&self.entered, partition, task)?.into_entries() {
            window.merge(hash, key, value, |value| value, &*self.f);
        }
        let mut entries = window.into_entries();
        if let Some(keep) = &self.keep {
            entries.retain(|(_, key, value)| keep(key, value));
        }
        Ok(stream::from_iter(entries.into_iter().map(|(_, key, value)| (key, value))))
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        Some(self.partitioner.identity())
    }
}
