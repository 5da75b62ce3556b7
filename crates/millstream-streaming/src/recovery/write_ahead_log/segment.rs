//! The name and the head of a segment.

use std::fmt;

use crate::time::Time;

/// The name of a segment: when it was begun, and up to when records are put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"MSLOG\r\n\x01";

/// The bytes at the begin of a segment.
pub(super) const HEAD: usize = 20;

/// Whose segment it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// That of a generation.
    Of(u64),
    /// The writing did not come to the end of the head, so there is no record.
    Torn,
    /// It is no segment, or one that was changed.
    Broken,
}

/// Writes the head of a segment of a generation.
pub(super) fn head(generation: u64) -> Vec<u8> {
    let mut head = Vec::from(MAGIC);
    head.extend(generation.to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

/// Reads the head of a segment.
pub(super) fn read_head(bytes: &[u8]) -> Head {
    let Some((head, _)) = bytes.split_at_checked(HEAD) else { return Head::Torn };
    let number = head.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    match number {
        _ if head.iter().all(|byte| *byte == 0) => Head::Torn,
        Some(generation) if head == self::head(generation) => Head::Of(generation),
        _ => Head::Broken,
    }
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
        let head = head(7);
        assert_eq!(read_head(&head), Head::Of(7));
        assert_eq!(read_head(&head[..HEAD - 1]), Head::Torn);
        for at in 0..HEAD {
            let mut flipped = head.clone();
            flipped[at] ^= 0x10;
            assert_eq!(read_head(&flipped), Head::Broken, "{at}");
        }
    }
}
