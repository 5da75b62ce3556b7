//! The life of a context and of its worker threads.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::SystemTime;

use millstream_core::{Conf, Context, Error, TaskContext};

use crate::{context, on};

/// Tells when the thread it lies on has ended.
struct OnThread(Sender<()>);

impl Drop for OnThread {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: RefCell<Option<OnThread>> = const { RefCell::new(None) };
}

/// Hears from each of a context's two worker threads when it ends.
fn watch(context: &Context) -> Receiver<()> {
    let (send, ended) = channel();
    let (send, both) = (Mutex::new(send), Barrier::new(2));
    let watched = context.parallelize([(), ()], 2).foreach(move |()| {
        // Neither thread runs both tasks.
        both.wait();
        END.set(Some(OnThread(send.lock().unwrap().clone())));
    });
    watched.unwrap();
    ended
}

#[test]
fn worker_threads_end_with_the_last_handle() {
    let context = on("local[2]");
    let ended = watch(&context);
    let rdd = context.parallelize(0..10, 2);
    let clone = context.clone();
    drop((context, clone));
    assert_eq!(rdd.map(|n| n + 1).count().unwrap(), 10);
    assert!(ended.try_recv().is_err(), "an RDD holds its context");
    drop(rdd);
    assert_eq!(ended.iter().count(), 2);
}

#[test]
fn the_last_handle_may_be_dropped_on_a_worker_thread() {
    let context = on("local[2]");
    let ended = watch(&context);
    let (started, go) = (channel(), channel::<()>());
    let started_here = Mutex::new(started.0);
    let go_there = Mutex::new(go.1);
    let rdd = context.parallelize([0], 1).map(move |n| {
        started_here.lock().unwrap().send(()).unwrap();
        go_there.lock().unwrap().recv().unwrap();
        n
    });
    let job = std::thread::spawn(move || rdd.count());
    started.1.recv().unwrap();
    context.stop();
    assert!(matches!(job.join().unwrap().unwrap_err(), Error::Cancelled { .. }));
    drop(context);
    // Now only the task that still runs holds the context.
    go.0.send(()).unwrap();
    assert_eq!(ended.iter().count(), 2);
}

#[test]
fn nothing_runs_after_a_stop() {
    let context = context();
    let rdd = context.parallelize(0..10, 2);
    assert!(!context.is_stopped());
    context.stop();
    context.stop();
    assert!(context.is_stopped());
    assert!(matches!(rdd.count().unwrap_err(), Error::Stopped));
    assert!(matches!(rdd.foreach(|_| ()).unwrap_err(), Error::Stopped));
    assert!(matches!(context.empty_rdd::<u8>().count().unwrap_err(), Error::Stopped));
    // What is made of it later is refused as soon as something is asked of it.
    assert!(matches!(context.parallelize(1..=100, 2).count().unwrap_err(), Error::Stopped));
    let there = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(matches!(context.text_file(there).count().unwrap_err(), Error::Stopped));
    let list = context.broadcast(vec![1, 2, 3]);
    let sums = rdd.map_env(list, |list, n| list.value().len() + n);
    assert!(matches!(sums.collect().unwrap_err(), Error::Stopped));
}

#[test]
fn a_stop_cancels_what_runs() {
    let context = context();
    let (send, started) = channel();
    let send = Mutex::new(send);
    let rdd = context.parallelize(0..10, 2).map(move |_| {
        send.lock().unwrap().send(()).unwrap();
        // A closure that asks whether it is still wanted.
        while TaskContext::get().unwrap().check_cancelled().is_ok() {
            std::thread::yield_now();
        }
    });
    let job = std::thread::spawn(move || rdd.count());
    started.recv().unwrap();
    context.stop();
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert!(error.to_string().ends_with("was cancelled: the context was stopped"), "{error}");
    // Ends once both tasks have.
    drop(context);
}

#[test]
fn a_cancelled_task_ends_at_the_next_chunk() {
    let context = on("local[2]");
    let ended = watch(&context);
    let (send, started) = channel();
    let send = Mutex::new(Some(send));
    let endless = context.generate(1, |_| 0_u64..).map(move |n| {
        if let Some(send) = send.lock().unwrap().take() {
            send.send(()).unwrap();
        }
        n
    });
    let job = std::thread::spawn(move || endless.filter(|n| n % 2 == 0).count());
    started.recv().unwrap();
    context.stop();
    assert!(job.join().unwrap().is_err());
    drop(context);
    assert_eq!(ended.iter().count(), 2);
}

#[test]
fn contexts_know_nothing_of_each_other() {
    let (one, other) = (on("local[1]"), on("local[3]"));
    let (ones, others) = (one.parallelize(0..10, 2), other.parallelize(0..100, 2));
    assert_eq!((one.default_parallelism(), other.default_parallelism()), (1, 3));
    assert_eq!(ones.id(), others.id());
    one.stop();
    assert!(ones.count().is_err());
    assert_eq!(others.count().unwrap(), 100);
}

#[test]
fn a_run_has_a_name_a_master_a_beginning_and_an_id_of_its_own() {
    let before = SystemTime::now();
    let conf = Conf::empty().set_master("local[3]").set_app_name("counts");
    let [one, other] = [conf.clone(), conf].map(|conf| Context::new(conf).unwrap());
    let after = SystemTime::now();
    assert_eq!((one.app_name(), one.master()), ("counts".to_owned(), "local[3]".to_owned()));
    assert!(
        before <= one.start_time() && one.start_time() <= other.start_time() && other.start_time() <= after
    );
    assert!(one.is_local() && one.application_id().starts_with("local-"), "{}", one.application_id());
    assert_eq!(one.application_id(), one.clone().application_id());
    assert_ne!(one.application_id(), other.application_id());
    assert_eq!(one.version(), env!("CARGO_PKG_VERSION"));
    assert!(one.is_same(&one.clone()) && !one.is_same(&other));
}

/// Spark's SparkContextInfoSuite.
#[test]
fn persistent_rdds_are_those_that_are_persisted_now() {
    let context = context();
    assert!(context.get_persistent_rdds().is_empty());
    let numbers = context.parallelize([1, 2, 3, 4], 2).set_name("numbers").cache();
    let again = context.parallelize([1], 1).map(|n| n).persist();
    let before = context.get_persistent_rdds();
    assert!(before.keys().eq([&numbers.id(), &again.id()]));
    let infos = || context.get_rdd_storage_info().into_iter().map(|info| info.name).collect::<Vec<_>>();
    assert!(infos().is_empty());
    numbers.collect().unwrap();
    again.collect().unwrap();
    // By the name that was given, else by the operator's.
    assert_eq!(infos(), ["numbers", "map"]);
    numbers.unpersist();
    assert!(context.get_persistent_rdds().keys().eq([&again.id()]));
    assert_eq!(before.len(), 2);
    assert_eq!(infos(), ["map"]);
}

#[test]
fn a_name_belongs_to_one_rdd_and_all_its_handles() {
    let context = context();
    let numbers = context.parallelize([1], 1);
    let handle = numbers.clone();
    assert_eq!(numbers.set_name("numbers").name().as_deref(), Some("numbers"));
    assert_eq!(handle.name().as_deref(), Some("numbers"));
    let mapped = handle.map(|n| n);
    assert_eq!(mapped.name(), None);
    handle.set_name(String::from("few numbers"));
    assert!(numbers.to_debug_string().contains("few numbers parallelize["), "{}", numbers.to_debug_string());
    assert!(mapped.to_debug_string().starts_with("(1) map["), "{}", mapped.to_debug_string());
    assert!(mapped.to_debug_string().contains("few numbers parallelize["), "{}", mapped.to_debug_string());
}

#[test]
fn a_context_can_be_used_from_within_a_task_of_another() {
    let inner = Arc::new(context());
    let there = Arc::clone(&inner);
    let counts = context().parallelize([3, 5], 2).map(move |n| there.parallelize(0..n, 1).count().is_err());
    // On the driver only, whichever context it is.
    assert_eq!(counts.collect().unwrap(), [true, true]);
    assert_eq!(inner.parallelize(0..3, 1).count().unwrap(), 3);
}

#[test]
fn settings_that_can_not_be_used_are_found_at_once() {
    for (key, value) in
        [("spark.master", "local[0]"), ("spark.task.maxFailures", "0"), ("spark.default.parallelism", "x")]
    {
        let error = Context::new(Conf::empty().set(key, value)).err().unwrap();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().contains(key) && error.to_string().contains(value), "{error}");
    }
}
