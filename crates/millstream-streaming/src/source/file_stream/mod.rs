//! `file_stream`, `text_file_stream`, `binary_records_stream`: the files that appear in a directory.

mod choice;
mod saved;
mod selection;
mod waiting;

use std::collections::BTreeMap;
use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::fs::{FileStatus, FileSystems, FixedFormat, FsPath, InputFormat, TextFormat};
use millstream_core::operator::{self, Operator, user_code};
use millstream_core::{Rdd, ReadCounts, settings};
use serde_json::Value;

pub use self::choice::{FileChoice, FileChoices};
use self::saved::SavedFiles;
use self::selection::Selection;
use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::graph::{Counter, Graph};
use crate::listener::StreamInputInfo;
use crate::receiver::StreamId;
use crate::time::Time;

/// What a file stream takes; the default is Spark's `textFileStream`.
#[derive(Clone)]
#[non_exhaustive]
pub struct FileStreamOptions {
    /// Which files are taken, by their path; by default those whose name begins neither with `.` nor with `_`.
    pub filter: Arc<dyn Fn(&FsPath) -> bool + Send + Sync>,
    /// Whether files that were changed before the stream was made are passed over; by default they are. Otherwise those
    /// of the last `spark.streaming.fileStream.minRememberDuration` (default 60 s) are taken, as in Spark.
    pub new_files_only: bool,
    /// Whether the first batch takes all files that are there, however old; by default it does not.
    pub existing: bool,
    /// Whether directories in the directory are looked into as well; by default they are not.
    pub recursive: bool,
    /// Where the fate of each file can be asked for.
    pub choices: FileChoices,
}

impl Default for FileStreamOptions {
    fn default() -> Self {
        FileStreamOptions {
            filter: Arc::new(|path| !path.is_hidden()),
            new_files_only: true,
            existing: false,
            recursive: false,
            choices: FileChoices::default(),
        }
    }
}

impl FileStreamOptions {
    /// Takes the files for which `filter` holds.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::FsPath;
    /// use millstream_streaming::FileStreamOptions;
    ///
    /// let options = FileStreamOptions::default().filter(|path| path.name().ends_with(".log"));
    /// assert!((options.filter)(&FsPath::parse("/in/a.log")?) && !(options.filter)(&FsPath::parse("/in/a.txt")?));
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn filter(self, filter: impl Fn(&FsPath) -> bool + Send + Sync + 'static) -> Self {
        FileStreamOptions { filter: Arc::new(filter), ..self }
    }

    /// Takes also files that were changed shortly before the stream was made, unless told `true`.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::FileStreamOptions;
    ///
    /// assert!(FileStreamOptions::default().new_files_only);
    /// assert!(!FileStreamOptions::default().new_files_only(false).new_files_only);
    /// ```
    #[must_use]
    pub fn new_files_only(self, new_files_only: bool) -> Self {
        FileStreamOptions { new_files_only, ..self }
    }

    /// Takes all files that are there in the first batch.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use std::time::UNIX_EPOCH;
    /// use millstream_core::fs::TextFormat;
    /// use millstream_streaming::FileStreamOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("existing_files-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// std::fs::write(directory.join("a.txt"), "to be\n").map_err(millstream_core::Error::user)?;
    /// # let file = std::fs::File::open(directory.join("a.txt")).map_err(millstream_core::Error::user)?;
    /// # file.set_modified(UNIX_EPOCH).map_err(millstream_core::Error::user)?; // it is complete
    /// let options = FileStreamOptions::default().existing(true);
    /// let lines = driver.streaming().file_stream_with(&directory, TextFormat::default(), options);
    /// let lines = driver.collect(&lines);
    /// driver.run(1)?;
    /// assert_eq!(lines.batches(), [["to be"]]);
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn existing(self, existing: bool) -> Self {
        FileStreamOptions { existing, ..self }
    }

    /// Looks into directories in the directory.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use std::time::UNIX_EPOCH;
    /// use millstream_core::fs::TextFormat;
    /// use millstream_streaming::FileStreamOptions;
    ///
    /// # let directory = std::env::temp_dir().join(format!("recursive_files-{}", std::process::id()));
    /// # std::fs::create_dir_all(directory.join("day")).map_err(millstream_core::Error::user)?;
    /// std::fs::write(directory.join("day/a.txt"), "to be\n").map_err(millstream_core::Error::user)?;
    /// # let file = std::fs::File::open(directory.join("day/a.txt")).map_err(millstream_core::Error::user)?;
    /// # file.set_modified(UNIX_EPOCH).map_err(millstream_core::Error::user)?; // it is complete
    /// let options = FileStreamOptions::default().existing(true).recursive(true);
    /// let lines = driver.streaming().file_stream_with(&directory, TextFormat::default(), options);
    /// let lines = driver.collect(&lines);
    /// driver.run(1)?;
    /// assert_eq!(lines.batches(), [["to be"]]);
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn recursive(self, recursive: bool) -> Self {
        FileStreamOptions { recursive, ..self }
    }

    /// Notes the fate of each file.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::{FileChoices, FileStreamOptions};
    ///
    /// let choices = FileChoices::default();
    /// let _options = FileStreamOptions::default().explain(&choices);
    /// assert!(choices.latest().is_empty(), "no batch has looked yet");
    /// ```
    #[must_use]
    pub fn explain(self, choices: &FileChoices) -> Self {
        FileStreamOptions { choices: choices.clone(), ..self }
    }
}

impl StreamingContext {
    /// Makes a stream of the lines of the text files that appear in a directory (or in the directories that a pattern names).
    ///
    /// A file belongs to the batch in whose interval it was last changed, so it should appear whole: write it elsewhere on
    /// the same file system and move it there. One that is written there is taken once it was left alone for
    /// `millstream.streaming.fileStream.settleTime` (2 s) and nobody has it open for writing any more, so that it is not read in part. Who
    /// has it open is known on Linux, of local files of the program's own user (as root: of all) and of writers on the same
    /// machine; of others the time alone decides, and a copy that pauses for longer is read in part. Files whose names begin with `.`
    /// or `_` are passed over, and so are those that were changed before the start. A directory that is missing is looked for
    /// again in each batch, and so is one whose place a file has taken, with a warning.
    ///
    /// # Errors
    /// A local path that names a file is refused at the start.
    ///
    /// # Examples
    /// ```
    /// use std::fs::File;
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    ///
    /// # let directory = std::env::temp_dir().join(format!("text_file_stream-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?; // its clock begins at 0
    /// let lines = driver.collect(&driver.streaming().text_file_stream(&directory));
    /// std::fs::write(directory.join("a.txt"), "to be\nor not\n").unwrap();
    /// File::open(directory.join("a.txt")).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(500)).unwrap();
    /// driver.run(2)?;
    /// assert_eq!(lines.batches(), [vec!["to be", "or not"], vec![]]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file_stream(&self, directory: impl AsRef<Path>) -> DStream<String> {
        let format = TextFormat::default();
        self.files("text_file_stream", directory.as_ref(), format, FileStreamOptions::default())
    }

    /// Makes a stream of the records of `record_len` bytes in the files that appear in a directory.
    ///
    /// A file whose length is no multiple of it fails its batch. Files are chosen as for
    /// [`text_file_stream`](StreamingContext::text_file_stream).
    ///
    /// # Errors
    /// Records of 0 bytes are refused at the start, and so is a local path that names a file.
    ///
    /// # Examples
    /// ```
    /// use std::fs::File;
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    ///
    /// # let directory = std::env::temp_dir().join(format!("binary_records_stream-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let records = driver.collect(&driver.streaming().binary_records_stream(&directory, 2));
    /// std::fs::write(directory.join("a"), [1, 2, 3, 4]).unwrap();
    /// File::open(directory.join("a")).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(500)).unwrap();
    /// driver.run(1)?;
    /// assert_eq!(records.batches(), [[[1, 2], [3, 4]]]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_records_stream(&self, directory: impl AsRef<Path>, record_len: usize) -> DStream<Vec<u8>> {
        let format = FixedFormat { record_len };
        self.files("binary_records_stream", directory.as_ref(), format, FileStreamOptions::default())
    }

    /// Makes a stream of the records of the files that appear in a directory, in any format.
    ///
    /// Files are chosen as for [`text_file_stream`](StreamingContext::text_file_stream).
    ///
    /// # Examples
    /// ```
    /// use std::fs::File;
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use millstream_core::Conf;
    /// use millstream_core::fs::{ObjectFormat, OutputFormat};
    /// use millstream_core::stream;
    /// use millstream_streaming::testing::Driver;
    ///
    /// # let directory = std::env::temp_dir().join(format!("file_stream-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?; // its clock begins at 0
    /// let orders = driver.streaming().file_stream(&directory, ObjectFormat::<(u64, f64)>::default());
    /// let total = driver.collect(&orders.map(|(_, price)| price).reduce(|a, b| a + b));
    /// let mut file = File::create(directory.join("orders")).unwrap();
    /// ObjectFormat::default().write(stream::from_vec(vec![(1_u64, 2.5), (2, 4.0)]), &mut file)?;
    /// file.set_modified(UNIX_EPOCH + Duration::from_millis(500)).unwrap();
    /// drop(file); // closed: it is complete
    /// driver.run(1)?;
    /// assert_eq!(total.batches(), [[6.5]]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn file_stream<F: InputFormat>(&self, directory: impl AsRef<Path>, format: F) -> DStream<F::Record> {
        self.files("file_stream", directory.as_ref(), format, FileStreamOptions::default())
    }

    /// Makes a stream of the records of the files that are chosen in a directory.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use millstream_core::Conf;
    /// use millstream_core::fs::TextFormat;
    /// use millstream_streaming::testing::Driver;
    /// use millstream_streaming::{FileChoice, FileChoices, FileStreamOptions};
    ///
    /// # let directory = std::env::temp_dir().join(format!("file_stream_with-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// std::fs::write(directory.join("a.txt"), "to be\n").unwrap();
    /// std::fs::File::open(directory.join("a.txt")).unwrap().set_modified(UNIX_EPOCH).unwrap(); // it is complete
    /// std::fs::write(directory.join("_b.txt"), "or not\n").unwrap();
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?; // its clock begins at 0, long before the files
    /// let choices = FileChoices::default();
    /// let options = FileStreamOptions::default().existing(true).explain(&choices);
    /// let lines = driver.streaming().file_stream_with(&directory, TextFormat::default(), options);
    /// let collected = driver.collect(&lines);
    /// driver.run(1)?;
    /// assert_eq!(collected.batches(), [["to be"]]);
    /// let fates: Vec<_> = choices.latest().into_iter().map(|(path, choice)| (path.name().to_owned(), choice)).collect();
    /// assert_eq!(fates, [("_b.txt".into(), FileChoice::Hidden), ("a.txt".into(), FileChoice::Taken)]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn file_stream_with<F: InputFormat>(
        &self,
        directory: impl AsRef<Path>,
        format: F,
        options: FileStreamOptions,
    ) -> DStream<F::Record> {
        self.files("file_stream", directory.as_ref(), format, options)
    }

    #[track_caller]
    fn files<F: InputFormat>(
        &self,
        name: &'static str,
        directory: &Path,
        format: F,
        options: FileStreamOptions,
    ) -> DStream<F::Record> {
        let graph = self.graph();
        let id = graph.next_source();
        let conf = graph.context.conf();
        let path = FsPath::from_path(directory);
        // Others may have to be asked over a network: what they have is seen by the first batch, which warns.
        let local = path.as_ref().ok().filter(|path| path.as_local().is_some());
        let file = local.filter(|path| is_file(&graph.context.file_systems(), path)).cloned();
        let remember = conf.get(settings::FILE_STREAM_MIN_REMEMBER_DURATION);
        let settle = conf.get(settings::FILE_STREAM_SETTLE_TIME);
        let call = Arc::new(Operator::call(name, Location::caller()));
        let checked = format.check(&call.to_string());
        let durations = remember.as_ref().ok().zip(settle.as_ref().ok());
        let selection = path.as_ref().ok().zip(durations).map(|(path, (remember, settle))| {
            // Whole batches, as in Spark.
            let interval = graph.batch_interval.as_millis().max(1);
            let batches = u32::try_from(remember.as_millis().div_ceil(interval)).unwrap_or(u32::MAX);
            let remember = graph.batch_interval.saturating_mul(batches);
            Mutex::new(Selection::new(path.clone(), (remember, *settle), graph.clock.now(), options))
        });
        let source = Files { graph: Arc::clone(graph), id, call, format, selection };
        let stream = stream(graph, name, Location::caller(), id, source);
        for problem in [path.err(), remember.err(), settle.err()].into_iter().flatten() {
            graph.problem(stream.any().operator(), problem.to_string());
        }
        if let Err(refused) = checked {
            graph.problem_without_place(refused.to_string());
        }
        if let Some(file) = file {
            let problem = format!("{file} is a file; name the directory in which files are to appear");
            graph.problem(stream.any().operator(), problem);
        }
        stream
    }
}

fn is_file(systems: &FileSystems, path: &FsPath) -> bool {
    systems.of(path).and_then(|system| system.status(path)).is_ok_and(|status| !status.is_dir)
}

struct Files<F> {
    graph: Arc<Graph>,
    id: StreamId,
    /// The call of the program, which an error of a file names.
    call: Arc<Operator>,
    format: F,
    /// None if the stream was described wrongly, which `start` reports.
    selection: Option<Mutex<Selection>>,
}

impl<F: InputFormat> Source<F::Record> for Files<F> {
    fn batch(&self, batch: Time) -> Result<(Rdd<F::Record>, Option<u64>)> {
        let systems = self.graph.context.file_systems();
        let files = self.selection().map_or_else(Vec::new, |mut selection| selection.select(&systems, batch));
        Ok((self.read(batch, files), None))
    }

    fn take_saved(&self, batch: Time) -> Option<Value> {
        self.selection().and_then(|selection| selection.saved(batch))
    }

    fn batch_again(&self, batch: Time, saved: &Value) -> Result<(Rdd<F::Record>, Option<u64>)> {
        let systems = self.graph.context.file_systems();
        let files = SavedFiles::of(saved)?.files.into_iter();
        Ok((self.read(batch, files.map(|file| saved::found_again(&systems, file)).collect()), None))
    }

    fn restore(&self, zero: Time, saved: &BTreeMap<Time, Value>) -> Result<()> {
        self.selection().map_or(Ok(()), |mut selection| selection.restore(zero, saved))
    }

    fn reads(&self) -> Option<String> {
        self.selection().map(|selection| format!("the files of {}", selection.directory))
    }

    /// A file that was taken must be known as long as it is young enough to be taken.
    fn still_needs(&self, batch: Time, saved: &Value, threshold: Time) -> bool {
        self.selection().is_some_and(|selection| selection.still_needs(batch, saved, threshold))
    }

    fn is_quiet(&self, batch: Time) -> bool {
        let systems = self.graph.context.file_systems();
        self.selection().is_none_or(|mut selection| selection.is_quiet(&systems, batch))
    }
}

impl<F: InputFormat> Files<F> {
    fn selection(&self) -> Option<MutexGuard<'_, Selection>> {
        self.selection.as_ref().map(|selection| selection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Describes the RDD of the files of a batch, and reports them.
    fn read(&self, batch: Time, files: Vec<FileStatus>) -> Rdd<F::Record> {
        let context = &self.graph.context;
        let names: Vec<String> = files.iter().map(|file| file.path.to_string()).collect();
        let counts = context.register(ReadCounts::default(), None);
        let mut info = StreamInputInfo::new(self.id, 0);
        info.metadata.insert("files".into(), names.join(","));
        info.metadata.insert(StreamInputInfo::DESCRIPTION.into(), names.join("\n"));
        let counter = (!files.is_empty()).then(|| {
            let counts = counts.clone();
            Arc::new(move || counts.value()) as Counter
        });
        self.graph.report_input(batch, info, counter);
        // As if the program had made it: another process sees other files, and is to read these.
        let made = || {
            if files.is_empty() {
                context.empty_rdd()
            } else {
                context.read_files_of(files, self.format.clone(), 1).counting_reads(&counts)
            }
        };
        user_code(|| operator::named(&self.call, made))
    }
}
