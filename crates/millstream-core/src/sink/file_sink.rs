//! `FileSink`: a file for each partition of each batch.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::spread::Spread;
use super::{BatchPartition, ExactlyOnceSink, Stored};
use crate::data::Data;
use crate::error::Result;
use crate::failpoint;
use crate::fs::{FileSystems, FsPath, OutputFormat, write_file};
use crate::stream::ChunkStream;

/// Stores each partition as a file `DIRECTORY/OUTPUT-TIME_IN_MS/part-00000-of-00004` with the ending of its format.
///
/// The name is the mark that the partition was stored; the file appears whole. A batch without records leaves files
/// without records. Paths of any file system that is registered. The directory of a batch is listed before and after the
/// first partition that is stored, not for each.
///
/// # Examples
/// ```
/// use millstream_core::fs::TextFormat;
/// use millstream_core::sink::FileSink;
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// let directory = std::env::temp_dir().join(format!("file-sink-{}", std::process::id()));
/// let sink = FileSink::new(&directory, TextFormat::default())?;
/// for words in ["to be", "again"] {
///     context.parallelize([words.to_owned()], 1).save_exactly_once("words", 1000, sink.clone())?;
/// }
/// let file = directory.join("words-1000/part-00000-of-00001");
/// assert_eq!(std::fs::read_to_string(file).unwrap(), "to be\n"); // the second run of the batch changed nothing
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileSink<F> {
    directory: FsPath,
    format: F,
    /// What this process knows of the batches it stores.
    #[serde(skip)]
    spread: Spread,
}

impl<F> FileSink<F> {
    /// Stores under a directory, which is made if it is missing.
    ///
    /// # Errors
    /// If the path can not be understood.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::sink::FileSink;
    ///
    /// assert!(FileSink::new("s3a://logs/out", TextFormat::default()).is_ok());
    /// assert!(FileSink::new("", TextFormat::default()).is_err());
    /// ```
    pub fn new(directory: impl AsRef<std::path::Path>, format: F) -> Result<Self> {
        Ok(FileSink { directory: FsPath::from_path(directory.as_ref())?, format, spread: Spread::default() })
    }
}

impl<T: Data, F: OutputFormat<T>> ExactlyOnceSink<T> for FileSink<F> {
    fn store(&self, id: &BatchPartition, records: ChunkStream<T>, files: &FileSystems) -> Result<Stored> {
        let directory = self.directory.join(&format!("{}-{}", id.output, id.time_ms));
        let system = files.of(&directory)?;
        let name = format!("part-{:05}-of-{:05}{}", id.partition, id.partitions, self.format.extension());
        let path = directory.join(&name);
        self.spread.check(&*system, &directory, id)?;
        if system.exists(&path)? {
            return Ok(Stored::Before);
        }
        let file = write_file(system.create_new(&path)?, &path, &self.format, records, &Cell::new(0))?;
        failpoint::reach("sink-before-commit");
        let stored = if file.publish_new()? { Stored::Now } else { Stored::Before };
        failpoint::reach("sink-after-commit");
        self.spread.check(&*system, &directory, id)?;
        Ok(stored)
    }

    fn place(&self, output: &str) -> Option<String> {
        Some(self.directory.join(&format!("{output}-TIME_IN_MS")).to_string())
    }
}
