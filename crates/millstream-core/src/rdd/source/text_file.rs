//! `text_file`: the lines of files.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::panic::Location;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::chunk::CHUNK;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl Context {
    /// Makes an RDD of the lines of a file, or of all files of a directory, in at least `min_partitions` partitions.
    ///
    /// Lines end with `\n` or `\r\n`. Bytes that are not UTF-8 are read as U+FFFD. Files whose names begin with `.` or `_`
    /// are passed over, as are directories within the directory. The list of files is taken now, their content when an
    /// action asks for it; a missing file is an error of that action.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("text_file-{}", std::process::id()));
    /// std::fs::write(&path, "to be\nor not\n").unwrap();
    /// assert_eq!(context.text_file(&path, 1).collect()?, ["to be", "or not"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file(&self, path: impl AsRef<Path>, min_partitions: usize) -> Rdd<String> {
        let compute = splits(path.as_ref(), min_partitions.max(1))
            .map(|splits| Box::new(TextFile { splits }) as Box<dyn Compute<String>>);
        Rdd::checked(self, "text_file", Location::caller(), compute, 0)
    }
}

/// The lines that begin within a range of a file's bytes.
#[derive(Clone, Serialize, Deserialize)]
struct Split {
    path: PathBuf,
    start: u64,
    end: u64,
}

fn splits(path: &Path, min_partitions: usize) -> Result<Vec<Split>> {
    let failed = |error| Error::io(format!("listing {}", path.display()), error);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let mut files = Vec::new();
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
            let metadata = std::fs::metadata(entry.path()).map_err(failed)?;
            if metadata.is_file() && !hidden {
                files.push((entry.path(), metadata.len()));
            }
        }
        files.sort();
    } else {
        files.push((path.to_owned(), metadata.len()));
    }
    let total: u64 = files.iter().map(|(_, len)| len).sum();
    let size = total.div_ceil(min_partitions as u64).max(1);
    let mut splits = Vec::new();
    for (path, len) in files {
        let mut start = 0;
        while start < len {
            let end = len.min(start + size);
            splits.push(Split { path: path.clone(), start, end });
            start = end;
        }
    }
    Ok(splits)
}

struct TextFile {
    splits: Vec<Split>,
}

impl Compute<String> for TextFile {
    fn partitions(&self) -> usize {
        self.splits.len()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<String>> {
        let split = self.splits.get(partition).cloned();
        lines(split.ok_or_else(|| Error::poisoned(format!("a text file has no partition {partition}")))?)
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let splits = function::decode("list of files", from.env)?;
            Ok(Rdd::from_compute(from.context, "text_file", TextFile { splits }).any())
        }
        let rebuild: Rebuild = rebuild;
        Some(Recipe {
            build: CodeAddress::of::<TextFile>(rebuild as usize),
            env: function::encode("list of files", &self.splits),
        })
    }
}

fn lines(split: Split) -> Result<ChunkStream<String>> {
    let (mut file, mut at) =
        open(&split).map_err(|error| Error::io(format!("opening {}", split.path.display()), error))?;
    let Split { path, end, .. } = split;
    let failed = move |error| Error::io(format!("reading {}", path.display()), error);
    let mut line = Vec::new();
    Ok(stream::from_fn(move || {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && at < end {
            line.clear();
            let read = file.read_until(b'\n', &mut line).map_err(&failed)?;
            if read == 0 {
                break;
            }
            at += read as u64;
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            chunk.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }))
}

/// Opens the file at the first line that begins within the split.
fn open(split: &Split) -> std::io::Result<(BufReader<File>, u64)> {
    let mut file = BufReader::with_capacity(256 * 1024, File::open(&split.path)?);
    let mut at = split.start;
    if let Some(before) = split.start.checked_sub(1) {
        // A line belongs to the split in which it begins: pass over the rest of the line before.
        file.seek(SeekFrom::Start(before))?;
        at = before + file.read_until(b'\n', &mut Vec::new())? as u64;
    }
    Ok((file, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Conf;

    #[test]
    fn every_line_is_read_once_however_the_file_is_split() {
        let context = Context::new(Conf::empty()).unwrap();
        let path = std::env::temp_dir().join(format!("millstream-splits-{}", std::process::id()));
        let lines = ["", "a", "bcd", "", "efghij\r", "k"];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let expected: Vec<&str> = lines.iter().map(|line| line.trim_end_matches('\r')).collect();
        for partitions in 1..30 {
            assert_eq!(context.text_file(&path, partitions).collect().unwrap(), expected, "{partitions}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_missing_file_is_an_error_of_the_action() {
        let context = Context::new(Conf::empty()).unwrap();
        let error = context.text_file("/no/such/file", 2).map(|line| line.len()).count().unwrap_err();
        assert!(error.to_string().starts_with("listing /no/such/file: "), "{error}");
    }
}
