//! Disks that lose, spoil or refuse what is written to them.

use std::fs;
use std::sync::atomic::Ordering;

use millstream_core::storage::memory::Owner;
use serde::{Deserialize, Serialize};

use super::*;
use crate::small_disk::SmallDisk;

#[test]
fn what_was_deleted_is_computed_again() {
    for level in LEVELS.into_iter().filter(|level| level.use_disk()) {
        let scratch = Directory::new("deleted");
        let context = with_budget(1, &scratch.0);
        let (rdd, computed) = kept(&context, level);
        rdd.count().unwrap();
        let there = files(&context);
        assert_eq!(there.len(), PARTITIONS);
        fs::remove_file(&there[0]).unwrap();
        for _ in 0..2 {
            assert_eq!(rdd.collect().unwrap(), expected(), "{level}");
        }
        assert_eq!(computed.load(Ordering::Relaxed), RECORDS + RECORDS / PARTITIONS);
        assert!(rdd.any().is_cached() && files(&context).len() == PARTITIONS);
    }
}

#[test]
fn a_partition_that_turns_out_to_be_spoilt_goes_on_where_it_broke() {
    let scratch = Directory::new("spoilt");
    let context = with_budget(1, &scratch.0);
    // Several blocks, the last of which is spoilt: the first are handed on before that shows.
    let (records, partitions) = (200_000_u64, 2);
    let rdd = context.parallelize(0..records, partitions).map(|n| u64::MAX - n);
    let rdd = rdd.persist_with(StorageLevel::DISK_ONLY).unwrap();
    rdd.count().unwrap();
    for file in files(&context) {
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 100;
        bytes[last] ^= 0x40;
        fs::write(&file, bytes).unwrap();
    }
    let expected: Vec<u64> = (0..records).map(|n| u64::MAX - n).collect();
    assert!(rdd.collect().unwrap() == expected);
    assert!(!rdd.any().is_cached());
    assert!(rdd.collect().unwrap() == expected);
    assert!(rdd.any().is_cached());
    for file in files(&context) {
        fs::write(&file, &fs::read(&file).unwrap()[..1000]).unwrap();
    }
    assert!(rdd.collect().unwrap() == expected);
}

#[test]
fn a_spoilt_partition_that_can_not_be_computed_again_is_an_error() {
    let scratch = Directory::new("spoilt-checkpoint");
    let context = with_budget(1, &scratch.0);
    let rdd = counted(&context).0.local_checkpoint();
    rdd.count().unwrap();
    let file = &files(&context)[0];
    let whole = fs::read(file).unwrap();
    let mut bytes = whole.clone();
    bytes[40] ^= 1;
    fs::write(file, bytes).unwrap();
    let error = rdd.count().unwrap_err().to_string();
    for part in ["kept partition", "checksum", file.to_str().unwrap()] {
        assert!(error.contains(part), "{part}: {error}");
    }
    fs::write(file, whole).unwrap();
    assert_eq!(rdd.collect().unwrap(), expected());
}

#[test]
fn what_was_deleted_before_the_lineage_is_cut_is_computed_again() {
    let scratch = Directory::new("deleted-before");
    let context = with_budget(1, &scratch.0);
    let (rdd, computed) = kept(&context, StorageLevel::DISK_ONLY);
    rdd.count().unwrap();
    files(&context).iter().for_each(|file| fs::remove_file(file).unwrap());
    rdd.local_checkpoint();
    for _ in 0..2 {
        assert_eq!(rdd.collect().unwrap(), expected());
    }
    assert!(rdd.is_checkpointed());
    assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS);
}

#[test]
fn a_disk_that_can_not_be_written_to_only_costs_time() {
    for level in LEVELS.into_iter().filter(|level| level.use_disk()) {
        let context = with_budget(1, "/dev/null/x".as_ref());
        let (rdd, computed) = kept(&context, level);
        for _ in 0..2 {
            assert_eq!(rdd.collect().unwrap(), expected());
        }
        assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS);
    }
}

#[test]
fn what_can_not_be_computed_again_stays_in_memory_if_the_disk_refuses_it() {
    let context = with_budget(70_000, "/dev/null/x".as_ref());
    let rdd = counted(&context).0.local_checkpoint();
    rdd.count().unwrap();
    assert!(rdd.is_checkpointed());
    assert!(context.memory().take(50_000, Owner::Received).is_none());
    assert_eq!(counted(&context).0.persist().collect().unwrap(), expected());
    assert_eq!(rdd.collect().unwrap(), expected());
    assert_eq!(context.memory().used(), 64_000);
}

#[test]
fn a_full_disk_keeps_what_it_can_and_leaves_nothing_half_written() {
    let small = SmallDisk::mount(1024);
    // Who may not mount is refused the directory instead.
    let scratch = small.as_ref().map_or_else(|| "/dev/null/x".into(), |small| small.path().to_owned());
    let context = with_budget(1, &scratch);
    // 4 partitions of 500 kB: one or two of them fit.
    let rdd = context.parallelize(0..200_000_u64, 4).map(|n| u64::MAX - n);
    let rdd = rdd.persist_with(StorageLevel::MEMORY_AND_DISK).unwrap();
    for _ in 0..2 {
        assert!(rdd.collect().unwrap() == (0..200_000).map(|n| u64::MAX - n).collect::<Vec<_>>());
    }
    let kept = context.get_rdd_storage_info().first().map_or(0, |info| info.num_cached_partitions);
    assert_eq!(kept > 0, small.is_some());
    assert!(kept < 4);
    assert_eq!(files(&context).len(), kept);
    if small.is_some() {
        let mut writer = context.disk().create("sorted runs").unwrap();
        let error = (0..10)
            .find_map(|_| writer.write(&(0..100_000).map(|n| u64::MAX - n * n * n).collect::<Vec<_>>()).err())
            .unwrap();
        let error = error.to_string();
        assert!(error.contains("sorted runs") && error.contains("make room there"), "{error}");
    }
    drop((rdd, context));
}

#[test]
fn a_scratch_directory_that_vanishes_is_made_again() {
    let scratch = Directory::new("vanishing");
    let context = with_budget(1, &scratch.0);
    let (rdd, computed) = counted(&context);
    let rdd = rdd.persist_with(StorageLevel::DISK_ONLY).unwrap();
    rdd.count().unwrap();
    fs::remove_dir_all(&scratch.0).unwrap();
    for _ in 0..2 {
        assert_eq!(rdd.collect().unwrap(), expected());
    }
    assert_eq!(computed.load(Ordering::Relaxed), 2 * RECORDS);
    assert_eq!(files(&context).len(), PARTITIONS);
}

/// Can be written as bytes only if it is even.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Even(u64);

impl Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        assert!(self.0.is_multiple_of(2), "injected");
        to.serialize_newtype_struct("Even", &self.0)
    }
}

#[test]
fn a_record_that_panics_when_it_is_written_fails_its_task_only() {
    let context = with_budget(1 << 20, &std::env::temp_dir());
    // One task: a second one might not have ended yet when the job has failed with the first.
    let odd = context.parallelize(0..100, 1).map(Even);
    for level in [StorageLevel::MEMORY_ONLY_SER, StorageLevel::DISK_ONLY] {
        let error = odd.map(|n| n).persist_with(level).unwrap().count().unwrap_err().to_string();
        assert!(error.contains("injected"), "{error}");
        assert!(files(&context).is_empty() && context.memory().used() == 0, "{level}");
    }
    let kept = odd.map(|n| n).persist_with(StorageLevel::MEMORY_AND_DISK).unwrap();
    assert_eq!(kept.count().unwrap(), 100);
    // It can not go to disk, so it is dropped.
    drop(context.memory().take(1 << 20, Owner::Received).unwrap());
    assert!(!kept.any().is_cached() && files(&context).is_empty());
    assert_eq!(kept.count().unwrap(), 100);
}
