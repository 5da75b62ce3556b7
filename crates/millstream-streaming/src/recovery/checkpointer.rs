//! Writes the checkpoints of running streams: when a batch was generated and when it was completed.

use std::collections::BTreeSet;
use std::sync::Arc;

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath};
use millstream_core::{SavedVariable, settings};

use super::bind;
use super::block_log::{BlockLog, LogNumbers};
use super::checkpoint::manifest::{self, FORMAT, Inputs};
use super::checkpoint::store::Found;
use super::checkpoint::sweep::sweep;
use super::checkpoint::{CheckpointStore, Lease, Manifest};
use super::lineage::{GoesOn, Lineage};
use super::listed_inputs::ListedInputs;
use super::plan::Recovered;
use super::restart::Restart;
use super::savepoint;
use super::savepoint_request::Requests;
use super::sources;
use super::states::States;
use super::variables::{self, Variables};
use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// Writes the checkpoints of running streams; belongs to the thread that generates batches.
pub(crate) struct Checkpointer {
    store: CheckpointStore,
    lease: Lease,
    /// The last batch that was generated.
    time: Time,
    pending: BTreeSet<Time>,
    /// The last batch that this run has completed together with all before it.
    completed: Option<Time>,
    states: States,
    listed_inputs: ListedInputs,
    variables: Variables,
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    /// Up to when the logs were cleaned.
    cleaned: Time,
    pub(super) requests: Requests,
}

impl Checkpointer {
    /// Opens the checkpoint directory of a graph that is about to be started, and gives the graph back what was saved of an earlier
    /// run; nothing if there is no directory.
    ///
    /// # Errors
    /// If the directory can not be used, is in use, or what was saved does not fit the graph.
    pub(crate) fn open(graph: &Arc<Graph>) -> Result<Option<Self>> {
        let recovered = graph.recovery.recovered();
        let lineage = Arc::new(Lineage::of(graph));
        let restored = recovered.map(|recovered| bind::restore(graph, recovered, &lineage)).transpose()?;
        let restored = restored.unwrap_or_default();
        let Some(directory) = graph.recovery.directory() else {
            return recovered
                .map_or(Ok(None), |recovered| savepoint::needs_no_directory(recovered).map(|()| None));
        };
        let savepoint = recovered.filter(|recovered| recovered.is_savepoint);
        savepoint.map_or(Ok(()), |savepoint| savepoint::is_left_alone(savepoint, &directory))?;
        let system = graph.context.file_systems().of(&directory)?;
        let goes_on = recovered.filter(|recovered| !recovered.is_savepoint);
        let held = goes_on.and_then(bind::take_lease);
        let lease = match held {
            Some(lease) => lease,
            None => Lease::take(&system, &directory, &graph.program())?,
        };
        let found = Found::look(&*system, &directory)?;
        let manifest = goes_on.map(|recovered| &recovered.manifest);
        let store = CheckpointStore::new(Arc::clone(&system), directory.clone(), &found, manifest);
        if manifest.is_some() {
            sweep(&*system, &directory, store.generation, &found);
        }
        let operators = match savepoint {
            Some(Recovered { directory: from, .. }) => {
                let its_system = graph.context.file_systems().of(from)?;
                let (from, to) = ((&*its_system, from), (&*system, &directory));
                failpoint::reach("savepoint-before-adopt");
                let adopted = savepoint::adopt(from, to, store.generation, restored)?;
                failpoint::reach("savepoint-half-adopted");
                adopted
            }
            None => restored,
        };
        let mut states =
            States::new(Arc::clone(&system), directory.clone(), store.generation, lineage, operators);
        states.restored(graph);
        let conf = graph.context.conf();
        let last_logged = manifest.and_then(|manifest| manifest.block_log.as_ref());
        if let Some(recovered) = recovered {
            graph.receivers.blocks().begins_after(recovered.manifest.time);
        }
        // A log that was written is read, and goes on, whatever the setting says now: it may hold what no batch has. So it may before
        // a manifest names a record of it.
        let with_blocks = recovered.filter(|recovered| !recovered.manifest.receivers.is_empty());
        if conf.get(settings::RECEIVER_LOG_ENABLE)? || with_blocks.is_some() {
            let clock = Arc::clone(&graph.clock);
            let saved = manifest.map(|manifest| &*manifest.receivers).unwrap_or_default();
            let numbers = LogNumbers::new(saved, &graph.receivers_by_id());
            let (place, generation) = (directory.clone(), store.generation);
            let log = BlockLog::new(conf, clock, Arc::clone(&system), place, generation, numbers)?;
            let last = match with_blocks.filter(|recovered| recovered.is_savepoint) {
                Some(savepoint) => savepoint::adopt_blocks(graph, savepoint, &log)?,
                None => last_logged.cloned(),
            };
            let needed_from =
                recovered.map_or_else(Time::default, |recovered| recovered.manifest.oldest_needed);
            let has = |batch| {
                recovered
                    .is_none_or(|recovered| Restart::has(&recovered.manifest, graph.batch_interval, batch))
            };
            graph.receivers.blocks().recover(Arc::new(log), last.as_ref(), needed_from, has)?;
        }
        let variables = match recovered {
            Some(recovered) => adopt_variables(graph, recovered, (&*system, &directory), store.generation)?,
            None => Variables::default(),
        };
        if savepoint.is_some() {
            failpoint::reach("savepoint-after-adopt");
        }
        let before = recovered.map(|recovered| &recovered.manifest);
        Ok(Some(Checkpointer {
            store,
            lease,
            time: before.map_or_else(Time::default, |manifest| manifest.time),
            pending: before.map(|manifest| manifest.pending.clone()).unwrap_or_default(),
            completed: None,
            states,
            listed_inputs: ListedInputs::new(Arc::clone(&system), directory.clone()),
            variables,
            system,
            directory,
            cleaned: Time::default(),
            requests: Requests::default(),
        }))
    }

    /// Claims the generation before anything is received.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn started(&mut self, graph: &Graph) -> Result<()> {
        if graph.recovery.recovered().is_none() {
            self.time = graph.zero().unwrap_or_default();
            self.states.begin_after(self.time);
        }
        self.publish(graph)
    }

    /// Writes that a batch was generated, before its jobs are run: so that it is run again with the same inputs if they are not
    /// all run.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn generated(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        // One of before a restart is in the manifest that was gone on from, with its inputs.
        if !self.pending.insert(batch) && batch <= self.time {
            return Ok(());
        }
        self.time = self.time.max(batch);
        self.publish(graph)?;
        self.check()
    }

    /// Makes sure that no other process goes on from this directory: before anything is done that it would not know of.
    ///
    /// # Errors
    /// If one does, or that can not be told for too long.
    pub(crate) fn check(&self) -> Result<()> {
        self.lease.check()
    }

    /// Saves states that were made again after a restart if it is time, so that the next one has less to make again, however soon
    /// it comes.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn replayed(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        self.states.save_in_turn(graph, batch)?;
        self.states.look()?;
        if self.states.take_new() { self.publish(graph) } else { Ok(()) }
    }

    /// Writes that a batch, and all before it, were completed.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn completed(
        &mut self,
        graph: &Graph,
        batch: Time,
        variables: Vec<SavedVariable>,
    ) -> Result<()> {
        self.pending.remove(&batch);
        self.completed = self.completed.max(Some(batch));
        self.states.save(graph, batch)?;
        let generation = self.store.generation;
        self.variables.save(&self.system, &self.directory, generation, batch, variables)?;
        self.publish(graph)?;
        let oldest_needed = self.store.oldest_needed();
        if oldest_needed > self.cleaned {
            self.cleaned = oldest_needed;
            graph.receivers.blocks().clean_log(oldest_needed);
        }
        Ok(())
    }

    /// Writes where the streams were stopped; if all their batches were completed, with the states after the last one, so that
    /// nothing has to be made again.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn stopped(&mut self, graph: &Graph) -> Result<()> {
        match self.completed {
            Some(batch) if self.pending.is_empty() && batch == self.time => {
                self.states.save_all(graph, batch)?
            }
            _ => self.states.wait()?,
        }
        self.publish(graph)
    }

    /// Returns the oldest batch whose inputs are needed to go on from what was written.
    pub(crate) fn oldest_needed(&self, graph: &Graph) -> Time {
        self.oldest_needed_by(graph, &self.states.goes_on(self.not_asked_for()))
    }

    fn oldest_needed_by(&self, graph: &Graph, goes_on: &GoesOn) -> Time {
        let first = self.pending.first().copied().unwrap_or(self.time);
        goes_on.sources.min(graph.forgotten(first))
    }

    /// See [`not_asked_for`](manifest::not_asked_for).
    pub(super) fn not_asked_for(&self) -> Time {
        manifest::not_asked_for(&self.pending, self.time)
    }

    /// Returns where the checkpoints are written.
    pub(super) fn place(&self) -> (&dyn FileSystem, &FsPath) {
        (&*self.system, &self.directory)
    }

    /// Returns the last batch that this run has completed together with all before it.
    pub(super) fn last_completed(&self) -> Option<Time> {
        self.completed
    }

    pub(super) fn states(&self) -> &States {
        &self.states
    }

    fn publish(&mut self, graph: &Graph) -> Result<()> {
        self.check()?;
        self.states.look()?;
        let goes_on = self.states.goes_on(self.not_asked_for());
        self.states.forget(&goes_on);
        let mut manifest = self.store.number(self.manifest(graph, &self.states, &goes_on));
        self.listed_inputs.shorten(&mut manifest)?;
        self.store.publish(manifest)
    }

    /// Returns how far the streams have come, with what was saved of their states.
    pub(super) fn manifest(&self, graph: &Graph, states: &States, goes_on: &GoesOn) -> Manifest {
        let mut inputs = Inputs::new();
        for stream in graph.streams() {
            let Some(id) = stream.operator().id.clone() else { continue };
            // A later one could not be described to its end, and was never generated: it is decided anew of what it is made.
            for (batch, saved) in stream.saved_inputs().into_iter().filter(|(batch, _)| *batch <= self.time) {
                inputs.entry(batch).or_default().insert(id.to_string(), saved);
            }
        }
        let oldest_needed = self.oldest_needed_by(graph, goes_on);
        Manifest {
            format: FORMAT,
            generation: 0, // the store's affair, as are the next
            run: 0,
            sequence: 0,
            program: graph.program(),
            time: self.time,
            zero: graph.zero().unwrap_or_default(),
            batch_interval_ms: u64::try_from(graph.batch_interval.as_millis()).unwrap_or(u64::MAX),
            slides: graph.slides(),
            old_grids: graph.recovery.old_grids().map(|old| old.after(oldest_needed)).unwrap_or_default(),
            passed_over: graph.recovery.passed_over().between(oldest_needed, self.time),
            settings: graph.context.conf().all().into_iter().collect(),
            sources: sources::of(graph),
            operators: states.operators(graph, goes_on),
            oldest_needed,
            pending: self.pending.clone(),
            inputs,
            input_files: Vec::new(),
            block_log: graph.receivers.blocks().last_logged(),
            receivers: graph.receivers.blocks().saved_receivers(),
            variables: self.variables.file(),
        }
    }
}

/// Takes over the named variables of an earlier run.
fn adopt_variables(
    graph: &Graph,
    recovered: &Recovered,
    to: (&dyn FileSystem, &FsPath),
    generation: u64,
) -> Result<Variables> {
    let Some(file) = &recovered.manifest.variables else { return Ok(Variables::default()) };
    let system = graph.context.file_systems().of(&recovered.directory)?;
    let values = variables::read(&*system, &recovered.directory, file)?;
    let file = match recovered.is_savepoint {
        true => savepoint::copy((&*system, &recovered.directory), to, file, generation, "variables")?,
        false => file.clone(),
    };
    Ok(Variables::new(Some((values, file))))
}
