//! `ObjectBytes`: records as the bytes of an object file, in memory.

use std::io::Read;
use std::marker::PhantomData;
use std::sync::Arc;

use super::format::OutputFormat;
use super::object_format::{COMPRESSION, ObjectFormat, read_end, read_head};
use crate::data::Data;
use crate::error::Result;
use crate::storage::frame::{Broken, check_block, read_block};
use crate::stream::{self, ChunkStream};

/// Records of a type in the form of an object file: with the name of the type, checksums, and compressed.
///
/// Cloning is shallow.
///
/// # Examples
/// ```
/// use millstream_core::fs::ObjectBytes;
/// use millstream_core::stream;
///
/// let bytes = ObjectBytes::of(stream::from_vec(vec!["to".to_owned(), "be".to_owned()]))?;
/// assert_eq!(bytes.records(), 2);
/// let received = ObjectBytes::<String>::check(bytes.bytes().to_vec())?;
/// let mut records = Vec::new();
/// stream::drain(received.read()?, |chunk| Ok(records.extend(chunk.into_vec())))?;
/// assert_eq!(records, ["to", "be"]);
/// assert!(ObjectBytes::<u64>::check(bytes.bytes().to_vec()).is_err());
/// # Ok::<(), millstream_core::Error>(())
/// ```
pub struct ObjectBytes<T> {
    bytes: Arc<Vec<u8>>,
    records: u64,
    of: PhantomData<fn() -> T>,
}

impl<T: Data> ObjectBytes<T> {
    /// Encodes records.
    ///
    /// # Errors
    /// Those of the stream, and if a record can not be written as bytes.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{fs::ObjectBytes, stream};
    ///
    /// let bytes = ObjectBytes::of(stream::from_vec(vec![1_u8, 2, 3]))?;
    /// assert_eq!(bytes.records(), 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn of(records: ChunkStream<T>) -> Result<Self> {
        let mut bytes = Vec::new();
        ObjectFormat::<T>::default().write(records, &mut bytes)?;
        bytes.shrink_to_fit();
        let records = bytes.last_chunk().map_or(0, |total| u64::from_le_bytes(*total));
        Ok(ObjectBytes { bytes: Arc::new(bytes), records, of: PhantomData })
    }

    /// Takes bytes that came from elsewhere: looks at their head, their lengths and checksums, and decodes nothing.
    ///
    /// # Errors
    /// If they hold records of another type, were cut off or changed, or more follows.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{fs::ObjectBytes, stream};
    ///
    /// let sent = ObjectBytes::of(stream::from_vec(vec!['a', 'b']))?.bytes().to_vec();
    /// assert!(ObjectBytes::<char>::check(sent[..sent.len() - 1].to_vec()).is_err(), "cut off");
    /// assert_eq!(ObjectBytes::<char>::check(sent)?.records(), 2);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn check(bytes: Vec<u8>) -> Result<Self> {
        let check = |mut from: &[u8]| {
            read_head::<T>(&mut from)?;
            let mut records = 0;
            while let Some(more) = check_block(&mut from, COMPRESSION)? {
                records += u64::from(more);
            }
            read_end(&mut from, records)?;
            if from.is_empty() { Ok(records) } else { Err(Broken::Spoilt("more follows its end".into())) }
        };
        let records = check(&bytes).map_err(|broken| broken.while_reading("a block of records"))?;
        Ok(ObjectBytes { bytes: Arc::new(bytes), records, of: PhantomData })
    }

    /// Decodes the records, a part at a time; the stream holds the bytes.
    ///
    /// # Errors
    /// The stream fails if the bytes are not of such records.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{fs::ObjectBytes, stream};
    ///
    /// let bytes = ObjectBytes::of(stream::from_vec(vec!['a', 'b']))?;
    /// let mut records = Vec::new();
    /// stream::drain(bytes.read()?, |chunk| Ok(records.extend(chunk.into_vec())))?;
    /// assert_eq!(records, ['a', 'b']);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn read(&self) -> Result<ChunkStream<T>> {
        let mut from = Shared { bytes: Arc::clone(&self.bytes), at: 0 };
        let broken = |broken: Broken| broken.while_reading("a block of records");
        read_head::<T>(&mut from).map_err(broken)?;
        let mut ended = false;
        Ok(stream::from_fn(move || {
            if ended {
                return Ok(None);
            }
            let records = read_block::<T>(&mut from, COMPRESSION).map_err(broken)?;
            ended = records.is_none();
            Ok(records.map(Into::into))
        }))
    }

    /// Returns how many records there are.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{fs::ObjectBytes, stream};
    ///
    /// assert_eq!(ObjectBytes::of(stream::from_iter(0..5000_u64))?.records(), 5000);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the bytes.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{fs::ObjectBytes, stream};
    ///
    /// let bytes = ObjectBytes::of(stream::from_vec(vec![0_u64; 5000]))?;
    /// assert!(bytes.bytes().len() < 40_000, "compressed");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> Clone for ObjectBytes<T> {
    fn clone(&self) -> Self {
        ObjectBytes { bytes: Arc::clone(&self.bytes), records: self.records, of: PhantomData }
    }
}

impl<T> std::fmt::Debug for ObjectBytes<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectBytes({} records in {} bytes)", self.records, self.bytes.len())
    }
}

/// A cursor that holds what it reads.
struct Shared {
    bytes: Arc<Vec<u8>>,
    at: usize,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.bytes.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_byte_is_changed_or_missing_is_noticed() {
        let records: Vec<(u64, String)> = (0..20).map(|n| (n, format!("record {n}"))).collect();
        let good = ObjectBytes::of(stream::from_vec(records)).unwrap();
        let check = |bytes| ObjectBytes::<(u64, String)>::check(bytes);
        assert_eq!(check(good.bytes().to_vec()).unwrap().records(), 20);
        for at in 0..good.bytes().len() {
            let mut changed = good.bytes().to_vec();
            changed[at] ^= 1;
            assert!(check(changed).is_err(), "byte {at} was changed");
            assert!(check(good.bytes()[..at].to_vec()).is_err(), "cut off at {at}");
        }
        assert!(check([good.bytes(), &[0]].concat()).is_err());
    }
}
