//! Whether all partitions of a batch in files are of one number of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::BatchPartition;
use crate::error::Result;
use crate::fs::{FileSystem, FsPath, is_not_found};

/// How many batches are known to be spread in one way; others are looked at again.
const KNOWN: usize = 64;

/// The batches of which this process knows that nobody stores them with another number of partitions; cloning is shallow.
///
/// Every writer looks into the directory before it stores its first file, so that a batch which was stored differently is left as it is,
/// and again when that file is there. Of two who store differently at once the one whose file came later sees the other's when it looks
/// again, and so does everyone who looks after a file is there. So whoever has seen a file of his own number there, and
/// none of another, need not look once more.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread(Arc<Mutex<VecDeque<(FsPath, usize)>>>);

impl Spread {
    /// Refuses a partition of a batch of which there are files with another number of partitions.
    pub(super) fn check(
        &self,
        system: &dyn FileSystem,
        directory: &FsPath,
        id: &BatchPartition,
    ) -> Result<()> {
        if self.is_known(directory, id.partitions) {
            return Ok(());
        }
        let files = match system.list(directory) {
            Err(error) if is_not_found(&error) => return Ok(()),
            files => files?,
        };
        let mut has_own = false;
        for file in &files {
            match partitions_of(file.path.name()) {
                Some(before) if before != id.partitions => {
                    return Err(id.spread_differently(&directory.to_string(), before));
                }
                Some(_) => has_own = true,
                None => {}
            }
        }
        if has_own {
            self.note(directory, id.partitions);
        }
        Ok(())
    }

    fn is_known(&self, directory: &FsPath, partitions: usize) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|(path, of)| *of == partitions && path == directory)
    }

    fn note(&self, directory: &FsPath, partitions: usize) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == KNOWN {
            known.pop_front();
        }
        known.push_back((directory.clone(), partitions));
    }
}

/// Returns how many partitions the batch has that a file is of, by its name.
fn partitions_of(name: &str) -> Option<usize> {
    let (_, rest) = name.strip_prefix("part-")?.split_once("-of-")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
