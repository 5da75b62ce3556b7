//! What two runs must agree on, byte for byte: what does not depend on which batch a record has come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::data::Data;
use crate::outcome::{Batches, Outcome};
use crate::pipeline::SAVED;
use crate::say;

/// What differs; the first ones are told.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    pub(crate) count: usize,
    /// Whose they are.
    pub(crate) run: &'static str,
}

/// How many differences are told.
const TOLD: usize = 20;

impl Differences {
    pub(crate) fn add(&mut self, what: String) {
        self.count += 1;
        if self.count <= TOLD {
            let short: String = what.chars().take(600).collect();
            say(format_args!("{}: {short}", self.run));
        }
    }
}

/// Returns what all batches of each output come to, in an order of its own.
pub(crate) fn whole(outcome: &Outcome) -> Vec<(&'static str, String)> {
    // Windows that slide over each other have nothing in common but the last one.
    let last = ["sliding", "totals", "lately"].map(|output| (output, last(outcome.output(output))));
    let added = ["counts", SAVED, "tumbling", "grown", "sessions"]
        .map(|output| (output, sums(outcome.all_lines(output))));
    let counted = outcome.counts.iter().map(|(_, word, n)| format!("{word} {n}")).collect::<Vec<_>>();
    let sessions = outcome.sessions.iter().map(|(word, n)| (word.as_str(), *n));
    let mut whole = vec![
        ("received", joined(outcome.all_lines("received"))),
        ("files", files(outcome)),
        ("dropped", dropped(outcome.output("dropped"))),
        ("table counts", sums(counted.iter().map(String::as_str))),
        ("table sessions", joined_counts(sessions)),
    ];
    whole.extend(last.into_iter().chain(added));
    whole
}

/// Returns what all batches of each output must come to, as it follows from the data alone.
pub(crate) fn expected(data: &Data) -> Vec<(&'static str, String)> {
    let dropped = data.counts().values().sum::<i64>() - data.kept().map(|(_, n)| n).sum::<i64>();
    let kept: Vec<(String, i64)> = data.kept().collect();
    let counts = joined_counts(kept.iter().map(|(word, n)| (word.as_str(), *n)));
    // Of the sliding windows everything has left: what was added was taken out again.
    let nothing = joined_counts(kept.iter().map(|(word, _)| (word.as_str(), 0)));
    let received = (0..data.sent).map(|number| format!("{number} {}", data.sent_word(number)));
    let files = (0..data.files).flat_map(|number| data.file(number));
    let of = |output: &'static str| {
        let text = match output {
            "received" => joined(received.clone()),
            "files" => joined(files.clone()),
            "dropped" => format!("{dropped}\n"),
            "sliding" | "lately" => nothing.clone(),
            _ => counts.clone(),
        };
        (output, text)
    };
    whole(&Outcome::default()).into_iter().map(|(output, _)| of(output)).collect()
}

/// Looks for what no run may have, whatever its batches: a record that was stored once in two batches, a word in two partitions.
pub(crate) fn check_once(outcome: &Outcome, differences: &mut Differences) {
    let mut stored = BTreeSet::new();
    for line in outcome.all_lines("stored") {
        if !stored.insert(line) {
            differences.add(format!("stored: what a life has stored once comes twice: {line}"));
        }
    }
    for (output, batches) in &outcome.outputs {
        if ["stored", "received", "files", "dropped", "heard"].contains(&output.as_str()) {
            continue;
        }
        let mut places: BTreeMap<&str, &str> = BTreeMap::new();
        for (part, lines) in batches.values().flatten() {
            for word in lines.iter().filter_map(|line| Some(line.split_once(' ')?.0)) {
                let place = places.entry(word).or_insert(part);
                if *place != part {
                    differences.add(format!("{output}: {word} lies in {place} and in {part}"));
                }
            }
        }
    }
}

fn joined(lines: impl Iterator<Item = impl AsRef<str>>) -> String {
    lines.fold(String::new(), |text, line| text + line.as_ref() + "\n")
}

fn joined_counts<'a>(counts: impl Iterator<Item = (&'a str, i64)>) -> String {
    counts.fold(String::new(), |mut text, (word, n)| {
        let _ = writeln!(text, "{word} {n}");
        text
    })
}

/// The files in the order of their names, each with its lines as they lie in the one batch that has it.
fn files(outcome: &Outcome) -> String {
    let partitions = outcome.output("files").values().flat_map(BTreeMap::values);
    let file = |line: &str| line.split('.').next().unwrap_or_default().to_owned();
    // A partition may hold several files, one after the other.
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    for lines in partitions {
        for (at, line) in lines.iter().enumerate() {
            let name = file(line);
            match blocks.last_mut().filter(|(last, _)| at > 0 && *last == name) {
                Some((_, lines)) => lines.push(line),
                None => blocks.push((name, vec![line])),
            }
        }
    }
    blocks.sort_by(|(a, _), (b, _)| a.cmp(b));
    joined(blocks.into_iter().flat_map(|(_, lines)| lines))
}

/// What the accumulator has come to.
fn dropped(batches: &Batches) -> String {
    joined(last_lines(batches).map(|line| line.split(' ').next().unwrap_or_default()))
}

/// Adds up the numbers of each word.
fn sums<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (word, n) in lines.filter_map(|line| line.split_once(' ')) {
        *sums.entry(word).or_default() += n.parse::<i64>().unwrap_or(i64::MIN);
    }
    joined_counts(sums.into_iter())
}

/// The words and numbers of the last batch.
fn last(batches: &Batches) -> String {
    let mut lines: Vec<&str> = last_lines(batches).collect();
    lines.sort_unstable();
    joined(lines.into_iter())
}

fn last_lines(batches: &Batches) -> impl Iterator<Item = &str> {
    let last = batches.values().next_back().into_iter();
    last.flat_map(BTreeMap::values).flatten().map(String::as_str)
}
