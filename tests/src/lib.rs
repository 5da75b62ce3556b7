//! The documentation as tests, and the end-to-end tests.
//!
//! - The Rust examples in README.md, CONTRIBUTING.md and `docs/*.md` are this library's documentation tests.
//! - The commands in the same pages are run by `it/documentation.rs`; its convention is described in `it/page.rs`.
//! - Everything else in `it/` starts the built programs and looks at what they print.

// Only while documentation tests are collected: the pages' links are made for a reader of the checkout, not of rustdoc.
#[cfg(doctest)]
include!(concat!(env!("OUT_DIR"), "/pages.rs"));
