//! `save_as_files`, `save_as_text_files`, `save_as_object_files`: a directory for each batch.

mod completed;
mod roll;
mod save_options;

use std::fmt::Display;
use std::panic::Location;

use millstream_core::fs::{Codec, FsPath, ObjectFormat, OutputFormat, TextFormat};
use millstream_core::operator::{self, Operator};
use millstream_core::{Data, Rdd, Show};

pub use self::save_options::SaveOptions;
use super::OutputHandle;
use crate::dstream::DStream;
use crate::graph::Place;

impl<T: Data + Show> DStream<T> {
    /// Writes the records of each batch as lines of text to a directory `prefix-TIME_IN_MS.suffix`; an empty suffix is left
    /// out.
    ///
    /// The files of a batch become visible together with `_SUCCESS` when all are written. A batch that is repeated replaces
    /// what it wrote.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_text_files-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let prefix = directory.join("words");
    /// driver.input(batches![["to".to_owned(), "be".to_owned()]]).save_as_text_files(prefix.to_string_lossy(), "txt");
    /// driver.run(1)?;
    /// let written = directory.join("words-1000.txt");
    /// assert_eq!(std::fs::read_to_string(written.join("part-00001")).unwrap(), "be\n");
    /// assert!(written.join("_SUCCESS").exists());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
    ) -> OutputHandle<T> {
        self.save(
            "save_as_text_files",
            prefix,
            suffix,
            TextFormat { codec: Codec::None },
            SaveOptions::default(),
        )
    }

    /// Writes the records of each batch as lines of text, perhaps compressed, perhaps without empty batches, perhaps
    /// rolled.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::Codec;
    /// use millstream_streaming::SaveOptions;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_text_files_with-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let options = SaveOptions::default().codec(Codec::Gzip).skip_empty(true);
    /// let prefix = directory.join("n");
    /// driver.input(batches![[1, 2], []]).save_as_text_files_with(prefix.to_string_lossy(), "", options);
    /// let context = driver.context().clone();
    /// driver.run(2)?;
    /// let names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    /// assert_eq!(names, ["n-1000"]);
    /// assert!(directory.join("n-1000/part-00000.gz").exists());
    /// # drop(context);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files_with(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        options: SaveOptions,
    ) -> OutputHandle<T> {
        let format = TextFormat { codec: options.codec };
        self.save("save_as_text_files", prefix, suffix, format, options)
    }
}

impl<T: Data> DStream<T> {
    /// Writes the records of each batch to a directory `prefix-TIME_IN_MS.suffix`, to be read with `object_file`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_object_files-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.input(batches![[(1, 0.5)]]).save_as_object_files(directory.join("p").to_string_lossy(), "");
    /// driver.run(1)?;
    /// let pairs = Context::new(Conf::empty())?.object_file::<(i32, f64)>(directory.join("p-1000"));
    /// assert_eq!(pairs.collect()?, [(1, 0.5)]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_files(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
    ) -> OutputHandle<T> {
        self.save(
            "save_as_object_files",
            prefix,
            suffix,
            ObjectFormat::<T>::default(),
            SaveOptions::default(),
        )
    }

    /// Writes the records of each batch to be read with `object_file`; perhaps without empty batches, perhaps rolled. They
    /// are compressed in any case.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::SaveOptions;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("save_as_object_files_with-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let options = SaveOptions::default().roll_time(Duration::from_secs(2));
    /// driver.input(batches![[1], [2], [3]]).save_as_object_files_with(directory.join("n").to_string_lossy(), "", options);
    /// driver.run(3)?;
    /// // The batches of 1 s and 2 s share a directory, which bears the time of the first.
    /// let numbers = |name| Context::new(Conf::empty())?.object_file::<i32>(directory.join(name)).collect();
    /// assert_eq!((numbers("n-1000")?, numbers("n-3000")?), (vec![1, 2], vec![3]));
    /// assert!(directory.join("n-1000/_SUCCESS").exists() && !directory.join("n-3000/_SUCCESS").exists());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_files_with(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        options: SaveOptions,
    ) -> OutputHandle<T> {
        self.save("save_as_object_files", prefix, suffix, ObjectFormat::<T>::default(), options)
    }

    /// Writes the records of each batch to a directory `prefix-TIME_IN_MS.suffix` in a format of one's own.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::FixedFormat;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("stream_save_as_files-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let bytes = driver.input(batches![[vec![1_u8, 2]]]);
    /// bytes.save_as_files(directory.join("b").to_string_lossy(), "bin", FixedFormat { record_len: 2 });
    /// driver.run(1)?;
    /// let read = |part| std::fs::read(directory.join("b-1000.bin").join(part)).unwrap();
    /// assert_eq!([read("part-00000"), read("part-00001")].concat(), [1, 2]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_files<F: OutputFormat<T>>(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        format: F,
    ) -> OutputHandle<T> {
        self.save("save_as_files", prefix, suffix, format, SaveOptions::default())
    }

    /// Writes the records of each batch in a format of one's own; perhaps without empty batches, perhaps rolled. The codec of
    /// the options is not used: a format has its own.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_core::fs::FixedFormat;
    /// use millstream_streaming::SaveOptions;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("stream_save_as_files_with-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let prefix = directory.join("b").display().to_string();
    /// let options = SaveOptions::default().skip_empty(true);
    /// driver.input(batches![[], [vec![1_u8, 2]]]).save_as_files_with(prefix, "", FixedFormat { record_len: 2 }, options);
    /// driver.run(2)?;
    /// assert!(!directory.join("b-1000").exists() && directory.join("b-2000/_SUCCESS").exists());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_files_with<F: OutputFormat<T>>(
        &self,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        format: F,
        options: SaveOptions,
    ) -> OutputHandle<T> {
        self.save("save_as_files", prefix, suffix, format, options)
    }

    /// Saves each batch under the name of the output it is done for.
    #[track_caller]
    pub(super) fn save<F: OutputFormat<T>>(
        &self,
        name: &'static str,
        prefix: impl Into<String>,
        suffix: impl Into<String>,
        format: F,
        options: SaveOptions,
    ) -> OutputHandle<T> {
        let (prefix, suffix, slide) = (prefix.into(), suffix.into(), self.slide_duration());
        let place = Location::caller();
        for problem in options.problems() {
            self.graph().problem(&Operator::call(name, place), problem);
        }
        let call = Operator::call(name, place);
        match FsPath::parse(&directory(&prefix, "TIME_IN_MS", &suffix)) {
            Ok(named) => {
                let shared = format!("the directory {named} of its batches is");
                let named = Place::Named(named.to_string());
                self.graph().leaves_in(call, named, &shared, "give it another prefix or suffix");
            }
            Err(error) => self.graph().problem(&call, error.to_string()),
        }
        let stream = self.clone();
        self.output(name, place, move |rdd: Rdd<T>, time, save| {
            if let Some(open) = options.left_open(stream.time_before(time), time, slide) {
                let open = directory(&prefix, open.as_millis(), &suffix);
                completed::complete(&rdd.context().file_systems(), &open)?;
            }
            let (first, saving) = options.of_batch(time, slide);
            let directory = directory(&prefix, first.as_millis(), &suffix);
            operator::named(save, || rdd.save_as_files(directory, format.clone(), saving))
        })
    }
}

/// The directory of a batch, named as Spark does.
fn directory(prefix: &str, millis: impl Display, suffix: &str) -> String {
    match suffix {
        "" => format!("{prefix}-{millis}"),
        suffix => format!("{prefix}-{millis}.{suffix}"),
    }
}
