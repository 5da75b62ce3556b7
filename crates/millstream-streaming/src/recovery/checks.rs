//! What is wrong with a graph as far as recovery goes, told before anything is started.

use millstream_core::settings;

use crate::error::Result;
use crate::graph::Graph;

/// Returns what is wrong, where, and what to do.
///
/// # Errors
/// If a setting can not be used.
pub(crate) fn problems(graph: &Graph) -> Result<Vec<String>> {
    let conf = graph.context.conf();
    let mut problems = Vec::new();
    let directory = graph.recovery.directory();
    if directory.is_some() {
        for stream in graph.streams() {
            if let Some(problem) = stream.refuses_checkpoints() {
                problems.push(format!("{}: {problem}", stream.operator()));
            }
        }
    }
    // One of the context says that they may be lost with the program.
    if directory.is_none() && graph.context.get_checkpoint_dir().is_none() {
        problems.extend(graph.needs_checkpoint_dir().iter().map(|operator| {
            format!(
                "{operator}: its state would be lost with the program, and there is no checkpoint directory; call `checkpoint` \
                 with one, or set spark.streaming.checkpoint.directory; where it may be lost, call `set_checkpoint_dir` on the context"
            )
        }));
    }
    problems.extend(graph.unfit_checkpoint_intervals());
    if directory.is_none() && conf.get(settings::RECEIVER_LOG_ENABLE)? {
        problems.push(
            "spark.streaming.receiver.writeAheadLog.enable is true, and there is no directory for the log; call \
             `checkpoint` with one, or set spark.streaming.checkpoint.directory"
                .into(),
        );
    }
    Ok(problems)
}
