//! `millstream checkpoint explain` and `verify`, on directories of all kinds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use millstream::prelude::*;
use millstream::testing::{Driver, batches};

use crate::{Folder, millstream, printed};

/// Runs two batches of a program that keeps a state and a named accumulator.
fn good(directory: &Path) {
    // As of now, since what a restart would do depends on how long ago the last batch was.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 * 1000;
    let conf = Conf::empty().set_app_name("the program");
    let driver = Driver::at(conf, Duration::from_secs(1), Time::from_millis(now)).unwrap();
    driver.streaming().checkpoint(directory);
    let context = driver.context().clone();
    let counts = driver
        .input(batches![[("a", 1)], [("b", 2)]].into_iter().map(owned).collect())
        .update_state_by_key(|values: Vec<u64>, sum: Option<u64>| {
            Some(sum.unwrap_or_default() + values.iter().sum::<u64>())
        })
        .uid("counts")
        .checkpoint(Duration::from_secs(1));
    counts.foreach_rdd(move |rdd| {
        let rows = context.long_accumulator_named("rows")?;
        rdd.foreach_env(rows, |rows, _| rows.add(1))
    });
    driver.run(2).unwrap();
}

fn owned(row: Vec<(&str, u64)>) -> Vec<(String, u64)> {
    row.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Returns the newest manifest.
fn newest(directory: &Path) -> PathBuf {
    let number = |path: &PathBuf| -> Option<(u64, u64)> {
        let name = path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.to_owned();
        let (time, number) = name.split_once('.').unwrap_or((&name, "0"));
        Some((time.parse().ok()?, number.parse().ok()?))
    };
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| number(path).is_some()).max_by_key(number).unwrap()
}

/// Returns the file of the state after the last batch.
fn newest_state(directory: &Path) -> PathBuf {
    let paths = fs::read_dir(directory.join("state/1")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.to_str().unwrap().contains("variables")).max().unwrap()
}

/// What a command is to answer: its exit code, and words of what it prints on stdout and on stderr.
type Answer = (i32, &'static [&'static str], &'static [&'static str]);

#[test]
fn each_kind_of_directory_has_its_answer() {
    const GOES_ON: &str = "a restart would go on with the clock at ";
    const ALL_WHOLE: &str = "6 checkpoints, 4 data files and 0 records of logs are whole\n";
    type Make = fn(&Path);
    let torn: Make = |directory| {
        good(directory);
        let newest = newest(directory);
        let bytes = fs::read(&newest).unwrap();
        fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    };
    let torn_state: Make = |directory| {
        good(directory);
        fs::write(newest_state(directory), "torn").unwrap();
    };
    let without_state: Make = |directory| {
        good(directory);
        fs::remove_file(newest_state(directory)).unwrap();
    };
    let foreign: Make = |directory| {
        fs::create_dir_all(directory.join("rdd-1")).unwrap();
        fs::write(directory.join("checkpoint-notes.txt"), "not ours").unwrap();
    };
    let nonsense: Make = |directory| {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("checkpoint-1000"), "blah").unwrap();
    };
    let empty: Make = |directory| fs::create_dir_all(directory).unwrap();
    let missing: Make = |_| ();
    let explained: &[&str] = &[
        "checkpoint of `the program`\nlast batch ",
        "000 ms, a batch each 1000 ms\ngeneration 1, 6 checkpoints; format 1\n",
        "operator `counts`: update_state_by_key at ",
        "    of key `alloc::string::String`, state `u64`\n",
        "    state of batch ",
        " bytes in ",
        "named variables: ",
        GOES_ON,
    ];
    let passed_over: &[&str] = &["passed over: ", ": it was not written to the end; ", GOES_ON];
    let replaced: &[&str] =
        &["-0: the file is not as it was written: ", " takes its place", "state of batch ", GOES_ON];
    let replaced_missing: &[&str] = &["-0: the file is missing; ", " takes its place", GOES_ON];
    let none: Answer = (1, &[], &["millstream checkpoint: there is no checkpoint in "]);
    let cases: [(&str, Make, Answer, Answer); 8] = [
        ("good", good, (0, explained, &[]), (0, &[ALL_WHOLE], &[])),
        (
            "torn",
            torn,
            (0, passed_over, &[]),
            (
                1,
                &["it was not written to the end\n5 checkpoints"],
                &["millstream checkpoint: 1 file is not whole"],
            ),
        ),
        (
            "torn-state",
            torn_state,
            (0, replaced, &[]),
            (1, &["-0: the file is not as it was written", "6 checkpoints, 3 data files"], &["1 file is"]),
        ),
        (
            "without-state",
            without_state,
            (0, replaced_missing, &[]),
            (1, &["-0", "6 checkpoints, 3 data files"], &["1 file is not whole"]),
        ),
        ("foreign", foreign, none, none),
        (
            "nonsense",
            nonsense,
            (1, &[], &["no checkpoint can be read (checkpoint-1000: it was not written to the end)"]),
            (1, &["checkpoint-1000: it was not written to the end\n0 checkpoints"], &["1 file is not whole"]),
        ),
        ("empty", empty, none, none),
        ("missing", missing, none, none),
    ];
    let folder = Folder::new();
    for (name, make, explain, verify) in cases {
        let directory = folder.path().join(name);
        make(&directory);
        for (what, (code, out, err)) in [("explain", explain), ("verify", verify)] {
            let output = millstream(&["checkpoint", what, directory.to_str().unwrap()]);
            let [stdout, stderr] = printed(&output);
            let said = format!("{what} of {name}: {:?}\n{stdout}\n{stderr}", output.status.code());
            assert_eq!(output.status.code(), Some(code), "{said}");
            out.iter().for_each(|words| assert!(stdout.contains(words), "no `{words}` in {said}"));
            err.iter().for_each(|words| assert!(stderr.contains(words), "no `{words}` in {said}"));
            assert_eq!(stderr.is_empty(), code == 0, "{said}");
        }
    }
}

#[test]
fn what_unfinished_batches_are_made_of_is_said_and_what_a_restart_would_do_with_them() {
    let folder = Folder::new();
    let (input, checkpoints) = (folder.path().join("in"), folder.path().join("checkpoints"));
    fs::create_dir(&input).unwrap();
    let now = Time::from_millis(1_000_000_000_000);
    let driver = Driver::at(Conf::empty(), Duration::from_secs(1), now).unwrap();
    driver.streaming().checkpoint(&checkpoints);
    let lines = driver.streaming().text_file_stream(&input).uid("files");
    lines.foreach_rdd(|_| Err::<(), _>(millstream::core::Error::user("the sink is gone")));
    let steps = driver.start().unwrap();
    fs::write(input.join("words.txt"), "to be\n").unwrap();
    let half = UNIX_EPOCH + Duration::from_millis(1_000_000_000_500);
    fs::File::open(input.join("words.txt")).unwrap().set_modified(half).unwrap();
    steps.step().unwrap_err();
    drop(steps);
    let output = millstream(&["checkpoint", "explain", checkpoints.to_str().unwrap()]);
    let [text, _] = printed(&output);
    assert!(text.contains("batch 1000000001000 ms was not completed\n    input of `files`: "), "{text}");
    assert!(text.contains("words.txt"), "{text}");
    assert!(
        text.contains("would run again what was not completed: 1000000001000 ms to 1000000001000 ms (1)"),
        "{text}"
    );
    assert!(text.contains("would run the batches that were missed: 1000000002000 ms to "), "{text}");
    assert!(text.contains("a restart would go on with the clock at "), "{text}");
}

#[test]
fn a_file_in_the_place_of_a_directory_is_told() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    for what in ["explain", "verify"] {
        let output = millstream(&["checkpoint", what, file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = &printed(&output)[1];
        assert!(text.contains(file.to_str().unwrap()) && text.contains("name a directory"), "{text}");
    }
}

#[test]
fn a_directory_in_an_object_store_is_looked_at_or_it_is_said_how_it_could_be() {
    let elsewhere = "s3a://bucket/checkpoints";
    // Where nobody listens.
    let settings = [
        "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:1",
        "spark.hadoop.fs.s3a.attempts.maximum=1",
        "spark.hadoop.fs.s3a.access.key=key",
        "spark.hadoop.fs.s3a.secret.key=secret",
    ];
    let settings: Vec<&str> = settings.into_iter().flat_map(|setting| ["--conf", setting]).collect();
    let here = Folder::new();
    let commands = [
        vec!["checkpoint", "explain"],
        vec!["checkpoint", "verify"],
        vec!["savepoint", here.path().to_str().unwrap()],
    ];
    for command in commands {
        let output = millstream(&[&*command, &[elsewhere], &*settings].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = &printed(&output)[1];
        if cfg!(feature = "object-store") {
            let names = if command[0] == "savepoint" { "no running program writes into" } else { elsewhere };
            assert!(text.contains(names) && !text.contains("--features"), "{text}");
        } else {
            assert!(text.contains(elsewhere) && text.contains("--features object-store"), "{text}");
        }
    }
}

#[test]
fn settings_are_checked_and_read_from_a_file_too() {
    let folder = Folder::new();
    let file = folder.path().join("settings");
    fs::write(&file, "spark.streaming.wibble 1\n").unwrap();
    for setting in [["--conf", "spark.streaming.wibble=1"], ["--properties-file", file.to_str().unwrap()]] {
        let output =
            millstream(&[&["checkpoint", "verify", folder.path().to_str().unwrap()][..], &setting].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(printed(&output)[1].contains("the nearest key"), "{output:?}");
    }
}

#[test]
fn wrong_arguments_are_told_with_the_usage() {
    for arguments in [&["checkpoint"][..], &["checkpoint", "explain"], &["checkpoint", "mend", "here"]] {
        let output = millstream(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(printed(&output)[1].contains("Usage: millstream checkpoint"), "{output:?}");
    }
}
