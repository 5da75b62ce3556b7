//! `raw_socket_stream`: blocks of records that come as bytes.

use std::panic::Location;
use std::sync::Arc;

use millstream_core::{Data, StorageLevel};

use super::receiver_stream::address;
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::receiver::SocketReceiver;

impl StreamingContext {
    /// Makes a stream of blocks of records that a server at `host:port` sends as bytes.
    ///
    /// The fastest way in: bytes go to where blocks are stored as they are, and the tasks of their batch decode them. The server
    /// writes them by a [`RawBlockWriter`](crate::receiver::RawBlockWriter) of the same record type. Bytes that are no such
    /// block, or claim to be longer than `millstream.streaming.socket.maxBlockBytes` (64 MiB), end the connection, are
    /// reported, and like its end lead to a new one after `spark.streaming.receiverRestartDelay` (2 s).
    ///
    /// # Examples
    /// ```
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    /// use millstream_streaming::receiver::RawBlockWriter;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let port = server.local_addr().unwrap().port();
    /// let serve = std::thread::spawn(move || {
    ///     let mut blocks = RawBlockWriter::new(server.accept().unwrap().0);
    ///     blocks.write(vec!["to be".to_owned(), "or not".to_owned()])
    /// });
    ///
    /// let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    /// let (sender, received) = std::sync::mpsc::channel();
    /// streaming.raw_socket_stream::<String>("127.0.0.1", port).foreach_rdd(move |rdd| {
    ///     rdd.collect()?.into_iter().try_for_each(|line| sender.send(line)).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(received.iter().take(2).collect::<Vec<_>>(), ["to be", "or not"]);
    /// running.stop(true, false)?;
    /// # serve.join().unwrap()?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn raw_socket_stream<T: Data>(&self, host: &str, port: u16) -> DStream<T> {
        let level = StorageLevel::MEMORY_AND_DISK_SER_2;
        let receiver = SocketReceiver::raw(self.server(host, port), self.max_block_bytes(), level);
        self.received("raw_socket_stream", Arc::new(receiver), address(host, port), Location::caller(), true)
    }

    /// Makes a stream as [`raw_socket_stream`](Self::raw_socket_stream) does, whose blocks lie where the level says.
    ///
    /// # Examples
    /// ```
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use millstream_core::{Conf, StorageLevel};
    /// use millstream_streaming::StreamingContext;
    /// use millstream_streaming::receiver::RawBlockWriter;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let port = server.local_addr().unwrap().port();
    /// let serve = std::thread::spawn(move || {
    ///     let mut blocks = RawBlockWriter::new(server.accept().unwrap().0);
    ///     blocks.write(vec!["to be".to_owned(), "or not".to_owned()])
    /// });
    ///
    /// let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    /// let lines = streaming.raw_socket_stream_with::<String>("127.0.0.1", port, StorageLevel::MEMORY_ONLY_SER);
    /// let (sender, received) = std::sync::mpsc::channel();
    /// lines.foreach_rdd(move |rdd| {
    ///     rdd.collect()?.into_iter().try_for_each(|line| sender.send(line)).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(received.iter().take(2).collect::<Vec<_>>(), ["to be", "or not"]);
    /// running.stop(true, false)?;
    /// # serve.join().unwrap()?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn raw_socket_stream_with<T: Data>(&self, host: &str, port: u16, level: StorageLevel) -> DStream<T> {
        let receiver = SocketReceiver::raw(self.server(host, port), self.max_block_bytes(), level);
        self.received(
            "raw_socket_stream_with",
            Arc::new(receiver),
            address(host, port),
            Location::caller(),
            false,
        )
    }
}
