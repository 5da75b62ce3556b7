//! Files of a stream that are broken, or are not at the reading what they were at the listing.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use millstream_core::fs::{Codec, TextFormat};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions};

use crate::file_streams::{Directory, put};
use crate::tables::{SECOND, conf, step};

/// Runs a batch of the lines of a directory; `change` comes when its files were listed and before they are read.
fn first_batch(
    directory: &Path,
    change: impl Fn() + Send + Sync + 'static,
) -> (millstream_streaming::Result<()>, Vec<Vec<String>>) {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let lines = driver.streaming().text_file_stream(directory);
    // Outputs run in the order of their definition.
    lines.foreach_rdd(move |_| change());
    let lines = driver.collect(&lines);
    (driver.run(1), lines.batches())
}

/// The error of that batch, of which nothing may have been put out.
fn error_of(directory: &Path, change: impl Fn() + Send + Sync + 'static) -> String {
    let (ended, lines) = first_batch(directory, change);
    let error = ended.expect_err("the batch was completed").to_string();
    assert!(lines.is_empty(), "{lines:?}");
    assert!(error.contains(&format!("text_file_stream at {}:", file!())), "{error}");
    assert!(error.contains("batch 1000 ms"), "{error}");
    error
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = Codec::Gzip.writer(Vec::new()).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_broken_gz_fails_its_batch_with_the_names_of_file_and_operator() {
    let whole = gzip("to be or not\n".repeat(1000).as_bytes());
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let (whole_file, again) = ("put the whole file there", "leave `.gz` out of its name");
    for (name, content, remedy) in [
        ("cut.gz", &whole[..whole.len() - 9], whole_file),
        ("short.gz", &whole[..4], whole_file),
        ("text.gz", b"to be or not\n", again),
        ("changed.gz", &changed[..], again),
    ] {
        let directory = Directory::new();
        put(&directory.path().join("good.gz"), 400, &whole);
        let path = directory.path().join(name);
        put(&path, 500, content);
        let error = error_of(directory.path(), || ());
        assert!(error.contains(path.to_str().unwrap()) && !error.contains("good.gz"), "{error}");
        assert!(error.contains(remedy), "{error}");
    }
}

/// What is done to a file, and what is said of it.
type Change = (fn(&Path), &'static str);

#[test]
fn a_file_that_is_no_longer_the_one_listed_fails_its_batch() {
    let changes: [Change; 5] = [
        (|path| fs::write(path, "one\n").unwrap(), "it has shrunk from 8 to 4 bytes"),
        (
            |path| {
                let other = path.with_file_name("other");
                fs::write(&other, "1\n2\n3\n4\n5\n").unwrap();
                fs::rename(other, path).unwrap();
            },
            "it was replaced by another file",
        ),
        (
            |path| {
                let file = File::options().write(true).open(path).unwrap();
                file.set_modified(UNIX_EPOCH + Duration::from_millis(600)).unwrap();
            },
            "it was rewritten after it was listed",
        ),
        (|path| fs::remove_file(path).unwrap(), "check the path"),
        (|path| fs::remove_dir_all(path.parent().unwrap()).unwrap(), "check the path"),
    ];
    for (change, why) in changes {
        let directory = Directory::new();
        let path = directory.path().join("a");
        put(&path, 500, "one\ntwo\n");
        let changed = path.clone();
        let error = error_of(directory.path(), move || change(&changed));
        assert!(error.contains(why) && error.contains(path.to_str().unwrap()), "{why}: {error}");
    }
}

#[test]
fn what_is_appended_after_the_listing_is_not_read() {
    let directory = Directory::new();
    let path = directory.path().join("a");
    put(&path, 500, "one\ntwo\nthr");
    let (ended, lines) = first_batch(directory.path(), move || {
        fs::write(&path, "one\ntwo\nthree\nfour\n").unwrap();
    });
    ended.unwrap();
    assert_eq!(lines, batches![["one", "two", "thr"]]);
}

#[test]
fn a_directory_within_a_watched_one_may_vanish_and_come_back() {
    let directory = Directory::new();
    let within = directory.path().join("within");
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let choices = FileChoices::default();
    let options = FileStreamOptions::default().recursive(true).explain(&choices);
    let lines = driver.streaming().file_stream_with(directory.path(), TextFormat::default(), options);
    let lines = driver.collect(&lines);
    let steps = driver.start().unwrap();
    put(&within.join("a"), 500, "a\n");
    step(&steps, 1);
    fs::remove_dir_all(&within).unwrap();
    put(&directory.path().join("b"), 1500, "b\n");
    step(&steps, 1);
    // It is another file, but of a name that was taken.
    put(&within.join("a"), 2500, "again\n");
    put(&within.join("c"), 2500, "c\n");
    step(&steps, 1);
    assert_eq!(lines.batches(), batches![["a"], ["b"], ["c"]]);
    let fates: Vec<_> =
        choices.latest().into_iter().map(|(path, fate)| (path.name().to_owned(), fate)).collect();
    let of = |name: &str, fate| (name.to_owned(), fate);
    let changed = FileChoice::ChangedSince { bytes: 2 };
    assert_eq!(fates, [of("b", FileChoice::TakenBefore), of("a", changed), of("c", FileChoice::Taken)]);
}

#[test]
fn a_file_where_the_directory_is_to_be_has_no_files_until_it_makes_room() {
    let directory = Directory::new();
    let watched = directory.path().join("watched");
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let lines = driver.collect(&driver.streaming().text_file_stream(&watched));
    let steps = driver.start().unwrap();
    put(&watched, 500, "no directory\n");
    step(&steps, 1);
    fs::remove_file(&watched).unwrap();
    put(&watched.join("a"), 1500, "a\n");
    step(&steps, 1);
    assert_eq!(lines.batches(), batches![[], ["a"]]);
}
