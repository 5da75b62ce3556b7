//! Counts the words of the text that a server sends, appends the counts to a file, and goes on after a crash.
//!
//! `millstream nc 9999` to type words, then
//! `millstream run-example streaming.RecoverableNetworkWordCount localhost 9999 /tmp/checkpoint /tmp/counts`. Kill it, and start it
//! again: it goes on with the batch after the last one, and so does the number of words it has dropped.
//!
//! Each batch is counted for itself, as in Spark's example of this name. `recoverable_network_word_count_v1` and `_v2` count from the
//! start on, and are two versions of one program, the second of which goes on from the checkpoint of the first.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use millstream::core::Broadcast;
use millstream::prelude::*;

/// Counts the words of the text that a server sends, appends the counts to a file, and goes on after a crash.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// Where checkpoints are written, and found after a crash.
    checkpoint_directory: PathBuf,
    /// The file that the counts are appended to.
    output: PathBuf,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(recoverable_network_word_count)
}

fn recoverable_network_word_count(conf: Conf, arguments: Arguments) -> Result<()> {
    let directory = arguments.checkpoint_directory.clone();
    let streaming = StreamingContext::get_or_create(directory, || describe(conf, arguments))?;
    millstream_examples::tell(match streaming.recovered_from() {
        Some(batch) => format!("Going on after batch {batch}"),
        None => "Creating new context".to_owned(),
    })?;
    streaming.start()?.await_termination()
}

/// Describes the streams, at the first start and at each that goes on.
fn describe(conf: Conf, arguments: Arguments) -> Result<StreamingContext> {
    let Arguments { host, port, output, interval, .. } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "RecoverableNetworkWordCount");
    let streaming = StreamingContext::new(conf, interval)?;

    let words = streaming.socket_text_stream(&host, port).flat_map_into(|line, out| out.extend(words(line)));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    let context = streaming.context().clone();
    counts.foreach_rdd_with(move |counts, time| {
        // Got by name, the first time made: the list and the counter survive a crash, handles do not.
        let excluded =
            context.broadcast_named("excluded words", || ["a", "b", "c"].map(Text::from).to_vec())?;
        let dropped = context.long_accumulator_named("dropped words")?;
        let kept = counts.filter_env((excluded, dropped.clone()), |(excluded, dropped), (word, count)| {
            let excluded: &Broadcast<Vec<Text>> = excluded;
            if excluded.contains(word) {
                dropped.add(*count);
                return false;
            }
            true
        });
        let kept: Vec<String> =
            kept.collect()?.iter().map(|(word, count)| format!("({word},{count})")).collect();
        let line = format!("Counts at time {time} [{}]", kept.join(", "));
        let (dropped, appending) = (dropped.value(), output.display());
        let said = format!("{line}\nDropped {dropped} word(s) totally\nAppending to {appending}");
        millstream_examples::tell(said)?;
        append(&line, &output)
    });
    Ok(streaming)
}

fn append(line: &str, file: &Path) -> Result<()> {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let appended = opened.and_then(|mut file| writeln!(file, "{line}"));
    let what = || format!("appending the counts to {}", file.display());
    Ok(appended.map_err(|error| millstream::core::Error::io(what(), error))?)
}
