//! Arguments no operator can work with: each is refused with the operator and a remedy, or does no harm.

use std::path::Path;
use std::time::Duration;

use millstream_core::Data;
use millstream_core::fs::FixedFormat;
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{
    DStream, FileStreamOptions, SaveOptions, State, StateSpec, Time, UpdateOptions, WindowKeys,
};

use crate::file_streams::{Directory, put};
use crate::tables::{SECOND, conf, pairs, rows, seconds, step};

fn driver() -> Driver {
    Driver::new(conf("local[2]"), SECOND).unwrap()
}

/// Reads all of a stream.
fn read<T: Data>(stream: &DStream<T>) {
    stream.foreach_rdd(|rdd| rdd.count().map(drop));
}

/// What is said of a program, at its start or in its first batch.
fn refusal(program: impl FnOnce(&Driver)) -> String {
    let driver = driver();
    program(&driver);
    driver.run(1).expect_err("it was not refused").to_string()
}

/// Asserts that a call in this file is blamed, for a reason and with a remedy.
#[track_caller]
fn assert_says(refusal: &str, operator: &str, reason: &str, remedy: &str) {
    for part in [&format!("{operator} at {}:", file!()), reason, remedy] {
        assert!(refusal.contains(part), "{part} is not in: {refusal}");
    }
}

type Pairs = DStream<(String, i32)>;

/// The name of an operator, and a call of it with a number of partitions.
type Call = (&'static str, fn(&Pairs, usize));

const SPREADING: [Call; 16] = [
    ("repartition", |s, n| read(&s.repartition(n))),
    ("reduce_by_key", |s, n| read(&s.reduce_by_key_with(|a, b| a + b, n))),
    ("group_by_key", |s, n| read(&s.group_by_key_with(n))),
    ("combine_by_key", |s, n| read(&s.combine_by_key_with(|n| n, |a, b| a + b, |a, b| a + b, n))),
    ("count_by_value", |s, n| read(&s.count_by_value_with(n))),
    ("cogroup", |s, n| read(&s.cogroup_with(s, n))),
    ("join", |s, n| read(&s.join_with(s, n))),
    ("left_outer_join", |s, n| read(&s.left_outer_join_with(s, n))),
    ("right_outer_join", |s, n| read(&s.right_outer_join_with(s, n))),
    ("full_outer_join", |s, n| read(&s.full_outer_join_with(s, n))),
    ("reduce_by_key_and_window", |s, n| {
        read(&s.reduce_by_key_and_window_with(|a, b| a + b, SECOND, SECOND, n));
    }),
    ("reduce_by_key_and_window", |s, n| {
        let (add, take) = (|a, b| a + b, |a, b| a - b);
        read(&s.reduce_by_key_and_window_keeping(add, take, SECOND, SECOND, n, WindowKeys::InWindow));
    }),
    ("group_by_key_and_window", |s, n| read(&s.group_by_key_and_window_with(SECOND, SECOND, n))),
    ("count_by_value_and_window", |s, n| read(&s.count_by_value_and_window_with(SECOND, SECOND, n))),
    ("update_state_by_key", |s, n| {
        let sum = |_, _: &String, new: Vec<i32>, _: Option<i32>| new.into_iter().max();
        read(&s.update_state_by_key_with(sum, UpdateOptions::default().partitioner(n)));
    }),
    ("map_with_state", |s, n| {
        let last = |_: &String, n: Option<i32>, _: &mut State<'_, i32>| n;
        read(&s.map_with_state(StateSpec::function(last).num_partitions(n)).stream());
    }),
];

#[test]
fn numbers_of_partitions_that_can_not_be_are_refused_at_the_start() {
    for (operator, call) in SPREADING {
        for (partitions, remedy) in [
            (0, "ask for at least 1"),
            (usize::MAX, "ask for at most 1048576"),
            ((1 << 20) + 1, "ask for at most 1048576"),
        ] {
            let driver = driver();
            call(&driver.input(vec![pairs(&[("a", 1), ("b", 2)])]), partitions);
            let refusal = driver.start().map(drop).unwrap_err().to_string();
            let reason = format!("records can not be spread over {partitions} partitions: ");
            assert_says(&refusal, operator, &reason, remedy);
            // Once, of however many steps it is made.
            assert_eq!(refusal.matches(&reason).count(), 1, "{refusal}");
        }
    }
}

#[test]
fn a_generator_of_no_partitions_or_of_too_many_is_refused() {
    let of = |partitions| {
        let driver = driver();
        read(&driver.streaming().generator_stream(partitions, |_, n| [n]));
        driver.start().map(drop).unwrap_err().to_string()
    };
    assert_says(&of(0), "generator_stream", "over 0 partitions: ", "ask for at least 1");
    let many = format!("over {} partitions: ", usize::MAX);
    assert_says(&of(usize::MAX), "generator_stream", &many, "ask for at most 1048576");
}

#[test]
fn files_of_no_bytes_and_directories_of_no_time_are_refused_at_the_start() {
    let directory = Directory::new();
    let prefix = directory.path().join("n").display().to_string();
    let rolled = SaveOptions::default().roll_size(0).roll_time(Duration::ZERO);
    let refusal = refusal(|driver| {
        drop(driver.input(batches![[1]]).save_as_text_files_with(&*prefix, "", rolled));
    });
    // All that is wrong is said at once.
    assert_says(&refusal, "save_as_text_files", "`roll_size` of 0 bytes", "ask for at least 1");
    assert_says(&refusal, "save_as_text_files", "`roll_time` of 0 s", "give a time that is longer");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // One that is no longer than the interval is as good as none.
    let driver = driver();
    let short = SaveOptions::default().roll_size(u64::MAX).roll_time(Duration::from_nanos(1));
    driver.input(batches![[1], [2]]).save_as_text_files_with(&*prefix, "", short);
    driver.run(2).unwrap();
    assert!(directory.path().join("n-2000/part-00000-c000").exists());
}

#[test]
fn batches_of_all_time_share_one_directory() {
    let directory = Directory::new();
    let prefix = directory.path().join("n").display().to_string();
    let driver = driver();
    let ever = SaveOptions::default().roll_time(Duration::MAX);
    driver.input(batches![[1], [2]]).save_as_text_files_with(&*prefix, "", ever);
    driver.run(2).unwrap();
    let shared = directory.path().join("n-1000");
    assert!(shared.join("part-1000-00000").exists() && shared.join("part-2000-00000").exists());
    assert!(!shared.join("_SUCCESS").exists());
}

#[test]
fn records_of_no_bytes_are_refused() {
    let directory = Directory::new();
    put(&directory.path().join("a"), 500, "a");
    let (reason, remedy) = ("a record can not have 0 bytes", "give the length the records have");
    type Call = (&'static str, fn(&Driver, &Path));
    let calls: [Call; 3] = [
        ("binary_records_stream", |driver, path| read(&driver.streaming().binary_records_stream(path, 0))),
        ("file_stream", |driver, path| {
            read(&driver.streaming().file_stream(path, FixedFormat { record_len: 0 }));
        }),
        ("file_stream", |driver, path| {
            let (format, options) = (FixedFormat { record_len: 0 }, FileStreamOptions::default());
            read(&driver.streaming().file_stream_with(path, format, options));
        }),
    ];
    for (operator, call) in calls {
        let driver = driver();
        call(&driver, directory.path());
        let refusal = driver.start().err().expect("it was not refused at the start").to_string();
        assert_says(&refusal, operator, reason, remedy);
    }
}

#[test]
fn to_print_no_records_or_all_does_no_harm() {
    for records in [0, usize::MAX] {
        let driver = driver();
        driver.input(batches![[1, 2], []]).print_with(records);
        driver.run(2).unwrap();
    }
}

/// The longest time that is a multiple of a second.
const EVER: Duration = Duration::from_secs(u64::MAX);

#[test]
fn a_window_of_all_time_has_all_that_came() {
    let input = || batches![[1], [2], [3]];
    assert_eq!(rows(input(), |s| s.window(EVER, SECOND), 3), batches![[1], [1, 2], [1, 2, 3]]);
    assert_eq!(rows(input(), |s| s.count_by_window(EVER, SECOND), 3), batches![[1], [2], [3]]);
    assert_eq!(rows(input(), |s| s.reduce_by_window(|a, b| a + b, EVER, SECOND), 3), batches![[1], [3], [6]]);
    // No batch of it is ever due.
    assert_eq!(rows(input(), |s| s.window(EVER, EVER), 3), [[0; 0]; 0]);
}

#[test]
fn a_window_that_is_too_long_by_a_rest_is_refused_with_one_that_is_not() {
    let longest = format!("use {} ms", EVER.as_millis());
    let window = refusal(|driver| read(&driver.input(batches![[1]]).window(Duration::MAX, SECOND)));
    assert_says(&window, "window", "is no positive multiple of the 1000 ms", &longest);
    let slide = refusal(|driver| read(&driver.input(batches![[1]]).window(SECOND, Duration::MAX)));
    assert_says(&slide, "window", "the slide of", &longest);
}

#[test]
fn batches_that_are_remembered_for_ever_are_there() {
    let driver = driver();
    driver.streaming().remember(Duration::MAX);
    let numbers = driver.input(batches![[1], [2], [3]]);
    let sums = driver.collect(&numbers.window(seconds(2), SECOND).reduce(|a, b| a + b));
    let steps = driver.start().unwrap();
    step(&steps, 3);
    assert_eq!(sums.batches(), batches![[1], [3], [5]]);
    let at = |second: i64| Time::from_millis(second * 1000);
    let slice = |from, to| {
        let rdds = numbers.slice(from, to).unwrap();
        rdds.iter().map(|rdd| rdd.collect().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(slice(at(1), at(3)), batches![[1], [2], [3]]);
    assert_eq!(slice(Time::from_millis(i64::MIN), at(2)), batches![[1], [2]]);
    // What is to come is not described yet: not the batch that is next, and not all that could ever be.
    let ever = Time::from_millis(i64::MAX);
    assert_eq!(slice(at(2), at(4)), batches![[2], [3]]);
    assert_eq!(slice(at(3), ever), batches![[3]]);
    assert_eq!(slice(Time::from_millis(i64::MIN), ever), batches![[1], [2], [3]]);
    assert_eq!(slice(at(4), ever), [[0; 0]; 0]);
    // Backwards there is nothing.
    for (from, to) in
        [(at(3), at(1)), (at(2), at(1)), (Time::from_millis(i64::MAX), Time::from_millis(i64::MIN))]
    {
        assert_eq!(slice(from, to), [[0; 0]; 0], "{from} {to}");
    }
}
