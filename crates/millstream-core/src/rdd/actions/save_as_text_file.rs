//! `save_as_text_file`: write the records as lines.

use std::panic::Location;
use std::path::Path;

use crate::data::Data;
use crate::error::Result;
use crate::fs::{Codec, TextFormat};
use crate::rdd::Rdd;
use crate::rdd::actions::Existing;
use crate::show::Show;

impl<T: Data + Show> Rdd<T> {
    /// Writes the records as lines of text, in the form of [`Show`], to a file `part-00000`, .. for each partition.
    ///
    /// The files become visible together with `_SUCCESS` when all partitions are written; see
    /// [`Rdd::save_as_files`].
    ///
    /// # Errors
    /// If the directory exists (unless `spark.hadoop.validateOutputSpecs` is false), a task fails as often as it may, or a
    /// file can not be written.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_text_file-{}", std::process::id()));
    /// context.parallelize([("to", 1), ("be", 2)].map(|(word, n)| (word.to_owned(), n)), 2).save_as_text_file(&directory)?;
    /// assert_eq!(std::fs::read_to_string(directory.join("part-00001")).unwrap(), "(be,2)\n");
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_file(&self, directory: impl AsRef<Path>) -> Result<()> {
        let format = TextFormat { codec: Codec::None };
        self.save("save_as_text_file", Location::caller(), directory.as_ref(), format, Existing::Refuse)
    }

    /// Does what [`Rdd::save_as_text_file`] does, compressed: `part-00000.gz`.
    ///
    /// # Errors
    /// As without compression.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::Codec;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_text_file_with-{}", std::process::id()));
    /// context.parallelize([1, 2], 1).save_as_text_file_with(&directory, Codec::Gzip)?;
    /// assert_eq!(context.text_file(directory.join("part-00000.gz")).collect()?, ["1", "2"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_file_with(&self, directory: impl AsRef<Path>, codec: Codec) -> Result<()> {
        let format = TextFormat { codec };
        self.save("save_as_text_file_with", Location::caller(), directory.as_ref(), format, Existing::Refuse)
    }
}
