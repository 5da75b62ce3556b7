//! `FileSink`: a file for each partition of each batch.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::{BatchPartition, ExactlyOnceSink, Stored};
use crate::data::Data;
use crate::error::Result;
use crate::failpoint;
use crate::fs::{FileSystem, FileSystems, FsPath, OutputFormat, is_not_found, write_file};
use crate::stream::ChunkStream;

/// Stores each partition as a file `DIRECTORY/OUTPUT-TIME_IN_MS/part-00000-of-00004` with the ending of its format.
///
/// The name is the mark that the partition was stored; the file appears whole. A batch without records leaves files
/// without records. Paths of any file system that is registered.
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
        Ok(FileSink { directory: FsPath::from_path(directory.as_ref())?, format })
    }
}

impl<T: Data, F: OutputFormat<T>> ExactlyOnceSink<T> for FileSink<F> {
    fn store(&self, id: &BatchPartition, records: ChunkStream<T>, files: &FileSystems) -> Result<Stored> {
        let directory = self.directory.join(&format!("{}-{}", id.output, id.time_ms));
        let system = files.of(&directory)?;
        let name = format!("part-{:05}-of-{:05}{}", id.partition, id.partitions, self.format.extension());
        let path = directory.join(&name);
        if let Some(before) = partitions_before(&*system, &directory)?.filter(|n| *n != id.partitions) {
            return Err(id.spread_differently(&directory.to_string(), before));
        }
        if system.exists(&path)? {
            return Ok(Stored::Before);
        }
        let file = write_file(system.create_new(&path)?, &path, &self.format, records, &Cell::new(0))?;
        failpoint::reach("sink-before-commit");
        let stored = if file.publish_new()? { Stored::Now } else { Stored::Before };
        failpoint::reach("sink-after-commit");
        Ok(stored)
    }
}

/// Returns how many partitions the batch had when a part of it was stored, if one was.
fn partitions_before(system: &dyn FileSystem, directory: &FsPath) -> Result<Option<usize>> {
    let files = match system.list(directory) {
        Err(error) if is_not_found(&error) => return Ok(None),
        files => files?,
    };
    let partitions = |name: &str| {
        let (_, rest) = name.strip_prefix("part-")?.split_once("-of-")?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    Ok(files.iter().find_map(|file| partitions(file.path.name())))
}
