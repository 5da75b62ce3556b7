//! `whole_text_files`: a record a file, as text.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::fs::WholeFormat;
use crate::rdd::Rdd;

impl Context {
    /// Makes an RDD of the path and the text of each file; small files share partitions, two if there are as many.
    ///
    /// `paths` is a list as [`Context::text_file`] takes it, and compressed files are uncompressed as there. A file is
    /// held in memory as a whole.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("whole_text_files-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// std::fs::write(directory.join("a"), "to\nbe").unwrap();
    /// let path = directory.join("a").display().to_string();
    /// assert_eq!(context.whole_text_files(&directory).collect()?, [(path, "to\nbe".to_owned())]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn whole_text_files(&self, paths: impl AsRef<Path>) -> Rdd<(String, String)> {
        let files = self.file_systems().input_files(paths);
        let partitions = self.default_min_partitions();
        self.files_rdd(
            "whole_text_files",
            Location::caller(),
            files,
            WholeFormat::<String>::default(),
            partitions,
        )
    }

    /// Does what [`Context::whole_text_files`] does, in about `min_partitions` partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// # let directory = std::env::temp_dir().join(format!("whole_text_files_with-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// for name in ["a", "b"] {
    ///     std::fs::write(directory.join(name), "to be").map_err(millstream_core::Error::user)?;
    /// }
    /// let files = context.whole_text_files_with(&directory, 2);
    /// assert_eq!((files.num_partitions(), files.count()?), (2, 2));
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn whole_text_files_with(
        &self,
        paths: impl AsRef<Path>,
        min_partitions: usize,
    ) -> Rdd<(String, String)> {
        let (files, format) = (self.file_systems().input_files(paths), WholeFormat::<String>::default());
        self.files_rdd("whole_text_files_with", Location::caller(), files, format, min_partitions)
    }
}
