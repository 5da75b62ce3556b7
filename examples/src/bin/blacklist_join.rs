//! Drops the lines of those whom a file lists: of each batch, by what the file holds when the batch comes.
//!
//! The file has a name in each line. `transform` looks into it with every batch, and where it has changed makes a new data set of
//! it, which the batch is joined with, and lets go of the old one. With `--broadcast` nothing is joined: each task is sent the
//! list and looks it up there, which is quicker as long as the list is small; a list that has changed is broadcast anew.
//!
//! `echo mallory > blacklist`, `millstream nc 9999`, then
//! `millstream run-example streaming.BlacklistJoin localhost 9999 blacklist`. Type `alice hello` and `mallory hello`; write another
//! name into the file, and type them again.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use millstream::core::{Broadcast, Error as CoreError};
use millstream::prelude::*;

/// Drops the lines whose first word is in a file, which may change.
#[derive(Parser)]
struct Arguments {
    /// The server's host, e.g. localhost.
    host: String,
    /// The server's port, e.g. 9999.
    #[arg(value_parser = millstream_examples::port)]
    port: u16,
    /// The file, with a name in each line.
    blacklist: PathBuf,
    /// Sends the list to each task instead of joining with it.
    #[arg(long)]
    broadcast: bool,
    /// The time between two batches.
    #[arg(long, default_value = "1s", value_parser = millstream::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    millstream_examples::run(blacklist_join)
}

fn blacklist_join(conf: Conf, arguments: Arguments) -> Result<()> {
    let Arguments { host, port, blacklist, broadcast, interval } = arguments;
    let conf = conf.set_if_missing("spark.app.name", "BlacklistJoin");
    let context = StreamingContext::new(conf, interval)?;
    let newest = Mutex::new(Blacklist::read(context.context(), &blacklist)?);

    let messages = context.socket_text_stream(&host, port).flat_map(|line| message(&line));
    let allowed = messages.transform(move |batch| {
        // On the driver, with every batch. The batch keeps to the list it is given here, also when it is run later.
        let mut list = newest.lock().unwrap_or_else(PoisonError::into_inner);
        list.follow(batch.context(), &blacklist)?;
        Ok::<_, Error>(if broadcast {
            batch.filter_env(list.names.clone(), |names, (sender, _)| !names.contains(sender))
        } else {
            let joined = batch.left_outer_join(&list.data_set);
            joined.filter(|(_, (_, listed))| listed.is_none()).map_values(|(text, _)| text)
        })
    });
    allowed.print();

    context.start()?.await_termination()
}

/// A sender and a text; nothing of a line with one word.
fn message(line: &str) -> Option<(String, String)> {
    let (sender, text) = line.split_once(' ')?;
    Some((sender.to_owned(), text.to_owned()))
}

/// What the file held when it was last looked into, as a data set and as a broadcast: neither costs anything until it is used.
struct Blacklist {
    text: String,
    data_set: Rdd<(String, ())>,
    names: Broadcast<HashSet<String>>,
}

impl Blacklist {
    fn read(context: &Context, file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| {
            let what = format!("reading the list {}, which has a name in each line", file.display());
            CoreError::io(what, error)
        })?;
        Self::of(context, text)
    }

    fn of(context: &Context, text: String) -> Result<Self> {
        let names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        millstream_examples::tell(format!("Listed: {}", names.join(" ")))?;
        // Spread by its keys once and kept, so that each batch comes to it, and it is not moved again.
        let pairs = context.parallelize(names.iter().map(|name| (name.clone(), ())), 1);
        let data_set = pairs.partition_by(context.default_parallelism()).cache();
        Ok(Self { text, data_set, names: context.broadcast(names.into_iter().collect()) })
    }

    /// Takes what the file holds now. One that can not be read, such as while it is being replaced, leaves the list as it was.
    fn follow(&mut self, context: &Context, file: &Path) -> Result<()> {
        match fs::read_to_string(file) {
            Ok(text) if text == self.text => Ok(()),
            Ok(text) => {
                let old = std::mem::replace(self, Self::of(context, text)?);
                // A batch that still waits for its turn makes its own again.
                old.data_set.unpersist();
                Ok(old.names.unpersist()?)
            }
            Err(error) => {
                millstream_examples::complain(&format!("{}: {error}; the list stays", file.display()));
                Ok(())
            }
        }
    }
}
