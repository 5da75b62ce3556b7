//! Which known key was meant by an unknown one.

use super::rows;

/// Returns the known key that differs least from `key`; of equals the first in the table.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    rows().map(|row| row.facts().key).min_by_key(|known| distance(&key.to_lowercase(), &known.to_lowercase()))
}

/// Tells whether `key` looks like a misspelling of `known`: one slip in a short key, up to two in a longer one, or
/// only capitals that differ.
pub(crate) fn is_close(key: &str, known: &str) -> bool {
    let slips = if known.chars().count() < "spark.".len() + 8 { 1 } else { 2 };
    key.eq_ignore_ascii_case(known) || (key.len().abs_diff(known.len()) <= 8 && distance(key, known) <= slips)
}

/// Counts the letters to insert, remove, replace or swap with their neighbour to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // Rows of the table of prefixes: two back (for swaps), one back, and the one being made.
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("kitten", "sitting", 3),
            ("gr\u{fc}n", "grun", 1),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
            assert_eq!(distance(b, a), slips, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_is_found() {
        assert_eq!(nearest("spark.streaming.blokInterval"), Some("spark.streaming.blockInterval"));
        assert_eq!(nearest("spark.app.nmae"), Some("spark.app.name"));
        assert_eq!(nearest("MILLSTREAM.CLOSURES.STRICT"), Some("millstream.closures.strict"));
        assert_eq!(nearest("spark.streaming.receiver.maxrates"), Some("spark.streaming.receiver.maxRate"));
    }

    #[test]
    fn close_is_a_slip_and_not_another_key() {
        assert!(is_close("spark.mastr", "spark.master"));
        assert!(is_close("spark.Master", "spark.master"));
        assert!(is_close("spark.streaming.blokIntervall", "spark.streaming.blockInterval"));
        assert!(!is_close("spark.mates", "spark.master"));
        assert!(!is_close("spark.streaming.interval", "spark.streaming.blockInterval"));
    }
}
