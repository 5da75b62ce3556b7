//! Gives what was saved back to the operators of a program, which may be another one than that which saved it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use millstream_core::fs::{FileSystem, FsPath};
use millstream_core::settings;
use serde_json::Value;

use super::checkpoint::manifest::SavedOperator;
use super::checkpoint::{Lease, Manifest};
use super::plan::{OldGrid, Recovered};
use super::{states, variables};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::time::Time;

/// Gives what was saved back to the operators of a graph.
///
/// # Errors
/// [`Error::Differences`] if an operator that it needs is not there; if it can not be read.
pub(crate) fn restore(graph: &Arc<Graph>, recovered: &Recovered) -> Result<()> {
    let manifest = &recovered.manifest;
    let mut differences = differences(graph, manifest);
    differences.extend(restore_states(graph, recovered)?);
    if !differences.is_empty() {
        if !graph.context.conf().get(settings::RECOVERY_ALLOW_STATE_LOSS)? {
            let directory = recovered.directory.to_string();
            return Err(Error::Differences { directory, time: manifest.time, differences });
        }
        for difference in differences {
            tracing::warn!("given up: {difference}");
        }
    }
    tell_changed_settings(graph, manifest);
    let interval = Duration::from_millis(manifest.batch_interval_ms);
    if interval != graph.batch_interval {
        tracing::info!("the batch interval was {interval:?} and is {:?}", graph.batch_interval);
        graph.recovery.set_old_grid(OldGrid { zero: manifest.zero, interval, last: manifest.time });
    }
    for stream in graph.streams() {
        let id = stream.operator().id.clone().unwrap_or_default();
        stream.restore_inputs(manifest.zero, of_source(manifest, &id))?;
    }
    Ok(())
}

/// Gives the stateful operators what was saved of them; returns what does not fit.
fn restore_states(graph: &Arc<Graph>, recovered: &Recovered) -> Result<Vec<String>> {
    let manifest = &recovered.manifest;
    let interval = Duration::from_millis(manifest.batch_interval_ms);
    let system = graph.context.file_systems().of(&recovered.directory)?;
    let mut saved: BTreeMap<&str, &SavedOperator> =
        manifest.operators.iter().map(|operator| (operator.id.as_str(), operator)).collect();
    let mut differences = Vec::new();
    for operator in graph.stateful() {
        let Some(saved) = saved.remove(&*operator.id()) else {
            tracing::info!("{} is new and starts without state", operator.operator());
            // Before the first batch that is run, so that it does not look for batches of before it was there.
            operator.begins_after(manifest.pending.first().map_or(manifest.time, |first| *first - interval));
            continue;
        };
        let fits = operator.fingerprint().fits(&saved.schema);
        let mut result = Ok(());
        for file in &saved.files {
            result = states::read(&*system, &recovered.directory, file, |block| {
                operator.restore(&saved.schema, block)
            });
            if result.is_err() {
                break;
            }
        }
        match result {
            Err(Error::Damaged { .. }) | Ok(()) if fits => result?,
            Ok(()) => {}
            Err(error) => differences.push(format!(
                "{} (`{}`) keeps {} and kept {}: {error}",
                operator.operator(),
                saved.id,
                operator.fingerprint(),
                saved.schema
            )),
        }
        if let Some(version) = saved.version {
            operator.restored(version);
        }
    }
    differences.extend(saved.values().filter(|saved| saved.version.is_some()).map(|saved| {
        format!(
            "{} at {} (`{}`) is gone, with its state of {}",
            saved.name, saved.place, saved.id, saved.schema
        )
    }));
    Ok(differences)
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
