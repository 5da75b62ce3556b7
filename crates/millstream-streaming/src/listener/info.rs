//! What the events tell about batches, output operations and receivers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::receiver::StreamId;
use crate::time::Time;

/// A batch, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct BatchInfo {
    /// The time of the batch.
    pub batch_time: Time,
    /// What each input stream gave to it.
    pub stream_id_to_input_info: BTreeMap<StreamId, StreamInputInfo>,
    /// When its jobs were put in the queue.
    pub submission_time: Time,
    /// When its first job started.
    pub processing_start_time: Option<Time>,
    /// When its last job ended.
    pub processing_end_time: Option<Time>,
    /// How long its jobs ran, more exactly than the clock's milliseconds.
    pub processing_time: Option<Duration>,
    /// Its output operations, by their position in the program.
    pub output_operation_infos: BTreeMap<usize, OutputOperationInfo>,
}

impl BatchInfo {
    /// Returns how long the batch waited in the queue, once it started.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::listener::BatchInfo;
    ///
    /// let mut batch = BatchInfo::default();
    /// assert_eq!(batch.scheduling_delay(), None);
    /// batch.submission_time = Time::from_millis(1000);
    /// batch.processing_start_time = Some(Time::from_millis(1100));
    /// assert_eq!(batch.scheduling_delay(), Some(Duration::from_millis(100)));
    /// ```
    #[must_use]
    pub fn scheduling_delay(&self) -> Option<Duration> {
        Some(self.processing_start_time? - self.submission_time)
    }

    /// Returns how long its jobs ran, once they ended.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::listener::BatchInfo;
    ///
    /// let mut batch = BatchInfo::default();
    /// batch.processing_start_time = Some(Time::from_millis(1100));
    /// assert_eq!(batch.processing_delay(), None);
    /// batch.processing_end_time = Some(Time::from_millis(1130));
    /// assert_eq!(batch.processing_delay(), Some(Duration::from_millis(30)));
    /// ```
    #[must_use]
    pub fn processing_delay(&self) -> Option<Duration> {
        Some(self.processing_end_time? - self.processing_start_time?)
    }

    /// Returns how long the batch waited and ran, once it ended.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::listener::BatchInfo;
    ///
    /// let mut batch = BatchInfo::default();
    /// batch.submission_time = Time::from_millis(1000);
    /// batch.processing_start_time = Some(Time::from_millis(1100));
    /// batch.processing_end_time = Some(Time::from_millis(1130));
    /// assert_eq!(batch.total_delay(), Some(Duration::from_millis(130)));
    /// ```
    #[must_use]
    pub fn total_delay(&self) -> Option<Duration> {
        Some(self.scheduling_delay()? + self.processing_delay()?)
    }

    /// Returns how many records its input streams gave to it.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StreamId;
    /// use millstream_streaming::listener::{BatchInfo, StreamInputInfo};
    ///
    /// let mut batch = BatchInfo::default();
    /// for (id, records) in [(0, 300), (1, 11)] {
    ///     batch.stream_id_to_input_info.insert(StreamId(id), StreamInputInfo::new(StreamId(id), records));
    /// }
    /// assert_eq!(batch.num_records(), 311);
    /// ```
    #[must_use]
    pub fn num_records(&self) -> u64 {
        self.stream_id_to_input_info.values().map(|input| input.num_records).sum()
    }
}

/// An output operation of a batch, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct OutputOperationInfo {
    /// The time of the batch.
    pub batch_time: Time,
    /// The operation's position among the outputs of the program.
    pub id: usize,
    /// Its name, e.g. `print at src/main.rs:12:8`.
    pub name: String,
    /// More about it.
    pub description: String,
    /// When it started.
    pub start_time: Option<Time>,
    /// When it ended.
    pub end_time: Option<Time>,
    /// How often it was tried so far; 0 before the first attempt ended.
    pub attempts: u32,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// Whether it failed and the records of the batch were put aside, so that the next batch goes on.
    pub put_aside: bool,
}

impl OutputOperationInfo {
    /// Returns how long the operation ran, once it ended.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::Time;
    /// use millstream_streaming::listener::OutputOperationInfo;
    ///
    /// let mut output = OutputOperationInfo::default();
    /// output.start_time = Some(Time::from_millis(1110));
    /// assert_eq!(output.duration(), None);
    /// output.end_time = Some(Time::from_millis(1125));
    /// assert_eq!(output.duration(), Some(Duration::from_millis(15)));
    /// ```
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        Some(self.end_time? - self.start_time?)
    }
}

/// A receiver and how it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ReceiverInfo {
    /// The stream it receives for.
    pub stream_id: StreamId,
    /// Its kind and its stream, e.g. `SocketReceiver-0`.
    pub name: String,
    /// Whether it runs; while it waits for its restart it does not.
    pub active: bool,
    /// The host it runs on.
    pub location: String,
    /// The process it runs in.
    pub executor_id: String,
    /// What the receiver said about its last error or its last stop; empty before.
    pub last_error_message: String,
    /// The error behind it, empty if there was none.
    pub last_error: String,
    /// When the last error was.
    pub last_error_time: Option<Time>,
}

/// What one input stream gave to a batch.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct StreamInputInfo {
    /// The stream.
    pub input_stream_id: StreamId,
    /// How many records.
    pub num_records: u64,
    /// More about them; the value of [`DESCRIPTION`](Self::DESCRIPTION) is shown to people.
    pub metadata: BTreeMap<String, String>,
}

impl StreamInputInfo {
    /// The key of the metadata that is shown to people.
    pub const DESCRIPTION: &str = "Description";

    /// Makes the report of `num_records` records.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StreamId;
    /// use millstream_streaming::listener::StreamInputInfo;
    ///
    /// let input = StreamInputInfo::new(StreamId(0), 300);
    /// assert_eq!((input.num_records, input.metadata_description()), (300, None));
    /// ```
    #[must_use]
    pub fn new(input_stream_id: StreamId, num_records: u64) -> Self {
        StreamInputInfo { input_stream_id, num_records, metadata: BTreeMap::new() }
    }

    /// Returns the metadata that is shown to people.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StreamId;
    /// use millstream_streaming::listener::StreamInputInfo;
    ///
    /// let mut input = StreamInputInfo::new(StreamId(0), 300);
    /// input.metadata.insert(StreamInputInfo::DESCRIPTION.into(), "/logs/a.txt".into());
    /// assert_eq!(input.metadata_description(), Some("/logs/a.txt"));
    /// ```
    #[must_use]
    pub fn metadata_description(&self) -> Option<&str> {
        self.metadata.get(Self::DESCRIPTION).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_values() {
        let at = |millis| Some(Time::from_millis(millis));
        let input = |id, records| (StreamId(id), StreamInputInfo::new(StreamId(id), records));
        let mut batch = BatchInfo {
            batch_time: Time::from_millis(1000),
            submission_time: Time::from_millis(1010),
            stream_id_to_input_info: [input(0, 300), input(1, 11)].into(),
            ..BatchInfo::default()
        };
        assert_eq!([batch.scheduling_delay(), batch.processing_delay(), batch.total_delay()], [None; 3]);
        batch.processing_start_time = at(1110);
        assert_eq!(batch.scheduling_delay(), Some(Duration::from_millis(100)));
        assert_eq!([batch.processing_delay(), batch.total_delay()], [None; 2]);
        batch.processing_end_time = at(1140);
        assert_eq!(batch.processing_delay(), Some(Duration::from_millis(30)));
        assert_eq!(batch.total_delay(), Some(Duration::from_millis(130)));
        assert_eq!(batch.num_records(), 311);
        let operation = OutputOperationInfo {
            start_time: at(1110),
            end_time: at(1125),
            ..OutputOperationInfo::default()
        };
        assert_eq!(operation.duration(), Some(Duration::from_millis(15)));
    }

    #[test]
    fn a_description_is_found() {
        let mut input = StreamInputInfo::new(StreamId(0), 1);
        assert_eq!(input.metadata_description(), None);
        input.metadata.insert(StreamInputInfo::DESCRIPTION.to_owned(), "a file".to_owned());
        assert_eq!(input.metadata_description(), Some("a file"));
    }
}
