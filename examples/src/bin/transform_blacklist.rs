//! Prints the lines a server sends whose second word is not on a list that grows while the program runs.
//!
//! The list begins with zhangsan and lisi, and gets the second word of each line that was printed, so that no such line is
//! printed again. It is broadcast; `transform` takes the newest broadcast with every batch, and an output replaces it. With
//! `--in-one-transform` both are done in `transform`.
//!
//! `millstream nc 9999`, then `millstream run-example streaming.TransformBlacklist localhost 9999`; type `hello a` twice.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use millstream::core::Broadcast;
use millstream::prelude::*;

/// Prints lines whose second word is not on a list that grows while the program runs.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// Adds to the list where it is read, and not in an output.
    #[arg(long)]
    in_one_transform: bool,
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
    let list = Blacklist::new(context.context(), ["zhangsan", "lisi"]);

    let lines = context.socket_text_stream(&arguments.host, arguments.port);
    let (current, in_one_transform) = (list.clone(), arguments.in_one_transform);
    let allowed = lines.transform(move |batch| {
        // On the driver, with every batch; the tasks of the batch keep to this broadcast, also when it is replaced.
        let allowed = batch
            .filter_env(current.newest(), |list, line| second(line).is_none_or(|word| !list.contains(word)));
        if in_one_transform {
            current.add(&allowed)?;
        }
        Ok::<_, Error>(allowed)
    });
    allowed.print();
    if !in_one_transform {
        allowed.foreach_rdd(move |batch| list.add(&batch));
    }

    context.start()?.await_termination()
}

fn second(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1)
}

/// The newest broadcast of the list, on the driver.
#[derive(Clone)]
struct Blacklist(Arc<Mutex<Broadcast<BTreeSet<String>>>>);

impl Blacklist {
    fn new(context: &Context, words: [&str; 2]) -> Self {
        Blacklist(Arc::new(Mutex::new(context.broadcast(words.map(String::from).into()))))
    }

    fn newest(&self) -> Broadcast<BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the second word of each line, and broadcasts the list anew. The old broadcast goes with the last batch that uses it.
    fn add(&self, lines: &Rdd<String>) -> Result<()> {
        let seen = lines.flat_map(|line| second(&line).map(str::to_owned)).collect()?;
        if !seen.is_empty() {
            let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut list = newest.value().clone();
            list.extend(seen);
            *newest = lines.context().broadcast(list);
        }
        Ok(())
    }
}
