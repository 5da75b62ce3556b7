//! The runtime of the clients' own, and waiting for what runs on it.

use std::future::Future;
use std::io;
use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Runtime};

/// Threads that do nothing but wait for the network.
const THREADS: usize = 2;

fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(THREADS).thread_name("object-store").enable_all().build()
    });
    made.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

/// What runs on the runtime and will have an outcome.
pub(super) struct Running<R>(mpsc::Receiver<R>);

/// Begins to run a future.
pub(super) fn start<R: Send + 'static>(
    future: impl Future<Output = R> + Send + 'static,
) -> io::Result<Running<R>> {
    let (done, outcome) = mpsc::channel();
    runtime()?.spawn(async move {
        // Who no longer waits does not want it.
        let _ = done.send(future.await);
    });
    Ok(Running(outcome))
}

impl<R> Running<R> {
    /// Waits for the outcome.
    pub(super) fn wait(self) -> io::Result<R> {
        self.0.recv().map_err(|_| io::Error::other("the client of the object store has panicked"))
    }
}

/// Runs a future to its end; also where the caller's thread belongs to another runtime, which could not block on it.
pub(super) fn run<R: Send + 'static>(
    future: impl Future<Output = Result<R, object_store::Error>> + Send + 'static,
) -> io::Result<R> {
    start(future)?.wait()?.map_err(io_error)
}

/// Says of an error of the client what kind it is.
pub(super) fn io_error(error: object_store::Error) -> io::Error {
    use object_store::Error::{AlreadyExists, NotFound, PermissionDenied, Unauthenticated};
    let (kind, words) = match &error {
        NotFound { .. } => (io::ErrorKind::NotFound, "there is no such object"),
        AlreadyExists { .. } => (io::ErrorKind::AlreadyExists, "the object exists already"),
        PermissionDenied { .. } => (io::ErrorKind::PermissionDenied, "the store denies it"),
        Unauthenticated { .. } => {
            (io::ErrorKind::PermissionDenied, "the store does not accept the credentials")
        }
        _ => return io::Error::other(error),
    };
    io::Error::new(kind, words)
}
