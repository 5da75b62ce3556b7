//! What the outputs hold, as text that can be compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::Result;

/// The files of one output: by batch time, all lines of all partitions.
pub(crate) struct Output {
    name: &'static str,
    batches: BTreeMap<u64, Vec<String>>,
}

impl Output {
    /// Reads what is there; a batch counts when all of its files do.
    pub(crate) fn read(directory: &Path, name: &'static str) -> Result<Self> {
        let failed = |error| format!("cannot read {}: {error}", directory.display());
        let mut batches = BTreeMap::new();
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Output { name, batches });
            }
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let folder = entry.file_name().to_string_lossy().into_owned();
            let Some(time) = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.parse().ok())
            else {
                continue;
            };
            let lines: &mut Vec<String> = batches.entry(time).or_default();
            for part in std::fs::read_dir(entry.path()).map_err(failed)? {
                let part = part.map_err(failed)?;
                // What a killed program was writing has a hidden name.
                if part.file_name().to_string_lossy().starts_with("part-") {
                    let text = std::fs::read_to_string(part.path()).map_err(failed)?;
                    lines.extend(text.lines().map(str::to_owned));
                }
            }
        }
        Ok(Output { name, batches })
    }

    /// Adds up the numbers of each word over all batches.
    pub(crate) fn sums(&self) -> String {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for (word, n) in self.batches.values().flatten().filter_map(|line| line.split_once(' ')) {
            *sums.entry(word).or_default() += n.parse::<i64>().unwrap_or(i64::MIN);
        }
        self.text(sums.into_iter().map(|(word, n)| format!("{word} {n}")))
    }

    /// Returns the words and numbers of the last batch.
    pub(crate) fn last(&self) -> String {
        let mut lines = self.batches.values().next_back().cloned().unwrap_or_default();
        lines.sort();
        self.text(lines.into_iter())
    }

    fn text(&self, lines: impl Iterator<Item = String>) -> String {
        let mut text = format!("[{}]\n", self.name);
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
