//! Streams of files in every format, and streams that are saved in formats other than text: tables of batches.

use std::path::Path;

use millstream_core::fs::{
    Codec, Content, FixedFormat, InputFormat, KeyValueTextFormat, ObjectFormat, OutputFormat, TextFormat,
    WholeFormat,
};
use millstream_core::{Conf, Context, Data, stream};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{DStream, SaveOptions};

use crate::file_streams::{Directory, put};
use crate::saved_streams::names;
use crate::tables::{SECOND, conf, seconds};

/// What a stream of files makes of a file in the first second and two in the second one.
fn read<F: InputFormat>(format: F, files: [&[u8]; 3]) -> Vec<Vec<F::Record>> {
    let directory = Directory::new();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let records = driver.collect(&driver.streaming().file_stream(directory.path(), format));
    for (at, file) in files.into_iter().enumerate() {
        put(&directory.path().join(format!("file-{at}")), [500, 1400, 1500][at], file);
    }
    driver.run(3).unwrap();
    records.batches()
}

fn object<T: Data>(records: Vec<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ObjectFormat::default().write(stream::from_vec(records), &mut bytes).unwrap();
    bytes
}

fn whole<C: Content + PartialEq>(files: [&[u8]; 3]) -> Vec<Vec<(String, C)>> {
    let name = |(path, content): (String, C)| (path.rsplit('/').next().unwrap().to_owned(), content);
    let batches = read(WholeFormat::<C>::default(), files).into_iter();
    batches.map(|batch| batch.into_iter().map(name).collect()).collect()
}

#[test]
fn a_stream_of_files_has_the_records_of_each_batch_in_every_format() {
    let texts: [&[u8]; 3] = [b"to be\nor\n", b"not\tto\n", b"be"];
    assert_eq!(read(TextFormat::default(), texts), batches![["to be", "or"], ["not\tto", "be"], []]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        read(KeyValueTextFormat::default(), texts),
        batches![[pair("to be", ""), pair("or", "")], [pair("not", "to"), pair("be", "")], []]
    );
    assert_eq!(
        read(FixedFormat { record_len: 2 }, [b"abcd", b"", b"ef"]),
        batches![[b"ab".to_vec(), b"cd".to_vec()], [b"ef".to_vec()], []]
    );
    let objects =
        [object(vec![(1_u64, 2.5), (2, 4.0)]), object(vec![(3_u64, 0.5)]), object::<(u64, f64)>(vec![])];
    assert_eq!(
        read(ObjectFormat::<(u64, f64)>::default(), [&objects[0], &objects[1], &objects[2]]),
        batches![[(1, 2.5), (2, 4.0)], [(3, 0.5)], []]
    );
    let named = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        whole::<String>(texts),
        batches![[named("file-0", "to be\nor\n")], [named("file-1", "not\tto\n"), named("file-2", "be")], []]
    );
    assert_eq!(whole::<Vec<u8>>([b"\xff\0", b"", b"a"])[0], [("file-0".to_owned(), vec![0xff, 0])]);
}

/// Saves the batches [1, 2], [], [3] in two formats.
fn save(numbers: &DStream<i32>, prefix: &Path, options: SaveOptions) {
    let prefix = |name: &str| prefix.join(name).join("n").display().to_string();
    let bytes = numbers.map(|n| n.to_le_bytes().to_vec());
    bytes.save_as_files_with(prefix("bytes"), "", FixedFormat { record_len: 4 }, options);
    numbers.save_as_object_files_with(prefix("objects"), "", options);
}

/// Options, and what they make of the batches: directories with their files, and the numbers that are read from them.
type Row = (SaveOptions, &'static [(&'static str, &'static [&'static str], &'static [i32])]);

#[test]
fn streams_are_saved_by_options_in_formats_other_than_text() {
    const PLAIN: &[&str] = &["_SUCCESS", "part-00000", "part-00001"];
    const ROLLED: &[&str] = &["_SUCCESS", "part-00000-c000", "part-00001-c000"];
    let options = SaveOptions::default;
    let rows: [Row; 6] = [
        (options(), &[("n-1000", PLAIN, &[1, 2]), ("n-2000", PLAIN, &[]), ("n-3000", PLAIN, &[3])]),
        (options().skip_empty(true), &[("n-1000", PLAIN, &[1, 2]), ("n-3000", PLAIN, &[3])]),
        // A format has its own codec, or none.
        (
            options().skip_empty(true).codec(Codec::Gzip),
            &[("n-1000", PLAIN, &[1, 2]), ("n-3000", PLAIN, &[3])],
        ),
        (
            options().roll_size(1),
            &[("n-1000", ROLLED, &[1, 2]), ("n-2000", ROLLED, &[]), ("n-3000", ROLLED, &[3])],
        ),
        (
            options().roll_time(seconds(2)),
            &[
                (
                    "n-1000",
                    &["_SUCCESS", "part-1000-00000", "part-1000-00001", "part-2000-00000", "part-2000-00001"],
                    &[1, 2],
                ),
                ("n-3000", &["part-3000-00000", "part-3000-00001"], &[3]),
            ],
        ),
        (
            options().roll_time(seconds(2)).skip_empty(true),
            &[
                ("n-1000", &["_SUCCESS", "part-1000-00000", "part-1000-00001"], &[1, 2]),
                ("n-3000", &["part-3000-00000", "part-3000-00001"], &[3]),
            ],
        ),
    ];
    let context = Context::new(Conf::empty()).unwrap();
    for (options, expected) in rows {
        let directory = Directory::new();
        // A program that is run again saves the same again.
        for _ in 0..2 {
            let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
            save(&driver.input(batches![[1, 2], [], [3]]), directory.path(), options);
            driver.run(3).unwrap();
        }
        for format in ["bytes", "objects"] {
            let saved = directory.path().join(format);
            let directories: Vec<&str> = expected.iter().map(|(name, _, _)| *name).collect();
            assert_eq!(names(&saved), directories, "{format} {options:?}");
            for (name, files, numbers) in expected {
                let saved = saved.join(name);
                assert_eq!(names(&saved), *files, "{format} {options:?} {name}");
                let read = if format == "bytes" {
                    let bytes = context.binary_records(&saved, 4);
                    bytes.map(|n| i32::from_le_bytes(n.try_into().unwrap())).collect().unwrap()
                } else {
                    context.object_file(&saved).collect().unwrap()
                };
                assert_eq!(read, *numbers, "{format} {options:?} {name}");
            }
        }
    }
}
