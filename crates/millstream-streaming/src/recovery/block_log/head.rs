//! What lies before the records of a block in the log: all that is to be known of it, should the log of metadata lose it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::broken;
use crate::error::Result;
use crate::recovery::write_ahead_log::Record;
use crate::time::Time;

/// What the bytes of a block begin with that has a head; without one they begin with the form of its records, which is 0, 1 or 2.
const WITH_HEAD: u8 = 3;

/// What is to be known of a block beside its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) number: i64,
    pub(super) records: u64,
    pub(super) metadata: Option<String>,
    pub(super) time: Time,
}

/// The records of a block behind its head.
pub(super) struct WithHead {
    head: Vec<u8>,
    records: Arc<dyn Record>,
}

impl WithHead {
    pub(super) fn new(head: &Head, records: Arc<dyn Record>) -> Result<Self> {
        let head = postcard::to_extend(head, vec![WITH_HEAD]).map_err(|error| broken("writing", &error))?;
        Ok(WithHead { head, records })
    }
}

impl Record for WithHead {
    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = self.records.parts();
        parts.insert(0, &self.head);
        parts
    }
}

/// Reads the head of a block, and how many bytes it takes; nothing if it has none, as in logs of before there were heads.
pub(super) fn of(bytes: &[u8]) -> Option<(Head, usize)> {
    let rest = bytes.strip_prefix(&[WITH_HEAD])?;
    let (head, records) = postcard::take_from_bytes(rest).ok()?;
    Some((head, bytes.len() - records.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_records_without_one_have_none() {
        let metadata = Some("offsets 0 to 100".to_owned());
        let head = Head { number: 1_700_000_000_000, records: 300, metadata, time: Time::from_millis(-5) };
        let record = WithHead::new(&head, Arc::new(b"\x02to be\n".to_vec())).unwrap();
        let bytes = record.parts().concat();
        let (read, length) = of(&bytes).unwrap();
        assert_eq!((read, &bytes[length..]), (head, &b"\x02to be\n"[..]));
        for without in [&b"\x00\x02"[..], b"\x01", b"\x02to be\n", b"", &bytes[..3]] {
            assert_eq!(of(without), None, "{without:?}");
        }
    }
}
