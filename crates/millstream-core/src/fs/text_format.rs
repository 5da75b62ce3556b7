//! `TextFormat`: a record a line.

use std::fmt::{self, Write as _};
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::format::{Cut, FileSplit, InputFormat, OutputFormat};
use super::lines::Lines;
use super::{Codec, FileStatus, FileSystems, failed, write_failed};
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::error::Result;
use crate::show::{Show, shown};
use crate::stream::{self, ChunkStream};

/// Lines of text; written by `Show`, compressed by a codec. Readers find the codec by the names of the files.
///
/// Lines end with `\n`, `\r\n` or `\r`. A byte order mark at the beginning of a file is dropped; bytes that are not
/// UTF-8 are read as U+FFFD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFormat {
    /// How files are compressed that are written.
    pub codec: Codec,
}

impl InputFormat for TextFormat {
    type Record = String;

    fn cut(&self, file: &FileStatus) -> Result<Cut> {
        Ok(if Codec::of(&file.path)? == Codec::None { Cut::Anywhere } else { Cut::Whole })
    }

    fn read(&self, files: &FileSystems, split: &FileSplit) -> Result<ChunkStream<String>> {
        let path = split.file.path.clone();
        let codec = Codec::of(&path)?;
        // A line belongs to the split in which it begins: the rest of the line before is passed over.
        let before = split.start.saturating_sub(1);
        let opened = files.of(&path)?.open(&split.file, before)?;
        let broken = move |error| failed("reading", &path, error);
        let (mut lines, end) = match codec {
            Codec::None => (Lines::new(opened), split.end),
            codec => (Lines::new(codec.reader(opened).map_err(&broken)?), u64::MAX),
        };
        let mut at = before;
        // The mark belongs to the first line, which begins before it wherever the file is cut.
        let mut mark = 0;
        if split.start > 0 {
            at += lines.next(|_| ()).map_err(&broken)?.map_or(0, |((), length)| length);
        } else {
            mark = lines.skip_byte_order_mark().map_err(&broken)?;
        }
        Ok(stream::from_fn(move || {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK && at < end {
                let line = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
                let Some((line, length)) = lines.next(line).map_err(&broken)? else { break };
                at += length + std::mem::take(&mut mark);
                chunk.push(line);
            }
            Ok((!chunk.is_empty()).then(|| chunk.into()))
        }))
    }
}

impl<T: Data + Show> OutputFormat<T> for TextFormat {
    fn extension(&self) -> String {
        self.codec.extension().to_owned()
    }

    fn write(&self, records: ChunkStream<T>, to: &mut dyn Write) -> Result<()> {
        write_text(self.codec, records, to, |record, text| writeln!(text, "{}", shown(record)))
    }
}

/// Writes what `line` makes of each record.
pub(super) fn write_text<T: Data>(
    codec: Codec,
    records: ChunkStream<T>,
    to: &mut dyn Write,
    line: impl Fn(&T, &mut String) -> fmt::Result,
) -> Result<()> {
    let mut writer = codec.writer(to).map_err(write_failed)?;
    let mut text = String::new();
    stream::drain(records, |chunk| {
        text.clear();
        chunk.for_each(|record| {
            // Writing into a string fails only if `show` itself says so; what it wrote stands.
            let _ = line(record, &mut text);
        });
        writer.write_all(text.as_bytes()).map_err(write_failed)
    })?;
    writer.finish().map(drop).map_err(write_failed)
}
