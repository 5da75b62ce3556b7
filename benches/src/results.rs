//! The texts of results, made by the same code for both sides, so that equal results are equal texts.

use std::fmt::Write;

/// W1: how many lines matched.
pub(crate) fn matches(n: u64) -> String {
    format!("matches={n}")
}

/// W2 and W5: how many words there are, and the sum of their counts.
pub(crate) fn keys_and_sum(counts: impl Iterator<Item = u64>) -> String {
    let (keys, sum) = counts.fold((0u64, 0u64), |(keys, sum), n| (keys + 1, sum + n));
    format!("keys={keys},sum={sum}")
}

/// W3: the ten most frequent words, the most frequent first, equally frequent ones by word.
pub(crate) fn top_ten<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let mut top: Vec<(&str, u64)> = Vec::with_capacity(11);
    for (word, n) in counts {
        let at = top.partition_point(|&(other, most)| (most, word) > (n, other));
        if at < 10 {
            top.truncate(9);
            top.insert(at, (word, n));
        }
    }
    let mut text = String::new();
    for (word, n) in top {
        let separator = if text.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{word}:{n}");
    }
    text
}

/// The chain of maps: the sum of all numbers.
pub(crate) fn sum(n: u64) -> String {
    format!("sum={n}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_ten_orders_by_count_then_word() {
        let counts = [("b", 2), ("a", 2), ("z", 9), ("c", 1)];
        assert_eq!(top_ten(counts.into_iter()), "z:9 a:2 b:2 c:1");
        assert_eq!(top_ten(std::iter::empty()), "");
    }

    #[test]
    fn top_ten_equals_sorting_everything() {
        let words: Vec<String> = (0..200).map(|n| format!("w{}", n * 7919 % 1000)).collect();
        let counts: Vec<(&str, u64)> =
            words.iter().enumerate().map(|(n, word)| (word.as_str(), (n as u64 * 31) % 23)).collect();
        let mut sorted = counts.clone();
        sorted.sort_by_key(|&(word, n)| (std::cmp::Reverse(n), word));
        let expected: Vec<String> = sorted[..10].iter().map(|(word, n)| format!("{word}:{n}")).collect();
        assert_eq!(top_ten(counts.into_iter()), expected.join(" "));
    }

    #[test]
    fn keys_are_counted_and_counts_summed() {
        assert_eq!(keys_and_sum([3, 4].into_iter()), "keys=2,sum=7");
    }
}
