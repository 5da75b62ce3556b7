//! Files with lines of JSON.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use millstream_connectors::json::JsonFormat;
use millstream_core::fs::Codec;
use millstream_core::rdd::Existing;
use millstream_core::{Conf, Context};
use millstream_streaming::testing::{Driver, batches};

#[test]
fn records_are_lines_of_json() {
    let directory = std::env::temp_dir().join(format!("millstream-json-{}", std::process::id()));
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    let records: Vec<(u32, Option<String>)> = vec![(1, None), (2, Some("a\n\"b\"".into()))];
    let saved = context.parallelize(records.clone(), 2);
    let json = JsonFormat::new(Codec::Gzip);
    saved.save_as_files(&directory, json.clone(), Existing::Refuse).unwrap();
    assert!(directory.join("part-00001.json.gz").exists());
    assert_eq!(context.read_files(&directory, json.clone(), 2).collect().unwrap(), records);
    // Pairs under Hadoop's names are lists of two.
    let of_pairs = directory.join("pairs");
    saved.save_as_new_api_hadoop_file(&of_pairs, JsonFormat::default()).unwrap();
    assert_eq!(context.text_file(&of_pairs).collect().unwrap(), ["[1,null]", r#"[2,"a\n\"b\""]"#]);
    let broken = directory.join("broken.json");
    std::fs::write(&broken, "[1,null]\n\n[2,3]\n").unwrap();
    let error = context.read_files(broken, json, 1).count().unwrap_err().to_string();
    assert!(error.contains("broken.json") && error.contains("the line `[2,3]` is no record"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

type Count = (String, Option<u64>);

fn count(word: &str, n: Option<u64>) -> Count {
    (word.to_owned(), n)
}

fn driver() -> Driver {
    Driver::new(Conf::empty().set_master("local[2]"), Duration::from_secs(1)).unwrap()
}

/// Says that a file was changed at a time of a driver's clock, which begins at 0.
fn set_changed(path: &Path, millis: u64) {
    File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
}

/// An empty directory of a test's own.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("millstream-json-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn streams_save_pairs_as_lines_of_json_and_read_them() {
    let directory = directory("streams");
    let prefix = directory.join("counts").display().to_string();
    let saving = driver();
    let counts =
        saving.input(batches![[count("to", Some(2)), count("a\n\"b\"", None)], [], [count("be", Some(1))]]);
    counts.save_as_hadoop_files(&*prefix, "json", JsonFormat::default());
    counts.save_as_new_api_hadoop_files(&*prefix, "gz", JsonFormat::new(Codec::Gzip));
    saving.run(3).unwrap();
    let text = |part: &str| fs::read_to_string(directory.join(part)).unwrap();
    let first = ["counts-1000.json/part-00000.json", "counts-1000.json/part-00001.json"].map(text);
    assert_eq!(first, ["[\"to\",2]\n", "[\"a\\n\\\"b\\\"\",null]\n"]);
    assert_eq!(text("counts-2000.json/part-00000.json"), "");

    // Each batch is moved to where it is read in the interval that it was saved in.
    let reading = driver();
    let watched = directory.join("in");
    fs::create_dir(&watched).unwrap();
    let read = reading.collect(&reading.streaming().file_stream(&watched, JsonFormat::<Count>::default()));
    for batch in [1000, 2000, 3000] {
        for (ending, part) in [("json", 0), ("gz", 1)] {
            let compressed = if ending == "gz" { ".gz" } else { "" };
            let from = format!("counts-{batch}.{ending}/part-0000{part}.json{compressed}");
            let to = watched.join(format!("{batch}-{part}.json{compressed}"));
            fs::rename(directory.join(from), &to).unwrap();
            set_changed(&to, batch - 500 + part);
        }
    }
    reading.run(3).unwrap();
    let expected = batches![[count("to", Some(2)), count("a\n\"b\"", None)], [], [count("be", Some(1))]];
    assert_eq!(read.batches(), expected);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_broken_line_fails_the_batch_with_the_names_of_file_and_operator() {
    let directory = directory("broken");
    for (name, text, changed) in
        [("good.json", "[\"to\",2]\n", 500), ("broken.json", "[\"be\",1]\n{\n", 1500)]
    {
        fs::write(directory.join(name), text).unwrap();
        set_changed(&directory.join(name), changed);
    }
    let driver = driver();
    let line = line!() + 1;
    let counts = driver.streaming().file_stream(&directory, JsonFormat::<Count>::default());
    let counts = driver.collect(&counts);
    let error = driver.run(2).unwrap_err().to_string();
    assert!(error.contains(&directory.join("broken.json").display().to_string()), "{error}");
    assert!(error.contains("the line `{` is no record"), "{error}");
    assert!(error.contains(&format!("file_stream at {}:{line}:", file!())), "{error}");
    assert_eq!(counts.batches(), batches![[count("to", Some(2))]]);
    fs::remove_dir_all(&directory).unwrap();
}
