//! The workloads, and what both sides have to offer to run one.

use crate::args::{Op, RunArgs, Split};

/// A workload: what is computed from each batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lines of grep.txt that contain `timeout`, counted.
    W1,
    /// Words of words.txt, counted by word.
    W2,
    /// The ten most frequent words of the last [`WINDOW`] batches.
    W3,
    /// A count for every key of a state, of which each batch touches [`TOUCHED`].
    W4,
    /// A batch of ten lines: first words, counted by word.
    W5,
    /// A start with a state, anew or from checkpoints: how long until the first batch is completed.
    W7,
    /// Words of lines from a socket, counted by word: with the write-ahead log and without.
    Log,
    /// Ten times `map(|x| x + 1)` over numbers, summed.
    Chain,
    /// Two batches of pairs, joined by key.
    Join,
    /// Numbers in no order, sorted.
    Sort,
    /// Pairs of very many keys, grouped by key.
    Group,
    /// Words of which nine in ten are the same, counted by word; compared with words that are all equally frequent.
    Skew,
}

/// Batches in W3's window.
pub(crate) const WINDOW: usize = 30;
/// Different keys in a batch of W4.
pub(crate) const TOUCHED: usize = 1_000;

/// Returns the n-th key of W4's state.
pub(crate) fn key(n: usize) -> String {
    format!("u{n:07}")
}

/// Returns the name of the file with the keys that the batches of W4 touch.
pub(crate) fn keys_file(state_keys: usize) -> String {
    format!("state-{state_keys}.txt")
}

impl Kind {
    /// Finds a workload by its name on the command line.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        match name.to_ascii_lowercase().as_str() {
            "w1" => Some(Kind::W1),
            "w2" => Some(Kind::W2),
            "w3" => Some(Kind::W3),
            "w4" => Some(Kind::W4),
            "w5" => Some(Kind::W5),
            "w7" => Some(Kind::W7),
            "log" => Some(Kind::Log),
            "chain" => Some(Kind::Chain),
            "join" => Some(Kind::Join),
            "sort" => Some(Kind::Sort),
            "group" => Some(Kind::Group),
            "skew" => Some(Kind::Skew),
            _ => None,
        }
    }

    /// Returns the name of the file that is read, if one is.
    pub(crate) fn file(self, state_keys: usize) -> Option<String> {
        match self {
            Kind::W1 => Some("grep.txt".to_owned()),
            Kind::W2 | Kind::W3 | Kind::W5 | Kind::Log => Some("words.txt".to_owned()),
            Kind::W4 => Some(keys_file(state_keys)),
            Kind::W7 | Kind::Chain | Kind::Join | Kind::Sort | Kind::Group | Kind::Skew => None,
        }
    }
}

/// How many batches of what size are run, with the workload's own numbers where none were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) cores: usize,
    pub(crate) per_batch: usize,
    pub(crate) batches: usize,
    pub(crate) warm_up: usize,
    pub(crate) pairs: usize,
    pub(crate) split: Split,
    pub(crate) op: Op,
    pub(crate) state_keys: usize,
}

impl Plan {
    pub(crate) fn new(kind: Kind, args: &RunArgs) -> Plan {
        let (per_batch, batches, warm_up) = match kind {
            Kind::W1 => (500_000, 20, 3),
            Kind::W2 => (100_000, 20, 3),
            // Until the window is full nothing leaves it.
            Kind::W3 => (100_000, 20, WINDOW),
            // The first batch fills the state.
            Kind::W4 => (TOUCHED, 200, 10),
            Kind::W5 => (10, 2_000, 500),
            // States are saved every tenth batch.
            Kind::W7 => (TOUCHED, 35, 0),
            // A batch is a turn.
            Kind::Log => (10_000_000, 1, 1),
            Kind::Chain => (1_000_000, 20, 3),
            Kind::Join => (1_000_000, 3, 2),
            Kind::Sort => (10_000_000, 1, 1),
            Kind::Group => (4_000_000, 1, 1),
            Kind::Skew => (100_000, 20, 3),
        };
        Plan {
            kind,
            cores: args.cores,
            per_batch: args.lines_per_batch.unwrap_or(per_batch),
            batches: args.batches.unwrap_or(batches),
            warm_up: args.warm_up.unwrap_or(warm_up),
            pairs: args.pairs,
            split: args.split,
            op: args.op,
            state_keys: args.state_keys.unwrap_or(if kind == Kind::W7 { 1_000 } else { 1_000_000 }),
        }
    }
}

/// One side of a comparison: a loop or an engine that is ready to take batches.
pub(crate) trait Workload {
    /// Runs batch `i`. Batches are run in order, from 0 on, each once.
    ///
    /// # Errors
    /// If the batch could not be run.
    fn batch(&mut self, i: usize) -> Result<BatchResult, String>;
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BatchResult {
    /// Records that went in.
    pub(crate) records: usize,
    /// Processing time in milliseconds: from when the job may run to when its output is done.
    pub(crate) ms: f64,
    /// The output, in the workload's form (see [`crate::results`]).
    pub(crate) result: String,
}

impl BatchResult {
    /// Returns records per second.
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 / self.ms * 1000.0
    }
}
