//! States of a program that has changed since: of other types, of other windows, at other batch times, once more before they are saved.

use std::path::Path;
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::testing::{Collected, Driver};
use millstream_streaming::{DStream, Result};

use crate::faulty_disk;
use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf, times};
use crate::recovery_of_receivers::with_log;
use crate::recovery_of_states::kill;
use crate::tables::step;

/// The seconds of the batch times.
fn seconds(driver: &Driver) -> DStream<((), u64)> {
    driver.streaming().generator_stream(1, |time, _| [((), time.as_millis().unsigned_abs() / 1000)])
}

fn sum(seconds: &DStream<((), u64)>) -> DStream<((), u64)> {
    seconds.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or_default() + values.iter().sum::<u64>())
    })
}

/// A sum, and of how many batches.
fn sum_and_count(seconds: &DStream<((), u64)>) -> DStream<((), (u64, u64))> {
    let states = seconds.update_state_by_key(|values: Vec<u64>, state: Option<(u64, u64)>| {
        let (sum, count) = state.unwrap_or_default();
        Some((sum + values.iter().sum::<u64>(), count + values.len() as u64))
    });
    states.uid("state")
}

fn one_each<T: Clone>(collected: &Collected<((), T)>) -> Vec<T> {
    collected.batches().into_iter().flatten().map(|((), value)| value).collect()
}

#[test]
fn a_state_that_was_migrated_is_so_again_if_the_program_dies_before_it_is_saved() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&sum(&seconds(&driver)).uid("state").checkpoint(SECOND));
    let steps = driver.get_or_create(&place).unwrap().start().unwrap();
    step(&steps, 2);
    let savepoint = directory.0.join("savepoint");
    steps.running.savepoint(&savepoint).unwrap();
    drop(steps);
    let second = |now, place: &Path, savepoint: Option<&Path>| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        driver.streaming().migrate_state(|sum: u64| (sum, 0_u64));
        let states = driver.collect(&sum_and_count(&seconds(&driver)));
        let driver = match savepoint {
            None => driver.get_or_create(place).unwrap(),
            Some(savepoint) => {
                driver.streaming().checkpoint(place);
                driver.from_savepoint(savepoint).unwrap()
            }
        };
        let steps = driver.start().unwrap();
        step(&steps, 1);
        kill(steps, place);
        one_each(&states)
    };
    let other = directory.0.join("other");
    for (place, savepoint) in [(&place, None), (&other, Some(&*savepoint))] {
        assert_eq!(second(2100, place, savepoint), [(6, 1)]);
        assert_eq!(second(3100, place, None), [(10, 2)]);
        assert_eq!(second(4100, place, None), [(15, 3)]);
    }
}

#[test]
fn a_state_that_was_given_up_is_so_for_good() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&sum(&seconds(&driver)).uid("state").checkpoint(SECOND));
    step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 2);
    let run = |conf: Conf, now| -> Result<Vec<(u64, u64)>> {
        let driver = Driver::at(conf, SECOND, at(now))?;
        let states = driver.collect(&sum_and_count(&seconds(&driver)));
        let steps = driver.get_or_create(&directory.0)?.start()?;
        step(&steps, 1);
        kill(steps, &directory.0);
        Ok(one_each(&states))
    };
    assert_eq!(run(conf(), 2100).unwrap_err().exit_code(), 3);
    let allowed = conf().set("millstream.recovery.allowStateLoss", "true");
    assert_eq!(run(allowed, 2100).unwrap(), [(3, 1)]);
    assert_eq!(run(conf(), 3100).unwrap(), [(7, 2)]);
}

#[test]
fn a_state_that_is_new_goes_on_if_the_program_dies_before_it_is_saved() {
    let directory = Directory::new();
    let conf = || {
        with_log()
            .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
            .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1")
    };
    let run = |now: i64, batches: u64, with_new: bool| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let (numbers, feed) = fed_stream::<u64>(driver.streaming());
        let numbers = numbers.map(|number| ((), number));
        let old = driver.collect(&sum(&numbers).uid("old").checkpoint(SECOND));
        let new = with_new.then(|| driver.collect(&sum(&numbers).uid("new")));
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        let handle = feed.handle();
        for _ in 0..batches {
            handle.store_many([1]).unwrap();
            steps.step().unwrap();
        }
        drop(handle);
        kill(steps, &directory.0);
        (one_each(&old), new.map(|new| one_each(&new)).unwrap_or_default())
    };
    // So many that what was received first is deleted.
    run(0, 20, false);
    assert_eq!(run(20_100, 1, true), (vec![21], vec![1]));
    assert_eq!(run(21_100, 1, true), (vec![22], vec![2]));
    assert_eq!(run(22_100, 2, true), (vec![23, 24], vec![3, 4]));
}

#[test]
fn a_state_that_is_gone_before_it_was_ever_saved_is_a_difference_too() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&sum(&seconds(&driver)));
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    step(&steps, 1);
    kill(steps, &directory.0);
    let driver = Driver::at(conf(), SECOND, at(1100)).unwrap();
    driver.collect(&seconds(&driver));
    let refused = driver.get_or_create(&directory.0).unwrap().start().err().unwrap();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    assert!(refused.to_string().contains("update_state_by_key at "), "{refused}");
}

/// Runs a window with an inverse function, and dies or stops.
fn window(
    conf: Conf,
    directory: &Directory,
    (now, batches): (i64, usize),
    (interval, window, slide): (Duration, Duration, Option<Duration>),
    dies: bool,
) -> Result<Vec<(i64, u64)>> {
    let driver = Driver::at(conf, interval, at(now))?;
    let seconds = seconds(&driver);
    let sums = seconds.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide);
    let collected = driver.collect(&sums.checkpoint(slide.unwrap_or(interval)));
    let steps = driver.get_or_create(&directory.0)?.start()?;
    step(&steps, batches);
    if dies {
        kill(steps, &directory.0);
    } else {
        drop(steps);
    }
    Ok(times(&collected).into_iter().zip(one_each(&collected)).collect())
}

#[test]
fn an_inverse_window_is_right_after_a_change_of_the_batch_interval() {
    for dies in [true, false] {
        let directory = Directory::new();
        window(conf(), &directory, (0, 3), (SECOND, 4 * SECOND, None), dies).unwrap();
        let after = window(conf(), &directory, (3100, 4), (2 * SECOND, 4 * SECOND, None), dies).unwrap();
        assert_eq!(after, [(4000, 1 + 2 + 3 + 4), (6000, 3 + 4 + 6), (8000, 6 + 8), (10_000, 8 + 10)]);
    }
}

#[test]
fn an_inverse_window_of_another_length_is_refused_or_fills() {
    for (before, now, filled) in
        [(3, 5, [3 + 4 + 5 + 6 + 7, 4 + 5 + 6 + 7 + 8]), (5, 3, [5 + 6 + 7, 6 + 7 + 8])]
    {
        let directory = Directory::new();
        window(conf(), &directory, (0, 6), (SECOND, before * SECOND, None), false).unwrap();
        let refused = window(conf(), &directory, (6100, 2), (SECOND, now * SECOND, None), false).unwrap_err();
        assert_eq!(refused.exit_code(), 3, "{refused}");
        let text = refused.to_string();
        assert!(text.contains(&format!("of a window of {before}s")), "{text}");
        assert!(text.contains(&format!("of a window of {now}s")), "{text}");
        let allowed = conf().set("millstream.recovery.allowStateLoss", "true");
        // What came before is there, so that it is full at once.
        let after = window(allowed, &directory, (6100, 2), (SECOND, now * SECOND, None), false).unwrap();
        assert_eq!(after, [(7000, filled[0]), (8000, filled[1])], "{before} s to {now} s");
    }
}

#[test]
fn an_inverse_window_goes_on_with_another_slide() {
    for dies in [true, false] {
        let directory = Directory::new();
        window(conf(), &directory, (0, 5), (SECOND, 4 * SECOND, None), dies).unwrap();
        let slow = (SECOND, 4 * SECOND, Some(2 * SECOND));
        let after = window(conf(), &directory, (5100, 3), slow, dies).unwrap();
        assert_eq!(after, [(6000, 3 + 4 + 5 + 6), (8000, 5 + 6 + 7 + 8)]);
        let after = window(conf(), &directory, (8100, 2), (SECOND, 4 * SECOND, None), dies).unwrap();
        assert_eq!(after, [(9000, 6 + 7 + 8 + 9), (10_000, 7 + 8 + 9 + 10)]);
    }
}

#[test]
fn a_savepoint_between_two_windows_holds_what_they_were() {
    let directory = Directory::new();
    let describe = |now| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let seconds = seconds(&driver);
        let slow = |seconds: &DStream<((), u64)>, window: u32| {
            let (window, slide) = (window * SECOND, 2 * SECOND);
            seconds.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide)
        };
        let inverse = driver.collect(&slow(&seconds, 4).checkpoint(2 * SECOND));
        let sums = driver.collect(&sum(&slow(&seconds, 2)).checkpoint(4 * SECOND));
        (driver, inverse, sums)
    };
    let (driver, ..) = describe(0);
    driver.streaming().checkpoint(directory.0.join("checkpoints"));
    let steps = driver.start().unwrap();
    step(&steps, 3);
    let savepoint = directory.0.join("savepoint");
    steps.running.savepoint(&savepoint).unwrap();
    let (driver, inverse, sums) = describe(3100);
    driver.streaming().checkpoint(directory.0.join("other"));
    step(&driver.from_savepoint(&savepoint).unwrap().start().unwrap(), 4);
    assert_eq!(times(&inverse), [4000, 6000]);
    assert_eq!(one_each(&inverse), [1 + 2 + 3 + 4, 3 + 4 + 5 + 6]);
    assert_eq!(one_each(&sums), [1 + 2 + 3 + 4, 1 + 2 + 3 + 4 + 5 + 6]);
}

#[test]
fn a_state_that_can_not_be_read_now_is_not_given_up() {
    faulty_disk::register();
    let directory = Directory::new();
    let place = faulty_disk::path(&directory.0);
    let run = |conf: Conf, now, batches| -> Result<Vec<u64>> {
        let driver = Driver::at(conf, SECOND, at(now))?;
        let sums = driver.collect(&sum(&seconds(&driver)).checkpoint(SECOND));
        step(&driver.get_or_create(&place)?.start()?, batches);
        Ok(one_each(&sums))
    };
    run(conf(), 0, 2).unwrap();
    let files = std::fs::read_dir(directory.0.join("state/1")).unwrap();
    let unreadable: Vec<_> = files.map(|file| faulty_disk::Unreadable::new(&file.unwrap().path())).collect();
    let allowed = conf().set("millstream.recovery.allowStateLoss", "true");
    for conf in [conf(), allowed] {
        // Whole when they are looked at, before they are read.
        unreadable.iter().for_each(|file| file.set(1, usize::MAX));
        let refused = run(conf, 2100, 1).unwrap_err();
        assert_eq!(refused.exit_code(), 1, "{refused}");
        assert!(refused.to_string().contains("the disk does not answer"), "{refused}");
    }
    drop(unreadable);
    assert_eq!(run(conf(), 2100, 1).unwrap(), [1 + 2 + 3]);
}

#[test]
fn migrations_follow_each_other() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&sum(&seconds(&driver)).uid("state").checkpoint(SECOND));
    step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 2);
    // The second version was never saved, if it has ever run.
    let third = |migrate: &dyn Fn(&Driver)| -> Result<Vec<(String, u64)>> {
        let driver = Driver::at(conf(), SECOND, at(2100))?;
        migrate(&driver);
        let states =
            seconds(&driver).update_state_by_key(|values: Vec<u64>, state: Option<(String, u64)>| {
                let (text, sum) = state.unwrap_or_default();
                Some((text, sum + values.iter().sum::<u64>()))
            });
        let states = driver.collect(&states.uid("state"));
        step(&driver.get_or_create(&directory.0)?.start()?, 1);
        Ok(one_each(&states))
    };
    let second = |driver: &Driver| driver.streaming().migrate_state(|sum: u64| (sum, true));
    let last = |driver: &Driver| {
        driver.streaming().migrate_state(|(sum, flag): (u64, bool)| (format!("{sum} {flag}"), sum));
        // One that leads in a circle.
        driver.streaming().migrate_state(|(_, sum): (String, u64)| (sum, false));
    };
    for migrate in [&second as &dyn Fn(&Driver), &last] {
        assert_eq!(third(migrate).unwrap_err().exit_code(), 3);
    }
    let both = |driver: &Driver| {
        last(driver);
        second(driver);
    };
    assert_eq!(third(&both).unwrap(), [("3 true".to_owned(), 6)]);
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Session {
    Idle,
    Busy(u64),
}

mod later {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub(super) enum Session {
        Idle,
        Busy(i64),
    }
}

#[test]
fn a_state_of_which_only_a_later_variant_has_changed_is_of_another_type() {
    let directory = Directory::new();
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    let states = seconds(&driver).update_state_by_key(|values: Vec<u64>, state: Option<Session>| {
        let before = if let Some(Session::Busy(sum)) = state { sum } else { 0 };
        let sum = before + values.iter().sum::<u64>();
        Some(if sum == 0 { Session::Idle } else { Session::Busy(sum) })
    });
    driver.collect(&states.uid("state").checkpoint(SECOND).map(|_| ()));
    step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 2);
    let run = |migrates: bool| -> Result<Vec<i64>> {
        let driver = Driver::at(conf(), SECOND, at(2100))?;
        if migrates {
            driver.streaming().migrate_state(|session: Session| match session {
                Session::Idle => later::Session::Idle,
                Session::Busy(sum) => later::Session::Busy(-i64::try_from(sum).unwrap_or(0)),
            });
        }
        let states = seconds(&driver).update_state_by_key(|_: Vec<u64>, state: Option<later::Session>| state);
        let sums = states.uid("state").map(|(_, session)| match session {
            later::Session::Idle => 0,
            later::Session::Busy(sum) => sum,
        });
        let sums = driver.collect(&sums);
        step(&driver.get_or_create(&directory.0)?.start()?, 1);
        Ok(sums.batches().concat())
    };
    let refused = run(false).unwrap_err();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("Session::Busy=u64") && text.contains("Session::Busy=i64"), "{text}");
    assert_eq!(run(true).unwrap(), [-3]);
}

#[test]
fn a_window_of_several_steps_keeps_its_state_under_its_name() {
    let directory = Directory::new();
    let run = |now: i64, is_later: bool, uid: &str| -> Result<Vec<u64>> {
        let driver = Driver::at(conf(), SECOND, at(now))?;
        let seconds = seconds(&driver);
        let seconds = if is_later { seconds.filter(|_| true) } else { seconds };
        let counts = seconds.count_by_window(3 * SECOND, None);
        let counts = if uid.is_empty() { counts } else { counts.uid(uid) };
        let counts = driver.collect(&counts.checkpoint(SECOND));
        step(&driver.get_or_create(directory.0.join(uid))?.start()?, 2);
        Ok(counts.batches().concat())
    };
    assert_eq!(run(0, false, "counts").unwrap(), [1, 2]);
    assert_eq!(run(2100, true, "counts").unwrap(), [3, 3]);
    assert_eq!(run(0, false, "").unwrap(), [1, 2]);
    assert_eq!(run(2100, true, "").unwrap_err().exit_code(), 3);
}

#[test]
fn a_state_for_which_there_is_no_room_now_is_not_given_up() {
    let directory = Directory::new();
    let (place, scratch) = (directory.0.join("checkpoints"), directory.0.join("scratch"));
    let run = |conf: Conf, now| -> Result<Vec<u64>> {
        let driver = Driver::at(conf, SECOND, at(now))?;
        // All in the first batch.
        let keys = driver.streaming().generator_stream(1, |time, _| {
            let keys = if time == at(1000) { 20_000_u64 } else { 0 };
            (0..keys).map(|key| (key, "x".repeat(200)))
        });
        let states = keys
            .update_state_by_key(|new: Vec<String>, state: Option<String>| new.into_iter().next().or(state));
        let counts = driver.collect(&states.checkpoint(SECOND).count());
        step(&driver.get_or_create(&place)?.start()?, 1);
        Ok(counts.batches().concat())
    };
    assert_eq!(run(conf(), 0).unwrap(), [20_000]);
    std::fs::write(&scratch, "no directory").unwrap();
    let small = || {
        let conf = conf().set("spark.memory.fraction", "1").set("spark.driver.memory", "1m");
        conf.set("spark.local.dir", scratch.to_str().unwrap())
    };
    let refused = run(small().set("millstream.recovery.allowStateLoss", "true"), 1100).unwrap_err();
    assert_eq!(refused.exit_code(), 1, "{refused}");
    assert!(refused.to_string().contains("scratch"), "{refused}");
    std::fs::remove_file(&scratch).unwrap();
    assert_eq!(run(small(), 1100).unwrap(), [20_000]);
}
