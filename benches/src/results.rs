//! The texts of results, made by the same code for both sides, so that equal results are equal texts.

use std::fmt::Write;

/// W1: how many lines matched.
pub(crate) fn matches(n: u64) -> String {
    format!("matches={n}")
}

/// W2, W5, and W4 with `update_state_by_key`: how many words there are, and the sum of their counts.
pub(crate) fn keys_and_sum(counts: impl Iterator<Item = u64>) -> String {
    let (keys, sum) = counts.fold((0u64, 0u64), |(keys, sum), n| (keys + 1, sum + n));
    keys_with_sum(keys, sum)
}

/// The same, of keys that have been counted and summed.
pub(crate) fn keys_with_sum(keys: u64, sum: u64) -> String {
    format!("keys={keys},sum={sum}")
}

/// W4 with `map_with_state`: how many records were mapped, and the sum of what to.
pub(crate) fn touched_and_sum(counts: impl Iterator<Item = u64>) -> String {
    let (touched, sum) = counts.fold((0u64, 0u64), |(touched, sum), n| (touched + 1, sum + n));
    format!("touched={touched},sum={sum}")
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

/// The join: how many pairs of values met, and the sum over these.
pub(crate) fn joined((rows, sum): (u64, u64)) -> String {
    format!("rows={rows},sum={sum}")
}

/// What a pair of values that met adds to the sum.
pub(crate) fn met(v: u64, w: u64) -> u64 {
    v.wrapping_mul(31).wrapping_add(w)
}

/// Groups: how many, of how many values, and the sum of the squares of their sizes.
pub(crate) type Groups = (u64, u64, u64);

/// Adds a group.
pub(crate) fn group((groups, values, squares): Groups, size: usize) -> Groups {
    let size = size as u64;
    (groups + 1, values + size, squares + size * size)
}

/// The groups of all parts.
pub(crate) fn grouped(parts: impl IntoIterator<Item = Groups>) -> String {
    let (groups, values, squares) =
        parts.into_iter().fold((0, 0, 0), |all, part| (all.0 + part.0, all.1 + part.1, all.2 + part.2));
    format!("groups={groups},values={values},squares={squares}")
}

/// A run of numbers: how many, their sum, the sum of each times its place, the first and the last, and whether they rise.
pub(crate) type Run = (u64, u64, u64, Option<(u64, u64)>, bool);

/// Looks through numbers.
pub(crate) fn run(numbers: impl Iterator<Item = u64>) -> Run {
    let (mut n, mut sum, mut placed, mut ends, mut rise) = (0_u64, 0_u64, 0_u64, None, true);
    for number in numbers {
        let (first, last) = ends.unwrap_or((number, number));
        rise &= last <= number;
        ends = Some((first, number));
        placed = placed.wrapping_add(number.wrapping_mul(n));
        sum = sum.wrapping_add(number);
        n += 1;
    }
    (n, sum, placed, ends, rise)
}

/// The sort: the runs one after the other, as one.
pub(crate) fn sorted(runs: impl IntoIterator<Item = Run>) -> String {
    let (mut n, mut placed, mut last, mut rise) = (0_u64, 0_u64, 0, true);
    for (numbers, sum, within, ends, rises) in runs {
        placed = placed.wrapping_add(within).wrapping_add(sum.wrapping_mul(n));
        n += numbers;
        if let Some((first, end)) = ends {
            rise &= rises && last <= first;
            last = end;
        }
    }
    format!("n={n},placed={placed},sorted={rise}")
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
    fn runs_count_as_one() {
        let numbers = [1, 3, 3, 9, 20, 40];
        let whole = sorted([run(numbers.into_iter())]);
        assert_eq!(whole, "n=6,placed=316,sorted=true");
        for cut in 0..numbers.len() {
            let (left, right) = numbers.split_at(cut);
            let runs = [left, &[], right].map(|part| run(part.iter().copied()));
            assert_eq!(sorted(runs), whole);
        }
        assert!(sorted([run([2, 1].into_iter())]).ends_with("false"));
        assert!(sorted([run([2].into_iter()), run([1].into_iter())]).ends_with("false"));
    }

    #[test]
    fn keys_are_counted_and_counts_summed() {
        assert_eq!(keys_and_sum([3, 4].into_iter()), "keys=2,sum=7");
    }
}
