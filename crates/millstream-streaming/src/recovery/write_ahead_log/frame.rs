//! How a record lies in a segment: its length, two checksums, its bytes.
//!
//! The first checksum is of the record, the second of the length and the first one, so that a broken length is not taken
//! for the end of the segment. All numbers are of four bytes, little endian.

/// The bytes before each record.
pub(super) const FRAME: usize = 12;

/// The least that a file system leaves blank of a write that did not come to its end.
const SECTOR: usize = 512;

/// Returns what lies before a record of so many bytes.
pub(super) fn head(length: u32, parts: &[&[u8]]) -> [u8; FRAME] {
    let mut of_record = crc32fast::Hasher::new();
    parts.iter().for_each(|part| of_record.update(part));
    let mut head = [0; FRAME];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&of_record.finalize().to_le_bytes());
    let of_head = crc32fast::hash(&head[..8]);
    head[8..].copy_from_slice(&of_head.to_le_bytes());
    head
}

/// What lies at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A record.
    Record(&'a [u8]),
    /// The segment ends here.
    End,
    /// The write of what follows did not come to its end: no one was told that it is there.
    Torn,
    /// What lies here was whole once, or was never written by a log.
    Broken(&'static str),
}

/// Returns the length of a record and its checksum, as its head says; nothing if the head is not as it was written.
fn parse(head: &[u8]) -> Option<(u32, u32)> {
    let number =
        |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let whole = number(8)? == crc32fast::hash(head.get(..8)?);
    whole.then_some((number(0)?, number(4)?))
}

/// Returns the length of the record that lies behind a head; nothing if the head is not as it was written.
pub(super) fn length(head: &[u8]) -> Option<u32> {
    parse(head).map(|(length, _)| length)
}

/// Looks at the rest of a segment.
pub(super) fn read(rest: &[u8]) -> Frame<'_> {
    let Some((head, body)) = rest.split_at_checked(FRAME) else {
        return if rest.is_empty() { Frame::End } else { Frame::Torn };
    };
    let Some((length, checksum)) = parse(head) else {
        let blank = rest.iter().all(|byte| *byte == 0);
        return if blank { Frame::Torn } else { Frame::Broken("the head of a record has a wrong checksum") };
    };
    let Some(record) = body.get(..length as usize) else { return Frame::Torn };
    if crc32fast::hash(record) == checksum {
        return Frame::Record(record);
    }
    let blank = body.iter().rev().take_while(|byte| **byte == 0).count();
    if body.len() == record.len() && blank >= SECTOR.min(record.len()) {
        return Frame::Torn;
    }
    Frame::Broken("a record has a wrong checksum")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(record: &[u8], to: &mut Vec<u8>) {
        to.extend(head(record.len() as u32, &[record]));
        to.extend(record);
    }

    #[test]
    fn what_was_not_written_to_the_end_is_torn_and_what_was_changed_is_broken() {
        let mut bytes = Vec::new();
        append(b"to be", &mut bytes);
        assert_eq!(read(&bytes), Frame::Record(b"to be"));
        assert_eq!(read(&[]), Frame::End);
        for length in 1..bytes.len() {
            assert_eq!(read(&bytes[..length]), Frame::Torn, "{length}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(matches!(read(&flipped), Frame::Broken(_)), "{at}");
        }
        assert_eq!(read(&[0; 20]), Frame::Torn);
    }

    #[test]
    fn a_blank_sector_at_the_end_is_torn() {
        let mut bytes = Vec::new();
        append(&[7; 2000], &mut bytes);
        bytes[1000..].fill(0);
        assert_eq!(read(&bytes), Frame::Torn);
        bytes.push(1);
        assert!(matches!(read(&bytes), Frame::Broken(_)));
    }
}
