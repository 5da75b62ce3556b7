//! `-k`: clients come and go, the lines of stdin go to those that are there.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::converse::receive;
use super::line_chunks::LineChunks;

/// Serves clients until it is killed: each line goes to all that are connected, or else to the next that comes.
///
/// Clients stay connected when the input has ended, and what they send is written to what `output` returns.
pub(super) fn serve<W: Write>(
    listener: &TcpListener,
    input: impl Read + Send + 'static,
    output: impl Fn() -> W + Send + Sync + 'static,
) -> io::Result<()> {
    let clients = Arc::new(Clients::default());
    let output = Arc::new(output);
    let served = Arc::clone(&clients);
    thread::Builder::new()
        .name("nc-sender".to_owned())
        .spawn(move || served.send_all(LineChunks::new(input)))?;
    loop {
        let socket = match listener.accept() {
            Ok((socket, _)) => Arc::new(socket),
            // It left before it was let in.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let (served, output) = (Arc::clone(&clients), Arc::clone(&output));
        thread::Builder::new().name("nc-receiver".to_owned()).spawn(move || {
            served.enter(&socket);
            // However it ended, this client is gone, and the others are not.
            let _ = receive(&socket, &mut output());
            served.leave(&socket);
        })?;
    }
}

/// The clients that are connected.
#[derive(Default)]
struct Clients {
    /// Held only to look at the list, never while writing: a slow client must not keep others from coming and going.
    list: Mutex<Vec<Arc<TcpStream>>>,
    came: Condvar,
}

impl Clients {
    fn enter(&self, socket: &Arc<TcpStream>) {
        self.list().push(Arc::clone(socket));
        self.came.notify_all();
    }

    fn leave(&self, socket: &Arc<TcpStream>) {
        self.list().retain(|other| !Arc::ptr_eq(other, socket));
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<TcpStream>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is a client, and returns all there are.
    fn wait(&self) -> Vec<Arc<TcpStream>> {
        let list = self.came.wait_while(self.list(), |list| list.is_empty());
        list.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the input to the end, each chunk of lines to everyone who is there.
    fn send_all(&self, mut input: LineChunks<impl Read>) {
        loop {
            // Not read before there is someone to read it for: what is typed too early waits where it is.
            self.wait();
            match input.next_chunk() {
                Ok(Some(chunk)) => self.send(chunk),
                Ok(None) => return,
                Err(error) => return crate::stderr::line(format_args!("nc: stdin can not be read: {error}")),
            }
        }
    }

    fn send(&self, chunk: &[u8]) {
        // Clients may have left unnoticed; lines of which no one took a byte are for the next.
        let mut taken = false;
        while !taken {
            for client in self.wait() {
                let (took, outcome) = write(&client, chunk);
                taken |= took;
                if outcome.is_err() {
                    self.leave(&client);
                }
            }
        }
    }
}

/// Writes the chunk; also returns whether any byte of it was taken.
fn write(mut client: &TcpStream, chunk: &[u8]) -> (bool, io::Result<()>) {
    match client.write(chunk) {
        Ok(taken) => (taken > 0, client.write_all(chunk.get(taken..).unwrap_or_default())),
        Err(error) if error.kind() == ErrorKind::Interrupted => write(client, chunk),
        Err(error) => (false, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::SocketAddr;
    use std::sync::mpsc;

    use super::*;

    /// Input that is typed by the test.
    struct Typed(mpsc::Receiver<&'static str>);

    impl Read for Typed {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Ok(line) = self.0.recv() else { return Ok(0) };
            buffer[..line.len()].copy_from_slice(line.as_bytes());
            Ok(line.len())
        }
    }

    /// Output that is told to the test.
    struct Told(mpsc::Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn server() -> (SocketAddr, mpsc::Sender<&'static str>, mpsc::Receiver<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (typing, typed) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        // It serves until the test program ends.
        thread::spawn(move || serve(&listener, Typed(typed), move || Told(tell.clone())));
        (address, typing, told)
    }

    fn line_of(client: &mut BufReader<TcpStream>) -> String {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn lines_wait_for_the_first_client_and_clients_may_follow_each_other() {
        let (address, typing, told) = server();
        typing.send("early\n").unwrap();
        let mut first = BufReader::new(TcpStream::connect(address).unwrap());
        assert_eq!(line_of(&mut first), "early\n");
        first.get_mut().write_all(b"hello").unwrap();
        assert_eq!(told.recv().unwrap(), b"hello");
        drop(first);
        let mut second = BufReader::new(TcpStream::connect(address).unwrap());
        second.get_mut().write_all(b"here").unwrap();
        // The server knows of this client, whether or not it has noticed that the first has left.
        assert_eq!(told.recv().unwrap(), b"here");
        typing.send("late\n").unwrap();
        assert_eq!(line_of(&mut second), "late\n");
        drop(typing);
        let mut third = TcpStream::connect(address).unwrap();
        third.write_all(b"still").unwrap();
        assert_eq!(told.recv().unwrap(), b"still", "the end of the input ends nothing");
    }

    #[test]
    fn clients_at_the_same_time_get_the_same_lines() {
        let (address, typing, told) = server();
        let mut clients: Vec<_> =
            (0..3).map(|_| BufReader::new(TcpStream::connect(address).unwrap())).collect();
        for client in &mut clients {
            client.get_mut().write_all(b"x").unwrap();
            told.recv().unwrap();
        }
        typing.send("to all\n").unwrap();
        for client in &mut clients {
            assert_eq!(line_of(client), "to all\n");
        }
    }
}
