//! What goes in: made of the seed, so that every run has the same.

use std::collections::BTreeMap;

use millstream_core::shuffle::hash::pinned_hash;

/// How many different words there are.
const WORDS: u64 = 40;

/// How many lines a file has.
const LINES: u64 = 4;

/// How many words a line of a file has after its name.
const WORDS_OF_A_LINE: u64 = 10;

/// How many files there are before the first kill. Their names are long, so that what a checkpoint must say of them is more
/// than is written anew each time.
const FIRST_FILES: u64 = 60;

/// The words that are dropped.
pub(crate) const STOP_WORDS: [&str; 3] = ["w00", "w01", "w02"];

/// The records of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub(crate) seed: u64,
    /// Records that the server sends.
    pub(crate) sent: u64,
    pub(crate) files: u64,
}

impl Data {
    /// Enough for a run with so many kills to be under way to its end.
    pub(crate) fn for_kills(kills: usize, seed: u64) -> Self {
        let kills = kills as u64;
        Data { seed, sent: 1_000 + 150 * kills, files: FIRST_FILES + kills }
    }

    /// How many files are there at first.
    pub(crate) fn first_files(&self) -> u64 {
        FIRST_FILES.min(self.files)
    }

    /// Returns the word of a record that the server sends.
    pub(crate) fn sent_word(&self, number: u64) -> String {
        self.word("sent", number)
    }

    /// Returns the name of a file.
    pub(crate) fn file_name(number: u64) -> String {
        format!("{number:05}-{}.txt", "long".repeat(30))
    }

    /// Returns the lines of a file, each with a name of its own.
    pub(crate) fn file(&self, number: u64) -> Vec<String> {
        let line = |line: u64| {
            let first = (number * LINES + line) * WORDS_OF_A_LINE;
            let words = (first..first + WORDS_OF_A_LINE).map(|at| self.word("file", at));
            let name = format!("f{number:05}.{line}");
            std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
        };
        (0..LINES).map(line).collect()
    }

    fn word(&self, from: &str, number: u64) -> String {
        format!("w{:02}", pinned_hash(&(self.seed, from, number)) % WORDS)
    }

    /// Returns how often each word comes.
    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        let sent = (0..self.sent).map(|number| self.sent_word(number));
        let lines: Vec<String> = (0..self.files).flat_map(|number| self.file(number)).collect();
        let of_files = lines.iter().flat_map(|line| words_of_line(line));
        for word in sent.chain(of_files) {
            *counts.entry(word).or_default() += 1;
        }
        counts
    }

    /// Returns how often each word comes that is not dropped.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (String, i64)> {
        self.counts().into_iter().filter(|(word, _)| !STOP_WORDS.contains(&word.as_str()))
    }
}

/// Returns the words of a line of a file.
pub(crate) fn words_of_line(line: &str) -> impl Iterator<Item = String> + use<'_> {
    line.split(' ').skip(1).map(str::to_owned)
}
