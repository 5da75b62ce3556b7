//! Connectors against the real systems, or what speaks their language. `cargo xtask test` starts these.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what must hold in their names, and fail by panicking"
)]

mod in_memory;
mod json;
mod s3;
mod s3_checkpoints;
mod sqlite;
mod streams_of_files;
