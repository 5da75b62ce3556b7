//! The workloads as programs of Millstream: one file each, named as the loop in [`crate::hand`] it is set against.

mod chain;
mod engine;
mod group;
mod join;
mod sort;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;

use std::path::Path;

use crate::args::Variant;
use crate::data::Records;
use crate::workload::{Kind, Plan, Workload};

/// Tells whether there is a program for the workload; the others answer `unsupported`.
pub(crate) fn supports(kind: Kind) -> bool {
    match kind {
        Kind::W1 | Kind::W2 | Kind::W3 | Kind::W4 | Kind::W5 | Kind::W7 | Kind::Log | Kind::Chain => true,
        Kind::Join | Kind::Sort | Kind::Group | Kind::Skew => true,
    }
}

/// Starts a streaming context with the workload's program, which then takes batch after batch; W4's writes checkpoints under
/// `work` if that is given.
///
/// # Errors
/// If there is no program for the workload, or it could not be started.
pub(crate) fn open(
    plan: &Plan,
    variant: Variant,
    records: &Records,
    work: Option<&Path>,
) -> Result<Box<dyn Workload>, String> {
    let opened = match (plan.kind, records) {
        (Kind::W1, Records::Lines(lines)) => w1::open(plan, lines),
        (Kind::W2 | Kind::Skew, Records::Lines(lines)) => w2::open(plan, lines, variant),
        (Kind::W3, Records::Lines(lines)) => w3::open(plan, lines),
        (Kind::W4, Records::Lines(lines)) => w4::open(plan, lines, work),
        (Kind::W5, Records::Lines(lines)) => w5::open(plan, lines),
        (Kind::Chain, Records::Numbers(numbers)) => chain::open(plan, numbers),
        (Kind::Join, Records::Pairs { left, right }) => join::open(plan, left, right),
        (Kind::Sort, Records::Numbers(numbers)) => sort::open(plan, numbers),
        (Kind::Group, Records::Pairs { left, .. }) => group::open(plan, left),
        (kind, _) => return Err(format!("the records are not those of {kind:?}")),
    };
    opened.map_err(|error| error.to_string())
}
