//! How the text of a setting becomes its value.

use std::time::Duration;

/// The type of a setting's value, or an `Option` of it where the setting may be unset.
pub trait Value: Sized + 'static {
    /// What a given text is read as: the type itself, or `V` of `Option<V>`.
    type Given: 'static;

    /// Turns what was read into the value.
    fn given(value: Self::Given) -> Self;
}

impl<V: Read> Value for V {
    type Given = V;

    fn given(value: V) -> Self {
        value
    }
}

impl<V: Read> Value for Option<V> {
    type Given = V;

    fn given(value: V) -> Self {
        Some(value)
    }
}

/// A type that can be read from the text of a setting.
pub trait Read: Sized + 'static {
    #[doc(hidden)]
    fn read(text: &str, kind: Kind) -> Result<Self, Wrong>;
}

/// How the text of a setting is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number.
    Integer,
    /// A finite number.
    Float,
    /// Any text.
    Text,
    /// Texts with commas between them; blanks around them and empty ones do not count.
    List,
    /// A whole number and `us`, `ms`, `s`, `m` or `min`, `h`, `d`, `y`; a bare number is in the unit given here.
    Duration(TimeUnit),
    /// A whole number and `b`, `k` or `kb`, `m`, `g`, `t`, `p` (powers of 1024); a bare number is in the unit given here.
    Size(SizeUnit),
}

/// The unit of a duration that is written as a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
}

/// The unit of a size that is written as a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizeUnit {
    /// Bytes.
    Bytes,
    /// Mebibytes: 1024 * 1024 bytes.
    Mebibytes,
}

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Wrong {
    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Wrong { problem: problem.into(), remedy: remedy.into() }
    }
}

impl Read for bool {
    fn read(text: &str, _: Kind) -> Result<bool, Wrong> {
        match text.trim() {
            word if word.eq_ignore_ascii_case("true") => Ok(true),
            word if word.eq_ignore_ascii_case("false") => Ok(false),
            word => Err(Wrong::new(format!("`{word}` is not a boolean"), "write true or false")),
        }
    }
}

impl Read for f64 {
    fn read(text: &str, _: Kind) -> Result<f64, Wrong> {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(Wrong::new(
                format!("`{}` is not a finite number", text.trim()),
                "write a number such as 0.2",
            )),
        }
    }
}

impl Read for String {
    fn read(text: &str, _: Kind) -> Result<String, Wrong> {
        Ok(text.to_owned())
    }
}

impl Read for Vec<String> {
    fn read(text: &str, _: Kind) -> Result<Vec<String>, Wrong> {
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

impl Read for Duration {
    fn read(text: &str, kind: Kind) -> Result<Duration, Wrong> {
        let (number, unit) = number_and_unit(text, "duration", "250ms, 10s or 5min")?;
        let unit = match (unit.as_str(), kind) {
            ("", Kind::Duration(TimeUnit::Seconds)) => "s",
            ("", _) => "ms",
            (unit, _) => unit,
        };
        // In microseconds; a year is 365 days.
        let factor = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            "y" => 365 * 86_400_000_000,
            _ => {
                return Err(Wrong::new(
                    format!("`{}` has the unknown unit `{unit}`", text.trim()),
                    "write a number and one of us, ms, s, m or min, h, d, y",
                ));
            }
        };
        let micros = number.checked_mul(factor);
        micros.map(Duration::from_micros).ok_or_else(|| too_large(text, "584000y"))
    }
}

/// Integers, which are also the number of bytes of a size.
macro_rules! read_integers {
    ($($integer:ty),*) => {$(
        impl Read for $integer {
            fn read(text: &str, kind: Kind) -> Result<$integer, Wrong> {
                let wide = match kind {
                    Kind::Size(bare) => i128::from(read_size(text, bare)?),
                    _ => read_integer(text)?,
                };
                <$integer>::try_from(wide).map_err(|_| Wrong::new(
                    format!("`{}` is out of range", text.trim()),
                    format!("write a number from {} to {}", <$integer>::MIN, <$integer>::MAX),
                ))
            }
        }
    )*};
}

read_integers!(i64, u64, u32, usize);

fn read_integer(text: &str) -> Result<i128, Wrong> {
    let text = text.trim();
    text.parse().map_err(|_| {
        Wrong::new(format!("`{text}` is not an integer"), "write a whole number, without unit or fraction")
    })
}

fn read_size(text: &str, bare: SizeUnit) -> Result<u64, Wrong> {
    let (number, unit) = number_and_unit(text, "size", "512k, 16m or 1g")?;
    let power = match unit.as_str() {
        "" => match bare {
            SizeUnit::Bytes => 0,
            SizeUnit::Mebibytes => 2,
        },
        "b" => 0,
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        "p" | "pb" => 5,
        _ => {
            return Err(Wrong::new(
                format!("`{}` has the unknown unit `{unit}`", text.trim()),
                "write a number and one of b, k, m, g, t, p (or kb, mb, gb, tb, pb)",
            ));
        }
    };
    number.checked_mul(1 << (10 * power)).ok_or_else(|| too_large(text, "16383p"))
}

/// Splits `10s` into the number and the unit in small letters, which may be empty.
fn number_and_unit(text: &str, what: &str, examples: &str) -> Result<(u64, String), Wrong> {
    let text = text.trim();
    let remedy = || format!("write a whole number and a unit, such as {examples}");
    if text.is_empty() {
        return Err(Wrong::new(format!("the {what} is empty"), remedy()));
    }
    if text.starts_with('-') {
        return Err(Wrong::new(format!("`{text}` is negative"), remedy()));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Wrong::new(format!("`{text}` is not a {what}"), remedy()));
    }
    if unit.starts_with('.') {
        let remedy = format!("write a whole number in a smaller unit, such as {examples}");
        return Err(Wrong::new(format!("`{text}` has a fraction"), remedy));
    }
    if !unit.chars().all(|c| c.is_ascii_alphabetic()) {
        return Err(Wrong::new(format!("`{text}` is not a {what}"), remedy()));
    }
    match number.parse() {
        Ok(number) => Ok((number, unit.to_ascii_lowercase())),
        Err(_) => Err(Wrong::new(format!("`{text}` is too large"), remedy())),
    }
}

fn too_large(text: &str, most: &str) -> Wrong {
    Wrong::new(format!("`{}` is too large", text.trim()), format!("write at most {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(text: &str) -> Result<Duration, String> {
        Duration::read(text, Kind::Duration(TimeUnit::Millis)).map_err(|wrong| wrong.problem)
    }

    fn size(text: &str) -> Result<u64, String> {
        u64::read(text, Kind::Size(SizeUnit::Bytes)).map_err(|wrong| wrong.problem)
    }

    #[test]
    fn durations_have_units() {
        for (text, micros) in [
            ("250us", 250),
            ("25ms", 25_000),
            ("5s", 5_000_000),
            ("10m", 600_000_000),
            ("10min", 600_000_000),
            ("3h", 10_800_000_000),
            ("5d", 432_000_000_000),
            ("1y", 31_536_000_000_000),
            ("0ms", 0),
            (" 5S ", 5_000_000),
            ("200", 200_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        let seconds = Duration::read("60", Kind::Duration(TimeUnit::Seconds));
        assert_eq!(seconds.unwrap(), Duration::from_secs(60));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, problem) in [
            ("", "the duration is empty"),
            ("soon", "`soon` is not a duration"),
            ("-1s", "`-1s` is negative"),
            ("1.5s", "`1.5s` has a fraction"),
            ("5 s", "`5 s` is not a duration"),
            ("5sec", "`5sec` has the unknown unit `sec`"),
            ("5ns", "`5ns` has the unknown unit `ns`"),
            ("99999999999999999999s", "`99999999999999999999s` is too large"),
            ("9999999y", "`9999999y` is too large"),
            ("5µs", "`5µs` is not a duration"),
        ] {
            assert_eq!(duration(text), Err(problem.to_owned()));
        }
        assert!(duration("584000y").is_ok());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1b", 1),
            ("1k", 1 << 10),
            ("1kb", 1 << 10),
            ("16m", 16 << 20),
            ("16MB", 16 << 20),
            ("1g", 1 << 30),
            ("1gb", 1 << 30),
            ("1t", 1 << 40),
            ("2tb", 2 << 40),
            ("1p", 1 << 50),
            ("1pb", 1 << 50),
            ("4096", 4096),
            ("16383p", 16383 << 50),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(u64::read("1024", Kind::Size(SizeUnit::Mebibytes)), Ok(1 << 30));
    }

    #[test]
    fn what_is_no_size_says_why() {
        for (text, problem) in [
            ("", "the size is empty"),
            ("large", "`large` is not a size"),
            ("-1m", "`-1m` is negative"),
            ("1.5g", "`1.5g` has a fraction"),
            ("1kib", "`1kib` has the unknown unit `kib`"),
            ("16384p", "`16384p` is too large"),
        ] {
            assert_eq!(size(text), Err(problem.to_owned()));
        }
    }

    #[test]
    fn booleans_are_two_words() {
        assert_eq!(bool::read(" TRUE", Kind::Boolean), Ok(true));
        assert_eq!(bool::read("False ", Kind::Boolean), Ok(false));
        for text in ["", "1", "yes", "on", "truee"] {
            assert!(bool::read(text, Kind::Boolean).is_err(), "{text}");
        }
    }

    #[test]
    fn integers_keep_their_range() {
        assert_eq!(u32::read("4", Kind::Integer), Ok(4));
        assert_eq!(i64::read("-1", Kind::Integer), Ok(-1));
        assert_eq!(i64::read("9223372036854775807", Kind::Integer), Ok(i64::MAX));
        assert_eq!(u32::read("-1", Kind::Integer).unwrap_err().problem, "`-1` is out of range");
        assert_eq!(
            u32::read("5000000000", Kind::Integer).unwrap_err().remedy,
            "write a number from 0 to 4294967295"
        );
        assert_eq!(u32::read("4.0", Kind::Integer).unwrap_err().problem, "`4.0` is not an integer");
        assert_eq!(u32::read("4k", Kind::Integer).unwrap_err().problem, "`4k` is not an integer");
    }

    #[test]
    fn floats_are_finite() {
        assert_eq!(f64::read("0.2", Kind::Float), Ok(0.2));
        assert_eq!(f64::read(" 1e3 ", Kind::Float), Ok(1000.0));
        assert!(f64::read("NaN", Kind::Float).is_err());
        assert!(f64::read("inf", Kind::Float).is_err());
        assert!(f64::read("half", Kind::Float).is_err());
    }

    #[test]
    fn lists_are_trimmed() {
        let list = |text| Vec::<String>::read(text, Kind::List).unwrap();
        assert_eq!(list("a, b ,,c"), ["a", "b", "c"]);
        assert!(list(" , ").is_empty());
    }

    #[test]
    fn an_option_is_what_it_holds() {
        assert_eq!(<Option<bool> as Value>::given(true), Some(true));
        assert!(<bool as Value>::given(true));
    }
}
