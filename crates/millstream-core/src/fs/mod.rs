//! Files, wherever they lie: the contract of a file system, and the one of this machine.
//!
//! | name | what it is |
//! |---|---|
//! | [`FsPath`] | the name of a file or directory: `/a/b`, `file:///a/b`, `s3a://bucket/key` |
//! | [`FileSystem`] | what a kind of storage must be able to do |
//! | [`LocalFs`] | this machine's files |
//! | [`register`] | adds a file system for a scheme, such as `s3a` |
//! | [`FileSystems`] | finds the file system of a path; each context has one, [`Context::file_systems`](crate::Context::file_systems) |
//! | [`Codec`] | compression, by the end of a name |
//! | [`ObjectBytes`] | records as the bytes of an object file, in memory |
//! | [`InputFormat`], [`OutputFormat`] | how records are read from files and written to them |
//! | [`TextFormat`], [`KeyValueTextFormat`], [`FixedFormat`], [`ObjectFormat`], [`WholeFormat`] | the formats that are there |
//! | [`FileSystems::input_files`] | the files that a comma-separated list of paths and patterns names |

mod codec;
mod failed;
mod format;
mod glob;
mod input_files;
mod key_value_text_format;
pub(crate) mod lines;
mod local;
mod object_bytes;
mod object_format;
mod path;
mod registry;
mod text_format;
mod whole_format;
mod write_file;

use std::io::{Read, Write};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use codec::{Codec, CodecWriter};
pub use failed::{failed, is_not_found, write_failed};
pub use format::{Cut, FileSplit, InputFormat, OutputFormat};
pub use key_value_text_format::KeyValueTextFormat;
pub use local::LocalFs;
pub use object_bytes::ObjectBytes;
pub use object_format::ObjectFormat;
pub use path::FsPath;
pub use registry::{FileSystems, Make, register};
pub use text_format::TextFormat;
pub use whole_format::{Content, FixedBytes, FixedFormat, WholeFormat};
pub(crate) use write_file::write_file;

use crate::error::Result;

/// What a file system says of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// Its name, as a full path.
    pub path: FsPath,
    /// Its length in bytes; 0 for a directory.
    pub len: u64,
    /// When it was last changed; of an object, when it was put.
    pub modified: SystemTime,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// What becomes another when the name is given to another file: an inode, an entity tag.
    pub version: Option<String>,
}

/// A kind of storage with named files in directories. Its methods block.
///
/// Every error names the path and what can be done about it: see [`failed`]. That something is missing is told by
/// [`is_not_found`].
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// use millstream_core::fs::{FileSystem, FsPath, LocalFs};
///
/// let directory = FsPath::parse(&format!("{}/fs-{}", std::env::temp_dir().display(), std::process::id()))?;
/// let file = directory.join("a.txt");
/// let mut writer = LocalFs.create(&file)?;
/// writer.write_all(b"to be").unwrap();
/// assert!(!LocalFs.exists(&file)?);
/// writer.publish()?;
/// let mut text = String::new();
/// LocalFs.open(&LocalFs.status(&file)?, 3)?.read_to_string(&mut text).unwrap();
/// assert_eq!(text, "be");
/// LocalFs.delete(&directory)?;
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub trait FileSystem: Send + Sync + 'static {
    /// Returns what is known of a file or directory.
    ///
    /// # Errors
    /// If it is missing or can not be asked for.
    fn status(&self, path: &FsPath) -> Result<FileStatus>;

    /// Returns the files and directories of a directory, hidden ones too, sorted by name.
    ///
    /// # Errors
    /// If it is missing, no directory, or can not be read.
    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>>;

    /// Opens a file to read from `offset` on what it held when its status was taken.
    ///
    /// What was appended since is not read. [`FileSystem::status`] and [`FileSystem::list`] give the status.
    ///
    /// # Errors
    /// If the file can not be read, or is no longer the one whose status was taken: it is shorter, was replaced, or was
    /// changed without a change of its length.
    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>>;

    /// Begins a file, and makes the directories it lies in; nothing can be seen of it until it is published.
    ///
    /// # Errors
    /// If it can not be written there.
    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>>;

    /// Begins a file that is to be published by [`FileWriter::publish_new`], however long it gets: an object store keeps it in memory
    /// until then. The default is [`FileSystem::create`].
    ///
    /// # Errors
    /// If it can not be written there.
    fn create_new(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        self.create(path)
    }

    /// Gives a file or directory another name, and takes the place of a file that has it.
    ///
    /// Atomic but for object stores, which copy.
    ///
    /// # Errors
    /// If `from` is missing, or `to` is a directory or lies in none.
    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()>;

    /// Deletes a file, or a directory with all that is in it; returns whether there was one.
    ///
    /// # Errors
    /// If it can not be deleted.
    fn delete(&self, path: &FsPath) -> Result<bool>;

    /// Makes a directory and those it lies in, where they are missing.
    ///
    /// # Errors
    /// If one of them is a file or can not be made.
    fn make_directories(&self, path: &FsPath) -> Result<()>;

    /// Returns whether there is a file or directory of the name.
    ///
    /// # Errors
    /// If it can not be asked for.
    fn exists(&self, path: &FsPath) -> Result<bool> {
        match self.status(path) {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the files and directories that a pattern names, sorted by name; a path without `*`, `?`, `[`, `{` or `\`
    /// names itself.
    ///
    /// # Errors
    /// If the pattern is broken or a directory can not be read. Nothing that matches is no error.
    fn glob(&self, pattern: &FsPath) -> Result<Vec<FileStatus>> {
        glob::glob(&|path| self.status(path), &|directory| self.list(directory), pattern)
    }

    /// Returns whether the last thing that happened to a file was a write to it where it lies, so that more may follow.
    ///
    /// Not so if it was moved there or given a time after it was written, and never where files appear as a whole, which
    /// is the default.
    ///
    /// # Errors
    /// If it can not be asked for.
    fn was_written_in_place(&self, _file: &FileStatus) -> Result<bool> {
        Ok(false)
    }

    /// Returns whether someone is known to have a file open for writing, so that more may follow however long nothing came;
    /// or to have changed it since its status was taken.
    ///
    /// [`LocalFs`] knows it on Linux of the files of the program's own user (as root: of all), and of writers on this machine
    /// only. Never so where files appear as a whole, which is the default. To ask costs opening the file.
    ///
    /// # Errors
    /// If it can not be asked for.
    fn is_open_for_writing(&self, _file: &FileStatus) -> Result<bool> {
        Ok(false)
    }

    /// Returns the length beyond which a file is read by several tasks.
    fn block_size(&self) -> u64 {
        32 << 20
    }
}

/// A file being written. What is dropped without being published leaves nothing behind.
pub trait FileWriter: Write + Send {
    /// Makes the file visible, whole and under its name; takes the place of a file that has it.
    ///
    /// # Errors
    /// If it can not be stored; nothing is visible then.
    fn publish(self: Box<Self>) -> Result<()>;

    /// Makes the file visible unless there is one of its name; returns whether it was.
    ///
    /// Of several writers of one name one is told so.
    ///
    /// # Errors
    /// If it can not be stored. In an object store also if it is longer than 16 MiB and was not begun by
    /// [`FileSystem::create_new`].
    fn publish_new(self: Box<Self>) -> Result<bool>;
}
