//! Every operator is proven in another process, and says what to write where its closure may not capture.

use super::Finding;
use super::operators::{files, methods};
use super::rust_text::word_at;
use super::tree::Tree;

/// Where the batch operators are defined; those of streams are applied again by every process.
const OPERATORS: &str = "crates/millstream-core/src/rdd/";

/// The table of all operators, a row `operator => what it gives;` each.
const ROWS: &str = "crates/millstream-core/tests/it/every_operator.rs";

/// The table of all operators with closures, a row `refused("operator", ..` each.
const REFUSED: &str = "crates/millstream-core/tests/it/closures.rs";

/// They make an RDD of one's own kind, name one, or read one inside of a task.
const NONE_OF_THEM: &[&str] = &["from_any", "from_compute", "set_name", "stream"];

/// A method that makes an RDD or runs a job has a row in the table that is run in other processes.
pub(super) fn operators_run_elsewhere(tree: &Tree) -> Vec<Finding> {
    let rows = tree.text(ROWS).unwrap_or_default();
    let has_row = |name: &str| rows.lines().any(|line| line.trim_start().starts_with(&format!("{name} => ")));
    let problem =
        |name: &str| format!("`{name}` is not run in another process: add a row `{name} => ..;` to {ROWS}");
    found(tree, |name, _| !has_row(name), problem)
}

/// A method that takes a closure has a row in the table of those that are refused.
pub(super) fn closures_are_refused(tree: &Tree) -> Vec<Finding> {
    let rows = tree.text(REFUSED).unwrap_or_default();
    let has_row = |name: &str| rows.contains(&format!("refused(\"{name}\","));
    let takes_closure = |signature: &str| word_at(signature, "Fn", 0).is_some();
    let problem = |name: &str| {
        format!(
            "`{name}` takes a closure: add what is written where it captures, `refused(\"{name}\", ..)`, to {REFUSED}"
        )
    };
    found(tree, |name, signature| takes_closure(signature) && !has_row(name), problem)
}

fn found(
    tree: &Tree,
    is_missing: impl Fn(&str, &str) -> bool,
    problem: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files(tree).filter(|(path, _)| path.starts_with(OPERATORS)) {
        for method in methods(text) {
            let signature = signature(text, method.line);
            let answers = signature.split_once("->").map_or("", |(_, answer)| answer);
            let is_one = ["Rdd", "Result", "FutureAction", "Iterator", "Self"]
                .iter()
                .any(|answer| word_at(answers, answer, 0).is_some());
            if is_one && !NONE_OF_THEM.contains(&method.name.as_str()) && is_missing(&method.name, &signature)
            {
                findings.push(Finding::new(path, method.line, problem(&method.name)));
            }
        }
    }
    findings
}

/// What stands before the body of the method that begins in a line.
fn signature(text: &str, line: usize) -> String {
    let from: Vec<&str> = text.lines().skip(line - 1).collect();
    let from = from.join("\n");
    from.split_once('{').map_or(from.clone(), |(signature, _)| signature.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "impl<T> Rdd<T> {\npub fn map(\n&self, f: impl Fn(T) -> U\n) -> Rdd<U> {}\npub fn id(&self) -> Id {}\npub fn keys(&self) -> Rdd<K> {}\n}";

    fn findings(rows: &str, refused: &str) -> (Vec<Finding>, Vec<Finding>) {
        let tree = Tree::of(&[
            ("crates/millstream-core/src/rdd/map.rs", MAP),
            ("crates/millstream-streaming/src/dstream/map.rs", MAP),
            (ROWS, rows),
            (REFUSED, refused),
        ]);
        (operators_run_elsewhere(&tree), closures_are_refused(&tree))
    }

    #[test]
    fn an_operator_without_a_row_is_found() {
        let (rows, _) = findings("        keys => numbers(c).keys().collect();", "");
        assert_eq!(rows.len(), 1);
        assert!(rows[0].message.contains("`map` is not run") && rows[0].line == 2, "{}", rows[0]);
        assert_eq!(findings("map => 1;\n keys => 2;", "").0, []);
    }

    #[test]
    fn a_closure_without_a_row_is_found() {
        let (_, refused) = findings("", "");
        assert_eq!(refused.len(), 1);
        assert!(refused[0].message.contains("`map` takes a closure"), "{}", refused[0]);
        assert_eq!(findings("", "refused(\"map\", map, ..)").1, []);
    }
}
