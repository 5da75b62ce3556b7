//! Runs the program as others do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod phases;
