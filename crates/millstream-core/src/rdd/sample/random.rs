//! Random numbers that are the same on every machine and in every version.

use crate::shuffle::hash::pinned_hash;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(in crate::rdd) struct Random(u64);

impl Random {
    /// Begins the sequence of a partition.
    pub(in crate::rdd) fn of(seed: u64, partition: usize) -> Self {
        Random(pinned_hash(&(seed, partition as u64)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to before 1.
    pub(in crate::rdd) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number below `bound`, which must not be 0; the bias is below one in 2^64 / `bound`.
    pub(in crate::rdd) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns how often something happens that happens `mean` times on average.
    pub(in crate::rdd) fn poisson(&mut self, mean: f64) -> usize {
        // Knuth's method, in steps in which e^-mean does not vanish.
        let (mut left, mut times) = (mean, 0);
        while left > 0.0 {
            let step = left.min(500.0);
            left -= step;
            let (limit, mut product) = ((-step).exp(), self.unit());
            while product > limit {
                times += 1;
                product *= self.unit();
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        // The first numbers for the seed 1234567, as Vigna's reference program prints them.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_mean_of_poisson_numbers_is_what_was_asked_for() {
        let mut random = Random::of(1, 0);
        for mean in [0.0, 0.3, 4.0, 700.0] {
            let sum: usize = (0..2000).map(|_| random.poisson(mean)).sum();
            let (found, tolerance) = (sum as f64 / 2000.0, 4.0 * (mean / 2000.0).sqrt());
            assert!((found - mean).abs() <= tolerance, "{found} instead of {mean}");
        }
    }
}
