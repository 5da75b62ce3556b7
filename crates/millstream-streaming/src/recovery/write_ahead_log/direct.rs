//! Writing past the system's cache.
//!
//! What is logged is read again only after a crash. In the cache it would take pages from what is needed, and with little
//! free memory finding these pages takes several times as long as the writing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Memory, places and lengths must be multiples of this; no file system asks for more.
const ALIGNED: usize = 4096;

/// So many bytes are written at once.
const STAGE: usize = 4 << 20;

/// A second handle of a file that grows, for its large writes.
pub(super) struct Direct {
    file: File,
    /// Holds [`STAGE`] bytes from `start` on.
    stage: Vec<u8>,
    start: usize,
}

impl Direct {
    /// Opens a file, if its file system can do it.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        let stage = vec![0; STAGE + ALIGNED];
        let start = stage.as_ptr().align_offset(ALIGNED);
        (start < ALIGNED).then_some(Direct { file, stage, start })
    }

    /// Appends to the file, which `grown` has open for reading and appending, and which is `length` bytes long.
    ///
    /// What does not fill the last block goes by `grown`, so that the file is never longer than what was written to it. The
    /// next write begins with that block once more, as it would from the cache.
    ///
    /// # Errors
    /// Those of the writes; some of the bytes may be there.
    pub(super) fn append<'a>(
        &mut self,
        grown: &mut File,
        length: u64,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let Direct { file, stage, start } = self;
        let stage = &mut stage[*start..*start + STAGE];
        let at = length - length % ALIGNED as u64;
        let mut filled = (length - at) as usize;
        // As many bytes of what is on the stage the file has already.
        let mut there = filled;
        grown.seek(SeekFrom::Start(at))?;
        grown.read_exact(&mut stage[..filled])?;
        file.seek(SeekFrom::Start(at))?;
        for mut part in parts {
            while !part.is_empty() {
                let (now, later) = part.split_at(part.len().min(STAGE - filled));
                stage[filled..filled + now.len()].copy_from_slice(now);
                filled += now.len();
                part = later;
                if filled == STAGE {
                    file.write_all(stage)?;
                    (filled, there) = (0, 0);
                }
            }
        }
        let whole = filled - filled % ALIGNED;
        file.write_all(&stage[..whole])?;
        grown.write_all(&stage[whole.max(there)..filled])
    }
}

#[cfg(target_os = "linux")]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_either_way_lies_in_order() {
        let path = std::env::temp_dir().join(format!("direct-{}", std::process::id()));
        let mut grown = OpenOptions::new().append(true).read(true).create_new(true).open(&path).unwrap();
        let Some(mut direct) = Direct::open(&path) else {
            return std::fs::remove_file(&path).unwrap();
        };
        let mut expected = Vec::new();
        let lengths = [1, ALIGNED - 1, 1, 5000, 3, STAGE, 2 * STAGE + 7, ALIGNED, 10 * ALIGNED, 77];
        for (n, length) in lengths.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..length).map(|byte| (byte * 31 + n) as u8).collect();
            let parts = bytes.chunks(100_003);
            if n % 4 == 3 {
                grown.write_all(&bytes).unwrap();
            } else {
                direct.append(&mut grown, expected.len() as u64, parts).unwrap();
            }
            expected.extend(bytes);
            grown.sync_data().unwrap();
            assert!(std::fs::read(&path).unwrap() == expected, "after {length} bytes");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
