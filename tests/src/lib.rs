//! The documentation as tests, and the end-to-end tests.
//!
//! - The Rust blocks in README.md, CONTRIBUTING.md and the pages under `docs/` are this library's documentation tests, but
//!   for the programs among them, which are those of the binary `guide`. `build.rs` says how they are found.
//! - The commands and the programs in the same pages are run by `it/documentation.rs`; its convention is described in
//!   `it/page.rs`.
//! - Everything else in `it/` starts the built programs and looks at what they print.

use std::path::PathBuf;

// Only while documentation tests are collected: the pages' links are made for a reader of the checkout, not of rustdoc.
#[cfg(doctest)]
include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// An empty folder that is the current one of the process, until it is dropped and removed.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
    before: PathBuf,
}

impl ScratchFolder {
    /// Makes a new folder and enters it.
    ///
    /// # Panics
    /// If that is not possible.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test's way to fail is to panic")]
    pub fn enter() -> Self {
        let before = std::env::current_dir().unwrap();
        let path = std::env::temp_dir().join(format!("millstream-page-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::env::set_current_dir(&path).unwrap();
        Self { path, before }
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        let _ = std::env::set_current_dir(&self.before);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
