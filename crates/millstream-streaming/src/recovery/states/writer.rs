//! The thread that states are written by.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};

const NAME: &str = "streaming-checkpoint-writer";

/// Does one piece of work after the other on a thread of its own, which begins with the first and stays.
///
/// What comes and goes with a thread, its stack and the memory it keeps at hand, is taken from the system and given back: batches
/// beside it would feel that.
pub(super) struct Writer<T> {
    thread: Option<(Sender<Work>, JoinHandle<()>)>,
    /// Tells what came of the work that was begun last, until that was taken.
    done: Option<Receiver<Result<T>>>,
}

type Work = Box<dyn FnOnce() + Send>;

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Writer { thread: None, done: None }
    }
}

impl<T: Send + 'static> Writer<T> {
    /// Begins work; what came of that before must have been taken.
    ///
    /// # Errors
    /// If there are no threads.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<()> {
        let (thread, _) = match &mut self.thread {
            Some(thread) => thread,
            None => self.thread.insert(spawn()?),
        };
        let (tell, done) = mpsc::channel();
        let work = move || {
            let came = catch_unwind(AssertUnwindSafe(work));
            // Nobody may be there any more to whom it matters.
            let _ = tell.send(came.unwrap_or_else(|panic| Err(Error::panicked(&*panic))));
        };
        thread.send(Box::new(work)).map_err(|_| ended())?;
        self.done = Some(done);
        Ok(())
    }

    /// Returns whether there is work of which nothing was taken.
    pub(super) fn is_writing(&self) -> bool {
        self.done.is_some()
    }

    /// Takes what came of the work, if it is done.
    pub(super) fn take(&mut self) -> Option<Result<T>> {
        let done = self.done.as_ref()?;
        let came = match done.try_recv() {
            Ok(came) => came,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(ended()),
        };
        self.done = None;
        Some(came)
    }

    /// Takes what came of the work, and waits for that; nothing if there is none.
    pub(super) fn wait(&mut self) -> Option<Result<T>> {
        self.done.take().map(|done| done.recv().unwrap_or_else(|_| Err(ended())))
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        if let Some((work, thread)) = self.thread.take() {
            drop(work);
            // Panics of the work are caught inside.
            let _ = thread.join();
        }
    }
}

fn spawn() -> Result<(Sender<Work>, JoinHandle<()>)> {
    let (send, work) = mpsc::channel::<Work>();
    let run = move || work.into_iter().for_each(|work| work());
    let thread = thread::Builder::new().name(NAME.into()).spawn(run);
    thread.map(|thread| (send, thread)).map_err(|error| Error::thread(NAME, error))
}

fn ended() -> Error {
    Error::thread(NAME, io::Error::other("it has ended"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::Writer;

    #[test]
    fn one_thread_does_all_the_work_whatever_comes_of_it() {
        let mut writer = Writer::default();
        assert!(writer.wait().is_none() && writer.take().is_none() && !writer.is_writing());
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = move || {
            may_go_on.recv().unwrap();
            Ok(thread::current().id())
        };
        writer.begin(first).unwrap();
        assert!(writer.take().is_none() && writer.is_writing());
        go_on.send(()).unwrap();
        let first = writer.wait().unwrap().unwrap();
        assert!(!writer.is_writing());

        writer.begin(|| panic!("no disk")).unwrap();
        let error = writer.wait().unwrap().unwrap_err().to_string();
        assert!(error.contains("panicked: no disk"), "{error}");

        writer.begin(|| Ok(thread::current().id())).unwrap();
        let second = loop {
            if let Some(second) = writer.take() {
                break second.unwrap();
            }
            thread::yield_now();
        };
        assert_eq!(second, first);
    }

    #[test]
    fn work_that_was_begun_is_done_before_the_thread_ends() {
        let (tell, told) = mpsc::channel();
        let mut writer = Writer::default();
        let work = move || {
            tell.send(1).unwrap();
            Ok(())
        };
        writer.begin(work).unwrap();
        drop(writer);
        assert_eq!(told.try_recv(), Ok(1));
    }
}
