//! Windows and states that are made of states, where more changes at a restart than the time.

use std::path::Path;
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::testing::{Collected, Driver, batches};
use millstream_streaming::{DStream, Error, State, StateSpec, checkpoints};

use crate::recovery::{Directory, SECOND, at, conf};
use crate::recovery_of_states::kill;
use crate::tables::{sorted, step};

/// How many batches there were.
fn count(driver: &Driver) -> DStream<((), u64)> {
    let ones = driver.streaming().generator_stream(1, |_, _| [((), 1_u64)]);
    let counts = ones.update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or(0) + ones.len() as u64)
    });
    counts.uid("count")
}

fn rows<T: Clone + Ord>(collected: &Collected<T>) -> Vec<(i64, Vec<T>)> {
    let times = collected.times().into_iter().map(|time| time.as_millis());
    times.zip(collected.batches().into_iter().map(sorted)).collect()
}

fn sums(window: &DStream<((), u64)>) -> DStream<u64> {
    window.map(|((), sum)| sum)
}

/// A window over counts, both kinds, and a state of it; with batches of an interval from `now` on.
fn windows_of_counts(
    place: &Path,
    now: i64,
    interval: Duration,
    saved_each: Duration,
    batches: usize,
) -> Vec<(i64, Vec<u64>)> {
    let driver = Driver::at(conf(), interval, at(now)).unwrap();
    let counts = count(&driver).checkpoint(saved_each);
    let window = counts.window(4 * SECOND, None).reduce_by_key(|a, b| a + b);
    let inverse = counts.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 4 * SECOND, None);
    let total = window.update_state_by_key(|sums: Vec<u64>, total: Option<u64>| {
        Some(1000 + total.unwrap_or(0) + sums.iter().sum::<u64>())
    });
    let inverse = sums(&inverse.checkpoint(2 * saved_each));
    let collected = driver.collect(&sums(&window).union(&inverse).union(&sums(&total)));
    let steps = driver.get_or_create(place).unwrap().start().unwrap();
    step(&steps, batches);
    kill(steps, place);
    rows(&collected)
}

#[test]
fn windows_over_states_go_on_with_another_batch_interval_also_if_it_dies_before_it_saves() {
    let directory = Directory::new();
    for saved_each in [2, 4, 20] {
        let place = directory.0.join(saved_each.to_string());
        let live = |now, interval, batches| {
            windows_of_counts(&place, now, interval * SECOND, saved_each * SECOND, batches)
        };
        let mut seen = live(0, 1, 5);
        // Each two seconds from 6 s on, and each second again.
        for (now, interval, batches) in
            [(5100, 2, 0), (5200, 2, 1), (6100, 2, 0), (6200, 2, 2), (10_100, 1, 1), (11_100, 1, 3)]
        {
            seen.extend(live(now, interval, batches));
        }
        let times = [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14].map(|second| second * 1000);
        let mut total = 0;
        for ((time, row), expected) in seen.iter().zip(times) {
            let in_window = (1..).zip(times).filter(|(_, at)| (expected - 4000 < *at) && *at <= expected);
            let sum: u64 = in_window.map(|(count, _)| count).sum();
            total += 1000 + sum;
            assert_eq!((*time, &row[..]), (expected, &[sum, sum, total][..]), "saved each {saved_each} s");
        }
        assert_eq!(seen.len(), times.len());
    }
}

/// Counts, with windows of some seconds over them; in a directory from `now` on.
fn windows_of(
    conf: Conf,
    place: &Path,
    now: i64,
    windows: &[u32],
    batches: usize,
) -> Result<Vec<Vec<Vec<u64>>>, Error> {
    let driver = Driver::at(conf, SECOND, at(now)).unwrap();
    let counts = count(&driver).checkpoint(SECOND);
    let window = |seconds: &u32| driver.collect(&sums(&counts.window(*seconds * SECOND, None)));
    let collected: Vec<_> = windows.iter().map(window).collect();
    let steps = driver.get_or_create(place)?.start()?;
    step(&steps, batches);
    kill(steps, place);
    Ok(collected.iter().map(Collected::batches).collect())
}

#[test]
fn a_longer_window_over_a_state_is_refused_and_fills_if_that_is_allowed() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    windows_of(conf(), &place, 0, &[1, 2], 8).unwrap();
    // Shorter ones ask for less.
    assert_eq!(windows_of(conf(), &place, 8100, &[2], 1).unwrap(), [[[8, 9]]]);
    let refused = windows_of(conf(), &place, 9100, &[2, 5], 1).unwrap_err();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("what is made of update_state_by_key at ") && text.contains("(`count`)"), "{text}");
    assert!(
        text.contains("windows are new or reach back further") && text.contains("allowStateLoss"),
        "{text}"
    );
    let allowed = conf().set("millstream.recovery.allowStateLoss", "true");
    let filling = windows_of(allowed, &place, 9100, &[2, 5], 1).unwrap();
    let [short, long] = &filling[..] else { panic!("{filling:?}") };
    assert_eq!(short[..], [[9, 10]]);
    let first = long[0][0];
    assert!((7..=9).contains(&first) && long[0] == (first..=10).collect::<Vec<_>>(), "{long:?}");
    // Once given up, it need not be allowed again.
    let mut next = 11;
    for batches in [1, 2, 2] {
        for row in &windows_of(conf(), &place, next * 1000 - 900, &[2, 5], batches).unwrap()[1] {
            let oldest = (next as u64 - 4).max(first);
            assert_eq!(*row, (oldest..=next as u64).collect::<Vec<_>>());
            next += 1;
        }
    }
}

#[test]
fn a_state_that_is_put_before_another_one_takes_nothing_from_it() {
    let directory = Directory::new();
    let input = || (1..=9).map(|n| vec![(n % 2, 1_u64)]).collect::<Vec<_>>();
    let totals = |stream: &DStream<(u64, u64)>| {
        let totals = stream.update_state_by_key(|ones: Vec<u64>, total: Option<u64>| {
            Some(total.unwrap_or(0) + ones.iter().sum::<u64>())
        });
        totals.uid("totals").checkpoint(4 * SECOND)
    };
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&totals(&driver.input(input())));
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    step(&steps, 6);
    kill(steps, &directory.0);
    // Twice: it dies before the new one is saved.
    let mut began = None;
    for (now, expected) in [(6100, [(0, 3), (1, 4)]), (7100, [(0, 4), (1, 4)]), (8100, [(0, 4), (1, 5)])] {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let numbered = StateSpec::function(|key: &u64, one: Option<u64>, seen: &mut State<'_, u64>| {
            let number = seen.get_option().copied().unwrap_or(0) + 1;
            seen.update(number);
            (*key, one.unwrap_or(0), number)
        });
        let numbered = driver.input(input()).map_with_state(numbered).stream();
        let numbers = driver.collect(&numbered);
        let totals = driver.collect(&totals(&numbered.map(|(key, one, _)| (key, one))));
        let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
        step(&steps, 1);
        kill(steps, &directory.0);
        assert_eq!(totals.batches().into_iter().map(sorted).collect::<Vec<_>>(), [expected]);
        // It began with the batches that were made again: 5 and 6, or all if it died before the state of 4 was written.
        let batch = now as u64 / 1000 + 1;
        let numbers = numbers.batches().concat();
        let [(key, 1, number)] = numbers[..] else { panic!("{numbers:?}") };
        let behind = batch.div_ceil(2) - number;
        assert!(key == batch % 2 && [0, 2].contains(&behind), "{numbers:?}");
        assert_eq!(*began.get_or_insert(behind), behind);
    }
}

#[test]
fn an_inverse_window_that_is_new_takes_out_nothing_that_has_not_entered() {
    let directory = Directory::new();
    let pairs = |driver: &Driver| driver.input((1..=12).map(|n| vec![((), n)]).collect());
    let driver = Driver::at(conf(), SECOND, at(0)).unwrap();
    driver.collect(&pairs(&driver).window(3 * SECOND, None));
    let steps = driver.get_or_create(&directory.0).unwrap().start().unwrap();
    step(&steps, 6);
    kill(steps, &directory.0);
    let driver = Driver::at(conf(), SECOND, at(6100)).unwrap();
    let pairs = pairs(&driver);
    driver.collect(&pairs.window(3 * SECOND, None));
    let inverse = pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 3 * SECOND, None);
    let inverse = driver.collect(&inverse);
    step(&driver.get_or_create(&directory.0).unwrap().start().unwrap(), 4);
    assert_eq!(inverse.batches(), batches![[((), 18)], [((), 21)], [((), 24)], [((), 27)]]);
}

#[test]
fn what_a_directory_holds_of_a_state_that_a_window_reads_is_said() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    windows_of(conf(), &place, 0, &[4], 9).unwrap();
    let context = millstream_core::Context::new(conf()).unwrap();
    let text = checkpoints::explain(&context.file_systems(), &place, at(9500)).unwrap();
    assert!(text.contains("    state of batch ") && text.contains(" later batches, for when"), "{text}");
    let verified = checkpoints::verify(&context.file_systems(), &place).unwrap();
    assert_eq!(verified.problems, Vec::<String>::new());
}

#[test]
fn a_state_that_turns_out_to_be_spoilt_long_after_it_was_saved_is_made_of_the_one_before() {
    let directory = Directory::new();
    let place = directory.0.join("checkpoints");
    let live = |now: i64, batches: usize| {
        let driver = Driver::at(conf(), SECOND, at(now)).unwrap();
        let counts = driver.collect(&sums(&count(&driver)));
        let steps = driver.get_or_create(&place).unwrap().start().unwrap();
        step(&steps, batches);
        kill(steps, &place);
        counts.batches()
    };
    // Saved after 10, 20 and 30 seconds.
    live(0, 39);
    let of_last = |path: &std::path::PathBuf| path.to_string_lossy().contains("-30000-");
    let files = std::fs::read_dir(place.join("state/1")).unwrap().map(|entry| entry.unwrap().path());
    let spoilt: Vec<_> = files.filter(of_last).collect();
    assert_eq!(spoilt.len(), 1);
    std::fs::write(&spoilt[0], "torn").unwrap();
    assert_eq!(live(39_100, 1), [[40]]);
}
