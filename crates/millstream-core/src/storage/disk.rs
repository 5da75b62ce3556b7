//! The scratch directory of a context, and files of records in it.
//!
//! ```
//! use millstream_core::{Conf, Context};
//! use millstream_core::stream;
//!
//! let context = Context::new(Conf::empty())?;
//! let mut writer = context.disk().create("sorted runs")?;
//! let first = writer.write(&["a".to_owned(), "b".to_owned()])?;
//! writer.write(&["c".to_owned()])?;
//! let file = writer.finish()?;
//! let mut read = Vec::new();
//! stream::drain(file.read_segment::<String>(first)?, |chunk| Ok(read.extend(chunk.into_vec())))?;
//! assert_eq!(read, ["a", "b"]);
//! # Ok::<(), millstream_core::Error>(())
//! ```

mod folder;
mod spill_file;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::folder::Folders;
pub use self::spill_file::{Segment, SpillFile, SpillWriter};
use super::frame::Compression;
use crate::conf::Conf;
use crate::error::{Error, Result};
use crate::fs::{FsPath, failed};
use crate::settings;

/// The scratch directory of a context: made when it is first needed, deleted with the context. Cloning is shallow.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    folders: Arc<Folders>,
    /// Of what tasks write out.
    spills: Compression,
    /// Of the partitions that are kept as bytes.
    kept: Compression,
    next: AtomicU64,
}

impl Disk {
    /// Makes the directory that the settings say, once it is needed.
    ///
    /// # Errors
    /// If a setting can not be used.
    pub(crate) fn of(conf: &Conf) -> Result<Self> {
        let mut roots = Vec::new();
        for root in conf.get(settings::LOCAL_DIR)?.unwrap_or_default() {
            let path = FsPath::parse(&root).ok().and_then(|path| path.as_local());
            roots.push(path.ok_or_else(|| Error::Setting {
                key: settings::LOCAL_DIR.key().into(),
                problem: format!("`{root}` is no directory of this machine"),
                remedy: "name a directory such as /tmp, or several with commas between them".into(),
            })?);
        }
        if roots.is_empty() {
            roots.push(std::env::temp_dir());
        }
        let codec = Compression::of(conf)?;
        let if_set = |on| if on { codec } else { Compression::None };
        Ok(Disk(Arc::new(Inner {
            folders: Arc::new(Folders::new(roots)),
            spills: if_set(conf.get(settings::SHUFFLE_SPILL_COMPRESS)?),
            kept: if_set(conf.get(settings::RDD_COMPRESS)?),
            next: AtomicU64::new(0),
        })))
    }

    /// Begins a file of records; `what` says in errors what is in it.
    ///
    /// # Errors
    /// If no directory of `spark.local.dir` can be written to; the error names one and says what can be done.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let mut file = context.disk().create("numbers")?;
    /// file.write(&[1_u64, 2, 3])?;
    /// let file = file.finish()?;
    /// let mut records = Vec::new();
    /// millstream_core::stream::drain(file.read::<u64>()?, |chunk| Ok(records.extend(chunk.into_vec())))?;
    /// assert_eq!(records, [1, 2, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn create(&self, what: impl Into<String>) -> Result<SpillWriter> {
        self.create_with(what, self.0.spills)
    }

    /// Begins a file of a kept partition.
    pub(crate) fn create_kept(&self, what: impl Into<String>) -> Result<SpillWriter> {
        self.create_with(what, self.0.kept)
    }

    /// Returns how partitions that are kept as bytes are compressed.
    pub(crate) fn kept_compression(&self) -> Compression {
        self.0.kept
    }

    fn create_with(&self, what: impl Into<String>, compression: Compression) -> Result<SpillWriter> {
        let what = what.into();
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (path, file) =
            self.0.folders.create(number).map_err(|(path, error)| unwritable(&what, &path, error))?;
        Ok(SpillWriter::new(what, path, file, compression, Arc::clone(&self.0.folders)))
    }

    /// Returns the directories that scratch files lie in, as far as there are any yet.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.disk().directories().is_empty(), "nothing was written yet");
    /// let file = context.disk().create("numbers")?.finish()?;
    /// assert!(file.path().starts_with(&context.disk().directories()[0]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        self.0.folders.made()
    }
}

/// Says what could not be written where, and what to do.
fn unwritable(what: &str, path: &std::path::Path, error: io::Error) -> Error {
    let doing = format!("writing {what} to the scratch file");
    let Ok(path) = FsPath::from_path(path) else { return Error::io(doing, error) };
    let key = settings::LOCAL_DIR.key();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::WriteZero => {
            let problem = format!("{error}; make room there, or name a larger disk in {key}");
            Error::io(format!("{doing} {path}"), io::Error::new(error.kind(), problem))
        }
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotFound
        | ErrorKind::NotADirectory => {
            let problem = format!("{error}; name a directory that can be written to in {key}");
            Error::io(format!("{doing} {path}"), io::Error::new(error.kind(), problem))
        }
        _ => failed(&doing, &path, error),
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Disk").field(&self.directories()).finish()
    }
}

/// A scratch file whose bytes were counted as they were written.
struct Counted {
    file: File,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
