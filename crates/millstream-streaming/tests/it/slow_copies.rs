//! Files that someone has open for writing: none is taken before it is closed, however long that takes, and then once and whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use millstream_core::fs::TextFormat;
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions, Time};

use crate::file_streams::Directory;
use crate::recovery::{at, times};
use crate::tables::{SECOND, conf, step};

/// A copy that is under way. Its times lie so far back that the settle time alone would let it be taken at any moment.
struct Copy(File);

impl Copy {
    fn begin(path: &Path) -> Self {
        Copy(File::create(path).unwrap())
    }

    fn write(&mut self, millis: u64, line: &str) {
        writeln!(self.0, "{line}").unwrap();
        self.set_time(millis);
    }

    fn set_time(&self, millis: u64) {
        self.0.set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
    }
}

fn open(changed: i64) -> FileChoice {
    FileChoice::Unsettled { changed: Time::from_millis(changed), open: true }
}

fn choice(choices: &FileChoices) -> FileChoice {
    let [(_, choice)] = &choices.latest()[..] else { panic!("{:?}", choices.latest()) };
    choice.clone()
}

#[test]
fn a_writer_that_pauses_is_waited_for_until_it_closes_the_file() {
    let directory = Directory::new();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let choices = FileChoices::default();
    let options = FileStreamOptions::default().explain(&choices);
    let lines = driver.streaming().file_stream_with(directory.path(), TextFormat::default(), options);
    let lines = driver.collect(&lines);
    let steps = driver.start().unwrap();
    let mut copy = Copy::begin(&directory.path().join("slow"));
    copy.write(500, "part 1");
    step(&steps, 3);
    assert_eq!(choice(&choices), open(500));
    copy.write(3500, "part 2");
    step(&steps, 2);
    assert_eq!(choice(&choices), open(3500));
    drop(copy);
    step(&steps, 1);
    assert_eq!(choice(&choices), FileChoice::Taken);
    step(&steps, 1);
    assert_eq!(choice(&choices), FileChoice::TakenBefore);
    assert_eq!(lines.batches(), batches![[], [], [], [], [], ["part 1", "part 2"], []]);
}

#[test]
fn a_file_does_not_become_too_old_while_it_is_waited_for() {
    let directory = Directory::new();
    let conf = conf("local[2]").set("spark.streaming.fileStream.minRememberDuration", "2s");
    let driver = Driver::new(conf, SECOND).unwrap();
    let lines = driver.collect(&driver.streaming().text_file_stream(directory.path()));
    let steps = driver.start().unwrap();
    let mut paused = Copy::begin(&directory.path().join("paused"));
    paused.write(500, "paused");
    // As `cp -p` does at its end: the time is that of the original, from before the start.
    let mut with_time = Copy::begin(&directory.path().join("with-time"));
    with_time.write(600, "with its time");
    let mut given_up = Copy::begin(&directory.path().join("given-up"));
    given_up.write(700, "given up");
    step(&steps, 6);
    with_time.set_time(0);
    drop((paused, with_time));
    step(&steps, 1);
    // One that is gone is no longer waited for, and another of its name is as old as it is.
    fs::remove_file(directory.path().join("given-up")).unwrap();
    drop(given_up);
    step(&steps, 1);
    Copy::begin(&directory.path().join("given-up")).write(800, "too old");
    step(&steps, 4);
    let mut expected = batches![[], [], [], [], [], [], ["with its time", "paused"]];
    expected.resize(12, Vec::new());
    assert_eq!(lines.batches(), expected);
}

/// Begins a copy, runs three batches, dies, and goes on an hour later; `meanwhile` gets the copy.
fn an_hour_later(meanwhile: impl FnOnce(Copy) -> Option<Copy>) -> (Vec<i64>, Vec<Vec<String>>) {
    let directory = Directory::new();
    let input = directory.path().join("in");
    fs::create_dir_all(&input).unwrap();
    let start = |now: i64| {
        let conf = conf("local[2]").set("spark.streaming.fileStream.minRememberDuration", "1s");
        let driver = Driver::at(conf.set_app_name("the program"), SECOND, at(now)).unwrap();
        let lines = driver.collect(&driver.streaming().text_file_stream(&input));
        (driver.get_or_create(directory.path().join("checkpoints")).unwrap().start().unwrap(), lines)
    };
    let (steps, lines) = start(0);
    let mut copy = Copy::begin(&input.join("slow"));
    copy.write(500, "part 1");
    step(&steps, 3);
    assert_eq!(lines.batches().concat(), [""; 0]);
    drop(steps);
    let copy = meanwhile(copy);
    let (steps, lines) = start(3_600_100);
    step(&steps, 2);
    drop(copy);
    step(&steps, 1);
    (times(&lines), lines.batches())
}

#[test]
fn a_program_that_is_started_again_goes_on_waiting() {
    // One that is closed while nobody looks is in the first batch after that.
    let (times, lines) = an_hour_later(|mut copy| {
        copy.write(500, "part 2");
        None
    });
    assert_eq!(times, [4000, 3_601_000, 3_602_000, 3_603_000]);
    assert_eq!(lines, batches![["part 1", "part 2"], [], [], []]);
    // One that stays open keeps none of the intervals that were missed from being passed over.
    let (times, lines) = an_hour_later(Some);
    assert_eq!(times, [3_601_000, 3_602_000, 3_603_000]);
    assert_eq!(lines, batches![[], [], ["part 1"]]);
}
