//! The names nearly every program needs: `use millstream::prelude::*;`.

pub use std::time::Duration;

pub use millstream_core::text::{Text, java_split, words};
pub use millstream_core::{
    Conf, Context, Data, Key, OrderedFloat, Partitioner, Rdd, Show, StorageLevel, TaskContext, WorkerPool,
};
pub use millstream_streaming::listener::StreamingListener;
pub use millstream_streaming::{
    DStream, Error, RddQueue, Result, RunningContext, State, StateSpec, StreamingContext, Time, UpdateOptions,
};
