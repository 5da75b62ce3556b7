//! A file holds one idea and can be read in one go.

use super::Finding;
use super::tree::Tree;

const MOST_LINES: usize = 500;

/// The files that may be longer, and why. An entry that is no longer needed is a finding too.
const LONGER: &[(&str, &str)] = &[];

pub(super) fn small_files(tree: &Tree) -> Vec<Finding> {
    check(tree, LONGER)
}

fn check(tree: &Tree, longer: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let in_crates = |path: &str| {
        path.strip_prefix("crates/")
            .and_then(|p| p.split_once('/'))
            .is_some_and(|(_, p)| p.starts_with("src/"))
    };
    for (path, text) in tree.ending(&[".rs"]).filter(|(path, _)| in_crates(path)) {
        let lines = text.lines().count();
        if lines > MOST_LINES && !longer.iter().any(|(exception, _)| *exception == path) {
            let message = format!(
                "{lines} lines, at most {MOST_LINES} are allowed: give its second idea a file of its own"
            );
            findings.push(Finding::new(path, 0, message));
        }
    }
    for (path, reason) in longer {
        if tree.text(path).is_none_or(|text| text.lines().count() <= MOST_LINES) {
            findings.push(Finding::new(
                path,
                0,
                format!("needs no exception from the size rule (\"{reason}\"): remove it"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = "\n".repeat(MOST_LINES + 1);
        let tree = Tree::of(&[("crates/a/src/x/long.rs", &long), ("crates/a/tests/it/long.rs", &long)]);
        let findings = check(&tree, &[]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "crates/a/src/x/long.rs");
    }

    #[test]
    fn an_exception_allows_it_and_must_be_needed() {
        let long = "\n".repeat(MOST_LINES + 1);
        let tree = Tree::of(&[("crates/a/src/table.rs", &long), ("crates/a/src/short.rs", "")]);
        assert_eq!(check(&tree, &[("crates/a/src/table.rs", "a table")]), []);
        let stale = [
            ("crates/a/src/table.rs", "a table"),
            ("crates/a/src/short.rs", "?"),
            ("crates/a/src/gone.rs", "?"),
        ];
        assert_eq!(check(&tree, &stale).len(), 2);
    }
}
