//! The cases of Spark's `FailureSuite`: a program that dies again and again, wherever it is, has in the end put out what one that
//! never died would have.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use millstream_core::Data;
use millstream_streaming::DStream;
use millstream_streaming::testing::Driver;

use crate::damaged_checkpoints::copy;
use crate::recovery::{Directory, SECOND, at, conf, put};
use crate::tables::seconds;

const BATCHES: usize = 30;

/// Where a program dies in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dies {
    /// While its output is run.
    Within,
    /// After its output was run, whether it is known to be completed or not.
    After,
}

/// A run of the program: after how many batches it dies and where, and how long it is away.
type Life = (usize, Dies, u64);

/// Runs the program for a life; returns what it has put out, by batch.
fn live<T: Data>(
    directory: &Path,
    now: u64,
    (batches, dies, _): Life,
    operation: &impl Fn(&DStream<String>) -> DStream<T>,
) -> Vec<(i64, Vec<T>)> {
    let (place, left) = (directory.join("checkpoints"), directory.join("left"));
    let driver = Driver::at(conf(), SECOND, at(now as i64)).unwrap();
    let lines = driver.streaming().text_file_stream(directory.join("in"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (into, from, to) = (Arc::clone(&seen), place.clone(), left.clone());
    let last = (now / 1000 + batches as u64) as i64 * 1000;
    operation(&lines).foreach_rdd_with(move |rdd, time| {
        let rows = rdd.collect()?;
        if dies == Dies::Within && time.as_millis() >= last {
            // What lies there now is all that the next life finds.
            copy(&from, &to);
            return Err(millstream_core::Error::user("dead"));
        }
        into.lock().unwrap().push((time.as_millis(), rows));
        Ok(())
    });
    let steps = driver.get_or_create(&place).unwrap().start().unwrap();
    for batch in 1..=batches {
        assert_eq!(steps.step().is_err(), dies == Dies::Within && batch == batches);
    }
    if dies == Dies::After {
        copy(&place, &left);
    }
    drop(steps);
    fs::remove_dir_all(&place).unwrap();
    fs::rename(&left, &place).unwrap();
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// Puts a file into each batch; runs life after life until all batches were run.
fn check<T: Data + PartialEq + Debug>(
    input: &[String],
    operation: impl Fn(&DStream<String>) -> DStream<T>,
    expected: &[Vec<T>],
) {
    let mut random = 42_u64;
    let mut below = |n: u64| {
        // A generator whose numbers never change (Knuth's).
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    for history in 0..6 {
        let directory = Directory::new();
        fs::create_dir_all(directory.0.join("in")).unwrap();
        for (n, line) in input.iter().enumerate() {
            put(&directory.0.join("in"), &(n + 1).to_string(), n as u64 * 1000 + 500, &format!("{line}\n"));
        }
        let (mut out, mut lives, mut now) = (Vec::new(), Vec::new(), 0);
        while now < BATCHES as u64 * 1000 {
            let left = BATCHES as u64 - now / 1000;
            let batches = (1 + below(if history == 0 { 1 } else { 10 })).min(left);
            let dies = if batches < left && below(2) == 0 { Dies::Within } else { Dies::After };
            let life = (batches as usize, dies, below(4));
            out.extend(live(&directory.0, now, life, &operation));
            lives.push(life);
            now += (batches + life.2).min(left) * 1000;
        }
        // The last life may have ended before all that was missed was run.
        out.extend(live(&directory.0, now, (1, Dies::After, 0), &operation));
        // A batch whose end was not written yet runs again, with the same.
        let mut once = BTreeMap::new();
        for (time, rows) in out.into_iter().filter(|(time, _)| *time <= BATCHES as i64 * 1000) {
            let before = once.insert(time, rows.clone());
            assert!(before.is_none_or(|before| before == rows), "{time}: {rows:?}, {lives:?}");
        }
        let times = (1..=BATCHES as i64).map(|batch| batch * 1000);
        assert_eq!(once, times.zip(expected.iter().cloned()).collect(), "{lives:?}");
    }
}

#[test]
fn multiple_failures_with_map() {
    let input: Vec<_> = (1..=BATCHES).map(|n| n.to_string()).collect();
    let expected: Vec<_> = (1..=BATCHES).map(|n| vec![n]).collect();
    check(&input, |lines| lines.map(|line| line.parse::<usize>().unwrap()), &expected);
}

#[test]
fn multiple_failures_with_update_state_by_key() {
    let input: Vec<_> = (1..=BATCHES).map(|n| vec!["a"; n].join(" ")).collect();
    let expected: Vec<_> = (1..=BATCHES as u64).map(|n| vec![("a".to_owned(), n * (n + 1) / 2)]).collect();
    let operation = |lines: &DStream<String>| {
        let words = lines.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let sums = words.map(|word| (word, 1_u64)).update_state_by_key(|ones: Vec<u64>, sum: Option<u64>| {
            Some(ones.iter().sum::<u64>() + sum.unwrap_or_default())
        });
        sums.checkpoint(seconds(5))
    };
    check(&input, operation, &expected);
}
