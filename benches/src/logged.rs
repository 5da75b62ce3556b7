//! `log`: what the write-ahead log costs a receiver, and how soon what was logged is there again.
//!
//! Both sides count the words of lines that a server in the same process sends as fast as they are taken, over a socket,
//! in batches of 200 ms on the real clock; both write checkpoints. One logs what it receives.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use millstream::core::Error as CoreError;
use millstream::prelude::*;
use millstream::streaming::{Receiver, ReceiverHandle, Time};
use millstream::testing::Driver;

use crate::empty_folder::empty_folder;
use crate::workload::{BatchResult, Plan, Workload};

/// The setting that switches the log on.
const LOG: &str = "spark.streaming.receiver.writeAheadLog.enable";

/// Between two batches.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long all lines of a turn may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// About how many bytes the server sends at once.
const SEND: usize = 256 * 1024;

/// Blocks that are recovered unless a turn has fewer lines, and the lines of each.
const BLOCKS: usize = 10_000;
const LINES_PER_BLOCK: usize = 100;

/// One side: a batch of it is a program from its start until all lines were counted.
pub(crate) struct Turns {
    plan: Plan,
    lines: Arc<Vec<String>>,
    /// Lines joined to what is sent at once, with how many lines and words they are.
    sends: Vec<(Vec<u8>, usize, u64)>,
    folder: PathBuf,
    log: bool,
}

impl Turns {
    pub(crate) fn new(plan: &Plan, lines: &Arc<Vec<String>>, work: &Path, log: bool) -> Turns {
        let mut sends = Vec::new();
        let mut rest = plan.per_batch;
        let mut send = (Vec::with_capacity(SEND), 0, 0);
        for line in lines.iter().cycle() {
            if rest == 0 || send.0.len() >= SEND {
                sends.push(std::mem::take(&mut send));
            }
            // Once round: what is sent is the same again.
            if rest == 0 || plan.per_batch - rest >= lines.len() {
                break;
            }
            send.0.extend(line.bytes().chain([b'\n']));
            send.1 += 1;
            send.2 += line.split(' ').count() as u64;
            rest -= 1;
        }
        if send.1 > 0 {
            sends.push(send);
        }
        let folder = work.join(if log { "logged" } else { "unlogged" });
        Turns { plan: *plan, lines: Arc::clone(lines), sends, folder, log }
    }

    fn conf(&self, log: bool) -> Conf {
        Conf::empty().set_master(format!("local[{}]", self.plan.cores)).set(LOG, log.to_string())
    }

    /// Receives and counts `per_batch` lines; returns how many words there were.
    fn turn(&self) -> Result<u64> {
        let failed = |error| CoreError::io("serving lines on 127.0.0.1", error);
        let server = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = server.local_addr().map_err(failed)?.port();
        let streaming = StreamingContext::new(self.conf(self.log), INTERVAL)?;
        streaming.checkpoint(&self.folder);
        let counted = Arc::new(Counted::default());
        let lines = streaming.socket_text_stream("127.0.0.1", port);
        let pairs = lines.flat_map_into(|line, out| out.extend(words(line))).map(|word| (word, 1u64));
        let to = Arc::clone(&counted);
        pairs.reduce_by_key(|a, b| a + b).foreach_rdd(move |rdd| {
            let counts = rdd.map_ref(|(_, n)| *n).collect()?;
            to.add(counts.iter().sum());
            Ok::<_, Error>(())
        });
        let running = streaming.start()?;
        let sent = std::thread::scope(|scope| -> Result<u64> {
            let serve = scope.spawn(|| self.serve(&server));
            let (_connection, words) = serve
                .join()
                .map_err(|_| CoreError::user("the server panicked"))?
                .map_err(|error| CoreError::io("sending lines", error))?;
            counted.wait_for(words)?;
            Ok(words)
        })?;
        running.stop(true, false)?;
        Ok(sent)
    }

    /// Sends the lines; returns the connection, which must not end before all has been read, and how many words they had.
    fn serve(&self, server: &TcpListener) -> io::Result<(TcpStream, u64)> {
        let (mut connection, _) = server.accept()?;
        let (mut lines, mut words) = (0, 0);
        for (bytes, of_send, words_of_send) in self.sends.iter().cycle() {
            if lines >= self.plan.per_batch {
                break;
            }
            connection.write_all(bytes)?;
            lines += of_send;
            words += words_of_send;
        }
        Ok((connection, words))
    }
}

impl Workload for Turns {
    fn batch(&mut self, _: usize) -> Result<BatchResult, String> {
        empty_folder(&self.folder)?;
        let start = Instant::now();
        let words = self.turn().map_err(|error| error.to_string())?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        empty_folder(&self.folder)?;
        Ok(BatchResult { records: self.plan.per_batch, ms, result: format!("words={words}") })
    }
}

/// How many words were counted so far.
#[derive(Default)]
struct Counted(Mutex<u64>, Condvar);

impl Counted {
    fn add(&self, words: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += words;
        self.1.notify_all();
    }

    fn wait_for(&self, words: u64) -> Result<()> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.1.wait_timeout_while(counted, PATIENCE, |counted| *counted < words);
        let counted = *waited.unwrap_or_else(PoisonError::into_inner).0;
        if counted == words {
            return Ok(());
        }
        Err(CoreError::user(format!("{counted} words were counted of {words}")).into())
    }
}

/// What was recovered.
pub(crate) struct Recovered {
    pub(crate) blocks: usize,
    pub(crate) records: u64,
    /// From the start of the program until the batch that has all blocks was completed.
    pub(crate) ms: f64,
}

/// Hands its handle over and does nothing itself.
struct Fed(Sender<ReceiverHandle<String>>);

impl Receiver<String> for Fed {
    fn on_start(&self, handle: &ReceiverHandle<String>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(self.0.send(handle.clone())?)
    }
}

impl Turns {
    /// Logs blocks that no batch is given, ends, and goes on from the log.
    ///
    /// # Errors
    /// If the streams can not be started, or blocks are missing.
    pub(crate) fn recover(&self) -> Result<Recovered, String> {
        empty_folder(&self.folder)?;
        let recovered = self.log_and_recover().map_err(|error| error.to_string())?;
        empty_folder(&self.folder)?;
        let expected = (self.blocks() * LINES_PER_BLOCK) as u64;
        if recovered.records == expected {
            return Ok(recovered);
        }
        Err(format!("{} lines were recovered of {expected}", recovered.records))
    }

    fn blocks(&self) -> usize {
        BLOCKS.min(self.plan.per_batch)
    }

    fn log_and_recover(&self) -> Result<Recovered> {
        let count = Arc::new(AtomicU64::new(0));
        let begin = || -> Result<_> {
            let driver = Driver::at(self.conf(true), Duration::from_secs(1), Time::from_millis(0))?;
            let (sender, handles) = mpsc::channel();
            let to = Arc::clone(&count);
            driver.streaming().receiver_stream(Fed(sender)).foreach_rdd(move |rdd| {
                to.fetch_add(rdd.count()?, Ordering::SeqCst);
                Ok::<_, Error>(())
            });
            Ok((driver.get_or_create(&self.folder)?.start()?, handles))
        };
        let (steps, handles) = begin()?;
        let handle = handles.recv().map_err(CoreError::user)?;
        let mut lines = self.lines.iter().cycle().cloned();
        for _ in 0..self.blocks() {
            handle.store_many(lines.by_ref().take(LINES_PER_BLOCK))?;
        }
        drop((handle, steps));
        let start = Instant::now();
        let (steps, _handles) = begin()?;
        steps.step()?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        Ok(Recovered { blocks: self.blocks(), records: count.load(Ordering::SeqCst), ms })
    }
}
