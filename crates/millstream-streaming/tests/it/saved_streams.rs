//! Streams that are saved: where, in how many files, and what a repeated or failed batch leaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use millstream_core::fs::{Codec, FixedFormat, KeyValueTextFormat, TextFormat};
use millstream_core::sink::FileSink;
use millstream_core::{Conf, Context, Rdd, TaskContext};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, FileStreamOptions, OutputHandle, RddQueue, SaveOptions};

use crate::tables::{SECOND, conf, millis, seconds, sorted, step};

/// A directory of a test's own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("millstream-saved-{name}-{}", std::process::id()));
        // One that was killed may have had the number of this process.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn prefix(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// All that is in a directory, hidden or not, sorted.
pub(crate) fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    Context::new(Conf::empty()).unwrap().text_file(path.as_ref()).collect().unwrap()
}

fn save(input: Vec<Vec<i32>>, batches: usize, save: impl Fn(&DStream<i32>)) {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    save(&driver.input(input));
    driver.run(batches).unwrap();
}

#[test]
fn directories_bear_prefix_time_and_suffix_and_those_of_the_prefix_are_made() {
    let directory = Directory::new("names");
    let prefix = directory.prefix("made/for/it/n");
    save(batches![[1, 2], [3]], 2, |s| {
        s.save_as_text_files(&*prefix, "txt");
        s.save_as_text_files(&*prefix, "");
        s.save_as_object_files(&*prefix, "obj");
    });
    let made = directory.0.join("made/for/it");
    assert_eq!(names(&made), ["n-1000", "n-1000.obj", "n-1000.txt", "n-2000", "n-2000.obj", "n-2000.txt"]);
    for name in names(&made) {
        assert_eq!(names(made.join(name)), ["_SUCCESS", "part-00000", "part-00001"]);
    }
    assert_eq!(lines(made.join("n-1000.txt")), ["1", "2"]);
    let numbers = Context::new(Conf::empty()).unwrap().object_file::<i32>(made.join("n-2000.obj"));
    assert_eq!(numbers.collect().unwrap(), [3]);
}

/// Saves counts under a prefix.
type SaveCounts = fn(&DStream<(String, u64)>, String) -> OutputHandle<(String, u64)>;

fn count(word: &str, n: u64) -> (String, u64) {
    (word.to_owned(), n)
}

/// Both names of Spark's write the same, also when a batch is tried again and when the program is run again.
#[test]
fn pairs_are_saved_under_hadoops_names_and_read_back() {
    let directory = Directory::new("hadoop");
    let saves: [SaveCounts; 2] = [
        |counts, prefix| counts.save_as_hadoop_files(prefix, "txt", KeyValueTextFormat::default()),
        |counts, prefix| counts.save_as_new_api_hadoop_files(prefix, "txt", KeyValueTextFormat::default()),
    ];
    for (n, save) in saves.into_iter().enumerate() {
        let there = directory.0.join(n.to_string());
        for _ in 0..2 {
            let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
            let attempts = AtomicUsize::new(0);
            let input = driver.input(batches![[count("to", 2), count("be", 1)], [], [count("or\tnot", 1)]]);
            let fails_once = input.map(move |pair| {
                assert!(pair.0 != "be" || attempts.fetch_add(1, Ordering::SeqCst) > 0, "no luck");
                pair
            });
            save(&fails_once, there.join("counts").display().to_string()).retry(1, seconds(0));
            driver.run(3).unwrap();
            assert_eq!(names(&there), ["counts-1000.txt", "counts-2000.txt", "counts-3000.txt"]);
            for batch in names(&there) {
                assert_eq!(names(there.join(batch)), ["_SUCCESS", "part-00000", "part-00001"]);
            }
            let text = |part: &str| fs::read_to_string(there.join(part)).unwrap();
            let first = ["counts-1000.txt/part-00000", "counts-1000.txt/part-00001"].map(text);
            assert_eq!(first, ["to\t2\n", "be\t1\n"]);
            assert_eq!(text("counts-2000.txt/part-00000"), "");
            assert_eq!(lines(there.join("counts-3000.txt")), ["or\tnot\t1"]);
        }
        for batch in names(&there) {
            for part in names(there.join(&batch)) {
                let file = fs::File::open(there.join(&batch).join(part)).unwrap();
                file.set_modified(UNIX_EPOCH).unwrap();
            }
        }
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let options = FileStreamOptions::default().existing(true);
        let format = KeyValueTextFormat::default();
        let read = driver.streaming().file_stream_with(there.join("counts-*.txt"), format, options);
        let read = driver.collect(&read);
        driver.run(1).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut batches = read.batches();
        batches[0].sort();
        assert_eq!(batches, [[pair("be", "1"), pair("or", "not\t1"), pair("to", "2")]]);
    }
}

#[test]
fn pairs_of_bytes_are_saved_as_records_of_one_length() {
    let directory = Directory::new("hadoop-fixed");
    save(batches![[1, 2], [3]], 2, |s| {
        let pairs = s.map(|n| (vec![n as u8], vec![0_u8, n as u8]));
        drop(pairs.save_as_hadoop_files(directory.prefix("n"), "", FixedFormat { record_len: 3 }));
    });
    let records = |batch| Context::new(Conf::empty()).unwrap().binary_records(directory.0.join(batch), 3);
    assert_eq!(records("n-1000").collect().unwrap(), [[1, 0, 1], [2, 0, 2]]);
    assert_eq!(records("n-2000").collect().unwrap(), [[3, 0, 3]]);
}

#[test]
fn every_codec_and_no_empty_batches() {
    let directory = Directory::new("codecs");
    for (codec, ending) in
        [(Codec::Gzip, ".gz"), (Codec::Lz4, ".lz4"), (Codec::Zstd, ".zst"), (Codec::Bzip2, ".bz2")]
    {
        let options = SaveOptions::default().codec(codec).skip_empty(true);
        let prefix = directory.prefix(&format!("{codec:?}/n"));
        save(batches![[], [1, 2], [], [3]], 4, |s| drop(s.save_as_text_files_with(&*prefix, "", options)));
        let saved = directory.0.join(format!("{codec:?}"));
        assert_eq!(names(&saved), ["n-2000", "n-4000"]);
        let (first, second) = (format!("part-00000{ending}"), format!("part-00001{ending}"));
        assert_eq!(names(saved.join("n-2000")), ["_SUCCESS", &first, &second]);
        assert_eq!(lines(saved.join("n-2000")), ["1", "2"]);
    }
}

#[test]
fn to_skip_an_empty_batch_computes_it_once() {
    let directory = Directory::new("once");
    let computed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&computed);
    let options = SaveOptions::default().skip_empty(true);
    save(batches![[1, 2, 3], [], [4]], 3, move |s| {
        let counter = Arc::clone(&counter);
        let counted = s.map_partitions(move |records| {
            counter.fetch_add(1, Ordering::SeqCst);
            records
        });
        counted.save_as_text_files_with(directory.prefix("n"), "", options);
    });
    // Three batches of two partitions.
    assert_eq!(computed.load(Ordering::SeqCst), 6);
}

#[test]
fn a_file_that_is_long_enough_is_followed_by_another() {
    let directory = Directory::new("size");
    let records: Vec<i32> = (100_000..200_000).collect();
    for codec in [Codec::None, Codec::Lz4] {
        let options = SaveOptions::default().roll_size(50_000).codec(codec);
        let prefix = directory.prefix(&format!("{codec:?}"));
        save(vec![records.clone(), vec![1]], 2, |s| drop(s.save_as_text_files_with(&*prefix, "", options)));
        let saved = PathBuf::from(format!("{prefix}-1000"));
        let parts = names(&saved);
        let of = |partition: &str| parts.iter().filter(|name| name.starts_with(partition)).count();
        assert!(of("part-00000-c") > 1 && of("part-00001-c") > 1, "{parts:?}");
        assert_eq!(parts.len(), of("part-00000-c") + of("part-00001-c") + 1);
        let read = lines(&saved).iter().map(|line| line.parse().unwrap()).collect::<Vec<i32>>();
        assert!(read == records, "{} records", read.len());
        if codec == Codec::None {
            // 7 bytes a line, chunks of 1024 records.
            let lengths: Vec<u64> =
                parts[1..].iter().map(|name| fs::metadata(saved.join(name)).unwrap().len()).collect();
            assert!(lengths.iter().all(|len| *len < 50_000 + 1024 * 7), "{lengths:?}");
            assert_eq!(lengths.iter().filter(|len| **len < 50_000).count(), 2, "{lengths:?}");
        }
        let end = codec.extension();
        let few = ["_SUCCESS".to_owned(), format!("part-00000-c000{end}"), format!("part-00001-c000{end}")];
        assert_eq!(names(format!("{prefix}-2000")), few);
    }
}

#[test]
fn batches_of_a_span_share_a_directory_that_is_complete_with_the_last() {
    let directory = Directory::new("time");
    let input = || batches![[1, 2], [3], [], [4, 5], [6]];
    let options = SaveOptions::default().roll_time(seconds(3));
    let run = |batches| {
        let prefix = directory.prefix("n");
        save(input(), batches, move |s| drop(s.save_as_text_files_with(&*prefix, "", options)));
    };
    run(5);
    let parts = |times: &[i64]| {
        let names = times.iter().flat_map(|time| [0, 1].map(|at| format!("part-{time}-0000{at}")));
        names.collect::<Vec<_>>()
    };
    let complete = [vec!["_SUCCESS".to_owned()], parts(&[1000, 2000, 3000])].concat();
    assert_eq!(names(&directory.0), ["n-1000", "n-4000"]);
    assert_eq!(names(directory.0.join("n-1000")), complete);
    assert_eq!(names(directory.0.join("n-4000")), parts(&[4000, 5000]));
    assert_eq!(lines(directory.0.join("n-1000")), ["1", "2", "3"]);
    // The same batches again, and the last of the second span.
    run(6);
    assert_eq!(names(directory.0.join("n-1000")), complete);
    let complete = [vec!["_SUCCESS".to_owned()], parts(&[4000, 5000, 6000])].concat();
    assert_eq!(names(directory.0.join("n-4000")), complete);
    assert_eq!(lines(directory.0.join("n-4000")), ["4", "5", "6"]);
    assert_eq!(names(&directory.0), ["n-1000", "n-4000"]);
}

#[test]
fn empty_batches_of_a_span_leave_no_files_and_the_last_one_completes_it() {
    let directory = Directory::new("time-empty");
    let options = SaveOptions::default().roll_time(seconds(2)).skip_empty(true);
    let prefix = directory.prefix("n");
    save(batches![[1], [], [], [], [], [2]], 6, |s| drop(s.save_as_text_files_with(&*prefix, "", options)));
    assert_eq!(names(&directory.0), ["n-1000", "n-5000"]);
    assert_eq!(names(directory.0.join("n-1000")), ["_SUCCESS", "part-1000-00000", "part-1000-00001"]);
    assert_eq!(names(directory.0.join("n-5000")), ["_SUCCESS", "part-6000-00000", "part-6000-00001"]);
}

#[test]
fn what_a_program_that_was_killed_was_writing_goes_when_its_batch_runs_again() {
    let directory = Directory::new("killed");
    let left = directory.0.join("n-1000/_temporary/1-2-3/attempt-0-0-2-0/part-00000-0");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(left, "1\n").unwrap();
    let prefix = directory.prefix("n");
    save(batches![[1, 2]], 1, |s| drop(s.save_as_text_files(&*prefix, "")));
    assert_eq!(names(directory.0.join("n-1000")), ["_SUCCESS", "part-00000", "part-00001"]);

    // And beside a directory of several batches; but what another output has there.
    for left in [
        "_temporary-s-1000-1-2-3/attempt-0-0-2-0/part-00000-0",
        "_temporary-s-1000-7-1-2-3/attempt-0-0-2-0/x",
    ] {
        let left = directory.0.join(left);
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(left, "1\n").unwrap();
    }
    let (prefix, rolled) = (directory.prefix("s"), SaveOptions::default().roll_time(seconds(60)));
    save(batches![[1], [2]], 2, |s| drop(s.save_as_text_files_with(&*prefix, "", rolled)));
    assert_eq!(names(&directory.0), ["_temporary-s-1000-7-1-2-3", "n-1000", "s-1000"]);
}

#[test]
fn a_batch_that_fails_leaves_nothing_and_is_whole_when_it_is_tried_again() {
    let directory = Directory::new("again");
    for (name, options) in [
        ("alone", SaveOptions::default().roll_size(10)),
        ("shared", SaveOptions::default().roll_time(seconds(60))),
    ] {
        let saved = directory.0.join(name);
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let attempts = AtomicUsize::new(0);
        let (there, failed) = (saved.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&failed);
        let input = driver.input(batches![[1, 2, 3, 4]]).map(move |n| {
            // Each attempt has four records, and the last record of the first one fails.
            if n == 4 && attempts.fetch_add(1, Ordering::SeqCst) == 0 {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("no luck");
            }
            // What the first attempt has left by the time of the second.
            assert!(!there.join("n-1000").join("_SUCCESS").exists());
            n
        });
        input.save_as_text_files_with(format!("{}/n", saved.display()), "", options).retry(1, seconds(0));
        driver.run(1).unwrap();
        assert_eq!(failed.load(Ordering::SeqCst), 1);
        assert_eq!(names(&saved), ["n-1000"]);
        assert_eq!(lines(saved.join("n-1000")), ["1", "2", "3", "4"]);
        assert_eq!(names(saved.join("n-1000")).iter().filter(|name| name.starts_with("part-")).count(), 2);
    }
}

/// A disk of one megabyte.
pub(crate) struct SmallDisk(Directory);

impl SmallDisk {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let directory = Directory::new(&format!("disk-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&directory.0).output();
        let mounted = mounted.unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        SmallDisk(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }

    /// Takes its room but for some pages, until the file that is returned is removed.
    pub(crate) fn fill_but_for(&self, pages: u64) -> PathBuf {
        let path = self.path().join("filler");
        let mut filler = fs::File::create(&path).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length.saturating_sub(pages * 4096)).unwrap();
        path
    }

    /// Lets it be written, or not.
    pub(crate) fn set_writable(&self, writable: bool) {
        let options = if writable { "remount,rw" } else { "remount,ro" };
        assert!(Command::new("mount").args(["-o", options]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0.0).status().unwrap();
        assert!(unmounted.success());
    }
}

/// Whether this process may mount a disk; where it may not, the core's tests write to `/dev/full`.
pub(crate) fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["--mount", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_ends_the_streams_and_the_batch_is_whole_once_there_is_room() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new();
    let path = disk.0.0.clone();
    fs::write(path.join("filler"), vec![0; 700_000]).unwrap();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queue = RddQueue::new();
    let big: Rdd<String> = driver.context().parallelize(vec!["x".repeat(99); 5_000], 2);
    queue.push(driver.context().parallelize(["small".to_owned()], 1));
    queue.push(big);
    let stream = driver.streaming().queue_stream(&queue);
    let (filler, told) = (path.join("filler"), disk.0.prefix("n-2000"));
    let reasons = Arc::new(std::sync::Mutex::new(Vec::new()));
    let of_output = Arc::clone(&reasons);
    let line = line!() + 1;
    stream.save_as_text_files(disk.0.prefix("n"), "").dead_letter_with(move |rdd, failure| {
        of_output.lock().unwrap().push(failure.cause.to_string());
        // Nothing of the batch is visible; with room it can be written.
        assert!(!Path::new(&told).exists() && failure.batch.as_millis() == 2000);
        fs::remove_file(&filler)?;
        rdd.save_as_text_file(&told)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    let steps = driver.start().unwrap();
    step(&steps, 2);
    steps.running.stop(true, false).unwrap();
    let reasons = reasons.lock().unwrap();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains(&format!("save_as_text_files at {}:{line}:", file!())), "{reasons:?}");
    assert!(reasons[0].contains("make room there, or write elsewhere"), "{reasons:?}");
    assert_eq!(names(&path), ["n-1000", "n-2000"]);
    assert_eq!(lines(path.join("n-2000")).len(), 5_000);
    assert_eq!(names(path.join("n-2000")), ["_SUCCESS", "part-00000", "part-00001"]);
}

#[test]
fn objects_and_formats_of_ones_own_are_saved_as_the_options_say() {
    let directory = Directory::new("options");
    let input = || batches![[1, 2], [], [3]];
    let options = SaveOptions::default().skip_empty(true);
    let rolled = options.roll_time(seconds(3));
    save(input(), 3, |s| {
        s.save_as_object_files_with(directory.prefix("objects"), "obj", options);
        s.map(|n| (n, n * n)).save_as_files_with(
            directory.prefix("pairs"),
            "",
            KeyValueTextFormat::default(),
            rolled,
        );
    });
    // An empty batch leaves nothing; batches of a span lie together.
    assert_eq!(names(&directory.0), ["objects-1000.obj", "objects-3000.obj", "pairs-1000"]);
    let context = Context::new(Conf::empty()).unwrap();
    let objects = |name: &str| context.object_file::<i32>(directory.0.join(name)).collect().unwrap();
    assert_eq!((objects("objects-1000.obj"), objects("objects-3000.obj")), (vec![1, 2], vec![3]));
    let pairs = names(directory.0.join("pairs-1000"));
    assert_eq!(
        pairs,
        ["_SUCCESS", "part-1000-00000", "part-1000-00001", "part-3000-00000", "part-3000-00001"]
    );
    assert_eq!(sorted(lines(directory.0.join("pairs-1000"))), ["1\t1", "2\t4", "3\t9"]);
}

/// A batch whose output fails after its first partition is stored, and is tried again.
#[test]
fn a_batch_that_is_tried_again_is_stored_exactly_once() {
    let directory = Directory::new("once");
    let sink = FileSink::new(&directory.0, TextFormat::default()).unwrap();
    let driver = Driver::new(conf("local[1]"), SECOND).unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&attempts);
    let input = driver.input(batches![[1, 2, 3, 4], [5]]).repartition(2).map(move |n| {
        let partition = TaskContext::get().unwrap().partition_id();
        assert!(partition == 0 || count.fetch_add(1, Ordering::SeqCst) > 0, "no luck");
        n
    });
    input.save_exactly_once("numbers", sink).retry(1, seconds(0));
    driver.run(2).unwrap();
    assert!(attempts.load(Ordering::SeqCst) > 1);
    assert_eq!(names(&directory.0), ["numbers-1000", "numbers-2000"]);
    let stored = |batch: &str| sorted(lines(directory.0.join(batch)));
    assert_eq!(stored("numbers-1000"), ["1", "2", "3", "4"]);
    assert_eq!(stored("numbers-2000"), ["5"]);
}

#[test]
fn what_lies_where_a_batch_is_saved_is_replaced_and_other_files_stay() {
    let directory = Directory::new("there");
    let there = directory.0.join("n-1000");
    fs::create_dir(&there).unwrap();
    for name in ["part-00000", "part-00009", "mine.txt"] {
        fs::write(there.join(name), "old\n").unwrap();
    }
    save(batches![[1], [2]], 2, |s| drop(s.save_as_text_files(directory.prefix("n"), "")));
    assert_eq!(names(&there), ["_SUCCESS", "mine.txt", "part-00000", "part-00001"]);
    assert_eq!(lines(there.join("part-*")), ["1"]);
}

#[test]
fn spans_of_a_window_follow_its_slide() {
    let directory = Directory::new("window");
    let options = SaveOptions::default().roll_time(millis(4000));
    save(batches![[1], [2], [3], [4], [5], [6]], 6, |s| {
        drop(s.window(seconds(2), seconds(2)).save_as_text_files_with(directory.prefix("n"), "", options));
    });
    let mut times: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in names(&directory.0) {
        times.insert(group.clone(), lines(directory.0.join(group)));
    }
    let group =
        |name: &str, lines: &[&str]| (name.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect());
    assert_eq!(times, [group("n-2000", &["1", "2", "3", "4"]), group("n-6000", &["5", "6"])].into());
}

#[test]
fn two_streams_of_one_name_in_a_sink_are_refused() {
    let directory = Directory::new("named");
    let sink = |name: &str| FileSink::new(directory.0.join(name), TextFormat::default()).unwrap();
    let start = |outputs: &[(&str, &str)]| {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let numbers = driver.input(batches![[1]]);
        for (name, place) in outputs {
            numbers.save_exactly_once(*name, sink(place));
        }
        driver.start()
    };
    // The second one's records would be taken for those of the first, which are there already.
    let refused = start(&[("a", "one"), ("b", "one"), ("a", "one")]).err().unwrap().to_string();
    assert!(
        refused.contains("the output `a` of this sink is also that of save_exactly_once at "),
        "{refused}"
    );
    start(&[("a", "one"), ("b", "one"), ("a", "other")]).unwrap();
}

/// Puts outputs on a stream.
type Outputs<'a> = &'a dyn Fn(&DStream<(char, i32)>);

#[test]
fn two_outputs_of_one_place_are_refused_whatever_they_write() {
    let directory = Directory::new("places");
    let at = |name: &str| directory.0.join(name);
    let start = |outputs: Outputs<'_>| {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        outputs(&driver.input(batches![[('a', 1)]]));
        driver.start().map(drop).map_err(|error| error.to_string())
    };
    // Of two formats with one ending the second one's files would be taken for those of the first.
    let refused = start(&|pairs| {
        pairs.save_exactly_once("a", FileSink::new(at("one"), TextFormat::default()).unwrap());
        pairs.save_exactly_once("a", FileSink::new(at("one"), KeyValueTextFormat::default()).unwrap());
    });
    assert!(
        refused.clone().unwrap_err().contains("the output `a` of this sink is also that of"),
        "{refused:?}"
    );
    let refused = start(&|pairs| {
        pairs.save_exactly_once("one/a", FileSink::new(&directory.0, TextFormat::default()).unwrap());
        pairs.save_exactly_once("a", FileSink::new(at("one"), TextFormat::default()).unwrap());
    });
    assert!(refused.is_err());
    // Each would delete what the other has saved.
    let prefix = directory.prefix("one");
    let refused = start(&|pairs| {
        pairs.save_as_text_files(&*prefix, "txt");
        pairs.save_as_object_files(format!("file:{prefix}"), "txt");
    });
    let error = refused.unwrap_err();
    assert!(
        error.contains(&format!("save_as_object_files at {}:", file!()))
            && error.contains(&format!(
                "the directory {prefix}-TIME_IN_MS.txt of its batches is also that of save_as_text_files at "
            ))
            && error.contains("give it another prefix or suffix"),
        "{error}"
    );
    let refused = start(&|pairs| {
        pairs.save_exactly_once("a", FileSink::new(at("one"), TextFormat::default()).unwrap());
        pairs.save_as_text_files(directory.prefix("one/a"), "");
    });
    assert!(refused.is_err());
    let refused = start(&|pairs| drop(pairs.save_as_text_files("file://elsewhere/a", "")));
    assert!(refused.unwrap_err().contains("names another machine"));
    start(&|pairs| {
        pairs.save_as_text_files(&*prefix, "txt");
        pairs.save_as_object_files(&*prefix, "");
        pairs.save_as_text_files(directory.prefix("other"), "txt");
        pairs.save_exactly_once("one", FileSink::new(at("one"), TextFormat::default()).unwrap());
    })
    .unwrap();
}
