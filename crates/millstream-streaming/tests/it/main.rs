//! The stream engine, tested as a program uses it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what must hold in their names, and fail by panicking"
)]

mod live;
mod tables;

mod operators;
mod windows;
mod windows_equal_a_naive_model;
