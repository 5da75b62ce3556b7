//! `object_file`: what `save_as_object_file` wrote.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::data::Data;
use crate::fs::ObjectFormat;
use crate::rdd::Rdd;

impl Context {
    /// Makes an RDD of the records that [`Rdd::save_as_object_file`] wrote, a partition a file.
    ///
    /// `paths` is a list as [`Context::text_file`] takes it. The record type must be the one that was saved; a file with
    /// records of another type is an error of the action, as is one that was spoilt or cut off.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("object_file-{}", std::process::id()));
    /// context.parallelize([(1, 'a'), (2, 'b')], 2).save_as_object_file(&directory)?;
    /// assert_eq!(context.object_file::<(i32, char)>(&directory).collect()?, [(1, 'a'), (2, 'b')]);
    /// assert!(context.object_file::<(i32, u8)>(&directory).count().is_err());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias = "pickleFile")]
    #[track_caller]
    pub fn object_file<T: Data>(&self, paths: impl AsRef<Path>) -> Rdd<T> {
        let files = self.file_systems().input_files(paths);
        self.files_rdd("object_file", Location::caller(), files, ObjectFormat::<T>::default(), 1)
    }
}
