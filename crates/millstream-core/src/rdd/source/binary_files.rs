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
