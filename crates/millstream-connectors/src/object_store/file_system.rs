//! `ObjectStoreFs`: a bucket as a file system.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use millstream_core::Result;
use millstream_core::fs::{FileStatus, FileSystem, FileWriter, FsPath, failed};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::blocking::{io_error, run, start};
use super::writer::Writer;

/// An object store as a file system.
///
/// Directories are not made and need not be: a directory exists as long as an object has its name as a beginning.
#[derive(Clone)]
pub struct ObjectStoreFs {
    store: Arc<dyn ObjectStore>,
}

impl ObjectStoreFs {
    /// Takes a store of which paths name the objects; scheme and authority of paths are not looked at.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        ObjectStoreFs { store }
    }

    /// Returns all objects below a directory.
    fn below(&self, directory: &Path) -> io::Result<Vec<ObjectMeta>> {
        let listing = self.store.list(Some(directory));
        run(listing.try_collect())
    }

    /// Returns the object of exactly this name.
    fn object(&self, path: &FsPath) -> io::Result<ObjectMeta> {
        let (store, key) = (Arc::clone(&self.store), key(path)?);
        run(async move { store.head(&key).await })
    }

    fn entries(&self, directory: &FsPath) -> io::Result<Vec<FileStatus>> {
        let (store, prefix) = (Arc::clone(&self.store), key(directory)?);
        let listed = run(async move { store.list_with_delimiter(Some(&prefix)).await })?;
        let directories = listed
            .common_prefixes
            .iter()
            .filter_map(Path::filename)
            .map(|name| directory_status(directory.join(name)));
        // An object of no name in the directory is a mark that some programs leave for an empty one.
        let objects = listed.objects.iter().filter_map(|object| {
            let name = object
                .location
                .filename()
                .filter(|_| object.location != key(directory).unwrap_or_default())?;
            Some(status(directory.join(name), object))
        });
        let mut entries: Vec<FileStatus> = directories.chain(objects).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn writer(&self, path: &FsPath) -> Result<Writer> {
        let key = key(path).map_err(|error| failed("creating", path, error))?;
        Ok(Writer::new(Arc::clone(&self.store), key, path.clone()))
    }
}

impl FileSystem for ObjectStoreFs {
    fn status(&self, path: &FsPath) -> Result<FileStatus> {
        let broken = |error| failed("looking at", path, error);
        if path.parent().is_none() {
            return Ok(directory_status(path.clone()));
        }
        match self.object(path) {
            Ok(object) => Ok(status(path.clone(), &object)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (store, prefix) = (Arc::clone(&self.store), key(path).map_err(broken)?);
                let first = start(async move { store.list(Some(&prefix)).next().await })
                    .and_then(|first| first.wait());
                match first.map_err(broken)? {
                    Some(Ok(_)) => Ok(directory_status(path.clone())),
                    // A store of single files, as a web server is, has nothing to list.
                    None | Some(Err(object_store::Error::NotFound { .. })) => Err(broken(error)),
                    Some(Err(error)) => Err(broken(io_error(error))),
                }
            }
            Err(error) => Err(broken(error)),
        }
    }

    fn list(&self, directory: &FsPath) -> Result<Vec<FileStatus>> {
        let broken = |error| failed("listing", directory, error);
        let entries = self.entries(directory).map_err(broken)?;
        if entries.is_empty() && directory.parent().is_some() {
            let error = self.object(directory).err();
            return Err(broken(error.unwrap_or_else(|| ErrorKind::NotADirectory.into())));
        }
        Ok(entries)
    }

    fn open(&self, file: &FileStatus, offset: u64) -> Result<Box<dyn Read + Send>> {
        let broken = |error| failed("opening", &file.path, error);
        if offset >= file.len {
            return Ok(Box::new(io::empty()));
        }
        let (store, key) = (Arc::clone(&self.store), key(&file.path).map_err(broken)?);
        let options = GetOptions {
            range: Some(GetRange::Bounded(offset..file.len)),
            if_match: file.version.clone(),
            ..GetOptions::default()
        };
        let got = start(async move { store.get_opts(&key, options).await }).and_then(|got| got.wait());
        let got = got.map_err(broken)?.map_err(|error| match error {
            object_store::Error::Precondition { .. } => broken(io::Error::other(
                "it was replaced after it was listed; read it when nobody writes it, or describe the RDD again",
            )),
            error => broken(io_error(error)),
        })?;
        Ok(Box::new(Reader { stream: Some(got.into_stream()), bytes: Bytes::new(), left: file.len - offset }))
    }

    fn create(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(self.writer(path)?))
    }

    fn create_new(&self, path: &FsPath) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(self.writer(path)?.at_once()))
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> Result<()> {
        let broken = |error| failed(&format!("renaming {from} to"), to, error);
        let (from_key, to_key) = (key(from).map_err(broken)?, key(to).map_err(broken)?);
        let moved: Vec<(Path, Path)> = match self.object(from) {
            Ok(_) => vec![(from_key, to_key)],
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let objects = self.below(&from_key).map_err(broken)?;
                if objects.is_empty() {
                    return Err(broken(error));
                }
                let renamed = |object: ObjectMeta| {
                    let rest = object.location.prefix_match(&from_key)?;
                    let target = to_key.parts().chain(rest).collect();
                    Some((object.location, target))
                };
                let renamed: Vec<_> = objects.into_iter().filter_map(renamed).collect();
                renamed
            }
            Err(error) => return Err(broken(error)),
        };
        for (from, to) in moved {
            let store = Arc::clone(&self.store);
            run(async move { store.rename(&from, &to).await }).map_err(broken)?;
        }
        Ok(())
    }

    fn delete(&self, path: &FsPath) -> Result<bool> {
        let broken = |error| failed("deleting", path, error);
        let key = key(path).map_err(broken)?;
        let mut keys: Vec<Path> =
            self.below(&key).map_err(broken)?.into_iter().map(|object| object.location).collect();
        if path.parent().is_some() {
            match self.object(path) {
                Ok(object) => keys.push(object.location),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(broken(error)),
            }
        }
        let there = !keys.is_empty();
        let deleted = self.store.delete_stream(stream::iter(keys.into_iter().map(Ok)).boxed());
        // What another has deleted meanwhile is gone as wished.
        let deleted = deleted.filter(|outcome| {
            let gone = matches!(outcome, Err(object_store::Error::NotFound { .. }));
            std::future::ready(!gone)
        });
        run(deleted.try_collect::<Vec<_>>()).map_err(broken)?;
        Ok(there)
    }

    /// Does nothing: a directory is there as soon as something is in it.
    fn make_directories(&self, _: &FsPath) -> Result<()> {
        Ok(())
    }
}

fn key(path: &FsPath) -> io::Result<Path> {
    Path::parse(path.path()).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))
}

fn status(path: FsPath, object: &ObjectMeta) -> FileStatus {
    FileStatus {
        path,
        len: object.size,
        modified: object.last_modified.into(),
        is_dir: false,
        version: object.e_tag.clone(),
    }
}

fn directory_status(path: FsPath) -> FileStatus {
    FileStatus { path, len: 0, modified: SystemTime::UNIX_EPOCH, is_dir: true, version: None }
}

/// The body of an answer, read as it comes.
struct Reader {
    stream: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    bytes: Bytes,
    left: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.bytes.is_empty() && self.left > 0 && !buffer.is_empty() {
            let cut_off = || io::Error::new(ErrorKind::UnexpectedEof, "the object ended too early");
            let mut stream = self.stream.take().ok_or_else(cut_off)?;
            let next = start(async move { (stream.next().await, stream) })?.wait()?;
            self.bytes = next.0.ok_or_else(cut_off)?.map_err(io_error)?;
            self.stream = Some(next.1);
        }
        let length = buffer.len().min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes.split_to(length));
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}
