//! `map_with_state`: map each record together with a state of its key.

mod state;
mod state_spec;

use std::ops::Deref;
use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Key, Partitioner, Rdd, stream};

pub use self::state::State;
use self::state_spec::Kernel;
pub use self::state_spec::StateSpec;
use crate::dstream::DStream;
use crate::dstream::node::only;
use crate::error::Result;
use crate::state::step::{Batch, Batches};
use crate::state::{PutOn, Versions};
use crate::time::Time;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Maps each record together with a state of its key, which the function of `spec` may look at, change and remove.
    ///
    /// The closure must name the types of key and value, because it is written before the stream is known.
    ///
    /// A batch costs the keys it touches, however many have a state. Of each partition, records come in their order, states that
    /// time out after them. [`state_snapshots`](MapWithStateDStream::state_snapshots) gives all states after each batch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![['a', 'b'], ['a'], ['b', 'a', 'a']],
    ///     |letters| {
    ///         let count = StateSpec::function(|letter: &char, one: Option<i32>, state| {
    ///             let count = state.get_option().copied().unwrap_or(0) + one.unwrap_or(0);
    ///             state.update(count);
    ///             (*letter, count)
    ///         });
    ///         letters.map(|letter| (letter, 1)).map_with_state(count).stream()
    ///     },
    ///     batches![[('a', 1), ('b', 1)], [('a', 2)], [('b', 2), ('a', 3), ('a', 4)]],
    /// );
    /// ```
    #[track_caller]
    pub fn map_with_state<S: Data, U: Data>(
        &self,
        spec: StateSpec<K, V, S, U>,
    ) -> MapWithStateDStream<K, S, U> {
        let partitioner = spec.partitioner.unwrap_or_else(|| self.context().default_parallelism().into());
        let batches = Spread {
            parent: self.clone(),
            partitioner: partitioner.clone(),
            kernel: spec.kernel,
            timeout: spec.timeout,
        };
        let put_on = PutOn {
            name: "map_with_state",
            partitioner,
            initial: spec.initial,
            timeout: spec.timeout,
            needs_directory: true,
            saved_each: ten_slides,
        };
        let versions = put_on.graph(self.graph(), batches);
        MapWithStateDStream { mapped: versions.mapped(), versions }
    }
}

/// How often the state is saved unless the program says so: as in Spark, where that differs from other operators.
fn ten_slides(slide: Duration) -> Duration {
    slide.saturating_mul(10)
}

/// What [`map_with_state`](DStream::map_with_state) puts out: a stream of what records are mapped to, with the states beside.
///
/// It can be used like the [`DStream`] it derefs to.
pub struct MapWithStateDStream<K: Key, S: Data, U: Data> {
    mapped: DStream<U>,
    versions: Versions<K, S, U>,
}

impl<K: Key, S: Data, U: Data> MapWithStateDStream<K, S, U> {
    /// Returns all keys that have a state, with it, after each batch.
    ///
    /// A reader costs all of them; a function that looks at them sees copies, which are made a few at a time.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[('a', 1), ('b', 1)], [('a', 5)]],
    ///     |pairs| pairs.map_with_state(StateSpec::function(|_, n, state| state.update(n.unwrap_or(0)))).state_snapshots(),
    ///     batches![[('a', 1), ('b', 1)], [('a', 5), ('b', 1)]],
    /// );
    /// ```
    #[track_caller]
    pub fn state_snapshots(&self) -> DStream<(K, S)> {
        self.versions.snapshots("state_snapshots", self.mapped.any())
    }

    /// Returns the stream of what records are mapped to.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 1)], [('a', 5)]],
    ///     |pairs| {
    ///         let mapped = pairs.map_with_state(StateSpec::function(|key, n, state| {
    ///             let before = state.get_option().copied();
    ///             state.update(n.unwrap_or(0));
    ///             (*key, before)
    ///         }));
    ///         mapped.stream()
    ///     },
    ///     batches![[('a', None)], [('a', Some(1))]],
    /// );
    /// ```
    #[must_use]
    pub fn stream(&self) -> DStream<U> {
        self.mapped.clone()
    }

    /// Names the operator, as [`DStream::uid`] does.
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::StateSpec;
    ///
    /// let pairs = driver.input(batches![[('a', 1)]]);
    /// let spec = StateSpec::function(|_, n, state| state.update(n.unwrap_or(0)));
    /// let kept = driver.collect(&pairs.map_with_state(spec).uid("clicks").state_snapshots());
    /// driver.run(1)?;
    /// assert_eq!(kept.batches(), [[('a', 1)]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn uid(self, name: impl Into<std::sync::Arc<str>>) -> Self {
        self.mapped.uid(name);
        self
    }
}

impl<K: Key, S: Data, U: Data> Deref for MapWithStateDStream<K, S, U> {
    type Target = DStream<U>;

    fn deref(&self) -> &DStream<U> {
        &self.mapped
    }
}

/// The records of the parent, spread like the states.
struct Spread<K: Key, V: Data, S: Data, U: Data> {
    parent: DStream<(K, V)>,
    partitioner: Partitioner<K>,
    kernel: Kernel<K, V, S, U>,
    timeout: Option<Duration>,
}

impl<K: Key, V: Data, S: Data, U: Data> Batches<(K, V), K, S, U> for Spread<K, V, S, U> {
    fn parent(&self) -> &DStream<(K, V)> {
        &self.parent
    }

    fn batch(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Batch<K, S, U>> {
        let records: Rdd<(K, V)> = only::<(K, V)>(inputs)?.partition_by(self.partitioner.clone());
        let (kernel, timeout, from) = (self.kernel.clone(), self.timeout, vec![records.any()]);
        let read = move |partition, task: &_| {
            let mut all = Vec::new();
            if records.num_partitions() > 0 {
                stream::drain(records.stream(partition, task)?, |chunk| {
                    all.append(&mut chunk.into_vec());
                    Ok(())
                })?;
            }
            let kernel = kernel.clone();
            let apply: crate::state::step::Apply<K, S, U> =
                Box::new(move |step| kernel(batch, all, timeout, step));
            Ok(apply)
        };
        Ok(Batch { from, read: Box::new(read) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use millstream_core::Conf;

    use super::StateSpec;
    use crate::testing::{Driver, batches};

    #[test]
    fn states_are_saved_as_often_as_in_spark() {
        let seconds = Duration::from_secs;
        for (slide, mapped, updated) in [(3, 30, 12), (1, 10, 10), (20, 200, 20)] {
            let driver = Driver::new(Conf::empty(), seconds(slide)).unwrap();
            let pairs = driver.input(batches![[(1, 1)]]);
            let spec = StateSpec::function(|_: &i32, n: Option<i32>, state| state.update(n.unwrap_or(0)));
            let _mapped = pairs.map_with_state(spec);
            let _updated = pairs.update_state_by_key(|_, state: Option<i32>| state);
            let graph = pairs.graph();
            let intervals = |reach| -> Vec<Duration> {
                let operators = graph.stateful().into_iter();
                operators.map(|operator| graph.checkpoint_interval(&*operator, seconds(reach))).collect()
            };
            assert_eq!(intervals(0), [seconds(mapped), seconds(updated)]);
            // Under a window of an hour.
            let in_window = seconds(450 / slide * slide);
            assert_eq!(intervals(3600), [in_window, in_window]);
        }
    }
}
