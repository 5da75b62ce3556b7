//! The pipeline that is killed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millstream_connectors::sqlite::SqliteSink;
use millstream_core::fs::TextFormat;
use millstream_core::sink::FileSink;
use millstream_core::{Conf, Rdd};
use millstream_streaming::{DStream, Result, State, StateSpec, StreamingContext, Time};

use crate::data::{STOP_WORDS, words_of_line};
use crate::receiver::{Replayed, once};

/// Long enough for a machine that has other things to do: a program that can not keep up has more to catch up with each time.
pub(crate) const BATCH: Duration = Duration::from_millis(200);

/// Windows as (length, slide), in batches.
pub(crate) const TUMBLING: (u32, u32) = (3, 3);
pub(crate) const SLIDING: (u32, u32) = (6, 2);
pub(crate) const GROWN: (u32, u32) = (2, 2);
pub(crate) const LATELY: (u32, u32) = (6, 3);

/// The output that is no sink: a directory for each batch, which a batch that is run again writes anew.
pub(crate) const SAVED: &str = "saved";

/// How many partitions the records of a batch are spread over.
pub(crate) const PARTITIONS: usize = 2;

/// After how many batches without a record of it a word's session ends.
pub(crate) const IDLE: u32 = 8;

/// Where a child runs, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) directory: PathBuf,
    pub(crate) checkpoint: PathBuf,
    /// What it begins with if there is no checkpoint.
    pub(crate) savepoint: Option<PathBuf>,
    pub(crate) port: u16,
    /// The number of the child.
    pub(crate) number: u64,
    /// The version of the program, 1 or 2.
    pub(crate) version: u64,
}

impl Life {
    /// Returns what is typed to live it.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let Life { directory, checkpoint, savepoint, port, number, version } = self;
        let mut words = Vec::new();
        let mut add = |name: &str, value: OsString| words.extend([name.into(), value]);
        add("--child", directory.into());
        add("--checkpoint", checkpoint.into());
        if let Some(savepoint) = savepoint {
            add("--savepoint", savepoint.into());
        }
        add("--port", port.to_string().into());
        add("--life", number.to_string().into());
        add("--version", version.to_string().into());
        words
    }
}

/// The file with the tables.
pub(crate) fn database(directory: &Path) -> PathBuf {
    directory.join("tables.db")
}

/// Describes the streams.
pub(crate) fn describe(life: &Life) -> Result<StreamingContext> {
    let streaming = StreamingContext::new(conf(), BATCH)?;
    streaming.checkpoint(&life.checkpoint);
    let sink = FileSink::new(life.directory.join("out"), TextFormat::default())?;
    let lines = |stream: &DStream<String>, name: &str| {
        stream.save_exactly_once(name, sink.clone());
    };
    let pairs = |stream: &DStream<(String, i64)>, name: &str| {
        lines(&stream.map(|(word, n)| format!("{word} {n}")), name);
    };

    let stored = streaming.receiver_stream(Replayed { port: life.port, life: life.number });
    lines(&stored.map(|(life, number, _)| format!("{life} {number}")), "stored");
    let received = once(&stored);
    lines(&received.map(|(number, word)| format!("{number} {word}")), "received");
    let files = streaming.text_file_stream(life.directory.join("in"));
    lines(&files, "files");
    let of_files = files.flat_map_into(|line, out| out.extend(words_of_line(line)));
    let mut words = received.map(|(_, word)| word).union(&of_files);
    if life.version == 2 {
        // What the second version adds: an operator before all that has a state, and an output before most others.
        words = words.filter(|word| !word.is_empty());
        lines(&words.count().map(|n| n.to_string()), "heard");
    }
    drop_stop_words(life, &words, &sink);
    let number = life.number;
    let words = words.transform(move |words: Rdd<String>| {
        let stop_words = words.context().broadcast_named("stop words", move || stop_words(number))?;
        Ok::<_, millstream_core::Error>(
            words.filter_env(stop_words, |stop_words, word| !stop_words.contains(word)),
        )
    });
    let words = words.map(|word| (word, 1_i64));

    let counts = words.reduce_by_key(|a, b| a + b);
    pairs(&counts, "counts");
    let saved = life.directory.join("out").join(SAVED).display().to_string();
    counts.map(|(word, n)| format!("{word} {n}")).save_as_text_files(saved, "");
    let tables = SqliteSink::new(database(&life.directory), "insert into counts values (?1, ?2, ?3)");
    let tables = tables.create("create table if not exists counts (batch integer, word text, n integer)");
    let timed = counts.transform_timed(|counts, time: Time| {
        counts.map_env(time.as_millis(), |time, (word, n)| (*time, word, n))
    });
    timed.save_exactly_once("counts", tables);
    pairs(&window(&words, TUMBLING), "tumbling");
    pairs(&inverse(&words, SLIDING).uid("sliding").checkpoint(4 * BATCH), "sliding");
    let totals = words
        .update_state_by_key(|new, total: Option<i64>| Some(total.unwrap_or(0) + new.iter().sum::<i64>()))
        .uid("totals");
    pairs(&totals, "totals");
    // A state of a state, and windows over that, each saved at other times: what is gone on from must fit together.
    let mut totals = totals.checkpoint(6 * BATCH);
    if life.version == 2 {
        totals = totals.map(|total| total);
    }
    let grown = grown(&totals).checkpoint(3 * BATCH);
    pairs(&window(&grown, GROWN), "grown");
    pairs(&inverse(&grown, LATELY).uid("lately").checkpoint(6 * BATCH), "lately");
    let sessions = sessions(&words);
    pairs(&sessions, "sessions");
    let sums = SqliteSink::new(
        database(&life.directory),
        "insert into sessions values (?1, ?2) on conflict (word) do update set n = n + ?2",
    );
    let sums = sums.create("create table if not exists sessions (word text primary key, n integer)");
    sessions.save_exactly_once("sessions", sums);
    Ok(streaming)
}

fn conf() -> Conf {
    Conf::empty()
        .set_master("local[2]")
        .set("spark.app.name", "killed")
        .set("spark.default.parallelism", PARTITIONS.to_string())
        .set("spark.streaming.receiver.writeAheadLog.enable", "true")
        // So short that segments are rolled and cleaned all the time.
        .set("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1")
        .set("spark.streaming.receiverRestartDelay", "50ms")
        // A child may take its time to come back: no file is too old.
        .set("spark.streaming.fileStream.minRememberDuration", "10min")
}

/// Returns what a child makes the broadcast of if nothing was saved of it: the first one is right, every other wrong.
fn stop_words(life: u64) -> Vec<String> {
    if life == 0 { STOP_WORDS.map(str::to_owned).to_vec() } else { Vec::new() }
}

/// Counts the stop words in an accumulator, and says after each batch what it has come to, and after which batch that was done
/// last, which a broadcast holds that is replaced each time.
fn drop_stop_words(life: &Life, words: &DStream<String>, sink: &FileSink<TextFormat>) {
    let (number, sink) = (life.number, sink.clone());
    words.foreach_rdd_with(move |words, time| {
        let context = words.context().clone();
        let stop_words = context.broadcast_named("stop words", move || stop_words(number))?;
        let dropped = context.long_accumulator_named("dropped")?;
        let last = context.broadcast_named("last batch", || 0_i64)?;
        words.foreach_env((stop_words, dropped.clone()), |(stop_words, dropped), word| {
            if stop_words.contains(&word) {
                dropped.add(1);
            }
        })?;
        let line = format!("{} after {}", dropped.value(), *last);
        let time = time.as_millis();
        context.parallelize([line], 1).save_exactly_once("dropped", time.unsigned_abs(), sink.clone())?;
        context.rebroadcast_named("last batch", time).map(drop)
    });
}

fn window(words: &DStream<(String, i64)>, (window, slide): (u32, u32)) -> DStream<(String, i64)> {
    words.reduce_by_key_and_window(|a, b| a + b, window * BATCH, slide * BATCH)
}

fn inverse(words: &DStream<(String, i64)>, (window, slide): (u32, u32)) -> DStream<(String, i64)> {
    let (window, slide) = (window * BATCH, slide * BATCH);
    words.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, window, slide)
}

/// By how much each total has grown since the batch before.
fn grown(totals: &DStream<(String, i64)>) -> DStream<(String, i64)> {
    let grown = StateSpec::function(|word: &String, total: Option<i64>, last: &mut State<i64>| {
        let total = total.unwrap_or(0);
        let before = last.get_option().copied().unwrap_or(0);
        last.update(total);
        (word.clone(), total - before)
    });
    totals.map_with_state(grown).uid("grown").stream()
}

/// How often each word came before it did not come for a while.
fn sessions(words: &DStream<(String, i64)>) -> DStream<(String, i64)> {
    let sessions = StateSpec::function(|word: &String, n: Option<i64>, total: &mut State<i64>| {
        if total.is_timing_out() {
            return Some((word.clone(), *total.get()));
        }
        let sum = total.get_option().copied().unwrap_or(0) + n.unwrap_or(0);
        total.update(sum);
        None
    });
    let sessions = words.map_with_state(sessions.timeout(IDLE * BATCH)).uid("sessions").checkpoint(5 * BATCH);
    sessions.flat_map(|ended| ended)
}
