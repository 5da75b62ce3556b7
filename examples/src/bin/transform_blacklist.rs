//! Prints the lines a server sends whose second word is not on a list that grows while the program runs.
//!
//! The list begins with zhangsan and lisi, and gets the second word of each line that was printed, so that no such line is
//! printed again. `transform` asks for the list of the moment with every batch.
//!
//! `millstream nc 9999`, then `millstream run-example streaming.TransformBlacklist localhost 9999`; type `hello a` twice.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use millstream::prelude::*;

/// Prints lines whose second word is not on a list that grows while the program runs.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    port: u16,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(transform_blacklist)
}

fn transform_blacklist(conf: Conf, arguments: Arguments) -> Result<()> {
    let conf = conf.set_if_missing("spark.app.name", "TransformBlacklist");
    let context = StreamingContext::new(conf, arguments.interval)?;
    let list = BTreeSet::from(["zhangsan", "lisi"].map(String::from));
    let (list, current) = {
        let list = Arc::new(Mutex::new(list));
        (Arc::clone(&list), list)
    };

    let lines = context.socket_text_stream(&arguments.host, arguments.port);
    let allowed = lines.transform(move |batch| {
        let list = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        batch.filter_env(list, |list, line| second(line).is_none_or(|word| !list.contains(word)))
    });
    allowed.print();
    allowed.foreach_rdd(move |batch| {
        let seen = batch.flat_map(|line| second(&line).map(str::to_owned)).collect()?;
        list.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
        Ok::<(), Error>(())
    });

    context.start()?.await_termination()
}

fn second(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1)
}
