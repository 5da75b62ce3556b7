//! `cogroup4`: the values of each key in four RDDs, side by side.

use super::cogroup3::the_one;
use crate::data::{Data, Key};
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;
use crate::shuffle::partitioner::Partitioner;

/// The values of one key in four RDDs.
pub type Grouped4<V, W, X, Y> = (Vec<V>, Vec<W>, Vec<X>, Vec<Y>);

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gathers, for each key of four RDDs, its values in each of them.
    ///
    /// All values of a key must fit in memory. Each RDD is moved once, or not at all where its keys are spread so already.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let [a, b, c, d] = [1, 2, 3, 4].map(|n| context.parallelize([('k', n)], 1));
    /// assert_eq!(a.cogroup4(&b, &c, &d).collect()?, [('k', (vec![1], vec![2], vec![3], vec![4]))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup4<W: Data, X: Data, Y: Data>(
        &self,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
        fourth: &Rdd<(K, Y)>,
    ) -> Rdd<(K, Grouped4<V, W, X, Y>)> {
        let parents = [self.spreading(), second.spreading(), third.spreading(), fourth.spreading()];
        self.cogroup4_with(second, third, fourth, Partitioner::default_of(self.context(), &parents))
    }

    /// Gathers the values of each key in four RDDs, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let [a, b, c, d] = [1, 2, 3, 4].map(|n| context.parallelize([('k', n)], 1));
    /// assert_eq!(a.cogroup4_with(&b, &c, &d, 5).num_partitions(), 5);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup4_with<W: Data, X: Data, Y: Data>(
        &self,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
        fourth: &Rdd<(K, Y)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, Grouped4<V, W, X, Y>)> {
        let _composed = operator::composed("cogroup4");
        let partitioner = partitioner.into();
        // Spread so already, what two of them make is not moved again.
        let first_two = self.cogroup_with(second, partitioner.clone());
        let last_two = third.cogroup_with(fourth, partitioner.clone());
        let form = Form { keeps_keys: true, ..Form::new("cogroup4") };
        first_two.cogroup_with(&last_two, partitioner).per_chunk(form, |(), chunk| {
            chunk.map(|(key, (first_two, last_two))| {
                let ((first, second), (third, fourth)) = (the_one(first_two), the_one(last_two));
                (key, (first, second, third, fourth))
            })
        })
    }
}
