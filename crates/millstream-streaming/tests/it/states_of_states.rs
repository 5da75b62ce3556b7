//! Windows and states that are made of states go on after a restart, wherever each state was saved.

use std::collections::BTreeMap;
use std::path::Path;

use millstream_core::{Conf, Result};
use millstream_streaming::testing::{Driver, Steps};
use millstream_streaming::{DStream, State, StateSpec};
use proptest::prelude::*;

use crate::recovery::{Directory, SECOND, at, conf, put};
use crate::recovery_of_states::kill;
use crate::tables::{seconds, step};

/// How long windows are, by how much they slide, and how often what they and states hold is saved; in seconds.
#[derive(Debug, Clone, Copy)]
struct Shape {
    window: (u64, u64),
    inverse: (u64, u64),
    /// Of the sums, of what follows them, of the inverse window, of the counts of a window; the last two are multiplied by the
    /// slides.
    saved_each: [u64; 4],
}

/// By batch and output: what was put out, sorted.
type Seen = BTreeMap<(i64, &'static str), Vec<String>>;

/// A file a batch; some keys come seldom.
fn write_input(input: &Path, batches: u64) {
    std::fs::create_dir_all(input).unwrap();
    for batch in 1..=batches {
        let rare = if batch % 5 == 0 { format!("{} 7\n", batch / 5 + 10) } else { String::new() };
        let text = format!("{} {batch}\n0 {}\n{rare}", batch % 3, batch * 10);
        put(input, &format!("file-{batch}"), batch * 1000 - 500, &text);
    }
}

/// Files are not remembered for longer than they must be.
fn conf_of_files() -> Conf {
    conf().set("spark.streaming.fileStream.minRememberDuration", "1s").set("spark.default.parallelism", "2")
}

/// What comes before it, by key.
fn before() -> StateSpec<u64, u64, u64, (u64, u64)> {
    StateSpec::function(|key: &u64, value: Option<u64>, last: &mut State<'_, u64>| {
        let before = last.get_option().copied().unwrap_or(1000);
        if let Some(value) = value {
            last.update(value);
        }
        (*key, before)
    })
}

/// The outputs of a program of windows and states that are made of each other.
fn describe(driver: &Driver, input: &Path, shape: Shape) -> Vec<(&'static str, DStream<String>)> {
    let [sums_each, lasts_each, inverse_each, counts_each] = shape.saved_each;
    let (window, slide) = (seconds(shape.window.0), seconds(shape.window.1));
    let (inverse, inverse_slide) = (seconds(shape.inverse.0), seconds(shape.inverse.1));
    let pairs = driver.streaming().text_file_stream(input).map(|line| {
        let mut numbers = line.split(' ').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0_u64), numbers.next().unwrap_or(0_u64))
    });
    let sums = pairs.update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
        Some(sum.unwrap_or(0) + values.iter().sum::<u64>()).filter(|sum| *sum % 11 != 5)
    });
    let sums = sums.checkpoint(seconds(sums_each));
    let lasts = sums.map_with_state(before());
    lasts.checkpoint(seconds(lasts_each));
    let slid = lasts.reduce_by_key_and_window_with_inverse(
        u64::wrapping_add,
        u64::wrapping_sub,
        inverse,
        inverse_slide,
    );
    let slid = slid.checkpoint(inverse_slide * inverse_each as u32);
    let counts = sums.window(window, slide).update_state_by_key(|values: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or(0) * 3 + values.iter().sum::<u64>() % 1000)
    });
    let counts = counts.checkpoint(slide * counts_each as u32);
    let text = |stream: &DStream<(u64, u64)>| stream.map(|pair| format!("{pair:?}"));
    vec![
        ("sums", text(&sums)),
        ("lasts", text(&lasts)),
        ("inverse", text(&slid)),
        ("windows of the inverse", text(&slid.window(inverse_slide * 2, None))),
        ("counts", text(&counts)),
        ("windows of snapshots", text(&lasts.state_snapshots().window(window, None))),
    ]
}

/// Puts what comes out into `seen`; a batch that runs again must give the same.
fn collect(outputs: Vec<(&'static str, DStream<String>)>, seen: &std::sync::Arc<std::sync::Mutex<Seen>>) {
    for (name, stream) in outputs {
        let seen = std::sync::Arc::clone(seen);
        stream.foreach_rdd_with(move |rdd, time| -> Result<()> {
            let mut row = rdd.collect()?;
            row.sort();
            let before = seen.lock().unwrap().insert((time.as_millis(), name), row.clone());
            assert!(before.is_none_or(|before| before == row), "{name} of {time} is another one than before");
            Ok(())
        });
    }
}

/// Where a program lives.
struct Place<'a> {
    checkpoints: &'a Path,
    input: &'a Path,
    shape: Shape,
    seen: std::sync::Arc<std::sync::Mutex<Seen>>,
}

impl<'a> Place<'a> {
    fn new(checkpoints: &'a Path, input: &'a Path, shape: Shape) -> Self {
        Place { checkpoints, input, shape, seen: std::sync::Arc::default() }
    }

    /// Lives from `now` on for some batches; the output of one may fail, after all others.
    fn live(&self, now: i64, batches: u64, fails_at: Option<i64>) {
        let driver = Driver::at(conf_of_files(), SECOND, at(now)).unwrap();
        let outputs = describe(&driver, self.input, self.shape);
        let sums = outputs[0].1.clone();
        collect(outputs, &self.seen);
        sums.foreach_rdd_with(move |_, time| {
            let fails = Some(time.as_millis()) == fails_at;
            if fails { Err(millstream_core::Error::user("the sink is gone")) } else { Ok(()) }
        });
        let steps = driver.get_or_create(self.checkpoints).unwrap().start().unwrap();
        for _ in 0..batches {
            self.step(&steps, fails_at);
        }
        kill(steps, self.checkpoints);
    }

    fn step(&self, steps: &Steps, fails_at: Option<i64>) {
        let stepped = steps.step();
        if let Err(error) = stepped {
            assert!(fails_at.is_some() && error.to_string().contains("the sink is gone"), "{error}");
        }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

/// What a run without a restart puts out.
fn expected(directory: &Directory, shape: Shape, batches: u64) -> Seen {
    let (checkpoints, input) = (directory.0.join("whole"), directory.0.join("in"));
    write_input(&input, batches);
    let place = Place::new(&checkpoints, &input, shape);
    place.live(0, batches, None);
    let seen = place.seen();
    assert!(seen.keys().any(|(time, name)| *time == batches as i64 * 1000 && *name == "sums"));
    seen
}

#[test]
fn whenever_the_program_dies_what_is_made_of_states_is_that_of_a_run_without_faults() {
    const BATCHES: u64 = 14;
    // Saved as often, more seldom than what is read, more often; slides that are not due when others are saved.
    let shapes = [
        Shape { window: (3, 1), inverse: (2, 1), saved_each: [1, 1, 1, 1] },
        Shape { window: (4, 2), inverse: (3, 3), saved_each: [3, 2, 1, 2] },
        Shape { window: (2, 1), inverse: (4, 2), saved_each: [1, 5, 2, 3] },
        Shape { window: (5, 5), inverse: (2, 2), saved_each: [2, 1, 3, 1] },
    ];
    for shape in shapes {
        let directory = Directory::new();
        let expected = expected(&directory, shape, BATCHES);
        let input = directory.0.join("in");
        for dies_after in 1..BATCHES - 1 {
            for is_pending in [false, true] {
                let checkpoints = directory.0.join(format!("{dies_after}-{is_pending}"));
                let place = Place::new(&checkpoints, &input, shape);
                let died = dies_after as i64 * 1000;
                place.live(0, dies_after, is_pending.then_some(died));
                // Dies again after a batch; then once more, before any.
                place.live(died + 100, 1, None);
                place.live(died + 1200, 0, None);
                place.live(died + 1300, BATCHES - dies_after - 1, None);
                assert_eq!(
                    place.seen(),
                    expected,
                    "{shape:?}, died after {dies_after}, pending: {is_pending}"
                );
            }
        }
    }
}

#[test]
fn a_savepoint_of_any_batch_goes_on_like_the_program_that_wrote_it() {
    const BATCHES: u64 = 13;
    let shape = Shape { window: (4, 2), inverse: (3, 3), saved_each: [3, 2, 1, 2] };
    let directory = Directory::new();
    let expected = expected(&directory, shape, BATCHES);
    let input = directory.0.join("in");
    for taken_after in 1..BATCHES {
        let place = |name: &str| directory.0.join(format!("{name}-{taken_after}"));
        let (old, new, savepoint) = (place("old"), place("new"), place("savepoint"));
        let program = Place::new(&old, &input, shape);
        let driver = Driver::at(conf_of_files(), SECOND, at(0)).unwrap();
        collect(describe(&driver, &input, shape), &program.seen);
        driver.streaming().checkpoint(&old);
        let steps = driver.start().unwrap();
        step(&steps, taken_after as usize);
        assert_eq!(steps.running.savepoint(&savepoint).unwrap(), at(taken_after as i64 * 1000));
        drop(steps);
        std::fs::remove_dir_all(&old).unwrap();

        let driver = Driver::at(conf_of_files(), SECOND, at(taken_after as i64 * 1000 + 100)).unwrap();
        collect(describe(&driver, &input, shape), &program.seen);
        driver.streaming().checkpoint(&new);
        let steps = driver.from_savepoint(&savepoint).unwrap().start().unwrap();
        steps.step().unwrap();
        kill(steps, &new);
        // It is not needed any more once it was begun with.
        std::fs::remove_dir_all(&savepoint).unwrap();
        let program = Place { checkpoints: &new, ..program };
        program.live(taken_after as i64 * 1000 + 1100, BATCHES - taken_after - 1, None);
        assert_eq!(program.seen(), expected, "taken after {taken_after}");
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let window = || (1_u64..4, 1_u64..4).prop_map(|(times, slide)| (times * slide, slide));
    let each = || prop::array::uniform4(1_u64..6);
    (window(), window(), each()).prop_map(|(window, inverse, saved_each)| Shape {
        window,
        inverse,
        saved_each,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_of_any_shape_that_dies_at_any_batch_gives_what_one_gives_that_lives_on(
        shape in shapes(),
        lives in prop::collection::vec((1_u64..9, any::<bool>()), 1..5),
    ) {
        const BATCHES: u64 = 24;
        let directory = Directory::new();
        let expected = expected(&directory, shape, BATCHES);
        let (checkpoints, input) = (directory.0.join("checkpoints"), directory.0.join("in"));
        let place = Place::new(&checkpoints, &input, shape);
        let mut done = 0;
        for (batches, is_pending) in lives {
            let batches = batches.min(BATCHES - done);
            let last = (done + batches) as i64 * 1000;
            place.live(done as i64 * 1000 + 100, batches, is_pending.then_some(last));
            done += batches;
        }
        // One that runs again comes before those of the clock.
        place.live(done as i64 * 1000 + 100, BATCHES - done, None);
        prop_assert_eq!(place.seen(), expected);
    }
}
