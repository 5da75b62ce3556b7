//! Sources that are not those of before, whatever they are called.
//!
//! What is saved of a source, and of all that is made of it, is filed under its id, which without a `uid` goes by the order of
//! calls. Two of a kind that were exchanged would be given each other's past.

use std::collections::BTreeMap;

use super::checkpoint::Manifest;
use crate::dstream::AnyDStream;
use crate::graph::Graph;

/// Returns by the ids of sources what they read.
pub(super) fn of(graph: &Graph) -> BTreeMap<String, String> {
    with_streams(graph).into_iter().map(|(id, (reads, _))| (id, reads)).collect()
}

fn with_streams(graph: &Graph) -> BTreeMap<String, (String, AnyDStream)> {
    let streams = graph.streams().into_iter();
    streams
        .filter_map(|stream| Some((stream.operator().id.as_deref()?.to_owned(), (stream.reads()?, stream))))
        .collect()
}

/// Returns which sources would be given the past of another one that is still there, or was: they have changed their places.
pub(super) fn exchanged(graph: &Graph, manifest: &Manifest) -> Vec<String> {
    let (now, then) = (of(graph), &manifest.sources);
    let mut problems = Vec::new();
    for (id, (reads, stream)) in with_streams(graph) {
        let Some(before) = then.get(&id).filter(|before| **before != reads) else { continue };
        // The program has said that it is the same one.
        if stream.is_named() || !has_past(graph, manifest, &id) {
            continue;
        }
        let went = now.iter().any(|(other, read)| read == before && then.get(other) != Some(before));
        let came = then.iter().any(|(other, read)| *read == reads && now.get(other) != Some(&reads));
        if went || came {
            problems.push(format!(
                "{} reads {reads}, and the source `{id}` has read {before}: sources without a `uid` go by the order of their calls, and \
                 this one would go on with the states and inputs of the other; restore the order, or give both a `uid`, that of \
                 {before} being `{id}` (to give up states does not help)",
                stream.operator()
            ));
        }
    }
    problems
}

/// Returns whether something is kept of a source, or of what is made of it.
fn has_past(graph: &Graph, manifest: &Manifest, id: &str) -> bool {
    let is_receiver = graph.receivers_by_id().contains_key(id);
    manifest.receivers.iter().any(|saved| saved.id == id)
        || (!is_receiver && has_inputs(manifest, id))
        || manifest.operators.iter().any(|operator| operator.id.contains(id))
}

fn has_inputs(manifest: &Manifest, id: &str) -> bool {
    manifest.inputs.values().any(|sources| sources.contains_key(id))
}

/// Returns which sources read what one of another name has read, and do not know how far that has come.
pub(super) fn renamed(graph: &Graph, manifest: &Manifest) -> Vec<String> {
    let (now, receivers) = (with_streams(graph), graph.receivers_by_id());
    let gone = manifest.sources.iter().filter(|(id, _)| !now.contains_key(*id) && has_inputs(manifest, id));
    let mut problems = Vec::new();
    for (id, before) in gone {
        let is_new = |other: &str| !manifest.sources.contains_key(other) && !receivers.contains_key(other);
        let found = now.iter().find(|(other, (reads, _))| reads == before && is_new(other));
        if let Some((other, (_, stream))) = found {
            problems.push(format!(
                "{} (`{other}`) reads {before} as the source `{id}` did, which is gone, and with it how far it has come; call the stream \
                 `.uid(\"{id}\")`",
                stream.operator()
            ));
        }
    }
    problems
}
