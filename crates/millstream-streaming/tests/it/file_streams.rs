//! Streams of files: which are taken when, and what becomes of the others.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, UNIX_EPOCH};

use millstream_core::Conf;
use millstream_core::fs::{FileSystem, FsPath, LocalFs, TextFormat};
use millstream_streaming::listener::{BatchInfo, StreamInputInfo, StreamingListener};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions, StreamId, StreamingContext, Time};

use crate::tables::{LONG, millis, sorted, step};

const SECOND: Duration = Duration::from_secs(1);

/// A directory of a test, removed with it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("file-streams-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // One that was killed may have had the number of this process.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file as of a time on the tests' clock, which begins at 0.
    fn put(&self, name: &str, millis: u64, text: &str) {
        put(&self.0.join(name), millis, text);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn put(path: &Path, millis: u64, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
    wait_until_closed(path);
}

/// Waits for processes that other tests start just now: each has all files that are open here until it has begun.
pub(crate) fn wait_until_closed(path: &Path) {
    let path = FsPath::from_path(path).unwrap();
    while LocalFs.status(&path).and_then(|file| LocalFs.is_open_for_writing(&file)).is_ok_and(|open| open) {
        std::thread::yield_now();
    }
}

fn driver() -> Driver {
    Driver::new(Conf::empty().set_master("local[2]"), SECOND).unwrap()
}

#[test]
fn each_file_is_in_the_batch_in_whose_interval_it_was_changed() {
    let directory = Directory::new();
    let driver = driver();
    let lines = driver.collect(&driver.streaming().text_file_stream(&directory.0));
    for n in 1..=5 {
        directory.put(&format!("{n}"), n * 1000 - 500, &format!("{n}\n"));
    }
    directory.put("at-the-tick", 2000, "tick\n");
    directory.put("sub/not-looked-into", 500, "sub\n");
    driver.run(6).unwrap();
    assert_eq!(lines.batches(), batches![["1"], ["2", "tick"], ["3"], ["4"], ["5"], []]);
}

#[test]
fn what_became_of_each_file_can_be_asked_for() {
    let directory = Directory::new();
    let driver = driver();
    let choices = FileChoices::default();
    let options = FileStreamOptions::default().explain(&choices);
    let lines = driver.streaming().file_stream_with(&directory.0, TextFormat::default(), options);
    let lines = driver.collect(&lines);
    directory.put("old", 0, "old\n"); // not after the stream was made
    directory.put("new", 700, "new\n");
    directory.put("soon", 1500, "soon\n");
    directory.put(".hidden", 700, "hidden\n");
    directory.put("_hidden", 700, "hidden\n");
    directory.put("sub/file", 700, "sub\n");
    let named = |choices: &FileChoices| -> Vec<(String, FileChoice)> {
        choices.latest().into_iter().map(|(path, choice)| (path.name().to_owned(), choice)).collect()
    };
    let time = Time::from_millis;
    let old = FileChoice::BeforeStart { changed: time(0), start: time(0) };
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    let expected = |new, soon| {
        [
            (".hidden", FileChoice::Hidden),
            ("_hidden", FileChoice::Hidden),
            ("new", new),
            ("old", old.clone()),
            ("soon", soon),
            ("sub", FileChoice::Directory),
        ]
        .map(|(name, choice)| (name.to_owned(), choice))
    };
    assert_eq!(named(&choices), expected(FileChoice::Taken, FileChoice::Later(time(1500))));
    steps.step().unwrap();
    assert_eq!(named(&choices), expected(FileChoice::TakenBefore, FileChoice::Taken));
    assert_eq!(lines.batches(), batches![["new"], ["soon"]]);
}

#[test]
fn too_old_a_file_is_told_from_one_of_before_the_start() {
    let directory = Directory::new();
    let conf = Conf::empty().set("spark.streaming.fileStream.minRememberDuration", "2s");
    let driver = Driver::new(conf, SECOND).unwrap();
    let choices = FileChoices::default();
    let options = FileStreamOptions::default().explain(&choices).filter(|path| path.name() != "other");
    let lines = driver.streaming().file_stream_with(&directory.0, TextFormat::default(), options);
    driver.collect(&lines);
    let steps = driver.start().unwrap();
    for _ in 0..4 {
        steps.step().unwrap();
    }
    directory.put("late", 1500, "late\n");
    directory.put("other", 4500, "other\n");
    steps.step().unwrap();
    let fates: Vec<_> = choices.latest().into_iter().map(|(_, choice)| choice).collect();
    let (changed, threshold) = (Time::from_millis(1500), Time::from_millis(3000));
    assert_eq!(fates, [FileChoice::TooOld { changed, threshold }, FileChoice::Filtered]);
}

/// Keeps what is said of the input of each batch, when it was submitted and when it was completed.
#[derive(Default)]
struct Inputs(Mutex<Vec<(&'static str, StreamInputInfo)>>);

impl Inputs {
    fn note(&self, what: &'static str, batch: &BatchInfo) {
        self.0.lock().unwrap().push((what, batch.stream_id_to_input_info[&StreamId(0)].clone()));
    }
}

impl StreamingListener for Inputs {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.note("submitted", batch);
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.note("completed", batch);
    }
}

/// Runs some batches of a stream of files under a listener; returns what it was told.
fn told(
    directory: &Directory,
    batches: usize,
    outputs: impl FnOnce(&Driver, &millstream_streaming::DStream<String>),
) -> Vec<(&'static str, StreamInputInfo)> {
    let driver = driver();
    let inputs = Arc::new(Inputs::default());
    driver.streaming().add_streaming_listener(Arc::clone(&inputs) as _).unwrap();
    outputs(&driver, &driver.streaming().text_file_stream(&directory.0));
    let steps = driver.start().unwrap();
    for _ in 0..batches {
        steps.step().unwrap();
    }
    // The stop waits for the listeners.
    steps.running.stop(true, true).unwrap();
    std::mem::take(&mut *inputs.0.lock().unwrap())
}

#[test]
fn the_records_of_a_batch_of_files_are_counted_once_and_their_names_are_told() {
    let directory = Directory::new();
    directory.put("a", 500, "to\nbe\n");
    directory.put("b", 600, "or\nnot\nto\n");
    let told = told(&directory, 2, |driver, lines| {
        // Two outputs read the files twice.
        driver.collect(lines);
        driver.collect(&lines.filter(|line| line == "to").count());
    });
    let names = ["a", "b"].map(|name| format!("file:{}", directory.0.join(name).display()));
    let plain = |name: &String| name.trim_start_matches("file:").trim_start_matches("//").to_owned();
    let records: Vec<_> = told.iter().map(|(what, input)| (*what, input.num_records)).collect();
    assert_eq!(records, [("submitted", 0), ("completed", 5), ("submitted", 0), ("completed", 0)]);
    for (_, input) in &told[..2] {
        let files: Vec<_> = input.metadata["files"].split(',').map(|name| plain(&name.to_owned())).collect();
        assert_eq!(files, names.each_ref().map(plain));
        assert_eq!(input.metadata_description(), Some(&*input.metadata["files"].replace(',', "\n")));
    }
    assert_eq!(told[3].1.metadata_description(), Some(""));
}

#[test]
fn records_that_no_window_was_due_for_count_for_the_batch_that_reads_them() {
    let directory = Directory::new();
    directory.put("a", 500, "a\n");
    directory.put("b", 1500, "b\nc\n");
    let told = told(&directory, 2, |driver, lines| {
        driver.collect(&lines.window(2 * SECOND, 2 * SECOND));
    });
    let (_, input) = told.last().unwrap();
    assert_eq!(input.num_records, 3);
    assert_eq!(input.metadata["files"].split(',').count(), 2);
}

/// Runs a stream of files by the system's clock; each batch with lines is sent to the channel.
fn live(
    directory: &Directory,
    settle: &str,
    choices: &FileChoices,
) -> (millstream_streaming::RunningContext, mpsc::Receiver<Vec<String>>) {
    let conf = Conf::empty().set_master("local[1]").set("millstream.streaming.fileStream.settleTime", settle);
    let streaming = StreamingContext::new(conf, millis(10)).unwrap();
    let options = FileStreamOptions::default().existing(true).explain(choices);
    let (sender, batches) = mpsc::channel();
    streaming.file_stream_with(&directory.0, TextFormat::default(), options).foreach_rdd(move |rdd| {
        let lines = rdd.collect()?;
        if !lines.is_empty() {
            sender.send(lines).map_err(millstream_core::Error::user)?;
        }
        Ok::<(), millstream_core::Error>(())
    });
    (streaming.start().unwrap(), batches)
}

/// Waits until the latest batch has left the only file there is out because it may grow.
fn wait_until_left_out(choices: &FileChoices, changed_after: Option<Time>) -> Time {
    let start = std::time::Instant::now();
    loop {
        if let [(_, FileChoice::Unsettled { changed, .. })] = choices.latest()[..]
            && Some(changed) > changed_after
        {
            return changed;
        }
        assert!(start.elapsed() < LONG, "{:?}", choices.latest());
        std::thread::sleep(millis(1));
    }
}

#[test]
fn a_file_that_is_copied_slowly_is_left_out_with_its_reason_and_read_whole_once() {
    let directory = Directory::new();
    let choices = FileChoices::default();
    let (running, batches) = live(&directory, "1h", &choices);
    let mut file = File::create(directory.0.join("slow")).unwrap();
    let mut seen = None;
    for part in 0..5 {
        // The times of files may be no finer than the ticks of the system.
        std::thread::sleep(millis(20));
        writeln!(file, "part {part}").unwrap();
        seen = Some(wait_until_left_out(&choices, seen));
    }
    assert!(batches.try_recv().is_err());
    // What moves, or is given the time of its original as `cp -p` does, is complete.
    let modified = std::time::SystemTime::now() - Duration::from_secs(3);
    file.set_modified(modified).unwrap();
    drop(file);
    let expected: Vec<_> = (0..5).map(|part| format!("part {part}")).collect();
    assert_eq!(batches.recv_timeout(LONG).unwrap(), expected);
    running.stop(true, true).unwrap();
    assert!(batches.recv().is_err(), "it was read twice");
}

#[test]
fn a_file_that_is_moved_is_taken_at_once_and_one_that_is_left_alone_later() {
    let directory = Directory::new();
    let (running, batches) = live(&directory, "1h", &FileChoices::default());
    let aside = Directory::new();
    fs::write(aside.0.join("moved"), "moved\n").unwrap();
    std::thread::sleep(millis(20));
    fs::rename(aside.0.join("moved"), directory.0.join("moved")).unwrap();
    assert_eq!(batches.recv_timeout(LONG).unwrap(), ["moved"]);
    running.stop(true, true).unwrap();
    let directory = Directory::new();
    // Longer than it may take from the begin of the file to its line.
    let (_running, batches) = live(&directory, "1s", &FileChoices::default());
    fs::write(directory.0.join("written"), "written\n").unwrap();
    assert_eq!(batches.recv_timeout(LONG).unwrap(), ["written"]);
}

#[test]
fn what_is_added_to_a_file_that_was_taken_is_not_read_and_said_to_be_there() {
    let (directory, aside) = (Directory::new(), Directory::new());
    let choices = FileChoices::default();
    let (running, batches) = live(&directory, "1h", &choices);
    fs::write(aside.0.join("slow"), "part 1\n").unwrap();
    std::thread::sleep(millis(20));
    fs::rename(aside.0.join("slow"), directory.0.join("slow")).unwrap();
    assert_eq!(batches.recv_timeout(LONG).unwrap(), ["part 1"]);
    let mut file = fs::OpenOptions::new().append(true).open(directory.0.join("slow")).unwrap();
    writeln!(file, "part 2").unwrap();
    let begun = std::time::Instant::now();
    while !choices.latest().iter().any(|(_, choice)| *choice == FileChoice::ChangedSince { bytes: 7 }) {
        assert!(begun.elapsed() < LONG, "{:?}", choices.latest());
        std::thread::sleep(millis(1));
    }
    running.stop(true, true).unwrap();
    assert!(batches.recv().is_err(), "it was read twice");
}

#[test]
fn a_file_that_is_changed_again_is_not_taken_again_while_it_is_remembered() {
    let directory = Directory::new();
    let conf = Conf::empty().set("spark.streaming.fileStream.minRememberDuration", "2s");
    let driver = Driver::new(conf, SECOND).unwrap();
    let lines = driver.collect(&driver.streaming().text_file_stream(&directory.0));
    directory.put("file", 500, "first\n");
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    directory.put("file", 1500, "second\n");
    steps.step().unwrap();
    // Moved here late: its time is in the window, so it is taken; one from before the window is not.
    directory.put("late", 1500, "late\n");
    directory.put("too-late", 900, "too late\n");
    steps.step().unwrap();
    assert_eq!(lines.batches(), batches![["first"], [], ["late"]]);
}

#[test]
fn files_from_before_the_start_are_taken_if_asked_for() {
    let directory = Directory::new();
    directory.put("ancient", 1, "ancient\n");
    let taken = |options: FileStreamOptions, batches| {
        let driver = driver();
        let lines = driver.streaming().file_stream_with(&directory.0, TextFormat::default(), options);
        let lines = driver.collect(&lines);
        driver.run(batches).unwrap();
        lines.batches()
    };
    // The clock stands at 0 and the file is of 1 ms: put it back behind the start.
    File::open(directory.0.join("ancient")).unwrap().set_modified(UNIX_EPOCH).unwrap();
    assert_eq!(taken(FileStreamOptions::default(), 2), [Vec::<String>::new(), Vec::new()]);
    assert_eq!(taken(FileStreamOptions::default().existing(true), 2), batches![["ancient"], []]);
    directory.put("future", 1500, "future\n");
    // Taken once, though its time is still to come.
    assert_eq!(
        taken(FileStreamOptions::default().existing(true), 3),
        batches![["ancient", "future"], [], []]
    );
}

/// Spark's cases of the file stream: with and without the files that are older than the stream.
#[test]
fn files_of_shortly_before_the_start_are_taken_unless_only_new_ones_are() {
    let directory = Directory::new();
    for (name, millis) in [("too-old", 5_000), ("old", 59_500), ("new", 60_500)] {
        directory.put(name, millis, &format!("{name}\n"));
    }
    let taken = |new_files_only| {
        let conf = Conf::empty().set("spark.streaming.fileStream.minRememberDuration", "2s");
        let driver = Driver::at(conf, SECOND, Time::from_millis(60_000)).unwrap();
        let options = FileStreamOptions::default().new_files_only(new_files_only);
        let lines = driver.streaming().file_stream_with(&directory.0, TextFormat::default(), options);
        let lines = driver.collect(&lines);
        driver.run(2).unwrap();
        lines.batches().into_iter().map(sorted).collect::<Vec<_>>()
    };
    assert_eq!(taken(true), batches![["new"], []]);
    assert_eq!(taken(false), batches![["new", "old"], []]);
}

#[test]
fn patterns_name_directories_and_recursion_finds_those_within() {
    let directory = Directory::new();
    for (name, text) in
        [("a1/x", "a1"), ("a2/x", "a2"), ("b/x", "b"), ("a1/deep/er/x", "deep"), ("a1/_no/x", "no")]
    {
        directory.put(name, 500, &format!("{text}\n"));
    }
    let driver = driver();
    let streaming = driver.streaming();
    let by_pattern = driver.collect(&streaming.text_file_stream(directory.0.join("a*")));
    let all = FileStreamOptions::default().recursive(true);
    let all = driver.collect(&streaming.file_stream_with(&directory.0, TextFormat::default(), all));
    let filtered = FileStreamOptions::default().filter(|path| path.path().contains("a2"));
    let path = directory.0.join("*");
    let filtered = driver.collect(&streaming.file_stream_with(path, TextFormat::default(), filtered));
    driver.run(1).unwrap();
    assert_eq!(by_pattern.batches(), batches![["a1", "a2"]]);
    assert_eq!(all.batches(), batches![["deep", "a1", "a2", "b"]]);
    assert_eq!(filtered.batches(), batches![["a2"]]);
}

#[test]
fn a_directory_may_come_late_and_vanish() {
    let directory = Directory::new();
    let watched = directory.0.join("watched");
    let driver = driver();
    let lines = driver.collect(&driver.streaming().text_file_stream(&watched));
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    put(&watched.join("a"), 1500, "a\n");
    steps.step().unwrap();
    fs::remove_dir_all(&watched).unwrap();
    steps.step().unwrap();
    put(&watched.join("b"), 3500, "b\n");
    steps.step().unwrap();
    assert_eq!(lines.batches(), batches![[], ["a"], [], ["b"]]);
}

#[test]
fn what_came_while_the_directory_could_not_be_read_is_taken_however_long_that_was() {
    let directory = Directory::new();
    let (watched, away) = (directory.0.join("watched"), directory.0.join("away"));
    put(&watched.join("a"), 500, "a\n");
    let driver = driver();
    let lines = driver.streaming().text_file_stream(&watched);
    let all = FileStreamOptions::default().existing(true);
    let existing = driver.streaming().file_stream_with(&away, TextFormat::default(), all);
    let (lines, existing) = (driver.collect(&lines), driver.collect(&existing));
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    // For longer than files are remembered: what comes meanwhile comes where it can not be seen.
    fs::rename(&watched, &away).unwrap();
    put(&away.join("b"), 10_500, "b\n");
    step(&steps, 90);
    fs::rename(&away, &watched).unwrap();
    steps.step().unwrap();
    put(&watched.join("c"), 91_500, "c\n");
    put(&watched.join("too-old"), 20_500, "too-old\n");
    step(&steps, 2);
    let came = |batches: Vec<Vec<String>>| {
        let come = batches.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty());
        come.map(|(at, lines)| (at + 1, lines.concat())).collect::<Vec<_>>()
    };
    let at = |batch: usize, lines: &str| (batch, lines.to_owned());
    assert_eq!(came(lines.batches()), [at(1, "a"), at(92, "b"), at(93, "c")]);
    // The first look into it is the one that finds what there is.
    assert_eq!(came(existing.batches()), [at(2, "ab")]);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused_at_the_start_and_later_it_is_waited_for() {
    let directory = Directory::new();
    let file = directory.0.join("watched");
    fs::write(&file, "to be\n").unwrap();
    let refused = driver();
    let line = line!() + 1;
    refused.streaming().text_file_stream(&file).print();
    let error = refused.run(1).unwrap_err().to_string();
    assert!(error.contains(&format!("text_file_stream at {}:{line}:", file!())), "{error}");
    let remedy = "is a file; name the directory in which files are to appear";
    assert!(error.contains(&format!("{} {remedy}", file.display())), "{error}");
    // Of a pattern there may be directories yet.
    let driver = driver();
    let by_pattern = driver.collect(&driver.streaming().text_file_stream(directory.0.join("watch*")));
    fs::remove_file(&file).unwrap();
    let lines = driver.collect(&driver.streaming().text_file_stream(&file));
    fs::write(&file, "or not\n").unwrap();
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    fs::remove_file(&file).unwrap();
    put(&file.join("a"), 1500, "a\n");
    steps.step().unwrap();
    assert_eq!(lines.batches(), batches![[], ["a"]]);
    assert_eq!(by_pattern.batches(), batches![[], ["a"]]);
}

#[test]
fn windows_read_a_file_once_for_all_their_batches() {
    let directory = Directory::new();
    let driver = driver();
    let lines = driver.streaming().text_file_stream(&directory.0);
    let windows = driver.collect(&lines.window(2 * SECOND, SECOND));
    directory.put("a", 500, "a\n");
    let steps = driver.start().unwrap();
    steps.step().unwrap();
    fs::remove_file(directory.0.join("a")).unwrap();
    steps.step().unwrap();
    assert_eq!(windows.batches(), batches![["a"], ["a"]]);
}

#[test]
fn records_of_another_length_fail_the_batch_and_name_the_file() {
    let directory = Directory::new();
    let driver = driver();
    driver.streaming().binary_records_stream(&directory.0, 4).print();
    directory.put("seven", 500, "1234567");
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("seven") && error.contains("its 7 bytes"), "{error}");
}

#[test]
fn a_saved_batch_can_be_repeated_and_one_in_the_way_is_an_error() {
    let directory = Directory::new();
    let prefix = directory.0.join("out").to_string_lossy().into_owned();
    for _ in 0..2 {
        // A program that is started again writes the same batches again.
        let driver = driver();
        driver.input(batches![["a".to_owned()], []]).save_as_text_files(prefix.clone(), "txt");
        driver.run(2).unwrap();
    }
    assert_eq!(fs::read_to_string(directory.0.join("out-1000.txt/part-00001")).unwrap(), "a\n");
    let names = |batch: &str| {
        let entries = fs::read_dir(directory.0.join(batch)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("out-1000.txt"), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(names("out-2000.txt"), ["_SUCCESS", "part-00000", "part-00001"]);

    let driver = driver();
    fs::write(directory.0.join("wall"), "").unwrap();
    driver.input(batches![[1]]).save_as_text_files(directory.0.join("wall/n").to_string_lossy(), "");
    let error = driver.run(1).unwrap_err().to_string();
    assert!(error.contains("wall") && error.contains("1000 ms"), "{error}");
}
