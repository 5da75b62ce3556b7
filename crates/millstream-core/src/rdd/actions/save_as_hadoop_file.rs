//! `save_as_hadoop_file`, `save_as_new_api_hadoop_file`: write pairs, under the names that Spark has for it.

use std::panic::Location;
use std::path::Path;

use crate::data::Data;
use crate::error::Result;
use crate::fs::OutputFormat;
use crate::rdd::Rdd;
use crate::rdd::actions::Existing;

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// Writes the pairs to a file `part-00000`, .. for each partition, in a format of keys and values.
    ///
    /// [`KeyValueTextFormat`](crate::fs::KeyValueTextFormat) writes what Hadoop's `TextOutputFormat` does. The files become
    /// visible together with `_SUCCESS` when all partitions are written; see [`Rdd::save_as_files`], which can replace what
    /// is there and takes records that are no pairs.
    ///
    /// # Errors
    /// If the directory exists (unless `spark.hadoop.validateOutputSpecs` is false), a task fails as often as it may, or a
    /// file can not be written.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::KeyValueTextFormat;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_hadoop_file-{}", std::process::id()));
    /// let counts = context.parallelize([("to", 2), ("be", 1)].map(|(word, n)| (word.to_owned(), n)), 1);
    /// counts.save_as_hadoop_file(&directory, KeyValueTextFormat::default())?;
    /// assert_eq!(std::fs::read_to_string(directory.join("part-00000")).unwrap(), "to\t2\nbe\t1\n");
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_hadoop_file<F: OutputFormat<(K, V)>>(
        &self,
        directory: impl AsRef<Path>,
        format: F,
    ) -> Result<()> {
        let place = Location::caller();
        self.save("save_as_hadoop_file", place, directory.as_ref(), format, Existing::Refuse)
    }

    /// Does what [`save_as_hadoop_file`](Rdd::save_as_hadoop_file) does: Hadoop has two generations of formats, Millstream one.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::{Codec, KeyValueTextFormat};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_new_api_hadoop_file-{}", std::process::id()));
    /// let format = KeyValueTextFormat { codec: Codec::Gzip, separator: '=' };
    /// context.parallelize([('a', 1)], 1).save_as_new_api_hadoop_file(&directory, format)?;
    /// assert_eq!(context.text_file(directory.join("part-00000.gz")).collect()?, ["a=1"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_new_api_hadoop_file<F: OutputFormat<(K, V)>>(
        &self,
        directory: impl AsRef<Path>,
        format: F,
    ) -> Result<()> {
        let place = Location::caller();
        self.save("save_as_new_api_hadoop_file", place, directory.as_ref(), format, Existing::Refuse)
    }
}
