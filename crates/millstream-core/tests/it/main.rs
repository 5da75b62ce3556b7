//! The batch engine as its users see it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what must hold in their names, and fail by panicking"
)]

mod actions;
mod arguments;
mod caching;
mod cancelling;
mod closures;
mod contexts;
mod directory;
mod env_forms;
mod every_operator;
mod exactly_once;
mod failures;
mod faults;
mod file_changes;
mod file_sources;
mod job_threads;
mod jobs;
mod lineage;
mod lineage_is_cut_meanwhile;
mod local_properties;
mod many_pairs;
mod models;
mod models_of_records;
mod more_operators;
mod narrow;
mod other_disk;
mod pairs;
mod panics_of_values;
mod partitioning;
mod processes;
mod saving;
mod small_disk;
mod sorting;
mod sources;
mod sparks_coalesced;
mod sparks_jobs;
mod sparks_pairs;
mod sparks_rdds;
mod sparks_values;
mod sparks_variables;
mod spilling;
mod spilling_fails;
mod storage;
mod task_listeners;
mod variables;
mod worker_pools;

use millstream_core::{Conf, Context, Data, Rdd};

/// Two worker threads, one attempt per task.
fn context() -> Context {
    on("local[2]")
}

fn on(master: &str) -> Context {
    Context::new(Conf::empty().set_master(master)).unwrap()
}

/// The records of each partition.
fn partitions<T: Data>(rdd: &Rdd<T>) -> Vec<Vec<T>> {
    rdd.map_partitions(|records| [records.collect::<Vec<_>>()]).collect().unwrap()
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}
