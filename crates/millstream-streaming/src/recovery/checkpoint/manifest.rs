//! What a checkpoint says: a small file of JSON.
//!
//! The first line is the manifest, the second its checksum. It holds no code: the graph is always built by the program, and
//! what is said here is bound to it by the ids of operators.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::recovery::block_log::SavedReceiver;
use crate::recovery::grids::Grids;
use crate::recovery::passed_over::Span;
use crate::recovery::write_ahead_log::LogPosition;
use crate::state::Fingerprint;
use crate::time::Time;

/// The version of the format; a manifest of a later one is refused.
pub(crate) const FORMAT: u32 = 1;

/// How far a program has come, and what it needs to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// The run of the program, together with those that were recovered from it.
    pub(crate) generation: u64,
    /// Counts the runs of a generation: what one writes that has lost its lease does not count once the next has begun.
    pub(crate) run: u64,
    /// Counts the manifests of a generation: the largest of the last run is the newest.
    pub(crate) sequence: u64,
    /// The name of the program.
    pub(crate) program: String,
    /// The last batch that was generated.
    pub(crate) time: Time,
    /// The first batch time of the generation less the interval.
    pub(crate) zero: Time,
    pub(crate) batch_interval_ms: u64,
    /// By the ids of streams: how long they slide, where that is not the interval.
    #[serde(default)]
    pub(crate) slides: BTreeMap<String, u64>,
    /// The batch times of other intervals that are still needed.
    pub(crate) old_grids: Grids,
    /// The intervals before `time` that have no batch and are still needed.
    pub(crate) passed_over: Vec<Span>,
    /// All settings of the run.
    pub(crate) settings: BTreeMap<String, String>,
    /// By the ids of sources: what they read, for people.
    #[serde(default)]
    pub(crate) sources: BTreeMap<String, String>,
    /// The operators that keep something.
    pub(crate) operators: Vec<SavedOperator>,
    /// The oldest batch that may still be asked for.
    pub(crate) oldest_needed: Time,
    /// The batches that were generated and not completed.
    pub(crate) pending: BTreeSet<Time>,
    /// By batch and source: what the batch was made of. Of all batches that windows and states may still ask for, with
    /// `input_files`.
    pub(crate) inputs: Inputs,
    /// The data files that tell the same of earlier batches, each followed by a copy of it.
    pub(crate) input_files: Vec<SavedFile>,
    /// The last record of the log of received blocks.
    pub(crate) block_log: Option<LogPosition>,
    /// The receivers whose blocks are in it.
    pub(crate) receivers: Vec<SavedReceiver>,
    /// The named variables, as they were after the last batch that was completed.
    pub(crate) variables: Option<SavedFile>,
}

/// By batch and by the id of the source: what a batch was made of, in words that only the source knows.
pub(crate) type Inputs = BTreeMap<Time, BTreeMap<String, Value>>;

/// An operator that keeps something across batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedOperator {
    /// Its stable id.
    pub(crate) id: String,
    /// The method, e.g. `update_state_by_key`.
    pub(crate) name: String,
    /// The place of its call.
    pub(crate) place: String,
    /// The types it keeps.
    pub(crate) schema: Fingerprint,
    /// There are no batches of it up to this one.
    pub(crate) began: Time,
    /// The batch after which its state is made anew, going on from one of `states`.
    pub(crate) version: Time,
    /// What there is of its state, oldest first; what is later than `version` is for when no one asks for batches before it.
    pub(crate) states: Vec<SavedState>,
}

/// A state as it was after a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedState {
    pub(crate) batch: Time,
    pub(crate) kind: SavedKind,
    pub(crate) files: Vec<SavedFile>,
    /// How often changes were merged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) merged: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What the files of a state hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedKind {
    /// Nothing: it begins with what the program begins with.
    Begin,
    /// All of it, of these types.
    Snapshot(Fingerprint),
    /// What has changed since the one before it.
    Changes,
}

impl SavedOperator {
    /// Returns what `version` is made of: the last snapshot or the begin before it, and the changes since.
    pub(crate) fn to_restore(&self) -> &[SavedState] {
        let end = self.states.iter().take_while(|state| state.batch <= self.version).count();
        let before = self.states.get(..end).unwrap_or_default();
        let begin = before.iter().rposition(|state| state.kind != SavedKind::Changes);
        before.get(begin.unwrap_or_default()..).unwrap_or_default()
    }

    /// Returns of what types the state is that is gone on from, if it is more than a begin.
    pub(crate) fn restored_schema(&self) -> Option<&Fingerprint> {
        match self.to_restore().first()?.kind {
            SavedKind::Snapshot(ref schema) => Some(schema),
            SavedKind::Begin | SavedKind::Changes => None,
        }
    }
}

/// A data file, named from the checkpoint directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) crc32: u32,
}

impl SavedFile {
    /// Returns whether another file holds the same.
    pub(crate) fn is_copy_of(&self, other: &SavedFile) -> bool {
        (self.bytes, self.crc32) == (other.bytes, other.crc32)
    }
}

/// Why a manifest is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// It is not whole: an older one counts.
    Broken(String),
    /// It is whole and of a later format: older ones do not count any more.
    Later(u32),
}

impl<T: Into<String>> From<T> for NotRead {
    fn from(problem: T) -> Self {
        NotRead::Broken(problem.into())
    }
}

/// Returns the last batch, of those up to `last`, whose outputs are not asked for any more.
pub(crate) fn not_asked_for(pending: &BTreeSet<Time>, last: Time) -> Time {
    pending.first().map_or(last, |first| *first - Duration::from_millis(1))
}

#[derive(Serialize, Deserialize)]
struct Checksum {
    crc32: u32,
}

impl Manifest {
    /// See [`not_asked_for`].
    pub(crate) fn not_asked_for(&self) -> Time {
        not_asked_for(&self.pending, self.time)
    }

    /// Returns the data files that it names.
    pub(crate) fn data_files(&self) -> impl Iterator<Item = &SavedFile> {
        self.state_files().chain(&self.input_files).chain(&self.variables)
    }

    /// Returns the data files of the states.
    fn state_files(&self) -> impl Iterator<Item = &SavedFile> {
        self.operators.iter().flat_map(|operator| &operator.states).flat_map(|state| &state.files)
    }

    /// Returns the data files of the states that are gone on from.
    pub(crate) fn restored_files(&self) -> impl Iterator<Item = &SavedFile> {
        self.operators.iter().flat_map(SavedOperator::to_restore).flat_map(|state| &state.files)
    }

    /// Returns whether another one is of the same run, of a program that keeps the same and cuts its batches at the same times.
    pub(crate) fn is_alike(&self, other: &Manifest) -> bool {
        let kept = |manifest: &Manifest| -> BTreeMap<String, Fingerprint> {
            let operators = manifest.operators.iter();
            operators.map(|operator| (operator.id.clone(), operator.schema.clone())).collect()
        };
        let run = |manifest: &Manifest| (manifest.generation, manifest.zero, manifest.batch_interval_ms);
        run(self) == run(other) && kept(self) == kept(other)
    }

    /// Writes the manifest as a file holds it.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        let checksum = Checksum { crc32: crc32fast::hash(&bytes) };
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(&checksum)?);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads what a file holds.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, NotRead> {
        let text = bytes.strip_suffix(b"\n").ok_or("it was not written to the end")?;
        let end = text.iter().position(|byte| *byte == b'\n').ok_or("it was not written to the end")?;
        let (manifest, checksum) = (&text[..end], &text[end + 1..]);
        let checksum: Checksum = serde_json::from_slice(checksum)
            .map_err(|error| format!("its checksum can not be read: {error}"))?;
        if crc32fast::hash(manifest) != checksum.crc32 {
            return Err("its checksum is wrong".into());
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let broken = |error| format!("it can not be read: {error}");
        let Format { format } = serde_json::from_slice(manifest).map_err(broken)?;
        if format > FORMAT {
            return Err(NotRead::Later(format));
        }
        Ok(serde_json::from_slice(manifest).map_err(broken)?)
    }
}

#[cfg(test)]
impl Manifest {
    /// Makes a manifest of nothing but its numbers.
    pub(crate) fn of(generation: u64, sequence: u64, time: i64) -> Self {
        Manifest {
            format: FORMAT,
            generation,
            run: 0,
            sequence,
            program: "test".into(),
            time: Time::from_millis(time),
            zero: Time::from_millis(0),
            batch_interval_ms: 1000,
            slides: BTreeMap::new(),
            old_grids: Grids::default(),
            passed_over: Vec::new(),
            settings: BTreeMap::new(),
            sources: BTreeMap::new(),
            operators: Vec::new(),
            oldest_needed: Time::from_millis(time),
            pending: BTreeSet::new(),
            inputs: BTreeMap::new(),
            input_files: Vec::new(),
            block_log: None,
            receivers: Vec::new(),
            variables: None,
        }
    }
}

/// Makes an operator whose state was saved after a batch, in a file of a name.
#[cfg(test)]
pub(crate) fn operator_of(version: i64, file: SavedFile) -> SavedOperator {
    let (schema, batch) = (Fingerprint::of::<u8, u8>(None), Time::from_millis(version));
    let state = SavedState { batch, kind: SavedKind::Snapshot(schema.clone()), files: vec![file], merged: 0 };
    SavedOperator {
        id: "a".into(),
        name: "a".into(),
        place: "here".into(),
        schema,
        began: Time::from_millis(0),
        version: batch,
        states: vec![state],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let at = Time::from_millis;
        let mut manifest = Manifest::of(2, 7, 5000);
        manifest.settings.insert("spark.app.name".into(), "test".into());
        manifest.pending.extend([at(4000), at(5000)]);
        manifest
            .inputs
            .entry(at(3000))
            .or_default()
            .insert("file_stream".into(), serde_json::json!(["a", 1]));
        manifest.variables = Some(SavedFile { name: "state/2".into(), bytes: 4, crc32: 8 });
        let file = |name: &str| SavedFile { name: name.into(), bytes: 3, crc32: 9 };
        let mut operator = operator_of(3000, file("state/1"));
        let begin = SavedState { batch: at(0), kind: SavedKind::Begin, files: Vec::new(), merged: 0 };
        operator.states.insert(0, begin);
        let changes = |batch, name| SavedState {
            batch: at(batch),
            kind: SavedKind::Changes,
            files: vec![file(name)],
            merged: 0,
        };
        operator.states.extend([changes(4000, "state/2"), changes(5000, "state/3")]);
        manifest.operators.push(operator);
        manifest
    }

    #[test]
    fn is_read_as_it_was_written() {
        let manifest = sample();
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes().unwrap()), Ok(manifest.clone()));
    }

    #[test]
    fn a_state_is_made_of_a_snapshot_and_what_has_changed_since() {
        let names = |version: i64| {
            let mut manifest = sample();
            manifest.operators[0].version = Time::from_millis(version);
            manifest.restored_files().map(|file| file.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(0), [""; 0]);
        assert_eq!(names(3000), ["state/1"]);
        assert_eq!(names(4000), ["state/1", "state/2"]);
        assert_eq!(sample().data_files().count(), 4);
    }

    #[test]
    fn one_that_is_torn_or_changed_anywhere_is_not_read() {
        let bytes = sample().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Manifest::from_bytes(&bytes[..length]).is_err(), "torn at {length}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Manifest::from_bytes(&flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn one_of_a_later_format_says_so() {
        let mut manifest = sample();
        manifest.format = FORMAT + 1;
        let later = Manifest::from_bytes(&manifest.to_bytes().unwrap());
        assert_eq!(later, Err(NotRead::Later(FORMAT + 1)));
    }
}
