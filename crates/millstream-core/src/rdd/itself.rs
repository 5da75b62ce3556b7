//! What an RDD says of itself, whatever its records are made of.

use std::sync::Arc;

use super::{AnyRdd, Rdd};
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::ids::RddId;
use crate::shuffle::partitioner::PartitionedBy;

impl<T: Data> Rdd<T> {
    /// Returns the context this RDD belongs to.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1, 2], 2);
    /// let more = numbers.context().parallelize([3], 1);
    /// assert_eq!(numbers.union(&more).collect()?, [1, 2, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "sparkContext")]
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.info.context
    }

    /// Returns the number of the RDD in its context.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (first, second) = (context.parallelize([1], 1), context.parallelize([1], 1));
    /// assert!(first.id() < second.id());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> RddId {
        self.0.info.id
    }

    /// Returns the number of partitions; a task is run for each.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..100, 4);
    /// assert_eq!((numbers.num_partitions(), numbers.coalesce(3).num_partitions()), (4, 3));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "getNumPartitions")]
    #[must_use]
    pub fn num_partitions(&self) -> usize {
        self.0.partitions
    }

    /// Returns the RDD with its record type forgotten.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let rdds = [context.parallelize([1, 2], 2).any(), context.parallelize(['a'], 1).any()];
    /// assert_eq!(rdds.map(|rdd| rdd.partitions()), [2, 1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn any(&self) -> AnyRdd {
        Arc::clone(&self.0) as AnyRdd
    }

    /// Returns the RDD with its record type remembered.
    ///
    /// # Errors
    /// If the records are of another type.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Rdd;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let numbers = context.parallelize([1, 2], 2).any();
    /// assert!(Rdd::<String>::from_any(numbers.clone()).is_err());
    /// assert_eq!(Rdd::<i32>::from_any(numbers)?.collect()?, [1, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn from_any(rdd: AnyRdd) -> Result<Self> {
        rdd.into_any().downcast().map(Rdd).map_err(|_| Error::Codec {
            what: format!("RDD of `{}`", std::any::type_name::<T>()),
            problem: "the graph of this process has another record type here; driver and executors must be the same \
                      program"
                .into(),
        })
    }

    /// Returns how keys are spread over the partitions, if that is known.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.partitioned_by(), None);
    /// let (summed, grouped) = (pairs.reduce_by_key_with(|a, _| a, 4), pairs.group_by_key_with(4));
    /// assert_eq!(summed.partitioned_by(), grouped.partitioned_by()); // a join moves neither
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn partitioned_by(&self) -> Option<PartitionedBy> {
        self.0.partitioned_by.clone()
    }
}
