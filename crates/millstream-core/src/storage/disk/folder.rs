//! The directories that the scratch files of one context lie in: one in each directory of `spark.local.dir`.
//!
//! Beside the directory `NAME` lies a file `NAME.lock`, locked as long as the context lives. What a dead process left is
//! told by its lock, which can be taken, and is deleted by the next context that writes to disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::variables;

/// What the names of all scratch directories begin with.
const PREFIX: &str = "millstream-scratch-";

/// The folders of a context, made when they are needed and deleted when this is dropped.
pub(super) struct Folders {
    roots: Vec<PathBuf>,
    /// By root.
    made: Mutex<Vec<Option<Folder>>>,
}

struct Folder {
    path: PathBuf,
    lock: PathBuf,
    /// Held, not read: its lock says that the folder is in use.
    _locked: File,
}

impl Folders {
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        let made = Mutex::new(roots.iter().map(|_| None).collect());
        Folders { roots, made }
    }

    pub(super) fn made(&self) -> Vec<PathBuf> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().flatten().map(|folder| folder.path.clone()).collect()
    }

    /// Makes an empty file, in turn in each root; a root that can not be written to is passed over if there are others.
    pub(super) fn create(&self, number: u64) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
        let mut failure = None;
        for turn in 0..self.roots.len() {
            let at = (number as usize).wrapping_add(turn) % self.roots.len();
            match self.create_in(at, number) {
                Ok(made) => return Ok(made),
                Err(error) => _ = failure.get_or_insert((self.roots[at].clone(), error)),
            }
        }
        Err(failure.unwrap_or_else(|| (PathBuf::new(), ErrorKind::NotFound.into())))
    }

    fn create_in(&self, at: usize, number: u64) -> io::Result<(PathBuf, File)> {
        let folder = self.folder(at)?;
        let path = folder.join(format!("{number}.blocks"));
        match File::create_new(&path) {
            // Somebody has cleared the scratch directory: what lay in it is lost, but not what comes.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(&folder)?;
                File::create_new(&path)
            }
            made => made,
        }
        .map(|file| (path, file))
    }

    fn folder(&self, at: usize) -> io::Result<PathBuf> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (root, slot) = (&self.roots[at], &mut made[at]);
        if let Some(folder) = slot {
            return Ok(folder.path.clone());
        }
        clean(root);
        let folder = Folder::new(root)?;
        let path = folder.path.clone();
        *slot = Some(folder);
        Ok(path)
    }
}

impl Folder {
    fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        loop {
            let name = format!("{PREFIX}{}-{:x}", std::process::id(), variables::unique());
            let lock = root.join(format!("{name}.lock"));
            let file = match File::create_new(&lock) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            // Between the two another process may have taken the lock, to delete what it takes for a left-over.
            if file.try_lock().is_err() || !lock.exists() {
                continue;
            }
            let folder = Folder { path: root.join(name), lock, _locked: file };
            make(&folder.path)?;
            return Ok(folder);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        delete(&self.path, &self.lock);
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700); // records are nobody else's business
    builder.create(folder)
}

/// Deletes a folder, and then the lock that shows where it was.
fn delete(folder: &Path, lock: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!("the scratch directory {} can not be deleted: {error}", folder.display());
        }
        _ => _ = fs::remove_file(lock),
    }
}

/// Deletes what dead processes left in a root; what can not be deleted stays.
fn clean(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".lock")) else { continue };
        if !name.starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        match lock.try_lock() {
            Ok(()) => delete(&root.join(name), &entry.path()),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_processes_left_is_deleted() {
        let root = std::env::temp_dir().join(format!("folders-{:x}", variables::unique()));
        let alive = Folder::new(&root).unwrap();
        let dead = root.join(format!("{PREFIX}1-a"));
        fs::create_dir_all(dead.join("inner")).unwrap();
        fs::write(root.join(format!("{PREFIX}1-a.lock")), "").unwrap();
        fs::write(root.join("other.lock"), "").unwrap();
        let folders = Folders::new(vec![root.clone()]);
        let (file, _) = folders.create(0).unwrap();
        assert!(file.exists() && alive.path.exists() && !dead.exists());
        let path = alive.path.clone();
        drop((alive, folders));
        assert!(!path.exists());
        let left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other.lock"]);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_root_that_can_not_be_used_is_passed_over() {
        let root = std::env::temp_dir().join(format!("folders-{:x}", variables::unique()));
        let folders = Folders::new(vec![PathBuf::from("/dev/null/x"), root.clone()]);
        for number in 0..4 {
            assert!(folders.create(number).unwrap().0.starts_with(&root));
        }
        drop(folders);
        fs::remove_dir_all(&root).unwrap();
        let (path, _) = Folders::new(vec![PathBuf::from("/dev/null/x")]).create(0).unwrap_err();
        assert_eq!(path, PathBuf::from("/dev/null/x"));
    }
}
