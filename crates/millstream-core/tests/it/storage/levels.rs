//! Every level, with room enough and without.

use std::fs;
use std::sync::atomic::Ordering;

use super::*;

#[test]
fn what_fits_is_computed_once_and_lies_where_the_level_says() {
    for level in LEVELS {
        let scratch = Directory::new("fits");
        let context = with_budget(1 << 20, &scratch.0);
        let (rdd, computed) = kept(&context, level);
        for _ in 0..3 {
            assert_eq!(rdd.collect().unwrap(), expected(), "{level}");
        }
        assert_eq!(computed.load(Ordering::Relaxed), RECORDS, "{level}");
        let info = &context.get_rdd_storage_info()[0];
        assert_eq!((info.storage_level, info.num_cached_partitions), (level, PARTITIONS));
        assert_eq!(info.memory_size > 0, level.use_memory(), "{level}");
        assert_eq!(info.disk_size > 0, !level.use_memory(), "{level}");
        assert_eq!(info.memory_size, context.memory().used() as u64);
        if level.deserialized() {
            assert_eq!(info.memory_size, 8 * RECORDS as u64);
        }
        rdd.unpersist();
        assert_eq!((context.memory().used(), files(&context).len()), (0, 0), "{level}");
        assert!(context.get_rdd_storage_info().is_empty());
        assert_eq!(rdd.count().unwrap(), RECORDS as u64);
        assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS, "{level}");
    }
}

#[test]
fn what_does_not_fit_goes_to_disk_or_is_computed_again() {
    // Room for one partition, for a quarter of one, and for nothing.
    for budget in [30_000, 4_000, 1] {
        for level in LEVELS {
            let scratch = Directory::new("small");
            let context = with_budget(budget, &scratch.0);
            let (rdd, computed) = kept(&context, level);
            for _ in 0..3 {
                assert_eq!(rdd.collect().unwrap(), expected(), "{level} in {budget}");
                assert!(context.memory().used() <= budget);
            }
            let times = computed.load(Ordering::Relaxed) / RECORDS;
            if level.use_disk() {
                assert_eq!(times, 1, "{level} in {budget}");
                assert!(rdd.any().is_cached());
            } else {
                assert!(times >= 2, "{level} in {budget}");
                assert!(!rdd.any().is_cached());
                assert!(files(&context).is_empty());
            }
            drop(rdd);
            assert_eq!((context.memory().used(), files(&context).len()), (0, 0), "{level}");
        }
    }
}

#[test]
fn what_another_rdd_pushes_out_is_read_all_the_same() {
    for level in LEVELS.into_iter().filter(|level| level.use_memory()) {
        let scratch = Directory::new("pushed");
        let context = with_budget(100_000, &scratch.0);
        let (first, computed) = counted(&context);
        let first = first.persist_with(level).unwrap();
        assert_eq!(first.count().unwrap(), RECORDS as u64);
        let (second, _) = counted(&context);
        let second = second.persist();
        assert_eq!(second.count().unwrap(), RECORDS as u64);
        assert!(second.any().is_cached(), "the newer one is kept");
        let info = &context.get_rdd_storage_info()[0];
        assert_eq!(info.id, first.id());
        assert!(info.memory_size < 50_000, "{level}: {info:?}");
        assert_eq!(first.any().is_cached(), level.use_disk());
        assert_eq!(first.collect().unwrap(), expected(), "{level}");
        assert_eq!(computed.load(Ordering::Relaxed) == RECORDS, level.use_disk(), "{level}");
    }
}

#[test]
fn what_went_to_disk_comes_back_when_there_is_room() {
    let scratch = Directory::new("back");
    let context = with_budget(100_000, &scratch.0);
    let (rdd, computed) = counted(&context);
    let rdd = rdd.persist_with(StorageLevel::MEMORY_AND_DISK).unwrap();
    rdd.count().unwrap();
    let sizes = || {
        let info = &context.get_rdd_storage_info()[0];
        (info.memory_size, info.disk_size > 0)
    };
    assert_eq!(sizes(), (64_000, false));
    let room = context.memory().take(100_000, millstream_core::storage::memory::Owner::Received).unwrap();
    assert_eq!(sizes(), (0, true));
    assert_eq!(rdd.collect().unwrap(), expected());
    drop(room);
    assert_eq!(rdd.collect().unwrap(), expected());
    assert_eq!(sizes(), (64_000, true));
    assert_eq!(computed.load(Ordering::Relaxed), RECORDS);
}

#[test]
fn kept_bytes_are_compressed_when_that_is_set() {
    let size = |compress: &str, codec: &str| {
        let scratch = Directory::new("compressed");
        let conf = conf(1 << 20, &scratch.0);
        let context =
            Context::new(conf.set("spark.rdd.compress", compress).set("spark.io.compression.codec", codec))
                .unwrap();
        let lines = context.parallelize((0..2000).map(|n| format!("a line like all others {}", n % 10)), 2);
        let memory = lines.map(|line| line).persist_with(StorageLevel::MEMORY_ONLY_SER).unwrap();
        let disk = lines.map(|line| line).persist_with(StorageLevel::DISK_ONLY).unwrap();
        assert_eq!(memory.collect().unwrap(), lines.collect().unwrap());
        assert_eq!(disk.collect().unwrap(), lines.collect().unwrap());
        let infos = context.get_rdd_storage_info();
        assert_eq!(infos[0].memory_size, infos[1].disk_size);
        infos[1].disk_size
    };
    let plain = size("false", "zstd");
    assert!(plain > 2000 * 25);
    assert!(size("true", "lz4") < plain / 4 && size("true", "zstd") < plain / 4);
}

#[test]
fn a_level_can_not_be_changed_once_it_is_set() {
    let context = crate::context();
    let rdd = context.parallelize(0..10, 2);
    assert_eq!(rdd.get_storage_level(), StorageLevel::NONE);
    let rdd =
        rdd.persist_with(StorageLevel::DISK_ONLY).unwrap().persist_with(StorageLevel::DISK_ONLY).unwrap();
    let error = rdd.persist_with(StorageLevel::MEMORY_ONLY).err().unwrap().to_string();
    for part in ["persist_with at ", "levels.rs", "StorageLevel(disk, 1 replicas)", "unpersist"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(rdd.cache().count().unwrap_err().to_string().contains("another level"));
    assert_eq!((rdd.get_storage_level(), rdd.count().unwrap()), (StorageLevel::DISK_ONLY, 10));
    let rdd = rdd.unpersist().cache();
    assert_eq!(rdd.get_storage_level(), StorageLevel::MEMORY_ONLY);
    assert!(rdd.unpersist().persist_with(StorageLevel::NONE).is_ok_and(|rdd| !rdd.is_persisted()));
}

#[test]
fn a_local_checkpoint_never_drops_what_it_keeps() {
    for level in [StorageLevel::NONE, StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER] {
        let scratch = Directory::new("local-checkpoint");
        let context = with_budget(20_000, &scratch.0);
        let (rdd, computed) = counted(&context);
        let rdd = rdd.persist_with(level).unwrap().local_checkpoint();
        assert!(rdd.get_storage_level().use_disk());
        let again = rdd.persist_with(StorageLevel::MEMORY_ONLY).unwrap();
        assert!(again.get_storage_level().use_disk());
        rdd.count().unwrap();
        assert!(rdd.is_checkpointed());
        let other = counted(&context).0.persist();
        for _ in 0..2 {
            assert_eq!(rdd.collect().unwrap(), expected());
            assert_eq!(other.collect().unwrap(), expected());
        }
        assert_eq!(computed.load(Ordering::Relaxed), RECORDS);
    }
}

#[test]
fn other_processes_are_sent_what_is_kept_wherever_it_lies() {
    for level in LEVELS {
        for budget in [1, 1 << 20] {
            let context = with_budget(budget, &std::env::temp_dir());
            let plain = context.parallelize(expected(), PARTITIONS).any();
            let (rdd, _) = kept(&context, level);
            rdd.count().unwrap();
            let rdd = rdd.any();
            for partition in 0..PARTITIONS {
                if rdd.is_cached() {
                    let sent = rdd.split(partition, true).unwrap();
                    assert!(sent == plain.split(partition, false).unwrap(), "{level}");
                } else {
                    assert!(matches!(rdd.split(partition, true), Err(millstream_core::Error::Freed)));
                }
            }
            assert_eq!(rdd.is_cached(), level.use_disk() || budget > 1);
        }
    }
}

/// Spark's own cases of caching: a thousand numbers in ten partitions.
#[test]
fn a_thousand_numbers_in_ten_partitions_are_kept_at_every_level() {
    for level in LEVELS {
        let context = crate::context();
        let data = context.parallelize(1..=1000, 10).map(|n| n).persist_with(level).unwrap();
        assert_eq!(data.count().unwrap(), 1000);
        assert_eq!(context.get_rdd_storage_info()[0].num_cached_partitions, 10);
        assert_eq!((data.count().unwrap(), data.reduce(|a, b| a + b).unwrap()), (1000, Some(500_500)));
        assert_eq!(data.collect().unwrap(), (1..=1000).collect::<Vec<_>>());
    }
}

#[test]
fn the_scratch_directory_goes_with_the_context() {
    let scratch = Directory::new("gone");
    let context = with_budget(1, &scratch.0);
    let rdd = counted(&context).0.persist_with(StorageLevel::DISK_ONLY).unwrap();
    assert!(context.disk().directories().is_empty());
    rdd.count().unwrap();
    assert_eq!(files(&context).len(), PARTITIONS);
    drop((rdd, context));
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
}
