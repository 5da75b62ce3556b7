//! The one table of settings: key, type, default and meaning of each, side by side.
//!
//! A row is a constant ([`BLOCK_INTERVAL`], [`TASK_MAX_FAILURES`], ...) that is also the typed way to read the
//! setting: `conf.get(BLOCK_INTERVAL)?` is a [`Duration`](std::time::Duration). Keys and their meaning are Spark's
//! where Spark has the setting. What has no meaning here is in the table too, marked
//! [`Effect::AcceptedWithoutEffect`], so that an existing properties file still works and says what it no longer does.
//!
//! | module | what is in it |
//! |---|---|
//! | `table` | the rows |
//! | `families` | keys that are known by their beginning or end only, e.g. `spark.kryo.*` |
//! | `row` | what a row is, and the words to write one |
//! | `value` | how texts become durations, sizes, numbers, lists |
//! | `nearest` | which known key was meant by an unknown one |
//! | `markdown` | the page `docs/configuration.md`, made from all this |
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use millstream_core::{Conf, settings};
//!
//! let conf = Conf::empty().set("spark.streaming.blockInterval", "50ms");
//! assert_eq!(conf.get(settings::BLOCK_INTERVAL)?, Duration::from_millis(50));
//! assert_eq!(conf.get(settings::TASK_MAX_FAILURES)?, 4);
//! # Ok::<(), millstream_core::Error>(())
//! ```

mod families;
mod markdown;
mod nearest;
mod row;
mod table;
mod value;

pub use families::Family;
pub use markdown::settings_as_markdown;
pub use row::{Effect, Facts, Section, Setting};
pub use table::*;
pub use value::{Kind, Read, SizeUnit, TimeUnit, Value};

pub(crate) use families::family_of;
pub(crate) use nearest::{is_close, nearest};
pub(crate) use row::Row;

/// Returns the table, section by section, in the order of the documentation.
pub fn sections() -> &'static [Section] {
    table::SECTIONS
}

/// Returns what is known of the setting with this key, or with this as its old key.
///
/// # Examples
/// ```
/// use millstream_core::settings;
///
/// let facts = settings::find("spark.streaming.minRememberDuration").unwrap();
/// assert_eq!(facts.key, "spark.streaming.fileStream.minRememberDuration");
/// ```
pub fn find(key: &str) -> Option<&'static Facts> {
    row(key).map(Row::facts)
}

/// Finds a row by its key or its old key.
pub(crate) fn row(key: &str) -> Option<&'static dyn Row> {
    rows().find(|row| row.facts().key == key || row.facts().old_key == Some(key))
}

fn rows() -> impl Iterator<Item = &'static dyn Row> {
    table::SECTIONS.iter().flat_map(|section| section.rows.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_default_is_a_legal_value_of_its_own_row() {
        let mut defaults = 0;
        for row in rows() {
            if let Some(text) = row.facts().default {
                assert!(row.check(text).is_ok(), "{}: default `{text}`", row.facts().key);
                defaults += 1;
            }
        }
        assert!(defaults > 50);
    }

    #[test]
    fn no_key_is_there_twice() {
        let mut seen = HashSet::new();
        for facts in rows().map(Row::facts) {
            assert!(seen.insert(facts.key), "{} twice", facts.key);
            if let Some(old) = facts.old_key {
                assert!(seen.insert(old), "{old} twice");
            }
        }
    }

    #[test]
    fn every_row_has_its_words() {
        for facts in rows().map(Row::facts) {
            assert!(facts.key.starts_with("spark.") || facts.key.starts_with("millstream."), "{}", facts.key);
            assert!(facts.doc.ends_with('.'), "{}: {}", facts.key, facts.doc);
            assert!(!facts.doc.starts_with(' '), "{}: {}", facts.key, facts.doc);
            assert!(!facts.name.is_empty());
            assert_eq!(facts.default.is_none(), facts.when_unset.is_some(), "{}", facts.key);
        }
    }
}
