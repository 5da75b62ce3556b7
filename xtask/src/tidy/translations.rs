//! Translations that do not go stale: every page of the guide has one, with the same code and the same sections.

use super::Finding;
use super::tree::Tree;

const GUIDE: &str = "docs/guide/";
const TRANSLATION: &str = "docs/zh/guide/";

/// A page of the guide and its translation have the same blocks, word by word, and headings of the same levels.
///
/// Only the blocks of the originals are run, so a translation must not have others.
pub(super) fn keep_up(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        if let Some(page) = path.strip_prefix(GUIDE) {
            let translation = format!("{TRANSLATION}{page}");
            match tree.text(&translation) {
                None => {
                    findings.push(Finding::new(path, 0, format!("has no translation; add {translation}")))
                }
                Some(translated) => compare(&mut findings, (path, text), (&translation, translated)),
            }
        } else if let Some(page) = path.strip_prefix(TRANSLATION)
            && tree.text(&format!("{GUIDE}{page}")).is_none()
        {
            findings.push(Finding::new(path, 0, format!("translates {GUIDE}{page}, which is not there")));
        }
    }
    findings
}

fn compare(findings: &mut Vec<Finding>, (path, text): (&str, &str), (translation, translated): (&str, &str)) {
    let ((blocks, levels), (their_blocks, their_levels)) = (parts(text), parts(translated));
    for (number, (line, block)) in blocks.iter().enumerate() {
        match their_blocks.get(number) {
            Some((_, theirs)) if theirs == block => {}
            Some((at, _)) => {
                let message = format!("this block is not that of {path}:{line}");
                findings.push(Finding::new(translation, *at, message));
            }
            None => findings.push(Finding::new(translation, 0, format!("lacks the block of {path}:{line}"))),
        }
    }
    for (line, _) in their_blocks.iter().skip(blocks.len()) {
        findings.push(Finding::new(translation, *line, format!("{path} has no such block")));
    }
    if levels != their_levels {
        let message = format!("has other sections than {path}: levels {their_levels:?}, not {levels:?}");
        findings.push(Finding::new(translation, 0, message));
    }
}

/// The fenced blocks of a page with their lines, and the levels of its headings.
fn parts(text: &str) -> (Vec<(usize, Vec<&str>)>, Vec<usize>) {
    let (mut blocks, mut levels) = (Vec::new(), Vec::new());
    let mut open = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.starts_with("```")) {
            (None, true) => open = Some((at + 1, vec![line])),
            (None, false) if line.starts_with('#') => {
                levels.push(line.chars().take_while(|c| *c == '#').count());
            }
            (None, false) => {}
            (Some((_, block)), false) => block.push(line),
            (Some(_), true) => blocks.extend(open.take()),
        }
    }
    blocks.extend(open);
    (blocks, levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\ntext\n```rust\n# hidden\nf();\n```\n## B\n```sh\nls\n```\n";

    fn found(pages: &[(&str, &str)]) -> Vec<(String, usize)> {
        keep_up(&Tree::of(pages)).into_iter().map(|f| (f.path, f.line)).collect()
    }

    #[test]
    fn a_translation_says_the_same_in_other_words() {
        let theirs = PAGE.replace("text\n", "另一种\n文字\n").replace("# A", "# 甲");
        assert_eq!(found(&[("docs/guide/a.md", PAGE), ("docs/zh/guide/a.md", &theirs)]), []);
        assert_eq!(found(&[("docs/performance.md", PAGE)]), []);
    }

    #[test]
    fn pages_without_the_other_are_found() {
        assert_eq!(found(&[("docs/guide/a.md", PAGE)]), [("docs/guide/a.md".to_owned(), 0)]);
        assert_eq!(found(&[("docs/zh/guide/a.md", PAGE)]), [("docs/zh/guide/a.md".to_owned(), 0)]);
    }

    #[test]
    fn stale_translations_are_found() {
        for (from, to, lines) in [
            ("f();", "g();", vec![3]),
            ("```rust", "```text", vec![3]),
            ("```sh\nls\n```\n", "", vec![0]),
            ("## B", "### B", vec![0]),
            ("## B", "```sh\ncd\n```\n## B", vec![7, 11]),
        ] {
            let theirs = PAGE.replace(from, to);
            let found = found(&[("docs/guide/a.md", PAGE), ("docs/zh/guide/a.md", &theirs)]);
            let expected: Vec<_> =
                lines.into_iter().map(|line| ("docs/zh/guide/a.md".to_owned(), line)).collect();
            assert_eq!(found, expected, "{from} -> {to}");
        }
    }
}
