//! `save_as_hadoop_files`, `save_as_new_api_hadoop_files`: a directory of pairs for each batch, under Spark's names.

use millstream_core::Data;
use millstream_core::fs::OutputFormat;

use super::{OutputHandle, SaveOptions};
use crate::dstream::DStream;

impl<K: Data, V: Data> DStream<(K, V)> {
    /// Writes the pairs of each batch to a directory `prefix-TIME_IN_MS.suffix`, in a format of keys and values; an empty
    /// suffix is left out.
    ///
    /// [`KeyValueTextFormat`](millstream_core::fs::KeyValueTextFormat) writes what Hadoop's `TextOutputFormat` does, and
    /// [`file_stream`](crate::StreamingContext::file_stream) reads it. The files of a batch become visible together with
    /// `_SUCCESS` when all are written. A batch that is repeated replaces what it wrote.
    /// [`save_as_files_with`](DStream::save_as_files_with) takes [`SaveOptions`] too.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::KeyValueTextFormat;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_hadoop_files-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let counts = driver.input(batches![[("to".to_owned(), 2), ("be".to_owned(), 1)]]);
    /// let prefix = directory.join("counts").display().to_string();
    /// counts.save_as_hadoop_files(prefix, "txt", KeyValueTextFormat::default());
    /// driver.run(1)?;
    /// let written = directory.join("counts-1000.txt");
    /// assert_eq!(std::fs::read_to_string(written.join("part-00000")).unwrap(), "to\t2\n");
    /// assert!(written.join("_SUCCESS").exists());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_hadoop_files<F: OutputFormat<(K, V)>>(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        format: F,
    ) -> OutputHandle<(K, V)> {
        self.save("save_as_hadoop_files", prefix, suffix, format, SaveOptions::default())
    }

    /// Does what [`save_as_hadoop_files`](DStream::save_as_hadoop_files) does: Hadoop has two generations of formats,
    /// Millstream one.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::{Codec, KeyValueTextFormat};
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_new_api_hadoop_files-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let counts = driver.input(batches![[('a', 2), ('b', 1)]]);
    /// let (prefix, gzip) = (directory.join("counts").display().to_string(), Codec::Gzip);
    /// counts.save_as_new_api_hadoop_files(prefix, "", KeyValueTextFormat { codec: gzip, separator: '=' });
    /// let context = driver.context().clone();
    /// driver.run(1)?;
    /// assert_eq!(context.text_file(directory.join("counts-1000/part-*.gz")).collect()?, ["a=2", "b=1"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_new_api_hadoop_files<F: OutputFormat<(K, V)>>(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        format: F,
    ) -> OutputHandle<(K, V)> {
        self.save("save_as_new_api_hadoop_files", prefix, suffix, format, SaveOptions::default())
    }
}
