//! What listeners are told: in which order, and with which numbers.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use millstream_streaming::listener::{
    BatchInfo, OutputOperationInfo, ReceiverInfo, StreamInputInfo, StreamingListener,
    StreamingListenerEvent as Event,
};
use millstream_streaming::testing::{Driver, Steps, batches};
use millstream_streaming::{StreamId, Time};

use crate::fed::fed_stream;
use crate::tables::{LONG, SECOND, conf, millis, seconds, step};

/// Keeps all events.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Events {
    fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl StreamingListener for Events {
    fn on_streaming_started(&self, time: Time) {
        self.push(Event::StreamingStarted(time));
    }
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        self.push(Event::ReceiverStarted(receiver.clone()));
    }
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        self.push(Event::ReceiverError(receiver.clone()));
    }
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        self.push(Event::ReceiverStopped(receiver.clone()));
    }
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.push(Event::BatchSubmitted(batch.clone()));
    }
    fn on_batch_started(&self, batch: &BatchInfo) {
        self.push(Event::BatchStarted(batch.clone()));
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.push(Event::BatchCompleted(batch.clone()));
    }
    fn on_output_operation_started(&self, operation: &OutputOperationInfo) {
        self.push(Event::OutputOperationStarted(operation.clone()));
    }
    fn on_output_operation_completed(&self, operation: &OutputOperationInfo) {
        self.push(Event::OutputOperationCompleted(operation.clone()));
    }
}

/// What an event is, without its numbers.
fn shape(event: &Event) -> String {
    match event {
        Event::StreamingStarted(_) => "started".into(),
        Event::ReceiverStarted(receiver) => format!("receiver {} started", receiver.stream_id),
        Event::ReceiverError(receiver) => format!("receiver {} error", receiver.stream_id),
        Event::ReceiverStopped(receiver) => format!("receiver {} stopped", receiver.stream_id),
        Event::BatchSubmitted(batch) => format!("submitted {}", batch.batch_time.as_millis()),
        Event::BatchStarted(batch) => format!("began {}", batch.batch_time.as_millis()),
        Event::BatchCompleted(batch) => format!("completed {}", batch.batch_time.as_millis()),
        Event::OutputOperationStarted(operation) => {
            format!("output {} began {}", operation.id, operation.batch_time.as_millis())
        }
        Event::OutputOperationCompleted(operation) => {
            format!("output {} completed {}", operation.id, operation.batch_time.as_millis())
        }
        other => format!("{other:?}"),
    }
}

fn shapes(events: &[Event]) -> Vec<String> {
    events.iter().map(shape).collect()
}

fn observed(driver: Driver) -> (Steps, Arc<Events>) {
    let events = Arc::new(Events::default());
    driver.streaming().add_streaming_listener(Arc::clone(&events) as _).unwrap();
    (driver.start().unwrap(), events)
}

fn completed(events: &[Event]) -> Vec<BatchInfo> {
    let batch = |event: &Event| match event {
        Event::BatchCompleted(batch) => Some(batch.clone()),
        _ => None,
    };
    events.iter().filter_map(batch).collect()
}

#[test]
fn the_events_of_batches_and_outputs_come_in_order() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let input = driver.input(batches![[1, 2, 3], []]);
    input.foreach_rdd(|_| ());
    input.foreach_rdd(|rdd| rdd.count().map(drop));
    let (steps, events) = observed(driver);
    step(&steps, 2);
    // The stop waits until the listeners have seen everything.
    steps.running.stop(true, false).unwrap();
    let events = events.take();
    let expected = [
        "started",
        "submitted 1000",
        "began 1000",
        "output 0 began 1000",
        "output 0 completed 1000",
        "output 1 began 1000",
        "output 1 completed 1000",
        "completed 1000",
        "submitted 2000",
        "began 2000",
        "output 0 began 2000",
        "output 0 completed 2000",
        "output 1 began 2000",
        "output 1 completed 2000",
        "completed 2000",
    ];
    assert_eq!(shapes(&events), expected);
    let records: Vec<u64> = completed(&events).iter().map(BatchInfo::num_records).collect();
    assert_eq!(records, [3, 0]);
    for event in &events {
        match event {
            Event::StreamingStarted(time) => assert_eq!(*time, Time::from_millis(0)),
            Event::BatchSubmitted(batch) => {
                assert_eq!(batch.submission_time, batch.batch_time);
                assert_eq!([batch.processing_start_time, batch.processing_end_time], [None, None]);
                assert_eq!(batch.output_operation_infos.len(), 2);
            }
            Event::BatchStarted(batch) => {
                assert_eq!(batch.processing_start_time, Some(batch.batch_time));
                assert_eq!(batch.processing_end_time, None);
            }
            Event::OutputOperationCompleted(operation) => {
                assert!(operation.name.starts_with("foreach_rdd at "), "{}", operation.name);
                assert_eq!(operation.description, ["input/foreach_rdd", "input/foreach_rdd#2"][operation.id]);
                assert_eq!(operation.duration(), Some(Duration::ZERO));
                assert_eq!(operation.failure_reason, None);
            }
            _ => {}
        }
    }
}

/// Spark's case of four batches with a record each.
#[test]
fn batch_info_reporting() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let mapped = driver.input(batches![[1], [2], [3], [4]]).map(|n| n);
    for _ in 0..3 {
        mapped.foreach_rdd(|rdd| rdd.count().map(drop));
    }
    let (steps, events) = observed(driver);
    step(&steps, 4);
    steps.running.stop(true, false).unwrap();
    let events = events.take();
    let infos = |of: fn(&Event) -> Option<&BatchInfo>| events.iter().filter_map(of).collect::<Vec<_>>();
    let submitted = infos(|event| if let Event::BatchSubmitted(batch) = event { Some(batch) } else { None });
    let started = infos(|event| if let Event::BatchStarted(batch) = event { Some(batch) } else { None });
    let completed = infos(|event| if let Event::BatchCompleted(batch) = event { Some(batch) } else { None });
    let delays =
        |batch: &BatchInfo| [batch.scheduling_delay(), batch.processing_delay(), batch.total_delay()];
    let none = Some(Duration::ZERO);
    for (told, expected) in [(&submitted, [None; 3]), (&started, [none, None, None]), (&completed, [none; 3])]
    {
        let times: Vec<_> = told.iter().map(|batch| batch.submission_time.as_millis()).collect();
        assert_eq!(times, [1000, 2000, 3000, 4000]);
        for batch in told {
            assert_eq!(delays(batch), expected);
            assert_eq!(batch.num_records(), 1);
            let input = (StreamId(0), StreamInputInfo::new(StreamId(0), 1));
            assert_eq!(batch.stream_id_to_input_info, [input].into());
        }
    }
    let operations = events.iter().filter_map(|event| match event {
        Event::OutputOperationStarted(operation) | Event::OutputOperationCompleted(operation) => {
            Some(operation.id)
        }
        _ => None,
    });
    assert_eq!(operations.collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2].repeat(4));
}

/// The streams of Spark's case of numbered inputs, with the records of its case of what they report.
#[test]
fn inputs_are_numbered_and_tell_of_each_batch_what_it_was_given() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (first, first_feed) = fed_stream::<i32>(driver.streaming());
    let (second, second_feed) = fed_stream::<i32>(driver.streaming());
    let others = [1, 2, 3].map(|records| driver.input(vec![vec![0; records]]));
    driver.streaming().union([first, second].into_iter().chain(others)).foreach_rdd(|_| ());
    let (steps, events) = observed(driver);
    first_feed.handle().store_each(vec![0; 100]).unwrap();
    second_feed.handle().store_each(vec![0; 300]).unwrap();
    step(&steps, 2);
    steps.running.stop(true, false).unwrap();
    let events = events.take();
    let told: Vec<Vec<u64>> = completed(&events)
        .iter()
        .map(|batch| {
            let inputs = &batch.stream_id_to_input_info;
            assert!(inputs.iter().all(|(id, input)| input.input_stream_id == *id));
            (0..5).map(|id| inputs[&StreamId(id)].num_records).collect()
        })
        .collect();
    assert_eq!(told, [[100, 300, 1, 2, 3], [0; 5]]);
    let mut receivers = shapes(&events);
    receivers.retain(|shape| shape.starts_with("receiver") && shape.ends_with("started"));
    receivers.sort();
    assert_eq!(receivers, ["receiver 0 started", "receiver 1 started"]);
}

#[test]
fn delays_are_those_of_the_clock() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (entered, waits) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    driver.input(batches![[1], [2]]).foreach_rdd(move |_| {
        entered.send(()).unwrap();
        may_go.lock().unwrap().recv_timeout(LONG).map_err(millstream_core::Error::user)
    });
    let (steps, events) = observed(driver);
    let clock = &steps.clock;
    let wait = || waits.recv_timeout(LONG).unwrap();

    clock.set_time(Time::from_millis(1000));
    wait(); // batch 1000 runs
    clock.set_time(Time::from_millis(2000));
    // Batch 2000 is submitted at 2000 and waits for the first, which ends at 2600.
    while !shapes(&events.0.lock().unwrap()).contains(&"submitted 2000".to_owned()) {
        std::thread::yield_now();
    }
    clock.set_time(Time::from_millis(2600));
    go_on.send(()).unwrap();
    wait(); // batch 2000 runs
    clock.set_time(Time::from_millis(2750));
    go_on.send(()).unwrap();
    assert!(steps.running.await_batch(Time::from_millis(2000), LONG).unwrap());
    steps.running.stop(true, false).unwrap();

    let completed = completed(&events.take());
    let delays =
        |batch: &BatchInfo| [batch.scheduling_delay(), batch.processing_delay(), batch.total_delay()];
    assert_eq!(delays(&completed[0]), [0, 1600, 1600].map(|n| Some(millis(n))));
    assert_eq!(delays(&completed[1]), [600, 150, 750].map(|n| Some(millis(n))));
    assert!(completed.iter().all(|batch| batch.processing_time.is_some()));
}

#[test]
fn a_failure_is_told_with_its_reason_and_ends_its_batch() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let input = driver.input(batches![[1], [2]]);
    input.foreach_rdd(|_| ());
    input.foreach_rdd(|_| Err::<(), _>("the disk is full"));
    input.foreach_rdd(|_| ());
    let (steps, events) = observed(driver);
    steps.step().unwrap_err();
    steps.running.stop(true, false).unwrap();
    let events = events.take();
    let expected = [
        "started",
        "submitted 1000",
        "began 1000",
        "output 0 began 1000",
        "output 0 completed 1000",
        "output 1 began 1000",
        "output 1 completed 1000",
        "completed 1000",
    ];
    assert_eq!(shapes(&events), expected);
    let batch = &completed(&events)[0];
    let reasons: Vec<_> =
        batch.output_operation_infos.values().map(|output| output.failure_reason.clone()).collect();
    assert_eq!([&reasons[0], &reasons[2]], [&None, &None]);
    assert!(reasons[1].as_ref().unwrap().contains("the disk is full"), "{reasons:?}");
}

#[test]
fn receivers_are_told_of_and_what_they_gave_to_each_batch() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (first, first_feed) = fed_stream::<i32>(driver.streaming());
    let (second, second_feed) = fed_stream::<String>(driver.streaming());
    first.count().print();
    second.count().print();
    let (steps, events) = observed(driver);
    let (numbers, texts) = (first_feed.handle(), second_feed.handle());
    numbers.store_each(vec![1, 2, 3]).unwrap();
    texts.store("one".into()).unwrap();
    step(&steps, 1);
    numbers.store(4).unwrap();
    step(&steps, 1);
    texts.report_error("a hiccup", &std::io::Error::other("of the line"));
    texts.stop("enough");
    // The receivers' events come from their own threads.
    while !shapes(&events.0.lock().unwrap()).contains(&"receiver 1 stopped".to_owned()) {
        std::thread::yield_now();
    }
    step(&steps, 1);
    steps.running.stop(true, false).unwrap();
    let events = events.take();

    let inputs: Vec<_> = completed(&events).into_iter().map(|batch| batch.stream_id_to_input_info).collect();
    let input = |id, records| (StreamId(id), StreamInputInfo::new(StreamId(id), records));
    assert_eq!(inputs, [[3, 1], [1, 0], [0, 0]].map(|[a, b]| [input(0, a), input(1, b)].into()));

    let of_second = |event: &&Event| shape(event).starts_with("receiver 1");
    let told: Vec<_> = events.iter().filter(of_second).map(shape).collect();
    assert_eq!(told, ["receiver 1 started", "receiver 1 error", "receiver 1 stopped"]);
    for event in events.iter().filter(of_second) {
        match event {
            Event::ReceiverStarted(info) => assert!(info.active && info.name == "Fed-1", "{info:?}"),
            Event::ReceiverError(info) => {
                assert_eq!((&*info.last_error_message, &*info.last_error), ("a hiccup", "of the line"));
            }
            Event::ReceiverStopped(info) => {
                assert!(!info.active && info.last_error_message == "enough", "{info:?}")
            }
            _ => {}
        }
    }
    let stops = events.iter().filter(|event| shape(event) == "receiver 0 stopped").count();
    assert_eq!(stops, 1);
}

#[test]
fn what_a_sliding_window_reads_is_counted_in_the_batch_in_which_it_is_due() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.input(batches![[1], [2, 3], [4], [], [5]]).window(seconds(2), seconds(2)).print();
    let (steps, events) = observed(driver);
    step(&steps, 6);
    steps.running.stop(true, false).unwrap();
    let told = completed(&events.take());
    let told: Vec<_> = told.iter().map(|batch| (batch.batch_time.as_millis(), batch.num_records())).collect();
    assert_eq!(told, [(2000, 3), (4000, 1), (6000, 1)]);
}

#[test]
fn a_listener_that_was_removed_or_panics_disturbs_nobody() {
    struct Panics;
    impl StreamingListener for Panics {
        fn on_batch_submitted(&self, _: &BatchInfo) {
            panic!("a listener's own");
        }
    }
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let collected = driver.collect(&driver.input(batches![[1], [2]]));
    driver.streaming().add_streaming_listener(Arc::new(Panics)).unwrap();
    let removed = Arc::new(Events::default());
    let id = driver.streaming().add_streaming_listener(Arc::clone(&removed) as _).unwrap();
    let (steps, events) = observed(driver);
    assert!(steps.running.remove_streaming_listener(id));
    assert!(!steps.running.remove_streaming_listener(id));
    let late = Arc::new(Events::default());
    step(&steps, 1);
    steps.running.add_streaming_listener(Arc::clone(&late) as _).unwrap();
    step(&steps, 1);
    steps.running.stop(true, false).unwrap();
    assert_eq!(collected.batches(), [[1], [2]]);
    assert_eq!(completed(&events.take()).len(), 2);
    assert_eq!(completed(&late.take()).last().unwrap().batch_time, Time::from_millis(2000));
    assert!(removed.take().iter().all(|event| matches!(event, Event::StreamingStarted(_))));
}
