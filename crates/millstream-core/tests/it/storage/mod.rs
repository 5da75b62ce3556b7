//! Kept partitions: levels, budgets, disks that fail, checkpoints.

mod checkpoints;
mod disks;
mod levels;
mod model;
mod pressure;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_core::{Conf, Context, Rdd, StorageLevel};

use crate::directory::Directory;

/// Every level that keeps something.
const LEVELS: [StorageLevel; 12] = [
    StorageLevel::DISK_ONLY,
    StorageLevel::DISK_ONLY_2,
    StorageLevel::DISK_ONLY_3,
    StorageLevel::MEMORY_ONLY,
    StorageLevel::MEMORY_ONLY_2,
    StorageLevel::MEMORY_ONLY_SER,
    StorageLevel::MEMORY_ONLY_SER_2,
    StorageLevel::MEMORY_AND_DISK,
    StorageLevel::MEMORY_AND_DISK_2,
    StorageLevel::MEMORY_AND_DISK_SER,
    StorageLevel::MEMORY_AND_DISK_SER_2,
    StorageLevel::OFF_HEAP,
];

const PARTITIONS: usize = 4;
const RECORDS: usize = 8000;

/// A context with a memory of some bytes and a scratch directory that can be looked into.
fn with_budget(bytes: usize, scratch: &Path) -> Context {
    Context::new(conf(bytes, scratch)).unwrap()
}

fn conf(bytes: usize, scratch: &Path) -> Conf {
    Conf::empty()
        .set_master("local[2]")
        .set("spark.driver.memory", format!("{bytes}b"))
        .set("spark.memory.fraction", "1")
        .set("spark.local.dir", scratch.display().to_string())
}

/// Numbers that take 8 bytes as records and 10 as bytes.
fn expected() -> Vec<u64> {
    (0..RECORDS as u64).map(|n| u64::MAX - n).collect()
}

/// An RDD of 16 KB a partition, and how many records were computed for it.
fn counted(context: &Context) -> (Rdd<u64>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let there = Arc::clone(&count);
    let rdd = context.parallelize(0..RECORDS as u64, PARTITIONS).map(move |n| {
        there.fetch_add(1, Ordering::Relaxed);
        u64::MAX - n
    });
    (rdd, count)
}

/// The same, kept at a level; there is no other handle of it.
fn kept(context: &Context, level: StorageLevel) -> (Rdd<u64>, Arc<AtomicUsize>) {
    let (rdd, count) = counted(context);
    (rdd.persist_with(level).unwrap(), count)
}

/// The scratch files that lie there.
fn files(context: &Context) -> Vec<PathBuf> {
    let list = |directory: PathBuf| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    context.disk().directories().into_iter().flat_map(list).collect()
}
