//! `collect_async`, `count_async`, `take_async`, `foreach_async`, `foreach_partition_async`: actions on threads of their own.

use std::panic::Location;
use std::sync::Arc;

use super::Outcome;
use crate::data::Data;
use crate::error::Result;
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::method::Method;
use crate::scheduler::future_action::FutureAction;
use crate::stream::Records;

const EACH: Method = Method::or("foreach_async", "foreach_async_env(values, |values, record| ..)");
const PARTITION: Method =
    Method::or("foreach_partition_async", "foreach_partition_async_env(values, |values, records| ..)");

impl<T: Data> Rdd<T> {
    /// Counts the records on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=100, 2);
    /// let (all, even) = (numbers.count_async(), numbers.filter(|n| n % 2 == 0).count_async());
    /// assert_eq!((all.wait()?, even.wait()?), (100, 50));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn count_async(&self) -> FutureAction<u64> {
        self.start("count_async", Rdd::count)
    }

    /// Collects the records on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([3, 1, 2], 2).collect_async().wait()?, [3, 1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn collect_async(&self) -> FutureAction<Vec<T>> {
        self.start("collect_async", Rdd::collect)
    }

    /// Takes the first `n` records on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([3, 1, 2], 2).take_async(2).wait()?, [3, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn take_async(&self, n: usize) -> FutureAction<Vec<T>> {
        self.start("take_async", move |rdd| rdd.take(n))
    }

    /// Calls `f` with each record, in the tasks, and waits for them on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator(None);
    /// let adding = total.clone();
    /// context.parallelize(1..=4, 2).foreach_async(move |n| adding.add(n)).wait()?;
    /// assert_eq!(total.value(), 10);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_async<R: Outcome>(&self, f: impl Fn(T) -> R + Send + Sync + 'static) -> FutureAction<()> {
        self.start("foreach_async", move |rdd| rdd.foreach_as(EACH, (), move |(), record| f(record)))
    }

    /// Calls `f` with each record and with values that go along to the workers, and waits for the tasks on a thread of its
    /// own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let total = context.long_accumulator(None);
    /// context.parallelize(1..=4, 2).foreach_async_env(total.clone(), |total, n| total.add(n)).wait()?;
    /// assert_eq!(total.value(), 10);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_async_env<E: Data, R: Outcome>(
        &self,
        env: E,
        f: impl Fn(&E, T) -> R + Send + Sync + 'static,
    ) -> FutureAction<()> {
        self.start("foreach_async_env", move |rdd| rdd.foreach_as(EACH, env, f))
    }

    /// Calls `f` with the records of each partition, in the tasks, and waits for them on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sizes = context.collection_accumulator(None);
    /// let adding = sizes.clone();
    /// context.parallelize(0..5, 1).foreach_partition_async(move |part| adding.add(part.count())).wait()?;
    /// assert_eq!(sizes.value(), [5]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition_async<R: Outcome>(
        &self,
        f: impl Fn(Records<T>) -> R + Send + Sync + 'static,
    ) -> FutureAction<()> {
        self.start("foreach_partition_async", move |rdd| {
            rdd.foreach_partition_as(PARTITION, (), move |(), records| f(records))
        })
    }

    /// Calls `f` with the records of each partition and with values that go along to the workers, and waits for the tasks
    /// on a thread of its own.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sizes = context.collection_accumulator(None);
    /// let adding = sizes.clone();
    /// let done = context.parallelize(0..5, 1).foreach_partition_async_env(adding, |sizes, part| sizes.add(part.count()));
    /// done.wait()?;
    /// assert_eq!(sizes.value(), [5]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition_async_env<E: Data, R: Outcome>(
        &self,
        env: E,
        f: impl Fn(&E, Records<T>) -> R + Send + Sync + 'static,
    ) -> FutureAction<()> {
        self.start("foreach_partition_async_env", move |rdd| rdd.foreach_partition_as(PARTITION, env, f))
    }

    /// Runs an action of this RDD on a thread of its own, named after the caller's line.
    #[track_caller]
    fn start<R: Send + 'static>(
        &self,
        name: &'static str,
        action: impl FnOnce(&Rdd<T>) -> Result<R> + Send + 'static,
    ) -> FutureAction<R> {
        let operator = operator::blamed(name, Location::caller());
        let (rdd, named) = (self.clone(), Arc::clone(&operator));
        FutureAction::start(self.context(), &operator, move || operator::named(&named, || action(&rdd)))
    }
}
