//! `cogroup3`: the values of each key in three RDDs, side by side.

use super::Grouped;
use crate::data::{Data, Key};
use crate::operator;
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;
use crate::shuffle::partitioner::Partitioner;

/// The values of one key in three RDDs.
pub type Grouped3<V, W, X> = (Vec<V>, Vec<W>, Vec<X>);

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Gathers, for each key of three RDDs, its values in each of them.
    ///
    /// All values of a key must fit in memory. Each RDD is moved once, or not at all where its keys are spread so already.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let [a, b, c] = [1, 2, 3].map(|n| context.parallelize([('k', n)], 1));
    /// assert_eq!(a.cogroup3(&b, &c).collect()?, [('k', (vec![1], vec![2], vec![3]))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup3<W: Data, X: Data>(
        &self,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
    ) -> Rdd<(K, Grouped3<V, W, X>)> {
        let parents = [self.spreading(), second.spreading(), third.spreading()];
        self.cogroup3_with(second, third, Partitioner::default_of(self.context(), &parents))
    }

    /// Gathers the values of each key in three RDDs, with a partitioner or a number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let [a, b, c] = [1, 2, 3].map(|n| context.parallelize([(n % 2, n)], 1));
    /// let all = a.cogroup3_with(&b, &c, 1).collect()?;
    /// assert_eq!(all, [(1, (vec![1], vec![], vec![3])), (0, (vec![], vec![2], vec![]))]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup3_with<W: Data, X: Data>(
        &self,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
        partitioner: impl Into<Partitioner<K>>,
    ) -> Rdd<(K, Grouped3<V, W, X>)> {
        let _composed = operator::composed("cogroup3");
        let partitioner = partitioner.into();
        // Spread so already, what two of them make is not moved again.
        let two = self.cogroup_with(second, partitioner.clone());
        let all = two.cogroup_with(third, partitioner);
        let form = Form { keeps_keys: true, ..Form::new("cogroup3") };
        all.per_chunk(form, |(), chunk| {
            chunk.map(|(key, (two, third))| {
                let (first, second) = the_one(two);
                (key, (first, second, third))
            })
        })
    }
}

/// Returns the one group of a key, or an empty one where it has none.
pub(super) fn the_one<V, W>(groups: Vec<Grouped<V, W>>) -> Grouped<V, W> {
    groups.into_iter().next().unwrap_or_default()
}
