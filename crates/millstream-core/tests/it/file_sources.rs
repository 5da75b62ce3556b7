//! `text_file`, `whole_text_files`, `binary_files`, `binary_records`, `object_file` on real files.

use std::io::Write;

use millstream_core::fs::{Codec, FsPath};
use proptest::prelude::*;

use crate::directory::Directory;
use crate::processes::elsewhere;
use crate::{context, partitions};

fn compressed(codec: Codec, text: &[u8]) -> Vec<u8> {
    let mut writer = codec.writer(Vec::new()).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

/// Lines as they end: with `\r\n`, `\n` or `\r`.
fn naive_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = text.split('\n').map(String::from).collect();
    lines.pop_if(|last| last.is_empty());
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_line_is_read_once_wherever_a_file_is_cut(
        texts in prop::collection::vec("[aé€\u{1F600}\n\r]{0,24}", 1..3),
        cuts in 1_usize..40,
    ) {
        let directory = Directory::new("cuts");
        let expected: Vec<String> = texts.iter().flat_map(|text| naive_lines(text)).collect();
        for (n, text) in texts.iter().enumerate() {
            directory.write(&format!("{n}"), text);
        }
        prop_assert_eq!(context().text_file_with(&directory.0, cuts).collect().unwrap(), expected);
    }
}

#[test]
fn a_return_at_the_end_of_what_is_read_at_a_time_is_no_line_of_its_own() {
    let directory = Directory::new("buffers");
    let lines: Vec<String> = (0..200_000).map(|n| "x".repeat(n % 7)).collect();
    for end in ["\n", "\r\n", "\r"] {
        let path = directory.write("a", lines.join(end) + end);
        assert!(context().text_file_with(&path, 3).collect().unwrap() == lines, "{end:?}");
    }
    let long = "y".repeat(1_000_000);
    let path = directory.write("long", format!("{long}\r\n{long}"));
    assert!(context().text_file_with(&path, 5).collect().unwrap() == [long.clone(), long]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_beginning_only() {
    let directory = Directory::new("mark");
    let path = directory.write("a", "\u{FEFF}one\n\u{FEFF}two\n");
    for partitions in 1..12 {
        assert_eq!(context().text_file_with(&path, partitions).collect().unwrap(), ["one", "\u{FEFF}two"]);
    }
    assert_eq!(context().text_file(directory.write("b", "\u{FEFF}")).collect().unwrap(), [""; 0]);
}

#[test]
fn lists_directories_and_patterns_name_files() {
    let directory = Directory::new("patterns");
    for name in ["2024/01/a.txt", "2024/01/_b.txt", "2024/02/c.txt", "2025/01/d.txt", "e,f.txt"] {
        directory.write(name, name);
    }
    let root = directory.0.to_str().unwrap();
    let read = |paths: &str| context().text_file(paths.replace('@', root)).collect();
    for (paths, expected) in [
        ("@/2024/01", "2024/01/a.txt"),
        ("@/2024/*", "2024/01/a.txt 2024/02/c.txt"),
        ("@/*/01/*.txt", "2024/01/a.txt 2025/01/d.txt"),
        ("@/202[45]/0?/[b-d].txt", "2024/02/c.txt 2025/01/d.txt"),
        ("@/{2025/01,2024/02}", "2024/02/c.txt 2025/01/d.txt"),
        ("@/2025/01,@/2024/01/a.txt", "2025/01/d.txt 2024/01/a.txt"),
        ("file://@/2024/02/", "2024/02/c.txt"),
        ("@/2024/01/_b.txt", "2024/01/_b.txt"),
        (r"@/e\,f.txt", "e,f.txt"),
        ("@/2025/01,@/2025/01", "2025/01/d.txt 2025/01/d.txt"),
    ] {
        assert_eq!(read(paths).unwrap(), expected.split(' ').collect::<Vec<_>>(), "{paths}");
    }
    for (paths, why) in [
        ("@/2026", "there is no such file or directory; check the path"),
        ("@/2024/01,@/none", "there is no such file"),
        ("@/*.csv", "matches no file"),
        ("@/{a", "has a `{` that is not closed"),
        ("s9://bucket/a", "has the scheme `s9`, for which no file system is registered"),
        ("", "is empty"),
    ] {
        let error = read(paths).unwrap_err().to_string();
        assert!(error.contains(why), "{paths}: {error}");
    }
}

#[test]
fn compressed_files_are_read_each_in_one_partition() {
    let directory = Directory::new("compressed");
    let text = (0..10_000).map(|n| format!("line {n}\n")).collect::<String>();
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Bzip2] {
        let name = format!("a.txt{}", codec.extension());
        let path = directory.write(&name, compressed(codec, text.as_bytes()));
        let lines = context().text_file_with(&path, 7);
        assert_eq!(lines.num_partitions(), 1, "{name}");
        assert_eq!(lines.collect().unwrap(), naive_lines(&text), "{name}");
    }
    let several = context().text_file(&directory.0);
    assert_eq!((several.num_partitions(), several.count().unwrap()), (4, 40_000));
    let whole = context().whole_text_files(directory.path("*.gz"));
    assert_eq!(whole.values().collect().unwrap(), [text]);
}

#[test]
fn a_compressed_file_that_is_cut_off_or_none_at_all_fails_the_action() {
    let directory = Directory::new("unreadable");
    let whole = compressed(Codec::Gzip, "to be or not\n".repeat(1000).as_bytes());
    for (name, content, remedy) in [
        ("cut.gz", &whole[..whole.len() - 9], "put the whole file there"),
        ("short.gz", &whole[..4], "put the whole file there"),
        ("text.gz", b"to be or not\n", "leave `.gz` out of its name"),
        ("text.zst", b"to be or not\n", "leave `.zst` out of its name"),
        ("text.bz2", b"to be or not\n", "leave `.bz2` out of its name"),
        ("text.lz4", b"to be or not\n", "leave `.lz4` out of its name"),
        ("text.snappy", b"to be or not\n", "compress the file with gzip, lz4, zstd or bzip2"),
    ] {
        let path = directory.write(name, content);
        let error = context().text_file(&path).count().unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains(remedy), "{name}: {error}");
    }
}

#[test]
fn a_byte_that_has_changed_in_a_compressed_file_never_gives_other_lines() {
    let directory = Directory::new("corrupt");
    let lines: Vec<String> = (0..5000_u64).map(|n| (n * n * 7919).to_string()).collect();
    for (codec, name) in [
        (Codec::Gzip, "lines.gz"),
        (Codec::Lz4, "lines.lz4"),
        (Codec::Zstd, "lines.zst"),
        (Codec::Bzip2, "lines.bz2"),
    ] {
        let whole = compressed(codec, (lines.join("\n") + "\n").as_bytes());
        for part in 1..8 {
            let mut content = whole.clone();
            content[whole.len() * part / 8] ^= 0x55;
            let path = directory.write(name, content);
            match context().text_file(&path).collect() {
                Ok(read) => assert_eq!(read, lines, "{name} gives other lines"),
                Err(error) => assert!(error.to_string().contains(path.to_str().unwrap()), "{name}: {error}"),
            }
        }
    }
}

/// Spark's FileSuite: text of several files, each whole.
#[test]
fn whole_files_share_partitions() {
    let directory = Directory::new("whole");
    let content = |n: usize| "Rust\n".repeat(n) + &"x".repeat(100 - 5 * n);
    for n in 0..10 {
        directory.write(&format!("part-{n:02}"), content(n));
    }
    for (wanted, partitions) in [(1, 1), (2, 2), (5, 5), (10, 10), (100, 10)] {
        let files = context().whole_text_files_with(&directory.0, wanted);
        assert_eq!(files.num_partitions(), partitions, "{wanted}");
        let expected: Vec<_> = (0..10)
            .map(|n| (directory.path(&format!("part-{n:02}")).to_str().unwrap().to_owned(), content(n)))
            .collect();
        assert_eq!(files.collect().unwrap(), expected);
    }
    let path = directory.write("z", [0x66, 0xff, 0x66]);
    assert_eq!(context().whole_text_files(&path).values().collect().unwrap(), ["f\u{FFFD}f"]);
    assert_eq!(context().binary_files(&path).values().collect().unwrap(), [[0x66, 0xff, 0x66]]);
    assert_eq!(context().binary_files_with(&directory.0, 3).count().unwrap(), 11);
}

/// Spark's FileSuite: ten records of the bytes 1 to 6.
#[test]
fn records_of_one_length_are_cut_between_records() {
    let directory = Directory::new("records");
    let record = [1_u8, 2, 3, 4, 5, 6];
    let path = directory.write("a", record.repeat(10));
    let records = context().binary_records(&path, record.len());
    assert_eq!(records.collect().unwrap(), vec![record; 10]);
    assert_eq!(partitions(&records).len(), 2);
    let many: Vec<[u8; 8]> = (0..100_000_u64).map(u64::to_le_bytes).collect();
    let path = directory.write("b", many.concat());
    assert!(context().binary_records(&path, 8).collect().unwrap() == many);
    for (len, why) in
        [(0, "a record can not have 0 bytes"), (7, "no whole number of records of 7 bytes: 4 are left over")]
    {
        let error = context().binary_records(directory.path("a"), len).count().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(context().binary_records(directory.write("c", ""), 7).count().unwrap(), 0);
}

#[test]
fn sources_of_files_travel_to_other_processes() {
    let directory = Directory::new("travel");
    let text = (0..1000).map(|n| format!("{n}\n")).collect::<String>();
    let path = directory.write("in/a.txt", &text);
    directory.write("in/b.gz", compressed(Codec::Gzip, text.as_bytes()));
    let context = elsewhere();
    let lines = context.text_file_with(directory.path("in"), 5);
    assert_eq!(lines.collect().unwrap(), naive_lines(&text.repeat(2)));
    assert_eq!(context.whole_text_files(directory.path("in")).count().unwrap(), 2);
    let first = context.binary_records(&path, 2).take(1).unwrap();
    assert_eq!(first, [b"0\n"]);
    let pairs = lines.map(|line| (line.len() as u64, line));
    pairs.save_as_object_file(directory.path("objects")).unwrap();
    let read = context.object_file::<(u64, String)>(directory.path("objects"));
    assert_eq!(read.collect().unwrap(), pairs.collect().unwrap());
    pairs.keys().save_as_text_file_with(directory.path("text"), Codec::Zstd).unwrap();
    assert_eq!(context.text_file(directory.path("text")).count().unwrap(), 2000);
}

#[test]
fn a_file_system_of_ones_own_is_found_by_its_scheme() {
    let path = FsPath::parse("none://host/a").unwrap();
    assert!(context().file_systems().of(&path).is_err());
}
