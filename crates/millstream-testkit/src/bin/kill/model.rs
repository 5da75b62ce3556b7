//! What every batch of every output must hold, reckoned in the plainest way from what the sinks say went into the batches.
//!
//! Which records a batch gets is a matter of the clock, so the batches of two runs can not be compared. But `stored` and `files`
//! put out what each batch was given, and all else is a function of that and of the batches before: each is held against it.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::Differences;
use crate::data::{STOP_WORDS, words_of_line};
use crate::outcome::Outcome;
use crate::pipeline::{BATCH, GROWN, IDLE, LATELY, PARTITIONS, SAVED, SLIDING, TUMBLING};

type Counts = BTreeMap<String, i64>;

/// Holds all batches of a run against its inputs.
pub(crate) fn check(outcome: &Outcome, differences: &mut Differences) {
    let batches: Vec<i64> = outcome.output("received").keys().copied().collect();
    let interval = BATCH.as_millis() as i64;
    let Some(first) = batches.first() else { return differences.add("received: there is nothing".into()) };
    let last = batches.last().unwrap_or(first);
    let mut checked = Checked { outcome, differences, seen: BTreeMap::new() };
    let mut model = Model::default();
    for batch in (*first..=*last).step_by(interval as usize) {
        // There is no batch too few, but that one is passed over that was missed and has nothing to do; one too many is found below.
        if batches.binary_search(&batch).is_ok() {
            for (output, lines) in model.batch(outcome, batch) {
                checked.batch(output, batch, &lines);
            }
        } else if !model.passes_over(outcome, batch) {
            checked.differences.add(format!("received: batch {batch} is missing"));
        }
    }
    checked.nothing_else();
    checked.tables(&model);
}

/// Holds the output that the second version adds against the version that came to the end.
pub(crate) fn check_version(outcome: &Outcome, version: u64, differences: &mut Differences) {
    let last = outcome.output("received").last_key_value();
    let has_heard = last.is_some_and(|(batch, _)| !outcome.lines("heard", *batch).is_empty());
    if has_heard != (version == 2) {
        differences
            .add(format!("heard: version {version} came to the end, and the last batch says otherwise"));
    }
}

/// What has come so far.
#[derive(Default)]
struct Model {
    /// The number of the record that comes next.
    next: u64,
    dropped: i64,
    last: i64,
    /// The counts of each batch.
    counts: Vec<Counts>,
    totals: Counts,
    /// Of each word that has a session: the number of the last batch with it, and how often it came.
    sessions: BTreeMap<String, (usize, i64)>,
    table: Vec<(i64, String, i64)>,
    ended: Counts,
}

impl Model {
    /// Returns what the outputs must hold for a batch; nothing of an output that has no batch then.
    fn batch(&mut self, outcome: &Outcome, batch: i64) -> Vec<(&'static str, Vec<String>)> {
        let mut words = Vec::new();
        let mut received = Vec::new();
        // Of records that came twice the first ones count; the words are those of the lines that were put out, which are held
        // against what was sent elsewhere.
        let put_out: BTreeMap<u64, &str> = outcome
            .lines("received", batch)
            .into_iter()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(number, word)| Some((number.parse().ok()?, word)))
            .collect();
        for line in outcome.lines("stored", batch) {
            let number: Option<u64> = line.split_once(' ').and_then(|(_, number)| number.parse().ok());
            if let Some(number) = number.filter(|number| *number >= self.next) {
                self.next = number + 1;
                let word = put_out.get(&number).copied().unwrap_or("(nothing)");
                received.push(format!("{number} {word}"));
                words.push(word.to_owned());
            }
        }
        words.extend(outcome.lines("files", batch).into_iter().flat_map(words_of_line));
        let heard = words.len();
        words.retain(|word| !STOP_WORDS.contains(&word.as_str()));
        self.dropped += (heard - words.len()) as i64;
        let dropped = format!("{} after {}", self.dropped, self.last);
        self.last = batch;

        let mut counts = Counts::new();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
        for (word, n) in &counts {
            *self.totals.entry(word.clone()).or_default() += n;
            self.table.push((batch, word.clone(), *n));
        }
        self.counts.push(counts.clone());
        let ended = self.ended(&counts);
        let mut outputs = vec![
            ("received", received),
            ("heard", vec![heard.to_string()]),
            ("dropped", vec![dropped]),
            ("counts", text(&counts)),
            (SAVED, text(&counts)),
            ("totals", text(&self.totals)),
            ("sessions", text(&ended)),
        ];
        // Those that hold on to every word they ever had say so also of one that does not come any more.
        let windows = [
            ("tumbling", TUMBLING, false),
            ("sliding", SLIDING, true),
            ("grown", GROWN, true),
            ("lately", LATELY, true),
        ];
        for (output, (window, slide), holds_on) in windows {
            if self.counts.len().is_multiple_of(slide as usize) {
                outputs.push((output, text(&self.window(window as usize, holds_on))));
            }
        }
        outputs
    }

    /// Returns whether a batch had nothing to do, and goes on as if it had not been.
    fn passes_over(&mut self, outcome: &Outcome, batch: i64) -> bool {
        let before = self.last;
        let outputs = self.batch(outcome, batch);
        self.last = before;
        let holds = ["totals", "dropped"];
        let has_nothing = |lines: &[String]| lines.iter().all(|line| line == "0" || line.ends_with(" 0"));
        outputs.iter().all(|(output, lines)| holds.contains(output) || has_nothing(lines))
    }

    fn window(&self, window: usize, holds_on: bool) -> Counts {
        let mut sums: Counts = BTreeMap::new();
        if holds_on {
            sums.extend(self.totals.keys().map(|word| (word.clone(), 0)));
        }
        for (word, n) in self.counts.iter().rev().take(window).flatten() {
            *sums.entry(word.clone()).or_default() += n;
        }
        sums
    }

    /// Returns the sessions that end with this batch.
    fn ended(&mut self, counts: &Counts) -> Counts {
        let now = self.counts.len();
        for (word, n) in counts {
            let (last, sum) = self.sessions.entry(word.clone()).or_default();
            (*last, *sum) = (now, *sum + n);
        }
        let (live, ended): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.sessions)
            .into_iter()
            .partition(|(_, (last, _))| now - last < IDLE as usize);
        self.sessions = live;
        let ended: Counts = ended.into_iter().map(|(word, (_, sum))| (word, sum)).collect();
        for (word, sum) in &ended {
            *self.ended.entry(word.clone()).or_default() += sum;
        }
        ended
    }
}

fn text(counts: &Counts) -> Vec<String> {
    counts.iter().map(|(word, n)| format!("{word} {n}")).collect()
}

/// The batches that were held against the model.
struct Checked<'a> {
    outcome: &'a Outcome,
    differences: &'a mut Differences,
    seen: BTreeMap<&'static str, BTreeSet<i64>>,
}

impl Checked<'_> {
    fn batch(&mut self, output: &'static str, batch: i64, wanted: &[String]) {
        self.seen.entry(output).or_default().insert(batch);
        let partitions = self.outcome.output(output).get(&batch);
        // An output of the second version has the batches that this has run to the end, and what it died in is left as it was if the
        // first version ran the batch again.
        if output == "heard" && partitions.is_none_or(BTreeMap::is_empty) {
            return;
        }
        let Some(partitions) = partitions else {
            self.differences.add(format!("{output}: batch {batch} is missing"));
            return;
        };
        let mut lines: Vec<&str> = partitions.values().flatten().map(String::as_str).collect();
        // Records keep the order in which they came; in which order the words of a partition lie is nobody's promise.
        if output != "received" {
            lines.sort_unstable();
        }
        if lines != wanted {
            self.differences.add(format!("{output}: batch {batch}: {lines:?} instead of {wanted:?}"));
        }
        let is_whole = if output == SAVED {
            let names = (0..PARTITIONS).map(|number| format!("part-{number:05}"));
            self.outcome.complete.contains(&batch) && partitions.keys().cloned().eq(names)
        } else {
            let whole =
                partitions.keys().filter_map(|name| name.rsplit_once("-of-")?.1.parse::<usize>().ok());
            whole.min() == Some(partitions.len())
        };
        if !is_whole {
            self.differences
                .add(format!("{output}: batch {batch}: of its partitions there are {:?}", partitions.keys()));
        }
    }

    /// Looks for batches of outputs that the model has none of.
    fn nothing_else(&mut self) {
        let inputs = ["stored", "files"];
        for (output, batches) in &self.outcome.outputs {
            let received = self.seen.get("received");
            let seen = if inputs.contains(&&**output) { received } else { self.seen.get(&**output) };
            let more = batches.keys().find(|batch| !seen.is_some_and(|seen| seen.contains(batch)));
            if let Some(batch) = more {
                self.differences.add(format!("{output}: batch {batch} should not be there"));
            }
        }
    }

    fn tables(&mut self, model: &Model) {
        if self.outcome.counts != model.table {
            let n = self
                .outcome
                .counts
                .iter()
                .zip(&model.table)
                .take_while(|(got, wanted)| got == wanted)
                .count();
            let (got, wanted) = (self.outcome.counts.get(n), model.table.get(n));
            self.differences.add(format!("the table counts: {got:?} instead of {wanted:?}"));
        }
        let ended: Vec<(String, i64)> = model.ended.clone().into_iter().collect();
        if self.outcome.sessions != ended {
            self.differences
                .add(format!("the table sessions: {:?} instead of {ended:?}", self.outcome.sessions));
        }
    }
}
