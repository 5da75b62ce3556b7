//! `socket_stream`: records that a decoder of one's own makes of what a server sends.

use std::io::{self, BufReader};
use std::net::TcpStream;
use std::panic::Location;
use std::sync::Arc;

use millstream_core::{Data, StorageLevel};

use super::receiver_stream::address;
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::receiver::SocketReceiver;

impl StreamingContext {
    /// Makes a stream of the records that `decode` makes of what a server at `host:port` sends.
    ///
    /// The decoder is called once per connection and asked for one record after another. An error or a panic of it ends the
    /// connection, is reported, and like the end of the connection leads to a new one after
    /// `spark.streaming.receiverRestartDelay` (2 s).
    ///
    /// # Examples
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let port = server.local_addr().unwrap().port();
    /// let serve = std::thread::spawn(move || server.accept().unwrap().0.write_all(&[0, 7, 1, 0]));
    ///
    /// let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    /// let numbers = streaming.socket_stream("127.0.0.1", port, |mut from| {
    ///     std::iter::from_fn(move || {
    ///         let mut number = [0; 2];
    ///         match from.read_exact(&mut number) {
    ///             Ok(()) => Some(Ok(u16::from_be_bytes(number))),
    ///             Err(end) if end.kind() == std::io::ErrorKind::UnexpectedEof => None,
    ///             Err(error) => Some(Err(error)),
    ///         }
    ///     })
    /// });
    /// let (sender, received) = std::sync::mpsc::channel();
    /// numbers.foreach_rdd(move |rdd| {
    ///     rdd.collect()?.into_iter().try_for_each(|n| sender.send(n)).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(received.iter().take(2).collect::<Vec<_>>(), [7, 256]);
    /// running.stop(true, false)?;
    /// # serve.join().unwrap().unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_stream<T: Data, I>(
        &self,
        host: &str,
        port: u16,
        decode: impl Fn(BufReader<TcpStream>) -> I + Send + Sync + 'static,
    ) -> DStream<T>
    where
        I: IntoIterator<Item = io::Result<T>>,
    {
        let level = StorageLevel::MEMORY_AND_DISK_SER_2;
        let receiver = Arc::new(SocketReceiver::decoding(self.server(host, port), decode, level));
        self.received("socket_stream", receiver, address(host, port), Location::caller(), true)
    }

    /// Makes a stream as [`socket_stream`](Self::socket_stream) does, whose blocks lie where the level says.
    ///
    /// # Examples
    /// ```
    /// use std::io::{BufRead, Write};
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use millstream_core::{Conf, StorageLevel};
    /// use millstream_streaming::StreamingContext;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let port = server.local_addr().unwrap().port();
    /// let serve = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"to be\nor not\n"));
    ///
    /// let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    /// let lines = streaming.socket_stream_with("127.0.0.1", port, |from| from.lines(), StorageLevel::MEMORY_ONLY);
    /// let (sender, received) = std::sync::mpsc::channel();
    /// lines.foreach_rdd(move |rdd| {
    ///     rdd.collect()?.into_iter().try_for_each(|line| sender.send(line)).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(received.iter().take(2).collect::<Vec<_>>(), ["to be", "or not"]);
    /// running.stop(true, false)?;
    /// # serve.join().unwrap().unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_stream_with<T: Data, I>(
        &self,
        host: &str,
        port: u16,
        decode: impl Fn(BufReader<TcpStream>) -> I + Send + Sync + 'static,
        level: StorageLevel,
    ) -> DStream<T>
    where
        I: IntoIterator<Item = io::Result<T>>,
    {
        let receiver = Arc::new(SocketReceiver::decoding(self.server(host, port), decode, level));
        self.received("socket_stream_with", receiver, address(host, port), Location::caller(), false)
    }
}
