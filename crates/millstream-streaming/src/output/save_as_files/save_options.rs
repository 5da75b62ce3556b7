//! `SaveOptions`: how a stream is saved.

use std::time::Duration;

use millstream_core::fs::Codec;
use millstream_core::rdd::{Existing, Saving};

use super::roll::Group;
use crate::time::Time;

/// How a stream is saved.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SaveOptions {
    /// How text is compressed; by default it is not.
    pub codec: Codec,
    /// Whether batches without records leave no directory; by default they leave one, as in Spark.
    pub skip_empty: bool,
    /// How many bytes a file may reach before a further one is begun; by default a partition is one file.
    pub roll_size: Option<u64>,
    /// For how long batches share a directory; by default each has its own.
    pub roll_time: Option<Duration>,
}

impl SaveOptions {
    /// Compresses text.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_core::fs::Codec;
    /// use millstream_streaming::SaveOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_options_codec-{}", std::process::id()));
    /// # let prefix = directory.join("words").display().to_string();
    /// let numbers = driver.input(batches![[1]]);
    /// numbers.save_as_text_files_with(&prefix, "", SaveOptions::default().codec(Codec::Gzip));
    /// driver.run(1)?;
    /// assert!(std::path::Path::new(&format!("{prefix}-1000/part-00000.gz")).exists());
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn codec(self, codec: Codec) -> Self {
        SaveOptions { codec, ..self }
    }

    /// Leaves no directory for a batch without records. The tasks that would write it count; nothing is read twice.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::SaveOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_options_skip-{}", std::process::id()));
    /// # let prefix = directory.join("words").display().to_string();
    /// let numbers = driver.input(batches![[1], []]);
    /// numbers.save_as_text_files_with(&prefix, "", SaveOptions::default().skip_empty(true));
    /// driver.run(2)?;
    /// let exists = |batch| std::path::Path::new(&format!("{prefix}-{batch}")).exists();
    /// assert!(exists(1000) && !exists(2000));
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn skip_empty(self, skip_empty: bool) -> Self {
        SaveOptions { skip_empty, ..self }
    }

    /// Begins a further file of a partition when one has reached `bytes`: `part-00000-c000`, `part-00000-c001`, ..
    ///
    /// A file ends with the chunk of records (about a thousand) with which it reaches the length.
    ///
    /// # Errors
    /// 0 bytes are refused at the start.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::SaveOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_options_size-{}", std::process::id()));
    /// # let prefix = directory.join("numbers").display().to_string();
    /// let numbers = driver.input(vec![(0..5000).collect()]);
    /// numbers.save_as_text_files_with(&prefix, "", SaveOptions::default().roll_size(1));
    /// driver.run(1)?;
    /// assert!(std::path::Path::new(&format!("{prefix}-1000/part-00000-c001")).exists()); // after a chunk of records
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn roll_size(self, bytes: u64) -> Self {
        SaveOptions { roll_size: Some(bytes), ..self }
    }

    /// Puts the batches of each span of `time` into one directory, which bears the time of the first of them.
    ///
    /// Spans are counted from the epoch: with ten minutes a directory holds the batches after 10:00 up to and with 10:10,
    /// whenever the program was started. A file bears the time of its batch, `part-TIME_IN_MS-00000`. The files of a batch
    /// become visible when all are written, and a batch that is repeated replaces its own; `_SUCCESS` comes with the last
    /// batch of the span, so that a directory without it still grows, or the program was stopped within the span. A
    /// time that is no longer than the interval of the stream changes nothing.
    ///
    /// # Errors
    /// No time at all is refused at the start.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use millstream_streaming::SaveOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_options_time-{}", std::process::id()));
    /// # let prefix = directory.join("numbers").display().to_string();
    /// let numbers = driver.input(batches![[1], [2]]);
    /// numbers.save_as_text_files_with(&prefix, "", SaveOptions::default().roll_time(Duration::from_secs(2)));
    /// driver.run(2)?;
    /// let exists = |file: &str| std::path::Path::new(&format!("{prefix}-1000/{file}")).exists();
    /// assert!(exists("part-1000-00000") && exists("part-2000-00000") && exists("_SUCCESS"));
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn roll_time(self, time: Duration) -> Self {
        SaveOptions { roll_time: Some(time), ..self }
    }

    /// Returns what can not be done.
    pub(super) fn problems(&self) -> impl Iterator<Item = &'static str> {
        let size = "with a `roll_size` of 0 bytes no file has room for a record; ask for at least 1";
        let time = "a `roll_time` of 0 s holds no batch; give a time that is longer than the interval of the stream, or none";
        let no_size = (self.roll_size == Some(0)).then_some(size);
        no_size.into_iter().chain((self.roll_time == Some(Duration::ZERO)).then_some(time))
    }

    /// Returns the time of the directory that the batch before, which was that of `before`, has left without its last batch: there will
    /// be none if this one has another directory.
    pub(super) fn left_open(self, before: Time, batch: Time, slide: Duration) -> Option<Time> {
        let span = self.roll_time.filter(|time| *time > slide)?;
        let [before, batch] = [before, batch].map(|time| Group::of(time, slide, span));
        (!before.is_last && before.first != batch.first).then_some(before.first)
    }

    /// Returns the time that the directory of a batch bears, and how the batch is saved into it.
    pub(super) fn of_batch(self, batch: Time, slide: Duration) -> (Time, Saving) {
        // A repeated batch must write again what it wrote before.
        let mut saving = Saving::from(Existing::Replace).skip_empty(self.skip_empty);
        if let Some(bytes) = self.roll_size {
            saving = saving.max_bytes(bytes);
        }
        match self.roll_time.filter(|time| *time > slide) {
            None => (batch, saving),
            Some(time) => {
                let Group { first, is_last } = Group::of(batch, slide, time);
                (first, saving.share(batch.as_millis().to_string(), is_last))
            }
        }
    }
}
