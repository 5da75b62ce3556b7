//! `update_state_by_key`: a state per key, made anew in each batch of the one before and of the key's new values.

use std::sync::Arc;

use millstream_core::rdd::AnyRdd;
use millstream_core::shuffle::CombineTable;
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Data, Error as CoreError, Key, Partitioner, Rdd, stream};

use crate::dstream::DStream;
use crate::dstream::node::only;
use crate::error::Result;
use crate::recovery::states::default_interval;
use crate::state::step::{Apply, Batch, Batches};
use crate::state::{PutOn, Step};
use crate::time::Time;

/// How the states of [`update_state_by_key_with`](DStream::update_state_by_key_with) are kept.
#[derive(Clone)]
#[non_exhaustive]
pub struct UpdateOptions<K: Key, S: Data> {
    /// How they are spread; by default by hash, over as many partitions as `spark.default.parallelism` says.
    pub partitioner: Option<Partitioner<K>>,
    /// What the first batch begins with; by default nothing.
    pub initial_state: Option<Rdd<(K, S)>>,
}

impl<K: Key, S: Data> Default for UpdateOptions<K, S> {
    fn default() -> Self {
        UpdateOptions { partitioner: None, initial_state: None }
    }
}

impl<K: Key, S: Data> UpdateOptions<K, S> {
    /// Spreads the states by a partitioner or over a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::UpdateOptions;
    ///
    /// let sum = |_, _: &char, new: Vec<i32>, sum: Option<i32>| Some(new.iter().sum::<i32>() + sum.unwrap_or(0));
    /// let sums = driver
    ///     .input(batches![[('a', 1), ('a', 2)]])
    ///     .update_state_by_key_with(sum, UpdateOptions::default().partitioner(3));
    /// let partitions = driver.collect(&sums.glom());
    /// driver.run(1)?;
    /// assert_eq!(partitions.batches()[0].len(), 3);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn partitioner(self, partitioner: impl Into<Partitioner<K>>) -> Self {
        UpdateOptions { partitioner: Some(partitioner.into()), ..self }
    }

    /// Begins with these states.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::UpdateOptions;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 2)]],
    ///     |pairs| {
    ///         let known = pairs.context().parallelize([('a', 40)], 1);
    ///         pairs.update_state_by_key_with(
    ///             |_, _, new, sum| Some(new.iter().sum::<i32>() + sum.unwrap_or(0)),
    ///             UpdateOptions::default().initial_state(known),
    ///         )
    ///     },
    ///     batches![[('a', 42)]],
    /// );
    /// ```
    #[must_use]
    pub fn initial_state(self, initial_state: Rdd<(K, S)>) -> Self {
        UpdateOptions { initial_state: Some(initial_state), ..self }
    }
}

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Gives each key a new state in each batch: `f` gets the key's values in the batch and its state.
    ///
    /// Called for every key that has a state, also for those without values; a key for which it returns `None` leaves. A batch
    /// costs all keys that have a state: where few of them change, [`map_with_state`](DStream::map_with_state) costs less. What a restart
    /// passes over is no batch (`millstream.streaming.catchUp`).
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[('a', 1), ('a', 2)], [('b', 5)], []],
    ///     |pairs| pairs.update_state_by_key(|new, sum| Some(new.iter().sum::<i32>() + sum.unwrap_or(0))),
    ///     batches![[('a', 3)], [('a', 3), ('b', 5)], [('a', 3), ('b', 5)]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key<S: Data>(
        &self,
        f: impl Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        self.update_state_by_key_with(move |_, _, values, state| f(values, state), UpdateOptions::default())
    }

    /// Gives each key a new state like [`update_state_by_key`](DStream::update_state_by_key): `f` gets the batch time and the
    /// key as well, and the options say how states are spread and what the first batch begins with.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::{Time, UpdateOptions};
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 1)], [('b', 2)]],
    ///     |pairs| {
    ///         let five = pairs.context().parallelize([('a', 5)], 1);
    ///         pairs.update_state_by_key_with(
    ///             |time, _, new, sum| Some(new.into_iter().sum::<i64>() + sum.unwrap_or(time.as_millis())),
    ///             UpdateOptions::default().partitioner(1).initial_state(five),
    ///         )
    ///     },
    ///     batches![[('a', 6)], [('a', 6), ('b', 2002)]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key_with<S: Data>(
        &self,
        f: impl Fn(Time, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
        options: UpdateOptions<K, S>,
    ) -> DStream<(K, S)> {
        self.updated(options, move |time, _, grouped, step| {
            step.replace(grouped, |key, values, state| f(time, key, values.unwrap_or_default(), state))
        })
    }

    /// Gives the keys of each partition new states: `f` gets the batch time and each key with its values and its state, and
    /// returns the keys that have a state from now on.
    ///
    /// Costs a copy of all keys and states. Where a key is returned more than once the first state counts. A key must lie in the
    /// partition it is returned for, or the batch fails.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::UpdateOptions;
    /// use millstream_streaming::testing::{batches, check_unordered};
    /// check_unordered(
    ///     batches![[('a', 1), ('b', 2)], [('a', 5)]],
    ///     |pairs| {
    ///         pairs.update_state_by_key_partitions(
    ///             |_, keys| keys.map(|(key, new, sum)| (key, new.iter().sum::<i32>() + sum.unwrap_or(0))),
    ///             UpdateOptions::default(),
    ///         )
    ///     },
    ///     batches![[('a', 1), ('b', 2)], [('a', 6), ('b', 2)]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key_partitions<S: Data, I: IntoIterator<Item = (K, S)>>(
        &self,
        f: impl Fn(Time, std::vec::IntoIter<(K, Vec<V>, Option<S>)>) -> I + Send + Sync + 'static,
        options: UpdateOptions<K, S>,
    ) -> DStream<(K, S)> {
        let partitioner = self.partitioner_of(&options);
        self.updated(options, move |time, partition, grouped, step| {
            let mut new: CombineTable<K, (Vec<V>, Option<S>)> = CombineTable::new();
            step.each(|key, state| {
                new.entry(pinned_hash(key), key.clone(), Default::default).1 = Some(state.clone());
            })?;
            for (hash, key, values) in grouped {
                new.entry(hash, key, Default::default).0 = values;
            }
            let entries = new.into_entries().into_iter().map(|(_, key, (values, state))| (key, values, state));
            let entries: Vec<_> = entries.collect();
            let mut returned: CombineTable<K, S> = CombineTable::new();
            for (key, state) in f(time, entries.into_iter()) {
                let hash = pinned_hash(&key);
                if partitioner.partition(&key, hash) != partition {
                    return Err(CoreError::user(
                        "the function returned a key that belongs to another partition; return only keys that it was given",
                    ));
                }
                returned.entry(hash, key, || state);
            }
            step.replace(returned.into_entries(), |_, new, _| new)
        })
    }

    fn partitioner_of<S: Data>(&self, options: &UpdateOptions<K, S>) -> Partitioner<K> {
        options.partitioner.clone().unwrap_or_else(|| self.context().default_parallelism().into())
    }

    #[track_caller]
    fn updated<S: Data>(
        &self,
        options: UpdateOptions<K, S>,
        update: impl Fn(Time, usize, Grouped<K, V>, &mut Step<'_, K, S>) -> millstream_core::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> DStream<(K, S)> {
        let partitioner = self.partitioner_of(&options);
        let batches =
            Groups { parent: self.clone(), partitioner: partitioner.clone(), update: Arc::new(update) };
        let put_on = PutOn {
            name: "update_state_by_key",
            partitioner,
            initial: options.initial_state,
            timeout: None,
            needs_directory: true,
            saved_each: default_interval,
        };
        put_on.graph(self.graph(), batches).pairs()
    }
}

/// The values of each key of a partition, with the key's hash.
type Grouped<K, V> = Vec<(u64, K, Vec<V>)>;

/// Gives the keys of a partition new states.
type Update<K, V, S> =
    Arc<dyn Fn(Time, usize, Grouped<K, V>, &mut Step<'_, K, S>) -> millstream_core::Result<()> + Send + Sync>;

/// The values of each key of the parent, spread like the states.
struct Groups<K: Key, V: Data, S: Data> {
    parent: DStream<(K, V)>,
    partitioner: Partitioner<K>,
    update: Update<K, V, S>,
}

impl<K: Key, V: Data, S: Data> Batches<(K, V), K, S, ()> for Groups<K, V, S> {
    fn parent(&self) -> &DStream<(K, V)> {
        &self.parent
    }

    fn batch(&self, inputs: Vec<AnyRdd>, batch: Time) -> Result<Batch<K, S, ()>> {
        let groups = only::<(K, V)>(inputs)?.group_by_key_with(self.partitioner.clone());
        let (update, from) = (Arc::clone(&self.update), vec![groups.any()]);
        let read = move |partition, task: &_| {
            let mut grouped = Vec::new();
            if groups.num_partitions() > 0 {
                stream::drain(groups.stream(partition, task)?, |chunk| {
                    let pairs = chunk.into_vec().into_iter();
                    grouped.extend(pairs.map(|(key, values)| (pinned_hash(&key), key, values)));
                    Ok(())
                })?;
            }
            let update = Arc::clone(&update);
            let apply: Apply<K, S, ()> = Box::new(move |step| {
                update(batch, partition, grouped, step)?;
                Ok(Vec::new())
            });
            Ok(apply)
        };
        Ok(Batch { from, read: Box::new(read) })
    }
}
