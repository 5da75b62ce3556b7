//! The rows. To add a setting, add a row; to make one do something, use its constant and take away `without_effect`.

use std::time::Duration;

use super::row::{Row, Section, Setting, boolean, duration, float, integer, list, size, text};
use super::value::SizeUnit::{Bytes, Mebibytes};
use super::value::TimeUnit::{Millis, Seconds};

/// Writes the constants and, from the same lines, the table.
///
/// A row is `/// what it means` and `NAME: type = "key", how its text is read and what holds if there is none;`.
macro_rules! settings {
    ($( section $title:literal $( $(#[doc = $doc:literal])+ $name:ident: $type:ty = $key:literal, $row:expr; )+ )+) => {
        $($(
            $(#[doc = $doc])+
            #[doc = concat!("\n\n`", $key, "`")]
            pub const $name: Setting<$type> = $row.described(stringify!($name), $key, concat!($($doc),+));
        )+)+

        pub(super) static SECTIONS: &[Section] = &[$(
            Section { title: $title, rows: &[$(&$name as &dyn Row),+] },
        )+];
    };
}

const NO_OTHER_LOG: &str = "there is only the built-in log";
const AS_LONG_AS_IT_TAKES: &str = "an event waits as long as its write takes";
const NO_KAFKA: &str = "there is no Kafka connector in this version";
const NO_KINESIS: &str = "there is no Kinesis connector in this version";
const NO_PAGE: &str = "there is no web page in this version";
const NO_EVENT_LOG: &str = "no event log is written";
const ONE_PROCESS: &str = "the program runs in one process";
const MANUAL_CLOCK: &str = "the test kit takes a manual clock as an argument";
const NO_EXECUTORS: &str = "the program runs in one process, so there are no executors to add or remove";
const NO_HEAP: &str = "there is no heap of a Java virtual machine, so all memory is alike";
const SET_BY_ENGINE: &str = "the engine itself ties each job to its batch and output operation";

fn positive(duration: &Duration) -> bool {
    !duration.is_zero()
}

settings! {
    section "Application"

    /// Names the application in logs and messages.
    APP_NAME: Option<String> = "spark.app.name",
        text().must_be("a name", |name: &String| !name.trim().is_empty()).unset("the name of the program's file");
    /// Identifies this run of the application.
    APP_ID: Option<String> = "spark.app.id",
        text().unset("-").without_effect("runs have no id in this version");
    /// Says where tasks run: `local` (one thread), `local[n]`, `local[*]` (a thread per processor), `local[n,maxFailures]`
    /// or `local[*,maxFailures]`.
    MASTER: String = "spark.master",
        text().default("local[*]");
    /// Sets how many reduce tasks a shuffle has unless the operator is told.
    DEFAULT_PARALLELISM: Option<usize> = "spark.default.parallelism",
        integer().must_be("at least 1", |n: &usize| *n >= 1).unset("the number of worker threads");
    /// Sets how many partitions `take` reads first.
    TAKE_INITIAL_PARTITIONS: usize = "spark.rdd.limit.initialNumPartitions",
        integer().must_be("at least 1", |n: &usize| *n >= 1).default("1");
    /// Sets how many times as many partitions as so far `take` reads when these had too few records.
    TAKE_SCALE_UP: usize = "spark.rdd.limit.scaleUpFactor",
        integer().must_be("at least 2", |n: &usize| *n >= 2).default("4");
    /// Sets how often a task may fail before its job fails; `local[n,maxFailures]` goes before it.
    TASK_MAX_FAILURES: u32 = "spark.task.maxFailures",
        integer().must_be("at least 1", |n: &u32| *n >= 1).default("4");
    /// Says how jobs that run at the same time share the worker threads: `FIFO` in the order of their arrival, `FAIR` by pools.
    SCHEDULER_MODE: String = "spark.scheduler.mode",
        text().must_be("FIFO or FAIR", |mode: &String| ["FIFO", "FAIR"].contains(&mode.to_ascii_uppercase().as_str()))
        .default("FIFO");
    /// Names the XML file that describes the pools of `FAIR` scheduling.
    SCHEDULER_ALLOCATION_FILE: Option<String> = "spark.scheduler.allocation.file", text().unset("one pool, `default`");
    /// Refuses closures that capture variables, and partitioners with such a rule, where they could not travel to another process.
    CLOSURES_STRICT: bool = "millstream.closures.strict", boolean().default("false");

    section "Batches"

    /// Sets how many jobs of output operations run at a time.
    CONCURRENT_JOBS: usize = "spark.streaming.concurrentJobs",
        integer().must_be("at least 1", |n: &usize| *n >= 1).default("1");
    /// Bounds each phase of waiting while a context stops gracefully.
    GRACEFUL_STOP_TIMEOUT: Option<Duration> = "spark.streaming.gracefulStopTimeout",
        duration(Millis).unset("ten batch intervals, at least 10 s");
    /// Stops gracefully when the process is told to end by SIGTERM or SIGINT, instead of at once; a second one ends it at
    /// once.
    STOP_GRACEFULLY_ON_SHUTDOWN: bool = "spark.streaming.stopGracefullyOnShutdown",
        boolean().default("false");
    /// Stops the batch engine's `Context` along with the `StreamingContext`, unless `stop` is told otherwise.
    STOP_CONTEXT_BY_DEFAULT: bool = "spark.streaming.stopSparkContextByDefault", boolean().default("true");
    /// Frees what a stream has kept of a batch as soon as no batch to come needs it; otherwise it stays as long as the
    /// program holds the RDD.
    UNPERSIST: bool = "spark.streaming.unpersist",
        boolean().default("true");
    /// Sets how many finished batches the web page and the REST interface remember.
    UI_RETAINED_BATCHES: usize = "spark.streaming.ui.retainedBatches",
        integer().default("1000").without_effect(NO_PAGE);
    /// Names the directory for checkpoints.
    CHECKPOINT_DIRECTORY: Option<String> = "spark.streaming.checkpoint.directory",
        text().unset("no checkpoints");
    /// Sets how long a chain of changes `map_with_state` keeps before it writes the state as a whole.
    DELTA_CHAIN_THRESHOLD: usize = "spark.streaming.sessionByKey.deltaChainThreshold",
        integer().default("20").without_effect("when a state is written as a whole follows from how many bytes its changes have, after 20 of them at the latest");
    /// Names the class of the clock.
    CLOCK: Option<String> = "spark.streaming.clock",
        text().unset("the system's clock").without_effect(MANUAL_CLOCK);
    /// Moves a manual clock forward after a restart.
    MANUAL_CLOCK_JUMP: Duration = "spark.streaming.manualClock.jump",
        duration(Millis).default("0ms").without_effect(MANUAL_CLOCK);
    /// Tells a job which batch it belongs to.
    INTERNAL_BATCH_TIME: Option<String> = "spark.streaming.internal.batchTime",
        text().unset("-").without_effect(SET_BY_ENGINE);
    /// Tells a job which output operation it belongs to.
    INTERNAL_OUTPUT_OP_ID: Option<String> = "spark.streaming.internal.outputOpId",
        text().unset("-").without_effect(SET_BY_ENGINE);

    section "Receivers"

    /// Sets how long a receiver gathers records before they become a block, which is one task of its batch; batches
    /// shorter than this cut their blocks at the batch interval.
    BLOCK_INTERVAL: Duration = "spark.streaming.blockInterval",
        duration(Millis).must_be("more than 0", positive).default("200ms");
    /// Sets how many finished blocks may wait to be stored before the receiver is held back.
    BLOCK_QUEUE_SIZE: usize = "spark.streaming.blockQueueSize",
        integer().must_be("at least 1", |n: &usize| *n >= 1).default("10");
    /// Sets the pause before a receiver that failed is started again.
    RECEIVER_RESTART_DELAY: Duration = "spark.streaming.receiverRestartDelay",
        duration(Millis).default("2000ms");
    /// Sets how many bytes of a receiver may lie in memory and not yet be processed. Above that its blocks go to disk if its
    /// storage level says so, and lie in the log of what was received only if there is one; otherwise, and for socket streams
    /// without a level, the receiver is held back.
    RECEIVER_MAX_BACKLOG: usize = "millstream.receiver.maxBacklog",
        size(Bytes).must_be("at least 1 byte", |bytes: &usize| *bytes >= 1).default("512m");
    /// Sets how long a line of a socket stream may be; a longer one is skipped, and reported as an error of its receiver.
    SOCKET_MAX_LINE_BYTES: usize = "millstream.streaming.socket.maxLineBytes",
        size(Bytes).must_be("at least 1 byte", |bytes: &usize| *bytes >= 1).default("16m");
    /// Sets how long a block of a raw socket stream may be; a longer one ends the connection, and is reported.
    SOCKET_MAX_BLOCK_BYTES: usize = "millstream.streaming.socket.maxBlockBytes",
        size(Bytes).must_be("at least 1 byte", |bytes: &usize| *bytes >= 1).default("64m");
    /// Sets how long the server of a socket stream may be silent before it is asked whether it is still there; a sixth of
    /// that after each of six questions without an answer the connection counts as broken, and is made anew.
    SOCKET_KEEP_ALIVE: Duration = "millstream.streaming.socket.keepAlive",
        duration(Seconds).must_be("from 1 s to 32767 s", |time: &Duration| (1..=32_767).contains(&time.as_secs()))
            .default("60s");
    /// Sets how many records a second a receiver may take in; 0 or less is no limit.
    RECEIVER_MAX_RATE: Option<i64> = "spark.streaming.receiver.maxRate", integer().unset("no limit");
    /// Sets how long a reliable receiver waits until a block is stored, in the log and in memory or on disk.
    BLOCK_STORE_TIMEOUT: Duration = "spark.streaming.receiver.blockStoreTimeout",
        duration(Seconds).must_be("more than 0", positive).default("30s");

    section "Rate control"

    /// Adapts the rate of each input to how fast batches are processed.
    BACKPRESSURE_ENABLED: bool = "spark.streaming.backpressure.enabled",
        boolean().default("false");
    /// Sets each receiver's rate, in records a second, before the first estimate.
    BACKPRESSURE_INITIAL_RATE: Option<i64> = "spark.streaming.backpressure.initialRate",
        integer().unset("`spark.streaming.receiver.maxRate`");
    /// Names the way to estimate rates.
    BACKPRESSURE_RATE_ESTIMATOR: String = "spark.streaming.backpressure.rateEstimator",
        text().must_be("pid, the only estimator", |name: &String| name == "pid").default("pid");
    /// Weighs the last error of the estimate.
    BACKPRESSURE_PID_PROPORTIONAL: f64 = "spark.streaming.backpressure.pid.proportional",
        float().must_be("at least 0", |weight: &f64| *weight >= 0.0).default("1.0");
    /// Weighs the sum of the errors so far, which shows as scheduling delay.
    BACKPRESSURE_PID_INTEGRAL: f64 = "spark.streaming.backpressure.pid.integral",
        float().must_be("at least 0", |weight: &f64| *weight >= 0.0).default("0.2");
    /// Weighs the change of the error.
    BACKPRESSURE_PID_DERIVED: f64 = "spark.streaming.backpressure.pid.derived",
        float().must_be("at least 0", |weight: &f64| *weight >= 0.0).default("0.0");
    /// Bounds the estimate from below, in records a second.
    BACKPRESSURE_PID_MIN_RATE: f64 = "spark.streaming.backpressure.pid.minRate",
        float().must_be("more than 0", |rate: &f64| *rate > 0.0).default("100");

    section "Write-ahead log"

    /// Logs received blocks before they are acknowledged.
    RECEIVER_LOG_ENABLE: bool = "spark.streaming.receiver.writeAheadLog.enable",
        boolean().default("false");
    /// Names the class of the log of received blocks.
    RECEIVER_LOG_CLASS: Option<String> = "spark.streaming.receiver.writeAheadLog.class",
        text().unset("the built-in log").without_effect(NO_OTHER_LOG);
    /// Closes the log of received blocks after each write, as object stores need it.
    RECEIVER_LOG_CLOSE_FILE_AFTER_WRITE: bool = "spark.streaming.receiver.writeAheadLog.closeFileAfterWrite",
        boolean().default("false");
    /// Sets how often a write to the log of received blocks may fail.
    RECEIVER_LOG_MAX_FAILURES: u32 = "spark.streaming.receiver.writeAheadLog.maxFailures",
        integer().default("3");
    /// Sets after what time the log of received blocks begins a new file.
    RECEIVER_LOG_ROLLING_INTERVAL: Duration = "spark.streaming.receiver.writeAheadLog.rollingIntervalSecs",
        duration(Seconds).must_be("more than 0", positive).default("60s");
    /// Writes several events of the driver's log at once.
    DRIVER_LOG_ALLOW_BATCHING: bool = "spark.streaming.driver.writeAheadLog.allowBatching",
        boolean().default("true");
    /// Sets how long an event may wait for such a write.
    DRIVER_LOG_BATCHING_TIMEOUT: Duration = "spark.streaming.driver.writeAheadLog.batchingTimeout",
        duration(Millis).default("5000ms").without_effect(AS_LONG_AS_IT_TAKES);
    /// Names the class of the driver's log.
    DRIVER_LOG_CLASS: Option<String> = "spark.streaming.driver.writeAheadLog.class",
        text().unset("the built-in log").without_effect(NO_OTHER_LOG);
    /// Closes the driver's log after each write, as object stores need it.
    DRIVER_LOG_CLOSE_FILE_AFTER_WRITE: bool = "spark.streaming.driver.writeAheadLog.closeFileAfterWrite",
        boolean().default("false");
    /// Sets how often a write to the driver's log may fail.
    DRIVER_LOG_MAX_FAILURES: u32 = "spark.streaming.driver.writeAheadLog.maxFailures",
        integer().default("3");
    /// Sets after what time the driver's log begins a new file.
    DRIVER_LOG_ROLLING_INTERVAL: Duration = "spark.streaming.driver.writeAheadLog.rollingIntervalSecs",
        duration(Seconds).must_be("more than 0", positive).default("60s");

    section "Recovery"

    /// Says how batches that were missed while the program was away are caught up: `grouped` passes over intervals in which
    /// nothing came, whose windows are empty and in which no key times out, and calls no function of a state for them; `perInterval` runs
    /// a batch for each, as Spark does.
    CATCH_UP: String = "millstream.streaming.catchUp",
        text().must_be("`grouped` or `perInterval`", |how: &String| how == "grouped" || how == "perInterval")
        .default("grouped");
    /// Starts a program that does not fit its checkpoint, and gives up what the program has no place for.
    RECOVERY_ALLOW_STATE_LOSS: bool = "millstream.recovery.allowStateLoss",
        boolean().default("false");

    section "File streams"

    /// Sets how far back the modification times of new files may lie.
    FILE_STREAM_MIN_REMEMBER_DURATION: Duration = "spark.streaming.fileStream.minRememberDuration",
        duration(Seconds).default("60s").old_key("spark.streaming.minRememberDuration");
    /// Sets how long a file that is written where a file stream looks must be left alone before it is taken; one that was
    /// moved there is taken at once. One of which it is known that someone has it open for writing waits until it is closed.
    FILE_STREAM_SETTLE_TIME: Duration = "millstream.streaming.fileStream.settleTime",
        duration(Millis).default("2s");

    section "Kafka and Kinesis"

    /// Bounds the rate of a direct stream, in records a second and partition; 0 is no limit.
    KAFKA_MAX_RATE_PER_PARTITION: u64 = "spark.streaming.kafka.maxRatePerPartition",
        integer().default("0").without_effect(NO_KAFKA);
    /// Bounds the rate of a direct stream from below while rates are controlled.
    KAFKA_MIN_RATE_PER_PARTITION: u64 = "spark.streaming.kafka.minRatePerPartition",
        integer().default("1").without_effect(NO_KAFKA);
    /// Accepts gaps between offsets, as compacted and transactional topics have them.
    KAFKA_ALLOW_NON_CONSECUTIVE_OFFSETS: bool = "spark.streaming.kafka.allowNonConsecutiveOffsets",
        boolean().default("false").without_effect(NO_KAFKA);
    /// Keeps consumers open between batches.
    KAFKA_CONSUMER_CACHE_ENABLED: bool = "spark.streaming.kafka.consumer.cache.enabled",
        boolean().default("true").without_effect(NO_KAFKA);
    /// Sets for how many consumers there is room from the beginning.
    KAFKA_CONSUMER_CACHE_INITIAL_CAPACITY: usize = "spark.streaming.kafka.consumer.cache.initialCapacity",
        integer().default("16").without_effect(NO_KAFKA);
    /// Sets how full the room may be before it grows.
    KAFKA_CONSUMER_CACHE_LOAD_FACTOR: f64 = "spark.streaming.kafka.consumer.cache.loadFactor",
        float().default("0.75").without_effect(NO_KAFKA);
    /// Sets how many consumers are kept at most.
    KAFKA_CONSUMER_CACHE_MAX_CAPACITY: usize = "spark.streaming.kafka.consumer.cache.maxCapacity",
        integer().default("64").without_effect(NO_KAFKA);
    /// Sets how long a task waits for records it knows to be there.
    KAFKA_CONSUMER_POLL: Option<Duration> = "spark.streaming.kafka.consumer.poll.ms",
        duration(Millis).unset("`spark.network.timeout`").without_effect(NO_KAFKA);
    /// Sets how often reading the newest offsets is tried again.
    KAFKA_MAX_RETRIES: u32 = "spark.streaming.kafka.maxRetries",
        integer().default("1").without_effect(NO_KAFKA);
    /// Sets how often a read from Kinesis is tried.
    KINESIS_RETRY_MAX_ATTEMPTS: u32 = "spark.streaming.kinesis.retry.maxAttempts",
        integer().default("3").without_effect(NO_KINESIS);
    /// Sets the pause before a read from Kinesis is tried again, doubled each time.
    KINESIS_RETRY_WAIT_TIME: Duration = "spark.streaming.kinesis.retry.waitTime",
        duration(Millis).default("100ms").without_effect(NO_KINESIS);

    section "Executors"

    /// Adds and removes executors by how long batches take.
    DYNAMIC_ALLOCATION_ENABLED: bool = "spark.streaming.dynamicAllocation.enabled",
        boolean().default("false").without_effect(NO_EXECUTORS);
    /// Bounds the number of executors from below.
    DYNAMIC_ALLOCATION_MIN_EXECUTORS: Option<usize> = "spark.streaming.dynamicAllocation.minExecutors",
        integer().must_be("at least 1", |n: &usize| *n >= 1).unset("the number of receivers, at least 1")
        .without_effect(NO_EXECUTORS);
    /// Bounds the number of executors from above.
    DYNAMIC_ALLOCATION_MAX_EXECUTORS: Option<usize> = "spark.streaming.dynamicAllocation.maxExecutors",
        integer().must_be("at least 1", |n: &usize| *n >= 1).unset("no limit").without_effect(NO_EXECUTORS);
    /// Sets how often it is decided whether to add or remove one.
    DYNAMIC_ALLOCATION_SCALING_INTERVAL: Duration = "spark.streaming.dynamicAllocation.scalingInterval",
        duration(Seconds).must_be("more than 0", positive).default("60s").without_effect(NO_EXECUTORS);
    /// Sets from which ratio of processing time to batch interval executors are added.
    DYNAMIC_ALLOCATION_SCALING_UP_RATIO: f64 = "spark.streaming.dynamicAllocation.scalingUpRatio",
        float().must_be("more than 0", |ratio: &f64| *ratio > 0.0).default("0.9").without_effect(NO_EXECUTORS);
    /// Sets down to which ratio of processing time to batch interval one is removed.
    DYNAMIC_ALLOCATION_SCALING_DOWN_RATIO: f64 = "spark.streaming.dynamicAllocation.scalingDownRatio",
        float().must_be("more than 0", |ratio: &f64| *ratio > 0.0).default("0.3").without_effect(NO_EXECUTORS);
    /// Lets tests of Spark's own allocate executors without a cluster.
    DYNAMIC_ALLOCATION_TESTING: bool = "spark.streaming.dynamicAllocation.testing",
        boolean().default("false").without_effect(NO_EXECUTORS);
    /// Bounds the cores that an application takes of a cluster.
    CORES_MAX: Option<usize> = "spark.cores.max",
        integer().unset("no limit").without_effect(ONE_PROCESS);
    /// Sets the memory of an executor.
    EXECUTOR_MEMORY: u64 = "spark.executor.memory",
        size(Mebibytes).default("1g").without_effect(ONE_PROCESS);
    /// Sets the cores of an executor.
    EXECUTOR_CORES: Option<usize> = "spark.executor.cores",
        integer().unset("all").without_effect("the program runs in one process; `spark.master` sets its threads");
    /// Sets the number of executors.
    EXECUTOR_INSTANCES: Option<usize> = "spark.executor.instances",
        integer().unset("-").without_effect(ONE_PROCESS);
    /// Sets the memory of the program, of which `spark.memory.fraction` is for blocks and for what tasks work with.
    DRIVER_MEMORY: Option<u64> = "spark.driver.memory",
        size(Mebibytes).must_be("at least 1 byte", |bytes: &u64| *bytes >= 1)
        .unset("that of the machine, or of the control group the program is confined to");
    /// Sets the cores of the driver.
    DRIVER_CORES: usize = "spark.driver.cores",
        integer().default("1").without_effect("the program runs in one process; `spark.master` sets its threads");
    /// Restarts a driver that failed.
    DRIVER_SUPERVISE: bool = "spark.driver.supervise",
        boolean().default("false").without_effect("nothing watches the program in this version");
    /// Says whether the driver runs where it was submitted or on the cluster.
    SUBMIT_DEPLOY_MODE: String = "spark.submit.deployMode",
        text().default("client").without_effect(ONE_PROCESS);
    /// Adds and removes executors by how many tasks wait.
    CORE_DYNAMIC_ALLOCATION_ENABLED: bool = "spark.dynamicAllocation.enabled",
        boolean().default("false").without_effect(NO_EXECUTORS);

    section "Tasks and records"

    /// Sets how long a task waits for a place beside its data.
    LOCALITY_WAIT: Duration = "spark.locality.wait",
        duration(Millis).default("3s").without_effect("every task runs beside its data");
    /// Runs slow tasks twice.
    SPECULATION: bool = "spark.speculation",
        boolean().default("false").without_effect("no task is run twice at the same time");
    /// Names the class that writes records as bytes.
    SERIALIZER: Option<String> = "spark.serializer",
        text().unset("serde").without_effect("records are written by serde");
    /// Encrypts what is written to disk.
    IO_ENCRYPTION_ENABLED: bool = "spark.io.encryption.enabled",
        boolean().must_be("false: this version can not encrypt", |on: &bool| !on).default("false")
        .without_effect("nothing is encrypted in this version");
    /// Refuses to save into a directory that exists.
    HADOOP_VALIDATE_OUTPUT_SPECS: bool = "spark.hadoop.validateOutputSpecs",
        boolean().default("true");
    /// Bounds the silence of a connection between processes.
    NETWORK_TIMEOUT: Duration = "spark.network.timeout",
        duration(Seconds).default("120s").without_effect(ONE_PROCESS);

    section "Memory and disk"

    /// Sets which part of the memory is for kept and received blocks and for what tasks work with.
    MEMORY_FRACTION: f64 = "spark.memory.fraction",
        float().must_be("more than 0 and at most 1", |part: &f64| *part > 0.0 && *part <= 1.0).default("0.6");
    /// Sets which part of that is for blocks alone: tasks do not push them out below it.
    MEMORY_STORAGE_FRACTION: f64 = "spark.memory.storageFraction",
        float().must_be("at least 0 and at most 1", |part: &f64| *part >= 0.0 && *part <= 1.0).default("0.5");
    /// Uses memory outside of the heap as well.
    MEMORY_OFF_HEAP_ENABLED: bool = "spark.memory.offHeap.enabled", boolean().default("false").without_effect(NO_HEAP);
    /// Sets how much memory outside of the heap there is.
    MEMORY_OFF_HEAP_SIZE: u64 = "spark.memory.offHeap.size", size(Bytes).default("0").without_effect(NO_HEAP);
    /// Lists the directories for scratch files: kept partitions and what tasks write out. Each program makes a directory of
    /// its own in them, which goes with it.
    LOCAL_DIR: Option<Vec<String>> = "spark.local.dir", list().unset("the system's directory for temporary files");
    /// Compresses partitions that are kept as bytes, in memory and on disk.
    RDD_COMPRESS: bool = "spark.rdd.compress", boolean().default("false");
    /// Compresses what tasks write to scratch files.
    SHUFFLE_SPILL_COMPRESS: bool = "spark.shuffle.spill.compress", boolean().default("true");
    /// Names the compression of scratch files and of partitions that are kept as bytes: `lz4` or `zstd`, or the class of
    /// Spark's. For `snappy` and `lzf`, LZ4 is taken.
    IO_COMPRESSION_CODEC: String = "spark.io.compression.codec",
        text().must_be("lz4, zstd, snappy or lzf, or the class of one", |name: &String| {
            let name = name.trim().to_ascii_lowercase();
            let class = name.strip_prefix("org.apache.spark.io.").and_then(|class| class.strip_suffix("compressioncodec"));
            ["lz4", "zstd", "snappy", "lzf"].contains(&class.unwrap_or(&name))
        })
        .default("lz4");
    /// Sets how hard zstd tries: more is smaller and slower.
    IO_COMPRESSION_ZSTD_LEVEL: u32 = "spark.io.compression.zstd.level",
        integer().must_be("from 1 to 22", |level: &u32| (1..=22).contains(level)).default("1");

    section "Web page, logs and access"

    /// Serves the web page.
    UI_ENABLED: bool = "spark.ui.enabled", boolean().default("true").without_effect(NO_PAGE);
    /// Sets the port of the web page.
    UI_PORT: u32 = "spark.ui.port",
        integer().must_be("at most 65535", |port: &u32| *port <= 65535).default("4040").without_effect(NO_PAGE);
    /// Sets how many ports are tried, each one above the last.
    PORT_MAX_RETRIES: u32 = "spark.port.maxRetries", integer().default("16").without_effect(NO_PAGE);
    /// Lets the web page kill jobs.
    UI_KILL_ENABLED: bool = "spark.ui.killEnabled", boolean().default("true").without_effect(NO_PAGE);
    /// Lists filters that requests to the web page pass.
    UI_FILTERS: Vec<String> = "spark.ui.filters", list().default("").without_effect(NO_PAGE);
    /// Lists who may see the web page.
    UI_VIEW_ACLS: Vec<String> = "spark.ui.view.acls", list().default("").without_effect(NO_PAGE);
    /// Lists who may kill jobs.
    MODIFY_ACLS: Vec<String> = "spark.modify.acls", list().default("").without_effect(NO_PAGE);
    /// Lists who may see and change everything.
    ADMIN_ACLS: Vec<String> = "spark.admin.acls", list().default("").without_effect(NO_PAGE);
    /// Checks who may see the web page and kill jobs.
    ACLS_ENABLE: bool = "spark.acls.enable", boolean().default("false").without_effect(NO_PAGE);
    /// Writes what happens to a log that a history server reads.
    EVENT_LOG_ENABLED: bool = "spark.eventLog.enabled", boolean().default("false").without_effect(NO_EVENT_LOG);
    /// Names the directory of that log.
    EVENT_LOG_DIR: Option<String> = "spark.eventLog.dir",
        text().unset("a temporary directory").without_effect(NO_EVENT_LOG);
    /// Makes processes prove that they belong to the application.
    AUTHENTICATE: bool = "spark.authenticate", boolean().default("false").without_effect(ONE_PROCESS);
    /// Encrypts what processes send to each other.
    NETWORK_CRYPTO_ENABLED: bool = "spark.network.crypto.enabled",
        boolean().default("false").without_effect(ONE_PROCESS);
}
