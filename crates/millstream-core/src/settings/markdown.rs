//! The page `docs/configuration.md`, made from the table.

use std::fmt::Write;

use super::families::Family;
use super::row::{Effect, Facts};
use super::sections;
use super::value::{Kind, SizeUnit, TimeUnit};

/// Returns the documentation of all settings as a page of Markdown.
///
/// # Examples
/// ```
/// let page = millstream_core::settings::settings_as_markdown();
/// assert!(page.starts_with("# Configuration\n"));
/// assert!(page.contains("| `spark.streaming.blockInterval` | duration, bare: ms | `200ms` |"));
/// ```
pub fn settings_as_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Settings that do something\n");
    tables(&mut page, true);
    page.push_str(WITHOUT_EFFECT);
    tables(&mut page, false);
    page.push_str("\n### Known by a part of the key\n\n| Key | Why it does nothing |\n|---|---|\n");
    for family in Family::all() {
        line(&mut page, format_args!("| `{}` | {} |", family.pattern, family.why));
    }
    page
}

/// Appends the sections, each with those of its rows that are used or are not.
fn tables(page: &mut String, used: bool) {
    for section in sections() {
        let rows: Vec<&Facts> =
            section.settings().filter(|facts| (facts.effect == Effect::Used) == used).collect();
        if rows.is_empty() {
            continue;
        }
        line(page, format_args!("\n### {}\n", section.title));
        let last = if used { "" } else { " Why it does nothing |" };
        line(page, format_args!("| Key | Type | Default | Meaning |{last}"));
        line(page, format_args!("|---|---|---|---|{}", if used { "" } else { "---|" }));
        for facts in rows {
            row(page, facts);
        }
    }
}

fn row(page: &mut String, facts: &Facts) {
    let default = match (facts.default, facts.when_unset) {
        (Some(""), _) => "empty".to_owned(),
        (Some(text), _) => format!("`{text}`"),
        (None, meaning) => meaning.unwrap_or("-").to_owned(),
    };
    let mut meaning = facts.doc.to_owned();
    if let Some(limit) = facts.limit {
        let _ = write!(meaning, " It must be {limit}.");
    }
    if let Some(old) = facts.old_key {
        let _ = write!(meaning, " Its old key is `{old}`.");
    }
    let last = match facts.effect {
        Effect::Used => String::new(),
        Effect::AcceptedWithoutEffect(why) => format!(" {why} |"),
    };
    line(page, format_args!("| `{}` | {} | {default} | {meaning} |{last}", facts.key, kind(facts.kind)));
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Float => "number",
        Kind::Text => "text",
        Kind::List => "list",
        Kind::Duration(TimeUnit::Millis) => "duration, bare: ms",
        Kind::Duration(TimeUnit::Seconds) => "duration, bare: s",
        Kind::Size(SizeUnit::Bytes) => "size, bare: bytes",
        Kind::Size(SizeUnit::Mebibytes) => "size, bare: MiB",
    }
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a `String` can not fail.
    let _ = writeln!(page, "{text}");
}

const INTRODUCTION: &str = "\
# Configuration

This page is made from the table of settings in `crates/millstream-core/src/settings/table.rs`: change it there.

A setting is a key and a text. It may be given in four places; the first of them that has it wins:

1. in code: `Conf::new().set(\"spark.streaming.blockInterval\", \"50ms\")`;
2. on the command line of programs that hand their arguments to `Conf::from_args`: `--conf KEY=VALUE` (or `-c`),
   `--master URL`, `--name NAME`;
3. in the environment variable `MILLSTREAM_CONF`: `KEY=VALUE` pairs with `;` or line ends between them;
4. in a properties file: the one named by `--properties-file`, else `$SPARK_CONF_DIR/spark-defaults.conf`, else
   `$SPARK_HOME/conf/spark-defaults.conf`. Each line is `key value`, `key=value` or `key: value`; `#` and `!` begin a
   comment; a `\\` at the end of a line continues it on the next.

`Conf::explain(key)` says which value holds and where it came from.

| Type | How it is written |
|---|---|
| boolean | `true` or `false` |
| integer, number | `4`, `0.75` |
| duration | a whole number and `us`, `ms`, `s`, `m` or `min`, `h`, `d` or `y` (365 days); a bare number is in the unit named in the table |
| size | a whole number and `b`, `k`, `m`, `g`, `t` or `p` (or `kb`, `mb`, ...), powers of 1024; a bare number is in the unit named in the table |
| list | texts with commas between them |

Blanks around a key do not count. A value that can not be read is an error when the context is made. So is an unknown
key that begins with `spark.streaming.` or `millstream.`, and one that looks like a misspelling of a known key; the
error names the nearest key. Any other unknown key is kept and can be read with `Conf::get_raw`. In logs and messages
the values of keys that contain `secret`, `password`, `token` or `access key` are hidden.
";

const WITHOUT_EFFECT: &str = "
## Settings that are accepted without effect

These are known, so that existing properties files go on working, and their values are checked; but nothing follows
from them. A program that sets some of them says so once, when it starts.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_on_the_page_once() {
        let page = settings_as_markdown();
        for facts in sections().iter().flat_map(|section| section.settings()) {
            assert_eq!(page.matches(&format!("\n| `{}` |", facts.key)).count(), 1, "{}", facts.key);
        }
        for family in Family::all() {
            assert!(page.contains(family.pattern));
        }
    }

    #[test]
    fn rows_tell_type_default_limit_and_old_key() {
        let page = settings_as_markdown();
        assert!(page.contains("| `spark.task.maxFailures` | integer | `4` | "));
        assert!(page.contains("It must be at least 1."));
        assert!(page.contains("| `spark.ui.filters` | list | empty | "));
        assert!(page.contains("| `spark.default.parallelism` | integer | the number of worker threads | "));
        assert!(page.contains("Its old key is `spark.streaming.minRememberDuration`."));
    }

    /// A table whose rows differ in their number of cells is not shown as a table.
    #[test]
    fn rows_have_as_many_cells_as_their_head() {
        let page = settings_as_markdown();
        let mut head = 0;
        for text in page.lines() {
            let cells = text.matches('|').count();
            if !text.starts_with('|') {
                head = 0;
            } else if head == 0 {
                head = cells;
            } else {
                assert_eq!(cells, head, "{text}");
            }
        }
    }
}
