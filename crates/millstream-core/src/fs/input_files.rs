//! The files that a list of paths and patterns names.

use super::path::{text_of, unusable};
use super::{FileStatus, FileSystems, FsPath, failed, glob};
use crate::error::Result;
use std::io::{Error, ErrorKind};
use std::path::Path;

impl FileSystems {
    /// Returns the files that a comma-separated list of paths and patterns names, in the order of the list, within a
    /// pattern and a directory sorted by name.
    ///
    /// A directory stands for the files in it, but for those whose names begin with `_` or `.`, and for directories in
    /// it. Patterns pass over such names too. A comma within `{}` or behind `\` does not divide.
    ///
    /// # Errors
    /// If a path is missing, a pattern matches nothing, or a directory can not be read.
    ///
    /// # Examples
    /// ```
    /// # let directory = std::env::temp_dir().join(format!("input-files-{}", std::process::id()));
    /// # std::fs::create_dir_all(directory.join("b")).unwrap();
    /// for name in ["a1.txt", "a2.txt", "b/c", "b/_SUCCESS"] {
    ///     std::fs::write(directory.join(name), name).unwrap();
    /// }
    /// let files = millstream_core::Context::new(millstream_core::Conf::empty())?.file_systems();
    /// let list = format!("{0}/b,{0}/a[12].*", directory.display());
    /// let names: Vec<_> = files.input_files(list)?.iter().map(|file| file.path.name().to_owned()).collect();
    /// assert_eq!(names, ["c", "a1.txt", "a2.txt"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn input_files(&self, paths: impl AsRef<Path>) -> Result<Vec<FileStatus>> {
        let list = text_of(paths.as_ref())?;
        let mut files = Vec::new();
        for path in split(list) {
            self.named_by(&FsPath::parse(path)?, &mut files)?;
        }
        Ok(files)
    }

    fn named_by(&self, path: &FsPath, files: &mut Vec<FileStatus>) -> Result<()> {
        let system = self.of(path)?;
        let named = if glob::is_pattern(path.path()) {
            let mut matching = system.glob(path)?;
            matching.retain(|file| !file.path.is_hidden());
            if matching.is_empty() {
                return Err(unusable(&path.to_string(), "matches no file", "check the pattern"));
            }
            matching
        } else {
            vec![system.status(path).map_err(|error| match super::is_not_found(&error) {
                true => failed(
                    "listing",
                    path,
                    Error::new(ErrorKind::NotFound, "there is no such file or directory"),
                ),
                false => error,
            })?]
        };
        for found in named {
            if found.is_dir {
                let within = system.list(&found.path)?;
                files.extend(within.into_iter().filter(|file| !file.is_dir && !file.path.is_hidden()));
            } else {
                files.push(found);
            }
        }
        Ok(())
    }
}

/// Divides a list at its commas.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut escaped) = (Vec::new(), 0, 0_u32, false);
    for (at, c) in list.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_divide_but_in_braces_and_behind_backslashes() {
        assert_eq!(split("a,b"), ["a", "b"]);
        assert_eq!(split("x{a,b},y"), ["x{a,b}", "y"]);
        assert_eq!(split(r"a\,b,c"), [r"a\,b", "c"]);
        assert_eq!(split("a,,b"), ["a", "", "b"]);
        assert_eq!(split("{a,b"), ["{a,b"]);
    }
}
