//! `reduce_by_key_and_window`: one value per key of the last batches.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::shuffle::CombineTable;
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Data, Key, Partitioner, Rdd, TaskContext, operator, stream};

use super::{misfit, usable};
use crate::dstream::DStream;
use crate::dstream::node::all;
use crate::error::Result;
use crate::recovery::states::default_interval;
use crate::state::step::{Apply, Batch, Batches};
use crate::state::{PutOn, Step};
use crate::time::Time;

const NAME: &str = "reduce_by_key_and_window";

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
        let _composed = operator::composed(NAME);
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
    /// window (e.g. 0); filter such keys out of the result. A slide costs the keys of the batches that enter and leave; who reads the window
    /// pays for its keys.
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
        let _composed = operator::composed(NAME);
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
                return merged.map_values(|(value, _)| value).with_state_of(&merged);
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
        let batches = ReducedWindow { reduced, f, inverse, keep, window, slide: usable(self, slide) };
        let put_on = PutOn {
            name: NAME,
            partitioner,
            initial: None,
            timeout: None,
            // A window can be made again of the batches it retains.
            needs_directory: false,
            saved_each: default_interval,
        };
        let windowed = put_on.graph(self.graph(), batches).pairs();
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

/// The reduced batches that leave a window and enter it.
struct ReducedWindow<K: Key, V: Data> {
    reduced: DStream<(K, V)>,
    f: Merge<V>,
    inverse: Merge<V>,
    keep: Option<Keep<K, V>>,
    window: Duration,
    slide: Duration,
}

impl<K: Key, V: Data> Batches<(K, V), K, V, ()> for ReducedWindow<K, V> {
    fn parent(&self) -> &DStream<(K, V)> {
        &self.reduced
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    /// The batches that have left since the window before, those that have entered; between them one without partitions.
    ///
    /// If there was no window before, all that are in the window enter it: what leaves later must have entered.
    fn inputs(&self, batch: Time, before: Option<Time>) -> Result<Option<Vec<AnyRdd>>> {
        let begin = batch - self.window;
        let mut inputs = Vec::new();
        if let Some(before) = before {
            let left = self.reduced.rdds_after(before - self.window, begin.min(before))?;
            inputs.extend(left.iter().map(Rdd::any));
        }
        inputs.push(self.reduced.context().empty_rdd::<(K, V)>().any());
        let entered = self.reduced.rdds_after(before.map_or(begin, |before| before.max(begin)), batch)?;
        inputs.extend(entered.iter().map(Rdd::any));
        Ok(Some(inputs))
    }

    fn batch(&self, inputs: Vec<AnyRdd>, _: Time) -> Result<Batch<K, V, ()>> {
        let from = inputs.clone();
        let mut left: Vec<Rdd<(K, V)>> = all(inputs)?;
        let between = left.iter().position(|rdd| rdd.num_partitions() == 0);
        let entered = left.split_off(between.unwrap_or(left.len()));
        let (f, inverse, keep) = (Arc::clone(&self.f), Arc::clone(&self.inverse), self.keep.clone());
        let read = move |partition, task: &TaskContext| {
            let slid = Slid {
                // As in Spark: what leaves is merged first and then taken out at once; then what enters is merged in at once.
                left: merged(&left, &*f, partition, task)?.into_entries(),
                entered: merged(&entered, &*f, partition, task)?.into_entries(),
            };
            let (f, inverse, keep) = (Arc::clone(&f), Arc::clone(&inverse), keep.clone());
            let apply: Apply<K, V, ()> = Box::new(move |step| {
                slid.apply(step, &*f, &*inverse, keep.as_ref())?;
                Ok(Vec::new())
            });
            Ok(apply)
        };
        Ok(Batch { from, read: Box::new(read) })
    }

    fn reaches_back(&self) -> Duration {
        self.window
    }
}

/// Merges a partition of several batches; each key occurs once in each.
fn merged<K: Key, V: Data>(
    batches: &[Rdd<(K, V)>],
    f: &dyn Fn(V, V) -> V,
    partition: usize,
    task: &TaskContext,
) -> millstream_core::Result<CombineTable<K, V>> {
    let mut table = CombineTable::new();
    for batch in batches.iter().filter(|batch| batch.num_partitions() > 0) {
        stream::drain(batch.stream(partition, task)?, |chunk| {
            chunk.for_each(|(key, value)| {
                table.merge(pinned_hash(key), key.clone(), value.clone(), |value| value, f);
            });
            Ok(())
        })?;
    }
    Ok(table)
}

/// What leaves a partition of a window and enters it, merged by key.
struct Slid<K, V> {
    left: Vec<(u64, K, V)>,
    entered: Vec<(u64, K, V)>,
}

impl<K: Key, V: Data> Slid<K, V> {
    fn apply(
        self,
        step: &mut Step<'_, K, V>,
        f: &dyn Fn(V, V) -> V,
        inverse: &dyn Fn(V, V) -> V,
        keep: Option<&Keep<K, V>>,
    ) -> millstream_core::Result<()> {
        let mut touched = Vec::new();
        let known = |step: &mut Step<'_, K, V>, hash, key: &K| -> millstream_core::Result<_> {
            let Some(at) = step.find(hash, key)? else { return Ok(None) };
            Ok(step.get(at)?.1.map(|value| (at, value.clone())))
        };
        for (hash, key, value) in self.left {
            // A key that was not held on to has nothing of which its values could be taken out.
            if let Some((at, window)) = known(step, hash, &key)? {
                step.set(at, Some(inverse(window, value)))?;
                touched.push(at);
            }
        }
        for (hash, key, value) in self.entered {
            let at = match known(step, hash, &key)? {
                Some((at, window)) => {
                    step.set(at, Some(f(window, value)))?;
                    at
                }
                None => step.put(hash, key, value)?,
            };
            touched.push(at);
        }
        if let Some(keep) = keep {
            for at in touched {
                if let (key, Some(value)) = step.get(at)?
                    && !keep(key, value)
                {
                    step.set(at, None)?;
                }
            }
        }
        Ok(())
    }
}
