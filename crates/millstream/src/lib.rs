//! Spark Streaming, re-made in Rust: streams of records, cut into batches, each batch a typed, partitioned collection.
//!
//! This crate is what programs depend on; it holds no engine of its own. Most names are in the [`prelude`]:
//!
//! ```no_run
//! use millstream::prelude::*;
//!
//! fn main() -> Result<()> {
//!     millstream::log_to_stderr();
//!     let conf = Conf::new().set_app_name("NetworkWordCount").set_master("local[2]");
//!     let context = StreamingContext::new(conf, Duration::from_secs(1))?;
//!
//!     let lines = context.socket_text_stream("localhost", 9999);
//!     let words = lines.flat_map_into(|line, out| out.extend(words(line)));
//!     let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
//!     counts.print();
//!
//!     context.start()?.await_termination()
//! }
//! ```
//!
//! Each second this prints how often each word came within that second. Four things happen in it, and this is the tour:
//!
//! 1. **Settings.** A [`Conf`](prelude::Conf) holds Spark's settings; [`settings`] is the table of all that are known. They come from the
//!    program, from its command line ([`Conf::from_args`](prelude::Conf::from_args)), from the environment or from a file.
//! 2. **Describing.** A [`StreamingContext`](prelude::StreamingContext) has the sources (`socket_text_stream`, `queue_stream`,
//!    `generator_stream`), which return a [`DStream`](prelude::DStream). Its methods are the operators, each of which makes another stream, and the
//!    outputs, `print` and `foreach_rdd`. Nothing runs yet.
//! 3. **Running.** `start` consumes the description and returns a [`RunningContext`](prelude::RunningContext). Every interval, what has come in
//!    becomes a batch, an [`Rdd`](prelude::Rdd), and the outputs run as jobs on it, in the order in which they were written.
//! 4. **Ending.** `await_termination` waits until the streams are stopped, by `stop` or by an error, which it returns. An error names the
//!    operator, its line in the program, the batch and the cause.
//!
//! # Batches by hand
//! An RDD can be had without a stream, and has the same operators:
//!
//! ```
//! use millstream::prelude::*;
//!
//! let context = Context::new(Conf::empty().set_master("local[2]"))?;
//! let counts = context.parallelize(["b", "a", "b"].map(Text::from), 2).map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
//! let mut counts = counts.collect()?;
//! counts.sort();
//! assert_eq!(counts, [("a".into(), 1), ("b".into(), 2)]);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Words
//! [`words`](prelude::words) splits a line at blanks into [`Text`](prelude::Text)s, small strings that need no allocation up to 23 bytes; there are
//! no empty words. [`java_split`](prelude::java_split) splits as `line.split(" ")` does in Spark's own examples. `String` works too.
//!
//! # Tests of programs
//! A function from streams to a stream is tested with three tables, without sockets and without waiting, by [`testing::check`]:
//!
//! ```
//! use millstream::prelude::*;
//! use millstream::testing::{batches, check};
//!
//! fn errors(lines: &DStream<String>) -> DStream<u64> {
//!     lines.filter(|line| line.contains("error")).count()
//! }
//!
//! let line = str::to_owned;
//! check(
//!     batches![[line("ok"), line("error 1")], [line("ok")]], // what comes in
//!     errors,
//!     batches![[1], [0]], // what must come out
//! );
//! ```
//!
//! # Watching
//! A [`StreamingListener`](prelude::StreamingListener) is told of every batch: records, delays, failures. What the engine has to say beside
//! that goes to the `tracing` crate; [`log_to_stderr`] shows it.
//!
//! # Where to look
//!
//! | | |
//! |---|---|
//! | [`prelude`] | the names of nearly every program |
//! | [`settings`], [`parse_duration`] | the table of settings; durations in arguments |
//! | [`core`] | the batch engine: RDDs, how they run |
//! | [`streaming`] | the stream engine: time, receivers, listeners |
//! | [`testing`] | tests of programs on streams |
//! | [`fs`] | file systems, paths, formats, compression |
//! | [`text`], [`show`] | small strings; how `print` writes records |
//!
//! The `millstream` command, the examples and the benchmarks are programs on top of this.

mod duration;
mod logging;
pub mod prelude;

pub use millstream_core::fs;
pub use millstream_core::settings;
pub use millstream_core::show;
pub use millstream_core::show_by_display;
pub use millstream_core::sink;
pub use millstream_core::text;
pub use millstream_streaming::listener;
pub use millstream_streaming::testing;
pub use millstream_streaming::{Error, Result};

/// Other systems, one module for each feature that is switched on.
#[cfg(any(feature = "json", feature = "object-store", feature = "sqlite"))]
pub use millstream_connectors as connectors;
/// The batch engine.
pub use millstream_core as core;
/// The stream engine.
pub use millstream_streaming as streaming;

pub use duration::parse_duration;
pub use logging::log_to_stderr;
