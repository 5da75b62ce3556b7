//! Stops that could wait for ever: for a receiver, for an output, for what panics.

use std::sync::{Arc, Mutex, mpsc};

use millstream_core::Error as CoreError;
use millstream_streaming::testing::Driver;
use millstream_streaming::{Receiver, ReceiverHandle, StopHandle, StreamingContextState};

use crate::stops::{Handle, streaming, wait_for};
use crate::tables::{LONG, SECOND, conf, millis};

/// Is not done with its stop before the test is.
struct Holds(Mutex<mpsc::Sender<()>>, Mutex<mpsc::Receiver<()>>);

impl Receiver<i32> for Holds {
    fn on_start(&self, _: &ReceiverHandle<i32>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }

    fn on_stop(&self) {
        self.0.lock().unwrap().send(()).unwrap();
        // Until the test ends.
        let _ = self.1.lock().unwrap().recv();
    }
}

#[test]
fn a_stop_at_once_cuts_short_a_graceful_one_that_waits_for_a_receiver() {
    let conf = conf("local[2]").set("spark.streaming.gracefulStopTimeout", "1h");
    let driver = Driver::new(conf, SECOND).unwrap();
    let (stopping, stops) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel();
    let receiver = Holds(Mutex::new(stopping), Mutex::new(may_go));
    driver.streaming().receiver_stream(receiver).foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    let graceful = steps.running.stop_handle();
    let graceful = std::thread::spawn(move || graceful.stop(true, true));
    stops.recv_timeout(LONG).unwrap();
    stop(steps.running.stop_handle(), false);
    graceful.join().unwrap().unwrap();
    drop(go_on);
}

/// Fails if that hangs.
pub(crate) fn stop(handle: StopHandle, graceful: bool) {
    let (stopped, is_stopped) = mpsc::channel();
    std::thread::spawn(move || stopped.send(handle.stop(true, graceful)));
    is_stopped.recv_timeout(LONG).expect("the stop hangs").unwrap();
}

#[test]
fn a_stop_at_once_cuts_short_a_graceful_one_that_waits_for_another_output_than_the_one_that_failed() {
    let driver = Driver::new(conf("local[2]").set("spark.streaming.concurrentJobs", "2"), SECOND).unwrap();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let (begun, begins) = mpsc::channel();
    let begins = Mutex::new(begins);
    let input = driver.input(vec![vec![1]]);
    input.foreach_rdd(move |_| {
        begun.send(()).unwrap();
        // Until the test ends.
        let _ = may_go.lock().unwrap().recv();
    });
    input.foreach_rdd(move |_| {
        begins.lock().unwrap().recv_timeout(LONG).map_err(CoreError::user)?;
        Err::<(), _>(CoreError::user("at once"))
    });
    let steps = driver.start().unwrap();
    steps.step().unwrap_err();
    let graceful = steps.running.stop_handle();
    let graceful = std::thread::spawn(move || graceful.stop(true, true));
    // Whichever of the two begins first; here most likely the one above.
    std::thread::sleep(millis(50));
    stop(steps.running.stop_handle(), false);
    graceful.join().unwrap().unwrap();
    drop(go_on);
}

struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("a drop that panics");
    }
}

#[test]
fn what_panics_when_the_streams_let_go_of_it_keeps_nobody_waiting() {
    let (handle, streaming) = (Handle::default(), streaming(5));
    let (own, held) = (Arc::clone(&handle), Grenade);
    let numbers = streaming.generator_stream(1, |_, _| 0..3).map(move |n: i32| {
        let _held = &held;
        n
    });
    numbers.foreach_rdd(move |_| wait_for(&own).stop(true, false));
    drop(numbers);
    let running = streaming.start().unwrap();
    handle.set(running.stop_handle()).ok().unwrap();
    assert!(running.await_termination_or_timeout(LONG).unwrap(), "it hangs");
    assert_eq!(running.state(), StreamingContextState::Stopped);
}
