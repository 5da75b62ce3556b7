//! Other systems as inputs, outputs and file systems: a folder and a cargo feature for each.
//!
//! | feature | module | what it adds |
//! |---|---|---|
//! | `json` | `json` | files with lines of JSON |
//! | `object-store` | `object_store` | paths `s3://`, `s3a://`, `gs://`, `abfss://`, `az://`, `http://` wherever files are read or saved |
//! | `sqlite` | `sqlite` | tables of an SQLite database, each batch in them once |
//!
//! All features are off unless they are asked for: none of these systems' libraries is built for who does not use it.

#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "object-store")]
pub mod object_store;
#[cfg(feature = "sqlite")]
pub mod sqlite;
