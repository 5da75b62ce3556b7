//! What can not be started, and what is said about it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use millstream_core::{Conf, Context};
use millstream_streaming::{DStream, StreamingContext, StreamingContextState};

use crate::tables::{conf, millis, seconds};

fn streaming() -> StreamingContext {
    StreamingContext::new(Conf::empty(), seconds(1)).unwrap()
}

fn numbers(streaming: &StreamingContext) -> DStream<i64> {
    streaming.generator_stream(1, |time, _| [time.as_millis()])
}

fn refusal(streaming: StreamingContext) -> String {
    streaming.start().err().expect("the start was not refused").to_string()
}

/// The text of a panic of `f`.
fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("nothing panicked");
    panic.downcast_ref::<String>().cloned().expect("the panic has a text")
}

#[test]
fn without_an_output_there_is_nothing_to_run() {
    let streaming = streaming();
    numbers(&streaming).map(|n| n + 1);
    let refusal = refusal(streaming);
    assert!(refusal.contains("no output operation"), "{refusal}");
    assert!(refusal.contains("`print`") && refusal.contains("`foreach_rdd`"), "{refusal}");
}

#[test]
fn a_window_that_is_no_multiple_of_the_interval() {
    let streaming = streaming();
    let line = line!() + 1;
    numbers(&streaming).window(millis(2500), seconds(1)).print();
    let refusal = refusal(streaming);
    assert!(refusal.contains(&format!("window at {}:{line}:", file!())), "{refusal}");
    assert!(refusal.contains("the window of 2500 ms") && refusal.contains("1000 ms between"), "{refusal}");
    assert!(refusal.contains("use 3000 ms"), "{refusal}");
}

#[test]
fn the_remedy_for_a_window_can_be_followed() {
    let streaming = streaming();
    numbers(&streaming).window(millis(3000), seconds(1)).print();
    streaming.start().unwrap().stop(true, false).unwrap();
}

#[test]
fn a_slide_that_is_no_multiple_of_the_interval() {
    let streaming = streaming();
    let pairs = numbers(&streaming).map(|n| (n, n));
    let plain = line!() + 1;
    pairs.reduce_by_key_and_window(|a, b| a + b, seconds(3), millis(1500)).print();
    let (add, take) = (|a, b| a + b, |a, b| a - b);
    let inverse = line!() + 1;
    pairs.reduce_by_key_and_window_with_inverse(add, take, seconds(3), Duration::ZERO).print();
    let refusal = refusal(streaming);
    // All that is wrong is said at once.
    assert!(refusal.contains(&format!("{}:{plain}:", file!())), "{refusal}");
    assert!(refusal.contains("the slide of 1500 ms") && refusal.contains("use 2000 ms"), "{refusal}");
    assert!(refusal.contains(&format!("{}:{inverse}:", file!())), "{refusal}");
    assert!(refusal.contains("the slide of 0 ms") && refusal.contains("use 1000 ms"), "{refusal}");
}

#[test]
fn a_window_on_a_window_counts_from_the_slide_of_the_first() {
    let streaming = streaming();
    numbers(&streaming).window(seconds(2), seconds(2)).window(seconds(3), seconds(3)).print();
    let refusal = refusal(streaming);
    assert!(refusal.contains("the window of 3000 ms") && refusal.contains("use 4000 ms"), "{refusal}");
}

#[test]
fn a_union_of_streams_with_different_slides() {
    let streaming = streaming();
    let numbers = numbers(&streaming);
    let line = line!() + 1;
    numbers.union(&numbers.window(seconds(2), seconds(2))).print();
    let refusal = refusal(streaming);
    assert!(refusal.contains(&format!("union at {}:{line}:", file!())), "{refusal}");
    assert!(refusal.contains("different slides, 1s and 2s"), "{refusal}");
}

#[test]
fn a_union_of_streams_of_two_contexts() {
    let (streaming, other) = (streaming(), streaming());
    let line = line!() + 1;
    numbers(&streaming).union(&numbers(&other)).print();
    let refusal = refusal(streaming);
    assert!(refusal.contains(&format!("union at {}:{line}:", file!())), "{refusal}");
    assert!(refusal.contains("different streaming contexts"), "{refusal}");
}

#[test]
fn an_interval_that_is_no_whole_number_of_milliseconds() {
    for interval in [Duration::ZERO, Duration::from_micros(999), Duration::from_micros(1500), Duration::MAX] {
        let refusal = StreamingContext::new(Conf::empty(), interval).err().unwrap().to_string();
        assert!(refusal.contains(&format!("{interval:?}")), "{refusal}");
        assert!(refusal.contains("Duration::from_millis(1)"), "{refusal}");
    }
}

#[test]
fn a_setting_that_can_not_be_used() {
    let wrong = Conf::empty().set("spark.streaming.blockInterval", "soon");
    let refusal = StreamingContext::new(wrong, seconds(1)).err().unwrap().to_string();
    assert!(refusal.contains("spark.streaming.blockInterval") && refusal.contains("soon"), "{refusal}");
}

#[test]
fn a_refused_start_leaves_the_context_usable() {
    let context = Context::new(conf("local[1]")).unwrap();
    let streaming = StreamingContext::new(&context, seconds(1)).unwrap();
    assert!(streaming.start().is_err());
    assert_eq!(context.parallelize(1..=3, 1).count().unwrap(), 3);
}

#[test]
fn operators_and_outputs_after_the_start_name_the_callers_line() {
    let streaming = streaming();
    let numbers = numbers(&streaming);
    numbers.print();
    let running = streaming.start().unwrap();
    for stopped in [false, true] {
        if stopped {
            running.stop(true, false).unwrap();
        }
        let line = line!() + 1;
        let text = panic_of(|| drop(numbers.map(|n| n + 1)));
        assert!(text.contains(&format!("map at {}:{line}:", file!())), "{text}");
        assert!(text.contains("after the streaming context was started"), "{text}");
        let line = line!() + 1;
        let text = panic_of(|| drop(numbers.foreach_rdd(|_| ())));
        assert!(text.contains(&format!("foreach_rdd at {}:{line}:", file!())), "{text}");
        let line = line!() + 1;
        let text = panic_of(|| drop(numbers.window(seconds(1), seconds(1))));
        assert!(text.contains(&format!("window at {}:{line}:", file!())), "{text}");
    }
}

#[test]
fn states() {
    let streaming = streaming();
    assert_eq!(streaming.state(), StreamingContextState::Initialized);
    numbers(&streaming).print();
    let running = streaming.start().unwrap();
    let handle = running.stop_handle();
    assert_eq!(running.state(), StreamingContextState::Active);
    assert!(!running.await_termination_or_timeout(Duration::ZERO).unwrap());
    running.stop(true, false).unwrap();
    assert_eq!([running.state(), handle.state()], [StreamingContextState::Stopped; 2]);
    assert!(running.await_termination_or_timeout(Duration::ZERO).unwrap());
    running.await_termination().unwrap();
}
