//! The files of a checkout, in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Every file below a root by its path from there, with `/` between the parts.
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads a checkout, without what git and cargo put there. A file that is no text is there with an empty text.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        read_folder(root, "", &mut files)?;
        Ok(Self { files })
    }

    /// A sample made of paths and texts.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// All files: path and text.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose path ends in one of these ways.
    pub(super) fn ending(&self, ends: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| ends.iter().any(|end| path.ends_with(end)))
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or a folder of this path; the empty path is the root.
    pub(super) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(format!("{path}/")..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&format!("{path}/")))
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if name != ".git" && name != "target" && !entry.path().join("CACHEDIR.TAG").exists() {
                read_folder(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() && prefix.is_empty() && name == ".git" {
            // A linked work tree has a file here.
        } else if kind.is_file() {
            files.insert(path, String::from_utf8(std::fs::read(entry.path())?).unwrap_or_default());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_exist_through_their_files() {
        let tree = Tree::of(&[("docs/guide.md", ""), ("docs-old/a.md", "")]);
        assert!(
            tree.exists("docs") && tree.exists("docs/") && tree.exists("docs/guide.md") && tree.exists("")
        );
        assert!(!tree.exists("doc") && !tree.exists("docs/gui"));
    }

    #[test]
    fn a_checkout_is_read_without_git_and_build_output() {
        let root = std::env::temp_dir().join(format!("tidy-tree-{}", std::process::id()));
        for (path, bytes) in [
            ("src/a.rs", &b"fn a() {}"[..]),
            ("data.bin", &[0xff, 0xfe]),
            (".git/config", b"x"),
            ("target/debug/out", b"x"),
            ("build/CACHEDIR.TAG", b"x"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let tree = Tree::read(&root).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(tree.files().collect::<Vec<_>>(), [("data.bin", ""), ("src/a.rs", "fn a() {}")]);
    }
}
