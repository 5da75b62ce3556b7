//! `get_persistent_rdds`, `get_rdd_storage_info`: which RDDs are persisted, and what of them lies where.

use std::collections::BTreeMap;

use super::Context;
use crate::ids::RddId;
use crate::rdd::AnyRdd;
use crate::storage::RddStorageInfo;

impl Context {
    /// Returns the RDDs that are persisted, by their numbers; whether anything of them is kept yet or not.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..10, 2).persist();
    /// assert!(context.get_persistent_rdds().contains_key(&numbers.id()));
    /// numbers.unpersist();
    /// assert!(context.get_persistent_rdds().is_empty());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_persistent_rdds(&self) -> BTreeMap<RddId, AnyRdd> {
        self.persisted().all()
    }

    /// Returns of which RDDs partitions are kept, how many, and how much memory and disk they take.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..1000_u64, 4).set_name("numbers").persist();
    /// assert!(context.get_rdd_storage_info().is_empty(), "nothing was computed yet");
    /// numbers.count()?;
    /// let info = &context.get_rdd_storage_info()[0];
    /// assert_eq!((info.name.as_str(), info.num_partitions, info.num_cached_partitions), ("numbers", 4, 4));
    /// assert_eq!((info.memory_size, info.disk_size), (8000, 0));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_rdd_storage_info(&self) -> Vec<RddStorageInfo> {
        let info = |(id, rdd): (RddId, AnyRdd)| {
            let sizes = rdd.cache().sizes();
            (sizes.partitions > 0).then(|| RddStorageInfo {
                id,
                name: rdd.info().name().unwrap_or_else(|| rdd.info().operator.name.to_string()),
                storage_level: rdd.cache().level(),
                num_partitions: rdd.partitions(),
                num_cached_partitions: sizes.partitions,
                memory_size: sizes.memory,
                disk_size: sizes.disk,
            })
        };
        self.get_persistent_rdds().into_iter().filter_map(info).collect()
    }
}
