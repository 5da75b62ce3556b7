//! `save_exactly_once`: into a sink that stores each partition of a batch once.

use std::any::type_name;
use std::panic::Location;

use millstream_core::Data;
use millstream_core::operator::{self, Operator};
use millstream_core::sink::ExactlyOnceSink;

use super::OutputHandle;
use crate::dstream::DStream;
use crate::graph::Place;

impl<T: Data> DStream<T> {
    /// Stores each batch in a sink that keeps the name of a partition with its records, so that a batch that is run again
    /// (after a failure, by a restarted program) adds nothing twice.
    ///
    /// `output` names the stream in the sink; it must stay the same when the program is changed, and so must the number
    /// of partitions of a batch that has not been completed. Each stream needs a name of its own in a sink, or is refused at the start:
    /// of two that share one the second would be taken for the first, run again.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::sink::FileSink;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("stream-exactly-once-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let sink = FileSink::new(&directory, TextFormat::default())?;
    /// driver.input(batches![[1, 2], [3]]).repartition(1).save_exactly_once("numbers", sink);
    /// driver.run(2)?;
    /// let read = |batch: &str| std::fs::read_to_string(directory.join(batch).join("part-00000-of-00001")).unwrap();
    /// assert_eq!([read("numbers-1000"), read("numbers-2000")], ["1\n2\n", "3\n"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_exactly_once<S: ExactlyOnceSink<T>>(
        &self,
        output: impl Into<String>,
        sink: S,
    ) -> OutputHandle<T> {
        let name = output.into();
        let place = Location::caller();
        // A sink that names no place and can not be written can not be told from others.
        let written = || Some(Place::In(type_name::<S>(), postcard::to_stdvec(&sink).ok()?, name.clone()));
        if let Some(kept) = sink.place(&name).map(Place::Named).or_else(written) {
            let (operator, shared) =
                (Operator::call("save_exactly_once", place), format!("the output `{name}` of this sink is"));
            self.graph().leaves_in(operator, kept, &shared, "give it another name");
        }
        self.output("save_exactly_once", place, move |rdd, time, save| {
            let (time, sink) = (time.as_millis() as u64, sink.clone());
            operator::named(save, || rdd.save_exactly_once(&name, time, sink).map(drop))
        })
    }
}
