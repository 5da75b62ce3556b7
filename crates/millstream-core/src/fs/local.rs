//! `LocalFs`: this machine's files.

#[cfg(target_os = "linux")]
mod writers;

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::{FileStatus, FileSystem, FileWriter, FsPath, failed};
use crate::error::Result;
use crate::failpoint;

/// This machine's files.
///
/// A file being written lies beside its place under a hidden name, `._NAME.PID-N.tmp`; it is synchronised to disk before
/// it is renamed.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalFs;

impl LocalFs {
    /// Makes the name of a file that was just made survive a crash of the machine, where the system can do so.
    ///
    /// For files that are not published but grow where they lie.
    ///
    /// # Errors
    /// If its directory can not be synchronised.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::{FsPath, LocalFs};
    ///
    /// let path = FsPath::from_path(std::env::temp_dir().join(format!("sync_name-{}", std::process::id())))?;
    /// std::fs::write(path.as_local().unwrap(), "to be").unwrap();
    /// LocalFs.sync_name(&path)?;
    /// # std::fs::remove_file(path.as_local().unwrap()).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn sync_name(&self, path: &FsPath) -> Result<()> {
        local(path).and_then(|path| sync_parent(&path)).map_err(|error| failed("publishing", path, error))
    }
}

impl FileSystem for LocalFs {
    fn status(&self, path: &FsPath) -> Result<FileStatus> {
        let metadata = local(path).and_then(fs::metadata);
        metadata.map(|metadata| status(path.clone(), &metadata)).map_err(|e| failed("looking at", path, e))
    }

    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
        let broken = |error| failed("listing", directory, error);
        let mut files = Vec::new();
        for entry in local(directory).and_then(fs::read_dir).map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                let name = entry.file_name().to_string_lossy().into_owned();
                let error = io::Error::other(format!("the name `{name}` is not UTF-8; give it another"));
                return Err(broken(error));
            };
            let path = directory.join(&name);
            // What a link points to, not the link; what is gone since the directory was read was not there.
            match fs::metadata(entry.path()) {
                // Pipes, sockets and devices hold nothing, and who opens one may wait for ever.
                Ok(metadata) if !(metadata.is_file() || metadata.is_dir()) => {}
                Ok(metadata) => files.push(status(path, &metadata)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("looking at", &path, error)),
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
        let broken = |error| failed("opening", &file.path, error);
        let path = local(&file.path).map_err(broken)?;
        if fs::metadata(&path).is_ok_and(|metadata| is_pipe(&metadata)) {
            // It would be waited for until someone writes into it.
            return Err(broken(io::Error::other("it is a pipe; name a file")));
        }
        let mut opened = File::open(path).map_err(broken)?;
        let now = opened.metadata().map_err(broken)?;
        if let Some(change) = change(file, &status(file.path.clone(), &now)) {
            let remedy = "read it when nobody writes it, or describe the RDD again";
            return Err(broken(io::Error::other(format!("{change}; {remedy}"))));
        }
        opened.seek(SeekFrom::Start(offset)).map_err(broken)?;
        let (path, left) = (file.path.clone(), file.len.saturating_sub(offset));
        Ok(Box::new(AsPlanned { file: opened, path, left }))
    }

    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        let broken = |error| failed("creating", path, error);
        let target = local(path).map_err(broken)?;
        if let Some(parent) = path.parent() {
            self.make_directories(&parent)?;
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let temporary = target.with_file_name(format!("._{}.{unique}.tmp", path.name()));
        // A name left over from a program that was killed, and whose number came round again, is free to take.
        let file = File::create(&temporary).map_err(broken)?;
        Ok(Box::new(Writer { file, path: path.clone(), temporary, target, published: false }))
    }

    #[cfg(unix)]
    fn was_written_in_place(&self, file: &FileStatus) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let metadata = local(&file.path).and_then(fs::metadata);
        let metadata = metadata.map_err(|error| failed("looking at", &file.path, error))?;
        if metadata.len() != file.len || metadata.modified().ok() != Some(file.modified) {
            return Ok(true);
        }
        // A write sets both times at once; a change of the name or of the other time sets this one alone.
        Ok((metadata.mtime(), metadata.mtime_nsec()) == (metadata.ctime(), metadata.ctime_nsec()))
    }

    #[cfg(target_os = "linux")]
    fn is_open_for_writing(&self, file: &FileStatus) -> Result<bool> {
        let asked = local(&file.path).and_then(|path| {
            let opened = writers::open(&path)?;
            // What was written until just now, and is closed, is more than the status says.
            Ok(writers::has_writer(&opened) || status(file.path.clone(), &opened.metadata()?) != *file)
        });
        asked.map_err(|error| failed("looking at", &file.path, error))
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()> {
        let renamed = local(from).and_then(|from| fs::rename(from, local(to)?));
        renamed.map_err(|error| failed(&format!("renaming {from} to"), to, error))
    }

    fn delete(&self, path: &FsPath) -> Result<bool> {
        let broken = |error| failed("deleting", path, error);
        let target = local(path).map_err(broken)?;
        let gone = match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&target),
            Ok(_) => fs::remove_file(&target),
            Err(error) => Err(error),
        };
        match gone {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(broken(error)),
        }
    }

    fn make_directories(&self, path: &FsPath) -> Result<()> {
        let make = |target: PathBuf| {
            let missing: Vec<&Path> = target.ancestors().take_while(|path| !path.exists()).collect();
            fs::create_dir_all(&target)?;
            missing.into_iter().try_for_each(sync_parent)
        };
        local(path).and_then(make).map_err(|error| {
            // The system says only that there is something already, which is no directory.
            let error = match error.kind() {
                ErrorKind::AlreadyExists => io::Error::from(ErrorKind::NotADirectory),
                _ => error,
            };
            failed("making the directory", path, error)
        })
    }
}

fn local(path: &FsPath) -> io::Result<PathBuf> {
    path.as_local().ok_or_else(|| io::Error::other("this is no path of this machine"))
}

fn status(path: FsPath, metadata: &Metadata) -> FileStatus {
    let len = if metadata.is_dir() { 0 } else { metadata.len() };
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    FileStatus { path, len, modified, is_dir: metadata.is_dir(), version: version(metadata) }
}

#[cfg(unix)]
fn is_pipe(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn version(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn version(_: &Metadata) -> Option<String> {
    None
}

/// Returns what happened to a file that is not just longer than it was.
fn change(then: &FileStatus, now: &FileStatus) -> Option<String> {
    if now.is_dir {
        return Some("it is a directory".into());
    }
    if then.version != now.version {
        return Some("it was replaced by another file after it was listed".into());
    }
    if now.len < then.len {
        return Some(format!("it has shrunk from {} to {} bytes after it was listed", then.len, now.len));
    }
    let rewritten = now.len == then.len && now.modified != then.modified;
    rewritten.then(|| "it was rewritten after it was listed".into())
}

/// A file up to the length it had when it was listed.
struct AsPlanned {
    file: File,
    path: FsPath,
    left: u64,
}

impl Read for AsPlanned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            let (path, left) = (&self.path, self.left);
            let problem = format!("{path} was cut off while it was read: {left} bytes are missing");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, problem));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

struct Writer {
    file: File,
    path: FsPath,
    temporary: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FileWriter for Writer {
    fn publish(mut self: Box<Self>) -> Result<()> {
        let published = self.file.sync_all().and_then(|()| {
            failpoint::reach("file-after-fsync");
            fs::rename(&self.temporary, &self.target)
        });
        self.published = published.is_ok();
        failpoint::reach("file-after-rename");
        let synced = published.and_then(|()| sync_parent(&self.target));
        synced.map_err(|error| failed("publishing", &self.path, error))
    }

    fn publish_new(self: Box<Self>) -> Result<bool> {
        // A second name for the file, which unlike a rename fails if there is one; the first goes with the writer.
        let published = self.file.sync_all().and_then(|()| {
            failpoint::reach("file-after-fsync");
            fs::hard_link(&self.temporary, &self.target)
        });
        match published {
            Ok(()) => {
                failpoint::reach("file-after-rename");
                let synced = sync_parent(&self.target).map(|()| true);
                synced.map_err(|error| failed("publishing", &self.path, error))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("publishing", &self.path, error)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.published {
            // Hidden and never read: a failure here costs room only.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a new name survive a crash of the machine, where the system can do so.
fn sync_parent(named: &Path) -> io::Result<()> {
    let Some(Ok(directory)) = named.parent().map(File::open) else { return Ok(()) };
    match directory.sync_all() {
        // Not all systems, and not all of their file systems, synchronise directories.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        Err(error) if cfg!(not(unix)) && error.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}
