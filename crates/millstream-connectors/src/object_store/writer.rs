//! Writes an object: at once, or in parts if it is long and may take the place of another.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use bytes::Bytes;
use millstream_core::Result;
use millstream_core::fs::{FileWriter, FsPath, failed};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::blocking::{Running, io_error, run, start};

/// Longer objects are sent in parts of this many bytes; S3 takes no shorter ones, and 10,000 of them.
const PART: usize = 16 << 20;

/// As many parts are under way at a time.
const UNDER_WAY: usize = 3;

pub(super) struct Writer {
    store: Arc<dyn ObjectStore>,
    key: Path,
    path: FsPath,
    buffer: Vec<u8>,
    rest: Rest,
}

/// What came before the buffer.
enum Rest {
    /// Nothing, or it is sent already.
    Sent(Option<Upload>),
    /// It is kept: only an object that is sent at once can be made only if there is none.
    Kept(Vec<Bytes>),
}

struct Upload {
    /// Taken away when the object is complete.
    parts: Option<Box<dyn MultipartUpload>>,
    under_way: VecDeque<Running<object_store::Result<()>>>,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn ObjectStore>, key: Path, path: FsPath) -> Self {
        Writer { store, key, path, buffer: Vec::new(), rest: Rest::Sent(None) }
    }

    /// A writer of an object that is to be sent at once.
    pub(super) fn at_once(self) -> Self {
        Writer { rest: Rest::Kept(Vec::new()), ..self }
    }

    /// Makes a part of what is in the buffer, and sends it if that may be.
    fn end_part(&mut self) -> io::Result<()> {
        let part = std::mem::take(&mut self.buffer);
        let upload = match &mut self.rest {
            Rest::Kept(parts) => {
                parts.push(part.into());
                return Ok(());
            }
            Rest::Sent(Some(upload)) => upload,
            Rest::Sent(none) => {
                let (store, key) = (Arc::clone(&self.store), self.key.clone());
                let parts = run(async move { store.put_multipart(&key).await })?;
                none.insert(Upload { parts: Some(parts), under_way: VecDeque::new() })
            }
        };
        while upload.under_way.len() >= UNDER_WAY {
            upload.wait_for_one()?;
        }
        if let Some(parts) = &mut upload.parts {
            let part = parts.put_part(part.into());
            upload.under_way.push_back(start(part)?);
        }
        Ok(())
    }

    /// Returns whether a part of it is in the store already.
    fn is_sent(&self) -> bool {
        matches!(self.rest, Rest::Sent(Some(_)))
    }

    fn put(&mut self, mode: PutMode) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let mut parts = match &mut self.rest {
            Rest::Kept(parts) => std::mem::take(parts),
            Rest::Sent(_) => Vec::new(),
        };
        parts.push(std::mem::take(&mut self.buffer).into());
        let payload = parts.into_iter().collect::<PutPayload>();
        let options = PutOptions { mode, ..PutOptions::default() };
        run(async move { store.put_opts(&key, payload, options).await }).map(drop)
    }

    fn complete(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.end_part()?;
        }
        let Rest::Sent(Some(upload)) = &mut self.rest else { return Ok(()) };
        while !upload.under_way.is_empty() {
            upload.wait_for_one()?;
        }
        let Some(mut parts) = upload.parts.take() else { return Ok(()) };
        let (outcome, parts) = start(async move { (parts.complete().await, parts) })?.wait()?;
        if outcome.is_err() {
            upload.parts = Some(parts);
        }
        outcome.map(drop).map_err(io_error)
    }
}

impl Upload {
    fn wait_for_one(&mut self) -> io::Result<()> {
        match self.under_way.pop_front() {
            Some(part) => part.wait()?.map_err(io_error),
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Parts of an object that was given up cost room in the store until they are taken back.
        if let Some(mut parts) = self.parts.take() {
            while let Some(part) = self.under_way.pop_front() {
                let _ = part.wait();
            }
            let aborted = start(async move { parts.abort().await }).and_then(Running::wait);
            if let Ok(Err(error)) | Err(error) = aborted.map(|outcome| outcome.map_err(io_error)) {
                tracing::warn!("parts of an object that was given up stay in the store: {error}");
            }
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        if self.buffer.len() == PART {
            self.end_part()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn publish(mut self: Box<Self>) -> Result<()> {
        let published = if self.is_sent() { self.complete() } else { self.put(PutMode::Overwrite) };
        published.map_err(|error| failed("publishing", &self.path, error))
    }

    fn publish_new(mut self: Box<Self>) -> Result<bool> {
        let published = if self.is_sent() {
            let problem =
                format!("an object of more than {PART} bytes can not be made only if there is none");
            Err(io::Error::new(ErrorKind::Unsupported, problem))
        } else {
            self.put(PutMode::Create)
        };
        match published {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("publishing", &self.path, error)),
        }
    }
}
