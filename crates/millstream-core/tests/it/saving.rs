//! `save_as_text_file`, `save_as_object_file`, `save_as_files` into real directories.

use std::fs;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::fs::{
    self as files, Codec, FileWriter, FixedFormat, FsPath, KeyValueTextFormat, ObjectFormat, OutputFormat,
    TextFormat,
};
use millstream_core::rdd::{Existing, Saving};
use millstream_core::{Conf, Context, Data, Error, Rdd, Result, Show, TaskContext};

use crate::directory::{Directory, names};
use crate::file_changes::without_rights;
use crate::other_disk::OtherDisk;
use crate::{context, on, sorted};

/// Saves pairs in a directory.
type SavePairs = fn(&Rdd<(char, i32)>, &Path, KeyValueTextFormat) -> Result<()>;

/// Spark's FileSuite: the numbers 1 to 4 as text.
#[test]
fn numbers_are_saved_as_lines() {
    let directory = Directory::new("lines");
    let out = directory.path("a/b/out");
    let numbers = context().parallelize(1..=4, 2);
    numbers.save_as_text_file(&out).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(fs::read_to_string(out.join("part-00000")).unwrap(), "1\n2\n");
    assert_eq!(context().text_file(&out).collect().unwrap(), ["1", "2", "3", "4"]);
    let empty = directory.path("empty");
    context().empty_rdd::<i32>().save_as_text_file(&empty).unwrap();
    assert_eq!(names(&empty), ["_SUCCESS"]);
    let partly = directory.path("partly");
    context().parallelize([1], 2).save_as_text_file(&partly).unwrap();
    assert_eq!(names(&partly), ["_SUCCESS", "part-00000", "part-00001"]);
}

/// Spark's FileSuite: compressed text is smaller, and the same when it is read.
#[test]
fn text_is_saved_compressed() {
    let directory = Directory::new("codecs");
    let lines = context().parallelize(vec!["a".repeat(10_000); 3], 1);
    lines.save_as_text_file(directory.path("plain")).unwrap();
    let plain = fs::metadata(directory.path("plain/part-00000")).unwrap().len();
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Bzip2] {
        let out = directory.path(&format!("{codec:?}"));
        lines.save_as_text_file_with(&out, codec).unwrap();
        let part = format!("part-00000{}", codec.extension());
        assert_eq!(names(&out), ["_SUCCESS", &part]);
        assert!(fs::metadata(out.join(part)).unwrap().len() < plain / 10);
        assert_eq!(context().text_file(&out).collect().unwrap(), lines.collect().unwrap());
    }
}

/// A length that is less than what a format writes before the first record.
#[test]
fn no_file_is_without_records_however_short_files_are_to_be() {
    fn parts<F: OutputFormat<i64>>(out: &Path, format: F) -> Vec<String> {
        let rolled = Saving::from(Existing::Refuse).max_bytes(1);
        context().range(0, 3000, 1, 1).save_as_files(out, format, rolled).unwrap();
        names(out).into_iter().map(|name| name.split('.').next().unwrap().to_owned()).collect()
    }
    let directory = Directory::new("short");
    // A chunk of a thousand records each.
    let three = ["_SUCCESS", "part-00000-c000", "part-00000-c001", "part-00000-c002"];
    let out = directory.path("lines");
    assert_eq!(parts(&out, TextFormat::default()), three);
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Bzip2] {
        let out = directory.path(&format!("{codec:?}"));
        // What the codec has not given out yet is not counted: there may be fewer.
        let files = parts(&out, TextFormat { codec });
        assert!(files.iter().all(|name| three.contains(&name.as_str())), "{codec:?}: {files:?}");
        assert_eq!(context().text_file(&out).count().unwrap(), 3000);
    }
    let out = directory.path("objects");
    assert_eq!(parts(&out, ObjectFormat::default()), three);
    assert_eq!(context().object_file::<i64>(&out).collect().unwrap(), (0..3000).collect::<Vec<_>>());
}

/// Spark's FileSuite: object files of pairs and of long records.
#[test]
fn objects_are_read_as_they_were() {
    let directory = Directory::new("objects");
    let out = directory.path("out");
    let records: Vec<(u32, String)> = (0..3000).map(|n| (n, "b".repeat(n as usize))).collect();
    let saved = context().parallelize(records.clone(), 3);
    saved.save_as_object_file(&out).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00001", "part-00002"]);
    let read = context().object_file::<(u32, String)>(&out);
    assert_eq!(read.num_partitions(), 3);
    assert!(read.collect().unwrap() == records);
    let error = context().object_file::<(u32, u32)>(&out).count().unwrap_err().to_string();
    assert!(error.contains("it holds records of type `(u32, String)`, not `(u32, u32)`"), "{error}");
    let file = fs::read(out.join("part-00001")).unwrap();
    fs::write(out.join("part-00001"), &file[..file.len() / 2]).unwrap();
    let error = context().object_file::<(u32, String)>(&out).count().unwrap_err().to_string();
    assert!(error.contains("part-00001: it was cut off"), "{error}");
}

/// Spark's FileSuite: an output directory that exists, empty or not.
#[test]
fn an_existing_directory_is_refused_unless_that_is_wanted() {
    let directory = Directory::new("existing");
    let out = directory.path("out");
    fs::create_dir(&out).unwrap();
    let error = context().parallelize([1], 1).save_as_text_file(&out).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("save_as_text_file at ") && error.contains("saving.rs:"), "{error}");
    assert!(error.contains(&format!("the output directory {} already exists", out.display())), "{error}");
    assert_eq!(names(&out), [""; 0]);

    let lenient = Conf::empty().set_master("local[2]").set("spark.hadoop.validateOutputSpecs", "false");
    let lenient = Context::new(lenient).unwrap();
    fs::write(out.join("part-00007"), "kept\n").unwrap();
    lenient.parallelize([1], 1).save_as_text_file(&out).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00007"]);

    let file = directory.write("file", "");
    let error = lenient.parallelize([1], 1).save_as_text_file(&file).unwrap_err().to_string();
    assert!(error.contains("name a directory"), "{error}");
}

#[test]
fn rdds_that_share_a_directory_replace_only_their_own_files() {
    let directory = Directory::new("shared");
    let out = directory.path("out");
    let save = |name: &str, last: bool, numbers: Vec<i64>| {
        let saving = Saving::from(Existing::Replace).share(name, last);
        context().parallelize(numbers, 2).save_as_files(&out, TextFormat::default(), saving).unwrap();
    };
    save("north", false, vec![1, 2]);
    assert_eq!(names(&out), ["part-north-00000", "part-north-00001"]);
    save("south", true, vec![3, 4]);
    let all = ["_SUCCESS", "part-north-00000", "part-north-00001", "part-south-00000", "part-south-00001"];
    assert_eq!(names(&out), all);
    // Once more, as a batch that is run again.
    save("north", false, vec![5, 6]);
    assert_eq!(names(&out), all);
    assert_eq!(sorted(context().text_file(&out).collect().unwrap()), ["3", "4", "5", "6"]);
}

#[test]
fn where_nothing_is_to_be_left_of_what_is_empty_there_are_no_files() {
    let directory = Directory::new("skipped");
    let save = |name: &str, skip: bool, numbers: Vec<i64>| {
        let (out, saving) = (directory.path(name), Saving::from(Existing::Refuse).skip_empty(skip));
        context().parallelize(numbers, 3).save_as_files(&out, TextFormat::default(), saving).unwrap();
        if out.exists() { names(&out) } else { Vec::new() }
    };
    let all = ["_SUCCESS", "part-00000", "part-00001", "part-00002"];
    assert_eq!(save("none", true, Vec::new()), [""; 0]);
    assert_eq!(save("kept", false, Vec::new()), all);
    // One record is enough: which files there are does not tell in which partition it is.
    assert_eq!(save("one", true, vec![1]), all);
    assert_eq!(context().text_file(directory.path("one")).collect().unwrap(), ["1"]);
}

#[test]
fn replacing_twice_is_replacing_once() {
    let directory = Directory::new("replace");
    let out = directory.path("out");
    let gzip = TextFormat { codec: Codec::Gzip };
    context().parallelize(0..10, 5).save_as_files(&out, gzip, Existing::Replace).unwrap();
    for _ in 0..2 {
        let plain = TextFormat::default();
        context().parallelize(0..3, 2).save_as_files(&out, plain, Existing::Replace).unwrap();
        assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00001"]);
        assert_eq!(context().text_file(&out).collect().unwrap(), ["0", "1", "2"]);
    }
    // A job that fails leaves what was there.
    let failing = context().parallelize(0..3, 2).map(|n| if n == 2 { panic!("no luck") } else { n });
    failing.save_as_files(&out, gzip, Existing::Replace).unwrap_err();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00001"]);
}

#[test]
fn what_attempts_that_failed_have_written_is_not_there() {
    let directory = Directory::new("attempts");
    let out = directory.path("out");
    let numbers = on("local[2,3]").parallelize(0..4000, 4).map(|n| {
        let attempt = TaskContext::get().unwrap().attempt_number();
        assert!(n % 1000 != 999 || attempt == 2, "attempt {attempt}");
        n
    });
    numbers.save_as_text_file(&out).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000", "part-00001", "part-00002", "part-00003"]);
    let read = context().text_file_with(&out, 1).collect().unwrap();
    assert!(read == (0..4000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_job_that_fails_leaves_nothing_behind() {
    let directory = Directory::new("nothing");
    let failing = context().parallelize(0..3, 3).map(|n| if n == 2 { panic!("no luck") } else { n });
    let error = failing.save_as_text_file(directory.path("out")).unwrap_err().to_string();
    assert!(error.contains("no luck") && error.contains("map at "), "{error}");
    assert_eq!(names(&directory.0), [""; 0]);
    context().parallelize(0..3, 3).save_as_text_file(directory.path("out")).unwrap();
    context().text_file("/no/such/file").save_as_text_file(directory.path("none")).unwrap_err();
    assert_eq!(names(&directory.0), ["out"]);
}

#[test]
fn a_job_that_fails_leaves_what_another_program_has_saved_there_meanwhile() {
    let directory = Directory::new("meanwhile");
    for work in [&["part-00000", "_SUCCESS"] as &[&str], &["_temporary/1-2-3/attempt-0-0-2-0/part-00000-0"]] {
        let out = directory.path("out");
        let others: Vec<_> = work.iter().map(|name| out.join(name)).collect();
        let saved = others.clone();
        let failing = context().parallelize([1], 1).map(move |n| {
            for file in &saved {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "of another\n").unwrap();
            }
            assert!(n > 1, "no luck");
            n
        });
        let error = failing.save_as_text_file(&out).unwrap_err().to_string();
        assert!(error.contains("no luck"), "{error}");
        assert!(others.iter().all(|file| file.exists()), "{work:?}");
        fs::remove_dir_all(&out).unwrap();
    }
}

/// The first partition begins its file after the second has failed the job, and does not notice that before.
#[test]
fn tasks_that_end_later_than_their_job_leave_nothing_behind() {
    let directory = Directory::new("later");
    let (begun, begins) = std::sync::mpsc::channel();
    let begins = Mutex::new(begins);
    let numbers = on("local[2]").parallelize(0..2, 2).map_partitions_with_index(move |partition, numbers| {
        if partition == 1 {
            begins.lock().unwrap().recv().unwrap();
            panic!("no luck");
        }
        begun.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        numbers
    });
    numbers.save_as_text_file(directory.path("out")).unwrap_err();
    assert_eq!(names(&directory.0), [""; 0]);
    // Long enough for what is not waited for.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(names(&directory.0), [""; 0]);
}

#[test]
fn an_output_that_vanishes_while_it_is_written_is_an_error() {
    let directory = Directory::new("vanished");
    let out = directory.path("out");
    let env = out.to_str().unwrap().to_owned();
    // The first partition is written when the second, whose own file is begun, deletes the directory.
    let numbers = on("local[1]").parallelize(0..2, 2).map_env(env, |out, n| {
        if n == 1 {
            fs::remove_dir_all(out).unwrap();
        }
        n
    });
    let error = numbers.save_as_text_file(&out).unwrap_err().to_string();
    assert!(error.contains("publishing ") && error.contains("check the path"), "{error}");
    assert_eq!(names(&directory.0), [""; 0]);
}

#[test]
fn a_directory_without_rights_says_so() {
    let directory = Directory::new("no-rights");
    let closed = directory.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let save = || context().parallelize([1], 1).save_as_text_file(closed.join("out"));
    let error = without_rights(save).unwrap_err().to_string();
    assert!(error.contains("give the user this program runs as the right to do so"), "{error}");
    assert_eq!(names(&closed), [""; 0]);
}

#[test]
fn records_of_one_length_are_written_and_read() {
    let directory = Directory::new("formats");
    let fixed = FixedFormat { record_len: 2 };
    let bytes = context().parallelize([vec![1, 2], vec![3, 4], vec![5, 6]], 2);
    bytes.save_as_files(directory.path("fixed"), fixed, Existing::Refuse).unwrap();
    assert_eq!(
        context().binary_records(directory.path("fixed"), 2).collect().unwrap(),
        bytes.collect().unwrap()
    );
    let longer = FixedFormat { record_len: 3 };
    let error =
        bytes.save_as_files(directory.path("longer"), longer, Existing::Refuse).unwrap_err().to_string();
    assert!(error.contains("a record has 2 bytes instead of 3"), "{error}");
}

/// Saves pairs, and gives back what is written of them.
fn written<K: Data + Show, V: Data + Show>(format: KeyValueTextFormat, pairs: Vec<(K, V)>) -> String {
    let directory = Directory::new("key-value");
    let out = directory.path("out");
    context().parallelize(pairs, 1).save_as_hadoop_file(&out, format).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "part-00000"]);
    fs::read_to_string(out.join("part-00000")).unwrap()
}

/// What Hadoop's TextOutputFormat writes: of nothing neither the text nor the tab, and no line of nothing at all.
#[test]
fn pairs_are_written_as_key_tab_value() {
    let tab = KeyValueTextFormat::default();
    assert_eq!(written(tab, vec![(1, 0.5), (2, 1.0)]), "1\t0.5\n2\t1.0\n");
    assert_eq!(written(tab, vec![("to".to_owned(), (2, 'x'))]), "to\t(2,x)\n");
    assert_eq!(written(tab, vec![('a', ()), ('b', ())]), "a\nb\n");
    assert_eq!(written(tab, vec![((), 'a'), ((), 'b')]), "a\nb\n");
    let halves = vec![(Some(1), Some(2)), (Some(3), None), (None, Some(4)), (None, None), (Some(5), Some(6))];
    assert_eq!(written(tab, halves), "1\t2\n3\n4\n5\t6\n");
    assert_eq!(written(tab, vec![((), None::<i32>)]), "");
    // A text of no letters is something.
    assert_eq!(written(tab, vec![(String::new(), String::new()), (String::new(), "v".into())]), "\t\n\tv\n");
    let equals = KeyValueTextFormat { separator: '=', ..tab };
    assert_eq!(written(equals, vec![('a', 1)]), "a=1\n");
}

#[test]
fn keys_and_values_are_read_as_hadoop_reads_them() {
    let directory = Directory::new("key-value-read");
    let pairs: Vec<(String, String)> =
        (0..3000).map(|n| (format!("k{n}"), format!("value\tof {n}"))).collect();
    let of_pairs = context().parallelize(pairs.clone(), 3);
    for (codec, ending) in [(Codec::None, ""), (Codec::Zstd, ".zst")] {
        let format = KeyValueTextFormat { codec, ..KeyValueTextFormat::default() };
        let out = directory.path(&format!("out{ending}"));
        of_pairs.save_as_new_api_hadoop_file(&out, format).unwrap();
        let parts = (0..3).map(|n| format!("part-0000{n}{ending}"));
        assert_eq!(names(&out), ["_SUCCESS".to_owned()].into_iter().chain(parts).collect::<Vec<_>>());
        let read = context().read_files(&out, KeyValueTextFormat::default(), 7);
        assert!(read.collect().unwrap() == pairs, "{codec:?}");
    }
    // A file of someone else's: lines without a tab, with several, that end as Windows ends them.
    let file = directory.write("other.txt", "k\r\na\tb\tc\n\tv\nlast\t");
    let read = context().read_files(file, KeyValueTextFormat::default(), 1).collect().unwrap();
    let expected = [("k", ""), ("a", "b\tc"), ("", "v"), ("last", "")];
    assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn pairs_under_hadoops_names_refuse_a_directory_that_exists() {
    let directory = Directory::new("hadoop-existing");
    let pairs = context().parallelize([('a', 1)], 1);
    let format = KeyValueTextFormat::default();
    let saves: [(&str, SavePairs); 2] = [
        ("save_as_hadoop_file", |pairs, out, format| pairs.save_as_hadoop_file(out, format)),
        ("save_as_new_api_hadoop_file", |pairs, out, format| pairs.save_as_new_api_hadoop_file(out, format)),
    ];
    for (name, save) in saves {
        let out = directory.path(name);
        save(&pairs, &out, format).unwrap();
        let error = save(&pairs, &out, format).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} at ")) && error.contains("saving.rs:"), "{error}");
        assert!(error.contains("already exists"), "{error}");
        assert_eq!(fs::read_to_string(out.join("part-00000")).unwrap(), "a\t1\n");
    }
}

/// Of a pair the key's bytes and then the value's, as long as the format says together.
#[test]
fn pairs_are_written_as_records_of_one_length() {
    let directory = Directory::new("fixed-pairs");
    let fixed = FixedFormat { record_len: 3 };
    let pairs = context().parallelize([(vec![1_u8], vec![2_u8, 3]), (vec![4, 5], vec![6])], 2);
    pairs.save_as_hadoop_file(directory.path("pairs"), fixed).unwrap();
    let read = context().binary_records(directory.path("pairs"), 3);
    assert_eq!(read.collect().unwrap(), [[1, 2, 3], [4, 5, 6]]);
    let values = context().parallelize([((), vec![7_u8, 8, 9])], 1);
    values.save_as_hadoop_file(directory.path("values"), fixed).unwrap();
    assert_eq!(fs::read(directory.path("values/part-00000")).unwrap(), [7, 8, 9]);
    let short = context().parallelize([(vec![1_u8], ())], 1);
    let error = short.save_as_hadoop_file(directory.path("short"), fixed).unwrap_err().to_string();
    assert!(error.contains("a record has 1 bytes instead of 3"), "{error}");
    assert_eq!(names(&directory.0), ["pairs", "values"]);
}

struct FullWriter(File);

impl std::io::Write for FullWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl FileWriter for FullWriter {
    fn publish(self: Box<Self>) -> Result<()> {
        panic!("what could not be written is published")
    }

    fn publish_new(self: Box<Self>) -> Result<bool> {
        panic!("what could not be written is published")
    }
}

/// Every write to this device fails as one to a full disk does.
fn full(_: &FsPath) -> Result<Box<dyn FileWriter>> {
    Ok(Box::new(FullWriter(File::options().write(true).open(Path::new("/dev/full")).unwrap())))
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    files::register("full", |_, _| Ok(Arc::new(OtherDisk { lists: || (), create: full })));
    let directory = Directory::new("full");
    let out = format!("full://disk{}/out", directory.0.display());
    let lines = context().parallelize(0..100_000, 2);
    for codec in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Bzip2] {
        let error = lines.save_as_text_file_with(&out, codec).unwrap_err().to_string();
        assert!(error.contains("make room there, or write elsewhere"), "{codec:?}: {error}");
        assert!(error.contains("writing full://disk/"), "{codec:?}: {error}");
    }
    let error = lines.save_as_object_file(&out).unwrap_err().to_string();
    assert!(error.contains("make room there"), "{error}");
    assert_eq!(names(&directory.0), [""; 0]);
}
