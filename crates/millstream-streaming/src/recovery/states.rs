//! Saves what stateful operators hold: at first all of it, then what has changed, until that has become as much.
//!
//! The bytes are written by a thread of its own while batches go on, a piece whenever none is processed; a manifest names
//! them once they are written. What is due meanwhile waits until then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use millstream_core::fs::{FileSystem, FsPath};

use super::checkpoint::manifest::{SavedKind, SavedOperator, SavedState};
use super::checkpoint::store::STATE;
use super::lineage::{GoesOn, Lineage};
use crate::error::Result;
use crate::graph::Graph;
use crate::scheduler::Pace;
use crate::state::{StateVersion, StatefulOperator};
use crate::time::Time;

mod files;
mod saved;
mod writer;

use files::Files;
use saved::{Merged, Saved};
use writer::Writer;

/// What is saved of the stateful operators of a graph.
///
/// A state is not gone on from while what is made of it needs its batches of before; so there may be several of an operator.
pub(crate) struct States {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    generation: u64,
    pub(super) lineage: Arc<Lineage>,
    saved: BTreeMap<Arc<str>, Saved>,
    /// Does the save that is under way.
    writer: Writer<Vec<Written>>,
    /// The operators whose save was due while another was under way.
    overdue: BTreeSet<Arc<str>>,
    /// Whether something was saved that no manifest names yet.
    is_new: bool,
}

/// What a save has written of an operator.
struct Written {
    id: Arc<str>,
    state: SavedState,
    version: Arc<dyn StateVersion>,
    merged: Option<Merged>,
}

impl States {
    /// Begins with what was saved by an earlier run.
    pub(crate) fn new(
        system: Arc<dyn FileSystem>,
        directory: FsPath,
        generation: u64,
        lineage: Arc<Lineage>,
        operators: Vec<SavedOperator>,
    ) -> Self {
        let saved = operators
            .into_iter()
            .map(|operator| (Arc::from(operator.id), Saved::restored(operator.began, operator.states)));
        let saved = saved.collect();
        let overdue = BTreeSet::new();
        let writer = Writer::default();
        States { system, directory, generation, lineage, saved, writer, overdue, is_new: false }
    }

    /// Notes which operators have gone on from the last that was saved of them.
    pub(crate) fn restored(&mut self, graph: &Graph) {
        for operator in graph.stateful() {
            if let Some(saved) = self.saved.get_mut(&operator.id()) {
                saved.restored_by(&*operator);
            }
        }
    }

    /// Says that operators of which nothing was saved have no batches up to `zero`.
    pub(crate) fn begin_after(&mut self, zero: Time) {
        for id in self.lineage.ids() {
            self.saved.entry(Arc::clone(id)).or_insert_with(|| Saved::begun(zero));
        }
    }

    /// Takes up what was written meanwhile.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn look(&mut self) -> Result<()> {
        let written = self.writer.take();
        self.add(written)
    }

    /// Waits for the save that is under way.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let written = self.writer.wait();
        self.add(written)
    }

    fn add(&mut self, written: Option<Result<Vec<Written>>>) -> Result<()> {
        for Written { id, state, version, merged } in written.transpose()?.into_iter().flatten() {
            if let Some(saved) = self.saved.get_mut(&id) {
                saved.add(state, version);
                merged.into_iter().for_each(|merged| saved.merge(merged));
                self.is_new = true;
            }
        }
        Ok(())
    }

    /// Returns whether something was saved since this was asked last.
    pub(crate) fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Begins to save the states after a batch for which it is time. While another save is under way that is put off to a later
    /// batch, which saves all that has changed until then: batches do not wait for a disk.
    ///
    /// # Errors
    /// If the save before it failed, or there are no threads.
    pub(crate) fn save(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        if graph.waits_for_saves() {
            self.save_in_turn(graph, batch)
        } else {
            self.save_if_free(graph, batch)
        }
    }

    /// Begins to save the states after a batch for which it is time, when the save before it has been written.
    ///
    /// # Errors
    /// If the save before it failed, or there are no threads.
    pub(crate) fn save_in_turn(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        if graph.stateful().iter().any(|operator| self.is_due(graph, operator, batch)) {
            self.wait()?;
        }
        self.save_if_free(graph, batch)
    }

    fn save_if_free(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        self.look()?;
        let (is_free, mut due) = (!self.writer.is_writing(), Vec::new());
        for operator in graph.stateful() {
            let id = operator.id();
            let is_due = self.is_due(graph, &operator, batch) || self.overdue.contains(&id);
            if is_due && !is_free {
                self.overdue.insert(id);
            // One whose window was not due has no state of this batch, and stays overdue.
            } else if is_due && operator.version(batch).is_some() {
                self.overdue.remove(&id);
                due.extend(self.lacks(&operator, batch).then_some(operator));
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        self.begin(due, batch, Pace::BatchesFirst(Arc::clone(&graph.batches_first)))
    }

    fn is_due(&self, graph: &Graph, operator: &Arc<dyn StatefulOperator>, batch: Time) -> bool {
        is_due(graph, &self.lineage, &**operator, batch)
    }

    /// Saves all states after a batch, and waits until that is done.
    ///
    /// # Errors
    /// If they can not be written.
    pub(crate) fn save_all(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        self.wait()?;
        let lacking = graph.stateful().into_iter().filter(|operator| self.lacks(operator, batch)).collect();
        // Whoever asked waits for it.
        self.begin(lacking, batch, Pace::AtOnce)?;
        self.wait()
    }

    /// Saves the states after a batch of operators of which nothing is saved, and waits until that is done.
    ///
    /// # Errors
    /// If they can not be written.
    pub(crate) fn save_missing(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        let is_missing = |operator: &Arc<dyn StatefulOperator>| {
            self.saved.get(&operator.id()).is_some_and(|saved| saved.states.is_empty())
        };
        let missing = graph.stateful().into_iter().filter(is_missing).collect();
        self.begin(missing, batch, Pace::AtOnce)?;
        self.wait()
    }

    /// Returns whether an operator that outputs are made of is saved as of before a batch only.
    fn lacks(&self, operator: &Arc<dyn StatefulOperator>, batch: Time) -> bool {
        let last = |saved: &Saved| saved.states.last().map(|state| state.batch);
        self.saved.get(&operator.id()).is_some_and(|saved| last(saved) < Some(batch))
    }

    /// Returns what a savepoint after `batch` goes on from; operators whose state after that batch is to be saved have none.
    pub(crate) fn of_savepoint(&self, graph: &Graph, batch: Time, completed: Time) -> Vec<SavedOperator> {
        let operators = graph.stateful();
        let is_there: BTreeSet<Arc<str>> = operators
            .iter()
            .filter(|operator| operator.version(batch).is_some())
            .map(|operator| operator.id())
            .collect();
        let goes_on = self.lineage.goes_on(completed, |id, asked| {
            if asked.after >= batch && is_there.contains(id) { batch } else { self.choose(id, asked.after) }
        });
        let mut kept = self.operators(graph, &goes_on);
        for operator in &mut kept {
            let is_taken = operator.version == batch && is_there.contains(operator.id.as_str());
            operator.states = if is_taken { Vec::new() } else { operator.to_restore().to_vec() };
        }
        kept
    }

    fn choose(&self, id: &str, asked: Time) -> Time {
        self.saved.get(id).map_or(asked, |saved| saved.choose(asked))
    }

    /// Decides from where a restart goes on if the outputs of batches up to `completed` are not asked for.
    pub(crate) fn goes_on(&self, completed: Time) -> GoesOn {
        self.lineage.goes_on(completed, |id, asked| self.choose(id, asked.after))
    }

    /// Forgets what no restart will go on from.
    pub(crate) fn forget(&mut self, goes_on: &GoesOn) {
        for (id, version) in &goes_on.states {
            if let Some(saved) = self.saved.get_mut(id) {
                saved.forget(*version);
            }
        }
    }

    /// Returns what a manifest is to say.
    pub(crate) fn operators(&self, graph: &Graph, goes_on: &GoesOn) -> Vec<SavedOperator> {
        let saved = |operator: Arc<dyn StatefulOperator>| {
            let id = operator.id();
            let (saved, version) = (self.saved.get(&id)?, *goes_on.states.get(&id)?);
            Some(SavedOperator { version, ..describe(&*operator, saved.began, saved.states.clone()) })
        };
        graph.stateful().into_iter().filter_map(saved).collect()
    }

    /// Has states written on a thread of its own.
    fn begin(&mut self, operators: Vec<Arc<dyn StatefulOperator>>, batch: Time, pace: Pace) -> Result<()> {
        let mut work = Vec::new();
        for operator in operators {
            // One whose window was not due has none; what was saved before stays good, since its inputs are kept.
            let Some(version) = operator.version(batch) else { continue };
            let id = operator.id();
            let saved = self.saved.get(&id);
            let earlier = saved.and_then(Saved::changes_since);
            // A snapshot takes the place of all changes before it.
            let merged =
                saved.filter(|_| earlier.is_some()).map(Saved::to_merge).unwrap_or_default().to_vec();
            work.push(Work { id, operator, version, earlier, merged });
        }
        if work.is_empty() {
            return Ok(());
        }
        let (system, directory) = (Arc::clone(&self.system), self.directory.clone());
        let generation = self.generation;
        self.writer.begin(move || {
            let write = |Work { id, operator, version, earlier, merged }: Work| {
                let place = (&*system, &directory);
                let prefix = format!("{STATE}/{generation}/{:016x}-{}", hash(&id), batch.as_millis());
                let merged = Files::new(place, format!("{prefix}-merged"), &pace).merge(&merged)?;
                let files = Files::new(place, prefix, &pace);
                let state = files.save(&*operator, &*version, earlier.as_deref())?;
                Ok(Written { id, state, version, merged })
            };
            work.into_iter().map(write).collect()
        })
    }
}

impl Drop for States {
    /// Nothing is written after the streams were stopped, when the directory may be another one's.
    fn drop(&mut self) {
        if let Err(error) = self.wait() {
            tracing::warn!("states were not saved: {error}");
        }
    }
}

/// What is to be saved of an operator.
struct Work {
    id: Arc<str>,
    operator: Arc<dyn StatefulOperator>,
    version: Arc<dyn StateVersion>,
    /// What was saved before, if only what has changed since is to be.
    earlier: Option<Arc<dyn StateVersion>>,
    /// Which changes are to become one.
    merged: Vec<SavedState>,
}

/// The begin of a state: what there is before anything was saved.
pub(crate) fn begin(after: Time) -> SavedState {
    SavedState { batch: after, kind: SavedKind::Begin, files: Vec::new(), merged: 0 }
}

/// Says what is saved of an operator; it goes on from the oldest.
pub(crate) fn describe(
    operator: &dyn StatefulOperator,
    began: Time,
    states: Vec<SavedState>,
) -> SavedOperator {
    let call = operator.operator();
    SavedOperator {
        id: operator.id().to_string(),
        name: call.name.to_string(),
        place: format!("{}:{}:{}", call.file, call.line, call.column),
        schema: operator.fingerprint().clone(),
        began,
        version: states.first().map_or(began, |state| state.batch),
        states,
    }
}

/// Returns whether an operator is to be saved after a batch.
fn is_due(graph: &Graph, lineage: &Lineage, operator: &dyn StatefulOperator, batch: Time) -> bool {
    let zero = graph.zero().unwrap_or_default();
    let interval = graph.checkpoint_interval(operator, lineage.reach(&operator.id()));
    batch.floor_from(interval, zero) == batch
}

/// Returns how often a state is saved unless the program says so: the smallest multiple of its slide that is at least ten
/// seconds, as in Spark.
pub(crate) fn default_interval(slide: Duration) -> Duration {
    let slide = slide.max(Duration::from_millis(1));
    let times = Duration::from_secs(10).as_millis().div_ceil(slide.as_millis());
    slide.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX).max(1))
}

/// How many states are kept of the time that windows over them reach back.
const IN_REACH: u32 = 8;

/// Returns how often a state is saved unless the program says so, where windows over it reach back that far.
///
/// What these reach back must be made again after a restart in any case, and all states that were saved meanwhile are kept and
/// named by each manifest: a few of them do.
pub(crate) fn unasked_interval(
    operator: &dyn StatefulOperator,
    slide: Duration,
    reach: Duration,
) -> Duration {
    let slide = slide.max(Duration::from_millis(1));
    let slides = (reach / IN_REACH).as_millis() / slide.as_millis();
    let of_windows = slide.saturating_mul(u32::try_from(slides).unwrap_or(u32::MAX));
    operator.default_interval(slide).max(of_windows)
}

/// Names the files of an operator: its id may hold what no file name may.
fn hash(id: &str) -> u64 {
    // FNV-1a, written out because it must never change.
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_saved_every_ten_seconds_or_more() {
        let seconds = |slide| default_interval(Duration::from_millis(slide)).as_millis();
        assert_eq!(
            [seconds(1000), seconds(3000), seconds(20_000), seconds(1)],
            [10_000, 12_000, 20_000, 10_000]
        );
    }

    #[test]
    fn names_of_files_do_not_change() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
