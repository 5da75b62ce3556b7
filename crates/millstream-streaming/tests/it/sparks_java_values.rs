//! The cases of Spark's JavaAPISuite and Java8APISuite whose values no other suite has.

use std::sync::mpsc;
use std::time::Duration;

use millstream_core::fs::TextFormat;
use millstream_streaming::testing::{Driver, batches, check, check_unordered};
use millstream_streaming::{DStream, FileStreamOptions, RddQueue};

use crate::file_streams::{Directory, put};
use crate::recovery::at;
use crate::tables::{SECOND, conf, pairs, rows, seconds, sorted};

type Pairs = Vec<(String, i32)>;

fn texts(table: &[&[&str]]) -> Vec<Vec<String>> {
    table.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()
}

fn text_pairs(table: &[&[(&str, &str)]]) -> Vec<Vec<(String, String)>> {
    let pair = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    table.iter().map(|row| row.iter().map(pair).collect()).collect()
}

fn letters(text: String) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// The numbers from 1 on, three in each batch.
fn threes(batches: i32) -> Vec<Vec<i32>> {
    (0..batches).map(|batch| (3 * batch + 1..=3 * batch + 3).collect()).collect()
}

fn teams() -> Vec<Vec<String>> {
    texts(&[&["giants", "dodgers"], &["yankees", "red sox"]])
}

fn numbers_of_states() -> Vec<Pairs> {
    vec![
        pairs(&[("california", 1), ("california", 3), ("new york", 4), ("new york", 1)]),
        pairs(&[("california", 5), ("california", 5), ("new york", 3), ("new york", 1)]),
    ]
}

fn teams_of_states() -> Vec<Vec<(String, String)>> {
    text_pairs(&[
        &[("california", "dodgers"), ("california", "giants"), ("new york", "yankees"), ("new york", "mets")],
        &[
            ("california", "sharks"),
            ("california", "ducks"),
            ("new york", "rangers"),
            ("new york", "islanders"),
        ],
    ])
}

fn states(california: i32, new_york: i32) -> Pairs {
    pairs(&[("california", california), ("new york", new_york)])
}

#[test]
fn records_one_by_one() {
    check(batches![[1, 2, 3, 4], [3, 4, 5], [3]], |s| s.count(), batches![[4], [3], [1]]);
    check(threes(3), |s| s.reduce(|a, b| a + b), batches![[6], [15], [24]]);
    check(threes(3), |s| s.transform(|rdd| rdd.map(|n| n + 2)), batches![[3, 4, 5], [6, 7, 8], [9, 10, 11]]);
    check(
        texts(&[&["hello", "world"], &["goodnight", "moon"]]),
        |s| s.map(|text| text.len()),
        batches![[5, 5], [9, 4]],
    );
    check(teams(), |s| s.filter(|team| team.contains('a')), texts(&[&["giants"], &["yankees"]]));
    check(
        texts(&[&["go", "giants"], &["boo", "dodgers"], &["athletics"]]),
        |s| s.flat_map(letters),
        ["gogiants", "boododgers", "athletics"].map(|row| letters(row.to_owned())).to_vec(),
    );
    let with_length = |text: String| {
        let length = text.len() as i32;
        letters(text).into_iter().map(|letter| (length, letter)).collect::<Vec<_>>()
    };
    let names = ["giants", "dodgers", "athletics"].map(String::from);
    check(
        names.clone().map(|name| vec![name]).to_vec(),
        move |s| s.flat_map(with_length),
        names.map(with_length).to_vec(),
    );
    check_unordered(
        texts(&[&["hello", "world"], &["hello", "moon"], &["hello"]]),
        |s| s.count_by_value().map_values(|count| count as i32),
        vec![
            pairs(&[("hello", 1), ("world", 1)]),
            pairs(&[("hello", 1), ("moon", 1)]),
            pairs(&[("hello", 1)]),
        ],
    );
}

/// The batches of the suite have one partition.
#[test]
fn partitions() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queue = RddQueue::new();
    teams().into_iter().for_each(|batch| queue.push(driver.context().parallelize(batch, 1)));
    let stream = driver.streaming().queue_stream(&queue);
    let glommed = driver.collect(&stream.glom());
    let upper = stream.map_partitions(|teams| [teams.map(|team| team.to_uppercase()).collect::<String>()]);
    let upper = driver.collect(&upper);
    driver.run(2).unwrap();
    assert_eq!(glommed.batches(), teams().into_iter().map(|batch| vec![batch]).collect::<Vec<_>>());
    assert_eq!(upper.batches(), texts(&[&["GIANTSDODGERS"], &["YANKEESRED SOX"]]));
    for (before, after) in [(2, 4), (4, 2)] {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let queue = RddQueue::new();
        (0..2).for_each(|_| queue.push(driver.context().parallelize(1..=10, before)));
        let parts = driver.collect(&driver.streaming().queue_stream(&queue).repartition(after).glom());
        driver.run(2).unwrap();
        for parts in parts.batches() {
            assert_eq!(parts.len(), after);
            assert_eq!(sorted(parts.concat()), (1..=10).collect::<Vec<i32>>());
        }
    }
}

#[test]
fn windows() {
    let window = |s: &DStream<i32>| s.window(seconds(2), None);
    assert_eq!(
        rows(threes(3), window, 4),
        batches![[1, 2, 3], [1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [7, 8, 9]]
    );
    let sliding = |s: &DStream<i32>| s.window(seconds(4), seconds(2));
    let expected = [1..=6, 1..=12, 7..=18, 13..=18].map(|numbers| numbers.collect::<Vec<i32>>());
    assert_eq!(rows(threes(6), sliding, 8), expected);
    let plain = |s: &DStream<i32>| s.reduce_by_window(|a, b| a + b, seconds(2), seconds(1));
    let inverse = |s: &DStream<i32>| {
        s.reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1))
    };
    assert_eq!(rows(threes(3), plain, 4), batches![[6], [21], [39], [24]]);
    assert_eq!(rows(threes(3), inverse, 4), batches![[6], [21], [39], [24]]);
    let counts =
        |s: &DStream<String>| s.count_by_value_and_window(seconds(2), seconds(1)).map(|(w, n)| (w, n as i32));
    let expected = [
        pairs(&[("hello", 1), ("world", 1)]),
        pairs(&[("hello", 2), ("moon", 1), ("world", 1)]),
        pairs(&[("hello", 2), ("moon", 1)]),
    ];
    assert_eq!(rows(texts(&[&["hello", "world"], &["hello", "moon"], &["hello"]]), counts, 3), expected);
}

#[test]
fn pairs_one_by_one() {
    check(numbers_of_states(), |s| s.map(|(_, n)| n), batches![[1, 3, 4, 1], [5, 5, 3, 1]]);
    let swapped = numbers_of_states().into_iter().map(|row| row.into_iter().map(|(s, n)| (n, s)).collect());
    let swapped: Vec<Vec<(i32, String)>> = swapped.collect();
    check(numbers_of_states(), |s| s.map(|(state, n)| (n, state)), swapped.clone());
    check(
        numbers_of_states(),
        |s| s.map_partitions(|pairs| pairs.map(|(state, n)| (n, state)).collect::<Vec<_>>()),
        swapped,
    );
    let numbered = |s: &DStream<(String, i32)>| {
        s.flat_map(|(text, n)| letters(text).into_iter().map(move |letter| (n, letter)))
    };
    let expected = [(1, "h"), (1, "i"), (2, "h"), (2, "o")].map(|(n, c)| (n, c.to_owned())).to_vec();
    check(vec![pairs(&[("hi", 1), ("ho", 2)]); 2], numbered, vec![expected; 2]);
    let lengths = |s: &DStream<String>| {
        let lengths = s.map(|team| {
            let length = team.len() as i32;
            (team, length)
        });
        lengths.filter(|(team, _)| team.contains('a'))
    };
    check(teams(), lengths, vec![pairs(&[("giants", 6)]), pairs(&[("yankees", 7)])]);
    let upper = |row: Vec<(String, String)>| {
        row.into_iter().map(|(state, team)| (state, team.to_uppercase())).collect::<Vec<_>>()
    };
    let expected = teams_of_states().into_iter().map(upper).collect();
    check(teams_of_states(), |s| s.map_values(|team| team.to_uppercase()), expected);
    let twice = |row: Vec<(String, String)>| {
        row.into_iter()
            .flat_map(|(state, team)| [1, 2].map(|n| (state.clone(), format!("{team}{n}"))))
            .collect::<Vec<_>>()
    };
    let expected = teams_of_states().into_iter().map(twice).collect();
    check(teams_of_states(), |s| s.flat_map_values(|team| [1, 2].map(|n| format!("{team}{n}"))), expected);
}

#[test]
fn pairs_by_key() {
    let reduced = || vec![states(4, 5), states(10, 4)];
    check_unordered(numbers_of_states(), |s| s.reduce_by_key(|a, b| a + b), reduced());
    check_unordered(
        numbers_of_states(),
        |s| s.combine_by_key_with(|n| n, |a, b| a + b, |a, b| a + b, 2),
        reduced(),
    );
    let grouped = text_pairs(&[
        &[("california", "dodgers giants"), ("new york", "yankees mets")],
        &[("california", "sharks ducks"), ("new york", "rangers islanders")],
    ]);
    check_unordered(
        teams_of_states(),
        |s| s.group_by_key().map_values(|teams: Vec<String>| teams.join(" ")),
        grouped,
    );
    let windows = || vec![states(4, 5), states(14, 9), states(10, 4)];
    let plain = |s: &DStream<(String, i32)>| s.reduce_by_key_and_window(|a, b| a + b, seconds(2), seconds(1));
    let inverse = |s: &DStream<(String, i32)>| {
        s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1))
    };
    assert_eq!(rows(numbers_of_states(), plain, 3), windows());
    assert_eq!(rows(numbers_of_states(), inverse, 3), windows());
    let groups = |s: &DStream<(String, i32)>| {
        s.group_by_key_and_window(seconds(2), seconds(1)).map_values(|mut numbers: Vec<i32>| {
            numbers.sort_unstable();
            numbers.into_iter().map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
        })
    };
    let expected = text_pairs(&[
        &[("california", "1 3"), ("new york", "1 4")],
        &[("california", "1 3 5 5"), ("new york", "1 1 3 4")],
        &[("california", "5 5"), ("new york", "1 3")],
    ]);
    assert_eq!(rows(numbers_of_states(), groups, 3), expected);
}

#[test]
fn states_by_key() {
    let sum = |values: Vec<i32>, state: Option<i32>| Some(values.iter().sum::<i32>() + state.unwrap_or(0));
    let plain = |s: &DStream<(String, i32)>| s.update_state_by_key(sum);
    assert_eq!(rows(numbers_of_states(), plain, 3), [states(4, 5), states(14, 9), states(14, 9)]);
    let with_initial = |s: &DStream<(String, i32)>| {
        let initial = s.context().parallelize(states(1, 2), 2);
        let options = millstream_streaming::UpdateOptions::default().partitioner(1).initial_state(initial);
        s.update_state_by_key_with(move |_, _, values, state| sum(values, state), options)
    };
    assert_eq!(rows(numbers_of_states(), with_initial, 3), [states(5, 7), states(15, 11), states(15, 11)]);
}

#[test]
fn transforms_of_pairs() {
    let input = || batches![[(3, 5), (1, 5), (4, 5), (2, 5)], [(2, 5), (3, 5), (4, 5), (1, 5)]];
    let ordered = vec![(1..=4).map(|n| (n, 5)).collect::<Vec<_>>(); 2];
    check(input(), |s| s.transform(|rdd| rdd.sort_by_key()), ordered);
    check(input(), |s| s.transform(|rdd| rdd.keys()), batches![[3, 1, 4, 2], [2, 3, 4, 1]]);
}

#[test]
fn two_streams() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let left = driver.input(text_pairs(&[
        &[("california", "dodgers"), ("new york", "yankees")],
        &[("california", "sharks"), ("new york", "rangers")],
    ]));
    let right = driver.input(text_pairs(&[
        &[("california", "giants"), ("new york", "mets")],
        &[("california", "ducks"), ("new york", "islanders")],
    ]));
    let text = |stream: &DStream<(String, (String, String))>| {
        driver.collect(&stream.map_values(|(a, b)| format!("{a} {b}")))
    };
    let joined =
        [text(&left.join(&right)), text(&left.transform_with(&right, |left, right| left.join(&right)))];
    let grouped = left.cogroup(&right).map_values(|(a, b)| format!("{} {}", a.join(","), b.join(",")));
    let grouped = driver.collect(&grouped);
    let one = driver.input(text_pairs(&[
        &[("california", "dodgers"), ("new york", "yankees")],
        &[("california", "sharks")],
    ]));
    let other = driver.input(text_pairs(&[&[("california", "giants")], &[("new york", "islanders")]]));
    let outer = driver.collect(&one.left_outer_join(&other).count());
    let [ones, fours] = [1, 4].map(|from| driver.input((from..from + 3).map(|n| vec![n, n]).collect()));
    let united = driver.collect(&ones.union(&fours));
    driver.run(3).unwrap();
    let expected = text_pairs(&[
        &[("california", "dodgers giants"), ("new york", "yankees mets")],
        &[("california", "sharks ducks"), ("new york", "rangers islanders")],
        &[],
    ]);
    for batches in [joined[0].batches(), joined[1].batches(), grouped.batches()] {
        assert_eq!(batches.into_iter().map(sorted).collect::<Vec<_>>(), expected);
    }
    assert_eq!(outer.batches(), batches![[2], [1], [0]]);
    assert_eq!(united.batches(), batches![[1, 1, 4, 4], [2, 2, 5, 5], [3, 3, 6, 6]]);
}

#[test]
fn a_transform_of_three_streams() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let [first, second] = [1, 3].map(|from| driver.input(vec![vec![from], vec![from + 1]]));
    let third = driver.input(batches![[(1, "x".to_owned())], [(2, "y".to_owned())]]);
    let joined = driver.streaming().transform((first, second, third), |(first, second, third), _| {
        first.union(&second).map(|n| (n, n)).join(&third)
    });
    let joined = driver.collect(&joined);
    driver.run(2).unwrap();
    assert_eq!(joined.batches(), batches![[(1, (1, "x".to_owned()))], [(2, (2, "y".to_owned()))]]);
}

#[test]
fn accumulators_count_batches_and_records() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let [batches, records] = [(); 2].map(|()| driver.context().long_accumulator(None));
    let input = driver.input(vec![vec![1, 1, 1]; 2]);
    let (of_batches, of_records) = (batches.clone(), records.clone());
    input.foreach_rdd(move |rdd| {
        of_batches.add(1);
        rdd.foreach_env(of_records.clone(), |records, _| records.add(1))
    });
    let (times, seen) = mpsc::channel();
    input.foreach_rdd_with(move |_, time| times.send(time.as_millis()));
    driver.run(2).unwrap();
    assert_eq!((batches.value(), records.value()), (2, 6));
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [1000, 2000]);
}

#[test]
fn a_queue_and_files() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queue = RddQueue::new();
    threes(3).into_iter().for_each(|batch| queue.push(driver.context().parallelize(batch, 2)));
    let queued = driver.collect(&driver.streaming().queue_stream(&queue));
    // A file of the time of the first batch.
    let directory = Directory::new();
    put(&directory.path().join("0"), 1000, "0\n");
    let texts = driver.collect(&driver.streaming().text_file_stream(directory.path()));
    let options = FileStreamOptions::default().filter(|_| true);
    let files = driver.streaming().file_stream_with(directory.path(), TextFormat::default(), options);
    let files = driver.collect(&files);
    driver.run(3).unwrap();
    assert_eq!(queued.batches(), threes(3));
    assert_eq!([texts.batches(), files.batches()], [batches![["0"], [], []], batches![["0"], [], []]]);
}

/// The lengths of words, by a program that dies after the first batch.
#[test]
fn a_program_goes_on_after_its_first_batch() {
    let words = || texts(&[&["this", "is"], &["a", "test"], &["counting", "letters"]]);
    let directory = Directory::new();
    let run = |now: i64, batches: usize| {
        let driver = Driver::at(conf("local[2]"), Duration::from_secs(1), at(now)).unwrap();
        let lengths = driver.collect(&driver.input(words()).map(|word| word.len()));
        let steps = driver.get_or_create(directory.path()).unwrap().start().unwrap();
        crate::tables::step(&steps, batches);
        lengths.batches()
    };
    assert_eq!(run(0, 1), [[4, 2]]);
    assert_eq!(run(1000, 2), [[1, 4], [8, 7]]);
}
