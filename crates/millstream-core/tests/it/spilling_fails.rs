//! What can go wrong while records are written to disk and read again: an error that says where, never a wrong result.

use std::path::PathBuf;

use millstream_core::{Conf, Context, Rdd};

use crate::small_disk::SmallDisk;
use crate::spilling::{confined, scratch_files, wait_until_nothing_is_left};

const BUDGET: usize = 1 << 20;

fn context(conf: Conf, master: &str) -> Context {
    Context::new(conf.set_master(master)).unwrap()
}

/// Eight times the budget.
fn large(context: &Context) -> Rdd<(u64, String)> {
    let numbers = context.parallelize(0..8, 8);
    numbers.flat_map(|part| (0..10_000_u64).map(move |n| (n * 31 % 5003, format!("{:0100}", part + n))))
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_the_remedy() {
    // Other users can not mount: there a folder that can not be made stands in for a disk that takes nothing.
    // Of 256 KiB, since what is written compresses well.
    let mounted = SmallDisk::mount(256);
    let folder =
        mounted.as_ref().map_or_else(|| PathBuf::from("/dev/null/none"), |full| full.path().to_owned());
    let conf = confined(BUDGET).set("spark.local.dir", folder.to_str().unwrap());
    let context = context(conf, "local[2]");
    for rdd in [large(&context).partition_by(3), large(&context).sort_by_key_with(true, 3)] {
        let error = rdd.count().unwrap_err().to_string();
        assert!(error.contains(folder.to_str().unwrap()) && error.contains("spark.local.dir"), "{error}");
        assert!(error.contains("spilling_fails.rs"), "{error}");
    }
    wait_until_nothing_is_left(&context);
}

/// Does something to each scratch file as soon as the first record is read that went through a shuffle.
fn tampered(context: &Context, spread: &Rdd<(u64, String)>, tamper: fn(&PathBuf)) -> Rdd<(u64, String)> {
    let within = context.clone();
    spread.map_partitions(move |records| {
        let first = millstream_core::TaskContext::get().unwrap();
        if first.partition_id() == 0 && first.attempt_number() == 0 {
            scratch_files(&within).iter().for_each(tamper);
        }
        records
    })
}

fn flip(file: &PathBuf) {
    let mut bytes = std::fs::read(file).unwrap();
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

fn delete(file: &PathBuf) {
    let _ = std::fs::remove_file(file);
}

fn cut(file: &PathBuf) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn files_that_were_spoilt_are_errors_and_are_made_again() {
    let free = Context::new(Conf::empty()).unwrap();
    let expected = large(&free).partition_by(3).count().unwrap();
    let sorted = large(&free).sort_by_key_with(true, 3).collect().unwrap();
    for tamper in [flip as fn(&PathBuf), delete, cut] {
        let once = context(confined(BUDGET), "local[1]");
        let error = tampered(&once, &large(&once).partition_by(3), tamper).count().unwrap_err().to_string();
        assert!(error.contains("the buckets of a shuffle from the scratch file"), "{error}");
        assert!(error.contains("run the job again"), "{error}");
        wait_until_nothing_is_left(&once);

        let thrice = context(confined(BUDGET), "local[1,3]");
        assert_eq!(tampered(&thrice, &large(&thrice).partition_by(3), tamper).count().unwrap(), expected);
        let runs = tampered(&thrice, &large(&thrice).sort_by_key_with(true, 3), tamper);
        assert!(runs.collect().unwrap() == sorted);
        wait_until_nothing_is_left(&thrice);
    }
}

#[test]
fn a_panic_of_a_merge_function_is_a_failure_like_any_other() {
    let context = context(confined(BUDGET), "local[2]");
    let merged = large(&context).map(|(key, text)| (key, vec![text])).combine_by_key_with(
        |texts| texts,
        |mut texts, more| {
            texts.extend(more);
            texts
        },
        |_, _| panic!("on purpose"),
        3,
    );
    let error = merged.count().unwrap_err().to_string();
    assert!(error.contains("combine_by_key") && error.contains("on purpose"), "{error}");
    wait_until_nothing_is_left(&context);
}

#[test]
fn a_job_that_is_cancelled_while_it_merges_leaves_nothing() {
    let context = context(confined(BUDGET), "local[1]");
    let within = context.clone();
    let sorted = large(&context).sort_by_key_with(true, 3).map_ref(move |pair: &(u64, String)| {
        within.cancel_all_jobs();
        pair.0
    });
    let error = sorted.count().unwrap_err().to_string();
    assert!(error.contains("cancelled"), "{error}");
    wait_until_nothing_is_left(&context);
}
