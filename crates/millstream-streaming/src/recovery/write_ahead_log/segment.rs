//! The name and the head of a segment.

use std::fmt;

use super::LogPosition;
use super::frame::FRAME;
use crate::time::Time;

/// The name of a segment: when it was begun, and up to when records are put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) start: Time,
    pub(super) stop: Time,
}

impl SegmentName {
    /// Reads a name; nothing if it is not that of a segment.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (start, stop) = name.strip_prefix("log-")?.split_once('-')?;
        let time = |text: &str| text.parse().ok().map(Time::from_millis);
        Some(SegmentName { start: time(start)?, stop: time(stop)? })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log-{}-{}", self.start.as_millis(), self.stop.as_millis())
    }
}

/// A segment that nothing is written to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) name: SegmentName,
    /// Where the last record ends.
    pub(super) length: u64,
}

impl Ended {
    /// Returns a segment as it is at least, if there is a record at a place.
    pub(super) fn with(at: &LogPosition) -> Option<Self> {
        let length = at.offset + FRAME as u64 + u64::from(at.length);
        Some(Ended { name: SegmentName::parse(&at.segment)?, length })
    }
}

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"MSLOG\r\n\x02";

/// The bytes at the begin of a segment.
pub(super) const HEAD: usize = 44;

/// Whose segment it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// That of a generation, begun after another one; so it is seen if that is missing, or is shorter than it was.
    Of { generation: u64, before: Option<Ended> },
    /// The writing did not come to the end of the head, so there is no record.
    Torn,
    /// It is no segment, or one that was changed.
    Broken,
}

/// Writes the head of a segment of a generation, with the segment before it.
pub(super) fn head(generation: u64, before: Option<Ended>) -> Vec<u8> {
    let mut head = Vec::from(MAGIC);
    head.extend(generation.to_le_bytes());
    // No segment has the length 0.
    let (start, stop, length) = before
        .map_or((0, 0, 0), |Ended { name, length }| (name.start.as_millis(), name.stop.as_millis(), length));
    head.extend(start.to_le_bytes());
    head.extend(stop.to_le_bytes());
    head.extend(length.to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

/// Reads the head of a segment.
pub(super) fn read_head(bytes: &[u8]) -> Head {
    let Some((head, _)) = bytes.split_at_checked(HEAD) else { return Head::Torn };
    if head.iter().all(|byte| *byte == 0) {
        return Head::Torn;
    }
    let eight = |at: usize| -> [u8; 8] {
        head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
    };
    let time = |at| Time::from_millis(i64::from_le_bytes(eight(at)));
    let generation = u64::from_le_bytes(eight(8));
    let (name, length) = (SegmentName { start: time(16), stop: time(24) }, u64::from_le_bytes(eight(32)));
    let before = (length > 0).then_some(Ended { name, length });
    if head == self::head(generation, before) { Head::Of { generation, before } } else { Head::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_heads_are_read_as_they_are_written() {
        let name = SegmentName { start: Time::from_millis(1), stop: Time::from_millis(60_001) };
        assert_eq!(name.to_string(), "log-1-60001");
        assert_eq!(SegmentName::parse("log-1-60001"), Some(name));
        for other in ["log-1", "log-a-b", "._log-1-2.9-1.tmp", "checkpoint-1"] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
        let before = Ended { name, length: 99 };
        assert_eq!(read_head(&super::head(3, None)), Head::Of { generation: 3, before: None });
        let head = head(7, Some(before));
        assert_eq!(read_head(&head), Head::Of { generation: 7, before: Some(before) });
        assert_eq!(read_head(&head[..HEAD - 1]), Head::Torn);
        for at in 0..HEAD {
            let mut flipped = head.clone();
            flipped[at] ^= 0x10;
            assert_eq!(read_head(&flipped), Head::Broken, "{at}");
        }
    }
}
