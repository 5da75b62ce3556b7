//! The records of one partition, pulled chunk by chunk.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::chunk::{CHUNK, Chunk, Cursor};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::task::TaskContext;

/// A source of chunks: what a partition of an RDD is while a task runs.
pub trait Chunks<T> {
    /// Returns the next chunk, or nothing at the end; chunks may be empty.
    ///
    /// # Errors
    /// What the source or a user's closure answered; the stream has then ended.
    fn next_chunk(&mut self) -> Result<Option<Chunk<T>>>;
}

/// A partition being read; it lives on the thread of its task.
pub type ChunkStream<T> = Box<dyn Chunks<T>>;

/// Makes a stream of a function that gives the next chunk.
pub fn from_fn<T: 'static>(next: impl FnMut() -> Result<Option<Chunk<T>>> + 'static) -> ChunkStream<T> {
    struct FromFn<F>(F);
    impl<T, F: FnMut() -> Result<Option<Chunk<T>>>> Chunks<T> for FromFn<F> {
        fn next_chunk(&mut self) -> Result<Option<Chunk<T>>> {
            (self.0)()
        }
    }
    Box::new(FromFn(next))
}

/// Makes a stream of chunks that are already there.
pub fn from_chunks<T: Data>(chunks: Vec<Chunk<T>>) -> ChunkStream<T> {
    let mut chunks = chunks.into_iter();
    from_fn(move || Ok(chunks.next()))
}

/// Makes a stream of an owned vector: its records are moved on.
pub fn from_vec<T: Data>(records: Vec<T>) -> ChunkStream<T> {
    from_iter(records.into_iter())
}

/// Makes a stream of shared records, viewed without copying.
pub fn from_shared<T: Data>(records: Arc<Vec<T>>) -> ChunkStream<T> {
    let mut at = 0;
    from_fn(move || {
        let start = at;
        at = records.len().min(start + CHUNK);
        Ok((start < at).then(|| Chunk::shared(Arc::clone(&records), start..at)))
    })
}

/// Makes a stream of an iterator's records.
pub fn from_iter<T: Data>(mut records: impl Iterator<Item = T> + 'static) -> ChunkStream<T> {
    from_fn(move || {
        let chunk: Vec<T> = records.by_ref().take(CHUNK).collect();
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    })
}

/// Calls `f` with each chunk up to the end of the stream.
///
/// # Errors
/// The first error of the stream or of `f`.
pub fn drain<T>(mut stream: ChunkStream<T>, mut f: impl FnMut(Chunk<T>) -> Result<()>) -> Result<()> {
    while let Some(chunk) = stream.next_chunk()? {
        f(chunk)?;
    }
    Ok(())
}

/// The records of a partition as an iterator, for closures that work on a whole partition.
///
/// An error of the stream ends the iteration; the task then fails with it, whatever the closure made of the records.
pub struct Records<T> {
    stream: ChunkStream<T>,
    chunk: Option<Cursor<T>>,
    failure: Rc<RefCell<Option<Error>>>,
}

impl<T: Data> Records<T> {
    pub(crate) fn new(stream: ChunkStream<T>) -> (Self, Failure) {
        let failure = Rc::new(RefCell::new(None));
        (Records { stream, chunk: None, failure: Rc::clone(&failure) }, Failure(vec![failure]))
    }
}

impl<T: Data> Iterator for Records<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(record) = self.chunk.as_mut().and_then(Iterator::next) {
                return Some(record);
            }
            match self.stream.next_chunk() {
                Ok(Some(chunk)) => self.chunk = Some(chunk.into()),
                Ok(None) => return None,
                Err(error) => {
                    TaskContext::records_broke(&error);
                    self.failure.replace(Some(error));
                    self.stream = from_chunks(Vec::new());
                    return None;
                }
            }
        }
    }
}

/// The error that ended a [`Records`], to be asked for once its reader is done.
pub(crate) struct Failure(Vec<Rc<RefCell<Option<Error>>>>);

impl Failure {
    /// Asks for the errors of all.
    pub(crate) fn any_of(failures: impl IntoIterator<Item = Failure>) -> Failure {
        Failure(failures.into_iter().flat_map(|failure| failure.0).collect())
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.0.iter().find_map(|failure| failure.take()).map_or(Ok(()), Err)
    }
}
