//! A data file of a state, as it is read again.

use std::ops::Range;

use millstream_core::fs::{FileSystem, FsPath};

use super::checkpoint::data_file;
use super::checkpoint::manifest::SavedFile;
use crate::error::{Error, Result};

/// A data file of a state.
pub(crate) struct StateFile {
    content: Vec<u8>,
    blocks: Vec<Range<usize>>,
}

impl StateFile {
    /// Reads a data file.
    ///
    /// # Errors
    /// If it can not be read, or is not whole.
    pub(crate) fn read(system: &dyn FileSystem, directory: &FsPath, file: &SavedFile) -> Result<Self> {
        let content = data_file::read(system, directory, file)?;
        let mut blocks = Vec::new();
        let mut rest = 0;
        while let Some((length, _)) = content.get(rest..).and_then(<[u8]>::split_first_chunk::<8>) {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let begin = rest + 8;
            let Some(end) = begin.checked_add(length).filter(|end| *end <= content.len()) else { break };
            blocks.push(begin..end);
            rest = end;
        }
        if rest == content.len() {
            return Ok(StateFile { content, blocks });
        }
        Err(Error::Damaged {
            file: directory.join(&file.name).to_string(),
            problem: "a block of a state is not whole".into(),
            remedy: "bring the file back from a copy, or start from another savepoint".into(),
        })
    }

    /// Returns its blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().filter_map(|block| self.content.get(block.clone()))
    }
}
