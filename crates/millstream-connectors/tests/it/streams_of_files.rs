//! A stream saves its batches to a file system, and another reads them there: what holds wherever that lies.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use millstream_core::fs::{FsPath, TextFormat};
use millstream_core::{Context, Error};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{FileStreamOptions, StreamingContext};

/// Longer than anything may take that does not hang.
const LONG: Duration = Duration::from_secs(60);

fn put(context: &Context, path: &str, text: &str) {
    let path = FsPath::parse(path).unwrap();
    let mut file = context.file_systems().of(&path).unwrap().create(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.publish().unwrap();
}

fn names(context: &Context, directory: &str) -> Vec<String> {
    let path = FsPath::parse(directory).unwrap();
    let files = context.file_systems().of(&path).unwrap().list(&path).unwrap();
    let mut names: Vec<_> = files.iter().map(|file| file.path.name().to_owned()).collect();
    names.sort();
    names
}

/// Saves and reads in directories of `root`, where nothing may be.
pub(crate) fn check(context: &Context, root: &str) {
    batches_that_are_saved_are_read(context, root);
    files_that_appear_are_read_once(context, root);
}

fn batches_that_are_saved_are_read(context: &Context, root: &str) {
    let second = Duration::from_secs(1);
    // Who saves batches again replaces them.
    for _ in 0..2 {
        let driver = Driver::on(context, second).unwrap();
        let lines = batches![["to".to_owned(), "be".to_owned()], [], ["or not".to_owned()]];
        driver.input(lines).save_as_text_files(format!("{root}/words"), "txt");
        driver.run(3).unwrap();
    }
    for batch in ["words-1000.txt", "words-2000.txt", "words-3000.txt"] {
        assert_eq!(names(context, &format!("{root}/{batch}")), ["_SUCCESS", "part-00000", "part-00001"]);
    }
    assert_eq!(names(context, root), ["words-1000.txt", "words-2000.txt", "words-3000.txt"]);
    let driver = Driver::on(context, second).unwrap();
    let existing = FileStreamOptions::default().existing(true);
    let saved = format!("{root}/words-*.txt");
    let lines = driver.collect(&driver.streaming().file_stream_with(saved, TextFormat::default(), existing));
    driver.run(2).unwrap();
    let mut read = lines.batches();
    read[0].sort();
    assert_eq!(read, batches![["be", "or not", "to"], []]);
}

fn files_that_appear_are_read_once(context: &Context, root: &str) {
    let streaming = StreamingContext::new(context, Duration::from_millis(100)).unwrap();
    // The times of objects may be no finer than a second: what comes in the one of the start would be of before it.
    let existing = FileStreamOptions::default().existing(true);
    let (sender, lines) = mpsc::channel();
    streaming.file_stream_with(format!("{root}/in"), TextFormat::default(), existing).foreach_rdd(
        move |rdd| rdd.collect()?.into_iter().try_for_each(|line| sender.send(line)).map_err(Error::user),
    );
    let running = streaming.start().unwrap();
    for name in ["a", "b"] {
        put(context, &format!("{root}/in/{name}"), &format!("{name}\n"));
        put(context, &format!("{root}/in/_{name}"), "hidden\n");
        assert_eq!(lines.recv_timeout(LONG).unwrap(), name);
    }
    running.stop(false, true).unwrap();
    assert_eq!(lines.iter().next(), None, "a file was read twice");
}
