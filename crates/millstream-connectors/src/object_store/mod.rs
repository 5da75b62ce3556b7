//! Object stores as file systems: Amazon S3 and what speaks its language, Google Cloud Storage, Azure, HTTP.
//!
//! [`register`] makes their paths known; [`stores`] says from which settings and variables credentials are taken.
//!
//! What is particular about them: an object becomes visible as a whole when it is published, directories are but
//! beginnings of names (an empty one does not exist), and a rename copies.
//!
//! # Examples
//! ```
//! use millstream_core::fs::FsPath;
//! use millstream_core::{Conf, Context};
//!
//! millstream_connectors::object_store::register();
//! let conf = Conf::empty()
//!     .set("spark.hadoop.fs.s3a.endpoint", "http://127.0.0.1:9000")
//!     .set("spark.hadoop.fs.s3a.path.style.access", "true")
//!     .set("spark.hadoop.fs.s3a.access.key", "key")
//!     .set("spark.hadoop.fs.s3a.secret.key", "secret");
//! let context = Context::new(conf)?;
//! assert!(context.file_systems().of(&FsPath::parse("s3a://bucket/logs")?).is_ok());
//! # Ok::<(), millstream_core::Error>(())
//! ```

mod blocking;
mod file_system;
pub mod stores;
mod writer;

use std::sync::Arc;

use millstream_core::fs::{self, FileSystem, FsPath};
use millstream_core::{Conf, Result};

pub use file_system::ObjectStoreFs;

/// The schemes of paths that lie in object stores.
pub const SCHEMES: [&str; 12] =
    ["s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "az", "azure", "http", "https"];

/// Makes object stores known to all contexts of this process.
///
/// Programs that run in several processes call it in each, before they make their context.
pub fn register() {
    for scheme in SCHEMES {
        fs::register(scheme, make);
    }
}

fn make(path: &FsPath, conf: &Conf) -> Result<Arc<dyn FileSystem>> {
    Ok(Arc::new(ObjectStoreFs::new(stores::store_of(path, conf)?)))
}
