//! What goes in: made of the seed, so that every run has the same.

use std::collections::BTreeMap;

use millstream_core::shuffle::hash::pinned_hash;

/// How many different words there are.
const WORDS: u64 = 40;

/// How many words a file has.
const WORDS_OF_A_FILE: u64 = 50;

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
        Data { seed, sent: 2_000 + 200 * kills, files: 10 + kills }
    }

    /// Returns the word of a record that the server sends.
    pub(crate) fn sent_word(&self, number: u64) -> String {
        self.word("sent", number)
    }

    /// Returns the text of a file.
    pub(crate) fn file(&self, number: u64) -> String {
        let words = (0..WORDS_OF_A_FILE).map(|at| self.word("file", number * WORDS_OF_A_FILE + at));
        words.collect::<Vec<_>>().join(" ")
    }

    fn word(&self, from: &str, number: u64) -> String {
        format!("w{:02}", pinned_hash(&(self.seed, from, number)) % WORDS)
    }

    /// Returns how often each word comes.
    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        let files = (0..self.files).map(|number| self.file(number)).collect::<Vec<_>>().join(" ");
        let sent = (0..self.sent).map(|number| self.sent_word(number));
        for word in sent.chain(files.split(' ').map(str::to_owned)) {
            *counts.entry(word).or_default() += 1;
        }
        counts
    }
}
