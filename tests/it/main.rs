//! End-to-end tests: the built programs, as a user starts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's way to fail is to panic; what its programs print helps to see why"
)]

mod bad_input;
mod demo;
mod documentation;
mod examples;
mod nc;
mod page;
mod programs;
