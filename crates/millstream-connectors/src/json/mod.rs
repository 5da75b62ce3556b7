//! `JsonFormat`: files with a record a line, in JSON.

use std::io::{self, Write};
use std::marker::PhantomData;

use millstream_core::fs::{
    Codec, Cut, FileSplit, FileStatus, FileSystems, InputFormat, OutputFormat, TextFormat, write_failed,
};
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error, Result};
use serde::{Deserialize, Serialize};

/// Lines of JSON, one record each, compressed by a codec; lines of blanks are passed over.
///
/// JSON has no NaN and no infinity: they are written as `null`, which is read as an `Option` only.
///
/// # Examples
/// ```
/// use millstream_connectors::json::JsonFormat;
/// use millstream_core::rdd::Existing;
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// let directory = std::env::temp_dir().join(format!("json-{}", std::process::id()));
/// let pairs = context.parallelize([("to".to_owned(), 1), ("be".to_owned(), 2)], 1);
/// pairs.save_as_files(&directory, JsonFormat::default(), Existing::Refuse)?;
/// assert_eq!(context.text_file(directory.join("part-00000.json")).collect()?, [r#"["to",1]"#, r#"["be",2]"#]);
/// let read = context.read_files(&directory, JsonFormat::<(String, i32)>::default(), 1);
/// assert_eq!(read.collect()?, pairs.collect()?);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct JsonFormat<T> {
    /// How files are compressed that are written.
    pub codec: Codec,
    records: PhantomData<fn() -> T>,
}

impl<T> JsonFormat<T> {
    /// Lines of JSON in files that are compressed when they are written.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        JsonFormat { codec, records: PhantomData }
    }
}

impl<T> Default for JsonFormat<T> {
    fn default() -> Self {
        Self::new(Codec::None)
    }
}

/// So much of a broken line is shown.
const SHOWN: usize = 80;

impl<T: Data> InputFormat for JsonFormat<T> {
    type Record = T;

    fn cut(&self, file: &FileStatus) -> Result<Cut> {
        TextFormat::default().cut(file)
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<T>> {
        let path = split.file.path.clone();
        let mut lines = TextFormat::default().read(files, split)?;
        Ok(stream::from_fn(move || {
            let Some(chunk) = lines.next_chunk()? else { return Ok(None) };
            let lines = chunk.into_vec();
            let records = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| {
                serde_json::from_str(line).map_err(|error| {
                    let beginning: String = line.chars().take(SHOWN).collect();
                    let problem = format!("the line `{beginning}` is no record: {error}");
                    Error::Codec { what: format!("reading JSON of {path}"), problem }
                })
            });
            records.collect::<Result<Vec<T>>>().map(|records| Some(records.into()))
        }))
    }
}

impl<T: Data> OutputFormat<T> for JsonFormat<T> {
    fn extension(&self) -> String {
        format!(".json{}", self.codec.extension())
    }

    fn write(&self, records: ChunkStream<T>, to: &mut dyn Write) -> Result<()> {
        let mut writer = self.codec.writer(to).map_err(write_failed)?;
        let mut text = Vec::new();
        stream::drain(records, |chunk| {
            text.clear();
            let mut broken = None;
            chunk.for_each(|record| match serde_json::to_writer(&mut text, record) {
                Ok(()) => text.push(b'\n'),
                Err(error) => broken = Some(io::Error::from(error)),
            });
            if let Some(error) = broken {
                let what = format!("writing a `{}` as JSON", std::any::type_name::<T>());
                return Err(Error::Codec { what, problem: error.to_string() });
            }
            writer.write_all(&text).map_err(write_failed)
        })?;
        writer.finish().map(drop).map_err(write_failed)
    }
}
