//! What a row of the table is, and the words to write one.

use std::fmt;

use super::value::{Kind, Read, SizeUnit, TimeUnit, Value, Wrong};

/// A setting whose value is a `T`: a row of the table, and the typed way to read it.
///
/// `T` is the type of the value, or an `Option` of it where a setting may be left unset.
pub struct Setting<T: Value> {
    facts: Facts,
    parse: fn(&str, Kind) -> Result<T::Given, Wrong>,
    limit: Option<Limit<T::Given>>,
    fallback: Fallback<T>,
}

/// What is known of a setting, whatever its type.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Facts {
    /// The name of the constant in this module, e.g. `BLOCK_INTERVAL`.
    pub name: &'static str,
    /// The key, e.g. `spark.streaming.blockInterval`.
    pub key: &'static str,
    /// A key under which older versions knew it; still read where `key` is not set.
    pub old_key: Option<&'static str>,
    /// How its text is read.
    pub kind: Kind,
    /// The default as one would write it; `None` if the setting may be left unset.
    pub default: Option<&'static str>,
    /// What holds while it is unset; `None` if there is a default.
    pub when_unset: Option<&'static str>,
    /// Which values of this kind are allowed, e.g. `at least 1`; `None` if all are.
    pub limit: Option<&'static str>,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// Whether it does anything.
    pub effect: Effect,
}

/// Whether a setting does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// The setting decides what its documentation says.
    Used,
    /// The setting is known and its value is checked, but nothing follows from it; the text says why.
    AcceptedWithoutEffect(&'static str),
}

/// A part of the table: rows that are about one thing.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    pub(super) rows: &'static [&'static dyn Row],
}

impl Section {
    /// Returns what is known of each setting of this section.
    pub fn settings(&self) -> impl Iterator<Item = &'static Facts> {
        self.rows.iter().map(|row| row.facts())
    }
}

/// A row whose type is not known any more.
pub(crate) trait Row: Sync {
    fn facts(&self) -> &Facts;

    /// Says what is wrong with `text` as the value of this setting.
    fn check(&self, text: &str) -> Result<(), Wrong>;
}

impl<T: Value> Row for Setting<T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, text: &str) -> Result<(), Wrong> {
        self.read(text).map(drop)
    }
}

struct Limit<V> {
    holds: fn(&V) -> bool,
    wanted: &'static str,
}

enum Fallback<T> {
    Default(&'static str),
    Unset(fn() -> T),
}

impl<T: Value> Setting<T> {
    /// Returns the key, e.g. `spark.streaming.blockInterval`.
    pub const fn key(&self) -> &'static str {
        self.facts.key
    }

    /// Returns what is known of this setting.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Reads `text` as the value of this setting.
    pub(crate) fn read(&self, text: &str) -> Result<T, Wrong> {
        let value = (self.parse)(text, self.facts.kind)?;
        match &self.limit {
            Some(limit) if !(limit.holds)(&value) => Err(Wrong {
                problem: format!("`{}` is not {}", text.trim(), limit.wanted),
                remedy: format!("write a value that is {}", limit.wanted),
            }),
            _ => Ok(T::given(value)),
        }
    }

    /// Returns the value that holds when nobody has set one.
    pub(crate) fn fallback(&self) -> Result<T, Wrong> {
        match self.fallback {
            Fallback::Default(text) => self.read(text),
            Fallback::Unset(value) => Ok(value()),
        }
    }

    /// Adds a key under which older versions knew the setting.
    pub(super) const fn old_key(mut self, old_key: &'static str) -> Self {
        self.facts.old_key = Some(old_key);
        self
    }

    /// Says that nothing follows from this setting, and why.
    pub(super) const fn without_effect(mut self, why: &'static str) -> Self {
        self.facts.effect = Effect::AcceptedWithoutEffect(why);
        self
    }

    /// Adds what the table writes beside the row: the constant's name, the key and the doc comment.
    pub(super) const fn described(
        mut self,
        name: &'static str,
        key: &'static str,
        doc: &'static str,
    ) -> Self {
        self.facts.name = name;
        self.facts.key = key;
        // A doc comment's line begins with the blank that follows the slashes.
        self.facts.doc = doc.trim_ascii();
        self
    }
}

impl<T: Value> Clone for Setting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Value> Copy for Setting<T> {}

impl<V> Clone for Limit<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Limit<V> {}

impl<T> Clone for Fallback<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Fallback<T> {}

impl<T: Value> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setting").field(&self.facts.key).finish()
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("title", &self.title).finish_non_exhaustive()
    }
}

/// A row of which it is not yet said what holds when it is unset.
pub(super) struct Draft<V> {
    kind: Kind,
    parse: fn(&str, Kind) -> Result<V, Wrong>,
    limit: Option<Limit<V>>,
}

impl<V> Clone for Draft<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Draft<V> {}

/// `true` or `false`.
pub(super) const fn boolean() -> Draft<bool> {
    Draft::new(Kind::Boolean)
}

/// A whole number that fits into `V`.
pub(super) const fn integer<V: Read>() -> Draft<V> {
    Draft::new(Kind::Integer)
}

/// A number, with or without a fraction.
pub(super) const fn float() -> Draft<f64> {
    Draft::new(Kind::Float)
}

/// Any text.
pub(super) const fn text() -> Draft<String> {
    Draft::new(Kind::Text)
}

/// Texts with commas between them.
pub(super) const fn list() -> Draft<Vec<String>> {
    Draft::new(Kind::List)
}

/// A duration; `bare` is the unit of a number without one.
pub(super) const fn duration(bare: TimeUnit) -> Draft<std::time::Duration> {
    Draft::new(Kind::Duration(bare))
}

/// A number of bytes that fits into `V`; `bare` is the unit of a number without one.
pub(super) const fn size<V: Read>(bare: SizeUnit) -> Draft<V> {
    Draft::new(Kind::Size(bare))
}

impl<V: Read> Draft<V> {
    const fn new(kind: Kind) -> Self {
        Draft { kind, parse: V::read, limit: None }
    }

    /// Allows only values for which `holds`; `wanted` goes on from "a value that is ...".
    pub(super) const fn must_be(mut self, wanted: &'static str, holds: fn(&V) -> bool) -> Self {
        self.limit = Some(Limit { holds, wanted });
        self
    }

    /// Says what the value is when nobody has set one.
    pub(super) const fn default(self, text: &'static str) -> Setting<V> {
        Setting {
            facts: self.facts(Some(text), None),
            parse: self.parse,
            limit: self.limit,
            fallback: Fallback::Default(text),
        }
    }

    /// Says what holds when nobody has set a value.
    pub(super) const fn unset(self, meaning: &'static str) -> Setting<Option<V>> {
        Setting {
            facts: self.facts(None, Some(meaning)),
            parse: self.parse,
            limit: self.limit,
            fallback: Fallback::Unset(none),
        }
    }

    const fn facts(&self, default: Option<&'static str>, when_unset: Option<&'static str>) -> Facts {
        let limit = match &self.limit {
            Some(limit) => Some(limit.wanted),
            None => None,
        };
        Facts {
            name: "",
            key: "",
            old_key: None,
            kind: self.kind,
            default,
            when_unset,
            limit,
            doc: "",
            effect: Effect::Used,
        }
    }
}

fn none<V>() -> Option<V> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_checks_and_falls_back() {
        let tries: Setting<u32> = integer().must_be("at least 1", |n: &u32| *n >= 1).default("4");
        assert_eq!(tries.read("7").unwrap(), 7);
        assert_eq!(tries.fallback().unwrap(), 4);
        let wrong = tries.read("0").unwrap_err();
        assert_eq!(wrong.problem, "`0` is not at least 1");
        assert_eq!(wrong.remedy, "write a value that is at least 1");
        assert!(tries.check("x").is_err());
    }

    #[test]
    fn an_unset_row_is_none_and_keeps_its_limit() {
        let rate: Setting<Option<u64>> =
            integer().must_be("at least 1", |n: &u64| *n >= 1).unset("unlimited");
        assert_eq!(rate.fallback().unwrap(), None);
        assert_eq!(rate.read(" 5 ").unwrap(), Some(5));
        assert!(rate.read("0").is_err());
        assert_eq!(rate.facts().when_unset, Some("unlimited"));
    }

    #[test]
    fn facts_tell_the_row() {
        let row = boolean().default("false").old_key("spark.older").without_effect("of a reason").described(
            "NAME",
            "spark.key",
            " Does a thing. ",
        );
        assert_eq!((row.facts().name, row.key(), row.facts().doc), ("NAME", "spark.key", "Does a thing."));
        assert_eq!(row.facts().old_key, Some("spark.older"));
        assert_eq!(row.facts().effect, Effect::AcceptedWithoutEffect("of a reason"));
        assert_eq!(format!("{row:?}"), "Setting(\"spark.key\")");
    }
}
