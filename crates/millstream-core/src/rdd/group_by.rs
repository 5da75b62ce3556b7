//! `group_by`: all records of each key that is made of them.

use super::Rdd;
use super::method::Method;
use crate::data::{Data, Key};
use crate::operator;
use crate::shuffle::partitioner::Partitioner;

const INSTEAD: &str = "group_by_env(values, |values, record| ..)";
const WITH_INSTEAD: &str = "key_by_env(values, |values, record| ..).group_by_key_with(partitioner)";

impl<T: Data> Rdd<T> {
    /// Gathers the records for which `f` gives the same key, in the order of their partitions.
    ///
    /// All records of a key must fit in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut groups = context.parallelize(1..=5, 2).group_by(|n| n % 2).collect()?;
    /// groups.sort();
    /// assert_eq!(groups, [(0, vec![2, 4]), (1, vec![1, 3, 5])]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<K: Key>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, Vec<T>)> {
        let _composed = operator::composed("group_by");
        self.key_by_as(Method::or("group_by", INSTEAD), (), move |(), record| f(record)).group_by_key()
    }

    /// Gathers the records of each key, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let groups = context.parallelize(1..=3, 2).group_by_with(|_| 'k', 4);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (4, vec![('k', vec![1, 2, 3])]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_with<K: Key>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, Vec<T>)> {
        let _composed = operator::composed("group_by");
        let method = Method::or("group_by", WITH_INSTEAD);
        self.key_by_as(method, (), move |(), record| f(record)).group_by_key_with(partitioner)
    }

    /// Gathers the records of each key that is made of them and of values that go along to the workers.
    ///
    /// For another partitioner make the keys first: [`key_by_env`](Rdd::key_by_env), then
    /// [`group_by_key_with`](Rdd::group_by_key_with).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut groups = context.parallelize(1..=5, 2).group_by_env(2, |groups, n| n % groups).collect()?;
    /// groups.sort();
    /// assert_eq!(groups, [(0, vec![2, 4]), (1, vec![1, 3, 5])]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_env<E: Data, K: Key>(
        &self,
        env: E,
        f: impl Fn(&E, &T) -> K + Send + Sync + 'static,
    ) -> Rdd<(K, Vec<T>)> {
        let _composed = operator::composed("group_by_env");
        self.key_by_as(Method::or("group_by_env", INSTEAD), env, f).group_by_key()
    }
}
