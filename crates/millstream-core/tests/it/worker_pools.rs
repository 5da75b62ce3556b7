//! Worker pools with a real server that counts its connections.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use millstream_core::scheduler::job_thread;
use millstream_core::{Context, Error, Made, Result, WorkerPool};

use crate::{on, sorted};

/// Longer than anything may take that does not hang.
const LONG: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3600);

fn connect(address: &String) -> Made<TcpStream> {
    Ok(TcpStream::connect(address)?)
}

/// A server that keeps what it was sent, and counts.
struct Server {
    address: String,
    connections: Arc<AtomicUsize>,
    /// The lines of each connection that was closed.
    closed: mpsc::Receiver<Vec<String>>,
    /// The connections that only ask whether those before them were counted.
    questions: mpsc::Receiver<()>,
    asked: AtomicUsize,
}

/// What is sent by a connection that only asks.
const QUESTION: &str = "?";

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let (tell, closed) = mpsc::channel();
        let (answer, questions) = mpsc::channel();
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (connection, tell, answer) = (connection.unwrap(), tell.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(connection).lines().map_while(|line| line.ok()).peekable();
                    // No one waits for the last ones of a test.
                    let _ = match lines.next_if(|line| line == QUESTION) {
                        Some(_) => answer.send(()).is_ok(),
                        None => tell.send(lines.collect()).is_ok(),
                    };
                });
            }
        });
        Server { address, connections, closed, questions, asked: AtomicUsize::new(0) }
    }

    /// Counts the connections that were made before: they are accepted in the order in which they were.
    fn connections(&self) -> usize {
        writeln!(TcpStream::connect(&self.address).unwrap(), "{QUESTION}").unwrap();
        self.questions.recv_timeout(LONG).expect("the server answers");
        self.connections.load(Ordering::SeqCst) - self.asked.fetch_add(1, Ordering::SeqCst) - 1
    }

    /// Waits until that many connections were closed; returns their lines.
    fn closed(&self, connections: usize) -> Vec<String> {
        let lines = (0..connections).flat_map(|_| self.closed.recv_timeout(LONG).expect("it stays open"));
        sorted(lines.collect())
    }
}

/// Sends numbers, each partition by one use of the pool.
fn send(
    pool: &'static WorkerPool<String, TcpStream>,
    context: &Context,
    to: &str,
    numbers: std::ops::Range<i32>,
) -> Result<()> {
    let partitions = numbers.len();
    let numbers = context.parallelize(numbers, partitions);
    let sent = numbers.map_partitions_env(to.to_owned(), move |to, mut numbers| {
        let sent = pool.with(&to, |connection| numbers.try_for_each(|n| writeln!(connection, "{n}")));
        [sent.map_err(|error| error.to_string())]
    });
    sent.collect()?.into_iter().collect::<Result<(), String>>().map_err(Error::user)
}

fn texts(numbers: std::ops::Range<i32>) -> Vec<String> {
    sorted(numbers.map(|n| n.to_string()).collect())
}

#[test]
fn connections_are_made_once_used_for_many_jobs_and_closed_with_their_context() {
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR);
    let server = Server::new();
    let (context, other) = (on("local[2]"), on("local[1]"));
    for job in 0..20 {
        send(&POOL, &context, &server.address, job * 4..job * 4 + 4).unwrap();
    }
    let connections = server.connections();
    assert!((1..=2).contains(&connections), "{connections} connections for two workers");
    context.stop();
    assert_eq!(server.closed(connections), texts(0..80));
    // Another context goes on; what it used goes with its last handle.
    send(&POOL, &other, &server.address, 80..81).unwrap();
    drop(other);
    assert_eq!(server.closed(1), texts(80..81));
}

#[test]
fn there_are_never_more_than_the_maximum() {
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR).max(1);
    let server = Server::new();
    let context = on("local[4]");
    for job in 0..10 {
        send(&POOL, &context, &server.address, job * 8..job * 8 + 8).unwrap();
    }
    assert_eq!(server.connections(), 1);
    context.stop();
    assert_eq!(server.closed(1), texts(0..80));
}

#[test]
fn one_that_stays_in_use_is_not_waited_for_for_ever() {
    static POOL: WorkerPool<u8, ()> = WorkerPool::new(|_| Ok(())).max(1).wait(Duration::ZERO);
    let line = line!() - 1;
    POOL.with(&1, |()| POOL.with(&2, |()| Ok::<_, String>(()))).unwrap();
    let error = POOL.with(&1, |()| POOL.with(&1, |()| Ok::<_, String>(()))).unwrap_err().to_string();
    assert!(error.contains(&format!("pool at {}:{line}:", file!())), "{error}");
    assert!(
        error.contains("for 1: all 1 stayed in use") && error.contains("raise the pool's `max`"),
        "{error}"
    );
}

/// The thread of the job does the task itself, and so waits with it.
#[test]
fn a_task_that_waits_for_one_ends_with_its_job() {
    static POOL: WorkerPool<(), ()> = WorkerPool::new(|()| Ok(())).max(1).wait(Duration::MAX);
    let context = on("local[1]");
    let (waits, is_waiting) = mpsc::channel();
    POOL.with(&(), |()| {
        let job = context.parallelize([()], 1).map(move |()| {
            waits.send(millstream_core::TaskContext::get().unwrap().job_id()).unwrap();
            POOL.with(&(), |()| Ok::<_, String>(())).unwrap();
        });
        let (done, is_done) = mpsc::channel();
        let thread = job_thread::spawn("jobs".into(), move || done.send(job.count()).unwrap()).unwrap();
        context.cancel_job(is_waiting.recv().unwrap());
        assert!(matches!(is_done.recv_timeout(LONG).unwrap(), Err(Error::Cancelled { .. })));
        thread.join().unwrap();
        Ok::<_, String>(())
    })
    .unwrap();
}

#[test]
fn a_broken_one_is_closed_and_not_used_again() {
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR).max(1);
    let server = Server::new();
    let context = on("local[1,2]");
    send(&POOL, &context, &server.address, 0..1).unwrap();
    for panics in [false, true] {
        // The first attempt breaks it, the second finds a new one.
        let job =
            context.parallelize([()], 1).map_env((server.address.clone(), panics), |(to, panics), ()| {
                let first = millstream_core::TaskContext::get().unwrap().attempt_number() == 0;
                POOL.with(to, |connection| {
                    assert!(!(first && *panics), "in the middle of a message");
                    if first {
                        Err("no answer".into())
                    } else {
                        Ok::<_, String>(writeln!(connection, "again").is_ok())
                    }
                })
                .unwrap()
            });
        assert_eq!(job.collect().unwrap(), [true]);
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(server.closed(2), ["0", "again"]);
    context.stop();
    assert_eq!(server.closed(1), ["again"]);
}

#[test]
fn idle_ones_are_closed_after_their_time() {
    static SHORT: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(Duration::from_millis(5));
    static LATER: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR);
    let server = Server::new();
    let context = on("local[1]");
    // The one for which the thread already waits is due much later.
    send(&LATER, &context, &server.address, 0..1).unwrap();
    for n in 1..4 {
        send(&SHORT, &context, &server.address, n..n + 1).unwrap();
        assert_eq!(server.closed(1), texts(n..n + 1));
    }
    context.stop();
    assert_eq!(server.closed(1), ["0"]);
    assert_eq!(server.connections(), 4);
}

#[test]
fn one_that_died_while_it_lay_idle_is_replaced() {
    fn is_open(connection: &mut TcpStream) -> bool {
        let open = connection.set_nonblocking(true).is_ok() && !matches!(connection.peek(&mut [0]), Ok(0));
        open && connection.set_nonblocking(false).is_ok()
    }
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR).alive(is_open);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let context = on("local[1]");
    for n in 0..2 {
        send(&POOL, &context, &address, n..n + 1).unwrap();
        let connection = listener.accept().unwrap().0;
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).unwrap();
        assert_eq!(line, format!("{n}\n"));
        connection.shutdown(std::net::Shutdown::Both).unwrap();
    }
}

#[test]
fn one_that_can_not_be_made_fails_the_task_with_a_remedy_and_is_tried_again() {
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).max(1);
    let line = line!() - 1;
    let context = on("local[1,3]");
    // A port that the system gives to nobody.
    let nowhere = format!("{}:1", Ipv4Addr::LOCALHOST);
    let lines = context.parallelize([1], 1);
    let error = lines.foreach_partition_env(nowhere.clone(), |to, mut lines| {
        POOL.with(to, |connection| lines.try_for_each(|line| writeln!(connection, "{line}")))
    });
    let error = error.unwrap_err().to_string();
    let pool = format!("after 3 attempts: pool at {}:{line}:", file!());
    assert!(error.contains("foreach_partition_env at ") && error.contains(&pool), "{error}");
    assert!(error.contains(&format!("for \"{nowhere}\": Connection refused")), "{error}");
    assert!(
        error.ends_with("check that what it leads to runs and can be reached from this process"),
        "{error}"
    );
}

#[test]
fn what_is_in_use_while_its_context_is_stopped_is_closed_when_it_is_given_back() {
    static POOL: WorkerPool<String, TcpStream> = WorkerPool::new(connect).idle(HOUR);
    static STEPS: (std::sync::Barrier, std::sync::Barrier) =
        (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let server = Server::new();
    let context = on("local[1]");
    let (job, to) = (context.clone(), server.address.clone());
    let running = std::thread::spawn(move || {
        job.parallelize([1], 1).foreach_partition_env(to, |to, _| {
            POOL.with(to, |connection| {
                STEPS.0.wait();
                STEPS.1.wait();
                writeln!(connection, "late")
            })
        })
    });
    STEPS.0.wait();
    context.stop();
    STEPS.1.wait();
    assert_eq!(server.closed(1), ["late"]);
    running.join().unwrap().unwrap_err();
}

#[test]
fn a_drop_that_panics_harms_no_one() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("a drop that panics");
        }
    }
    static POOL: WorkerPool<(), Grenade> = WorkerPool::new(|()| Ok(Grenade)).max(1);
    for _ in 0..2 {
        let error = POOL.with(&(), |_| Err::<(), _>("broken")).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
    POOL.with(&(), |_| Ok::<_, String>(())).unwrap();
}
