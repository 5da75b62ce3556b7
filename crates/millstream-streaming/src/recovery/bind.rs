//! Gives what was saved back to the operators of a program, which may be another one than that which saved it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use millstream_core::fs::{FileSystem, FsPath};
use millstream_core::{Error as CoreError, settings};
use serde_json::Value;

use super::checkpoint::manifest::{SavedKind, SavedOperator, SavedState};
use super::checkpoint::{Lease, Manifest};
use super::grids::OldGrid;
use super::lineage::Lineage;
use super::plan::Recovered;
use super::state_file::StateFile;
use super::{gone_receivers, gone_states, sources, states, variables};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::state::StatefulOperator;
use crate::time::Time;

/// Gives what was saved back to the operators of a graph; returns from what each goes on.
///
/// # Errors
/// [`Error::Differences`] if an operator that it needs is not there; if it can not be read.
pub(crate) fn restore(
    graph: &Arc<Graph>,
    recovered: &Recovered,
    lineage: &Lineage,
) -> Result<Vec<SavedOperator>> {
    let manifest = &recovered.manifest;
    graph.recovery.passed_over().restore(manifest.passed_over.clone());
    let mut differences = differences(graph, manifest);
    differences.extend(sources::renamed(graph, manifest));
    differences.extend(gone_receivers::differences(graph, recovered)?);
    let mut operators = Vec::new();
    differences.extend(restore_states(graph, recovered, lineage, &mut operators)?);
    differences.extend(fit_together(graph, manifest, lineage, &mut operators));
    let exchanged = sources::exchanged(graph, manifest);
    // Nothing is lost by that: it would be another one's.
    let can_give_up = exchanged.is_empty();
    differences.extend(exchanged);
    if !differences.is_empty() {
        if !(can_give_up && graph.context.conf().get(settings::RECOVERY_ALLOW_STATE_LOSS)?) {
            let directory = recovered.directory.to_string();
            return Err(Error::Differences { directory, time: manifest.time, differences });
        }
        for difference in differences {
            tracing::warn!("given up: {difference}");
        }
    }
    tell_changed_settings(graph, manifest);
    let interval = Duration::from_millis(manifest.batch_interval_ms);
    let mut old_grids = manifest.old_grids.clone();
    if interval != graph.batch_interval {
        tracing::info!("the batch interval was {interval:?} and is {:?}", graph.batch_interval);
        let (zero, last, slides) = (manifest.zero, manifest.time, manifest.slides.clone());
        old_grids.push(OldGrid { zero, interval_ms: manifest.batch_interval_ms, last, slides });
    }
    if !old_grids.is_empty() {
        graph.recovery.set_old_grids(old_grids);
    }
    for stream in graph.streams() {
        let id = stream.operator().id.clone().unwrap_or_default();
        stream.restore_inputs(manifest.zero, of_source(manifest, &id))?;
    }
    Ok(operators)
}

/// Gives the stateful operators what was saved of them, and notes from what they go on; returns what does not fit.
fn restore_states(
    graph: &Arc<Graph>,
    recovered: &Recovered,
    lineage: &Lineage,
    operators: &mut Vec<SavedOperator>,
) -> Result<Vec<String>> {
    let manifest = &recovered.manifest;
    let system = graph.context.file_systems().of(&recovered.directory)?;
    let mut saved: BTreeMap<&str, &SavedOperator> =
        manifest.operators.iter().map(|operator| (operator.id.as_str(), operator)).collect();
    let mut differences = Vec::new();
    for operator in graph.stateful().into_iter().filter(|operator| lineage.has(&operator.id())) {
        // One that is new begins when it is known what is made of it.
        let Some(saved) = saved.remove(&*operator.id()) else { continue };
        let goes_on = SavedOperator {
            version: saved.version,
            ..states::describe(&*operator, saved.began, with_later_ones_that_fit(&*operator, saved))
        };
        let Some(schema) = saved.restored_schema() else {
            operator.begins_after(saved.version);
            operators.push(goes_on);
            continue;
        };
        let mut misfit = None;
        for file in saved.to_restore().iter().flat_map(|state| &state.files) {
            // What can not be read now is no difference: it is not given up.
            let file = StateFile::read(&*system, &recovered.directory, file)?;
            misfit = file.blocks().find_map(|block| operator.restore(schema, block).err());
            match misfit {
                // Nor is what has no room, in memory or on the disk.
                Some(error @ Error::Core(CoreError::Io { .. })) => return Err(error),
                Some(_) => break,
                None => {}
            }
        }
        if let Some(misfit) = misfit {
            let why = match misfit {
                // Of which operator is said already.
                Error::Core(CoreError::Argument { problem, remedy, .. }) => format!("{problem}; {remedy}"),
                other => format!("it keeps {} and kept {schema}: {other}", operator.fingerprint()),
            };
            differences.push(format!("{} (`{}`): {why}", operator.operator(), saved.id));
            begins(&*operator, saved.version, operators);
            continue;
        }
        operator.begins_after(saved.began);
        operator.restored(saved.version);
        operators.push(goes_on);
    }
    // Also one of which nothing was saved yet: its state would be made of the batches since it began.
    differences.extend(gone_states::differences(graph, lineage, manifest, saved.into_values()));
    Ok(differences)
}

/// Returns what was saved of an operator, up to the first later state that is of other types than it keeps.
fn with_later_ones_that_fit(operator: &dyn StatefulOperator, saved: &SavedOperator) -> Vec<SavedState> {
    let fits = |state: &SavedState| match &state.kind {
        SavedKind::Snapshot(schema) => state.batch <= saved.version || operator.fingerprint().fits(schema),
        SavedKind::Begin | SavedKind::Changes => true,
    };
    saved.states.iter().take_while(|state| fits(state)).cloned().collect()
}

/// Has an operator begin after a batch without a state.
fn begins(operator: &dyn StatefulOperator, after: Time, operators: &mut Vec<SavedOperator>) {
    operator.begins_after(after);
    operators.push(states::describe(operator, after, vec![states::begin(after)]));
}

/// Has new operators begin, and states be without the batches of before what they go on from where more is asked of them than was
/// before; returns which these are.
///
/// An operator is replayed with what is made of it, so that nothing is lost of the batches since that was saved. A window that
/// is new, or longer than it was, fills.
fn fit_together(
    graph: &Graph,
    manifest: &Manifest,
    lineage: &Lineage,
    operators: &mut Vec<SavedOperator>,
) -> Vec<String> {
    let stateful = graph.stateful();
    let mut differences = Vec::new();
    lineage.goes_on(manifest.not_asked_for(), |id, asked| {
        let Some(operator) = stateful.iter().find(|operator| *operator.id() == *id) else { return asked.after };
        let Some(saved) = operators.iter_mut().find(|saved| saved.id == id) else {
            tracing::info!("{} is new and starts without state", operator.operator());
            begins(&**operator, asked.by_those_after, operators);
            return asked.by_those_after;
        };
        let after = asked.after.max(saved.began);
        if saved.version > after {
            differences.push(format!(
                "what is made of {} (`{id}`) asks for its batches after {after}, and what was kept of it begins after {}: \
                 windows are new or reach back further than before, and would lack what lies between",
                operator.operator(),
                saved.version
            ));
            saved.began = saved.version;
            operator.begins_after(saved.began);
        }
        saved.version
    });
    differences
}

impl Graph {
    /// Gives the named variables, which the program has not asked for yet, their saved values.
    pub(super) fn restore_variables(
        &self,
        system: &dyn FileSystem,
        directory: &FsPath,
        manifest: &Manifest,
    ) -> Result<()> {
        if let Some(file) = &manifest.variables {
            self.context.restore_variables(variables::read(system, directory, file)?);
        }
        Ok(())
    }
}

/// Takes the lease of a directory that was found by this context.
pub(crate) fn take_lease(recovered: &Recovered) -> Option<Lease> {
    recovered.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Returns what was saved that the graph has no place for.
fn differences(graph: &Graph, manifest: &Manifest) -> Vec<String> {
    let streams = graph.streams();
    let ids: BTreeSet<Arc<str>> = streams.iter().filter_map(|stream| stream.operator().id.clone()).collect();
    let mut gone: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for batch in &manifest.pending {
        for source in manifest.inputs.get(batch).into_iter().flatten().map(|(source, _)| source.as_str()) {
            if !ids.contains(source) {
                gone.entry(source).or_default().push(batch.to_string());
            }
        }
    }
    let gone = gone.into_iter();
    gone.map(|(source, batches)| {
        let batches = batches.join(", ");
        format!("the source `{source}` is gone, and with it the input of unfinished batches ({batches})")
    })
    .collect()
}

/// Returns of what the batches of a source were made.
fn of_source(manifest: &Manifest, id: &str) -> BTreeMap<Time, Value> {
    let inputs = manifest.inputs.iter();
    inputs.filter_map(|(batch, saved)| Some((*batch, saved.get(id)?.clone()))).collect()
}

fn tell_changed_settings(graph: &Graph, manifest: &Manifest) {
    let now: BTreeMap<String, String> = graph.context.conf().all().into_iter().collect();
    let keys: BTreeSet<&String> = now.keys().chain(manifest.settings.keys()).collect();
    for key in keys {
        let (before, after) = (manifest.settings.get(key), now.get(key));
        if before != after {
            let text =
                |value: Option<&String>| value.map_or("unset".to_owned(), |value| format!("`{value}`"));
            tracing::info!("setting `{key}` was {} and is {}", text(before), text(after));
        }
    }
}
