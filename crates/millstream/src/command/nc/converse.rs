//! One connection, both ways.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// Sends what comes from `input` and writes what the other side sends to `output`, until the other side ends.
///
/// When the input ends, the other side is told, and given the time to read all of it and to end. When the other side ends
/// first, the thread that reads the input is left waiting: the program ends around it.
pub(super) fn converse(
    socket: TcpStream,
    mut input: impl Read + Send + 'static,
    mut output: impl Write,
) -> io::Result<()> {
    let sending = socket.try_clone()?;
    thread::Builder::new().name("nc-sender".to_owned()).spawn(move || {
        // An error means that the other side is gone, which the receiving thread sees as well.
        let _ = io::copy(&mut input, &mut &sending);
        let _ = sending.shutdown(Shutdown::Write);
    })?;
    receive(&socket, &mut output)
}

/// Writes what comes from a socket to `output` at once, also parts of lines, until the other side ends.
pub(super) fn receive(mut socket: &TcpStream, output: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        let read = match socket.read(&mut buffer) {
            // A client that ends with something unread resets the connection.
            Ok(0) => return Ok(()),
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) =>
            {
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(read) => read,
        };
        let written = output.write_all(buffer.get(..read).unwrap_or_default()).and_then(|()| output.flush());
        match written {
            // Nobody reads any more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn both_sides_get_everything_and_it_ends_with_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let input = io::Cursor::new(sent.clone());
        let client = thread::spawn(move || {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(b"no line end").unwrap();
            let mut got = Vec::new();
            socket.read_to_end(&mut got).unwrap();
            got
        });
        let mut output = Vec::new();
        converse(listener.accept().unwrap().0, input, &mut output).unwrap();
        assert!(client.join().unwrap() == sent);
        assert_eq!(output, b"no line end");
    }

    #[test]
    fn it_ends_when_the_client_does_though_the_input_goes_on() {
        struct Endless(mpsc::Receiver<()>);
        impl Read for Endless {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.recv().map_err(io::Error::other)?;
                Ok(0)
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_never, input) = mpsc::channel();
        drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        converse(listener.accept().unwrap().0, Endless(input), io::sink()).unwrap();
    }
}
