//! What is saved of an operator.

use std::ops::Range;
use std::sync::Arc;

use super::begin;
use crate::recovery::checkpoint::manifest::{SavedKind, SavedState};
use crate::state::{StateVersion, StatefulOperator};
use crate::time::Time;

/// So many changes that follow each other and were merged as often are merged into one. There are at most nine of each rank by
/// that, and each byte is written again once for each.
const RUN: usize = 10;

/// What is saved of an operator.
pub(super) struct Saved {
    /// There are no batches up to this one.
    pub(super) began: Time,
    /// Oldest first.
    pub(super) states: Vec<SavedState>,
    /// The last of them, for what changes after it; nothing if this run has not saved it, or it can not be gone on from.
    held: Option<Arc<dyn StateVersion>>,
    /// The version that manifests go on from, and later ones will not go back behind.
    gone_on_from: Time,
}

/// What has become of changes that were to be one.
pub(super) struct Merged {
    /// How many they were.
    pub(super) of: usize,
    /// Nothing if they can not be read any more.
    pub(super) into: Option<SavedState>,
}

impl Saved {
    /// Returns what there is of an operator that has not run yet.
    pub(super) fn begun(after: Time) -> Self {
        Saved::restored(after, vec![begin(after)])
    }

    /// Returns what an earlier run has saved.
    pub(super) fn restored(began: Time, states: Vec<SavedState>) -> Self {
        Saved { began, states, held: None, gone_on_from: Time::default() }
    }

    /// Notes that an operator has gone on from the last state, so that what is saved next is what changes after that. What was of
    /// another type is saved anew.
    pub(super) fn restored_by(&mut self, operator: &dyn StatefulOperator) {
        let snapshot = self.changes().start.checked_sub(1).and_then(|at| self.states.get(at));
        let fits = |state: &SavedState| matches!(&state.kind, SavedKind::Snapshot(schema) if schema == operator.fingerprint());
        if snapshot.is_some_and(fits) {
            self.held = self.states.last().and_then(|last| operator.version(last.batch));
        }
    }

    /// Takes up what was saved after a batch.
    pub(super) fn add(&mut self, state: SavedState, version: Arc<dyn StateVersion>) {
        self.states.push(state);
        self.held = Some(version);
    }

    /// Takes up that changes are one now. If they can not be read, the next save is a snapshot, which does without them.
    pub(super) fn merge(&mut self, merged: Merged) {
        let Some(into) = merged.into else {
            self.held = None;
            return;
        };
        let last = self.states.iter().rposition(|state| state.batch == into.batch);
        if let Some(first) = last.and_then(|last| (last + 1).checked_sub(merged.of)) {
            self.states.splice(first..first + merged.of, [into]);
        }
    }

    /// Returns the last state of before a batch that is asked for; `asked` is just before that one.
    pub(super) fn choose(&self, asked: Time) -> Time {
        // Where it had not begun there are no batches to be asked for.
        let asked = asked.max(self.began);
        let before = self.states.iter().rev().find(|state| state.batch <= asked);
        before.or(self.states.first()).map_or(asked, |state| state.batch)
    }

    /// Forgets what that version is not made of, and no later one.
    pub(super) fn forget(&mut self, version: Time) {
        self.gone_on_from = version;
        let is_whole = |state: &SavedState| state.batch <= version && state.kind != SavedKind::Changes;
        if let Some(first) = self.states.iter().rposition(is_whole) {
            self.states.drain(..first);
        }
    }

    /// Returns the version since which changes are to be saved; nothing if all is to be, because the changes since the last
    /// snapshot are as much by now.
    pub(super) fn changes_since(&self) -> Option<Arc<dyn StateVersion>> {
        let bytes = |states: &[SavedState]| -> u64 {
            states.iter().flat_map(|state| &state.files).map(|file| file.bytes).sum()
        };
        let changes = self.changes();
        let snapshot = self.states.get(..changes.start).and_then(<[_]>::last);
        let is_long = bytes(self.states.get(changes).unwrap_or_default())
            > snapshot.map_or(0, |snapshot| bytes(std::slice::from_ref(snapshot)));
        self.held.clone().filter(|_| !is_long)
    }

    /// Returns the changes that are to be merged next, or none; a manifest may go on from each later one.
    pub(super) fn to_merge(&self) -> &[SavedState] {
        let changes = self.states.get(self.changes()).unwrap_or_default();
        let end = changes.iter().take_while(|state| state.batch <= self.gone_on_from).count();
        let mut runs = changes.get(..end).unwrap_or_default().chunk_by(|a, b| a.merged == b.merged);
        runs.rfind(|run| run.len() >= RUN).unwrap_or_default()
    }

    /// Where the changes since the last snapshot, or the begin, lie.
    fn changes(&self) -> Range<usize> {
        let since = self.states.iter().rev().take_while(|state| state.kind == SavedKind::Changes).count();
        self.states.len() - since..self.states.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::checkpoint::manifest::SavedFile;
    use crate::state::Fingerprint;

    fn saved(batch: i64, kind: SavedKind, bytes: u64) -> SavedState {
        let files = vec![SavedFile { name: batch.to_string(), bytes, crc32: 0 }];
        SavedState { batch: Time::from_millis(batch), kind, files, merged: 0 }
    }

    /// Merges as the writer does, which is asked after each save.
    fn merge(saved: &mut Saved, version: i64) -> u64 {
        saved.forget(Time::from_millis(version));
        let run = saved.to_merge();
        let Some(last) = run.last() else { return 0 };
        let bytes = run.iter().flat_map(|state| &state.files).map(|file| file.bytes).sum();
        let of = run.len();
        let mut into = SavedState { merged: last.merged + 1, ..last.clone() };
        into.files[0].bytes = bytes;
        saved.merge(Merged { of, into: Some(into) });
        bytes
    }

    #[test]
    fn thousands_of_changes_are_few_and_each_byte_is_written_a_few_times() {
        let snapshot = saved(0, SavedKind::Snapshot(Fingerprint::of::<u64, u64>(None)), 1_000_000);
        let mut states = Saved::restored(Time::default(), vec![snapshot]);
        let (mut merged, mut most) = (0, 0);
        for batch in 1..10_000 {
            states.states.push(saved(batch, SavedKind::Changes, 1));
            merged += merge(&mut states, batch);
            most = most.max(states.states.len());
        }
        assert!(most <= 4 * RUN, "{most} files");
        assert!(merged <= 3 * 10_000, "{merged} bytes");
        let bytes: u64 = states.states[1..].iter().map(|state| state.files[0].bytes).sum();
        assert_eq!(bytes, 9_999);
        assert!(
            states
                .states
                .is_sorted_by(|a, b| a.batch < b.batch && (a.batch.as_millis() == 0 || a.merged >= b.merged))
        );
    }

    #[test]
    fn what_may_be_gone_on_from_is_not_merged() {
        let mut states = Saved::begun(Time::default());
        (1..30).for_each(|batch| states.states.push(saved(batch, SavedKind::Changes, 1)));
        assert_eq!((merge(&mut states, 9), merge(&mut states, 12)), (0, 12));
        // The begin, twelve that are one, and those after them.
        assert_eq!(states.states.len(), 2 + 17);
        assert_eq!(states.choose(Time::from_millis(13)), Time::from_millis(13));
        assert_eq!(states.choose(Time::from_millis(12)), Time::from_millis(12));
    }
}
