//! `text_file`: the lines of files.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::fs::TextFormat;
use crate::rdd::Rdd;

impl Context {
    /// Makes an RDD of the lines of files, in two partitions or more if there is as much to read.
    ///
    /// `paths` is a comma-separated list of files, directories and patterns (`*`, `?`, `[a-z]`, `{a,b}`), here or on any
    /// registered file system. Names in directories that begin with `.` or `_` are passed over, as are directories within
    /// a directory. Files ending in `.gz`, `.bz2`, `.lz4` or `.zst` are uncompressed, each in one partition.
    ///
    /// Lines end with `\n`, `\r\n` or `\r`; bytes that are not UTF-8 are read as U+FFFD. The list of files is taken now,
    /// their content when an action asks for it; a missing file is an error of that action, as is one that was replaced
    /// meanwhile. What was appended meanwhile is not read.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("text_file-{}", std::process::id()));
    /// std::fs::write(&path, "to be\nor not\n").unwrap();
    /// assert_eq!(context.text_file(&path).collect()?, ["to be", "or not"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file(&self, paths: impl AsRef<Path>) -> Rdd<String> {
        let files = self.file_systems().input_files(paths);
        let partitions = self.default_min_partitions();
        self.files_rdd("text_file", Location::caller(), files, TextFormat::default(), partitions)
    }

    /// Does what [`Context::text_file`] does, in at least `min_partitions` partitions unless files are compressed.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("text_file_with-{}", std::process::id()));
    /// std::fs::write(&path, "a\nb\nc\nd\n").unwrap();
    /// let lines = context.text_file_with(&path, 4);
    /// assert_eq!((lines.num_partitions(), lines.count()?), (4, 4));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file_with(&self, paths: impl AsRef<Path>, min_partitions: usize) -> Rdd<String> {
        let files = self.file_systems().input_files(paths);
        self.files_rdd("text_file_with", Location::caller(), files, TextFormat::default(), min_partitions)
    }
}
