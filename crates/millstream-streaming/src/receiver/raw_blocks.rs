//! Blocks of records as bytes from a TCP server, and who writes them.
//!
//! A block is its length, four bytes, big endian, and as many bytes: the records in the form of an object file
//! ([`ObjectBytes`]), with the name of their type and checksums.

use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::sync::Arc;

use millstream_core::fs::ObjectBytes;
use millstream_core::{Data, StorageLevel, stream};

use super::{ReceiverHandle, Server, SocketReceiver};
use crate::error::{Error, Result};

/// Writes blocks of records for a [`raw_socket_stream`](crate::StreamingContext::raw_socket_stream).
///
/// # Examples
/// ```
/// use millstream_streaming::receiver::RawBlockWriter;
/// let mut blocks = RawBlockWriter::new(Vec::new());
/// blocks.write(vec!["to be".to_owned(), "or not".to_owned()])?;
/// let bytes = blocks.into_inner();
/// assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_be_bytes());
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
#[derive(Debug)]
pub struct RawBlockWriter<T, W> {
    to: W,
    of: PhantomData<fn(T)>,
}

impl<T: Data, W: Write> RawBlockWriter<T, W> {
    /// Makes a writer of blocks to a connection or file.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::receiver::RawBlockWriter;
    ///
    /// let blocks: RawBlockWriter<u64, Vec<u8>> = RawBlockWriter::new(Vec::new());
    /// assert!(blocks.into_inner().is_empty());
    /// ```
    pub fn new(to: W) -> Self {
        RawBlockWriter { to, of: PhantomData }
    }

    /// Writes records as a block; a thousand or more make good use of it.
    ///
    /// # Errors
    /// If a record can not be written as bytes, the block is longer than 4 GiB, or the other side is gone.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::receiver::RawBlockWriter;
    ///
    /// let mut blocks = RawBlockWriter::new(Vec::new());
    /// blocks.write(vec![1_u64, 2])?;
    /// let first = blocks.into_inner();
    /// let mut blocks = RawBlockWriter::new(first.clone());
    /// blocks.write(vec![1_u64, 2])?;
    /// assert_eq!(blocks.into_inner(), first.repeat(2));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn write(&mut self, records: Vec<T>) -> Result<()> {
        let block = ObjectBytes::of(stream::from_vec(records))?;
        let bytes = block.bytes();
        let broken = |error| Error::from(millstream_core::Error::io("writing a block", error));
        let len = u32::try_from(bytes.len());
        let len =
            len.map_err(|_| broken(io::Error::new(ErrorKind::InvalidInput, "it is longer than 4 GiB")))?;
        self.to.write_all(&len.to_be_bytes()).and_then(|()| self.to.write_all(bytes)).map_err(broken)
    }

    /// Gives back what was written to.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::receiver::RawBlockWriter;
    ///
    /// let mut blocks = RawBlockWriter::new(Vec::new());
    /// blocks.write(vec!['a'])?;
    /// assert!(!blocks.into_inner().is_empty());
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn into_inner(self) -> W {
        self.to
    }
}

impl<T: Data> SocketReceiver<T> {
    /// Makes a receiver of blocks of at most `max_block_bytes` for a server.
    pub(crate) fn raw(server: Server, max_block_bytes: usize, level: StorageLevel) -> Self {
        let read = move |mut socket: TcpStream, handle: &ReceiverHandle<T>| {
            while let Some(bytes) = read_block(&mut socket, max_block_bytes)? {
                match handle.store_bytes(bytes) {
                    Ok(()) => {}
                    Err(Error::ReceiverStopped { .. }) => break,
                    Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
                }
            }
            Ok(())
        };
        Self::reading(server, Arc::new(read), level)
    }
}

/// Reads the bytes of the next block; nothing at the end of the connection.
fn read_block(from: &mut impl Read, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut len = Vec::new();
    from.by_ref().take(4).read_to_end(&mut len)?;
    let cut_off =
        || io::Error::new(ErrorKind::UnexpectedEof, "the connection ended in the middle of a block");
    let len = match len[..] {
        [] => return Ok(None),
        [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
        _ => return Err(cut_off()),
    };
    if len > most {
        let problem = format!(
            "a block claims to have {len} bytes and may have {most}; send what `RawBlockWriter` writes, or raise \
             `millstream.streaming.socket.maxBlockBytes`"
        );
        return Err(io::Error::new(ErrorKind::InvalidData, problem));
    }
    // Not allocated beforehand: a length that is wrong must not take memory for which no bytes come.
    let mut bytes = Vec::new();
    from.by_ref().take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() < len { Err(cut_off()) } else { Ok(Some(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_they_were_written_and_broken_lengths_are_told() {
        let mut blocks = RawBlockWriter::new(Vec::new());
        blocks.write(vec![1_u64, 2]).unwrap();
        blocks.write(vec![3]).unwrap();
        let bytes = blocks.into_inner();
        let mut from = &bytes[..];
        let mut counts = Vec::new();
        while let Some(block) = read_block(&mut from, 1000).unwrap() {
            counts.push(ObjectBytes::<u64>::check(block).unwrap().records());
        }
        assert_eq!(counts, [2, 1]);
        for cut in [2, 10] {
            let error = read_block(&mut &bytes[..cut], 1000).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
        let error = read_block(&mut &b"HTTP/1.1"[..], 1000).unwrap_err().to_string();
        assert!(error.contains("claims to have 1213486160 bytes and may have 1000"), "{error}");
    }
}
