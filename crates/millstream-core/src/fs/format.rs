//! The pair of traits by which records are read from files and written to them.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::{FileStatus, FileSystems};
use crate::data::Data;
use crate::error::Result;
use crate::stream::ChunkStream;

/// A part of a file: the bytes from `start` up to `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// The file, as it was when it was listed.
    pub file: FileStatus,
    /// The first byte.
    pub start: u64,
    /// The byte behind the last one.
    pub end: u64,
}

/// How files are cut into the partitions of an RDD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Anywhere: readers find the first record that begins in their part.
    Anywhere,
    /// Between records of this many bytes only; a file of another length is refused.
    Records(u64),
    /// Not at all.
    Whole,
    /// Not at all, and several small files share a partition.
    Packed,
}

/// How records are read from files. The value itself travels to the tasks.
///
/// [`Context::read_files`](crate::Context::read_files) makes an RDD of it, and has an example.
pub trait InputFormat: Data {
    /// What is read.
    type Record: Data;

    /// Refuses a format that no file can be read by, in the name of the `operator` that it was given to.
    ///
    /// Asked when an RDD is described, and at the start of a stream; the default refuses nothing.
    ///
    /// # Errors
    /// If it is such a format.
    fn check(&self, operator: &str) -> Result<()> {
        let _ = operator;
        Ok(())
    }

    /// Returns where the file may be cut.
    ///
    /// # Errors
    /// If files of its name can not be read.
    fn cut(&self, file: &FileStatus) -> Result<Cut>;

    /// Reads the records of a part of a file: each record of the file is one of exactly one part.
    ///
    /// # Errors
    /// If the file can not be opened.
    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<Self::Record>>;
}

/// How records are written to a file. The value itself travels to the tasks.
///
/// [`Rdd::save_as_files`](crate::Rdd::save_as_files) writes an RDD by it, and has an example.
pub trait OutputFormat<T: Data>: Data {
    /// Returns what is put behind the names `part-00000`, .. : an ending such as `.json`, or nothing.
    fn extension(&self) -> String;

    /// Writes the records of a partition; the file becomes visible when all partitions were written.
    ///
    /// # Errors
    /// Those of the records and of `to`; [`write_failed`](super::write_failed) makes an error of the latter.
    fn write(&self, records: ChunkStream<T>, to: &mut dyn Write) -> Result<()>;
}
