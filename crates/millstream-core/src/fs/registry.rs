//! Which file system a path belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::path::unusable;
use super::{FileSystem, FsPath, LocalFs};
use crate::conf::Conf;
use crate::error::Result;

/// Makes the file system that a path of its scheme lies on, with a program's settings.
///
/// Called once for each context, scheme and authority (bucket, host).
pub type Make = fn(&FsPath, &Conf) -> Result<Arc<dyn FileSystem>>;

static SCHEMES: RwLock<Vec<(String, Make)>> = RwLock::new(Vec::new());

/// Adds a kind of file system, for all contexts of this process; a later one for the same scheme goes before.
///
/// Programs that run in several processes call it in each, before they make their context.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use millstream_core::fs::{self, FsPath, LocalFs};
/// use millstream_core::{Conf, Context};
///
/// fs::register("mine", |_, _| Ok(Arc::new(LocalFs)));
/// let context = Context::new(Conf::empty())?;
/// assert!(context.file_systems().of(&FsPath::parse("mine://host/file")?).is_ok());
/// assert!(context.file_systems().of(&FsPath::parse("yours://host/file")?).is_err());
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub fn register(scheme: &str, make: Make) {
    let mut schemes = SCHEMES.write().unwrap_or_else(PoisonError::into_inner);
    schemes.retain(|(name, _)| name != scheme);
    schemes.push((scheme.to_owned(), make));
}

/// The file systems a context has met. Cloning is shallow.
#[derive(Clone)]
pub struct FileSystems(Arc<Inner>);

struct Inner {
    conf: Conf,
    local: Arc<dyn FileSystem>,
    /// By scheme and authority.
    met: Mutex<HashMap<(String, String), Arc<dyn FileSystem>>>,
}

impl FileSystems {
    /// Begins with this machine's file system; others are made when they are asked for.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    /// use millstream_core::fs::{FileSystems, FsPath};
    ///
    /// let here = FsPath::from_path(std::env::temp_dir())?;
    /// assert!(FileSystems::new(Conf::empty()).of(&here)?.exists(&here)?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn new(conf: Conf) -> Self {
        FileSystems(Arc::new(Inner { conf, local: Arc::new(LocalFs), met: Mutex::default() }))
    }

    /// Returns the file system a path lies on.
    ///
    /// # Errors
    /// If nothing is registered for the path's scheme, or the file system can not be made.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// let files = context.file_systems();
    /// assert!(!files.of(&FsPath::parse("/no/such/file")?)?.exists(&FsPath::parse("/no/such/file")?)?);
    /// assert!(files.of(&FsPath::parse("gopher://host/a")?).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn of(&self, path: &FsPath) -> Result<Arc<dyn FileSystem>> {
        let schemes = SCHEMES.read().unwrap_or_else(PoisonError::into_inner);
        let make = schemes.iter().find(|(scheme, _)| scheme == path.scheme()).map(|(_, make)| *make);
        let Some(make) = make else {
            if path.as_local().is_some() {
                return Ok(Arc::clone(&self.0.local));
            }
            let known: Vec<&str> =
                ["file"].into_iter().chain(schemes.iter().map(|(scheme, _)| scheme.as_str())).collect();
            let problem = format!(
                "has the scheme `{}`, for which no file system is registered (there are: {})",
                path.scheme(),
                known.join(" ")
            );
            let remedy =
                "switch on the feature of its connector and call its `register` before the context is made";
            return Err(unusable(&path.to_string(), &problem, remedy));
        };
        drop(schemes);
        let key = (path.scheme().to_owned(), path.authority().to_owned());
        // Making one may take a while, so not under the lock; of two made at once the first stays.
        if let Some(there) = self.met().get(&key) {
            return Ok(Arc::clone(there));
        }
        let made = make(path, &self.0.conf)?;
        Ok(Arc::clone(self.met().entry(key).or_insert(made)))
    }

    fn met(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<dyn FileSystem>>> {
        self.0.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
