//! `binary_records`: records of one length.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::fs::FixedFormat;
use crate::rdd::Rdd;

impl Context {
    /// Makes an RDD of the records of flat binary files, each of `record_len` bytes.
    ///
    /// `paths` is a list as [`Context::text_file`] takes it. A file whose length is not a multiple of the record's is an
    /// error of the action.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("binary_records-{}", std::process::id()));
    /// std::fs::write(&path, [1, 2, 3, 4]).unwrap();
    /// assert_eq!(context.binary_records(&path, 2).collect()?, [[1, 2], [3, 4]]);
    /// assert!(context.binary_records(&path, 3).count().unwrap_err().to_string().contains("no whole number of records"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_records(&self, paths: impl AsRef<Path>, record_len: usize) -> Rdd<Vec<u8>> {
        let files = self.file_systems().input_files(paths);
        let partitions = self.default_min_partitions();
        self.files_rdd("binary_records", Location::caller(), files, FixedFormat { record_len }, partitions)
    }
}
