//! `binary_files`: a record a file, as bytes.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::fs::WholeFormat;
use crate::rdd::Rdd;

impl Context {
    /// Makes an RDD of the path and the bytes of each file; small files share partitions, two if there are as many.
    ///
    /// `paths` is a list as [`Context::text_file`] takes it; compressed files stay compressed. A file is held in memory
    /// as a whole.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("binary_files-{}", std::process::id()));
    /// std::fs::write(&path, [0, 1, 255]).unwrap();
    /// assert_eq!(context.binary_files(&path).values().collect()?, [vec![0, 1, 255]]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_files(&self, paths: impl AsRef<Path>) -> Rdd<(String, Vec<u8>)> {
        let files = self.file_systems().input_files(paths);
        let partitions = self.default_min_partitions();
        self.files_rdd(
            "binary_files",
            Location::caller(),
            files,
            WholeFormat::<Vec<u8>>::default(),
            partitions,
        )
    }

    /// Does what [`Context::binary_files`] does, in about `min_partitions` partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// # let directory = std::env::temp_dir().join(format!("binary_files_with-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// for name in ["a", "b"] {
    ///     std::fs::write(directory.join(name), [1, 2, 3]).map_err(millstream_core::Error::user)?;
    /// }
    /// let files = context.binary_files_with(&directory, 2);
    /// assert_eq!((files.num_partitions(), files.count()?), (2, 2));
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_files_with(
        &self,
        paths: impl AsRef<Path>,
        min_partitions: usize,
    ) -> Rdd<(String, Vec<u8>)> {
        let (files, format) = (self.file_systems().input_files(paths), WholeFormat::<Vec<u8>>::default());
        self.files_rdd("binary_files_with", Location::caller(), files, format, min_partitions)
    }
}
