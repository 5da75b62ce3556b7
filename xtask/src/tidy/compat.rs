//! COMPAT.md: what Spark has, what it is called here, and whether it is there.
//!
//! Its tables lie under headings that name the type they are about (`## RDD`, `## DStream: pairs`). A row is
//! `| Spark's name | ours | state | notes |`; the state is ✅, 🚧 (in part: the notes say which) or ❌.

use super::Finding;
use super::operators::TYPES;
use super::rust_text::public_methods;
use super::tree::Tree;

pub(super) const PATH: &str = "COMPAT.md";

/// One row of a table.
pub(super) struct Row<'a> {
    line: usize,
    heading: &'a str,
    cells: Vec<&'a str>,
}

impl Row<'_> {
    /// Whether the row lies under a heading that names the type.
    pub(super) fn is_of(&self, type_name: &str) -> bool {
        let mut words = self.heading.split(|c: char| !c.is_alphanumeric());
        words.any(|word| headings(type_name).contains(&word))
    }

    /// Whether one of the row's code spans is the method, with or without arguments.
    pub(super) fn names(&self, method: &str) -> bool {
        self.cells.iter().any(|cell| code_spans(cell).any(|span| name_in(span) == method))
    }

    fn claims(&self) -> bool {
        self.cells.iter().any(|cell| ["✅", "🚧"].iter().any(|mark| cell.contains(mark)))
    }
}

/// The words for a type in COMPAT.md's headings: Spark's and ours.
pub(super) fn headings(type_name: &str) -> Vec<&str> {
    match type_name {
        "Rdd" => vec!["RDD", "Rdd"],
        "Context" => vec!["SparkContext", "Context"],
        other => vec![other],
    }
}

/// What to add for a method, with Spark's name guessed.
pub(super) fn suggestion(type_name: &str, method: &str) -> String {
    if let Some((short, _)) = method.rsplit_once('_').filter(|(_, end)| ["with", "env"].contains(end)) {
        return format!("name it in the line of `{short}`");
    }
    let mut words = method.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let spark = words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
    });
    let headings = headings(type_name).join(" or ");
    format!("add one under a heading that names {headings}, such as | `{spark}` | `{method}` | ✅ | |")
}

/// All rows of all tables, without their heads.
pub(super) fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut heading = "";
    for (at, line) in text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix('#') {
            heading = rest.trim_start_matches('#').trim();
        } else if let Some(cells) = line.trim().strip_prefix('|') {
            let cells = cells.trim_end_matches('|').split('|').map(str::trim).collect();
            rows.push(Row { line: at + 1, heading, cells });
        }
    }
    rows
}

/// What a row claims to be there, is there: its second cell's code spans are methods of the heading's type.
pub(super) fn promises_exist(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return vec![Finding::new(PATH, 0, "is missing")] };
    let methods: Vec<_> = tree
        .ending(&[".rs"])
        .filter(|(path, _)| path.starts_with("crates/"))
        .flat_map(|(_, t)| public_methods(t))
        .collect();
    let mut findings = Vec::new();
    for row in rows(text).iter().filter(|row| row.claims()) {
        let types: Vec<&str> = TYPES.iter().copied().filter(|name| row.is_of(name)).collect();
        let Some(ours) = row.cells.get(1) else { continue };
        for name in code_spans(ours).map(name_in).filter(|name| !types.is_empty() && !name.is_empty()) {
            let homes: Vec<&str> = types.iter().flat_map(|name| homes(name)).collect();
            if !methods.iter().any(|m| m.name == name && homes.contains(&m.of.as_str())) {
                let message = format!("promises `{}::{name}`, which is no public method", types.join("|"));
                findings.push(Finding::new(PATH, row.line, message));
            }
        }
    }
    findings
}

/// The types that carry what Spark puts on one: building and running a context are two types here.
fn homes(type_name: &str) -> Vec<&str> {
    match type_name {
        "StreamingContext" => vec!["StreamingContext", "RunningContext", "StopHandle"],
        other => vec![other],
    }
}

fn code_spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `reduce_by_key` of `reduce_by_key(f)` and of `.reduce_by_key`.
fn name_in(span: &str) -> &str {
    let span = span.trim_start_matches('.');
    span.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_belongs_to_the_type_its_heading_names() {
        let rows = rows(
            "## DStream: pairs\n| `reduceByKey` | `reduce_by_key(f)`, `reduce_by_key_with` | ✅ |\n## RDD\n| `x` |\n",
        );
        assert!(rows[0].is_of("DStream") && !rows[0].is_of("Rdd") && rows[1].is_of("Rdd"));
        assert!(
            rows[0].names("reduce_by_key") && rows[0].names("reduce_by_key_with") && !rows[0].names("reduce")
        );
    }

    #[test]
    fn a_line_is_suggested_with_sparks_spelling() {
        let line = suggestion("Rdd", "reduce_by_key");
        assert!(line.ends_with("RDD or Rdd, such as | `reduceByKey` | `reduce_by_key` | ✅ | |"), "{line}");
        assert_eq!(suggestion("Rdd", "reduce_by_key_with"), "name it in the line of `reduce_by_key`");
    }

    #[test]
    fn a_promise_without_method_is_found() {
        let compat = "## RDD\n| Spark | ours | state |\n|---|---|---|\n| `map` | `map` | ✅ |\n| `glom` | `glom` | ✅ |\n\
                      | `zip` | `zip` | ❌ |\n## Settings\n| `a` | `b` | ✅ |\n";
        let tree = Tree::of(&[
            ("COMPAT.md", compat),
            ("crates/c/src/map.rs", "impl<T> Rdd<T> { pub fn map(&self) {} }"),
        ]);
        let findings = promises_exist(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].line, findings[0].message.contains("`Rdd::glom`")), (5, true));
        assert_eq!(promises_exist(&Tree::of(&[])).len(), 1);
    }
}
