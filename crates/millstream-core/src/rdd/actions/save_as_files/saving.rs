//! `Saving`: how an RDD is saved as files.

/// What becomes of files that lie where an RDD is to be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// A directory that exists is an error, unless `spark.hadoop.validateOutputSpecs` is false. Where a batch of a stream saves, which may
    /// run again, it is replaced.
    Refuse,
    /// The part files of the directory are replaced: saving twice is as saving once.
    Replace,
}

/// How an RDD is saved as files; an [`Existing`] alone is one, too.
///
/// # Examples
/// ```
/// use millstream_core::fs::TextFormat;
/// use millstream_core::rdd::{Existing, Saving};
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// let directory = std::env::temp_dir().join(format!("saving-{}", std::process::id()));
/// let rolled = Saving::from(Existing::Refuse).max_bytes(10_000);
/// context.parallelize(0..10_000, 1).save_as_files(&directory, TextFormat::default(), rolled)?;
/// assert!(std::fs::metadata(directory.join("part-00000-c000")).unwrap().len() >= 10_000);
/// assert_eq!(context.text_file(directory.join("part-*")).count()?, 10_000);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Saving {
    pub(super) existing: Existing,
    pub(super) skip_empty: bool,
    pub(super) max_bytes: Option<u64>,
    pub(super) share: Option<Share>,
}

/// A share of a directory that several RDDs are saved to.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) last: bool,
}

impl From<Existing> for Saving {
    fn from(existing: Existing) -> Self {
        Saving { existing, skip_empty: false, max_bytes: None, share: None }
    }
}

impl Saving {
    /// Leaves nothing where there are no records, neither files nor the directory. Costs nothing: the tasks that would
    /// write the files count.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::rdd::{Existing, Saving};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("skip_empty-{}", std::process::id()));
    /// let saving = Saving::from(Existing::Refuse).skip_empty(true);
    /// context.empty_rdd::<u64>().save_as_files(&directory, TextFormat::default(), saving)?;
    /// assert!(!directory.exists());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn skip_empty(self, skip_empty: bool) -> Self {
        Saving { skip_empty, ..self }
    }

    /// Begins a further file of a partition where one has reached `bytes`: `part-00000-c000`, `part-00000-c001`, ..
    ///
    /// A file ends with the chunk of records (about a thousand) with which it reaches the length, so that it is longer by a part of
    /// a chunk; what a codec has not given out yet is not counted.
    ///
    /// # Errors
    /// 0 bytes fail the action.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::rdd::{Existing, Saving};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("max_bytes-{}", std::process::id()));
    /// let saving = Saving::from(Existing::Refuse).max_bytes(1);
    /// context.range(0, 3000, 1, 1).save_as_files(&directory, TextFormat::default(), saving)?;
    /// assert!(directory.join("part-00000-c001").exists()); // after a chunk of records
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn max_bytes(self, bytes: u64) -> Self {
        Saving { max_bytes: Some(bytes), ..self }
    }

    /// Saves one of several RDDs that share a directory: files are named `part-NAME-00000`, .., only those of the name are
    /// replaced, and `_SUCCESS` is made by the `last` one.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::rdd::{Existing, Saving};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("share-{}", std::process::id()));
    /// for (name, last) in [("north", false), ("south", true)] {
    ///     let saving = Saving::from(Existing::Replace).share(name, last);
    ///     context.range(0, 3, 1, 1).save_as_files(&directory, TextFormat::default(), saving)?;
    /// }
    /// assert!(directory.join("part-north-00000").exists() && directory.join("part-south-00000").exists());
    /// assert!(directory.join("_SUCCESS").exists());
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn share(self, name: impl Into<String>, last: bool) -> Self {
        Saving { share: Some(Share { name: name.into(), last }), ..self }
    }

    /// Returns how the names of its files begin.
    pub(super) fn prefix(&self) -> String {
        self.share.as_ref().map_or_else(|| "part-".to_owned(), |share| format!("part-{}-", share.name))
    }

    /// Returns whether the directory is complete when this was saved.
    pub(super) fn completes(&self) -> bool {
        self.share.as_ref().is_none_or(|share| share.last)
    }
}
