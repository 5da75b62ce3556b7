//! `map_partitions`, `map_partitions_with_index`: work on a whole partition.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::stream::{self, ChunkStream, Failure, Records};

const INSTEAD: &str = "map_partitions_env(values, |values, records| ..)";
const INDEXED_INSTEAD: &str = "map_partitions_with_index_env(values, |values, index, records| ..)";

impl<T: Data> Rdd<T> {
    /// Makes records of a whole partition, read and written lazily.
    ///
    /// Called once per partition, also for an empty one: the place to open what many records share.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sums = context.parallelize(1..=4, 2).map_partitions(|records| [records.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [3, 7]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<U: Data, I>(&self, f: impl Fn(Records<T>) -> I + Send + Sync + 'static) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        self.per_partition(Form::new(Method::or("map_partitions", INSTEAD)), move |(), input, _| {
            let (records, failure) = Records::new(input);
            Ok(results(f(records), failure))
        })
    }

    /// Makes records of a whole partition and of values that go along to the workers; each call gets a clone of them.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=4, 2);
    /// let products = numbers.map_partitions_env(10, |factor, records| records.map(move |n| n * factor));
    /// assert_eq!(products.collect()?, [10, 20, 30, 40]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_env<E: Data, U: Data, I>(
        &self,
        env: E,
        f: impl Fn(E, Records<T>) -> I + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let form = Form { name: Method::or("map_partitions_env", INSTEAD), env, keeps_keys: false };
        self.per_partition(form, move |env, input, _| {
            let (records, failure) = Records::new(input);
            Ok(results(f(env.clone(), records), failure))
        })
    }
}

impl<T: Data> Rdd<T> {
    /// Makes records of a whole partition and its number, counted from 0.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbered = context.parallelize(['a', 'b', 'c'], 2).map_partitions_with_index(|at, records| {
    ///     records.map(move |c| (at, c))
    /// });
    /// assert_eq!(numbered.collect()?, [(0, 'a'), (1, 'b'), (1, 'c')]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "mapPartitionsWithSplit")]
    #[track_caller]
    pub fn map_partitions_with_index<U: Data, I>(
        &self,
        f: impl Fn(usize, Records<T>) -> I + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        self.per_partition(
            Form::new(Method::or("map_partitions_with_index", INDEXED_INSTEAD)),
            move |(), input, partition| {
                let (records, failure) = Records::new(input);
                Ok(results(f(partition, records), failure))
            },
        )
    }

    /// Makes records of a whole partition, its number and values that go along to the workers; each call gets a clone of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=4, 2);
    /// let shifted = numbers.map_partitions_with_index_env(10, |step, at, records| {
    ///     records.map(move |n| n + step * at as i32)
    /// });
    /// assert_eq!(shifted.collect()?, [1, 2, 13, 14]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_with_index_env<E: Data, U: Data, I>(
        &self,
        env: E,
        f: impl Fn(E, usize, Records<T>) -> I + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let form = Form {
            name: Method::or("map_partitions_with_index_env", INDEXED_INSTEAD),
            env,
            keeps_keys: false,
        };
        self.per_partition(form, move |env, input, partition| {
            let (records, failure) = Records::new(input);
            Ok(results(f(env.clone(), partition, records), failure))
        })
    }
}

/// What a closure makes of the records of a partition, up to the failure that ended them.
pub(crate) fn results<U: Data, I>(made: I, failure: Failure) -> ChunkStream<U>
where
    I: IntoIterator<Item = U>,
    I::IntoIter: 'static,
{
    let mut results = made.into_iter();
    stream::from_fn(move || {
        let chunk: Vec<U> = results.by_ref().take(CHUNK).collect();
        failure.check()?;
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    })
}
