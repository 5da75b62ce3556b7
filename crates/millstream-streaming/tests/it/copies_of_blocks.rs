//! Levels that ask for several copies, of which one process keeps one.

use std::fmt;
use std::sync::{Arc, Mutex};

use millstream_core::{Context, StorageLevel};
use millstream_streaming::StreamingContext;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::server::HOST;
use crate::tables::{SECOND, conf};

/// Keeps the texts of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text<'a>(&'a mut Vec<String>);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.push(format!("{value:?}"));
        }
    }
}

#[test]
fn a_level_of_two_copies_says_once_that_it_keeps_one() {
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let context = Context::new(conf("local[1]")).unwrap();
        let numbers = |level| context.parallelize([1], 1).persist_with(level);
        let _kept = [numbers(StorageLevel::MEMORY_AND_DISK), numbers(StorageLevel::MEMORY_ONLY_2)];
        let _again = numbers(StorageLevel::DISK_ONLY_2);
        let streaming = StreamingContext::new(&context, SECOND).unwrap();
        // Nobody has asked for the copies of the default.
        streaming.socket_text_stream(HOST, 1);
        for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_AND_DISK_2, StorageLevel::MEMORY_ONLY_2]
        {
            streaming.socket_text_stream_with(HOST, 1, level);
        }
    });
    let expected = [
        "the program runs in one process: of kept partitions there is one copy, not 2",
        "the program runs in one process: of a receiver's blocks at StorageLevel(disk, memory, deserialized, 2 replicas) \
         there is one copy",
    ];
    assert_eq!(*warnings.0.lock().unwrap(), expected);
}
