//! `set_checkpoint_dir`: where checkpoints of RDDs are written.

use std::path::Path;
use std::sync::PoisonError;

use super::Context;
use crate::error::Result;
use crate::fs::FsPath;
use crate::variables;

impl Context {
    /// Sets the directory for [`Rdd::checkpoint`](crate::Rdd::checkpoint), here or on another file system.
    ///
    /// A sub-directory with a name of its own is made in it, so that programs and runs do not meet. It is not deleted.
    ///
    /// # Errors
    /// If the path can not be read as one, or the directory can not be made.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("set_checkpoint_dir-{}", std::process::id()));
    /// context.set_checkpoint_dir(&directory)?;
    /// assert!(context.get_checkpoint_dir().unwrap().starts_with(&directory.display().to_string()));
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_checkpoint_dir(&self, directory: impl AsRef<Path>) -> Result<()> {
        let own = format!("{:016x}{:016x}", variables::unique(), variables::unique());
        let path = FsPath::from_path(directory)?.join(&own);
        self.file_systems().of(&path)?.make_directories(&path)?;
        *self.0.checkpoint_dir.lock().unwrap_or_else(PoisonError::into_inner) = Some(path);
        Ok(())
    }

    /// Returns the sub-directory that checkpoints are written to, if one was set.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.get_checkpoint_dir(), None);
    /// let directory = std::env::temp_dir().join(format!("get_checkpoint_dir-{}", std::process::id()));
    /// context.set_checkpoint_dir(&directory)?;
    /// assert!(context.get_checkpoint_dir().is_some_and(|own| std::path::Path::new(&own).is_dir()));
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_checkpoint_dir(&self) -> Option<String> {
        self.checkpoint_dir().map(|path| path.to_string())
    }

    pub(crate) fn checkpoint_dir(&self) -> Option<FsPath> {
        self.0.checkpoint_dir.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
