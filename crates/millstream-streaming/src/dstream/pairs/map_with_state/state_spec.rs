//! `StateSpec`: what `map_with_state` does with the records of a key and its state.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Data, Key, Partitioner, Rdd, Result};

use super::state::{Now, State};
use crate::state::Step;
use crate::time::Time;

/// Applies the function to the records of a partition and to the states that time out; gives what they are mapped to.
pub(super) type Kernel<K, V, S, U> =
    Arc<dyn Fn(Time, Vec<(K, V)>, Option<Duration>, &mut Step<'_, K, S>) -> Result<Vec<U>> + Send + Sync>;

/// What [`map_with_state`](crate::DStream::map_with_state) does: a function, and how the states are kept.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_streaming::StateSpec;
///
/// let spec = StateSpec::function(|user: &String, clicks: Option<u32>, state| {
///     let sum = state.get_option().copied().unwrap_or(0) + clicks.unwrap_or(0);
///     if state.is_timing_out() {
///         return format!("{user} is gone after {sum}");
///     }
///     state.update(sum);
///     format!("{user}: {sum}")
/// });
/// let spec = spec.timeout(Duration::from_secs(600)).num_partitions(4);
/// # drop(spec);
/// ```
#[must_use]
pub struct StateSpec<K: Key, V: Data, S: Data, U: Data> {
    pub(super) kernel: Kernel<K, V, S, U>,
    pub(super) partitioner: Option<Partitioner<K>>,
    pub(super) initial: Option<Rdd<(K, S)>>,
    pub(super) timeout: Option<Duration>,
}

impl<K: Key, V: Data, S: Data, U: Data> StateSpec<K, V, S, U> {
    /// Calls `f` with each record's key and value and the state of the key; what it returns is put out.
    ///
    /// A state that times out comes once more, without a value.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let largest = StateSpec::function(|key: &char, n, state| {
    ///     let largest = n.max(state.get_option().copied());
    ///     state.update(largest.unwrap_or(0));
    ///     (*key, largest)
    /// });
    /// check(
    ///     batches![[('a', 2)], [('a', 1)]],
    ///     |pairs| pairs.map_with_state(largest).stream(),
    ///     batches![[('a', Some(2))], [('a', Some(2))]],
    /// );
    /// ```
    pub fn function<F>(f: F) -> Self
    where
        F: Fn(&K, Option<V>, &mut State<'_, S>) -> U + Send + Sync + 'static,
    {
        Self::function_with(move |_, key, value, state| Some(f(key, value, state)))
    }

    /// Calls `f` with the batch time as well; what it returns is put out, if it is something.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// // The first batch of each key, once.
    /// let first = StateSpec::function_with(|time, key: &char, _: Option<i32>, state| {
    ///     let is_new = !state.exists();
    ///     state.update(time.as_millis());
    ///     is_new.then_some((*key, time.as_millis()))
    /// });
    /// check(
    ///     batches![[('a', 2)], [('a', 1), ('b', 1)]],
    ///     |pairs| pairs.map_with_state(first).stream(),
    ///     batches![[('a', 1000)], [('b', 2000)]],
    /// );
    /// ```
    pub fn function_with<F>(f: F) -> Self
    where
        F: Fn(Time, &K, Option<V>, &mut State<'_, S>) -> Option<U> + Send + Sync + 'static,
    {
        StateSpec {
            kernel: Arc::new(move |time, records, timeout, step| run(&f, time, records, timeout, step)),
            partitioner: None,
            initial: None,
            timeout: None,
        }
    }

    /// Begins with the states of `initial`, as if they were touched in the first batch.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![[('a', 2)]],
    ///     |pairs| {
    ///         let known = pairs.context().parallelize([('a', 40)], 1);
    ///         let sum = StateSpec::function(|_, n: Option<i32>, state| {
    ///             let sum = state.get_option().unwrap_or(&0) + n.unwrap_or(0);
    ///             state.update(sum);
    ///             sum
    ///         });
    ///         pairs.map_with_state(sum.initial_state(known)).stream()
    ///     },
    ///     batches![[42]],
    /// );
    /// ```
    pub fn initial_state(self, initial: Rdd<(K, S)>) -> Self {
        StateSpec { initial: Some(initial), ..self }
    }

    /// Spreads the states over a number of partitions; by default as many as `spark.default.parallelism` says.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::StateSpec;
    ///
    /// let spec = StateSpec::function(|key: &char, n: Option<i32>, state| {
    ///     state.update(n);
    ///     *key
    /// });
    /// let keys = driver.input(batches![[('a', 1), ('b', 1)]]).map_with_state(spec.num_partitions(3));
    /// let partitions = driver.collect(&keys.glom());
    /// driver.run(1)?;
    /// assert_eq!(partitions.batches()[0].len(), 3);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn num_partitions(self, partitions: usize) -> Self {
        self.partitioner(partitions)
    }

    /// Spreads the states by a partitioner.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_core::Partitioner;
    /// use millstream_streaming::StateSpec;
    ///
    /// let spec = StateSpec::function(|n: &i32, value: Option<char>, state| {
    ///     state.update(value);
    ///     *n
    /// });
    /// let by_size = Partitioner::custom_env(2, 100, |limit, n: &i32| usize::from(n >= limit));
    /// let numbers = driver.input(batches![[(100, 'a'), (5, 'b')]]).map_with_state(spec.partitioner(by_size));
    /// let partitions = driver.collect(&numbers.glom());
    /// driver.run(1)?;
    /// assert_eq!(partitions.batches(), [[[5], [100]]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn partitioner(self, partitioner: impl Into<Partitioner<K>>) -> Self {
        StateSpec { partitioner: Some(partitioner.into()), ..self }
    }

    /// Removes a state when its key had no record for this long: in the first batch whose time is so much later than that of
    /// the last record, after one more call of the function.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| if let Some(n) = n { state.update(n) });
    /// check(
    ///     batches![[('a', 1)]],
    ///     |pairs| pairs.map_with_state(spec.timeout(Duration::from_secs(2))).state_snapshots(),
    ///     batches![[('a', 1)], [('a', 1)], [], []],
    /// );
    /// ```
    pub fn timeout(self, idle: Duration) -> Self {
        StateSpec { timeout: Some(idle), ..self }
    }
}

#[cfg(test)]
impl<K: Key, V: Data, S: Data, U: Data> StateSpec<K, V, S, U> {
    /// Does what a batch does with the records of a partition.
    pub(crate) fn run(&self, time: Time, records: Vec<(K, V)>, step: &mut Step<'_, K, S>) -> Result<Vec<U>> {
        (self.kernel)(time, records, self.timeout, step)
    }
}

/// How many records are looked up at once.
const LOOKED_UP: usize = 64;

fn run<K: Key, V, S: Data, U>(
    f: &impl Fn(Time, &K, Option<V>, &mut State<'_, S>) -> Option<U>,
    time: Time,
    records: Vec<(K, V)>,
    timeout: Option<Duration>,
    step: &mut Step<'_, K, S>,
) -> Result<Vec<U>> {
    let mut mapped = Vec::new();
    let mut records = records.into_iter();
    let mut some = Vec::with_capacity(LOOKED_UP);
    while !records.as_slice().is_empty() {
        // What is looked up for many records in turn waits for memory once for all of them: for the slots, for keys, for states.
        for (key, value) in records.by_ref().take(LOOKED_UP) {
            let hash = pinned_hash(&key);
            step.prefetch(hash);
            some.push((hash, None, key, value));
        }
        for (hash, found, key, _) in &mut some {
            *found = step.find(*hash, key)?;
        }
        for (hash, found, key, value) in some.drain(..) {
            // It may have come with a record just before.
            let at = if found.is_none() { step.find(hash, &key)? } else { found };
            let before = match at {
                Some(at) => step.get(at)?.1,
                None => None,
            };
            let existed = before.is_some();
            let mut state = State::of(before);
            mapped.extend(f(time, &key, Some(value), &mut state));
            match (state.now(), at) {
                (Now::Updated(state), Some(at)) => step.set(at, Some(state))?,
                (Now::Updated(state), None) => _ = step.put(hash, key, state)?,
                (Now::Removed, Some(at)) => step.set(at, None)?,
                (Now::Same, Some(at)) if existed => step.touch(at),
                (Now::Removed | Now::Same, _) => {}
            }
        }
    }
    if let Some(timeout) = timeout {
        for at in step.idle((time - timeout).as_millis()) {
            let (key, state) = step.get(at)?;
            mapped.extend(f(time, key, None, &mut State::timing_out(state)));
            step.set(at, None)?;
        }
    }
    Ok(mapped)
}
