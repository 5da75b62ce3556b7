//! The hash is part of what is written: golden values, and how evenly keys of common kinds are spread.

use std::collections::HashSet;

use ordered_float::OrderedFloat;

use super::*;
use crate::text::Text;

#[test]
fn golden_values() {
    #[derive(Hash)]
    enum Kind {
        Unit,
        Pair(u32, bool),
    }

    // A change of one of these is a change of every checkpoint and of every running job's partitions: it must not happen.
    let golden = [
        ("u8", pinned_hash(&7_u8), 0xC310_37D1_6FB4_760B),
        ("u16", pinned_hash(&60_000_u16), 0x161C_9E37_A1F6_935E),
        ("u32", pinned_hash(&4_000_000_000_u32), 0x56E9_8B3F_4545_9A2A),
        ("u64", pinned_hash(&u64::MAX), 0x71EA_84D3_7772_43C5),
        ("u128", pinned_hash(&(u128::MAX - 5)), 0xB2E9_84CF_B03F_CF8C),
        ("usize", pinned_hash(&7_usize), 0xC310_37D1_6FB4_760B),
        ("i8", pinned_hash(&-7_i8), 0x6F68_C33C_1C31_940B),
        ("i64", pinned_hash(&-7_i64), 0x6F68_C33C_1C31_940B),
        ("isize", pinned_hash(&-7_isize), 0x6F68_C33C_1C31_940B),
        ("i128", pinned_hash(&-7_i128), 0xDC95_1BB7_FD5B_468B),
        ("zero", pinned_hash(&0), 0xE88D_2CD1_7C05_8B32),
        ("bool", pinned_hash(&true), 0xEDDE_968D_3723_7E9F),
        ("char", pinned_hash(&'ä'), 0x4113_394A_05D2_2CF7),
        ("unit", pinned_hash(&()), 0x02FE_35C7_4C84_F617),
        ("empty str", pinned_hash(""), 0xD691_2CED_EC97_51D0),
        ("str of 1", pinned_hash("a"), 0x4819_BDBF_2034_3382),
        ("str of 3", pinned_hash("abc"), 0x6D04_949E_AC7A_8E7D),
        ("str of 4", pinned_hash("abcd"), 0xAD13_17FA_E150_8C9C),
        ("str of 8", pinned_hash("abcdefgh"), 0x1963_1CB1_8903_95E8),
        ("str of 16", pinned_hash("abcdefghijklmnop"), 0xF89C_B355_2D2C_A0E5),
        ("str of 17", pinned_hash("abcdefghijklmnopq"), 0x9F1A_C55B_7B14_5338),
        ("str of 52", pinned_hash(&"abcdefghijklmnopqrstuvwxyz".repeat(2)), 0xC094_2BFB_BA0B_0DC2),
        ("Text inline", pinned_hash(&Text::from("stream")), 0x8C6A_BE43_6E4C_CB2F),
        ("Text of 23", pinned_hash(&Text::from("abcdefghijklmnopqrstuvw")), 0x0772_5332_6251_235D),
        ("Text on the heap", pinned_hash(&Text::from("abcdefghijklmnopqrstuvwx")), 0x2C43_4A4A_5FC1_49C7),
        ("pair", pinned_hash(&(1_u32, "one")), 0x61C5_FCAD_875B_ABF5),
        ("triple", pinned_hash(&(Text::from("a"), 2_i64, 'c')), 0x3E3B_19C6_89C7_62CB),
        ("bytes", pinned_hash(&vec![1_u8, 2, 3]), 0x8803_A242_A740_931F),
        ("list of str", pinned_hash(&vec!["a", "bc"]), 0x8CD9_3734_AE09_0D3C),
        ("Some", pinned_hash(&Some(5_u64)), 0x1426_E7FA_E8C5_3D40),
        ("None", pinned_hash(&None::<u64>), 0xE88D_2CD1_7C05_8B32),
        ("1.5", pinned_hash(&OrderedFloat(1.5_f64)), 0x7400_A378_2A5A_37CD),
        ("-2.25", pinned_hash(&OrderedFloat(-2.25_f32)), 0x2FA0_D5F0_6FCD_F91B),
        ("NaN", pinned_hash(&OrderedFloat(f64::NAN)), 0x91EB_581E_2599_D04B),
        ("enum unit", pinned_hash(&Kind::Unit), 0xE88D_2CD1_7C05_8B32),
        ("enum pair", pinned_hash(&Kind::Pair(1, true)), 0xDAA1_D535_D155_59FF),
    ];
    let wrong = golden.iter().filter(|(_, hash, expected)| hash != expected);
    let wrong: Vec<String> = wrong.map(|(name, hash, _)| format!("{name}: {hash:#018X}")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn numbers_count_with_their_value() {
    assert_eq!(pinned_hash(&7_u8), pinned_hash(&7_usize));
    assert_eq!(pinned_hash(&-7_i8), pinned_hash(&-7_isize));
    assert_eq!(pinned_hash("stream"), pinned_hash(&String::from("stream")));
    assert_ne!(pinned_hash(&("ab", "c")), pinned_hash(&("a", "bc")));
}

#[test]
fn partitions_lie_side_by_side() {
    assert_eq!([0, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX].map(|hash| partition_of(hash, 2)), [0, 0, 1, 1]);
    assert_eq!(partition_of(u64::MAX, 1), 0);
    assert_eq!(partition_of(u64::MAX, 7), 6);
    assert_eq!(partition_of(5, 0), 0);
}

const KEYS: u64 = 20_000;

/// Keys of the kinds programs have, by their hashes.
fn families() -> Vec<(String, Vec<u64>)> {
    let mut all: Vec<(String, Vec<u64>)> = vec![
        ("integers".into(), (0..KEYS).map(|n| pinned_hash(&n)).collect()),
        ("negative integers".into(), (1..=KEYS as i64).map(|n| pinned_hash(&-n)).collect()),
        ("floats".into(), (0..KEYS).map(|n| pinned_hash(&(n as f64).to_bits())).collect()),
        ("fractions".into(), (0..KEYS).map(|n| pinned_hash(&(1.0 / (n + 1) as f64).to_bits())).collect()),
        ("milliseconds".into(), (0..KEYS).map(|n| pinned_hash(&(1_700_000_000_000 + n * 500))).collect()),
        ("pairs".into(), (0..KEYS).map(|n| pinned_hash(&(n / 100, n % 100))).collect()),
        ("users".into(), (0..KEYS).map(|n| pinned_hash(&format!("u{n:07}"))).collect()),
        ("users as texts".into(), (0..KEYS).map(|n| pinned_hash(&Text::from(format!("u{n:07}")))).collect()),
        (
            "long names".into(),
            (0..KEYS).map(|n| pinned_hash(&format!("https://example.org/{n}/index"))).collect(),
        ),
        ("repetitions".into(), (0..2_000).map(|n| pinned_hash(&"a".repeat(n))).collect()),
    ];
    for shift in [1, 4, 8, 16, 32, 44, 49] {
        let keys = (0..KEYS.min(1 << (64 - shift))).map(|n| pinned_hash(&(n << shift))).collect();
        all.push((format!("multiples of 2^{shift}"), keys));
    }
    all
}

/// How far counts are from even, in standard deviations of the chi-square distribution.
fn unevenness(hashes: &[u64], cells: usize, cell: impl Fn(u64) -> usize) -> f64 {
    let mut counts = vec![0.0; cells];
    for hash in hashes {
        counts[cell(*hash)] += 1.0;
    }
    let expected = hashes.len() as f64 / cells as f64;
    let chi_square: f64 = counts.iter().map(|count: &f64| (count - expected).powi(2) / expected).sum();
    let freedom = (cells - 1) as f64;
    (chi_square - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn common_keys_are_spread_evenly() {
    for (name, hashes) in families() {
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len(), "{name}: no two alike");
        for partitions in 2..=64 {
            let sigmas = unevenness(&hashes, partitions, |hash| partition_of(hash, partitions));
            assert!(sigmas < 6.0, "{name} over {partitions} partitions: {sigmas}");
        }
        // The combine table takes the lowest bits for the place and higher ones to tell keys of a place apart.
        for shift in [0, 24, 40] {
            let sigmas = unevenness(&hashes, 256, |hash| (hash >> shift) as usize & 255);
            assert!(sigmas < 6.0, "{name}, bits {shift}..: {sigmas}");
        }
    }
}

#[test]
fn every_bit_of_a_number_flips_every_bit_of_the_hash_half_the_time() {
    let rounds = 4_096_u64;
    for input in 0..64 {
        let mut flips = [0; 64];
        for round in 0..rounds {
            let key = round.wrapping_mul(0x2545_F491_4F6C_DD1D);
            let changed = pinned_hash(&key) ^ pinned_hash(&(key ^ 1 << input));
            for (output, flips) in flips.iter_mut().enumerate() {
                *flips += changed >> output & 1;
            }
        }
        for (output, flips) in flips.into_iter().enumerate() {
            let share = flips as f64 / rounds as f64;
            assert!((0.45..0.55).contains(&share), "bit {input} flips bit {output} in {share}");
        }
    }
}

#[test]
fn every_bit_of_a_string_flips_every_bit_of_the_hash_half_the_time() {
    for len in [3, 6, 12, 20, 40] {
        for input in 0..8 * len {
            let mut flips = [0; 64];
            let rounds = 1_024_u64;
            for round in 0..rounds {
                let mut key: Vec<u8> = (0..len as u64).map(|at| pinned_hash(&(round, at)) as u8).collect();
                let before = pinned_hash(key.as_slice());
                key[input / 8] ^= 1 << (input % 8);
                let changed = before ^ pinned_hash(key.as_slice());
                for (output, flips) in flips.iter_mut().enumerate() {
                    *flips += changed >> output & 1;
                }
            }
            for (output, flips) in flips.into_iter().enumerate() {
                let share = flips as f64 / rounds as f64;
                assert!(
                    (0.41..0.59).contains(&share),
                    "{len} bytes: bit {input} flips bit {output} in {share}"
                );
            }
        }
    }
}
