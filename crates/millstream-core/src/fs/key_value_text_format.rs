//! `KeyValueTextFormat`: a key and its value a line, as Hadoop's text formats have them.

use std::fmt::Write as _;
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::format::{Cut, FileSplit, InputFormat, OutputFormat};
use super::text_format::write_text;
use super::{Codec, FileStatus, FileSystems, TextFormat};
use crate::data::Data;
use crate::error::Result;
use crate::show::{Show, shown};
use crate::stream::{self, ChunkStream};

/// Lines of a key, a separator and a value, both in the form of [`Show`]: what Hadoop's `TextOutputFormat` writes and its
/// `KeyValueTextInputFormat` reads.
///
/// Of a key or value that is nothing (`()`, `None`) nothing is written, and no separator: the line is the other one. A pair
/// of two of them has no line. What is read are texts, cut at the first separator; the value of a line without one is
/// empty. Nothing is escaped: a separator in a key, or the end of a line in either, is read as what it looks like.
///
/// # Examples
/// ```
/// use millstream_core::fs::KeyValueTextFormat;
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// let directory = std::env::temp_dir().join(format!("key_value_text-{}", std::process::id()));
/// let counts = context.parallelize([("to".to_owned(), Some(2)), ("be".to_owned(), None)], 1);
/// counts.save_as_hadoop_file(&directory, KeyValueTextFormat::default())?;
/// assert_eq!(std::fs::read_to_string(directory.join("part-00000")).unwrap(), "to\t2\nbe\n");
/// let read = context.read_files(&directory, KeyValueTextFormat::default(), 1);
/// assert_eq!(read.collect()?, [("to".into(), "2".into()), ("be".into(), String::new())]);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValueTextFormat {
    /// How files are compressed that are written.
    pub codec: Codec,
    /// What stands between key and value; a tab by default.
    pub separator: char,
}

impl Default for KeyValueTextFormat {
    fn default() -> Self {
        KeyValueTextFormat { codec: Codec::None, separator: '\t' }
    }
}

impl InputFormat for KeyValueTextFormat {
    type Record = (String, String);

    fn cut(&self, file: &FileStatus) -> Result<Cut> {
        TextFormat::default().cut(file)
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<(String, String)>> {
        let separator = self.separator;
        let mut lines = TextFormat::default().read(files, split)?;
        Ok(stream::from_fn(move || {
            let chunk = lines.next_chunk()?;
            Ok(chunk.map(|chunk| chunk.map(|line| cut_at(line, separator))))
        }))
    }
}

/// Cuts a line into key and value; the key keeps the line's memory.
fn cut_at(mut line: String, separator: char) -> (String, String) {
    let value = line.split_once(separator).map(|(key, value)| (key.len(), value.to_owned()));
    let (end, value) = value.unwrap_or_else(|| (line.len(), String::new()));
    line.truncate(end);
    (line, value)
}

impl<K: Data + Show, V: Data + Show> OutputFormat<(K, V)> for KeyValueTextFormat {
    fn extension(&self) -> String {
        self.codec.extension().to_owned()
    }

    fn write(&self, records: ChunkStream<(K, V)>, to: &mut dyn Write) -> Result<()> {
        let separator = self.separator;
        write_text(self.codec, records, to, |(key, value), text| match (key.column(), value.column()) {
            (Some(key), Some(value)) => writeln!(text, "{}{separator}{}", shown(key), shown(value)),
            (Some(only), None) | (None, Some(only)) => writeln!(text, "{}", shown(only)),
            (None, None) => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_first_separator() {
        let cut = |line: &str, separator| cut_at(line.to_owned(), separator);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(cut("a\tb", '\t'), pair("a", "b"));
        assert_eq!(cut("a\tb\tc", '\t'), pair("a", "b\tc"));
        assert_eq!(cut("a b", '\t'), pair("a b", ""));
        assert_eq!(cut("\tb", '\t'), pair("", "b"));
        assert_eq!(cut("a\t", '\t'), pair("a", ""));
        assert_eq!(cut("", '\t'), pair("", ""));
        assert_eq!(cut("Küche→rot", '→'), pair("Küche", "rot"));
    }
}
