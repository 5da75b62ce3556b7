//! Text that has the words of English about as often as English has them.

/// Common words, the commonest first.
const WORDS: &str = include_str!("english.txt");

/// The fewest words of a line, and how many more there may be.
const SHORTEST: usize = 4;
const MORE: u64 = 9;

/// Makes lines of words; the same lines in each run.
pub(super) struct English {
    words: Vec<&'static str>,
    /// Up to which random number each word is chosen: the n-th commonest word comes 1/n times as often as the first.
    up_to: Vec<u64>,
    state: u64,
}

impl English {
    pub(super) fn new() -> Self {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let share = |rank: usize| (1 << 32) / (rank as u64 + 1);
        let up_to: Vec<u64> = (0..words.len())
            .scan(0_u64, |sum, rank| {
                *sum += share(rank);
                Some(*sum)
            })
            .collect();
        English { words, up_to, state: 1 }
    }

    /// Appends a line with its end.
    pub(super) fn push_line(&mut self, text: &mut String) {
        let words = SHORTEST + usize::try_from(self.random() % MORE).unwrap_or(0);
        for i in 0..words {
            if i > 0 {
                text.push(' ');
            }
            text.push_str(self.word());
        }
        text.push('\n');
    }

    fn word(&mut self) -> &'static str {
        let below = self.up_to.last().copied().unwrap_or(0).max(1);
        let random = self.random() % below;
        let at = self.up_to.partition_point(|up_to| *up_to <= random);
        self.words.get(at).copied().unwrap_or("the")
    }

    /// The generator SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    #[test]
    fn the_commonest_words_come_as_often_as_they_should() {
        let mut english = English::new();
        let mut text = String::new();
        for _ in 0..20_000 {
            english.push_line(&mut text);
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for word in text.split_whitespace() {
            *counts.entry(word).or_default() += 1;
        }
        let first = counts[english.words[0]];
        for (rank, word) in english.words.iter().enumerate().take(20) {
            let expected = first / (rank as u64 + 1);
            assert!(counts[word].abs_diff(expected) < expected / 5, "{word}: {} of {expected}", counts[word]);
        }
        let lengths: HashSet<usize> = text.lines().map(|line| line.split(' ').count()).collect();
        assert_eq!(lengths, (4..=12).collect());
    }

    #[test]
    fn the_vocabulary_is_words_each_once() {
        let words = English::new().words;
        let different: HashSet<&&str> = words.iter().collect();
        assert_eq!(different.len(), words.len());
        assert!(words.len() > 400, "{}", words.len());
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }
}
