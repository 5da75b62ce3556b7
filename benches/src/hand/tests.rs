use crate::args::{Op, Split};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::random::Random;
use crate::workload::WINDOW;
use crate::{made, results};

/// 97 short lines over few words, some with the needle.
fn lines() -> Vec<String> {
    let mut random = Random::new(11);
    (0..97)
        .map(|_| {
            let words = 1 + random.below(4);
            let word = |n: usize| if n == 0 { "timeout".to_owned() } else { format!("w{n}") };
            (0..words).map(|_| word(random.below(23))).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// The lines of a batch, found one by one.
fn batch(lines: &[String], per_batch: usize, i: usize) -> impl Iterator<Item = &str> {
    (i * per_batch..(i + 1) * per_batch).map(|at| lines[at % lines.len()].as_str())
}

fn count<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

fn plan(kind: Kind, cores: usize, per_batch: usize) -> Plan {
    let (split, op) = (Split::Bytes, Op::Update);
    Plan { kind, cores, per_batch, batches: 1, warm_up: 0, pairs: 5, split, op, state_keys: 100 }
}

/// Runs a loop with some numbers of threads and sizes of batches and checks each result against `expected`.
fn check(kind: Kind, variant: Variant, expected: impl Fn(&[String], usize, usize) -> String) {
    let lines = Arc::new(lines());
    for threads in 1..4 {
        for per_batch in [1, 10, 13, 97, 150] {
            let records = Records::Lines(Arc::clone(&lines));
            let mut side = open(&plan(kind, threads, per_batch), variant, &records).unwrap();
            for i in 0..WINDOW + 20 {
                let BatchResult { records, ms, result } = side.batch(i).unwrap();
                assert_eq!(records, per_batch);
                assert!(ms >= 0.0);
                assert_eq!(result, expected(&lines, per_batch, i), "{kind:?} {threads} {per_batch} {i}");
            }
        }
    }
}

#[test]
fn w1_counts_matching_lines() {
    check(Kind::W1, Variant::Fastest, |lines, per_batch, i| {
        format!("matches={}", batch(lines, per_batch, i).filter(|line| line.contains("timeout")).count())
    });
}

#[test]
fn w2_counts_words_borrowed_or_owned() {
    for variant in [Variant::Fastest, Variant::String] {
        check(Kind::W2, variant, |lines, per_batch, i| {
            let counts = count(batch(lines, per_batch, i).flat_map(|line| line.split(' ')));
            format!("keys={},sum={}", counts.len(), counts.values().sum::<u64>())
        });
    }
}

#[test]
fn w3_equals_counting_the_whole_window() {
    check(Kind::W3, Variant::Fastest, |lines, per_batch, i| {
        let window = (i + 1).saturating_sub(WINDOW)..=i;
        let counts = count(window.flat_map(|i| batch(lines, per_batch, i)).flat_map(|line| line.split(' ')));
        let mut sorted: Vec<(&str, u64)> = counts.into_iter().collect();
        sorted.sort_by_key(|&(word, n)| (std::cmp::Reverse(n), word));
        let top: Vec<String> = sorted.iter().take(10).map(|(word, n)| format!("{word}:{n}")).collect();
        top.join(" ")
    });
}

#[test]
fn w4_counts_each_key_of_the_state() {
    for (op, start) in [(Op::Update, "keys=100,sum="), (Op::Map, "touched=4,sum=")] {
        for cores in 1..4 {
            let keys: Vec<String> = [3, 7, 9, 11, 3, 7, 9, 99].map(crate::workload::key).to_vec();
            let records = Records::Lines(Arc::new(keys));
            let plan = Plan { op, ..plan(Kind::W4, cores, 4) };
            let mut hand = open(&plan, Variant::Fastest, &records).unwrap();
            let mut product = crate::product::open(&plan, Variant::Fastest, &records, None).unwrap();
            // Of the second batch three keys are counted for the second time.
            let sums = if op == Op::Update { [4, 8, 12] } else { [4, 7, 11] };
            for (i, sum) in sums.into_iter().enumerate() {
                let expected = format!("{start}{sum}");
                assert_eq!(hand.batch(i).unwrap().result, expected);
                assert_eq!(product.batch(i).unwrap().result, expected);
            }
        }
    }
}

#[test]
fn w5_counts_first_words() {
    check(Kind::W5, Variant::Fastest, |lines, per_batch, i| {
        let counts = count(batch(lines, per_batch, i).filter_map(|line| line.split(' ').next()));
        format!("keys={},sum={per_batch}", counts.len())
    });
}

#[test]
fn the_chain_adds_ten_to_each_number() {
    let records = Records::Numbers(Arc::new((0..100).collect()));
    check_made(Kind::Chain, &records, 60, |i| {
        let sum: u64 = (i * 60..(i + 1) * 60).map(|at| (at % 100) as u64 + 10).sum();
        format!("sum={sum}")
    });
}

/// Runs a loop over records made in memory with some numbers of threads and checks each result.
fn check_made(kind: Kind, records: &Records, per_batch: usize, expected: impl Fn(usize) -> String) {
    for cores in 1..4 {
        let mut side = open(&plan(kind, cores, per_batch), Variant::Fastest, records).unwrap();
        for i in 0..4 {
            assert_eq!(side.batch(i).unwrap().result, expected(i), "{kind:?} {cores} {i}");
        }
    }
}

fn rows(records: &Arc<Vec<(u64, u64)>>, per_batch: usize, i: usize) -> impl Iterator<Item = (u64, u64)> {
    (i * per_batch..(i + 1) * per_batch).map(|at| records[at % records.len()])
}

#[test]
fn the_join_meets_each_value_with_each() {
    let records = made::two_sides(300);
    let Records::Pairs { left, right } = &records else { panic!("no pairs") };
    check_made(Kind::Join, &records, 200, |i| {
        let (mut n, mut sum) = (0, 0_u64);
        for (key, v) in rows(left, 200, i) {
            for (_, w) in rows(right, 200, i).filter(|(other, _)| *other == key) {
                n += 1;
                sum = sum.wrapping_add(results::met(v, w));
            }
        }
        results::joined((n, sum))
    });
}

#[test]
fn groups_are_counted_with_their_values() {
    let records = made::pairs(300);
    let Records::Pairs { left, .. } = &records else { panic!("no pairs") };
    check_made(Kind::Group, &records, 200, |i| {
        let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
        rows(left, 200, i).for_each(|(key, _)| *sizes.entry(key).or_default() += 1);
        results::grouped([sizes.into_values().fold(results::Groups::default(), results::group)])
    });
}

#[test]
fn the_sort_has_every_number_in_its_place() {
    let records = made::numbers(300);
    let Records::Numbers(numbers) = &records else { panic!("no numbers") };
    check_made(Kind::Sort, &records, 200, |i| {
        let mut numbers: Vec<u64> = (i * 200..(i + 1) * 200).map(|at| numbers[at % 300]).collect();
        numbers.sort_unstable();
        results::sorted([results::run(numbers.into_iter())])
    });
}

#[test]
fn the_hot_word_is_nine_in_ten() {
    for (hot, most) in [(true, 1800), (false, 1)] {
        let records = made::words(200, hot);
        let Records::Lines(lines) = &records else { panic!("no lines") };
        let counts = count(lines.iter().flat_map(|line| line.split(' ')));
        assert_eq!(*counts.values().max().unwrap(), most);
        let expected = results::keys_and_sum(counts.values().copied());
        check_made(Kind::Skew, &records, 200, |_| expected.clone());
    }
}

#[test]
fn records_of_the_wrong_kind_are_refused() {
    assert!(open(&plan(Kind::W1, 1, 1), Variant::Fastest, &Records::Numbers(Arc::default())).is_err());
    assert!(open(&plan(Kind::Chain, 1, 1), Variant::Fastest, &Records::Lines(Arc::default())).is_err());
}
