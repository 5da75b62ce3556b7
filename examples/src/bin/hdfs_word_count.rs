//! Counts the words of the text files that are moved into a directory.
//!
//! `millstream run-example streaming.HdfsWordCount texts`, then move files into `texts`.

use std::process::ExitCode;

use clap::Parser;
use millstream::prelude::*;

/// Counts the words of the text files that are moved into a directory.
#[derive(Parser)]
struct Arguments {
    /// The directory, which may come later.
    directory: String,
    /// The time between two batches.
    #[arg(long, default_value = "2s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(hdfs_word_count)
}

fn hdfs_word_count(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "HdfsWordCount");
    let context = StreamingContext::new(conf, arguments.interval)?;

    let lines = context.text_file_stream(&arguments.directory);
    let words = lines.flat_map_into(|line, out| out.extend(words(line)));
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b).print();

    context.start()?.await_termination()
}
