//! What a codec says of bytes that it can not read, with what can be done about them.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Codec;

/// The uncompressed bytes. Errors of what is read from stay as they are: they are not the codec's.
pub(super) struct Unpacked<R> {
    pub(super) codec: Codec,
    pub(super) bytes: R,
    pub(super) broken: Broken,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer).map_err(|error| self.broken.told(self.codec, error))
    }
}

/// Whether what is read from is broken itself.
#[derive(Clone, Default)]
pub(super) struct Broken(Arc<AtomicBool>);

impl Broken {
    /// Returns a codec's error in words that help.
    pub(super) fn told(&self, codec: Codec, error: io::Error) -> io::Error {
        if self.0.load(Ordering::Relaxed) {
            return error;
        }
        let (name, ending) = (codec.name(), codec.extension());
        let told = match error.kind() {
            ErrorKind::Interrupted => return error,
            ErrorKind::UnexpectedEof => {
                format!("the {name} data end too early ({error}); put the whole file there")
            }
            _ => format!(
                "these are no {name} data, or they were spoilt ({error}); compress the file again, or leave `{ending}` out of its \
                 name if it is not compressed"
            ),
        };
        io::Error::new(error.kind(), told)
    }
}

/// What is read from, which notes that it is broken.
pub(super) struct Source<R> {
    pub(super) from: R,
    pub(super) broken: Broken,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer);
        let is_broken = read.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted);
        self.broken.0.fetch_or(is_broken, Ordering::Relaxed);
        read
    }
}
