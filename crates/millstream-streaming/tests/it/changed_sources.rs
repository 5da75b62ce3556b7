//! Sources of a program that has changed since: exchanged, put before others, taken away, named.

use std::path::Path;

use millstream_core::Conf;
use millstream_streaming::testing::Driver;
use millstream_streaming::{DStream, Error, Result};

use crate::fed::fed_stream;
use crate::recovery::{Directory, SECOND, at, conf, put};
use crate::recovery_of_receivers::with_log;
use crate::recovery_of_states::kill;
use crate::tables::step;

/// How many lines there were of each directory, as a state.
fn counts(lines: &DStream<String>) -> DStream<((), u64)> {
    lines.map(|_| ((), 1_u64)).update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or(0) + ones.iter().sum::<u64>())
    })
}

/// Runs a batch from `now` on of the directories that are named; a name of its own follows a `:`. Returns the counts, in the order
/// of the directories.
fn run(conf: Conf, directory: &Path, now: i64, names: &[&str]) -> Result<Vec<u64>> {
    let driver = Driver::at(conf, SECOND, at(now))?;
    let mut collected = Vec::new();
    for name in names {
        let (name, uid) = name.split_once(':').unwrap_or((name, ""));
        let lines = driver.streaming().text_file_stream(directory.join(name));
        let lines = if uid.is_empty() { lines } else { lines.uid(uid) };
        collected.push(driver.collect(&counts(&lines)));
    }
    let place = directory.join("checkpoints");
    let steps = driver.get_or_create(&place)?.start()?;
    steps.step()?;
    kill(steps, &place);
    let last =
        |batches: Vec<Vec<((), u64)>>| batches.last().and_then(|batch| batch.first()).map_or(0, |(_, n)| *n);
    Ok(collected.into_iter().map(|collected| last(collected.batches())).collect())
}

/// Two directories, of which the first has a file with one line and the second one with two.
fn began() -> Directory {
    let directory = Directory::new();
    for (name, lines) in [("a", "1\n"), ("b", "1\n2\n"), ("c", "")] {
        std::fs::create_dir_all(directory.0.join(name)).unwrap();
        put(&directory.0.join(name), "file", 500, lines);
    }
    assert_eq!(run(conf(), &directory.0, 0, &["a", "b"]).unwrap(), [1, 2]);
    directory
}

fn allowed() -> Conf {
    conf().set("millstream.recovery.allowStateLoss", "true")
}

#[test]
fn sources_that_would_take_over_the_past_of_others_are_refused() {
    for names in [&["b", "a"][..], &["c", "a", "b"], &["b"], &["b", "c"]] {
        let directory = began();
        // To give up what is gone must not give its states to another one.
        for conf in [conf(), allowed()] {
            let refused = run(conf, &directory.0, 1100, names).unwrap_err();
            assert!(matches!(refused, Error::Differences { .. }) && refused.exit_code() == 3, "{refused}");
            let text = refused.to_string();
            assert!(
                text.contains("the source `text_file_stream` has read the files of "),
                "{names:?}: {text}"
            );
            assert!(text.contains("/a: sources without a `uid` go by the order of their calls"), "{text}");
        }
        assert_eq!(run(conf(), &directory.0, 1100, &["a", "b"]).unwrap(), [1, 2]);
    }
}

#[test]
fn sources_that_are_named_go_where_the_program_says() {
    let directory = began();
    let exchanged = ["c:new", "b:text_file_stream#2", "a:text_file_stream"];
    assert_eq!(run(conf(), &directory.0, 1100, &exchanged).unwrap(), [0, 2, 1]);
    // One more behind them, and another directory in the place of one.
    assert_eq!(run(conf(), &directory.0, 2100, &["a", "b", "c:new", "c"]).unwrap(), [1, 2, 0, 0]);
    let directory = began();
    assert_eq!(run(conf(), &directory.0, 1100, &["a", "c"]).unwrap(), [1, 2]);
    assert_eq!(run(allowed(), &directory.0, 2100, &["a"]).unwrap(), [1]);
}

/// Runs a batch of the lines of a directory, without states, and returns them.
fn lines(conf: Conf, directory: &Path, now: i64, uid: Option<&str>) -> Result<Vec<String>> {
    let driver = Driver::at(conf, SECOND, at(now))?;
    let lines = driver.streaming().text_file_stream(directory.join("a"));
    let lines = uid.map_or_else(|| lines.clone(), |uid| lines.uid(uid));
    let collected = driver.collect(&lines);
    let place = directory.join("files");
    let steps = driver.get_or_create(&place)?.start()?;
    steps.step()?;
    kill(steps, &place);
    Ok(collected.batches().concat())
}

#[test]
fn a_source_that_is_named_anew_does_not_take_its_files_once_more() {
    let directory = began();
    assert_eq!(lines(conf(), &directory.0, 0, None).unwrap(), ["1"]);
    let refused = lines(conf(), &directory.0, 1100, Some("orders")).unwrap_err();
    assert_eq!(refused.exit_code(), 3, "{refused}");
    assert!(refused.to_string().contains("call the stream `.uid(\"text_file_stream\")`"), "{refused}");
    assert_eq!(lines(conf(), &directory.0, 1100, Some("text_file_stream")).unwrap(), [""; 0]);
    assert_eq!(lines(allowed(), &directory.0, 2100, Some("orders")).unwrap(), ["1"]);
}

#[test]
fn receivers_that_were_exchanged_and_have_no_past_are_of_no_account() {
    struct Numbers;
    struct Letters;
    macro_rules! silent {
        ($($receiver:ident $record:ty),*) => {$(
            impl millstream_streaming::Receiver<$record> for $receiver {
                fn on_start(
                    &self,
                    _: &millstream_streaming::ReceiverHandle<$record>,
                ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
                    Ok(())
                }
            }
        )*};
    }
    silent!(Numbers u64, Letters char);
    for (conf, with_log) in [(conf(), false), (with_log(), true)] {
        let directory = Directory::new();
        let run = |now: i64, is_exchanged: bool| -> Result<()> {
            let driver = Driver::at(conf.clone(), SECOND, at(now))?;
            let streaming = driver.streaming();
            let ignore = |_| ();
            if is_exchanged {
                streaming.receiver_stream(Letters).count().foreach_rdd(ignore);
                streaming.receiver_stream(Numbers).count().foreach_rdd(ignore);
            } else {
                streaming.receiver_stream(Numbers).count().foreach_rdd(ignore);
                streaming.receiver_stream(Letters).count().foreach_rdd(ignore);
            }
            let (more, _feed) = fed_stream::<u64>(streaming);
            more.count().foreach_rdd(ignore);
            step(&driver.get_or_create(&directory.0)?.start()?, 1);
            Ok(())
        };
        run(0, false).unwrap();
        // Their logs are another matter.
        assert_eq!(run(1100, true).is_err(), with_log);
        run(2100, false).unwrap();
    }
}
