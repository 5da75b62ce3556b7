//! States that no operator of a program has, and which operator of it may be meant.

use super::checkpoint::Manifest;
use super::checkpoint::manifest::SavedOperator;
use super::lineage::Lineage;
use crate::graph::Graph;

/// Returns what would be lost of states, an operator each.
///
/// Without a `uid` an operator is found by its place in the graph, which one that is put before it changes: the same operator is then
/// gone and new.
pub(super) fn differences<'a>(
    graph: &Graph,
    lineage: &Lineage,
    manifest: &Manifest,
    gone: impl Iterator<Item = &'a SavedOperator>,
) -> Vec<String> {
    let is_known = |id: &str| manifest.operators.iter().any(|saved| saved.id == id);
    let stateful = graph.stateful().into_iter().filter(|operator| lineage.has(&operator.id()));
    let new: Vec<_> = stateful.filter(|operator| !is_known(&operator.id())).collect();
    let said = gone.map(|SavedOperator { name, place, id, schema, .. }| {
        if let Some(stream) = graph.stream(id) {
            let operator = stream.operator();
            return format!("no output is made of {operator} any more (`{id}`), with its state of {schema}");
        }
        let mut text = format!("{name} at {place} (`{id}`) is gone, with its state of {schema}");
        let mut alike = new.iter().filter(|operator| operator.fingerprint().fits(schema));
        if let (Some(operator), None) = (alike.next(), alike.next()) {
            text.push_str(&format!(
                "; {} (`{}`) is new and keeps the like: if it is the same one, call its stream `.uid(\"{id}\")`",
                operator.operator(),
                operator.id()
            ));
        }
        text
    });
    said.collect()
}
