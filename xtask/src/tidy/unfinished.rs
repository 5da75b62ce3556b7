//! Nothing is put off: no test is left out, no work is noted for later.

use super::Finding;
use super::rust_text::{code_only, line_of, word_at};
use super::tree::Tree;

/// Words that put work off. Each is written in two parts, so that this list is not its own finding.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Macros that stand for code that is not there.
const STUBS: &[&str] = &["todo", "unimplemented"];

const TEXTS: &[&str] = &[".rs", ".md", ".toml", ".sh", ".ci/run", ".yml", ".yaml", ".html", ".js", ".py"];

/// No test may be marked as one that is not run.
pub(super) fn nothing_ignored(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".rs"]) {
        let code = code_only(text);
        for (at, _) in code.match_indices("#[ignore").chain(code.match_indices(", ignore")) {
            findings.push(Finding::new(
                path,
                line_of(&code, at),
                "an ignored test tests nothing: run it or remove it",
            ));
        }
    }
    for (path, text) in tree.ending(&[".rs", ".md"]) {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            let is_ignored =
                |language: &str| language.split([',', ' ']).any(|word| word.starts_with("ignore"));
            if line.strip_prefix("```").is_some_and(is_ignored) {
                findings.push(Finding::new(
                    path,
                    at + 1,
                    "an ignored example may be wrong: use `no_run` or `text`",
                ));
            }
        }
    }
    findings
}

/// No notes for later and no stubs.
pub(super) fn nothing_left_to_do(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(TEXTS) {
        for note in NOTES {
            if let Some(at) = word_at(text, note, 0) {
                let message = format!("{note}: do it now, or describe what stands");
                findings.push(Finding::new(path, line_of(text, at), message));
            }
        }
    }
    for (path, text) in tree.ending(&[".rs"]) {
        let code = code_only(text);
        for stub in STUBS {
            let mut from = 0;
            while let Some(at) = word_at(&code, stub, from) {
                from = at + stub.len();
                if code[from..].starts_with('!') {
                    findings.push(Finding::new(
                        path,
                        line_of(&code, at),
                        format!("`{stub}!` is no code: write it"),
                    ));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|f| f.line).collect()
    }

    #[test]
    fn ignored_tests_and_examples_are_found() {
        let code = "#[test]\n#[ignore = \"slow\"]\nfn t() {}\n#[cfg_attr(a, ignore)]\n/// ```ignore\n/// ```\n// \"#[ignore\"\n";
        assert_eq!(lines(&nothing_ignored(&Tree::of(&[("a.rs", code)]))), [2, 4, 5]);
        assert_eq!(lines(&nothing_ignored(&Tree::of(&[("a.md", "```rust,ignore\n```\n```rust\n")]))), [1]);
    }

    #[test]
    fn notes_for_later_are_found() {
        for note in NOTES {
            assert_eq!(
                lines(&nothing_left_to_do(&Tree::of(&[("a.md", &format!("x\n{note}: y\n"))]))),
                [2],
                "{note}"
            );
        }
        assert_eq!(
            lines(&nothing_left_to_do(&Tree::of(&[("a.rs", "fn a() {\n todo!()\n}\n// todo!()\n")]))),
            [2]
        );
        assert_eq!(nothing_left_to_do(&Tree::of(&[("a.toml", "todo = \"warn\"\n")])), []);
    }
}
