//! Floating-point numbers in Java's form: `1.0`, `1.0E10`, `1.0E-5`.
//!
//! The layout is that of `Double.toString` and `Float.toString`: plain from 0.001 to below ten million, else with an
//! exponent, and always at least one digit after the point. The digits are the fewest that name the number and no
//! other, which is what Java promises since version 19; older versions now and then write more, e.g.
//! `1.9999999999999998E23` for `2.0E23`.

use std::fmt;

use ordered_float::OrderedFloat;

use super::Show;

macro_rules! show_float {
    ($float:ty) => {
        impl Show for $float {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let size = self.abs();
                if self.is_nan() {
                    f.write_str("NaN")
                } else if self.is_infinite() {
                    f.write_str(if *self > 0.0 { "Infinity" } else { "-Infinity" })
                } else if size == 0.0 || (1e-3..1e7).contains(&size) {
                    write!(f, "{self:?}")
                } else {
                    // Where one digit is enough, Java still takes the best of those with two: 4.9E-324, not 5.0E-324.
                    let two = format!("{self:.1E}");
                    if two.parse() == Ok(*self) { f.write_str(&two) } else { write!(f, "{self:E}") }
                }
            }
        }
    };
}

show_float!(f64);
show_float!(f32);

impl<T: Show> Show for OrderedFloat<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    /// Recorded from `Double.toString` of Java 17.
    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (9.999e-4, "9.999E-4"),
            (1.0e-5, "1.0E-5"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (9_999_999.999_999_998, "9999999.999999998"),
            (12_345_678.0, "1.2345678E7"),
            (1e10, "1.0E10"),
            (123_456.789, "123456.789"),
            (0.1, "0.1"),
            (0.002, "0.002"),
            (100.0, "100.0"),
            (-1.5e-7, "-1.5E-7"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e21, "1.0E21"),
            (1e22, "1.0E22"),
            (3.0e-5, "3.0E-5"),
            (f64::from_bits(1), "4.9E-324"),
            (f64::from_bits(45), "2.2E-322"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN, "-1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (1.234_567_890_123_456_7e300, "1.2345678901234567E300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(shown(&number).to_string(), text);
        }
    }

    /// Recorded from `Float.toString` of Java 17.
    #[test]
    fn floats_are_written_as_java_writes_them() {
        for (number, text) in [
            (1.0_f32, "1.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (9.999e-4, "9.999E-4"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (16_777_216.0, "1.6777216E7"),
            (1e10, "1.0E10"),
            (123_456.79, "123456.79"),
            (1.0 / 3.0, "0.33333334"),
            (0.0011, "0.0011"),
            (1e23, "1.0E23"),
            (f32::from_bits(1), "1.4E-45"),
            (f32::MAX, "3.4028235E38"),
            (f32::NAN, "NaN"),
            (f32::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(shown(&number).to_string(), text);
        }
    }

    /// Where Java 17 writes `1.9999999999999998E23`, `9.999999999999999E22`, `3.3999999E10` and `1.17549435E-38`.
    #[test]
    fn digits_are_the_fewest() {
        assert_eq!(shown(&2e23).to_string(), "2.0E23");
        assert_eq!(shown(&1e23).to_string(), "1.0E23");
        assert_eq!(shown(&3.4e10_f32).to_string(), "3.4E10");
        assert_eq!(shown(&f32::MIN_POSITIVE).to_string(), "1.1754944E-38");
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut bits: u64 = 0x9E37_79B9_7F4A_7C15;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(bits);
            if number.is_finite() {
                assert_eq!(shown(&number).to_string().parse(), Ok(number));
            }
        }
    }
}
