//! `socket_text_stream`: the lines a server sends.

use std::panic::Location;
use std::sync::Arc;

use millstream_core::StorageLevel;

use super::receiver_stream::address;
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::receiver::SocketReceiver;

impl StreamingContext {
    /// Makes a stream of the lines that a server at `host:port` sends.
    ///
    /// When the connection ends or can not be made it is tried again after `spark.streaming.receiverRestartDelay` (2 s).
    /// Bytes that are not UTF-8 are read as U+FFFD; a line longer than `millstream.streaming.socket.maxLineBytes` (16 MiB)
    /// is passed over and reported.
    ///
    /// # Examples
    /// ```
    /// use std::io::Write;
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let port = server.local_addr().unwrap().port();
    /// let serve = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"to be\nor not\n"));
    ///
    /// let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    /// let (sender, received) = std::sync::mpsc::channel();
    /// streaming.socket_text_stream("127.0.0.1", port).foreach_rdd(move |rdd| {
    ///     rdd.collect()?.into_iter().try_for_each(|line| sender.send(line)).map_err(millstream_core::Error::user)
    /// });
    /// let running = streaming.start()?;
    /// assert_eq!(received.iter().take(2).collect::<Vec<_>>(), ["to be", "or not"]);
    /// running.stop(true, false)?;
    /// # serve.join().unwrap().unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_text_stream(&self, host: &str, port: u16) -> DStream<String> {
        let level = StorageLevel::MEMORY_AND_DISK_SER_2;
        let receiver = Arc::new(SocketReceiver::lines(self.server(host, port), self.max_line_bytes(), level));
        self.received("socket_text_stream", receiver, address(host, port), Location::caller(), true)
    }

    /// Makes a stream as [`socket_text_stream`](Self::socket_text_stream) does, whose blocks lie where the level says.
    ///
    /// With disk in the level, lines that have no room in memory go there, and the server is never held back; without, and
    /// in the form without a level, the server is held back through TCP.
    ///
    /// # Examples
    /// ```
    /// use std::io::Write;
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
    /// let lines = streaming.socket_text_stream_with("127.0.0.1", port, StorageLevel::MEMORY_AND_DISK);
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
    pub fn socket_text_stream_with(&self, host: &str, port: u16, level: StorageLevel) -> DStream<String> {
        let receiver = Arc::new(SocketReceiver::lines(self.server(host, port), self.max_line_bytes(), level));
        self.received("socket_text_stream_with", receiver, address(host, port), Location::caller(), false)
    }
}
