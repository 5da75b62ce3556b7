//! Records that are made in memory, the same ones each time.

use std::sync::Arc;

use crate::data::Records;
use crate::random::Random;

/// The most keys of a join and of a grouping.
const KEYS: usize = 1_000_000;
/// Words that are counted where the hot one and the others are; each batch has all of them.
const WORDS: usize = 10_000;
/// Words of a line.
const WORDS_PER_LINE: usize = 10;
/// The most lines, which are told apart only by their words.
const MOST_LINES: usize = 200_000;

/// Spreads numbers over all 64 bits; different ones stay different.
fn spread(n: usize) -> u64 {
    Random::new(n as u64).next()
}

/// Two sides of pairs: on the left every key once, on the right any of them.
pub(crate) fn two_sides(rows: usize) -> Records {
    let keys = rows.clamp(1, KEYS);
    let mut random = Random::new(1);
    // A prime that divides no number of keys in use: all keys come, in no order.
    let left = (0..rows).map(|row| (spread(row * 611_953 % keys), row as u64));
    let right = (0..rows).map(|row| (spread(random.below(keys)), row as u64));
    Records::Pairs { left: Arc::new(left.collect()), right: Arc::new(right.collect()) }
}

/// Pairs of up to a million keys, about four of each.
pub(crate) fn pairs(rows: usize) -> Records {
    let keys = (rows / 4).clamp(1, KEYS);
    let mut random = Random::new(1);
    let left = (0..rows).map(|row| (spread(random.below(keys)), row as u64));
    Records::Pairs { left: Arc::new(left.collect()), right: Arc::default() }
}

/// Numbers in no order.
pub(crate) fn numbers(rows: usize) -> Records {
    let mut random = Random::new(1);
    Records::Numbers(Arc::new((0..rows).map(|_| random.next()).collect()))
}

/// Lines of ten words: all equally frequent, or nine in ten the same one.
pub(crate) fn words(lines: usize, hot: bool) -> Records {
    let word = |n: usize| match n % if hot { WORDS } else { WORDS + 1 } {
        WORDS => "hot".to_owned(),
        n => format!("w{}", spread(n) % 1_000_000_000),
    };
    let mut others = (0..).map(word);
    let mut line = || -> String {
        let words = (0..WORDS_PER_LINE).map(|at| match hot && at > 0 {
            true => "hot".to_owned(),
            false => others.next().unwrap_or_default(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    Records::Lines(Arc::new((0..lines.min(MOST_LINES)).map(|_| line()).collect()))
}
