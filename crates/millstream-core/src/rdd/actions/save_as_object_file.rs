//! `save_as_object_file`: write the records as they are.

use std::panic::Location;
use std::path::Path;

use crate::data::Data;
use crate::error::Result;
use crate::fs::ObjectFormat;
use crate::rdd::Rdd;
use crate::rdd::actions::Existing;

impl<T: Data> Rdd<T> {
    /// Writes the records, compressed by LZ4 and with checksums, to a file `part-00000`, .. for each partition.
    ///
    /// [`Context::object_file`](crate::Context::object_file) reads them. The files become visible together with
    /// `_SUCCESS` when all partitions are written; see [`Rdd::save_as_files`].
    ///
    /// # Errors
    /// If the directory exists (unless `spark.hadoop.validateOutputSpecs` is false), a task fails as often as it may, or a
    /// file can not be written.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_object_file-{}", std::process::id()));
    /// let pairs = context.parallelize([("to".to_owned(), 1.5)], 1);
    /// pairs.save_as_object_file(&directory)?;
    /// assert!(pairs.save_as_object_file(&directory).unwrap_err().to_string().contains("already exists"));
    /// assert_eq!(context.object_file::<(String, f64)>(&directory).collect()?, pairs.collect()?);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "saveAsPickleFile")]
    #[track_caller]
    pub fn save_as_object_file(&self, directory: impl AsRef<Path>) -> Result<()> {
        let (format, place) = (ObjectFormat::<T>::default(), Location::caller());
        self.save("save_as_object_file", place, directory.as_ref(), format, Existing::Refuse)
    }
}
