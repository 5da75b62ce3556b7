//! `save_exactly_once`: into a sink that stores each partition once, however often it is saved.

use std::panic::Location;

use crate::data::Data;
use crate::error::Result;
use crate::fs::FileSystems;
use crate::function::{self, CodeAddress};
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::sink::{BatchPartition, ExactlyOnceSink, Stored};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl<T: Data> Rdd<T> {
    /// Stores the RDD as the batch `time_ms` of an output in a sink, but for partitions that an earlier run has stored.
    ///
    /// The output's name and the time are what tells a repeated batch: they must be the same when it is run again, and so must
    /// the number of partitions. Returns how many partitions were stored now. A partition that is there is not computed
    /// again unless the sink reads its records.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// use millstream_core::sink::FileSink;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// # let directory = std::env::temp_dir().join(format!("save-exactly-once-{}", std::process::id()));
    /// let sink = FileSink::new(&directory, TextFormat::default())?;
    /// let numbers = context.parallelize(1..=4, 2);
    /// assert_eq!(numbers.save_exactly_once("numbers", 1000, sink.clone())?, 2);
    /// assert_eq!(numbers.save_exactly_once("numbers", 1000, sink)?, 0);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_exactly_once<S: ExactlyOnceSink<T>>(
        &self,
        output: impl Into<String>,
        time_ms: u64,
        sink: S,
    ) -> Result<usize> {
        let name = "save_exactly_once";
        let files = self.context().file_systems();
        let store = Store { parent: self.clone(), files, output: output.into(), time_ms, sink };
        let stored = Rdd::checked(self.context(), name, Location::caller(), Ok(Box::new(store)), 0);
        let now = stored.run(name, stored.all_partitions(), (), |(), input, _| {
            let mut now = 0;
            stream::drain(input, |chunk| {
                chunk.for_each(|stored| now += usize::from(*stored == Stored::Now));
                Ok(())
            })?;
            Ok(now)
        })?;
        Ok(now.into_iter().sum())
    }
}

/// An RDD whose partitions say what became of its parent's.
struct Store<T: Data, S> {
    parent: Rdd<T>,
    files: FileSystems,
    output: String,
    time_ms: u64,
    sink: S,
}

impl<T: Data, S: ExactlyOnceSink<T>> Compute<Stored> for Store<T, S> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<Stored>> {
        let id = BatchPartition {
            output: self.output.clone(),
            time_ms: self.time_ms,
            partition,
            partitions: self.parent.num_partitions(),
        };
        let stored = self.sink.store(&id, self.parent.stream(partition, task)?, &self.files)?;
        Ok(stream::from_vec(vec![stored]))
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data, S: ExactlyOnceSink<T>>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (output, time_ms, sink): (String, u64, S) =
                function::decode("exactly-once output", from.env)?;
            let (parent, files) = (Rdd::<T>::from_any(from.parent(0)?)?, from.context.file_systems());
            let store = Store { parent, files, output, time_ms, sink };
            Ok(Rdd::from_compute(from.context, "save_exactly_once", store).any())
        }
        let rebuild: Rebuild = rebuild::<T, S>;
        let env = function::encode("exactly-once output", &(&self.output, self.time_ms, &self.sink));
        Some(Recipe { build: CodeAddress::of::<(T, S)>(rebuild as usize), env })
    }
}
