//! `sort_by`: records in the order of a key that is made of them.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::data::Data;

const INSTEAD: &str = "sort_by_env(values, |values, record| ..)";
const WITH_INSTEAD: &str =
    "key_by_env(values, |values, record| ..).sort_by_key_with(ascending, partitions).values()";

impl<T: Data> Rdd<T> {
    /// Sorts the records by what `f` makes of them, smallest first, in as many partitions as there are; equal ones keep
    /// their order.
    ///
    /// Describing it runs a job, as in Spark: one pass that looks at some records to find ranges of about equal size. `f` is
    /// called once per record and pass.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["ccc", "a", "bb"].map(String::from), 2).sort_by(|word| word.len());
    /// assert_eq!(words.collect()?, ["a", "bb", "ccc"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by<K: Data + Ord>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<T> {
        let method = Method::or("sort_by", INSTEAD);
        self.sort_by_as(method, (), move |(), record| f(record), true, self.num_partitions())
    }

    /// Sorts the records by what `f` makes of them, the largest first unless `ascending`, in at most so many partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([3, 1, 2], 2).sort_by_with(|n| *n, false, 1);
    /// assert_eq!(numbers.collect()?, [3, 2, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_with<K: Data + Ord>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
        ascending: bool,
        partitions: usize,
    ) -> Rdd<T> {
        let method = Method::or("sort_by", WITH_INSTEAD);
        self.sort_by_as(method, (), move |(), record| f(record), ascending, partitions)
    }

    /// Sorts the records by what `f` makes of them and of values that go along to the workers, smallest first.
    ///
    /// For another direction or number of partitions make the keys first: [`key_by_env`](Rdd::key_by_env), then
    /// [`sort_by_key_with`](Rdd::sort_by_key_with) and [`values`](Rdd::values).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let near = context.parallelize([1_i32, 9, 4], 2).sort_by_env(5, |middle, n| (n - middle).abs());
    /// assert_eq!(near.collect()?, [4, 1, 9]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_env<E: Data, K: Data + Ord>(
        &self,
        env: E,
        f: impl Fn(&E, &T) -> K + Send + Sync + 'static,
    ) -> Rdd<T> {
        self.sort_by_as(Method::or("sort_by_env", INSTEAD), env, f, true, self.num_partitions())
    }

    #[track_caller]
    fn sort_by_as<E: Data, K: Data + Ord>(
        &self,
        method: Method,
        env: E,
        f: impl Fn(&E, &T) -> K + Send + Sync + 'static,
        ascending: bool,
        partitions: usize,
    ) -> Rdd<T> {
        let sorted = self.key_by_as(method, env, f).sorted_as("sort_by", ascending, partitions);
        sorted.per_chunk(Form::new("sort_by"), |(), chunk| chunk.map(|(_, record)| record))
    }
}
