//! About how many different records there are, in little memory.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::operator;
use crate::shuffle::hash::pinned_hash;

/// The registers of HyperLogLog with hashes of 64 bits.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HyperLogLog {
    /// There are 2 to the power of this many registers.
    precision: u32,
    registers: Registers,
}

#[derive(Clone, Serialize, Deserialize)]
enum Registers {
    /// Those that are not 0, as long as they are few.
    Few(BTreeMap<u32, u8>),
    All(Vec<u8>),
}

impl HyperLogLog {
    /// Makes registers for a relative standard deviation, by Spark's rule.
    pub(crate) fn new(
        name: &'static str,
        place: &'static Location<'static>,
        relative_sd: f64,
    ) -> Result<Self> {
        // 16 million registers in each task are the most.
        let precision = (2.0 * (1.054 / relative_sd).log2()).ceil().max(4.0);
        if relative_sd > 0.0 && precision <= 24.0 {
            return Ok(HyperLogLog {
                precision: precision as u32,
                registers: Registers::Few(BTreeMap::new()),
            });
        }
        Err(Error::Argument {
            operator: operator::blamed(name, place).to_string(),
            problem: format!("{relative_sd} is no relative deviation that can be reached"),
            remedy: "use a number from 0.0003 to 1; the default is 0.05".into(),
        })
    }

    pub(crate) fn add(&mut self, record: &impl Hash) {
        let hash = pinned_hash(record);
        let rest = hash << self.precision;
        let rank = (rest.leading_zeros() + 1).min(65 - self.precision);
        self.raise((hash >> (64 - self.precision)) as u32, rank as u8);
    }

    pub(crate) fn merge(mut self, other: HyperLogLog) -> HyperLogLog {
        if let (Registers::Few(_), Registers::All(_)) = (&self.registers, &other.registers) {
            return other.merge(self);
        }
        match other.registers {
            Registers::Few(few) => few.into_iter().for_each(|(at, rank)| self.raise(at, rank)),
            Registers::All(all) => (0..).zip(all).for_each(|(at, rank)| self.raise(at, rank)),
        }
        self
    }

    fn raise(&mut self, at: u32, rank: u8) {
        let count = 1_usize << self.precision;
        match &mut self.registers {
            Registers::Few(few) => {
                let register = few.entry(at).or_default();
                *register = rank.max(*register);
                if few.len() > count / 32 {
                    let mut all = vec![0; count];
                    few.iter().for_each(|(at, rank)| all[*at as usize] = *rank);
                    self.registers = Registers::All(all);
                }
            }
            Registers::All(all) => {
                let register = &mut all[at as usize];
                *register = rank.max(*register);
            }
        }
    }

    /// Returns about how many different records were added.
    ///
    /// Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no table of
    /// corrections for small numbers as HyperLogLog++ does.
    pub(crate) fn estimate(&self) -> u64 {
        let count = 1_usize << self.precision;
        let most = (64 - self.precision) as usize;
        let mut with_rank = vec![0.0_f64; most + 2];
        match &self.registers {
            Registers::Few(few) => {
                with_rank[0] = (count - few.len()) as f64;
                few.values().for_each(|rank| with_rank[usize::from(*rank)] += 1.0);
            }
            Registers::All(all) => all.iter().for_each(|rank| with_rank[usize::from(*rank)] += 1.0),
        }
        let registers = count as f64;
        let full = registers * tau(1.0 - with_rank[most + 1] / registers);
        let sum = with_rank[1..=most].iter().rev().fold(full, |sum, number| 0.5 * (sum + number));
        let sum = sum + registers * sigma(with_rank[0] / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if sum <= before {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x).powi(2) * y;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(relative_sd: f64, records: impl IntoIterator<Item = u64>) -> HyperLogLog {
        let mut registers = HyperLogLog::new("test", Location::caller(), relative_sd).unwrap();
        records.into_iter().for_each(|record| registers.add(&record));
        registers
    }

    #[test]
    fn the_estimate_is_as_near_as_asked_for() {
        for relative_sd in [0.1, 0.05, 0.01, 0.002] {
            for size in [0, 1, 10, 1000, 20_000, 300_000] {
                let found = of(relative_sd, (0..size).chain(0..size / 2)).estimate();
                let off = (found as f64 - size as f64).abs();
                assert!(
                    off <= 3.0 * relative_sd * size as f64 + 0.5,
                    "{found} instead of {size} at {relative_sd}"
                );
            }
        }
    }

    #[test]
    fn merged_parts_are_as_the_whole() {
        let whole = of(0.05, 0..1000).estimate();
        for cut in [0, 1, 5, 500, 999, 1000] {
            let (left, right) = (of(0.05, 0..cut), of(0.05, cut..1000));
            assert_eq!(left.clone().merge(right.clone()).estimate(), whole);
            assert_eq!(right.merge(left).estimate(), whole);
        }
    }

    #[test]
    fn deviations_that_can_not_be_reached_are_refused() {
        for relative_sd in [0.0, -0.1, f64::NAN, 0.000_017, f64::NEG_INFINITY] {
            let error = HyperLogLog::new("test", Location::caller(), relative_sd).err().unwrap().to_string();
            assert!(error.contains("0.0003"), "{error}");
        }
        assert!(of(f64::INFINITY, 0..100).estimate() > 0);
    }
}
