//! `--compare`: the loop and Millstream in turn, on the same records, with the same number of threads.
//!
//! A shared machine's speed drifts by half within minutes, but not within seconds: each turn of one side is set
//! against the turn of the other right after it, and the median of these ratios counts.

use std::fmt;

use crate::allocations::allocated;
use crate::hold::quantile;
use crate::workload::{BatchResult, Plan, Workload};

/// What the turns came to.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) plan: Plan,
    /// The loop's turn and Millstream's turn after it.
    pub(crate) pairs: Vec<(Turn, Turn)>,
}

/// Some batches of one side in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    /// The median of the batches' records per second.
    pub(crate) rate: f64,
    /// The median of the batches' milliseconds.
    pub(crate) ms: f64,
    /// The milliseconds that one batch of a hundred took at least.
    pub(crate) p99_ms: f64,
    /// Bytes allocated per record, if they are counted.
    pub(crate) bytes: Option<f64>,
}

/// Why there is no comparison.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// The two sides do not agree on a batch: their speeds mean nothing.
    Differs(String),
    /// A batch could not be run.
    Failed(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::Failed(message)
    }
}

/// Runs both sides in turn; the batches of the warm-up are checked, too, but not counted.
pub(crate) fn compare(
    plan: Plan,
    hand: &mut dyn Workload,
    product: &mut dyn Workload,
) -> Result<Comparison, Failure> {
    let mut next = 0;
    let mut pair = |batches: usize| {
        let range = next..next + batches;
        next += batches;
        let (expected, hand) = turn(hand, range.clone())?;
        let (actual, product) = turn(product, range.clone())?;
        for (i, (expected, actual)) in range.zip(expected.iter().zip(&actual)) {
            if (expected.records, &expected.result) != (actual.records, &actual.result) {
                return Err(Failure::Differs(format!(
                    "batch {i} differs: the loop says {} of {} records, Millstream says {} of {}",
                    expected.result, expected.records, actual.result, actual.records
                )));
            }
        }
        Ok((hand, product))
    };
    if plan.warm_up > 0 {
        pair(plan.warm_up)?;
    }
    let pairs = (0..plan.pairs).map(|_| pair(plan.batches)).collect::<Result<_, Failure>>()?;
    Ok(Comparison { plan, pairs })
}

fn turn(
    side: &mut dyn Workload,
    batches: std::ops::Range<usize>,
) -> Result<(Vec<BatchResult>, Turn), Failure> {
    let before = allocated();
    let results = batches.map(|i| side.batch(i)).collect::<Result<Vec<_>, String>>()?;
    let bytes = allocated().zip(before).map(|(after, before)| after - before);
    let records: usize = results.iter().map(|batch| batch.records).sum();
    let turn = Turn {
        rate: median(results.iter().map(BatchResult::rate)),
        ms: median(results.iter().map(|batch| batch.ms)),
        p99_ms: quantile(&results.iter().map(|batch| batch.ms).collect::<Vec<_>>(), 0.99),
        bytes: bytes.map(|bytes| bytes as f64 / records as f64),
    };
    Ok((results, turn))
}

/// Returns the middle value, or the mean of the two in the middle; 0 if there are none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.len() % 2) {
        (None, _) => 0.0,
        (Some(&middle), 1) => middle,
        (Some(&upper), _) => (values[values.len() / 2 - 1] + upper) / 2.0,
    }
}

impl Comparison {
    /// Returns the median of the pairs' ratios, Millstream's rate to the loop's.
    pub(crate) fn ratio(&self) -> f64 {
        median(self.pairs.iter().map(|(hand, product)| product.rate / hand.rate))
    }

    /// Returns the median over one side's turns of the bytes allocated per record, if they are counted.
    pub(crate) fn bytes_per_record(&self, side: fn(&(Turn, Turn)) -> &Turn) -> Option<f64> {
        let bytes: Option<Vec<f64>> = self.pairs.iter().map(|pair| side(pair).bytes).collect();
        bytes.map(|bytes| median(bytes.into_iter()))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { kind, cores, per_batch, batches, .. } = &self.plan;
        writeln!(f, "{kind:?}, {cores} threads, {batches} batches of {per_batch} records a turn")?;
        writeln!(
            f,
            "{:>6}  {:>9}  {:>9}  {:>10}  {:>11}  {:>14}  {:>14}  {:>6}",
            "pair",
            "loop ms",
            "loop p99",
            "product ms",
            "product p99",
            "loop rec/s",
            "product rec/s",
            "ratio"
        )?;
        for (at, (hand, product)) in self.pairs.iter().enumerate() {
            writeln!(
                f,
                "{:>6}  {:>9.4}  {:>9.4}  {:>10.4}  {:>11.4}  {:>14.0}  {:>14.0}  {:>6.3}",
                at + 1,
                hand.ms,
                hand.p99_ms,
                product.ms,
                product.p99_ms,
                hand.rate,
                product.rate,
                product.rate / hand.rate
            )?;
        }
        let hand = self.bytes_per_record(|(hand, _)| hand);
        if let (Some(hand), Some(product)) = (hand, self.bytes_per_record(|(_, product)| product)) {
            writeln!(f, "bytes allocated per record: loop {hand:.2}, product {product:.2}")?;
        }
        write!(f, "median ratio {:.3}", self.ratio())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Op, Split};
    use crate::workload::Kind;

    /// Answers with fixed times in turn and notes whom it was asked after.
    struct Fixed<'a> {
        name: char,
        ms: f64,
        odd: Option<usize>,
        trace: &'a std::cell::RefCell<String>,
    }

    impl Workload for Fixed<'_> {
        fn batch(&mut self, i: usize) -> Result<BatchResult, String> {
            self.trace.borrow_mut().push(self.name);
            let result = if self.odd == Some(i) { "odd".to_owned() } else { format!("{i}") };
            Ok(BatchResult { records: 100, ms: self.ms, result })
        }
    }

    fn plan(warm_up: usize) -> Plan {
        Plan {
            kind: Kind::W1,
            cores: 1,
            per_batch: 100,
            batches: 2,
            warm_up,
            pairs: 5,
            split: Split::Bytes,
            op: Op::Map,
            state_keys: 1,
        }
    }

    #[test]
    fn sides_take_turns_and_ratios_are_of_rates() {
        let trace = Default::default();
        let mut hand = Fixed { name: 'a', ms: 1.0, odd: None, trace: &trace };
        let mut product = Fixed { name: 'b', ms: 4.0, odd: None, trace: &trace };
        let comparison = compare(plan(1), &mut hand, &mut product).unwrap();
        assert_eq!(comparison.ratio(), 0.25);
        assert_eq!(comparison.pairs.len(), 5);
        assert_eq!(
            comparison.pairs[0].0,
            Turn { bytes: comparison.pairs[0].0.bytes, rate: 1e5, ms: 1.0, p99_ms: 1.0 }
        );
        assert_eq!(*trace.borrow(), format!("ab{}", "aabb".repeat(5)));
        assert!(comparison.to_string().ends_with("median ratio 0.250"), "{comparison}");
    }

    #[test]
    fn a_different_result_is_found_also_in_the_warm_up() {
        for odd in [0, 1, 10] {
            let trace = Default::default();
            let mut hand = Fixed { name: 'a', ms: 1.0, odd: None, trace: &trace };
            let mut product = Fixed { name: 'b', ms: 1.0, odd: Some(odd), trace: &trace };
            match compare(plan(1), &mut hand, &mut product) {
                Err(Failure::Differs(message)) => assert!(message.contains(&format!("batch {odd} differs"))),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
