//! Named variables after a restart.

use std::sync::{Arc, Mutex};

use millstream_streaming::testing::{Driver, batches};

use crate::recovery::{Directory, SECOND, at, conf};
use crate::recovery_of_states::kill;
use crate::tables::step;

#[test]
fn a_variable_that_can_not_be_saved_takes_no_other_with_it() {
    let directory = Directory::new();
    let run = |now: i64| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let context = driver.context().clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        driver.input(batches![[1, 2], [3]]).foreach_rdd_with(move |rdd, time| {
            let sum = context.long_accumulator_named("sum")?;
            rdd.foreach_env(sum.clone(), |sum, n| sum.add(n))?;
            let list = context.broadcast_named("list", || time.as_millis())?;
            into.lock().unwrap().push((sum.value(), *list));
            list.destroy()
        });
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        step(&steps, 1);
        seen.lock().unwrap().clone()
    };
    assert_eq!(run(0), [(3, 1000)]);
    assert_eq!(run(1100), [(6, 2000)]);
}

#[derive(Clone, serde::Deserialize)]
struct Broken;

impl serde::Serialize for Broken {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("can not be written")
    }
}

#[test]
fn a_variable_that_panics_when_it_is_saved_holds_up_no_batch() {
    let directory = Directory::new();
    let run = |now: i64| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let context = driver.context().clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        driver.input(batches![[1, 2], [3], [4]]).foreach_rdd(move |rdd| {
            context.broadcast_named("broken", || Broken)?;
            let sum = context.long_accumulator_named("sum")?;
            rdd.foreach_env(sum.clone(), |sum, n| sum.add(n))?;
            into.lock().unwrap().push(sum.value());
            Ok::<_, millstream_core::Error>(())
        });
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        step(&steps, 2);
        seen.lock().unwrap().clone()
    };
    assert_eq!(run(0), [3, 6]);
    assert_eq!(run(2100), [10, 10]);
}

#[test]
fn a_file_of_variables_that_is_torn_costs_no_batch_of_which_no_checkpoint_is_kept() {
    let directory = Directory::new();
    let run = |now: i64, batches: usize| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let context = driver.context().clone();
        let pairs = driver.input((1..=29_u64).map(|n| vec![((), n)]).collect());
        let sums = pairs.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
            Some(sum.unwrap_or(0) + values.iter().sum::<u64>())
        });
        let sums = driver.collect(&sums.checkpoint(10 * SECOND));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        pairs.foreach_rdd_with(move |rdd, time| {
            let rare = context.long_accumulator_named("rare")?;
            rdd.foreach_env(rare.clone(), |rare, (_, n)| {
                if [1, 22].contains(&n) {
                    rare.add(i64::try_from(n).unwrap_or(0));
                }
            })?;
            into.lock().unwrap().push((time.as_millis() / 1000, rare.value()));
            Ok::<_, millstream_core::Error>(())
        });
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        step(&steps, batches);
        kill(steps, &directory.0);
        let seen = seen.lock().unwrap().clone();
        (seen, sums.batches().concat())
    };
    run(0, 28);
    // The newest checkpoints all name what the variable was after batch 22; one that was kept for the state before is of batch 20.
    let torn = directory.0.join("state/1/variables-22000");
    std::fs::write(torn, "torn").unwrap();
    let (seen, sums) = run(28_100, 1);
    assert_eq!(seen.last(), Some(&(29, 23)), "{seen:?}");
    assert_eq!(sums.last(), Some(&((), (1..=29).sum())));
}
