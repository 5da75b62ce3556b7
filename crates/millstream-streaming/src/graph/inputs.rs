//! What the sources said of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::listener::StreamInputInfo;
use crate::receiver::StreamId;

/// Tells how many records of a batch were read so far, where that is not known before.
pub(crate) type Counter = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What each source said of a batch.
#[derive(Default)]
pub(crate) struct Inputs(BTreeMap<StreamId, Input>);

struct Input {
    info: StreamInputInfo,
    counters: Vec<Counter>,
}

impl Inputs {
    /// Adds what a source says of a batch; what it said of an earlier one without jobs is put before it.
    pub(super) fn add(&mut self, info: StreamInputInfo, counter: Option<Counter>) {
        let said = self.0.entry(info.input_stream_id).or_insert_with(|| Input {
            info: StreamInputInfo::new(info.input_stream_id, 0),
            counters: Vec::new(),
        });
        said.add(Input { info, counters: counter.into_iter().collect() });
    }

    /// Adds what the sources said of a later batch.
    pub(super) fn append(&mut self, later: Inputs) {
        for (stream, input) in later.0 {
            match self.0.get_mut(&stream) {
                Some(said) => said.add(input),
                None => drop(self.0.insert(stream, input)),
            }
        }
    }

    /// Returns what there is to be said of each stream, with the records that were read so far.
    pub(crate) fn infos(&self) -> BTreeMap<StreamId, StreamInputInfo> {
        let info = |input: &Input| {
            let mut info = input.info.clone();
            info.num_records += input.counters.iter().map(|counter| counter()).sum::<u64>();
            info
        };
        self.0.iter().map(|(stream, input)| (*stream, info(input))).collect()
    }
}

impl Input {
    fn add(&mut self, later: Input) {
        self.info.num_records += later.info.num_records;
        self.counters.extend(later.counters);
        for (key, value) in later.info.metadata {
            let between = if key == StreamInputInfo::DESCRIPTION { "\n" } else { "," };
            let said = self.info.metadata.entry(key).or_default();
            if !(said.is_empty() || value.is_empty()) {
                said.push_str(between);
            }
            said.push_str(&value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_without_jobs_are_put_before_the_next() {
        let said = |records, file: &str| {
            let mut info = StreamInputInfo::new(StreamId(1), records);
            info.metadata.insert("files".into(), file.into());
            info.metadata.insert(StreamInputInfo::DESCRIPTION.into(), file.into());
            info
        };
        let (mut first, mut second, mut none) = (Inputs::default(), Inputs::default(), Inputs::default());
        first.add(said(0, "a"), Some(Arc::new(|| 5)));
        none.add(said(0, ""), None);
        second.add(said(2, "b"), Some(Arc::new(|| 7)));
        first.append(none);
        first.append(second);
        let infos = first.infos();
        assert_eq!(infos[&StreamId(1)].num_records, 14);
        assert_eq!(infos[&StreamId(1)].metadata["files"], "a,b");
        assert_eq!(infos[&StreamId(1)].metadata_description(), Some("a\nb"));
    }
}
