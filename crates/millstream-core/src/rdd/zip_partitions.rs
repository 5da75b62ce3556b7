//! `zip_partitions`: work on the partitions of two to four RDDs side by side.

use super::Rdd;
use super::map_partitions::results;
use super::method::Method;
use super::side_by_side::SideBySide;
use crate::data::Data;
use crate::stream::Records;

const INSTEAD: &str = "zip_partitions_env(values, &other, |values, left, right| ..)";
const INSTEAD_3: &str = "zip_partitions3_env(values, &second, &third, |values, a, b, c| ..)";
const INSTEAD_4: &str = "zip_partitions4_env(values, &second, &third, &fourth, |values, a, b, c, d| ..)";

impl<T: Data> Rdd<T> {
    /// Makes records of each partition here and the partition of the same number in `other`.
    ///
    /// Both must have the same number of partitions; how many records are in them does not matter.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (left, right) = (context.parallelize([1, 2, 3], 2), context.parallelize([10, 20], 2));
    /// let sums = left.zip_partitions(&right, |left, right| [left.sum::<i32>() + right.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [11, 25]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions<U: Data, V: Data, I>(
        &self,
        other: &Rdd<U>,
        f: impl Fn(Records<T>, Records<U>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let both = (self.clone(), other.clone());
        zipped(both, Method::or("zip_partitions", INSTEAD), (), move |(), (left, right)| f(left, right))
    }

    /// Makes records of each partition here, the partition of the same number in `other`, and values that go along to the
    /// workers; each call gets a clone of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (left, right) = (context.parallelize([1, 2, 3], 2), context.parallelize([10, 20], 2));
    /// let sums = left.zip_partitions_env(100, &right, |base, left, right| {
    ///     [base + left.sum::<i32>() + right.sum::<i32>()]
    /// });
    /// assert_eq!(sums.collect()?, [111, 125]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions_env<E: Data, U: Data, V: Data, I>(
        &self,
        env: E,
        other: &Rdd<U>,
        f: impl Fn(E, Records<T>, Records<U>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let both = (self.clone(), other.clone());
        let method = Method::or("zip_partitions_env", INSTEAD);
        zipped(both, method, env, move |env, (left, right)| f(env.clone(), left, right))
    }

    /// Makes records of each partition here and the partitions of the same number in two others.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2, 3], 2);
    /// let counts = numbers.zip_partitions3(&numbers, &numbers, |a, b, c| [a.count() + b.count() + c.count()]);
    /// assert_eq!(counts.collect()?, [3, 6]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions3<U: Data, W: Data, V: Data, I>(
        &self,
        second: &Rdd<U>,
        third: &Rdd<W>,
        f: impl Fn(Records<T>, Records<U>, Records<W>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let all = (self.clone(), second.clone(), third.clone());
        zipped(all, Method::or("zip_partitions3", INSTEAD_3), (), move |(), (a, b, c)| f(a, b, c))
    }

    /// Makes records of each partition here, the partitions of the same number in two others, and values that go along to
    /// the workers; each call gets a clone of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2, 3], 2);
    /// let more = numbers.zip_partitions3_env(10, &numbers, &numbers, |base, a, b, c| [base + a.chain(b).chain(c).count()]);
    /// assert_eq!(more.collect()?, [13, 16]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions3_env<E: Data, U: Data, W: Data, V: Data, I>(
        &self,
        env: E,
        second: &Rdd<U>,
        third: &Rdd<W>,
        f: impl Fn(E, Records<T>, Records<U>, Records<W>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let all = (self.clone(), second.clone(), third.clone());
        let method = Method::or("zip_partitions3_env", INSTEAD_3);
        zipped(all, method, env, move |env, (a, b, c)| f(env.clone(), a, b, c))
    }

    /// Makes records of each partition here and the partitions of the same number in three others.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2, 3], 2);
    /// let firsts = numbers.zip_partitions4(&numbers, &numbers, &numbers, |a, b, c, d| {
    ///     [a, b, c, d].into_iter().filter_map(|mut records| records.next()).collect::<Vec<_>>()
    /// });
    /// assert_eq!(firsts.collect()?, [1, 1, 1, 1, 2, 2, 2, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions4<U: Data, W: Data, X: Data, V: Data, I>(
        &self,
        second: &Rdd<U>,
        third: &Rdd<W>,
        fourth: &Rdd<X>,
        f: impl Fn(Records<T>, Records<U>, Records<W>, Records<X>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let all = (self.clone(), second.clone(), third.clone(), fourth.clone());
        zipped(all, Method::or("zip_partitions4", INSTEAD_4), (), move |(), (a, b, c, d)| f(a, b, c, d))
    }

    /// Makes records of each partition here, the partitions of the same number in three others, and values that go along to
    /// the workers; each call gets a clone of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2, 3], 2);
    /// let large = numbers.zip_partitions4_env(2, &numbers, &numbers, &numbers, |least, a, b, c, d| {
    ///     a.chain(b).chain(c).chain(d).filter(move |n| *n > least)
    /// });
    /// assert_eq!(large.collect()?, [3, 3, 3, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions4_env<E: Data, U: Data, W: Data, X: Data, V: Data, I>(
        &self,
        env: E,
        second: &Rdd<U>,
        third: &Rdd<W>,
        fourth: &Rdd<X>,
        f: impl Fn(E, Records<T>, Records<U>, Records<W>, Records<X>) -> I + Send + Sync + 'static,
    ) -> Rdd<V>
    where
        I: IntoIterator<Item = V>,
        I::IntoIter: 'static,
    {
        let all = (self.clone(), second.clone(), third.clone(), fourth.clone());
        let method = Method::or("zip_partitions4_env", INSTEAD_4);
        zipped(all, method, env, move |env, (a, b, c, d)| f(env.clone(), a, b, c, d))
    }
}

#[track_caller]
fn zipped<P: SideBySide, E: Data, V: Data, I>(
    rdds: P,
    method: Method,
    env: E,
    f: impl Fn(&E, P::Records) -> I + Send + Sync + 'static,
) -> Rdd<V>
where
    I: IntoIterator<Item = V>,
    I::IntoIter: 'static,
{
    rdds.per_partitions(method, env, move |env, streams| {
        let (records, failure) = P::records(streams);
        Ok(results(f(env, records), failure))
    })
}
