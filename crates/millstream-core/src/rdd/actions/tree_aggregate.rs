//! `tree_aggregate`, `tree_reduce`: merge the results of many partitions in the tasks, level by level.

use std::panic::Location;

use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::map_partitions::results;
use crate::rdd::method::Method;
use crate::rdd::narrow::Form;
use crate::stream::Records;

/// Spark's.
const DEPTH: usize = 2;

const INSTEAD: &str =
    "tree_aggregate_env(values, zero, |values, sum, record| .., |values, first, second| .., depth)";
const REDUCE_INSTEAD: &str = "tree_reduce_env(values, |values, first, second| .., depth)";

impl<T: Data> Rdd<T> {
    /// Aggregates like [`aggregate`](Rdd::aggregate), but merges the results of the partitions in two levels, the first in
    /// tasks.
    ///
    /// For many partitions with large results, which would all arrive here at once. `zero` must be neutral; `merge` must not
    /// care for the order.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sum = context.parallelize(1..=100, 20).tree_aggregate(0, |sum, n| sum + n, |a, b| a + b)?;
    /// assert_eq!(sum, 5050);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_aggregate<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Clone + Send + Sync + 'static,
    ) -> Result<U> {
        self.tree_aggregate_with(zero, add, merge, DEPTH)
    }

    /// Aggregates like [`tree_aggregate`](Rdd::tree_aggregate), in `depth` levels, all but the last in tasks.
    ///
    /// # Errors
    /// If `depth` is 0, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sum = context.parallelize(1..=100, 20).tree_aggregate_with(0, |sum, n| sum + n, |a, b| a + b, 3)?;
    /// assert_eq!(sum, 5050);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_aggregate_with<U: Data>(
        &self,
        zero: U,
        add: impl Fn(U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(U, U) -> U + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<U> {
        let add = move |(): &(), sum, record| add(sum, record);
        let merge = move |(): &(), first, second| merge(first, second);
        self.tree_aggregate_as("tree_aggregate", (), zero, add, merge, depth)
    }

    /// Aggregates like [`tree_aggregate_with`](Rdd::tree_aggregate_with), with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closures themselves may capture nothing there.
    ///
    /// # Errors
    /// If `depth` is 0, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=100, 20);
    /// let odd = numbers.tree_aggregate_env(2, 0, |two, odd, n| odd + n % two, |_, a, b| a + b, 3)?;
    /// assert_eq!(odd, 50);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_aggregate_env<E: Data, U: Data>(
        &self,
        env: E,
        zero: U,
        add: impl Fn(&E, U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(&E, U, U) -> U + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<U> {
        self.tree_aggregate_as("tree_aggregate_env", env, zero, add, merge, depth)
    }

    #[track_caller]
    fn tree_aggregate_as<E: Data, U: Data>(
        &self,
        name: &'static str,
        env: E,
        zero: U,
        add: impl Fn(&E, U, T) -> U + Send + Sync + 'static,
        merge: impl Fn(&E, U, U) -> U + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<U> {
        must_have_levels(name, Location::caller(), depth)?;
        let _composed = operator::composed(name);
        let method = Method::or(name, INSTEAD);
        let form = Form { name: method, env: (env.clone(), zero.clone()), keeps_keys: false };
        let parts = self.per_partition(form, move |(env, zero), input, _| {
            let (records, failure) = Records::new(input);
            let sum = records.fold(zero.clone(), |sum, record| add(env, sum, record));
            Ok(results([sum], failure))
        });
        let parts = merge_levels(method, parts, env.clone(), merge.clone(), depth);
        parts.aggregate_as(method, env, zero, merge.clone(), merge)
    }

    /// Merges all records like [`reduce`](Rdd::reduce), but the results of the partitions in two levels, the first in tasks.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=100, 20).tree_reduce(|a, b| a + b)?, Some(5050));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_reduce(&self, f: impl Fn(T, T) -> T + Clone + Send + Sync + 'static) -> Result<Option<T>> {
        self.tree_reduce_with(f, DEPTH)
    }

    /// Merges all records like [`tree_reduce`](Rdd::tree_reduce), in `depth` levels, all but the last in tasks.
    ///
    /// # Errors
    /// If `depth` is 0, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=100, 20).tree_reduce_with(|a, b| a + b, 3)?, Some(5050));
    /// assert_eq!(context.empty_rdd::<i32>().tree_reduce_with(|a, b| a + b, 3)?, None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_reduce_with(
        &self,
        f: impl Fn(T, T) -> T + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<Option<T>> {
        self.tree_reduce_as("tree_reduce", (), move |(): &(), first, second| f(first, second), depth)
    }

    /// Merges all records like [`tree_reduce_with`](Rdd::tree_reduce_with), with values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Errors
    /// If `depth` is 0, or a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sum = context.parallelize(1..=100, 20).tree_reduce_env(99, |most, a, b| (a + b).min(*most), 3)?;
    /// assert_eq!(sum, Some(99));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_reduce_env<E: Data>(
        &self,
        env: E,
        f: impl Fn(&E, T, T) -> T + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<Option<T>> {
        self.tree_reduce_as("tree_reduce_env", env, f, depth)
    }

    #[track_caller]
    fn tree_reduce_as<E: Data>(
        &self,
        name: &'static str,
        env: E,
        f: impl Fn(&E, T, T) -> T + Clone + Send + Sync + 'static,
        depth: usize,
    ) -> Result<Option<T>> {
        must_have_levels(name, Location::caller(), depth)?;
        let _composed = operator::composed(name);
        let (here, method) = (f.clone(), Method::or(name, REDUCE_INSTEAD));
        let form = Form { name: method, env: env.clone(), keeps_keys: false };
        let parts = self.per_partition(form, move |env, input, _| {
            let (records, failure) = Records::new(input);
            Ok(results(records.reduce(|first, second| here(env, first, second)), failure))
        });
        let parts = merge_levels(method, parts, env.clone(), f.clone(), depth);
        parts.reduce_as(method, env, f)
    }
}

/// Merges records until there are few enough partitions for the last level.
#[track_caller]
fn merge_levels<E: Data, U: Data>(
    method: Method,
    mut parts: Rdd<U>,
    env: E,
    merge: impl Fn(&E, U, U) -> U + Clone + Send + Sync + 'static,
    depth: usize,
) -> Rdd<U> {
    let mut partitions = parts.num_partitions();
    // How many are merged into one: as many levels of it as asked for lead to one.
    let scale = (partitions as f64).powf(1.0 / depth as f64).ceil().max(2.0) as usize;
    while partitions > scale + partitions.div_ceil(scale) {
        partitions /= scale;
        let spread = parts.map_partitions_with_index_env(partitions, |partitions, at, records| {
            records.map(move |record| (at % partitions, record))
        });
        parts = spread.reduce_by_key_as(method, env.clone(), merge.clone(), partitions).values();
    }
    parts
}

fn must_have_levels(name: &'static str, place: &'static Location<'static>, depth: usize) -> Result<()> {
    if depth > 0 {
        return Ok(());
    }
    Err(Error::Argument {
        operator: operator::blamed(name, place).to_string(),
        problem: "results can not be merged in 0 levels".into(),
        remedy: "use a depth of at least 1; Spark's default is 2".into(),
    })
}
