//! `FsPath`: the name of a file or directory.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The scheme of this machine's files.
const LOCAL: &str = "file";

/// The name of a file or directory, here or on another file system.
///
/// A name without a scheme, or with `file:`, is one of this machine; a relative one is taken from the directory the
/// program runs in, once, so that the name means the same in other processes. Doubled slashes, a slash at the end and
/// `.` are dropped.
///
/// # Examples
/// ```
/// use millstream_core::fs::FsPath;
///
/// let path = FsPath::parse("s3a://logs/2024//10/")?;
/// assert_eq!((path.scheme(), path.authority(), path.path()), ("s3a", "logs", "/2024/10"));
/// assert_eq!(path.join("part-00000").to_string(), "s3a://logs/2024/10/part-00000");
/// assert_eq!(path.name(), "10");
/// assert_eq!(FsPath::parse("file:///tmp/a")?, FsPath::parse("/tmp/./a")?);
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FsPath {
    scheme: String,
    authority: String,
    /// Begins with a slash and does not end with one, but for the root.
    path: String,
}

impl FsPath {
    /// Reads a path or a URI.
    ///
    /// # Errors
    /// If it is empty, or relative while the directory the program runs in is gone.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("s3a://logs/2024/a.gz")?.scheme(), "s3a");
    /// assert_eq!(FsPath::parse("/var/log")?.scheme(), "file");
    /// assert!(FsPath::parse("").is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(unusable(text, "is empty", "name a file or directory"));
        }
        if text.contains('\0') {
            return Err(unusable(text, "holds a zero byte", "take it out"));
        }
        let (scheme, rest) = split_scheme(text).unwrap_or((LOCAL, text));
        let (authority, path) = match rest.strip_prefix("//").filter(|_| rest.len() < text.len()) {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == LOCAL && !matches!(authority, "" | "localhost") {
            return Err(unusable(text, "names another machine", "write file:///path, with three slashes"));
        }
        let authority = if scheme == LOCAL { "" } else { authority };
        if scheme == LOCAL && !path.starts_with('/') {
            let here = std::env::current_dir()
                .map_err(|error| Error::io("finding the directory the program runs in", error))?;
            let Some(here) = here.to_str() else {
                let problem = "is relative to a directory whose name is not UTF-8";
                return Err(unusable(text, problem, "write the path in full"));
            };
            return Ok(Self::normal(&scheme, authority, &format!("{here}/{path}")));
        }
        Ok(Self::normal(&scheme, authority, path))
    }

    /// Takes a path of this machine, or a URI in the place of one.
    ///
    /// # Errors
    /// If it is empty or not UTF-8.
    ///
    /// # Examples
    /// ```
    /// use std::path::Path;
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::from_path(Path::new("/var/log"))?, FsPath::parse("/var/log")?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        Self::parse(text_of(path.as_ref())?)
    }

    fn normal(scheme: &str, authority: &str, path: &str) -> Self {
        let mut normal = String::with_capacity(path.len() + 1);
        for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
            normal.push('/');
            normal.push_str(part);
        }
        if normal.is_empty() {
            normal.push('/');
        }
        FsPath { scheme: scheme.to_owned(), authority: authority.to_owned(), path: normal }
    }

    /// Returns the scheme: `file`, `s3a`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("s3a://logs/a.gz")?.scheme(), "s3a");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns what follows the scheme's two slashes: a bucket, a host; nothing for this machine's files.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("s3a://logs/a.gz")?.authority(), "logs");
    /// assert_eq!(FsPath::parse("/var/log")?.authority(), "");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the path proper, which begins with a slash.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("s3a://logs/2024/a.gz")?.path(), "/2024/a.gz");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the last part of the path; nothing for the root.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("s3a://logs/2024/a.gz")?.name(), "a.gz");
    /// assert_eq!(FsPath::parse("/")?.name(), "");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// Returns whether readers of a directory pass over the name: it begins with `_` or `.`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert!(FsPath::parse("/out/_SUCCESS")?.is_hidden() && FsPath::parse("/out/.part")?.is_hidden());
    /// assert!(!FsPath::parse("/_out/part-00000")?.is_hidden());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.name().starts_with(['_', '.'])
    }

    /// Returns the directory the name lies in; nothing for the root.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("/var/log")?.parent(), Some(FsPath::parse("/var")?));
    /// assert_eq!(FsPath::parse("/")?.parent(), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.path.rsplit_once('/')?;
        let parent = Self::normal(&self.scheme, &self.authority, parent);
        (!name.is_empty()).then_some(parent)
    }

    /// Returns the name of something in this directory; `name` may hold slashes.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("/var")?.join("log/a"), FsPath::parse("/var/log/a")?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self::normal(&self.scheme, &self.authority, &format!("{}/{name}", self.path))
    }

    /// Returns the name with something put behind it: `out`, `-1000.txt`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("/out")?.with_suffix("-1000.txt"), FsPath::parse("/out-1000.txt")?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self::normal(&self.scheme, &self.authority, &format!("{}{suffix}", self.path))
    }

    /// Returns the path on the same file system.
    pub(super) fn at(&self, path: &str) -> Self {
        Self::normal(&self.scheme, &self.authority, path)
    }

    /// Returns the path of a file of this machine.
    ///
    /// # Examples
    /// ```
    /// use std::path::PathBuf;
    /// use millstream_core::fs::FsPath;
    ///
    /// assert_eq!(FsPath::parse("file:///var/log")?.as_local(), Some(PathBuf::from("/var/log")));
    /// assert_eq!(FsPath::parse("s3a://logs/a.gz")?.as_local(), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn as_local(&self) -> Option<PathBuf> {
        (self.scheme == LOCAL).then(|| PathBuf::from(&self.path))
    }
}

/// Writes a path of this machine as it is, others as URIs.
impl fmt::Display for FsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == LOCAL {
            return f.write_str(&self.path);
        }
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// Returns the path as text.
pub(super) fn text_of(path: &Path) -> Result<&str> {
    let problem = "is not UTF-8";
    path.to_str().ok_or_else(|| unusable(&path.to_string_lossy(), problem, "give the file another name"))
}

/// A colon behind a word is a scheme if a slash follows: `12:30.txt` and `a:b` are names.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let of_a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(of_a_word);
    (is_scheme && rest.starts_with('/')).then_some((scheme, rest))
}

pub(super) fn unusable(path: &str, problem: &str, remedy: &str) -> Error {
    Error::Argument {
        operator: format!("path `{path}`"),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_hadoop_reads_them() {
        let parts = |text: &str| {
            let path = FsPath::parse(text).unwrap();
            (path.scheme, path.authority, path.path)
        };
        let file = |path: &str| ("file".to_owned(), String::new(), path.to_owned());
        for text in ["/a/b", "file:/a/b", "file:///a/b", "FILE:///a//b/", "file://localhost/a/b", "//a/./b"] {
            assert_eq!(parts(text), file("/a/b"), "{text}");
        }
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();
        assert_eq!(parts("a/12:30.txt"), file(&format!("{here}/a/12:30.txt")));
        assert_eq!(parts("x:y"), file(&format!("{here}/x:y")));
        assert_eq!(parts("s3://bucket"), ("s3".into(), "bucket".into(), "/".into()));
        assert_eq!(parts("hdfs://host:8020/x"), ("hdfs".into(), "host:8020".into(), "/x".into()));
        assert_eq!(parts("/"), file("/"));
        for text in ["", "file://elsewhere/a", "/a\0b"] {
            assert!(FsPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_tells_its_parts_and_whether_it_is_of_this_machine() {
        let of = |text: &str| {
            let path = FsPath::parse(text).unwrap();
            let parts = [path.scheme(), path.authority(), path.path(), path.name()].map(str::to_owned);
            (parts, path.is_hidden(), path.as_local())
        };
        let parts = |parts: [&str; 4]| parts.map(str::to_owned);
        let local = |path: &str| Some(PathBuf::from(path));
        assert_eq!(of("/a/b.txt"), (parts(["file", "", "/a/b.txt", "b.txt"]), false, local("/a/b.txt")));
        assert_eq!(of("file:///a/_b"), (parts(["file", "", "/a/_b", "_b"]), true, local("/a/_b")));
        assert_eq!(of("s3://bucket/a/.b"), (parts(["s3", "bucket", "/a/.b", ".b"]), true, None));
        // Hidden is what has such a name itself.
        assert_eq!(of("s3://bucket/.a/b"), (parts(["s3", "bucket", "/.a/b", "b"]), false, None));
        // A path of the system is read as a name is.
        for text in ["/a/b.txt", "s3://bucket/a"] {
            assert_eq!(FsPath::from_path(text).unwrap(), FsPath::parse(text).unwrap());
        }
        assert!(FsPath::from_path("").is_err());
    }

    #[test]
    fn the_root_has_no_parent() {
        let path = FsPath::parse("s3://b/a").unwrap();
        let root = path.parent().unwrap();
        assert_eq!((root.to_string().as_str(), root.parent(), root.name()), ("s3://b/", None, ""));
        assert_eq!(path.with_suffix("-1000.txt").to_string(), "s3://b/a-1000.txt");
        assert_eq!(root.join("a"), path);
    }
}
