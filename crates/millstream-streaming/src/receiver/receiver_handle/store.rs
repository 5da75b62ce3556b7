//! `store` and its other forms: how records become part of a stream.

use millstream_core::Data;
use millstream_core::fs::ObjectBytes;
use millstream_core::storage::size_estimate::{estimate, estimate_all};

use super::ReceiverHandle;
use crate::error::{Error, Result};
use crate::receiver::block_store::Content;
use crate::receiver::text_lines::TextLines;

impl<T: Data> ReceiverHandle<T> {
    /// Stores one record in the current block.
    ///
    /// Waits while the receiver is held back: by `spark.streaming.receiver.maxRate`, by `millstream.receiver.maxBacklog`
    /// or by a full queue of blocks. A stop ends the wait, and the record is kept.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the record is not stored.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         for n in 1..=3 {
    ///             handle.store(n)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 3)?, [1, 2, 3]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn store(&self, record: T) -> Result<()> {
        self.check_accepts()?;
        let bytes = estimate(&record);
        self.generator.add(record, bytes, &self.run.stop)
    }

    /// Stores records in the current block, as [`store`](Self::store) does with each; the vector is moved, and no record is
    /// copied.
    ///
    /// The larger the vectors, the less a record costs: some thousand records at once are as good as free.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the records are not stored.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         Ok(handle.store_each(vec![1, 2, 3])?)
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 3)?, [1, 2, 3]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "store")]
    pub fn store_each(&self, records: Vec<T>) -> Result<()> {
        let bytes = estimate_all(&records);
        self.store_each_with(records, bytes)
    }

    /// Stores records as [`store_each`](Self::store_each) does; they take about `bytes` bytes of memory together.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped; the records are not stored.
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # struct Source;
    /// impl Receiver<String> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<String>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let lines = vec!["to be".to_owned(), "or not".to_owned()];
    ///         let bytes = lines.iter().map(String::len).sum();
    ///         Ok(handle.store_each_with(lines, bytes)?)
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 2)?, ["to be", "or not"]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn store_each_with(&self, records: Vec<T>, bytes: usize) -> Result<()> {
        self.check_accepts()?;
        self.generator.add_many(records, bytes, &self.run.stop)
    }

    /// Stores lines as [`store_each`](Self::store_each) does records; records are made of them by the tasks that read them.
    pub(in crate::receiver) fn store_lines(&self, lines: TextLines) -> Result<()> {
        self.check_accepts()?;
        self.generator.add_lines(lines, &self.run.stop)
    }

    /// Stores records as a block of their own, and returns when it is stored: a reliable receiver can then acknowledge them.
    ///
    /// A block is a partition of its batch, so that few records at a time make many small tasks. Waits as
    /// [`store`](Self::store) does.
    ///
    /// # Errors
    /// [`Error::ReceiverStopped`] if the receiver is stopped, or why the block was not stored:
    /// [`Error::BlockNotStored`] after `spark.streaming.receiver.blockStoreTimeout` (30 s).
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         handle.store_many([1, 2, 3])?; // it is stored now, and can be acknowledged
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 3)?, [1, 2, 3]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "store")]
    pub fn store_many(&self, records: impl IntoIterator<Item = T>) -> Result<()> {
        self.store_records(records.into_iter().collect(), None)
    }

    /// Stores a block as [`store_many`](Self::store_many) does, with what listeners and the web page are to be told of it.
    ///
    /// # Errors
    /// Those of [`store_many`](Self::store_many).
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # use std::sync::{Arc, mpsc};
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::listener::{BatchInfo, StreamingListener};
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         Ok(handle.store_many_with([1, 2, 3], "page 1 of the feed")?)
    ///     }
    /// }
    ///
    /// struct Told(mpsc::Sender<String>);
    ///
    /// impl StreamingListener for Told {
    ///     fn on_batch_completed(&self, batch: &BatchInfo) {
    ///         let said = batch.stream_id_to_input_info.values().filter_map(|input| input.metadata_description());
    ///         said.for_each(|said| drop(self.0.send(said.to_owned())));
    ///     }
    /// }
    ///
    /// let (tell, told) = mpsc::channel();
    /// driver.streaming().add_streaming_listener(Arc::new(Told(tell)))?;
    /// let numbers = driver.collect(&driver.streaming().receiver_stream(Source));
    /// let steps = driver.start()?;
    /// while numbers.batches().concat().is_empty() {
    ///     steps.step()?;
    /// }
    /// assert_eq!(told.recv().as_deref(), Ok("page 1 of the feed"));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn store_many_with(
        &self,
        records: impl IntoIterator<Item = T>,
        metadata: impl Into<String>,
    ) -> Result<()> {
        self.store_records(records.into_iter().collect(), Some(metadata.into()))
    }

    /// Stores bytes that a [`RawBlockWriter`](crate::receiver::RawBlockWriter) wrote as a block of their own, and returns when it is
    /// stored. They are looked at and not decoded before a task reads them.
    ///
    /// # Errors
    /// If they are no block of such records, and those of [`store_many`](Self::store_many).
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::receiver::RawBlockWriter;
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let mut blocks = RawBlockWriter::new(Vec::new());
    ///         blocks.write(vec![1_u64, 2, 3])?; // as another program has sent them
    ///         Ok(handle.store_bytes(blocks.into_inner().split_off(4))?)
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 3)?, [1, 2, 3]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "store")]
    pub fn store_bytes(&self, bytes: Vec<u8>) -> Result<()> {
        self.store_encoded(bytes, None)
    }

    /// Stores bytes as [`store_bytes`](Self::store_bytes) does, with what listeners and the web page are to be told of them.
    ///
    /// # Errors
    /// Those of [`store_bytes`](Self::store_bytes).
    ///
    /// # Examples
    /// ```
    /// # use millstream_streaming::testing::received;
    /// # use millstream_streaming::{Receiver, ReceiverHandle};
    /// use millstream_streaming::receiver::RawBlockWriter;
    /// # struct Source;
    /// impl Receiver<u64> for Source {
    ///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         let mut blocks = RawBlockWriter::new(Vec::new());
    ///         blocks.write(vec![1_u64, 2, 3])?; // as another program has sent them
    ///         Ok(handle.store_bytes_with(blocks.into_inner().split_off(4), "from the first server")?)
    ///     }
    /// }
    ///
    /// assert_eq!(received(Source, 3)?, [1, 2, 3]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn store_bytes_with(&self, bytes: Vec<u8>, metadata: impl Into<String>) -> Result<()> {
        self.store_encoded(bytes, Some(metadata.into()))
    }

    fn store_records(&self, records: Vec<T>, metadata: Option<String>) -> Result<()> {
        self.check_accepts()?;
        let bytes = estimate_all(&records);
        self.generator.store_block(Content::Records(vec![records]), bytes, metadata, &self.run.stop)
    }

    fn store_encoded(&self, bytes: Vec<u8>, metadata: Option<String>) -> Result<()> {
        self.check_accepts()?;
        let bytes = ObjectBytes::check(bytes)?;
        let len = bytes.bytes().len();
        self.generator.store_block(Content::Bytes(bytes), len, metadata, &self.run.stop)
    }

    fn check_accepts(&self) -> Result<()> {
        if self.run.accepts() { Ok(()) } else { Err(Error::ReceiverStopped { stream: self.run.stream }) }
    }
}
