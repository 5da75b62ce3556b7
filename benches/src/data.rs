//! The records of a workload in memory.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use crate::made;
use crate::workload::Kind;

/// Records, typed and shared: both sides of a comparison work on the same ones.
#[derive(Debug)]
pub(crate) enum Records {
    /// Lines of a file.
    Lines(Arc<Vec<String>>),
    /// The numbers from 0 on, or numbers in no order.
    Numbers(Arc<Vec<u64>>),
    /// Pairs, on two sides if they are to be joined.
    Pairs { left: Arc<Vec<(u64, u64)>>, right: Arc<Vec<(u64, u64)>> },
}

/// Loads the first `most` records of a workload, or all if there are fewer.
///
/// # Errors
/// If the file can not be read, is not UTF-8 or is empty.
pub(crate) fn load(kind: Kind, state_keys: usize, folder: &Path, most: usize) -> Result<Records, String> {
    if let Some(file) = kind.file(state_keys) {
        return Ok(Records::Lines(Arc::new(lines(&folder.join(file), most)?)));
    }
    Ok(match kind {
        Kind::Join => made::two_sides(most.min(1 << 22)),
        Kind::Group => made::pairs(most.min(1 << 23)),
        Kind::Sort => made::numbers(most.min(1 << 24)),
        Kind::Skew => made::words(most, true),
        _ => Records::Numbers(Arc::new((0..most.min(1 << 22) as u64).collect())),
    })
}

fn lines(path: &Path, most: usize) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| {
        format!("reading {}: {error}: write data with `bench --generate DIR`", path.display())
    };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let mut lines = Vec::new();
    let mut line = String::new();
    while lines.len() < most && reader.read_line(&mut line).map_err(failed)? > 0 {
        let text = line.strip_suffix('\n').unwrap_or(&line);
        // A copy of just the right size: the buffer's spare room would double the memory.
        lines.push(text.strip_suffix('\r').unwrap_or(text).to_owned());
        line.clear();
    }
    match lines.is_empty() {
        true => Err(format!("{} is empty: write data with `bench --generate DIR`", path.display())),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::tests::Folder;

    fn load_lines(kind: Kind, folder: &Path, most: usize) -> Result<Vec<String>, String> {
        match load(kind, 0, folder, most)? {
            Records::Lines(lines) => Ok(lines.to_vec()),
            _ => Err("no lines".to_owned()),
        }
    }

    #[test]
    fn lines_come_without_their_ends() {
        let folder = Folder::new("lines");
        std::fs::write(folder.path().join("grep.txt"), "a b \r\n\nlast").unwrap();
        assert_eq!(load_lines(Kind::W1, folder.path(), 10).unwrap(), ["a b ", "", "last"]);
        assert_eq!(load_lines(Kind::W1, folder.path(), 1).unwrap(), ["a b "]);
    }

    #[test]
    fn a_missing_empty_or_broken_file_is_named() {
        let folder = Folder::new("broken");
        let error = load_lines(Kind::W2, folder.path(), 1).unwrap_err();
        assert!(error.contains("words.txt") && error.contains("--generate"), "{error}");
        std::fs::write(folder.path().join("words.txt"), "").unwrap();
        assert!(load_lines(Kind::W2, folder.path(), 1).unwrap_err().contains("is empty"));
        std::fs::write(folder.path().join("words.txt"), b"a \xff\n").unwrap();
        assert!(load_lines(Kind::W2, folder.path(), 1).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn numbers_need_no_file() {
        match load(Kind::Chain, 0, Path::new("/nowhere"), 3) {
            Ok(Records::Numbers(numbers)) => assert_eq!(*numbers, [0, 1, 2]),
            other => panic!("{other:?}"),
        }
    }
}
