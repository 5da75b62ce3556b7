//! `Codec`: how files are compressed.

mod unpacked;

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use serde::{Deserialize, Serialize};

use self::unpacked::{Broken, Source, Unpacked};
use super::FsPath;
use crate::error::{Error, Result};

/// How a file is compressed; readers tell it from the end of the file's name.
///
/// # Examples
/// ```
/// use millstream_core::fs::{Codec, FsPath};
///
/// assert_eq!(Codec::of(&FsPath::parse("/logs/part-00000.gz")?)?, Codec::Gzip);
/// assert_eq!(Codec::Zstd.extension(), ".zst");
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip, `.gz`.
    Gzip,
    /// LZ4 frames, `.lz4`, as the tool `lz4` writes them; Hadoop's own framing is read too.
    Lz4,
    /// Zstandard, `.zst`.
    Zstd,
    /// bzip2, `.bz2`.
    Bzip2,
}

/// Writes compressed bytes; what is dropped without `finish` is cut off.
pub trait CodecWriter<W>: Write {
    /// Writes the end and returns what was written to.
    ///
    /// # Errors
    /// If it can not be written.
    fn finish(self: Box<Self>) -> io::Result<W>;
}

impl Codec {
    /// Returns the codec of a file of this name.
    ///
    /// # Errors
    /// If the name ends like those of a compression that can not be read: `.snappy`, `.lzo`, `.deflate`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::{Codec, FsPath};
    ///
    /// assert_eq!(Codec::of(&FsPath::parse("/logs/part-00000.bz2")?)?, Codec::Bzip2);
    /// assert_eq!(Codec::of(&FsPath::parse("/logs/part-00000")?)?, Codec::None);
    /// assert!(Codec::of(&FsPath::parse("/logs/part-00000.snappy")?).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn of(path: &FsPath) -> Result<Self> {
        Ok(match path.name().rsplit_once('.').map_or("", |(_, extension)| extension) {
            "gz" => Codec::Gzip,
            "lz4" => Codec::Lz4,
            "zst" | "zstd" => Codec::Zstd,
            "bz2" => Codec::Bzip2,
            unread @ ("snappy" | "lzo" | "deflate" | "xz") => {
                let problem = io::Error::new(
                    ErrorKind::Unsupported,
                    format!("`.{unread}` can not be read; compress the file with gzip, lz4, zstd or bzip2"),
                );
                return Err(Error::io(format!("opening {path}"), problem));
            }
            _ => Codec::None,
        })
    }

    /// Returns what is put behind the name of such a file.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::Codec;
    ///
    /// assert_eq!([Codec::None, Codec::Gzip, Codec::Lz4].map(Codec::extension), ["", ".gz", ".lz4"]);
    /// ```
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Codec::None => "",
            Codec::Gzip => ".gz",
            Codec::Lz4 => ".lz4",
            Codec::Zstd => ".zst",
            Codec::Bzip2 => ".bz2",
        }
    }

    /// Returns what people call it.
    fn name(self) -> &'static str {
        match self {
            Codec::None => "plain",
            Codec::Gzip => "gzip",
            Codec::Lz4 => "LZ4",
            Codec::Zstd => "Zstandard",
            Codec::Bzip2 => "bzip2",
        }
    }

    /// Returns what reads the uncompressed bytes; a file that was cut off is an error at its end, but one without a byte holds nothing.
    /// An error of the codec says what can be done about the file.
    ///
    /// # Errors
    /// If the beginning can not be read.
    ///
    /// # Examples
    /// ```
    /// use std::io::{self, Cursor, Read, Write};
    /// use millstream_core::fs::Codec;
    ///
    /// let mut writer = Codec::Gzip.writer(Vec::new())?;
    /// writer.write_all(b"to be")?;
    /// let bytes = writer.finish()?;
    /// let mut text = String::new();
    /// Codec::Gzip.reader(Box::new(Cursor::new(bytes)))?.read_to_string(&mut text)?;
    /// assert_eq!(text, "to be");
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn reader(self, from: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let broken = Broken::default();
        let mut from = BufReader::with_capacity(64 * 1024, Source { from, broken: broken.clone() });
        let bytes: Box<dyn Read + Send> = match self {
            Codec::None => return Ok(Box::new(from)),
            // As in Spark since 3.2, whose `spark.hadoopRDD.ignoreEmptySplits` is true by default.
            _ if from.fill_buf()?.is_empty() => return Ok(Box::new(io::empty())),
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
            Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(from)),
            Codec::Zstd => Box::new(zstd::Decoder::with_buffer(from)?),
            Codec::Lz4 => match from.fill_buf()? {
                start if start.starts_with(&LZ4_FRAME) => Box::new(Frames::new(from)),
                _ => Box::new(HadoopLz4 { from, block_left: 0, piece: Vec::new(), at: 0 }),
            },
        };
        Ok(Box::new(Unpacked { codec: self, bytes, broken }))
    }

    /// Returns what compresses the bytes written to it.
    ///
    /// # Errors
    /// If the beginning can not be written.
    ///
    /// # Examples
    /// ```
    /// use std::io::{self, Write};
    /// use millstream_core::fs::Codec;
    ///
    /// let mut writer = Codec::Zstd.writer(Vec::new())?;
    /// writer.write_all(&[0; 10_000])?;
    /// assert!(writer.finish()?.len() < 1000);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn writer<'a, W: Write + 'a>(self, to: W) -> io::Result<Box<dyn CodecWriter<W> + 'a>> {
        Ok(match self {
            Codec::None => Box::new(Plain(to)),
            Codec::Gzip => Box::new(flate2::write::GzEncoder::new(to, flate2::Compression::default())),
            Codec::Bzip2 => Box::new(bzip2::write::BzEncoder::new(to, bzip2::Compression::default())),
            Codec::Zstd => {
                let mut encoder = zstd::Encoder::new(to, 1)?;
                encoder.include_checksum(true)?;
                Box::new(encoder)
            }
            Codec::Lz4 => {
                let checked = lz4_flex::frame::FrameInfo::new().content_checksum(true);
                Box::new(lz4_flex::frame::FrameEncoder::with_frame_info(checked, to))
            }
        })
    }
}

struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> CodecWriter<W> for Plain<W> {
    fn finish(self: Box<Self>) -> io::Result<W> {
        Ok(self.0)
    }
}

impl<W: Write> CodecWriter<W> for flate2::write::GzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<W> {
        (*self).finish()
    }
}

impl<W: Write> CodecWriter<W> for bzip2::write::BzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<W> {
        (*self).finish()
    }
}

impl<W: Write> CodecWriter<W> for zstd::Encoder<'_, W> {
    fn finish(self: Box<Self>) -> io::Result<W> {
        (*self).finish()
    }
}

impl<W: Write> CodecWriter<W> for lz4_flex::frame::FrameEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<W> {
        (*self).finish().map_err(io::Error::other)
    }
}

/// The first bytes of an LZ4 frame.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

type Compressed = BufReader<Source<Box<dyn Read + Send>>>;

/// LZ4 frames one behind the other.
struct Frames {
    decoder: lz4_flex::frame::FrameDecoder<Compressed>,
}

impl Frames {
    fn new(from: Compressed) -> Self {
        Frames { decoder: lz4_flex::frame::FrameDecoder::new(from) }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.decoder.read(buffer)?;
            // At the end of a frame the decoder gives nothing once; what follows is another frame.
            if read > 0 || buffer.is_empty() || self.decoder.get_mut().fill_buf()?.is_empty() {
                return Ok(read);
            }
        }
    }
}

/// Hadoop's framing: blocks with their length before and after compression, each of one or more compressed pieces.
struct HadoopLz4 {
    from: Compressed,
    /// Bytes of the block that have not been uncompressed.
    block_left: usize,
    piece: Vec<u8>,
    at: usize,
}

/// Hadoop's blocks have 256 KiB; a length beyond this is not one.
const MOST_OF_A_BLOCK: usize = 64 << 20;

impl HadoopLz4 {
    fn length(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.from.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes(bytes) as usize;
        let problem = "this is neither an LZ4 frame nor a file of Hadoop's Lz4Codec";
        if length > MOST_OF_A_BLOCK {
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        }
        Ok(length)
    }

    /// Uncompresses the next piece; returns whether there was one.
    fn next_piece(&mut self) -> io::Result<bool> {
        while self.block_left == 0 {
            if self.from.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.block_left = self.length()?;
        }
        let mut compressed = vec![0; self.length()?];
        self.from.read_exact(&mut compressed)?;
        self.piece.resize(self.block_left, 0);
        let length = lz4_flex::block::decompress_into(&compressed, &mut self.piece)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        self.piece.truncate(length);
        self.at = 0;
        self.block_left -= length;
        if length == 0 {
            let problem = "a piece holds nothing, but its block is not at its end";
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        }
        Ok(true)
    }
}

impl Read for HadoopLz4 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.next_piece()? {
            return Ok(0);
        }
        let piece = &self.piece[self.at..];
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Bzip2];

    fn compressed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let mut writer = codec.writer(Vec::new()).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn read(codec: Codec, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut back = Vec::new();
        codec.reader(Box::new(Cursor::new(bytes)))?.read_to_end(&mut back)?;
        Ok(back)
    }

    fn some_bytes() -> Vec<u8> {
        (0..300_000_u32).flat_map(|n| (n.wrapping_mul(n) / 7).to_le_bytes()).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        for codec in ALL {
            for bytes in [Vec::new(), b"to be".to_vec(), some_bytes()] {
                let once = compressed(codec, &bytes);
                assert_eq!(read(codec, once.clone()).unwrap(), bytes, "{codec:?}");
                let twice = [once.clone(), once].concat();
                assert_eq!(read(codec, twice).unwrap(), bytes.repeat(2), "{codec:?}");
            }
        }
    }

    #[test]
    fn a_file_without_a_byte_holds_nothing() {
        for codec in ALL {
            assert_eq!(read(codec, Vec::new()).unwrap(), b"", "{codec:?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_spoilt_is_an_error() {
        for codec in &ALL[1..] {
            let whole = compressed(*codec, &some_bytes());
            let assert_says = |remedies: &[&str], bytes: Vec<u8>, how: &str| {
                let error = read(*codec, bytes).unwrap_err().to_string();
                let said = remedies.iter().filter(|remedy| error.contains(**remedy)).count();
                assert!(said == 1 && error.contains(codec.name()), "{codec:?} {how}: {error}");
            };
            let again = format!("compress the file again, or leave `{}` out of its name", codec.extension());
            let whole_file = "put the whole file there";
            for cut in [whole.len() - 1, whole.len() / 2, 5] {
                assert_says(&[whole_file], whole[..cut].to_vec(), &format!("cut at {cut}"));
            }
            let mut spoilt = whole.clone();
            let middle = whole.len() / 2;
            spoilt[middle..middle + 4].fill(0xa5);
            assert_says(&[&again, whole_file], spoilt, "spoilt");
            assert_says(&[&again, whole_file], b"this is no compressed file at all".to_vec(), "plain");
        }
    }

    #[test]
    fn what_can_not_be_read_is_not_blamed_on_the_codec() {
        struct Torn(Cursor<Vec<u8>>);
        impl Read for Torn {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(io::Error::other("the disk is gone")),
                    read => Ok(read),
                }
            }
        }
        for codec in ALL {
            let mut half = compressed(codec, &some_bytes());
            half.truncate(half.len() / 2);
            let mut reader = codec.reader(Box::new(Torn(Cursor::new(half)))).unwrap();
            let error = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
            assert_eq!(error, "the disk is gone", "{codec:?}");
        }
    }

    #[test]
    fn hadoops_lz4_is_read() {
        let (first, second) = (b"to be or not to be ".repeat(10), b"that is the question ".repeat(5));
        let mut file = Vec::new();
        let both = (first.len() + second.len()) as u32;
        file.extend(both.to_be_bytes());
        for piece in [&first, &second] {
            let compressed = lz4_flex::block::compress(piece);
            file.extend((compressed.len() as u32).to_be_bytes());
            file.extend(compressed);
        }
        let whole = [file.clone(), file.clone()].concat();
        let expected = [&first[..], &second[..]].concat().repeat(2);
        assert_eq!(read(Codec::Lz4, whole.clone()).unwrap(), expected);
        assert!(read(Codec::Lz4, whole[..whole.len() - 1].to_vec()).is_err());
        // A piece without literals in the place of the second one.
        let mut hollow = file[..4 + 4 + lz4_flex::block::compress(&first).len()].to_vec();
        hollow.extend([0, 0, 0, 1, 0]);
        assert!(read(Codec::Lz4, [hollow, whole].concat()).is_err(), "what follows was passed over");
    }
}
