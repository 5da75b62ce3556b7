//! The thread that brings events to the listeners.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

use super::{BatchInfo, OutputOperationInfo, ReceiverInfo, StreamingListener};
use crate::error::{Error, Result};
use crate::time::Time;

/// Something that happened to a stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamingListenerEvent {
    /// The context was started.
    StreamingStarted(Time),
    /// A receiver was started.
    ReceiverStarted(ReceiverInfo),
    /// A receiver reported an error.
    ReceiverError(ReceiverInfo),
    /// A receiver was stopped.
    ReceiverStopped(ReceiverInfo),
    /// The jobs of a batch were put in the queue.
    BatchSubmitted(BatchInfo),
    /// The first job of a batch starts.
    BatchStarted(BatchInfo),
    /// The last job of a batch ended.
    BatchCompleted(BatchInfo),
    /// An output operation starts.
    OutputOperationStarted(OutputOperationInfo),
    /// An output operation failed and is to be tried again.
    OutputOperationRetried(OutputOperationInfo),
    /// An output operation ended.
    OutputOperationCompleted(OutputOperationInfo),
}

impl StreamingListenerEvent {
    fn tell(&self, listener: &dyn StreamingListener) {
        match self {
            Self::StreamingStarted(time) => listener.on_streaming_started(*time),
            Self::ReceiverStarted(receiver) => listener.on_receiver_started(receiver),
            Self::ReceiverError(receiver) => listener.on_receiver_error(receiver),
            Self::ReceiverStopped(receiver) => listener.on_receiver_stopped(receiver),
            Self::BatchSubmitted(batch) => listener.on_batch_submitted(batch),
            Self::BatchStarted(batch) => listener.on_batch_started(batch),
            Self::BatchCompleted(batch) => listener.on_batch_completed(batch),
            Self::OutputOperationStarted(operation) => listener.on_output_operation_started(operation),
            Self::OutputOperationRetried(operation) => listener.on_output_operation_retried(operation),
            Self::OutputOperationCompleted(operation) => listener.on_output_operation_completed(operation),
        }
    }
}

/// Names a listener, so that it can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// Brings events to the listeners, on a thread of its own and in order.
///
/// Without listeners there is no thread, and posting costs one load of a flag. Whoever posts never waits: when listeners
/// lag [`CAPACITY`](Self::CAPACITY) events behind, further events are dropped, with a line in the log.
pub struct ListenerBus {
    listeners: Arc<Listeners>,
    thread: Mutex<Option<BusThread>>,
    /// Outlives the thread's handle: a listener that stopped the bus still runs on the bus thread.
    thread_id: OnceLock<ThreadId>,
    stopped: AtomicBool,
    dropped: AtomicU64,
}

struct BusThread {
    queue: Arc<Queue>,
    handle: JoinHandle<()>,
}

/// The events that wait for the listeners.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
}

#[derive(Default)]
struct QueueState {
    events: VecDeque<StreamingListenerEvent>,
    /// The thread sleeps: to wake it is a system call, even if it does not.
    sleeps: bool,
    closed: bool,
}

impl Queue {
    /// Adds events, as many as there is room for; returns how many there was none for.
    fn push(&self, events: Vec<StreamingListenerEvent>) -> usize {
        let mut state = self.state();
        let room = ListenerBus::CAPACITY - state.events.len();
        let dropped = events.len().saturating_sub(room);
        state.events.extend(events.into_iter().take(room));
        let wakes = std::mem::take(&mut state.sleeps);
        drop(state);
        if wakes {
            self.filled.notify_one();
        }
        dropped
    }

    /// Waits for the next event; returns nothing if there are none any more.
    fn next(&self) -> Option<StreamingListenerEvent> {
        let mut state = self.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            if state.closed {
                return None;
            }
            state.sleeps = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// Nothing that can panic runs under this lock.
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Listeners {
    /// Whether the list is not empty; read for each event, so kept outside of the lock.
    any: AtomicBool,
    list: Mutex<Vec<(ListenerId, Arc<dyn StreamingListener>)>>,
    next_id: AtomicU64,
}

impl Listeners {
    fn list(&self) -> MutexGuard<'_, Vec<(ListenerId, Arc<dyn StreamingListener>)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the listeners without the lock, so that they may add and remove listeners themselves.
    fn tell(&self, event: &StreamingListenerEvent) {
        let listeners = self.list().clone();
        for (id, listener) in listeners {
            // With the handle, which is the last one if the listener was removed meanwhile.
            let tell = move || event.tell(&*{ listener });
            if let Err(panic) = catch_unwind(AssertUnwindSafe(tell)) {
                tracing::error!(
                    "listener {} panicked ({}); it goes on with the next event",
                    id.0,
                    reason(&*panic)
                );
            }
        }
    }
}

impl ListenerBus {
    /// How many events may wait for the listeners.
    pub const CAPACITY: usize = 10_000;

    /// Makes a bus without listeners.
    #[must_use]
    pub fn new() -> Self {
        ListenerBus {
            listeners: Arc::default(),
            thread: Mutex::new(None),
            thread_id: OnceLock::new(),
            stopped: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    /// Adds a listener, which sees the events posted from now on.
    ///
    /// # Errors
    /// If the thread for the listeners can not be started.
    pub fn add(&self, listener: Arc<dyn StreamingListener>) -> Result<ListenerId> {
        let mut thread = self.thread();
        if thread.is_none() && !self.stopped.load(Ordering::SeqCst) {
            *thread = Some(self.spawn()?);
        }
        drop(thread);
        let id = ListenerId(self.listeners.next_id.fetch_add(1, Ordering::Relaxed));
        let mut list = self.listeners.list();
        list.push((id, listener));
        self.listeners.any.store(true, Ordering::Release);
        Ok(id)
    }

    /// Removes a listener; returns whether it was there. An event it is being called with is not waited for.
    pub fn remove(&self, id: ListenerId) -> bool {
        let mut list = self.listeners.list();
        let before = list.len();
        let removed = list.extract_if(.., |(other, _)| *other == id).next();
        self.listeners.any.store(!list.is_empty(), Ordering::Release);
        let found = list.len() < before;
        // A listener's own drop may use the bus.
        drop(list);
        drop(removed);
        found
    }

    /// Returns whether an event would be seen by anyone.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.listeners.any.load(Ordering::Acquire)
    }

    /// Posts the event that `event` makes, which is only called if there is a listener.
    pub fn post(&self, event: impl FnOnce() -> StreamingListenerEvent) {
        self.post_all(|events| events.push(event()));
    }

    /// Posts the events that `add` adds, which is only called if there is a listener; the thread is woken once for all of them.
    pub fn post_all(&self, add: impl FnOnce(&mut Vec<StreamingListenerEvent>)) {
        if self.has_listeners() {
            let mut events = Vec::new();
            add(&mut events);
            self.send(events);
        }
    }

    /// Returns whether this is the thread that calls the listeners.
    #[must_use]
    pub fn is_bus_thread(&self) -> bool {
        self.thread_id.get() == Some(&thread::current().id())
    }

    /// Waits until the listeners have seen all that was posted, and ends the thread; what is posted later is ignored.
    ///
    /// Called by a listener it does not wait.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let bus = self.thread().take();
        if let Some(BusThread { queue, handle }) = bus {
            // The thread ends when it has seen everything.
            queue.close();
            if !self.is_bus_thread() {
                // It can not have panicked: that is caught for each listener.
                let _ = handle.join();
            }
        }
    }

    fn send(&self, events: Vec<StreamingListenerEvent>) {
        let Some(queue) = self.thread().as_ref().map(|bus| Arc::clone(&bus.queue)) else { return };
        let more = queue.push(events) as u64;
        if more > 0 {
            let before = self.dropped.fetch_add(more, Ordering::Relaxed);
            let lines = |dropped: u64| dropped.div_ceil(Self::CAPACITY as u64);
            if lines(before + more) > lines(before) {
                tracing::warn!(
                    "the listeners lag {} events behind, {} events were dropped; a listener is too slow: \
                     let it hand its work to a thread of its own",
                    Self::CAPACITY,
                    before + more
                );
            }
        }
    }

    fn spawn(&self) -> Result<BusThread> {
        let queue = Arc::new(Queue::default());
        let (events, listeners) = (Arc::clone(&queue), Arc::clone(&self.listeners));
        let name = "streaming-listener-bus";
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Some(event) = events.next() {
                    listeners.tell(&event);
                }
            })
            .map_err(|source| Error::thread(name, source))?;
        self.thread_id.get_or_init(|| handle.thread().id());
        Ok(BusThread { queue, handle })
    }

    fn thread(&self) -> MutexGuard<'_, Option<BusThread>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ListenerBus {
    fn default() -> Self {
        ListenerBus::new()
    }
}

impl fmt::Debug for ListenerBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerBus").field("listeners", &self.listeners.list().len()).finish_non_exhaustive()
    }
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;

    struct Tell(Sender<String>);

    impl StreamingListener for Tell {
        fn on_streaming_started(&self, time: Time) {
            self.0.send(format!("started {time}")).unwrap();
        }
        fn on_batch_completed(&self, batch: &BatchInfo) {
            self.0.send(format!("completed {}", batch.batch_time)).unwrap();
        }
    }

    struct Panics;

    impl StreamingListener for Panics {
        fn on_streaming_started(&self, _: Time) {
            panic!("a panic that must stay in the listener");
        }
    }

    fn started(millis: i64) -> StreamingListenerEvent {
        StreamingListenerEvent::StreamingStarted(Time::from_millis(millis))
    }

    #[test]
    fn events_come_in_order_and_a_stop_drains() {
        let bus = ListenerBus::new();
        let (tell, told) = mpsc::channel();
        bus.add(Arc::new(Panics)).unwrap();
        bus.add(Arc::new(Tell(tell))).unwrap();
        for millis in 0..500 {
            bus.post(|| started(millis));
        }
        bus.post(|| StreamingListenerEvent::BatchCompleted(BatchInfo::default()));
        bus.stop();
        let told: Vec<_> = told.try_iter().collect();
        let expected = (0..500).map(|millis| format!("started {millis} ms"));
        assert_eq!(told, expected.chain(["completed 0 ms".to_owned()]).collect::<Vec<_>>());
        bus.post(|| started(1));
        bus.stop();
    }

    #[test]
    fn without_listeners_no_event_is_made() {
        let bus = ListenerBus::new();
        bus.post(|| unreachable!());
        assert!(bus.thread().is_none());
        let (tell, told) = mpsc::channel();
        let id = bus.add(Arc::new(Tell(tell))).unwrap();
        assert!(bus.has_listeners());
        bus.post(|| started(1));
        assert_eq!(told.recv().unwrap(), "started 1 ms");
        assert!(bus.remove(id));
        assert!(!bus.remove(id));
        bus.post(|| unreachable!());
        // The listener is gone, and with it the other end.
        assert_eq!(told.recv(), Err(mpsc::RecvError));
    }

    #[test]
    fn a_listener_knows_the_thread_and_may_stop_the_bus() {
        struct Stops(Arc<ListenerBus>, Sender<bool>);
        impl StreamingListener for Stops {
            fn on_streaming_started(&self, _: Time) {
                self.1.send(self.0.is_bus_thread()).unwrap();
                self.0.stop();
                self.1.send(self.0.is_bus_thread()).unwrap();
            }
        }
        let bus = Arc::new(ListenerBus::new());
        let (tell, told) = mpsc::channel();
        bus.add(Arc::new(Stops(Arc::clone(&bus), tell))).unwrap();
        assert!(!bus.is_bus_thread());
        bus.post(|| started(1));
        assert_eq!(told.recv(), Ok(true));
        assert_eq!(told.recv(), Ok(true));
    }

    /// Says that it is being called, and waits until it may go on.
    struct Grenade(Mutex<(Sender<()>, mpsc::Receiver<()>)>);

    impl StreamingListener for Grenade {
        fn on_streaming_started(&self, _: Time) {
            let ends = self.0.lock().unwrap();
            ends.0.send(()).unwrap();
            ends.1.recv().unwrap();
        }
    }

    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("a drop that panics");
        }
    }

    #[test]
    fn a_listener_that_panics_when_it_is_let_go_of_ends_nothing() {
        let bus = ListenerBus::new();
        let ((called, is_called), (go_on, may_go)) = (mpsc::channel(), mpsc::channel());
        let grenade = bus.add(Arc::new(Grenade(Mutex::new((called, may_go))))).unwrap();
        bus.post(|| started(1));
        is_called.recv().unwrap();
        // It is dropped when it has been called.
        assert!(bus.remove(grenade));
        go_on.send(()).unwrap();
        let (tell, told) = mpsc::channel();
        bus.add(Arc::new(Tell(tell))).unwrap();
        bus.post(|| started(2));
        assert_eq!(told.recv_timeout(std::time::Duration::from_secs(60)).unwrap(), "started 2 ms");
    }

    #[test]
    fn listeners_that_lag_lose_events_but_hold_up_no_one() {
        struct Waits(Mutex<mpsc::Receiver<()>>, Sender<i64>);
        impl StreamingListener for Waits {
            fn on_streaming_started(&self, time: Time) {
                self.0.lock().unwrap().recv().ok();
                self.1.send(time.as_millis()).unwrap();
            }
        }
        let bus = ListenerBus::new();
        let (go, wait) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        bus.add(Arc::new(Waits(Mutex::new(wait), tell))).unwrap();
        for millis in 0..2 * ListenerBus::CAPACITY as i64 {
            bus.post(|| started(millis));
        }
        drop(go);
        bus.stop();
        let told: Vec<_> = told.try_iter().collect();
        assert!((ListenerBus::CAPACITY..=ListenerBus::CAPACITY + 1).contains(&told.len()), "{}", told.len());
        assert!(told.is_sorted_by(|one, next| one < next));
        assert_eq!(bus.dropped.load(Ordering::Relaxed) as usize, 2 * ListenerBus::CAPACITY - told.len());
    }
}
